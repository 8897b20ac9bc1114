"""The candidates of one citizen with all that is known of them during one call: the ground for list and reasons."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recommender.additive import total
from recommender.catalogue import Catalogue
from recommender.features import COLUMNS, PUBLIC, Basis, assemble, bases, public
from recommender.profile import Profile
from recommender.rank import Model
from recommender.wishes import Wishes, traits

Matrix = NDArray[np.float64]
WISHED, WEATHER = "wishes", "weather"
STEP = 1.0
"""Standard deviations of the scores that one trait she wants more or less of is worth."""
SOON = 3
"""A forecast says something about so many days."""


class Table:
    """Scores of the candidates `rows`, and the part that each consent category has in them (`parts`)."""

    def __init__(
        self,
        profile: Profile,
        catalogue: Catalogue,
        model: Model,
        rows: Sequence[int],
        today: date | None = None,
        wishes: Wishes | None = None,
        rain: float | None = None,
    ) -> None:
        """`today` and `rain` (how likely it is in the coming days, 0 to 1) are public; None where not told."""
        self.profile, self.catalogue, self.model, self.rows = profile, catalogue, model, rows
        self._today, self._rain, self._wishes = today, rain, wishes or Wishes()
        shared = public(catalogue, rows, model.popularity, today)
        self.basis = bases(profile, catalogue, rows, model.kin)
        self.features = assemble(profile, catalogue, rows, shared, self.basis)
        self._trees = model.trees.parts(self.features)
        self.parts = self._trees | {WISHED: self._wished(), WEATHER: self._weather()}
        self.scores = total(self.parts)

    def rank(self, position: int, scores: Matrix | None = None) -> int:
        """Rank from 1 of a candidate; catalogue order settles ties."""
        table = self.scores if scores is None else scores
        own = table[position]
        return 1 + int((table > own).sum()) + int((table[:position] == own).sum())

    def closed(self, group: str) -> Matrix:
        """The scores of all candidates were this category closed: exactly what they would be."""
        return total({g: np.zeros(len(self.rows)) if g == group else part for g, part in self.parts.items()})

    def losses(self, category: str, positions: Sequence[int]) -> Matrix:
        """What each candidate would lose without each record, shape (traces, positions)."""
        own = self.basis[category].without(positions)
        few = self.features[list(positions)]
        part = self._trees[category][list(positions)]
        return part[None] - self.model.trees.changed(category, own, few, part)

    def without(self, category: str, records: Sequence[int]) -> Matrix:
        """The scores of all candidates without each of these records, shape (records, candidates)."""
        own = self.basis[category].without(slice(None), records)
        part = self.model.trees.changed(category, own, self.features, self._trees[category])
        rest = [{**self.parts, category: line} for line in part]
        return np.array([total(parts) for parts in rest]).reshape(len(records), len(self.rows))

    def without_all(self, category: str, records: Sequence[int]) -> Matrix:
        """The scores of all candidates without these records together, shape (candidates,)."""
        own = self.basis[category].leaving(records).columns()[None]
        part = self.model.trees.changed(category, own, self.features, self._trees[category])
        return total({**self.parts, category: part[0]})

    @cached_property
    def traits(self) -> list[tuple[str, ...]]:
        """The traits of each candidate, in the words of wishes."""
        entries = (self.catalogue.entries[n] for n in self.rows)
        return [traits(e.medium, e.institution, e.maker, e.topics) for e in entries]

    def _wished(self) -> Matrix:
        """More of what she wants more of and less of what she wants less of; never below what is shut out anyhow."""
        more, less = self._wishes.more, self._wishes.less
        if not (more or less):
            return np.zeros(len(self.rows))
        spread = float(total(self._trees).std()) if self.rows else 0.0
        count = [len(more.intersection(t)) - len(less.intersection(t)) for t in self.traits]
        return STEP * (spread or 1.0) * np.array(count, dtype=float)

    def _weather(self) -> Matrix:
        """What is in the open air within days of likely rain stands lower."""
        none = np.zeros(len(self.rows))
        if self._rain is None or self._today is None:
            return none
        picked, of = list(self.rows), self.catalogue.facts
        near = of.start[picked] - self._today.toordinal() <= SOON
        spread = float(total(self._trees).std()) if self.rows else 0.0
        return none - self._rain * spread * (near & (of.outdoor[picked] > 0))


def shares(table: Table, position: int) -> Mapping[str, float]:
    """How much of the personal part of a candidate's score each open category carries, 0 to 1, summing to 1; only
    categories that raise it.
    """
    gains = {c: float(table.parts[c][position]) for c in COLUMNS if c != PUBLIC}
    whole = sum(gain for gain in gains.values() if gain > 0)
    return {c: round(gain / whole, 4) for c, gain in gains.items() if gain > 0}


def basis_of(table: Table, category: str) -> Basis | None:
    """How candidates relate to her records of a category, None where it is closed or empty."""
    basis = table.basis.get(category)
    return basis if basis is not None and basis.relations.shape[2] else None
