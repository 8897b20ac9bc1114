"""What people did, as arrays in one canonical order: the ground for statistics, training and lists.

Stars are ratings brought to a scale of 5. A closed or unknown kind of data is not here at all, so nothing further on
can use it: without ratings every row is alike, without times the order within a person is that of the catalogue.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.interactions import Interactions

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]

LIKED = 4.0
LIKING = (0, 1, 3, 7, 10, 13)
"""How much a row of 0 to 5 stars counts, in whole tenths, so that sums of it are exact in any order."""
WHOLE = 10
LATER = 0.2


@dataclass(frozen=True)
class Past:
    """One person's rows, oldest first: items and stars. `timed` says whether the order means anything."""

    items: Whole
    stars: Floats | None
    timed: bool

    @property
    def age(self) -> Floats:
        """Steps back from the newest row, 0 = newest; all 0 where the order is closed."""
        count = len(self.items)
        return np.arange(count, dtype=float)[::-1] if self.timed else np.zeros(count)

    @property
    def liking(self) -> Floats:
        """How much each row counts by its stars, 1 where ratings are closed."""
        return np.ones(len(self.items)) if self.stars is None else liking(self.stars)


@dataclass(frozen=True)
class History:
    """Rows by person and then oldest first; `starts` (people + 1,) says where each person's rows begin."""

    user: Whole
    item: Whole
    stars: Floats | None
    timed: bool
    starts: Whole
    width: int

    def past(self, person: int) -> Past:
        """One person's rows; a person without any has an empty past."""
        rows = slice(int(self.starts[person]), int(self.starts[person + 1]))
        return Past(self.item[rows], None if self.stars is None else self.stars[rows], self.timed)

    def matrix(self, weights: Floats) -> sp.csr_matrix:
        """People by items, holding `weights`."""
        return sp.csr_matrix((weights, (self.user, self.item)), shape=(len(self.starts) - 1, self.width))

    def closed(self, close: Collection[str]) -> "History":
        """The same rows as somebody sees them who keeps some categories closed: no stars, or in catalogue order."""
        timed = self.timed and "times" not in close
        order = np.arange(len(self.user)) if timed else np.lexsort((self.item, self.user))
        stars = None if self.stars is None or "ratings" in close else self.stars[order]
        return replace(self, user=self.user[order], item=self.item[order], stars=stars, timed=timed)

    def rows(self, keep: Mask) -> "History":
        """The same history with only some of its rows."""
        stars = None if self.stars is None else self.stars[keep]
        return _history(self.user[keep], self.item[keep], stars, self.timed, len(self.starts) - 1, self.width)

    def of(self, people: Mask) -> "History":
        """The same history with only some people's rows."""
        return self.rows(people[self.user])

    def newest(self, share: float) -> Mask:
        """Of each person with two or more rows the newest `share`, at least one."""
        count = np.diff(self.starts)[self.user]
        age = self.starts[self.user + 1] - 1 - np.arange(len(self.user))
        return np.asarray((count > 1) & (age < np.maximum(1, np.floor(count * share))))

    def last(self, count: int) -> Mask:
        """The newest `count` rows of each person."""
        return np.asarray(self.starts[self.user + 1] - 1 - np.arange(len(self.user)) < count)

    def liked(self) -> Mask:
        """Rows of at least four stars; every row where ratings are closed."""
        return np.ones(len(self.user), dtype=bool) if self.stars is None else self.stars >= LIKED

    def people(self) -> Iterator[int]:
        """The people who have at least one row."""
        yield from (int(n) for n in np.flatnonzero(np.diff(self.starts)))


def liking(stars: Floats) -> Floats:
    """How much rows of 0 to 5 stars count (0 to 1.3)."""
    return np.asarray(np.interp(stars, np.arange(6), LIKING) / WHOLE)


def known(data: Interactions, splits: Collection[str]) -> History:
    """The rows of some splits. Where a person has an item twice, its newest row counts."""
    rows = np.flatnonzero(np.isin(data.split, list(splits)))
    pair = data.user[rows] * len(data.items) + data.item[rows]
    rows = rows[len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]]
    timed = "t" in data.columns
    if timed:
        rows = rows[np.lexsort((data.item[rows], data.time[rows], data.user[rows]))]
    stars = _stars(data.rating[rows]) if "r" in data.columns else None
    return _history(data.user[rows], data.item[rows], stars, timed, len(data.people), len(data.items))


def parted(history: History, data: Interactions, splits: Collection[str]) -> tuple[History, History]:
    """What came before and what came later: by time, else by the set's own splits, else by a hash of each row."""
    later = history.newest(LATER)
    if not history.timed and "split" in data.columns and "valid" in splits:
        pair = data.user * history.width + data.item
        later = np.isin(history.user * history.width + history.item, pair[data.split == "valid"])
    elif not history.timed:
        later = np.array(
            [_drawn(data.people[u], data.items[i]) for u, i in zip(history.user, history.item, strict=True)]
        )
    return history.rows(~later), history.rows(later)


def _drawn(person: str, item: str) -> bool:
    key = blake2b(f"{person}\0{item}".encode(), digest_size=4).digest()
    return int.from_bytes(key) < LATER * 2**32


def _stars(rating: Floats) -> Floats | None:
    """Ratings on a scale of 1, 5, 10 or 100 as 0 to 5 stars; None where they are all alike, or counts, not ratings."""
    if not len(rating) or rating.min() == rating.max() or rating.min() < 0:
        return None
    scale = next((top for top in (1.0, 5.0, 10.0, 100.0) if rating.max() <= top), None)
    return None if scale is None else rating * 5 / scale


def _history(user: Whole, item: Whole, stars: Floats | None, timed: bool, people: int, width: int) -> History:
    starts = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=people))])
    return History(user, item, stars, timed, starts, width)
