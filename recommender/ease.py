"""Item-item weights from who read what together (EASE: a closed-form linear model with a zero diagonal)."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Weights = NDArray[np.float32]
LIMIT = 12_000


def ease(history: sp.csr_matrix, regularisation: float) -> Weights:
    """Fit B of shape (items, items) so that history @ B comes near history; memory is 16 bytes a pair of items.

    Beyond `LIMIT` items only the most read ones take part; the others keep zero weights.
    """
    count = history.shape[1]
    volume = np.asarray(history.sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-volume, kind="stable")[:LIMIT])
    part = history[:, kept]
    gram = (part.T @ part).toarray().astype(np.float64)
    gram[np.diag_indices(len(kept))] += regularisation
    inverse = np.linalg.inv(gram)
    inner = -inverse / np.diag(inverse)
    np.fill_diagonal(inner, 0)
    if len(kept) == count:
        return np.asarray(inner, dtype=np.float32)
    whole = np.zeros((count, count), dtype=np.float32)
    whole[np.ix_(kept, kept)] = inner
    return whole
