"""Lists for an outside judge keep the protocol: no history, no test rows, nothing of a cold item."""

import csv
import gzip
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recommender.errors import BadData
from recommender.evaluate import Asked, evaluate
from recommender.interactions import load


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
    people = evaluate(books, tmp_path / "out.csv", Asked(protocol))
    found = lists(tmp_path / "out.csv")
    assert len(found) == people == (40 if protocol == "weak" else 6)
    data = load(books)
    for u, best in found.items():
        known = {data.items[i] for i in data.item[(data.user == data.people.index(u)) & (data.split != "test")]}
        assert not known & set(best)
        assert len(best) == len(set(best))
        assert all(int(i) % 2 == int(u) % 2 for i in best[:5])


def test_cold_lists_hold_cold_items_only_and_use_their_wording(books, tmp_path):
    evaluate(books, tmp_path / "out.csv", Asked("cold"))
    for u, best in lists(tmp_path / "out.csv").items():
        assert best == (["58", "59"] if int(u) % 2 == 0 else ["59", "58"])


def changed(folder: Path, out: Path, protocol: str, change, close=frozenset()) -> bytes:
    with gzip.open(folder / "interactions.csv.gz", "rt") as file:
        heading, *rows = file.read().split()
    write(folder / "interactions.csv.gz", heading, [",".join(change(*row.split(","))) for row in rows])
    evaluate(folder, out, Asked(protocol, close))
    return out.read_bytes()


def test_what_people_read_later_changes_no_list(books, tmp_path):
    evaluate(books, tmp_path / "out.csv", Asked())
    before = (tmp_path / "out.csv").read_bytes()

    def otherwise(u, i, r, t, split, role, cold):
        return (u, i, "1" if split == "test" else r, t, split, role, cold)

    assert changed(books, tmp_path / "out.csv", "weak", otherwise) == before


CLOSED = frozenset({"ratings", "times"})


def test_what_somebody_keeps_closed_changes_no_byte_of_a_list(books, tmp_path):
    """Of people who contribute nothing, closed ratings and times are used nowhere at all."""
    out = tmp_path / "out.csv"
    evaluate(books, out, Asked("strong"))
    opened = out.read_bytes()
    evaluate(books, out, Asked("strong", CLOSED))
    closed = out.read_bytes()
    assert closed != opened

    def otherwise(u, i, r, t, split, role, cold):
        mine = role == "strong_test"
        return (u, i, "1" if mine else r, str(999 - int(t)) if mine else t, split, role, cold)

    assert changed(books, out, "strong", otherwise, CLOSED) == closed
    evaluate(books, out, Asked("strong"))
    assert out.read_bytes() != opened


def test_a_set_without_ratings_times_splits_and_titles_still_gets_lists(books, tmp_path):
    with gzip.open(books / "interactions.csv.gz", "rt") as file:
        rows = [",".join(row.split(",")[:2]) for row in file.read().split()[1:]]
    write(books / "interactions.csv.gz", "u,i", rows)
    write(books / "items.csv.gz", "item", [str(i) for i in range(60)])
    assert evaluate(books, tmp_path / "out.csv", Asked()) == 40
    with pytest.raises(BadData, match="'role'"):
        evaluate(books, tmp_path / "out.csv", Asked("strong"))


@pytest.mark.parametrize("kept", ["u,i", "u,i,r", "u,i,t,split", "u,i,r,t,split,role,cold"])
@pytest.mark.parametrize("described", ["item", "item,title,authors"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_any_folder_of_the_form_gets_a_list_for_everybody(books, tmp_path, kept, described, suffix):
    rows = table(books / "interactions.csv.gz")
    for name, wanted in (("interactions.csv", kept), ("items.csv", described)):
        whole = table(books / f"{name}.gz")
        lines = [",".join(row[c] for c in wanted.split(",")) for row in whole]
        (books / f"{name}.gz").unlink()
        text = "\n".join([wanted, *lines]) + "\n"
        (books / f"{name}{suffix}").write_bytes(gzip.compress(text.encode()) if suffix else text.encode())
    evaluate(books, tmp_path / "out.csv", Asked(dial=3))
    assert set(lists(tmp_path / "out.csv")) == {row["u"] for row in rows}


def table(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt") as file:
        return list(csv.DictReader(file))


def test_somebody_without_any_history_gets_what_most_people_have_met(books, tmp_path):
    with gzip.open(books / "interactions.csv.gz", "rt") as file:
        heading, *rows = file.read().split()
    write(books / "interactions.csv.gz", heading, [*rows, "new,0,5,0,test,contributor,0"])
    evaluate(books, tmp_path / "out.csv", Asked())
    met = Counter(row.split(",")[1] for row in rows if row.split(",")[4] != "test")
    best = lists(tmp_path / "out.csv")["new"]
    assert [met[i] for i in best] == sorted((met[i] for i in best), reverse=True)
    assert met[best[0]] == max(met.values())


@pytest.mark.parametrize("ratings", [("0", "1"), ("2", "10"), ("20", "100"), ("7", "900")])
def test_ratings_on_any_scale_and_counts_give_lists(books, tmp_path, ratings):
    few, many = ratings

    def otherwise(u, i, r, t, split, role, cold):
        return (u, i, many if int(r) > 3 else few, t, split, role, cold)

    changed(books, tmp_path / "out.csv", "weak", otherwise)
    assert all(int(best[0]) % 2 == int(u) % 2 for u, best in lists(tmp_path / "out.csv").items())


def test_the_bar_and_hidden_rows_give_other_lists_that_still_hold_nothing_known(books, tmp_path):
    data, found = load(books), {}
    for name, asked in (("plain", Asked()), ("bar", Asked(model="bar")), ("hidden", Asked(hide=5))):
        evaluate(books, tmp_path / name, asked)
        found[name] = lists(tmp_path / name)
        for u, best in found[name].items():
            known = {data.items[i] for i in data.item[(data.user == data.people.index(u)) & (data.split != "test")]}
            assert not known & set(best)
    assert found["plain"] != found["bar"] and found["plain"] != found["hidden"]


def test_the_same_set_gives_the_same_bytes(books, tmp_path):
    for name in ("once", "again"):
        evaluate(books, tmp_path / name, Asked(dial=2))
    assert (tmp_path / "once").read_bytes() == (tmp_path / "again").read_bytes()


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (Asked("odd"), "unknown protocol 'odd'"),
        (Asked(model="odd"), "unknown model 'odd'"),
        (Asked(close=frozenset({"odd"})), "cannot close 'odd'"),
        (Asked(dial=4), "the dial goes from 0 to 3"),
        (Asked(hide=-1), "0 or more"),
        (Asked(epsilon=-1), "epsilon"),
    ],
)
def test_what_cannot_be_asked_is_one_line_that_says_why(books, tmp_path, asked, why):
    with pytest.raises(BadData, match=why):
        evaluate(books, tmp_path / "out.csv", asked)


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
        evaluate(books, tmp_path / "out.csv", Asked())
    assert "\n" not in str(caught.value)


def test_the_command_says_what_is_wrong_and_exits_2(tmp_path):
    command = [sys.executable, "-m", "recommender", "evaluate", "--data", str(tmp_path / "no"), "--out", "x"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "no such folder" in done.stderr
