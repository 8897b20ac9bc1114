"""Lists for the set `books` and what the outside judge makes of them; the judge runs as a program of its own."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
INTERVAL = 1.96


@dataclass(frozen=True)
class Judged:
    """The means that the judge printed, and NDCG at 20 and the like of each person."""

    means: dict[str, float]
    people: dict[str, dict[str, str]]

    def above(self, other: "Judged", column: str = "ndcg20") -> tuple[float, float]:
        """Mean and half width of the paired 95 % interval of the difference."""
        both = [u for u in self.people if u in other.people]
        gap = np.array([float(self.people[u][column]) - float(other.people[u][column]) for u in both])
        return float(gap.mean()), float(INTERVAL * gap.std(ddof=1) / np.sqrt(len(gap)))


def books() -> tuple[Path, Path]:
    """The data set and the judge; skips where they are not."""
    shared = os.environ.get("KLUIS_SHARED")
    if not shared:
        pytest.skip("KLUIS_SHARED is not set: the books data set and the judge are not here")
    data, judge = Path(shared) / "data" / "books", Path(shared) / "tools" / "judge.py"
    if not (data.is_dir() and judge.is_file()):
        pytest.skip(f"{shared} has no books data set or no judge")
    return data, judge


def judged(folder: Path, *options: str, protocol: str = "weak") -> Judged:
    """Run `evaluate` and then the judge on its lists."""
    data, judge = books()
    lists, table = folder / "lists.csv", folder / "people.csv"
    made = ["-m", "recommender", "evaluate", "--data", str(data), "--protocol", protocol, "--out", str(lists), *options]
    subprocess.run([sys.executable, *made], check=True, capture_output=True, env=os.environ | ONE)
    told = [str(judge), str(data), str(lists), "--protocol", protocol, "--per-person", str(table)]
    done = subprocess.run([sys.executable, *told], check=True, capture_output=True, text=True, env=os.environ | ONE)
    with table.open(newline="") as file:
        people = {row["u"]: row for row in csv.DictReader(file)}
    return Judged(json.loads(done.stdout), people)
