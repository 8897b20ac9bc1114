"""An interaction set on disk: `interactions.csv[.gz]` (u, i and, where known, r, t, split, role, cold) and
`items.csv[.gz]` (item and, where known, title, authors, year, genres). Missing optional columns are "not known".
"""

import csv
import gzip
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recommender.errors import BadData

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Interactions:
    """Rows in time order per person: positions of person and item, rating (1 where unknown), and the part it is in.

    `columns` says which columns the files really had.
    """

    people: Sequence[str]
    items: Sequence[str]
    titles: Sequence[str]
    makers: Sequence[str]
    years: Sequence[str]
    genres: Sequence[str]
    user: Whole
    item: Whole
    rating: Floats
    time: Floats
    split: NDArray[np.str_]
    role: NDArray[np.str_]
    cold: NDArray[np.bool_]
    columns: frozenset[str]


def load(folder: Path) -> Interactions:
    """Read an interaction set. Raises BadData with one line that names the file and what is wrong with it."""
    if not folder.is_dir():
        raise BadData(f"{folder}: no such folder")
    rows = _table(_found(folder, "interactions.csv"), ("u", "i"))
    described = _table(_found(folder, "items.csv"), ("item",))
    items = list(dict.fromkeys([*described["item"], *rows["i"]]))
    people = list(dict.fromkeys(rows["u"]))
    user, item = _positions(rows["u"], people), _positions(rows["i"], items)
    time = _numbers(rows, "t", "interactions.csv.gz", np.arange(len(user), dtype=float))
    order = np.lexsort((time, user))
    user, item, time = user[order], item[order], time[order]
    rating = _numbers(rows, "r", "interactions.csv.gz", np.ones(len(user)))[order]
    split = np.array(rows["split"])[order] if "split" in rows else _splits(user)
    cold = np.zeros(len(items), dtype=bool)
    if "cold" in rows:
        cold[item[np.array(rows["cold"])[order] == "1"]] = True
    role = np.full(len(people), "contributor", dtype="<U16")
    if "role" in rows:
        role[user] = np.array(rows["role"])[order]
    blank = [""] * (len(items) - len(described["item"]))
    return Interactions(
        people=people,
        items=items,
        titles=[*described.get("title", [""] * len(described["item"])), *blank],
        makers=[*described.get("authors", [""] * len(described["item"])), *blank],
        years=[*described.get("year", [""] * len(described["item"])), *blank],
        genres=[*described.get("genres", [""] * len(described["item"])), *blank],
        user=user,
        item=item,
        rating=rating,
        time=time,
        split=split,
        role=role,
        cold=cold,
        columns=frozenset(rows) | frozenset(described),
    )


def _found(folder: Path, name: str) -> Path:
    """The gzipped file, or the plain one where only that is there."""
    plain = folder / name
    return plain if plain.exists() and not (folder / f"{name}.gz").exists() else folder / f"{name}.gz"


def _table(path: Path, needed: Iterable[str]) -> dict[str, list[str]]:
    """The columns of a CSV file with a heading."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            heading = next(reader, [])
            rows = list(reader)
    except FileNotFoundError:
        raise BadData(f"{path}: no such file") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        kind = "gzip CSV" if path.suffix == ".gz" else "CSV"
        raise BadData(f"{path}: not a {kind} file ({error})") from error
    missing = [name for name in needed if name not in heading]
    if missing:
        raise BadData(f"{path}: no column {missing[0]!r}")
    if not rows:
        raise BadData(f"{path}: no rows")
    uneven = next((n for n, row in enumerate(rows, 2) if len(row) != len(heading)), None)
    if uneven:
        raise BadData(f"{path}: line {uneven} has another number of columns than the heading")
    return dict(zip(heading, map(list, zip(*rows, strict=True)), strict=True))


def most_met(data: Interactions, splits: Collection[str], limit: int) -> Interactions:
    """The same set with only the `limit` items that most rows of these splits hold; people stay."""
    if len(data.items) <= limit:
        return data
    met = np.bincount(data.item[np.isin(data.split, list(splits))], minlength=len(data.items))
    kept = np.sort(np.argsort(-met, kind="stable")[:limit])
    place = np.full(len(data.items), -1)
    place[kept] = np.arange(limit)
    rows = place[data.item] >= 0

    def chosen(column: Sequence[str]) -> list[str]:
        return [column[n] for n in kept]

    return replace(
        data,
        items=chosen(data.items),
        titles=chosen(data.titles),
        makers=chosen(data.makers),
        years=chosen(data.years),
        genres=chosen(data.genres),
        user=data.user[rows],
        item=place[data.item[rows]],
        rating=data.rating[rows],
        time=data.time[rows],
        split=data.split[rows],
        cold=data.cold[kept],
    )


def _positions(values: Sequence[str], names: Sequence[str]) -> Whole:
    place = {name: n for n, name in enumerate(names)}
    return np.array([place[v] for v in values], dtype=np.int64)


def _numbers(rows: dict[str, list[str]], column: str, file: str, otherwise: Floats) -> Floats:
    if column not in rows:
        return otherwise
    try:
        return np.array(rows[column], dtype=float)
    except ValueError as error:
        raise BadData(f"{file}: column {column!r} holds something that is no number ({error})") from error


def _splits(user: Whole) -> NDArray[np.str_]:
    """Per person in time order: the last fifth test, the tenth before it valid, the rest train."""
    split = np.full(len(user), "train", dtype="<U5")
    for rows in np.split(np.arange(len(user)), np.flatnonzero(np.diff(user)) + 1):
        test, valid = max(1, len(rows) // 5), max(1, len(rows) // 10)
        split[rows[-test:]] = "test"
        split[rows[-test - valid : -test]] = "valid"
    return split
