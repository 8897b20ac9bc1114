"""What anybody could have told her: what most have read, what is nearest to her genres, and anything by her makers."""

import numpy as np
from numpy.typing import NDArray

from recommender.history import Past
from recommender.shelf import Shelf

Floats = NDArray[np.float64]
MOST, PART = 100, 20
"""The obvious are the 100 most read and the 100 nearest, in a small catalogue a twentieth each."""


def outside(past: Past, items: NDArray[np.int64], fame: Floats, shelf: Shelf) -> NDArray[np.bool_]:
    """Which of `items` are outside the obvious; genres and makers that are closed or unknown make nothing obvious.

    `fame`: how many people have met each item of the catalogue.
    """
    count = min(MOST, len(fame) // PART)
    obvious = np.zeros(len(fame), dtype=bool)
    obvious[np.argsort(-fame, kind="stable")[:count]] = True
    if shelf.genres.shape[1] and len(past.items):
        near = shelf.unit @ shelf.unit[past.items].sum(axis=0)
        near[past.items] = -1
        obvious[np.argsort(-near, kind="stable")[:count]] = True
    makers = np.unique(shelf.maker[past.items])
    obvious |= np.isin(shelf.maker, makers[makers >= 0])
    return ~obvious[items]
