"""What is known of the things themselves: maker, series, year and genres, each closed or missing on its own."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recommender.interactions import Interactions

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

NUMBERED = re.compile(r"\(([^()]+?),?\s*#\s?(\d+(?:\.\d+)?)[^()]*\)")
"""A series and its number behind a title: "The Two Towers (The Lord of the Rings, #2)"."""


@dataclass(frozen=True)
class Shelf:
    """Per item: its maker and series as numbers (-1 unknown), number in the series and year (NaN unknown), and
    non-negative genre weights of shape (items, genres), width 0 where there are none.
    """

    maker: Whole
    series: Whole
    number: Floats
    year: Floats
    genres: Floats

    @cached_property
    def unit(self) -> Floats:
        """Genre weights of length 1 (0 where an item has none)."""
        length = np.sqrt(np.square(self.genres).sum(axis=1, keepdims=True))
        return np.asarray(self.genres / np.maximum(length, 1e-12))

    @cached_property
    def output(self) -> Floats:
        """How many items the maker of each item has made, 1 where the maker is unknown."""
        made = np.bincount(self.maker[self.maker >= 0], minlength=1)
        return np.where(self.maker >= 0, made[self.maker], 1).astype(float)


def shelf(data: Interactions, close: Collection[str]) -> Shelf:
    """Describe the items of a set; whatever is closed is left unknown."""
    count = len(data.items)
    blank = [""] * count
    told = blank if "makers" in close else data.titles
    found = [NUMBERED.search(title) for title in told]
    return Shelf(
        maker=_numbered(blank if "makers" in close else [m.split(",")[0].strip() for m in data.makers]),
        series=_numbered([m.group(1).strip().casefold() if m else "" for m in found]),
        number=np.array([float(m.group(2)) if m else np.nan for m in found]),
        year=np.array([_year(y) for y in (blank if "years" in close else data.years)]),
        genres=np.zeros((count, 0)) if "genres" in close else _genres(data.genres),
    )


def _numbered(names: Sequence[str]) -> Whole:
    number = {name: n for n, name in enumerate(dict.fromkeys(n for n in names if n))}
    return np.array([number.get(name, -1) for name in names], dtype=np.int64)


def _year(text: str) -> float:
    try:
        year = float(text)
    except ValueError:
        return float("nan")
    return year if abs(year) < 10_000 else float("nan")


def _genres(told: Sequence[str]) -> Floats:
    """`name:weight|name:weight`, a weight left out is 1; what is no number or not positive is left out."""
    parts = [dict(_weighted(part) for part in text.split("|") if part) for text in told]
    column = {name: n for n, name in enumerate(sorted({name for row in parts for name in row}))}
    table = np.zeros((len(told), len(column)))
    for line, row in zip(table, parts, strict=True):
        for name, weight in row.items():
            line[column[name]] = weight
    return table


def _weighted(part: str) -> tuple[str, float]:
    name, _, weight = part.rpartition(":")
    if not name:
        return part.strip(), 1.0
    try:
        value = float(weight)
    except ValueError:
        return part.strip(), 1.0
    return name.strip(), value if 0 < value < float("inf") else 0.0
