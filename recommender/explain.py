"""Why an entry was suggested: the shares of the categories, for each the record that carries it, and what would be
without either.

All of it is exact. The share is the category's own part of the score; the record is found by taking each of her
records away and ranking again: the one whose absence lets the suggestion fall furthest is the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.profile import Trace
from recommender.table import Table, basis_of, shares

TRIED = 2
TOGETHER = 5


@dataclass(frozen=True)
class Reason:
    """`share` of the personal part of the score (0 to 1); without `evidence` (her record) the suggestion ranks
    `fall` places lower, and were the category closed it would rank `closed` (1 = first). Where no record alone decides
    its place, `also` names the others without which, together, it falls that far.
    """

    category: str
    share: float
    evidence: Trace
    fall: int
    closed: int
    also: tuple[Trace, ...] = ()


def reasons(table: Table, chosen: Sequence[int]) -> list[tuple[Reason, ...]]:
    """For each chosen candidate the categories that raise it, each with the record that carries it.

    First those whose record alone decides its place, then the others; strongest first within both.

    A category without an akin record (a subject or maker in common) whose absence would lower the candidate gives
    no reason.
    """
    open_ = [c for c in table.basis if basis_of(table, c) is not None]
    carriers = {c: _carriers(table, c, chosen) for c in open_}
    shut = {c: table.closed(c) for c in open_}
    told = []
    for n, position in enumerate(chosen):
        carried = shares(table, position)
        found = {c: one for c in open_ if c in carried and (one := carriers[c][n]) is not None}
        because = _ordered(table, found, carried, {c: table.rank(position, shut[c]) for c in found})
        told.append(because if not because or because[0].fall else _together(table, position, because))
    return told


def _ordered(
    table: Table, found: Mapping[str, tuple[int, int]], carried: Mapping[str, float], closed: Mapping[str, int]
) -> tuple[Reason, ...]:
    told = [
        Reason(category, carried[category], table.profile.traces[category][record], fall, closed[category])
        for category, (record, fall) in found.items()
    ]
    return tuple(sorted(told, key=lambda reason: (reason.fall == 0, -reason.share)))


def _together(table: Table, position: int, because: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The first reason of them of which a few records together decide the place, put first; else as they were."""
    now = table.rank(position)
    for n, reason in enumerate(because):
        loss = table.losses(reason.category, [position])[:, 0]
        loss[~table.basis[reason.category].akin[position]] = 0.0
        few = [int(r) for r in np.argsort(-loss, kind="stable")[:TOGETHER] if loss[r] > 0]
        fall = table.rank(position, table.without_all(reason.category, few)) - now if len(few) > 1 else 0
        if fall > 0:
            traces = [table.profile.traces[reason.category][r] for r in few]
            return (replace(reason, evidence=traces[0], also=tuple(traces[1:]), fall=fall),
                    *because[:n], *because[n + 1 :])  # fmt: skip
    return because


def _carriers(table: Table, category: str, chosen: Sequence[int]) -> list[tuple[int, int] | None]:
    """For each chosen candidate: the akin record without which it falls furthest, and by how many places.

    Only the `TRIED` records that cost it most score are ranked without.
    """
    picked = list(chosen)
    loss = table.losses(category, picked)
    loss[~table.basis[category].akin[picked].T] = 0.0
    tried = np.argsort(-loss, axis=0, kind="stable")[:TRIED]
    ranked = sorted({int(n) for j, column in enumerate(tried.T) for n in column if loss[n, j] > 0})
    scores = dict(zip(ranked, table.without(category, ranked), strict=True))
    return [_furthest(table, position, loss[:, j], tried[:, j], scores) for j, position in enumerate(picked)]


def _furthest(
    table: Table,
    position: int,
    loss: NDArray[np.float64],
    tried: NDArray[np.int64],
    scores: Mapping[int, NDArray[np.float64]],
) -> tuple[int, int] | None:
    now = table.rank(position)
    falls = [(table.rank(position, scores[int(n)]) - now, float(loss[n]), -int(n)) for n in tried if loss[n] > 0]
    fall, _, n = max(falls, default=(-1, 0.0, 0))
    return (-n, fall) if fall >= 0 else None
