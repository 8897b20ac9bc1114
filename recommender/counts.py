"""What contributors' rows add up to: whole numbers a pair of items, so that any order of adding gives the same bytes.

Withdrawing is leaving one's rows out of the next adding-up: that is bit for bit what never having given them gives.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.history import LIKING, WHOLE, History

Floats = NDArray[np.float64]
Table = NDArray[np.int32]

REACH, FADE = 40, 20.0
"""Two rows count as read together up to `REACH` steps apart, fading by e every `FADE` steps."""
STEP, STEP_FADE = 5, 2.0
"""The same for what comes next after what."""
GRAIN = 64
"""Fading weights are whole 64ths."""
LATE = 0.2


@dataclass(frozen=True)
class Counts:
    """Whole numbers. Per item `met` (n,) people, `late` (n,) rows in the newest fifth, `stars` (n,) half stars and
    `liked` (n,) rows; per pair (n, n) `together`, weighed by liking in hundredths, `paired`, unweighed, a person
    counting 2^16 / (rows of hers), and `near` and `after` in 64ths.

    None where nothing is known: `near`, `after` and `late` without times, `stars` and `liked` without ratings,
    `paired` with times; and what is kept back.
    """

    met: Floats
    together: Table | None
    paired: Table | None
    near: Table | None
    after: Table | None
    late: Floats | None
    stars: Floats | None
    liked: Floats | None


def count(history: History) -> Counts:
    """Add up a history."""
    weights = np.full(len(history.user), float(WHOLE))
    if history.stars is not None:
        weights = np.rint(np.interp(history.stars, np.arange(6), LIKING))
    each = np.diff(history.starts)[history.user]
    rows = history.matrix(np.ones(len(history.user)))
    shares = history.matrix(np.rint(2**16 / np.maximum(each, 1)))
    return Counts(
        met=_sum(history, np.ones(len(history.user))),
        together=_pairs(history.matrix(weights), history.matrix(weights)),
        paired=None if history.timed else _pairs(shares, rows),
        near=_lagged(history, REACH, FADE, both=True) if history.timed else None,
        after=_lagged(history, STEP, STEP_FADE, both=False) if history.timed else None,
        late=_sum(history, history.newest(LATE).astype(float)) if history.timed else None,
        stars=None if history.stars is None else _sum(history, np.rint(history.stars * 2)),
        liked=None if history.stars is None else _sum(history, history.liked().astype(float)),
    )


def _sum(history: History, values: Floats) -> Floats:
    return np.asarray(np.bincount(history.item, weights=values, minlength=history.width))


def _pairs(left: sp.csr_matrix, right: sp.csr_matrix) -> Table:
    return np.asarray((left.astype(np.int32).T @ right.astype(np.int32)).toarray(), dtype=np.int32)


def _lagged(history: History, reach: int, fade: float, *, both: bool) -> Table:
    """How often an item (column) came within `reach` rows after another (row); `both` = or before it."""
    total = sp.csr_matrix((history.width, history.width), dtype=np.int32)
    for step in range(1, reach + 1):
        same = history.user[:-step] == history.user[step:]
        weight = np.full(int(same.sum()), round(GRAIN * float(np.exp(-(step - 1) / fade))), dtype=np.int32)
        pairs = (history.item[:-step][same], history.item[step:][same])
        total += sp.csr_matrix((weight, pairs), shape=total.shape, dtype=np.int32)
    table = np.asarray(total.toarray())
    return table + table.T if both else table
