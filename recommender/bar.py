"""The bar: EASE with the history weighed by rating and by recency. What a ranker must beat to be worth its trees."""

import numpy as np
from numpy.typing import NDArray

from recommender.ease import Weights, ease
from recommender.history import History, Past

REGULARISATION = 300.0
FADING = 0.8
FIVE = 5.0


def bar_weights(history: History) -> Weights:
    """EASE over who read what, unweighed."""
    rows = history.matrix(np.ones(len(history.user), dtype=np.float32))
    return ease((rows.T @ rows).toarray().astype(np.float32), REGULARISATION)


def bar_scores(past: Past, weights: Weights) -> NDArray[np.float64]:
    """Score every item: a row of hers counts its stars over five, times (1 + steps back) to the power of -0.8."""
    stars = np.ones(len(past.items)) if past.stars is None else past.stars / FIVE
    return np.asarray((stars * (1 + past.age) ** -FADING).astype(np.float32) @ weights[past.items], dtype=np.float64)
