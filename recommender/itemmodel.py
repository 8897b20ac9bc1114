"""The public item model: what the counts of contributors say about items. It names nobody and holds no rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.counts import GRAIN, Counts, Table
from recommender.ease import Weights, ease
from recommender.history import WHOLE

Floats = NDArray[np.float64]

REGULARISATION = 300.0
NEAR_REGULARISATION = 100.0
FAME = 0.6
"""How strongly a walk over people avoids what everybody has read (RP3beta)."""
PRIOR = 20.0
"""Ratings of the average that every item starts with."""
SEEN = 20.0
"""People that every item starts with where counts are divided."""


@dataclass(frozen=True)
class ItemModel:
    """Per item `popularity` (log of 1 + people), `late` (log share of newest rows), mean `stars` and share `liked`.

    Per pair (row: what she has, column: what it speaks for) `alike` (EASE), `walk` (like RP3beta, over what stands
    close in histories, without times over what is read together), `near` (EASE over what stands close) and `after`
    (what comes next). None where the counts are.
    """

    popularity: Floats
    alike: Weights
    walk: Weights | None
    near: Weights | None
    after: Weights | None
    late: Floats | None
    stars: Floats | None
    liked: Floats | None


def item_model(counts: Counts) -> ItemModel:
    """Fit everything from counts alone; the same counts give the same model, bit for bit, on one thread."""
    met = counts.met
    near = None if counts.near is None else ease(_near(counts.near, met), NEAR_REGULARISATION)
    alike = near if counts.together is None else ease(_together(counts.together), REGULARISATION)
    if alike is None:
        raise ValueError("counts without any pairs make no model")
    return ItemModel(
        popularity=np.log1p(np.maximum(met, 0)),
        alike=alike,
        walk=_walk(counts.paired if counts.near is None else counts.near, met),
        near=near,
        after=None if counts.after is None else _after(counts.after, met),
        late=None if counts.late is None else np.log((counts.late + 1) / (0.2 * met + 1)),
        stars=None if counts.stars is None else _mean(counts.stars / 2, met),
        liked=None if counts.liked is None else _mean(counts.liked, met),
    )


def _together(together: Table) -> Weights:
    return together.astype(np.float32) / np.float32(WHOLE**2)


def _walk(pairs: Table | None, met: Floats) -> Weights | None:
    """A walk over pairs that avoids what everybody has read; scale means nothing, only the order does."""
    if pairs is None:
        return None
    weights = pairs.astype(np.float32) / np.float32(GRAIN)
    weights /= (met[:, None] + SEEN).astype(np.float32)
    weights /= ((met[None] + SEEN) ** FAME).astype(np.float32)
    np.fill_diagonal(weights, 0)
    return weights


def _near(near: Table, met: Floats) -> Weights:
    gram = near.astype(np.float32) / np.float32(2 * GRAIN)
    gram[np.diag_indices(len(gram))] += met.astype(np.float32)
    return gram


def _after(after: Table, met: Floats) -> Weights:
    weights = after.astype(np.float32) * np.float32(SEEN / GRAIN)
    weights /= (met[:, None] + SEEN).astype(np.float32)
    weights /= np.sqrt(met[None] + SEEN).astype(np.float32)
    return weights


def _mean(total: Floats, met: Floats) -> Floats:
    average = total.sum() / max(1.0, met.sum())
    return np.asarray((total + PRIOR * average) / (met + PRIOR))
