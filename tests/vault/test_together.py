"""What several units do in the share store before one commit reaches the disk at once, and each still stands alone."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from keys.secret import Share
from vault.database import Database
from vault.errors import LogUnavailable
from vault.shares import Shares, Want

POD = b"p" * 16


def owner(number: int) -> bytes:
    return bytes([number]) * 16


class Counted:
    """A share store that counts what reaches its disk."""

    def __init__(self, folder: Path) -> None:
        self.shares, self.commits = Shares(folder / "shares"), 0
        self.shares._raw.set_trace_callback(self._seen)

    def _seen(self, statement: str) -> None:
        self.commits += statement.startswith("COMMIT")

    def put(self, number: int) -> None:
        self.shares.put(POD, [(Want("custody", owner(number)), Share.fresh())])

    def held(self) -> set[int]:
        return {one[0] for one in self.shares.owners("custody")}


async def batch(db: Database, jobs: list[Any]) -> list[Any]:
    """Submit while the writer is busy, so that all of it is one batch."""
    going = [db.submit(lambda tx: None, first=job) for job in jobs]
    return await asyncio.gather(*going, return_exceptions=True)


@pytest.fixture
def db(tmp_path: Path) -> Any:
    made = Database(tmp_path / "d")
    yield made
    made.close()


async def test_shares_of_many_units_reach_the_disk_with_fewer_waits(db: Database, tmp_path: Path) -> None:
    store = Counted(tmp_path)
    db.together = store.shares.together
    done = await batch(db, [lambda number=number: store.put(number) for number in range(40)])
    assert done == [None] * 40 and store.held() == set(range(40))
    assert store.commits < 20


async def test_one_that_may_not_be_stored_is_refused_alone(db: Database, tmp_path: Path) -> None:
    store = Counted(tmp_path)
    db.together = store.shares.together
    store.put(7)
    done = await batch(db, [lambda number=number: store.put(number) for number in range(20)])
    refused = [number for number, one in enumerate(done) if isinstance(one, LogUnavailable)]
    assert refused == [7] and store.held() == set(range(20))


async def test_if_it_cannot_be_done_at_once_each_is_tried_by_itself(db: Database, tmp_path: Path) -> None:
    store, tried = Counted(tmp_path), list[int]()
    db.together = store.shares.together

    def put(number: int) -> None:
        tried.append(number)
        if number == 3:
            raise sqlite3.OperationalError("database or disk is full")
        store.put(number)

    done = await batch(db, [lambda number=number: put(number) for number in range(10)])
    assert [isinstance(one, LogUnavailable) for one in done] == [number == 3 for number in range(10)]
    assert store.held() == set(range(10)) - {3}
    assert len(tried) > 10  # what was undone together was done again


def test_together_is_all_or_nothing(tmp_path: Path) -> None:
    store = Counted(tmp_path)

    def fails() -> None:
        with store.shares.together():
            store.put(1)
            raise sqlite3.OperationalError("full")

    with pytest.raises(sqlite3.OperationalError):
        fails()
    assert store.held() == set()
    with store.shares.together():
        store.put(1)
        with pytest.raises(sqlite3.IntegrityError):
            store.put(1)
        store.put(2)
    assert store.held() == {1, 2}
