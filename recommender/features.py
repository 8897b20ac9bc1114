"""What the ranker sees of (citizen, entry). Feature groups *are* consent categories.

A closed category leaves its whole group missing (NaN), which LightGBM handles natively; an open but empty one gives
zeros. The group "" is public knowledge about the entry.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.catalogue import Catalogue
from recommender.profile import CATEGORIES, TICKETS, Profile, Trace
from recommender.sources.document import normal

Matrix = NDArray[np.float64]
PUBLIC = ""
PER_CATEGORY = ("akin", "close", "maker")
NAMES = ("is_book", "log_popularity", "age", "breadth", *(f"{c}/{f}" for c in CATEGORIES for f in PER_CATEGORY))
GROUPS = (PUBLIC,) * 4 + tuple(c for c in CATEGORIES for _ in PER_CATEGORY)


@dataclass(frozen=True)
class Basis:
    """How each candidate (rows) relates to each trace (columns) of one category."""

    near: Matrix
    maker: Matrix

    def columns(self, keep: NDArray[np.bool_] | None = None) -> Matrix:
        """The features of a category, shape (candidates, 3), from the kept traces only.

        Sums, not maxima: each record she has counts a little, so leaving one out shows.
        """
        near = self.near if keep is None else self.near[:, keep]
        maker = self.maker if keep is None else self.maker[:, keep]
        size = np.sqrt(max(1, near.shape[1]))
        return np.column_stack([near.sum(1) / size, (near**3).sum(1) / size, maker.sum(1)])


def bases(profile: Profile, catalogue: Catalogue, rows: Sequence[int]) -> dict[str, Basis]:
    """One basis per open category."""
    return {c: _basis(traces, c, catalogue, rows) for c, traces in profile.traces.items()}


def _basis(traces: Sequence[Trace], category: str, catalogue: Catalogue, rows: Sequence[int]) -> Basis:
    if not traces:
        return Basis(np.zeros((len(rows), 0)), np.zeros((len(rows), 0)))
    near = catalogue.matrix[list(rows)] @ np.array([catalogue.vector(t.topics) for t in traces]).T
    theirs = [_maker(t.maker) for t in traces]
    entries = [catalogue.entries[n] for n in rows]
    ours = [_maker(e.institution if category == TICKETS else e.maker) for e in entries]
    return Basis(near, np.array([[float(bool(a) and a == b) for b in theirs] for a in ours]))


def _maker(name: str) -> str:
    """A name without regard to the order of its parts: "Claus, Hugo" is "Hugo Claus"."""
    return " ".join(sorted(normal(name).split()))


def public(catalogue: Catalogue, rows: Sequence[int], popularity: Mapping[str, float]) -> Matrix:
    """Features of the entries themselves; an entry without a known popularity has it missing."""
    entries = [catalogue.entries[n] for n in rows]
    known = [np.log1p(popularity[e.id]) if e.id in popularity else np.nan for e in entries]
    table = [[e.medium == "book", k, 2000 - e.year, len(e.topics)] for e, k in zip(entries, known, strict=True)]
    return np.array(table, dtype=float).reshape(len(rows), 4)


def assemble(shared: Matrix, parts: Mapping[str, Matrix]) -> Matrix:
    """All features in the order of NAMES; a category without a part is closed."""
    closed = np.full((len(shared), len(PER_CATEGORY)), np.nan)
    return np.hstack([shared, *(parts.get(c, closed) for c in CATEGORIES)])


def features(profile: Profile, catalogue: Catalogue, rows: Sequence[int], popularity: Mapping[str, float]) -> Matrix:
    """Features of the candidates `rows`, shape (len(rows), len(NAMES))."""
    parts = {c: basis.columns() for c, basis in bases(profile, catalogue, rows).items()}
    return assemble(public(catalogue, rows, popularity), parts)
