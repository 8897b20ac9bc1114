"""Item-item weights from who read what together (EASE: a closed-form linear model with a zero diagonal)."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Weights = NDArray[np.float32]


def ease(counts: NDArray[np.float32], regularisation: float) -> Weights:
    """Fit B of shape (items, items) so that history @ B comes near history, from the counts history' @ history.

    Counts that noise has made indefinite are lifted until they can be solved. Memory: 12 bytes a pair of items.
    """
    lift = regularisation
    while True:
        gram = counts.copy()
        gram[np.diag_indices(len(gram))] += lift
        factor, failed = scipy.linalg.lapack.spotrf(gram.T, lower=0, overwrite_a=1)
        if not failed:
            break
        lift *= 2
    inverse, _ = scipy.linalg.lapack.spotri(factor, lower=0, overwrite_c=1)
    whole = np.triu(inverse) + np.triu(inverse, 1).T
    weights = np.ascontiguousarray(-whole / np.diag(whole))
    np.fill_diagonal(weights, 0)
    return np.asarray(weights, dtype=np.float32)
