"""Items that nobody has met yet: known by the letters of their title and maker alone."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.history import Past
from recommender.wording import letter_vectors

SHARPNESS = 3
FADING = 0.8


def likeness(titles: list[str], makers: list[str]) -> sp.csr_matrix:
    """Likeness of every item (rows) to every item (columns), sharpened; a maker counts twice."""
    vectors = letter_vectors([f"{t} {m} {m}" for t, m in zip(titles, makers, strict=True)])
    return sp.csr_matrix((vectors @ vectors.T).power(SHARPNESS))


def cold_scores(past: Past, alike: sp.csr_matrix) -> NDArray[np.float64]:
    """Score every item by its likeness to what she had, newer and better liked things first."""
    weights = sp.csr_matrix((past.liking * (1 + past.age) ** -FADING)[None])
    return np.asarray((weights @ alike[past.items]).toarray()).ravel()
