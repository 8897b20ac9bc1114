"""A fault at any statement of a batch: what was answered is on disk, and what is not on disk was answered to nobody."""

import asyncio
import sqlite3
import threading
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from tests.conftest import Clock
from tests.consent.test_report import READ
from tests.log.test_page import GATE, a_pod, append, sound
from tests.vault.test_fsck import two_ways_in
from vault import gates, pod as pods
from vault.database import Tx
from vault.log.entry import Appended, Facts, Guard, Intent
from vault.tables import Meta, Record
from vault.vault import Vault

FAULTS = [MemoryError, sqlite3.DatabaseError, sqlite3.OperationalError]


class Faulty:
    """A connection whose statement number `at` fails."""

    def __init__(self, raw: sqlite3.Connection, at: int, fault: type[Exception]) -> None:
        self._raw, self._at, self._fault, self.said = raw, at, fault, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def _next(self, sql: str) -> None:
        if sql.startswith(("ROLLBACK", "RELEASE")):  # what undoes does not fail
            return
        self.said += 1
        if self.said == self._at:
            raise self._fault("for the test")

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._next(sql)
        return self._raw.execute(sql, *values)

    def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
        self._next(sql)
        return self._raw.executemany(sql, *values)


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_fails_in_a_batch_what_was_answered_is_there(
    vault: Vault, clock: Clock, fault: type[Exception]
) -> None:
    await pods.found_office(vault, two_ways_in(), clock())
    one, two = await a_pod(vault, "an", clock), await a_pod(vault, "bo", clock)
    await vault.db.write(lambda tx: gates.create(tx, GATE, one, gates.ms(clock()) + 10**9))
    number = count()
    tx: Tx = await vault.db.write(lambda tx: tx)
    raw = tx.raw

    def stores(tx: Tx) -> Facts:
        tx.add(Meta(key=f"stored {next(number)}", value=b"1"))
        return replace(READ, note="stored")

    for at in count(1):
        plain, gated = Intent(one, READ, clock()), Intent(one, READ, clock(), (Guard(GATE, 1, use=True),))
        units = [plain, gated, Intent(two, READ, clock()), plain._replace(write=stores), plain,
                 gated._replace(jti=b"j" * 32, jti_until=1), Intent(two, READ, clock()), plain]  # fmt: skip
        calls = [append(vault, unit) for unit in units]
        gate = threading.Event()
        hold = vault.db.submit(lambda _, gate=gate: gate.wait(10))
        waiting = [asyncio.ensure_future(call()) for call in calls]
        await asyncio.sleep(0)
        tx.raw = faulty = Faulty(raw, at, fault)  # type: ignore[assignment]
        gate.set()
        done = await asyncio.gather(hold, *waiting, return_exceptions=True)
        tx.raw = raw
        for told in done:
            if isinstance(told, Appended):
                row = vault.db.read.get(Record, told.index)
                assert row is not None and row.entry == told.entry, f"statement {at}"
        assert vault.db.broken is None
        if faulty.said < at:
            break
        clock.forward(seconds=1)
    sound(vault)
