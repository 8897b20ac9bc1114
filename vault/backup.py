"""Copying a data directory while it is served: the main database, and apart from it the few shares that may be copied.

The shares of grants and sessions are in no copy, so that what was withdrawn cannot come back; those of unlockers and
of custody are in a copy of their own that is kept for a week (keys.md, Shares). The custodian is in none. Every copy
carries the list of deleted shares, read last: what was deleted while we copied stands on it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from vault import copies
from vault.copies import Copy
from vault.database import VERSION, hold
from vault.errors import BadBackup

KEPT: Final = timedelta(days=7)
COPIED: Final = ("custody", "unlock")
MAIN: Final = "kluis.db"
SHARES: Final = "shares.db"
DELETED: Final = "deleted.db"
PAGES: Final = 2048  # copied in one step: 8 MB
ROWS: Final = 20_000  # read in one step, for which the writer of the share store waits
STORE: Final = "CREATE TABLE share (kind TEXT, owner BLOB, part BLOB, pod BLOB, value BLOB)"
NEXT: Final = (
    "SELECT kind, owner, part, pod, value FROM share WHERE kind = ? AND (owner, part) > (?, ?)"
    " ORDER BY owner, part LIMIT ?"
)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Made:
    """What a backup gave: the two copies, and the names of the share copies that were past their week."""

    vault: Copy
    shares: Copy
    pruned: list[str]


def make(folder: Path, shares: Path, target: Path, now: datetime, progress: Progress) -> Made:
    """Copy the main database in `folder` and the share store in `shares` into `target`; the server may go on.

    The shares come second, so that every way in that the database knows has its share in the copy or on the list.
    `progress` is told pages done and pages in all. Raises BadBackup, Locked while another backup writes to `target`.
    """
    for name in (folder / MAIN, shares / SHARES, shares / DELETED):
        if not name.is_file():
            raise BadBackup(
                f"{name} is not there: name the data directory with --data, the share store in KLUIS_SHARES"
            )
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    with hold(target), _named():
        pruned = copies.prune(target, "shares", now - KEPT)  # at once, whatever becomes of this backup
        main = copies.put(target, "vault", now, partial(_main, folder, shares, progress))
        second = copies.put(target, "shares", now, partial(_shares, shares))
        return Made(main, second, pruned)


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BadBackup(f"the stores cannot be copied: {error}. `kluis fsck` tells more") from error


def _main(folder: Path, shares: Path, progress: Progress, part: Path) -> dict[str, Any]:
    """The main database in one snapshot: the reading transaction is open before the first page is copied."""
    with closing(sqlite3.connect(f"file:{folder / MAIN}?mode=ro", uri=True, timeout=30)) as source:
        source.execute("BEGIN")
        entries = source.execute("SELECT count(*) FROM entry").fetchone()[0]
        with closing(sqlite3.connect(part / MAIN)) as copy:
            source.backup(copy, pages=PAGES, progress=lambda _, left, total: progress(total - left, total))
            copy.execute("PRAGMA journal_mode=DELETE")
            head = copy.execute("SELECT max(first + size) FROM checkpoint").fetchone()[0]
            if copy.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise BadBackup(f"{folder / MAIN} is damaged: `kluis fsck` tells more; no backup made")
    _deleted(shares, part)
    return {"version": VERSION.decode(), "entries": entries, "checkpoint": head or 0}


def _shares(shares: Path, part: Path) -> dict[str, Any]:
    counts = dict.fromkeys(COPIED, 0)
    with closing(_store(shares / SHARES)) as source, closing(sqlite3.connect(part / SHARES)) as copy:
        copy.execute(STORE)
        for kind in COPIED:
            for rows in _pages(source, kind):
                counts[kind] += len(rows)
                copy.executemany("INSERT INTO share VALUES (?, ?, ?, ?, ?)", rows)
        copy.commit()
    _deleted(shares, part)
    return {"shares": counts}


def _pages(source: sqlite3.Connection, kind: str) -> Iterator[list[tuple[Any, ...]]]:
    """All shares of a kind, some at a time; between two steps the server may write."""
    after: tuple[bytes, bytes] = (b"", b"")
    while rows := source.execute(NEXT, (kind, *after, ROWS)).fetchall():
        yield rows
        after = rows[-1][1], rows[-1][2]


def _deleted(shares: Path, part: Path) -> None:
    with closing(_store(shares / DELETED)) as source, closing(sqlite3.connect(part / DELETED)) as copy:
        source.backup(copy)


def _store(path: Path) -> sqlite3.Connection:
    """Opened for writing, so that the journal of a killed server can be undone; this connection changes no row."""
    store = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=30)
    store.execute("PRAGMA query_only=ON")
    return store
