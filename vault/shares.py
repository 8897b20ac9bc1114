"""The share store: 32 random bytes per human secret, bearer secret or custodian wrap, in a file of its own.

`journal_mode=TRUNCATE`, `secure_delete=ON`, `synchronous=FULL`: a deleted share is gone from the file at once
(keys.md, Shares). The writer's thread owns the connection; `custody` alone is also read for control data.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from keys.secret import Share


@dataclass(frozen=True, slots=True)
class Want:
    """Names one share: kind grant (owner grant id, part compartment id), session, unlock or custody."""

    kind: str
    owner: bytes
    part: bytes = b""


@dataclass(frozen=True, slots=True)
class Drop:
    """Names shares to delete: all of an owner, or only one part."""

    kind: str
    owner: bytes
    part: bytes | None = None


class Shares:
    """Durable when a call returns; calls are serialised."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "shares.db"
        self._guard = threading.Lock()
        self.lookups = 0
        self._raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=TRUNCATE", "secure_delete=ON", "synchronous=FULL", "temp_store=MEMORY"):
            self._raw.execute(f"PRAGMA {pragma}")
        self._raw.execute(
            "CREATE TABLE IF NOT EXISTS share (kind TEXT, owner BLOB, part BLOB, pod BLOB, value BLOB,"
            " PRIMARY KEY (kind, owner, part)) WITHOUT ROWID"
        )
        path.chmod(0o600)

    def put(self, pod: bytes, shares: Iterable[tuple[Want, Share]]) -> None:
        """Store new shares of a pod; an existing one is never overwritten (sqlite3.IntegrityError)."""
        rows = [(w.kind, w.owner, w.part, pod, bytes(s.view())) for w, s in shares]
        with self._guard, self._whole():
            self._raw.executemany("INSERT INTO share VALUES (?, ?, ?, ?, ?)", rows)

    def take(self, pod: bytes, wants: Iterable[Want]) -> dict[Want, Share]:
        """Return the shares named, if they belong to this pod; a missing one is simply absent. One look-up."""
        wanted = list(wants)
        if not wanted:
            return {}
        match = " OR ".join("(kind = ? AND owner = ? AND part = ?)" for _ in wanted)
        params = [value for w in wanted for value in (w.kind, w.owner, w.part)]
        with self._guard:
            self.lookups += 1
            rows = self._raw.execute(
                f"SELECT kind, owner, part, value FROM share WHERE pod = ? AND ({match})",  # noqa: S608
                [pod, *params],
            ).fetchall()
        return {Want(kind, owner, part): Share(value) for kind, owner, part, value in rows}

    def drop(self, drops: Iterable[Drop]) -> int:
        """Delete shares and return how many there were."""
        with self._guard, self._whole():
            return sum(self._delete(drop) for drop in drops)

    def _delete(self, drop: Drop) -> int:
        where, params = "kind = ? AND owner = ?", [drop.kind, drop.owner]
        if drop.part is not None:
            where, params = where + " AND part = ?", [*params, drop.part]
        return self._raw.execute(f"DELETE FROM share WHERE {where}", params).rowcount  # noqa: S608

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """One transaction: all of it or nothing, and the connection is good for the next one."""
        self._raw.execute("BEGIN")
        try:
            yield
            self._raw.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._raw.execute("ROLLBACK")
            raise

    def count(self, kind: str, owner: bytes) -> int:
        """How many shares an owner still has."""
        with self._guard:
            found = self._raw.execute("SELECT count(*) FROM share WHERE kind = ? AND owner = ?", (kind, owner))
            return int(found.fetchone()[0])

    def owners(self, kind: str) -> set[bytes]:
        """Every owner of this kind of share, for the sweep at start."""
        with self._guard:
            return {row[0] for row in self._raw.execute("SELECT DISTINCT owner FROM share WHERE kind = ?", (kind,))}

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()
