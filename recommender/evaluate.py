"""Ranked lists for an outside judge: read an interaction set, rank by a protocol, write a line per person.

*weak*: statistics from everybody. *strong*: statistics from contributors only; people who contribute nothing are
folded in with their own history. *cold*: items nobody has met, ranked by their wording alone.
Constants were chosen on the validation rows; test rows are never read here.
"""

import csv
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.ease import ease
from recommender.errors import BadData
from recommender.interactions import Interactions, load
from recommender.wording import letter_vectors

PROTOCOLS = ("weak", "strong", "cold")
CLOSABLE = ("ratings", "times", "makers", "years", "genres")
LENGTH = 50
REGULARISATION = 300.0
FADING = 0.8
LIKING = (0.0, 0.1, 0.3, 0.7, 1.0, 1.3)
SHARPNESS = 3
BLOCK = 512

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def evaluate(
    folder: Path, protocol: str, out: Path, close: Collection[str] = (), history: Collection[str] = ("train", "valid")
) -> int:
    """Write `u,i` lists (best first, `LENGTH` items) to `out`; returns how many people got one.

    `close` leaves kinds of data unused; `history` names the splits that are known. Raises BadData.
    """
    unknown = [c for c in close if c not in CLOSABLE]
    if protocol not in PROTOCOLS or unknown:
        raise BadData(f"unknown protocol {protocol!r}" if not unknown else f"cannot close {unknown[0]!r}")
    data = load(folder)
    scores, barred, people = _scores(data, protocol, frozenset(close), frozenset(history))
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for start in range(0, len(people), BLOCK):
            rows = people[start : start + BLOCK]
            for person, best in zip(rows, _best(scores(rows), barred(rows)), strict=True):
                writer.writerow([data.people[person], " ".join(data.items[n] for n in best)])
    return len(people)


class _Ranking:
    """Scores of a block of people: their weighted history times item-item weights, popularity settling the rest."""

    def __init__(self, history: sp.csr_matrix, weights: NDArray[np.float32] | sp.csr_matrix, plain: Floats) -> None:
        self.history, self.weights, self.plain = history, weights, plain

    def __call__(self, people: NDArray[np.int64]) -> Floats:
        scores = self.history[people] @ self.weights
        table = scores.toarray() if sp.issparse(scores) else np.asarray(scores)
        return np.asarray(table + 1e-9 * self.plain, dtype=np.float64)


class _Barred:
    """What may not stand in the lists of a block of people: their own history, and whatever the protocol shuts."""

    def __init__(self, met: sp.csr_matrix, shut: Mask) -> None:
        self.met, self.shut = met, shut

    def __call__(self, people: NDArray[np.int64]) -> Mask:
        return np.asarray((self.met[people].toarray() > 0) | self.shut)


def _scores(
    data: Interactions, protocol: str, close: frozenset[str], splits: frozenset[str]
) -> tuple[_Ranking, _Barred, NDArray[np.int64]]:
    known = np.isin(data.split, list(splits))
    size = (len(data.people), len(data.items))
    people = np.arange(size[0])
    met = _matrix(data, known, np.ones(len(known)), size)
    shut = np.zeros(size[1], dtype=bool)
    if protocol == "cold":
        _needs(data, "cold", "title")
        known, shut = known & ~data.cold[data.item], ~data.cold
    giving = known
    if protocol == "strong":
        _needs(data, "role")
        giving = known & (data.role[data.user] == "contributor")
        people = np.flatnonzero(data.role == "strong_test")
    liking = _liking(data, close)
    own = _matrix(data, known, liking * _freshness(data, known, close), size)
    plain = np.bincount(data.item[giving], minlength=size[1]) / max(1, int(giving.sum()))
    weights = _alike(data, close) if protocol == "cold" else ease(_matrix(data, giving, liking, size), REGULARISATION)
    return _Ranking(own, weights, plain), _Barred(met, shut), people


def _needs(data: Interactions, *columns: str) -> None:
    missing = [c for c in columns if c not in data.columns]
    if missing:
        raise BadData(f"this protocol needs the column {missing[0]!r}, which the data set has not")


def _matrix(data: Interactions, rows: Mask, values: Floats, size: tuple[int, int]) -> sp.csr_matrix:
    """People by items; where a pair stands twice the newest row counts."""
    pair = data.user[rows] * size[1] + data.item[rows]
    last = len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1]
    return sp.csr_matrix((values[rows][last], (data.user[rows][last], data.item[rows][last])), shape=size)


def _liking(data: Interactions, close: frozenset[str]) -> Floats:
    """How much a row counts by its rating; 1 where ratings are closed or unknown."""
    if "ratings" in close or "r" not in data.columns:
        return np.ones(len(data.rating))
    top = max(5.0, float(data.rating.max()))
    return np.interp(data.rating * 5 / top, np.arange(6), LIKING)


def _freshness(data: Interactions, known: Mask, close: frozenset[str]) -> Floats:
    """Newer history counts more: a row n steps back counts (1 + n) to the power of minus `FADING`."""
    if "times" in close or "t" not in data.columns:
        return np.ones(len(data.user))
    steps = np.zeros(len(data.user))
    rows = np.flatnonzero(known)
    ends = np.append(np.flatnonzero(np.diff(data.user[rows])), len(rows) - 1)
    lengths = np.diff(np.append(-1, ends))
    steps[rows] = np.repeat(ends, lengths) - np.arange(len(rows))
    return np.asarray((1 + steps) ** -FADING)


def _alike(data: Interactions, close: frozenset[str]) -> sp.csr_matrix:
    """Likeness of every item (rows) to every cold item (columns), sharpened; a maker counts twice."""
    makers = [""] * len(data.items) if "makers" in close else [m.split(",")[0] for m in data.makers]
    vectors = letter_vectors([f"{t} {m} {m}" for t, m in zip(data.titles, makers, strict=True)])
    alike = (vectors @ (sp.diags(data.cold.astype(float)) @ vectors).T).power(SHARPNESS)
    return sp.csr_matrix(alike)


def _best(scores: Floats, barred: Mask) -> Iterator[list[int]]:
    """The best open items of each row, best first; the order of the catalogue settles ties."""
    scores = np.where(barred, -np.inf, scores)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :LENGTH]
    for row, line in zip(scores, order, strict=True):
        yield [int(n) for n in line if row[n] > -np.inf]
