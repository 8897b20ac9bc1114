"""Lists for an outside judge keep the protocol: no history, no test rows, nothing of a cold item."""

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recommender.errors import BadData
from recommender.evaluate import evaluate
from recommender.interactions import load
from tests.proof import figure


def write(path: Path, heading: str, rows: list[str]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join([heading, *rows]) + "\n")


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Two circles of readers, 60 items; evens and odds keep to themselves. Item 58 and 59 are cold."""
    rng = np.random.default_rng(1)
    rows = []
    for u in range(40):
        own = [i for i in range(58) if i % 2 == u % 2]
        for t, i in enumerate(rng.choice(own, 20, replace=False)):
            split = "train" if t < 14 else "valid" if t < 16 else "test"
            rows.append(f"{u},{i},{rng.integers(3, 6)},{t},{split},{'strong_test' if u < 6 else 'contributor'},0")
        rows.append(f"{u},{58 + u % 2},5,20,test,{'strong_test' if u < 6 else 'contributor'},1")
    write(tmp_path / "interactions.csv.gz", "u,i,r,t,split,role,cold", rows)
    items = [f"{i},{'Even zaken' if i % 2 == 0 else 'Oneffen wegen'} deel {i},Maker {i % 2}" for i in range(60)]
    write(tmp_path / "items.csv.gz", "item,title,authors", items)
    return tmp_path


def lists(path: Path) -> dict[str, list[str]]:
    with path.open(newline="") as file:
        return {u: line.split() for u, line in csv.reader(file)}


@pytest.mark.parametrize("protocol", ["weak", "strong"])
def test_readers_get_their_own_circle_and_nothing_they_know(books, tmp_path, protocol):
    people = evaluate(books, protocol, tmp_path / "out.csv")
    found = lists(tmp_path / "out.csv")
    assert len(found) == people == (40 if protocol == "weak" else 6)
    data = load(books)
    for u, best in found.items():
        known = {data.items[i] for i in data.item[(data.user == data.people.index(u)) & (data.split != "test")]}
        assert not known & set(best)
        assert len(best) == len(set(best))
        assert all(int(i) % 2 == int(u) % 2 for i in best[:5])


def test_cold_lists_hold_cold_items_only_and_use_their_wording(books, tmp_path):
    evaluate(books, "cold", tmp_path / "out.csv")
    for u, best in lists(tmp_path / "out.csv").items():
        assert best == (["58", "59"] if int(u) % 2 == 0 else ["59", "58"])


def changed(folder: Path, out: Path, protocol: str, change) -> bytes:
    with gzip.open(folder / "interactions.csv.gz", "rt") as file:
        heading, *rows = file.read().split()
    write(folder / "interactions.csv.gz", heading, [",".join(change(*row.split(","))) for row in rows])
    evaluate(folder, protocol, out)
    return out.read_bytes()


def test_what_people_read_later_changes_no_list(books, tmp_path):
    evaluate(books, "weak", tmp_path / "out.csv")
    before = (tmp_path / "out.csv").read_bytes()

    def otherwise(u, i, r, t, split, role, cold):
        return (u, i, "1" if split == "test" else r, t, split, role, cold)

    assert changed(books, tmp_path / "out.csv", "weak", otherwise) == before


def test_closed_ratings_and_times_are_not_used(books, tmp_path):
    evaluate(books, "weak", tmp_path / "open.csv")
    evaluate(books, "weak", tmp_path / "closed.csv", ["ratings", "times"])
    assert (tmp_path / "open.csv").read_bytes() != (tmp_path / "closed.csv").read_bytes()
    with gzip.open(books / "interactions.csv.gz", "rt") as file:
        heading, *rows = file.read().split()
    write(books / "interactions.csv.gz", heading, [",".join([*r.split(",")[:2], "4", *r.split(",")[3:]]) for r in rows])
    evaluate(books, "weak", tmp_path / "flat.csv", ["ratings", "times"])
    assert (tmp_path / "flat.csv").read_bytes() == (tmp_path / "closed.csv").read_bytes()


def test_a_set_without_ratings_times_splits_and_titles_still_gets_lists(books, tmp_path):
    with gzip.open(books / "interactions.csv.gz", "rt") as file:
        rows = [",".join(row.split(",")[:2]) for row in file.read().split()[1:]]
    write(books / "interactions.csv.gz", "u,i", rows)
    write(books / "items.csv.gz", "item", [str(i) for i in range(60)])
    assert evaluate(books, "weak", tmp_path / "out.csv") == 40
    with pytest.raises(BadData, match="'role'"):
        evaluate(books, "strong", tmp_path / "out.csv")


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("interactions.csv.gz", None, "no such file"),
        ("interactions.csv.gz", b"u,i\n1,2\n", "not a gzip CSV"),
        ("interactions.csv.gz", gzip.compress(b"u,x\n1,2\n", mtime=0), "no column 'i'"),
        ("interactions.csv.gz", gzip.compress(b"u,i\n", mtime=0), "no rows"),
        ("interactions.csv.gz", gzip.compress(b"u,i\n1,2\n1\n", mtime=0), "line 3"),
        ("interactions.csv.gz", gzip.compress(b"u,i,r\n1,2,good\n", mtime=0), "column 'r'"),
        ("interactions.csv.gz", gzip.compress(b"u,i\n1,2\n", mtime=0)[:-5], "not a gzip CSV"),
        ("items.csv.gz", None, "no such file"),
    ],
)
def test_a_bad_folder_is_one_line_that_says_why(books, tmp_path, file, content, why):
    (books / file).unlink()
    if content is not None:
        (books / file).write_bytes(content)
    with pytest.raises(BadData, match=why) as caught:
        evaluate(books, "weak", tmp_path / "out.csv")
    assert "\n" not in str(caught.value)


def test_the_command_says_what_is_wrong_and_exits_2(tmp_path):
    command = [sys.executable, "-m", "recommender", "evaluate", "--data", str(tmp_path / "no"), "--out", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "no such folder" in done.stderr


def test_the_books_set_reaches_the_bar(tmp_path):
    shared = os.environ.get("KLUIS_SHARED")
    if not shared:
        pytest.skip("KLUIS_SHARED is not set: the books data set is not here")
    data = Path(shared) / "data" / "books"
    evaluate(data, "weak", tmp_path / "lists.csv")
    judge = [sys.executable, str(Path(shared) / "tools" / "judge.py"), str(data), str(tmp_path / "lists.csv")]
    done = subprocess.run(judge, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    figure("H5", figures["ndcg20"])
    assert figures["ndcg20"] >= 0.1366
