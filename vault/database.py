"""One engine, one writer, group commit.

Ownership: a single thread owns the writing connection and the share store. Everybody hands it *units*; it takes
whatever waits (at most 256), gives each its own SAVEPOINT inside one `BEGIN IMMEDIATE`, commits once with
`synchronous=FULL`, and only then answers. Readers use a read-only connection on the event loop's thread.

If we crash before COMMIT nothing of the batch exists and nobody was answered; after COMMIT everything exists, and
what was to follow (share deletions) is repeated at the next start by `vault.start`.
"""

import asyncio
import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO, TypeVar

from sqlmodel import SQLModel, create_engine

from vault.errors import Locked, LogUnavailable, WrongVersion

VERSION = b"3"
BATCH = 256
T = TypeVar("T")
Row = TypeVar("Row", bound=SQLModel)


@cache
def _columns(table: type[SQLModel]) -> tuple[str, tuple[str, ...]]:
    meta = SQLModel.metadata.tables[str(table.__tablename__)]
    return meta.name, tuple(column.name for column in meta.columns)


@cache
def _insert(table: type[SQLModel]) -> str:
    name, columns = _columns(table)
    return f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join(':' + c for c in columns)})"  # noqa: S608


@cache
def _select(table: type[SQLModel], keys: tuple[str, ...], order_by: str | None) -> str:
    name, columns = _columns(table)
    where = " AND ".join(f"{k} = :{k}" for k in keys) or "1"
    order = f" ORDER BY {order_by}" if order_by else ""
    return f"SELECT {', '.join(columns)} FROM {name} WHERE {where}{order}"  # noqa: S608


def tables_with(column: str) -> list[str]:
    """Every table of every floor that has a column of this name."""
    return sorted(name for name, table in SQLModel.metadata.tables.items() if column in table.columns)


class Tx:
    """A connection as rules see it: rows in, rows out. Names come from the table metadata, values are always bound."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    def run(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        """Run one fixed statement and return all its rows."""
        return self.raw.execute(sql, params).fetchall()

    def get(self, table: type[Row], *key: Any) -> Row | None:
        """Return the row with this primary key, or None."""
        names = [column.name for column in SQLModel.metadata.tables[str(table.__tablename__)].primary_key]
        rows = self.find(table, **dict(zip(names, key, strict=True)))
        return rows[0] if rows else None

    def find(self, table: type[Row], order_by: str | None = None, **equals: Any) -> list[Row]:
        """Return the rows whose columns equal the given values."""
        _, columns = _columns(table)
        rows = self.raw.execute(_select(table, tuple(equals), order_by), equals)
        return [table(**dict(zip(columns, row, strict=True))) for row in rows]

    def add(self, row: SQLModel) -> None:
        """Insert a row; sqlite3.IntegrityError if its key exists."""
        _, columns = _columns(type(row))
        self.raw.execute(_insert(type(row)), {c: getattr(row, c) for c in columns})

    def change(self, table: type[SQLModel], where: dict[str, Any], **values: Any) -> int:
        """Set values on the rows that match; return how many there were."""
        name, _ = _columns(table)
        assigned = ", ".join(f"{k} = :{k}" for k in values)
        matched = " AND ".join(f"{k} = :w_{k}" for k in where)
        params = values | {f"w_{k}": v for k, v in where.items()}
        return self.raw.execute(f"UPDATE {name} SET {assigned} WHERE {matched}", params).rowcount  # noqa: S608

    def remove(self, table: type[SQLModel], **equals: Any) -> int:
        """Delete the rows that match; return how many there were."""
        name, _ = _columns(table)
        matched = " AND ".join(f"{k} = :{k}" for k in equals)
        return self.raw.execute(f"DELETE FROM {name} WHERE {matched}", equals).rowcount  # noqa: S608

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo everything inside when an exception leaves the block."""
        self.raw.execute("SAVEPOINT inner")
        try:
            yield
        except BaseException:
            self.raw.execute("ROLLBACK TO inner")
            self.raw.execute("RELEASE inner")
            raise
        self.raw.execute("RELEASE inner")


@dataclass
class Job:
    """One unit on its way through the writer: `first` before the transaction, `unit` in it, `then` after its commit."""

    unit: Callable[[Tx], Any]
    answer: Callable[[Any, BaseException | None], None]
    first: Callable[[], None] | None = None
    then: Callable[[Any], Any] | None = None
    undo: Callable[[], None] | None = None
    begun: bool = False
    result: Any = None
    error: BaseException | None = None


class Database:
    """The main database of a data directory.

    Durable: `write` answers after the commit has reached the disk. One process: a second one is refused (Locked).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _hold(folder / "lock")
        self.path = folder / "kluis.db"
        self._prepare()
        self.read = Tx(_connect(self.path, read_only=True))
        self.queued = 0
        self.broken: Exception | None = None
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._ready = threading.Event()
        self._thread.start()
        self._ready.wait()

    def _prepare(self) -> None:
        fresh = not self.path.exists()
        engine = create_engine(f"sqlite:///{self.path}")
        with engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            if not fresh:
                self._same_version(connection.exec_driver_sql)
            SQLModel.metadata.create_all(connection)
            connection.exec_driver_sql("INSERT OR IGNORE INTO meta (key, value) VALUES ('version', ?)", (VERSION,))
        engine.dispose()
        self.path.chmod(0o600)

    def _same_version(self, execute: Callable[..., Any]) -> None:
        try:
            rows = execute("SELECT value FROM meta WHERE key = 'version'").fetchall()
        except Exception as e:
            raise WrongVersion(f"{self.path} is not a Kluis database") from e
        if rows and bytes(rows[0][0]) != VERSION:
            found = bytes(rows[0][0]).decode(errors="replace")
            raise WrongVersion(f"{self.path} has version {found}, this Kluis reads {VERSION.decode()}")

    async def write(self, unit: Callable[[Tx], T]) -> T:
        """Run a unit in the next group commit; an exception undoes this unit only and is raised here."""
        result: T = await self.submit(unit)
        return result

    def now(self, unit: Callable[[Tx], T]) -> T:
        """Run a unit and wait for its commit, without an event loop: for the start of a process."""
        done: SimpleQueue[tuple[T, BaseException | None]] = SimpleQueue()
        self._queue.put(Job(unit, lambda result, error: done.put((result, error))))
        result, error = done.get()
        if error is not None:
            raise error
        return result

    def submit(
        self,
        unit: Callable[[Tx], Any],
        first: Callable[[], None] | None = None,
        then: Callable[[Any], Any] | None = None,
        undo: Callable[[], None] | None = None,
    ) -> asyncio.Future[Any]:
        """Queue a unit with its companions and return a future of the running loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self.queued += 1
        self._queue.put(Job(unit, lambda r, e: _hand(loop, settle, r, e), first, then, undo))
        return future

    def close(self) -> None:
        """Finish what is queued and let go of the directory."""
        self._queue.put(None)
        self._thread.join()
        self.read.raw.close()
        self._lock.close()

    def _work(self) -> None:
        tx = Tx(_connect(self.path))
        self._ready.set()
        while (job := self._queue.get()) is not None:
            batch = [job]
            while len(batch) < BATCH and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            self._serve(tx, batch)
        tx.raw.close()

    def _serve(self, tx: Tx, batch: list[Job]) -> None:
        """Commit a batch and answer every job in it, whatever happens: nobody waits for ever."""
        try:
            if self.broken is None:
                self._commit(tx, batch)
        except Exception as e:  # noqa: BLE001 -- not even undone: this process must not write again
            self.broken = e
        for job in batch:
            if self.broken is not None:
                job.error = LogUnavailable(f"the writer stopped: {self.broken}")
            else:
                _follow(job)
            job.answer(job.result, job.error)

    def _commit(self, tx: Tx, batch: list[Job]) -> None:
        try:
            ready = [job for job in batch if _prepare(job)]
            tx.raw.execute("BEGIN IMMEDIATE")
            for job in ready:
                _attempt(tx, job)
            tx.raw.execute("COMMIT")
        except Exception as e:  # noqa: BLE001 -- disk full, log not writable: nothing of the batch exists
            _abandon(tx, batch, e)


def _abandon(tx: Tx, batch: list[Job], why: Exception) -> None:
    if tx.raw.in_transaction:
        tx.raw.execute("ROLLBACK")
    for job in batch:
        job.error = LogUnavailable(f"not written: {why}")
        _undo(job)


def _prepare(job: Job) -> bool:
    """Do what comes before the transaction; a fault there is this job's alone."""
    try:
        if job.first:
            job.first()
    except Exception as e:  # noqa: BLE001 -- told to its caller
        job.error = _told(e)
        return False
    job.begun = True
    return True


def _attempt(tx: Tx, job: Job) -> None:
    tx.raw.execute("SAVEPOINT unit")
    try:
        job.result = job.unit(tx)
    except sqlite3.OperationalError:
        raise
    except Exception as e:  # noqa: BLE001 -- one unit's fault is its caller's alone
        job.error = e
        tx.raw.execute("ROLLBACK TO unit")
        _undo(job)
    tx.raw.execute("RELEASE unit")


def _undo(job: Job) -> None:
    """Take back what came before the transaction; what cannot be taken back is swept at the next start."""
    if job.undo and job.begun:
        with suppress(Exception):
            job.undo()


def _follow(job: Job) -> None:
    if job.error is None and job.then:
        try:
            job.result = job.then(job.result)
        except Exception as e:  # noqa: BLE001 -- told to its caller
            job.error = _told(e)


def _told(error: Exception) -> Exception:
    """A fault of the share store's file is the same to a caller as one of the main database's."""
    return LogUnavailable(f"the share store failed: {error}") if isinstance(error, sqlite3.Error) else error


def _hand(
    loop: asyncio.AbstractEventLoop, settle: Callable[..., None], result: Any, error: BaseException | None
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(settle, result, error)


def free(folder: Path) -> None:
    """See that no process works in this directory; one that does not exist is free. Raises Locked."""
    if folder.exists():
        _hold(folder / "lock").close()


def _hold(path: Path) -> TextIO:
    handle = path.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        handle.close()
        raise Locked(f"another process works in {path.parent}; stop it first") from e
    return handle


def _connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    raw.execute("PRAGMA busy_timeout=5000")
    raw.execute("PRAGMA temp_store=MEMORY")
    if read_only:
        raw.execute("PRAGMA query_only=ON")
    return raw
