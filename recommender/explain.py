"""Why an entry was suggested: the shares of the categories, and for each the record that carries it.

The share comes from the model's own additive contributions. The record is found by taking each of her records away
in turn and ranking again: the one whose absence lets the suggestion fall furthest is the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.catalogue import Catalogue
from recommender.features import assemble, bases, public
from recommender.profile import Profile, Trace
from recommender.rank import Model

Matrix = NDArray[np.float64]
TRIED = 3


@dataclass(frozen=True)
class Reason:
    """`share` of the personal part of the score (0 to 1); without `evidence` (her record) the suggestion ranks
    `fall` places lower.
    """

    category: str
    share: float
    evidence: Trace
    fall: int


class Table:
    """The candidates `rows` of one citizen with their features and scores; the ground for every reason."""

    def __init__(self, profile: Profile, catalogue: Catalogue, model: Model, rows: Sequence[int]) -> None:
        self.profile, self.model, self.rows = profile, model, rows
        self._shared = public(catalogue, rows, model.popularity)
        self.basis = bases(profile, catalogue, rows)
        self._parts = {c: b.columns() for c, b in self.basis.items()}
        self.features = assemble(self._shared, self._parts)
        self.scores = model.score(self.features)

    def rank(self, position: int, scores: Matrix | None = None) -> int:
        """Rank from 1 of a candidate; catalogue order settles ties."""
        table = self.scores if scores is None else scores
        own = table[position]
        return 1 + int((table > own).sum()) + int((table[:position] == own).sum())

    def without(self, category: str, traces: Sequence[int]) -> list[Matrix]:
        """The features of all candidates had one record been missing, one matrix for each of `traces`."""
        basis, count = self.basis[category], self.basis[category].near.shape[1]
        parts = (basis.columns(np.arange(count) != n) for n in traces)
        return [assemble(self._shared, self._parts | {category: part}) for part in parts]


def reasons(table: Table, chosen: Sequence[int]) -> list[tuple[Reason, ...]]:
    """For each chosen candidate the categories that raise it, each with the record that carries it.

    First those whose record alone decides its place, then the others; strongest first within both.

    A category without an akin record (a subject or maker in common) whose absence would lower the candidate gives
    no reason.
    """
    gains = table.model.contributions(table.features[list(chosen)])
    open_ = [c for c, traces in table.profile.traces.items() if traces]
    carriers = {c: _carriers(table, c, chosen) for c in open_}
    return [_ordered(table, {c: (float(gains[c][n]), carriers[c][n]) for c in open_}) for n in range(len(chosen))]


def _ordered(table: Table, found: Mapping[str, tuple[float, tuple[int, int] | None]]) -> tuple[Reason, ...]:
    total = sum(gain for gain, _ in found.values() if gain > 0)
    told = [
        Reason(category, round(gain / total, 4), table.profile.traces[category][carrier[0]], carrier[1])
        for category, (gain, carrier) in found.items()
        if gain > 0 and carrier is not None
    ]
    return tuple(sorted(told, key=lambda reason: (reason.fall == 0, -reason.share)))


def _carriers(table: Table, category: str, chosen: Sequence[int]) -> list[tuple[int, int] | None]:
    """For each chosen candidate: the akin record without which it falls furthest, and by how many places.

    Only the `TRIED` records that cost it most score are ranked without: ranking all would take ten times as long.
    """
    basis, picked = table.basis[category], list(chosen)
    count = basis.near.shape[1]
    few = table.model.score(np.vstack([part[picked] for part in table.without(category, range(count))]))
    loss = table.scores[picked] - few.reshape(count, len(picked))
    loss[~((basis.near[picked] > 0) | (basis.maker[picked] > 0)).T] = -np.inf
    tried = np.argsort(-loss, axis=0, kind="stable")[:TRIED]
    ranked = sorted({int(n) for n in tried.ravel()})
    scores = dict(zip(ranked, _scores(table, category, ranked), strict=True))
    return [_furthest(table, position, loss[:, j], tried[:, j], scores) for j, position in enumerate(picked)]


def _scores(table: Table, category: str, traces: Sequence[int]) -> Matrix:
    """Scores of all candidates without each of these records, shape (traces, candidates)."""
    return table.model.score(np.vstack(table.without(category, traces))).reshape(len(traces), -1)


def _furthest(
    table: Table, position: int, loss: Matrix, tried: NDArray[np.int64], scores: Mapping[int, Matrix]
) -> tuple[int, int] | None:
    now = table.rank(position)
    falls = [(table.rank(position, scores[int(n)]) - now, float(loss[n]), -int(n)) for n in tried if loss[n] > -np.inf]
    fall, lost, n = max(falls, default=(0, 0.0, 0))
    return (-n, fall) if fall > 0 or (fall == 0 and lost > 0) else None
