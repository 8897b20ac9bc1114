"""One engine, one writer, group commit.

Ownership: a single thread owns the writing connection and the share store. Everybody hands it *units*; it takes
whatever waits (at most 256), keeps each apart from the others inside one `BEGIN IMMEDIATE`, commits once with
`synchronous=FULL`, and only then answers. Readers use a read-only connection on the event loop's thread.

If we crash before COMMIT nothing of the batch exists and nobody was answered; after COMMIT everything exists, and
what was to follow (share deletions) is repeated at the next start by `vault.start`.
"""

import asyncio
import fcntl
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from functools import cache
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol, TextIO, TypeVar

from sqlmodel import SQLModel, create_engine

from vault.batch import Job, Together, answer, committed, follow
from vault.errors import Forked, Locked, LogUnavailable, WrongVersion
from vault.news import News
from vault.reserve import Reserve, is_full

VERSION = b"5"
BATCH = 256
MANY = 32  # rows that one statement inserts
WAIT = 0.002  # seconds: the longest group-commit wait; who asks alone never waits
NOBODY = 2**62  # more than ever wait
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
def _insert_rows(table: type[SQLModel], rows: int) -> str:
    name, columns = _columns(table)
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {name} ({', '.join(columns)}) VALUES {', '.join([row] * rows)}"  # noqa: S608


@cache
def _select(table: type[SQLModel], keys: tuple[str, ...], order_by: str | None) -> str:
    name, columns = _columns(table)
    where = " AND ".join(f"{k} = :{k}" for k in keys) or "1"
    order = f" ORDER BY {order_by}" if order_by else ""
    return f"SELECT {', '.join(columns)} FROM {name} WHERE {where}{order}"  # noqa: S608


def bare(table: type[Row], **values: Any) -> Row:
    """A row as a plain value, to be added and never changed: fifty times cheaper than one that watches its columns."""
    made = object.__new__(table)
    vars(made).update(values)
    return made


def tables_with(column: str) -> list[str]:
    """Every table of every floor that has a column of this name."""
    return sorted(name for name, table in SQLModel.metadata.tables.items() if column in table.columns)


class Held(Protocol):
    """What some unit of a batch holds back, to write it together with that of others."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""

    def write(self) -> None:
        """Write all of it."""


class Tx:
    """A connection as rules see it: rows in, rows out. Names come from the table metadata, values are always bound."""

    wake = False
    """Set by a unit that wrote what somebody waits for (`Database.wake`)."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self.held: Held | None = None
        self.shut: set[bytes] = set()  # gates, pods and apps whose access a unit changed

    def settle(self) -> None:
        """Write what is held back: before anybody looks for it, and before the commit.

        What could not be written stays held, so that a commit that lacks it fails as well, whoever's turn it was.
        """
        if self.held is not None:
            self.held.write()
            self.held = None

    def lapse(self) -> None:
        """A unit failed that may have begun to hold something back; what others hold stays."""
        if self.held is not None and self.held.empty:
            self.held = None

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

    def add_all(self, rows: Iterable[SQLModel]) -> None:
        """Insert rows of any tables; those of one table go in together. sqlite3.IntegrityError if a key exists."""
        tables: dict[type[SQLModel], list[tuple[Any, ...]]] = {}
        for row in rows:
            _, columns = _columns(type(row))
            tables.setdefault(type(row), []).append(tuple([getattr(row, column) for column in columns]))
        for table, listed in tables.items():
            self.insert_all(table, listed)

    def insert(self, table: type[SQLModel], **values: Any) -> None:
        """Insert a row by all its columns: what `add` does, without building the row first."""
        self.raw.execute(_insert(table), values)

    def insert_all(self, table: type[SQLModel], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, each given as the values of all its columns in their order."""
        whole = len(rows) - len(rows) % MANY
        for at in range(0, whole, MANY):
            self.raw.execute(_insert_rows(table, MANY), list(chain.from_iterable(rows[at : at + MANY])))
        if whole < len(rows):
            self.raw.executemany(_insert_rows(table, 1), rows[whole:])

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
            if self.raw.in_transaction:  # a full disk undoes all of it
                self.raw.execute("ROLLBACK TO inner")
                self.raw.execute("RELEASE inner")
            raise
        self.raw.execute("RELEASE inner")


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
        self.reserve = Reserve(folder)
        self.queued = 0
        self._awaited, self._come = NOBODY, threading.Event()
        self.broken: Exception | None = None
        self.wake: Callable[[], None] = lambda: None
        """Called in the writer's thread after the commit of a unit that set `Tx.wake`; must neither wait nor raise."""
        self.told: Callable[[tuple[News, ...]], None] = lambda _: None
        """Called in the writer's thread with what a commit stored; must neither wait nor raise."""
        self.shut: Callable[[frozenset[bytes]], None] = lambda _: None
        """Called there with the gates, pods and apps whose access a commit changed, before anybody is answered."""
        self.together: Together = nullcontext
        """In what the writer does before a transaction for several units: one wait for the disk, not one for each."""
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

    async def write(self, unit: Callable[[Tx], T], *, entering: bool = False) -> T:
        """Run a unit in the next group commit; an exception undoes this unit only and is raised here."""
        result: T = await self.submit(unit, entering=entering)
        return result

    def now(self, unit: Callable[[Tx], T]) -> T:
        """Run a unit and wait for its commit, without an event loop: for the start of a process."""
        done: SimpleQueue[Job] = SimpleQueue()
        self._queue.put(Job(unit, done))
        job = done.get()
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """One snapshot on a connection of its own, for a thread that must not hold up the loop's."""
        with closing(_connect(self.path, read_only=True)) as raw:
            raw.execute("BEGIN")
            yield Tx(raw)

    def submit(
        self,
        unit: Callable[[Tx], Any],
        first: Callable[[], None] | None = None,
        then: Callable[[Any], Any] | None = None,
        undo: Callable[[], None] | None = None,
        *,
        vital: bool = False,
        entering: bool = False,
        alone: bool = True,
    ) -> asyncio.Future[Any]:
        """Queue a unit with its companions and return a future of the running loop. `vital` may use the reserve,
        what belongs to logging in (`entering`) a part of its own.

        A unit that is not `alone` sees to it by itself that it leaves nothing behind when it fails, and may hold rows
        back (`Tx.held`); every other one has a savepoint of its own, with nothing held back before it.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        self.queued += 1
        self._queue.put(Job(unit, (loop, future), first, then, undo, vital, entering, alone))
        if self._queue.qsize() >= self._awaited:
            self._awaited = NOBODY
            self._come.set()
        return future

    def close(self) -> None:
        """Finish what is queued and let go of the directory."""
        self._queue.put(None)
        self._thread.join()
        self.reserve.release()
        self.read.raw.close()
        self._lock.close()

    def _work(self) -> None:
        tx = Tx(_connect(self.path))
        self._ready.set()
        before = 1
        while (job := self._queue.get()) is not None:
            batch = [job]
            self._gather(before)
            while len(batch) < BATCH and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            before = len(batch)
            self._serve(tx, batch)
        tx.raw.close()

    def _gather(self, before: int) -> None:
        """Under load wait a moment for those who were answered last time: else every other batch holds one entry."""
        if self._queue.qsize() + 1 < before:
            self._come.clear()
            self._awaited = before - 1
            if self._queue.qsize() + 1 < before:
                self._come.wait(WAIT)
            self._awaited = NOBODY

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
                follow(job)
            if isinstance(job.error, Forked):
                self.broken = job.error
        if tx.shut:
            self.shut(frozenset(tx.shut))
            tx.shut.clear()
        answer(batch)
        if tx.wake:
            tx.wake = False
            self.wake()

    def _commit(self, tx: Tx, batch: list[Job]) -> None:
        """Commit a batch; with a full disk only what is vital of it, in the space that was kept back for that."""
        if self.reserve.make():
            why = committed(tx, batch, self.together)
            if why is None or not is_full(why) or not any(job.vital or job.entering for job in batch):
                return
        if any(job.vital for job in batch):
            self.reserve.release()
        kept = [job for job in batch if job.vital or (job.entering and self.reserve.enter())]
        for job in batch:
            job.error, job.begun = LogUnavailable("not written: the disk is full"), False
        for job in kept:
            job.error = None
        if kept:
            committed(tx, kept)


def free(folder: Path) -> None:
    """See that no process works in this directory; one that does not exist is free. Raises Locked."""
    if folder.exists():
        _hold(folder / "lock").close()


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep every other process out of this directory for the length of a block. Raises Locked."""
    with _hold(folder / "lock"):
        yield


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
