"""The log's own time: it never goes back, whatever the machine's clock does (access-log.md, Order).

Order comes from the index; the time in a record is the machine's, or the last one written if that is later. A clock
that went back by more than a request can take, or forward by days, is flagged in the record. The last time lies in the
database, so it holds across a restart.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from vault.database import Tx
from vault.gates import DAY_MS
from vault.tables import Meta

BEHIND: Final = 10_000  # milliseconds: requests under way at once come out of order by less
AHEAD: Final = 2 * DAY_MS
LAST = "SELECT value FROM meta WHERE key = 'time'"
KEEP = """
INSERT INTO meta (key, value) VALUES ('time', :at) ON CONFLICT (key) DO UPDATE SET value = :at
"""


class Times:
    """Used by the writer's thread alone."""

    def __init__(self) -> None:
        self._last: int | None = None

    def take(self, tx: Tx, at: int) -> tuple[int, str]:
        """The moment (ms) under which an entry is written at `at`, and its flag: "", "behind" or "ahead"."""
        last = latest(tx) if self._last is None else self._last
        if last is None or at > last:
            tx.run(KEEP, at=at.to_bytes(8, "big"))
            self._last = at
            return at, "ahead" if last is not None and at - last > AHEAD else ""
        self._last = last
        return last, "behind" if last - at > BEHIND else ""

    def due(self, tx: Tx, at: int) -> tuple[int, bool]:
        """The moment that `take` will give, and whether it is a new one, which `take` then writes down."""
        last = latest(tx) if self._last is None else self._last
        return (at, True) if last is None or at > last else (last, False)

    def forget(self) -> None:
        """What was remembered was not written: read it again."""
        self._last = None


def latest(tx: Tx) -> int | None:
    """The log's last moment (ms); None before its first entry."""
    row = tx.get(Meta, "time")
    return None if row is None else int.from_bytes(row.value, "big")


def last_in(folder: Path) -> datetime | None:
    """The log's last moment in a data directory that is not open; None where there is no log."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'kluis.db'}?mode=ro", uri=True)) as db:
            rows = db.execute(LAST).fetchall()
    except sqlite3.Error:
        return None  # who opens it says what is wrong with it
    return datetime.fromtimestamp(int.from_bytes(rows[0][0], "big") / 1000, UTC) if rows else None
