"""Who had this had that: the released item statistics, by catalogue id, as one linear table of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Kin:
    """`weights` (items, items), row: what she has, column: what it speaks for, in the order of `ids`."""

    ids: tuple[str, ...]
    weights: NDArray[np.float32]

    @cached_property
    def place(self) -> dict[str, int]:
        """The row of each id."""
        return {iri: n for n, iri in enumerate(self.ids)}

    def between(self, hers: Sequence[str], theirs: Sequence[str]) -> Floats:
        """How each of hers (columns) speaks for each candidate (rows); 0 where one of them is unknown."""
        mine = np.array([self.place.get(iri, -1) for iri in hers], dtype=np.int64)
        other = np.array([self.place.get(iri, -1) for iri in theirs], dtype=np.int64)
        table = self.weights[np.ix_(mine, other)].T.astype(np.float64)
        return np.asarray(np.where((other[:, None] >= 0) & (mine[None] >= 0), np.maximum(table, 0), 0.0))
