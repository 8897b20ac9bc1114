"""What the ranker sees of (citizen, entry). Feature groups *are* consent categories.

A closed category leaves its whole group missing (NaN), which LightGBM handles natively; an open but empty one gives
zeros. The group "" is public knowledge: about the entry, and about the day on which she asks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from recommender.catalogue import Catalogue
from recommender.facts import kilometres
from recommender.kin import Kin
from recommender.profile import POSTAL, RECORDS, TICKETS, Profile

Matrix = NDArray[np.float64]
PUBLIC = ""
OF_ENTRY = ("is_book", "is_work", "log_popularity", "age", "breadth", "days", "plausible", "weekend")
PER_CATEGORY = ("akin", "close", "maker", "letters", "kin", "is_book")
"""Sums over her records, and what they may weigh differently for. `kin`: who had this had that (contributors only)."""
PER_PLACE = ("far", "is_book")
NAMES = (*OF_ENTRY, *(f"{c}/{f}" for c in RECORDS for f in PER_CATEGORY), *(f"{POSTAL}/{f}" for f in PER_PLACE))
GROUPS = (
    *(PUBLIC for _ in OF_ENTRY),
    *(c for c in RECORDS for _ in PER_CATEGORY),
    *(POSTAL for _ in PER_PLACE),
)
MONOTONE = tuple(0 if n in OF_ENTRY or n.endswith("is_book") else -1 if n.endswith("far") else 1 for n in NAMES)
"""More kinship with what she has never lowers a score and more kilometres never raise one: reasons point one way."""
COLUMNS = {g: slice(GROUPS.index(g), GROUPS.index(g) + GROUPS.count(g)) for g in dict.fromkeys(GROUPS)}
GRAIN = 2.0**20
"""Kinship is kept in whole parts of this, so that sums are exact: in any order, and with one record taken out."""


@dataclass(frozen=True)
class Basis:
    """How each candidate relates to each trace of one category: shape (4 features, candidates, traces), in whole parts
    of GRAIN (`kin` NaN where there is no item model); `book` (candidates,) 1 for a book.
    """

    relations: Matrix
    book: Matrix

    @property
    def akin(self) -> NDArray[np.bool_]:
        """Which candidates share a subject or a maker with which trace, shape (candidates, traces)."""
        return np.asarray((self.relations[0] > 0) | (self.relations[2] > 0))

    def columns(self) -> Matrix:
        """The features of the category, shape (candidates, len(PER_CATEGORY)).

        Sums, not maxima: each record she has counts a little, so leaving one out shows.
        """
        return self._scaled(self.relations.sum(axis=2), self.relations.shape[2], self.book)

    def without(self, rows: Sequence[int] | slice, traces: Sequence[int] | slice = slice(None)) -> Matrix:
        """The features had one record been missing, shape (traces, candidates of `rows`, len(PER_CATEGORY))."""
        of = self.relations[:, rows]
        left = of.sum(axis=2)[:, None] - of[:, :, traces].transpose(0, 2, 1)
        return self._scaled(left, self.relations.shape[2] - 1, np.broadcast_to(self.book[rows], left.shape[1:]))

    def leaving(self, traces: Sequence[int]) -> "Basis":
        """The same without these records."""
        return Basis(np.delete(self.relations, list(traces), axis=2), self.book)

    @staticmethod
    def _scaled(sums: Matrix, count: int, book: Matrix) -> Matrix:
        return np.stack([*(sums / (GRAIN * np.sqrt(max(1, count)))), book], axis=-1)


def bases(profile: Profile, catalogue: Catalogue, rows: Sequence[int], kin: Kin | None) -> dict[str, Basis]:
    """One basis per open category."""
    return {c: _basis(profile, c, catalogue, rows, kin) for c in profile.traces}


def _basis(profile: Profile, category: str, catalogue: Catalogue, rows: Sequence[int], kin: Kin | None) -> Basis:
    traces = profile.traces[category]
    picked, book = np.asarray(rows, dtype=np.int64), catalogue.facts.book[list(rows)]
    if not traces:
        return Basis(np.zeros((len(PER_CATEGORY) - 1, len(rows), 0)), book)
    near = catalogue.matrix[picked] @ np.array([t.vector for t in traces]).T
    theirs = np.array([t.made for t in traces])
    ours = (catalogue.houses if category == TICKETS else catalogue.makers)[picked]
    same = (ours[:, None] == theirs[None]) & (theirs >= 0)[None]
    related = [near, near**3, same.astype(float), _spelling(profile, category, catalogue, picked)]
    unknown = np.full(near.shape, np.nan)
    hers = [catalogue.entries[t.entry].id if t.entry is not None else "" for t in traces]
    together = unknown if kin is None else kin.between(hers, [catalogue.entries[n].id for n in rows])
    return Basis(np.rint(GRAIN * np.stack([*related, together])), book)


def _spelling(profile: Profile, category: str, catalogue: Catalogue, picked: NDArray[np.int64]) -> Matrix:
    """Likeness by letters, cubed so that chance likeness of short words counts for nothing."""
    return np.asarray((catalogue.letters[picked] @ profile.spelling[category].T).toarray() ** 3)


def public(catalogue: Catalogue, rows: Sequence[int], popularity: Mapping[str, float], today: date | None) -> Matrix:
    """Features of the entries themselves; an entry without a known popularity has it missing."""
    picked, of = np.asarray(rows, dtype=np.int64), catalogue.facts
    entries = [catalogue.entries[n] for n in rows]
    known = [np.log1p(popularity[e.id]) if e.id in popularity else np.nan for e in entries]
    days = np.maximum(of.start[picked] - (np.nan if today is None else today.toordinal()), 0)
    told = (of.book[picked], of.work[picked], np.array(known, dtype=float), of.age[picked], of.breadth[picked], days)
    return np.column_stack([*told, of.plausible[picked], of.weekend[picked]]).reshape(len(rows), len(OF_ENTRY))


def assemble(
    profile: Profile, catalogue: Catalogue, rows: Sequence[int], shared: Matrix, parts: Mapping[str, Basis]
) -> Matrix:
    """All features in the order of NAMES; a category without a part is closed."""
    table = np.full((len(rows), len(NAMES)), np.nan)
    table[:, COLUMNS[PUBLIC]] = shared
    for category, basis in parts.items():
        table[:, COLUMNS[category]] = basis.columns()
    if profile.district is not None:
        picked, of = np.asarray(rows, dtype=np.int64), catalogue.facts
        far = np.where(of.book[picked] > 0, 0.0, kilometres(profile.district, of.north[picked], of.east[picked]))
        table[:, COLUMNS[POSTAL]] = np.column_stack([far, of.book[picked]])
    return table


def features(
    profile: Profile,
    catalogue: Catalogue,
    rows: Sequence[int],
    popularity: Mapping[str, float],
    today: date | None,
    kin: Kin | None = None,
) -> Matrix:
    """Features of the candidates `rows`, shape (len(rows), len(NAMES))."""
    shared = public(catalogue, rows, popularity, today)
    return assemble(profile, catalogue, rows, shared, bases(profile, catalogue, rows, kin))
