"""The share store: 32 random bytes per human secret, bearer secret or custodian wrap, in a file of its own.

`journal_mode=TRUNCATE`, `secure_delete=ON`, `synchronous=FULL`: a deleted share is gone from the file at once
(keys.md, Shares). The writer's thread owns the connection; `custody` alone is also read for control data.

Beside it lies `deleted.db`, the ids of every share that was deleted for good, written in the same transaction. No
restore replaces that file: a share store put back from a backup is swept against it when it is opened.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from keys.secret import Share

LIST = "INSERT OR IGNORE INTO gone.deleted SELECT kind, owner, part FROM share"
MARK = "INSERT OR IGNORE INTO gone.deleted VALUES (?, ?, ?)"
NARROWED = "narrowed"
_TRANSACTION = ("BEGIN", "COMMIT", ("ROLLBACK",))
_PART = ("SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part"))


@dataclass(frozen=True, slots=True)
class Want:
    """Names one share: kind grant (owner grant id, part compartment id), session, unlock or custody."""

    kind: str
    owner: bytes
    part: bytes = b""


@dataclass(frozen=True, slots=True)
class Drop:
    """Names shares to delete: all of an owner, or only one part; of the kind `*`, all of a pod.

    A grant that is dropped whole ended, also if it had no share; one of the kind `narrowed` has no version before
    `part` any more (8 bytes). Both stay on the list, for no share tells it of what opens without one.
    """

    kind: str
    owner: bytes
    part: bytes | None = None

    def where(self) -> tuple[str, list[str | bytes]]:
        """The condition on the rows of the store."""
        if self.kind == "*":
            return "pod = ?", [self.owner]
        if self.part is None:
            return "kind = ? AND owner = ?", [self.kind, self.owner]
        return "kind = ? AND owner = ? AND part = ?", [self.kind, self.owner, self.part]

    def marks(self) -> list[tuple[str, bytes, bytes]]:
        """What the list remembers of it beside the shares there were."""
        if self.kind == NARROWED or (self.kind == "grant" and self.part is None):
            return [(self.kind, self.owner, self.part or b"")]
        return []


def narrowed(grant: bytes, version: int) -> Drop:
    """That a grant has no version before this one any more: an old copy of the database does not bring one back."""
    return Drop(NARROWED, grant, version.to_bytes(8, "big"))


class Shares:
    """Durable when a call returns; calls are serialised."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "shares.db"
        self._guard = threading.RLock()
        self._joint = False
        self.lookups = 0
        self._raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=TRUNCATE", "secure_delete=ON", "synchronous=FULL", "temp_store=MEMORY"):
            self._raw.execute(f"PRAGMA {pragma}")
        self._raw.execute(
            "CREATE TABLE IF NOT EXISTS share (kind TEXT, owner BLOB, part BLOB, pod BLOB, value BLOB,"
            " PRIMARY KEY (kind, owner, part)) WITHOUT ROWID"
        )
        self._remember(folder / "deleted.db")
        path.chmod(0o600)

    def _remember(self, path: Path) -> None:
        """Open the list of deleted shares and delete what came back in spite of it."""
        self._raw.execute("ATTACH ? AS gone", (str(path),))
        for pragma in ("journal_mode=TRUNCATE", "synchronous=FULL"):
            self._raw.execute(f"PRAGMA gone.{pragma}")
        self._raw.execute(
            "CREATE TABLE IF NOT EXISTS gone.deleted (kind TEXT, owner BLOB, part BLOB,"
            " PRIMARY KEY (kind, owner, part)) WITHOUT ROWID"
        )
        path.chmod(0o600)
        self._raw.execute("DELETE FROM share WHERE (kind, owner, part) IN (SELECT kind, owner, part FROM gone.deleted)")

    def put(self, pod: bytes, shares: Iterable[tuple[Want, Share]]) -> None:
        """Store new shares of a pod; an existing or deleted one never comes back (sqlite3.IntegrityError)."""
        rows = [(w.kind, w.owner, w.part, pod, bytes(s.view())) for w, s in shares]
        with self._guard, self._whole():
            if any(self._deleted(*row[:3]) for row in rows):
                raise sqlite3.IntegrityError("a share that was deleted")
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

    def drop(self, drops: Iterable[Drop], *, remember: bool = True) -> int:
        """Delete shares for good and return how many there were. `remember` False undoes a `put` that came to nothing.

        Ids of sessions are not remembered: they end by themselves within hours.
        """
        with self._guard, self._whole():
            return sum(self._delete(drop, remember=remember) for drop in drops)

    def _delete(self, drop: Drop, *, remember: bool) -> int:
        where, params = drop.where()
        if remember:
            self._raw.execute(f"{LIST} WHERE kind <> 'session' AND {where}", params)
            self._raw.executemany(MARK, drop.marks())
        return self._raw.execute(f"DELETE FROM share WHERE {where}", params).rowcount  # noqa: S608

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make everything inside durable at once when the block ends, or nothing of it; each call inside still is all
        or nothing by itself. An sqlite3.OperationalError inside or at the end: nothing of it is there.
        """
        with self._guard:
            self._raw.execute("BEGIN")
            self._joint = True
            try:
                yield
                self._raw.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._raw.execute("ROLLBACK")
                raise
            finally:
                self._joint = False

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """One transaction, or a part of one that stands: all of it or nothing, and the connection is good for more."""
        if self._joint and not self._raw.in_transaction:
            raise sqlite3.OperationalError("a full disk undid all of it")
        begin, end, undo = _PART if self._joint else _TRANSACTION
        self._raw.execute(begin)
        try:
            yield
            self._raw.execute(end)
        except BaseException:
            with suppress(sqlite3.Error):
                for step in undo:
                    self._raw.execute(step)
            raise

    def deleted(self, want: Want) -> bool:
        """Whether this share was deleted for good."""
        with self._guard:
            return self._deleted(want.kind, want.owner, want.part)

    def deleted_owners(self, kind: str, part: bytes | None = None) -> set[bytes]:
        """Every owner of a share of this kind, or of this one `part` of it, that was deleted for good."""
        with self._guard:
            found = self._raw.execute(
                "SELECT DISTINCT owner FROM gone.deleted WHERE kind = ?1 AND (?2 IS NULL OR part = ?2)", (kind, part)
            )
            return {row[0] for row in found}

    def narrowed(self) -> dict[bytes, int]:
        """The oldest version that may still count of every grant that was narrowed."""
        with self._guard:
            found = self._raw.execute(
                "SELECT owner, max(part) FROM gone.deleted WHERE kind = ? GROUP BY owner", (NARROWED,)
            )
            return {owner: int.from_bytes(part, "big") for owner, part in found}

    def _deleted(self, kind: str, owner: bytes, part: bytes) -> bool:
        found = self._raw.execute(
            "SELECT 1 FROM gone.deleted WHERE kind = ? AND owner = ? AND part = ?", (kind, owner, part)
        )
        return found.fetchone() is not None

    def count(self, kind: str, owner: bytes) -> int:
        """How many shares an owner still has."""
        with self._guard:
            found = self._raw.execute("SELECT count(*) FROM share WHERE kind = ? AND owner = ?", (kind, owner))
            return int(found.fetchone()[0])

    def owners(self, kind: str) -> set[bytes]:
        """Every owner of this kind of share, for the sweep at start."""
        with self._guard:
            return {row[0] for row in self._raw.execute("SELECT DISTINCT owner FROM share WHERE kind = ?", (kind,))}

    def homes(self, kind: str) -> dict[bytes, bytes]:
        """The pod of every owner of this kind of share."""
        with self._guard:
            return dict(self._raw.execute("SELECT DISTINCT owner, pod FROM share WHERE kind = ?", (kind,)).fetchall())

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()
