"""One batch of the writer: every unit on its own, one commit, then what follows it, then the answers.

If we crash before the commit nothing of the batch exists and nobody was answered. A disk that cannot make data durable
ends the process: what it holds is not known, and a second try that succeeds would prove nothing.
"""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NoReturn

from vault.errors import LogUnavailable
from vault.reserve import is_unsynced

if TYPE_CHECKING:
    from vault.database import Tx


@dataclass(slots=True)
class Job:
    """One unit on its way through the writer: `first` before the transaction, `unit` in it, `then` after its commit.

    One that is `alone` gets a savepoint; any other undoes by itself what it did before it failed.
    """

    unit: "Callable[[Tx], Any]"
    asker: "SimpleQueue[Job] | tuple[asyncio.AbstractEventLoop, asyncio.Future[Any]]"
    first: Callable[[], None] | None = None
    then: Callable[[Any], Any] | None = None
    undo: Callable[[], None] | None = None
    vital: bool = False
    entering: bool = False
    alone: bool = True
    begun: bool = False
    result: Any = None
    error: BaseException | None = None


Together = Callable[[], AbstractContextManager[None]]
"""Makes what is done in its block durable at once, or raises sqlite3.Error with nothing of it done."""


def committed(tx: "Tx", batch: list[Job], together: Together = nullcontext) -> Exception | None:
    """Commit a batch, or nothing of it: then every job has its error, and the reason is returned."""
    try:
        ready = _prepared(batch, together)
        tx.raw.execute("BEGIN IMMEDIATE")
        for job in ready:
            _attempt(tx, job)
        tx.settle()
        tx.raw.execute("COMMIT")
    except Exception as e:  # noqa: BLE001 -- disk full, log not writable: nothing of the batch exists
        _abandon(tx, batch, e)
        return e
    return None


def _abandon(tx: "Tx", batch: list[Job], why: Exception) -> None:
    if is_unsynced(why):
        _end(why)
    tx.held = None
    if tx.raw.in_transaction:
        tx.raw.execute("ROLLBACK")
    for job in batch:
        job.error = LogUnavailable(f"not written: {why}")
        _undo(job)


def _prepared(batch: list[Job], together: Together) -> list[Job]:
    """The jobs that may go on. What several of them do before the transaction reaches the disk at once."""
    first = [job for job in batch if job.first]
    if len(first) > 1 and _at_once(first, together):
        return [job for job in batch if job.begun or (job.first is None and _prepare(job))]
    return [job for job in batch if _prepare(job)]


def _at_once(jobs: list[Job], together: Together) -> bool:
    """Whether it was done for all but those whose own fault it was; if not, nothing was."""
    try:
        with together():
            for job in jobs:
                try:
                    if job.first:
                        job.first()
                    job.begun = True
                except sqlite3.OperationalError:
                    raise
                except Exception as e:  # noqa: BLE001 -- told to its caller
                    job.error = _told(e)
    except sqlite3.Error as e:
        _told(e)
        for job in jobs:
            job.begun, job.error = False, None
        return False
    return True


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


def _attempt(tx: "Tx", job: Job) -> None:
    if job.alone:
        tx.settle()
        tx.raw.execute("SAVEPOINT unit")
    try:
        job.result = job.unit(tx)
    except sqlite3.OperationalError:
        raise
    except Exception as e:  # noqa: BLE001 -- one unit's fault is its caller's alone
        job.error = e
        tx.lapse()
        if job.alone:
            tx.raw.execute("ROLLBACK TO unit")
        _undo(job)
    if job.alone:
        tx.raw.execute("RELEASE unit")


def _undo(job: Job) -> None:
    """Take back what came before the transaction; what cannot be taken back is swept at the next start."""
    if job.undo and job.begun:
        with suppress(Exception):
            job.undo()


def follow(job: Job) -> None:
    """Do what comes after the commit."""
    if job.error is None and job.then:
        try:
            job.result = job.then(job.result)
        except Exception as e:  # noqa: BLE001 -- told to its caller
            job.error = _told(e)


def _end(why: Exception) -> NoReturn:
    """The disk could not make data durable: nobody knows what it holds, so this process says and does nothing more."""
    sys.stderr.write(
        f"kluis: the disk failed to make data durable ({why}). Stopped; check the disk, then start again.\n"
    )
    sys.stderr.flush()
    os._exit(os.EX_IOERR)


def _told(error: Exception) -> Exception:
    """A fault of the share store's file is the same to a caller as one of the main database's."""
    if is_unsynced(error):
        _end(error)
    return LogUnavailable(f"the share store failed: {error}") if isinstance(error, sqlite3.Error) else error


def answer(batch: list[Job]) -> None:
    """Wake every asker; those of one loop are woken together."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[Job, asyncio.Future[Any]]]] = {}
    for job in batch:
        if isinstance(job.asker, SimpleQueue):
            job.asker.put(job)
        else:
            loops.setdefault(job.asker[0], []).append((job, job.asker[1]))
    for loop, waiting in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, waiting)


def _settle(waiting: list[tuple[Job, asyncio.Future[Any]]]) -> None:
    for job, future in waiting:
        if future.cancelled():
            continue
        if job.error is None:
            future.set_result(job.result)
        else:
            future.set_exception(job.error)
