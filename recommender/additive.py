"""Trees that can be taken apart by consent category: no tree looks into two of them.

So a score is a sum of parts, one a category, and that is exact: a category's share is its part, closing it removes
that part, and taking one record away changes that part alone. (Gains over SHAP: exact, and a tenth of the time.)
"""

import re
from collections.abc import Mapping, Sequence

import lightgbm
import numpy as np
from numpy.typing import NDArray

from recommender.errors import BadData

Matrix = NDArray[np.float64]


class Additive:
    """One booster a group of features, cut from one that was trained with a constraint for each group."""

    def __init__(self, booster: lightgbm.Booster, groups: Sequence[str]) -> None:
        """`groups`: the group of each column. Raises BadData where a tree uses two groups."""
        self._columns = {g: [n for n, one in enumerate(groups) if one == g] for g in dict.fromkeys(groups)}
        text = booster.model_to_string()
        self._boosters = {g: _cut(text, columns) for g, columns in self._columns.items()}
        grown = len(re.findall(r"^split_feature=\d", text, re.MULTILINE))
        if sum(b.num_trees() for b in self._boosters.values()) != grown:
            raise BadData("a tree looks into two categories: run `kluis train`")
        self._edges = {g: _thresholds(b.model_to_string(), len(groups)) for g, b in self._boosters.items()}
        self._width = len(groups)
        self._shut = {g: self.part(g, np.full((1, len(c)), np.nan))[0] for g, c in self._columns.items()}

    def part(self, group: str, own: Matrix) -> Matrix:
        """What a group adds to each row's score, from the columns of that group alone."""
        booster = self._boosters[group]
        if not booster.num_trees() or not len(own):
            return np.zeros(len(own))
        table = np.full((len(own), self._width), np.nan)
        table[:, self._columns[group]] = own
        return np.asarray(booster.predict(table, num_threads=1), dtype=float)

    def parts(self, features: Matrix) -> dict[str, Matrix]:
        """What each group adds to each row's score, over what it would add were it closed."""
        return {g: self.part(g, features[:, c]) - self._shut[g] for g, c in self._columns.items()}

    def changed(self, group: str, own: Matrix, features: Matrix, before: Matrix) -> Matrix:
        """The part of a group for other values of it, shape (cases, rows), where `before` is its part for `features`.

        Only rows that fall on another side of some threshold are ranked again: the others cannot have changed.
        """
        cases, rows, width = own.shape
        base = self._bins(group, features[:, self._columns[group]])
        moved = (self._bins(group, own.reshape(-1, width)).reshape(cases, rows, width) != base[None]).any(axis=2)
        found = np.broadcast_to(before, (cases, rows)).copy()
        found[moved] = self.part(group, own[moved]) - self._shut[group]
        return found

    def _bins(self, group: str, own: Matrix) -> NDArray[np.int64]:
        edges = (self._edges[group][column] for column in self._columns[group])
        return np.column_stack([np.searchsorted(e, v) for e, v in zip(edges, own.T, strict=True)])


def total(parts: Mapping[str, Matrix]) -> Matrix:
    """The score: the sum of all parts, always added in the same order."""
    return np.asarray(np.sum(np.array(list(parts.values())), axis=0))


def _cut(text: str, columns: Sequence[int]) -> lightgbm.Booster:
    """The model text with only the trees that look at these columns, as LightGBM reads it."""
    head, rest = text.split("\nTree=0\n", 1)
    body, tail = rest.split("end of trees", 1)
    trees = re.split(r"\n+Tree=\d+\n", body)
    kept = [tree.rstrip() for tree in trees if (used := _numbers(tree, "split_feature")) and used <= set(columns)]
    own = [f"Tree={n}\n{tree}\n\n\n" for n, tree in enumerate(kept)]
    sizes = " ".join(str(len(tree.encode())) for tree in own)
    head = re.sub(r"^tree_sizes=.*$", f"tree_sizes={sizes}", head, flags=re.MULTILINE)
    return lightgbm.Booster(model_str=f"{head}\n{''.join(own)}end of trees{tail}")


def _numbers(tree: str, field: str) -> set[int]:
    found = re.search(rf"^{field}=(.*)$", tree, re.MULTILINE)
    return {int(n) for n in found.group(1).split()} if found else set()


def _thresholds(text: str, width: int) -> list[Matrix]:
    """Per column all values that some tree parts at, ascending."""
    found: list[set[float]] = [set() for _ in range(width)]
    used = re.findall(r"^split_feature=(.*)$", text, re.MULTILINE)
    edges = re.findall(r"^threshold=(.*)$", text, re.MULTILINE)
    for columns, values in zip(used, edges, strict=True):
        for column, value in zip(columns.split(), values.split(), strict=True):
            found[int(column)].add(float(value))
    return [np.array(sorted(values)) for values in found]
