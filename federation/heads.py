"""What a witness remembers: per log the checkpoint it cosigned last and its keys, in a small database of its own.

Durable before anything is answered, and one at a time: reading the last head, judging the new one against it and
storing it are one transaction, so that of two requests that race one sees what the other left (tlog-witness). If we
crash before the commit nobody was answered; after it the log learns the size by asking again.
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from federation.heirs import Heir
from federation.witness import Head
from keys.note import read_checkpoint, split

_TABLE = "CREATE TABLE IF NOT EXISTS head (place TEXT PRIMARY KEY, note TEXT NOT NULL) STRICT"
_HEIRS = """
CREATE TABLE IF NOT EXISTS heir (
host TEXT, giver BLOB, public BLOB NOT NULL, origin TEXT NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (host, giver)
) STRICT
"""
_LEARN = "INSERT OR IGNORE INTO heir (host, giver, public, origin, place) VALUES (?, ?, ?, ?, ?)"
_KEEP = "INSERT INTO head (place, note) VALUES (?, ?) ON CONFLICT (place) DO UPDATE SET note = excluded.note"


def place(origin: str) -> str:
    """The hex SHA-256 of a log's name, under which a witness shows its checkpoint (Monitor Retrieval Mechanism)."""
    return sha256(origin.encode()).hexdigest()


class Heads:
    """The heads of a witness; safe to use from several threads and, through the file's lock, several processes."""

    def __init__(self, folder: Path) -> None:
        """Open or make the database in a folder. Raises sqlite3.Error or OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._turn = threading.Lock()
        self._db = sqlite3.connect(folder / "witness.db", isolation_level=None, check_same_thread=False, timeout=5)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(_TABLE)
        self._db.execute(_HEIRS)

    def shown(self, at: str) -> str:
        """The note at a place with the cosignature that was given for it; "" if there is none."""
        with self._turn:
            return self._note(at)

    def _note(self, at: str) -> str:
        rows = self._db.execute("SELECT note FROM head WHERE place = ?", (at,)).fetchall()
        return str(rows[0][0]) if rows else ""

    def heirs(self, host: str, public: bytes) -> list[Heir]:
        """A key of a log and those it is known to have handed over to, one after the other."""
        found, ask = [Heir(public)], "SELECT public, origin, place FROM heir WHERE host = ? AND giver = ?"
        with self._turn:
            while row := self._db.execute(ask, (host, found[-1].public)).fetchone():
                if row[0] in {one.public for one in found}:
                    break
                found.append(Heir(*row))
        return found

    def move(self, origin: str, decide: Callable[[Head], str], chain: Sequence[Heir] = ()) -> str:
        """Give the last head to `decide` and store the note it returns; the note is durable when this returns.

        With it the keys of a chain, each handed over to by the one before. What `decide` raises is raised here and
        nothing was stored.
        """
        host = origin.partition("/log/")[0]
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                note = decide(_head(self._note(place(origin))))
                self._db.execute(_KEEP, (place(origin), note))
                for giver, heir in pairwise(chain):
                    self._db.execute(_LEARN, (host, giver.public, heir.public, heir.origin, heir.place))
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise
            return note

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            self._db.close()


def _head(note: str) -> Head:
    if not note:
        return Head()
    told = read_checkpoint(split(note)[0])
    return Head(told.size, told.root)
