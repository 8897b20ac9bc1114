"""Processes forked from this warm one: a server that is killed at a moment or at a point of its code, and lookers-on.

Nothing of a vault is open here, so a child inherits no thread and no database; what is loaded already costs it nothing.
"""

import asyncio
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from tests.conftest import START
from web.app import House, _server, create, open_house
from web.settings import Settings

TRIES, PATIENCE = 3, 60
# Functions of the way from a request to its answer, each a place to die before it or after it.
POINTS: Final = (
    "vault.database.committed",  # the whole transaction of a batch: before it, or after the commit was durable
    "vault.database.follow",  # shares are released or deleted, after the commit
    "vault.database.answer",  # the askers are woken
    "vault.log.append.Log._book",  # inside the transaction
    "vault.log.append.Log._write",
    "vault.log.append.Log._release",
    "vault.log.append.Log._drop",
    "vault.log.shards.Shards.add",
    "vault.log.shards.Shards.grown",
    "vault.log.shards.Grown.show",
    "vault.shares.Shares.take",
    "vault.shares.Shares.put",
    "vault.shares.Shares.drop",
    "vault.door.finish",
    "vault.store._store",
    "vault.gates.restrict",
)


def in_fork(work: Callable[[], Any]) -> Any:
    """What `work` returns in a child of its own, as JSON; its failure is raised here.

    A fork may copy a lock that a thread just ending held, and then never gets on: such a child is killed like the
    servers here, and another one does the work.
    """
    for _ in range(TRIES):
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ours)
            _tell(work, theirs)
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            if not select.select([pipe], [], [], PATIENCE)[0]:
                os.kill(child, signal.SIGKILL)
            answer = pipe.read()
        os.waitpid(child, 0)
        if answer:
            told = json.loads(answer)
            assert "failed" not in told, told["failed"]
            return told["done"]
    raise AssertionError(f"{TRIES} forks gave no answer in {PATIENCE} s each")


def _tell(work: Callable[[], Any], theirs: int) -> NoReturn:
    try:
        told = {"done": work()}
    except BaseException:  # noqa: BLE001 -- told to the parent; this process ends here
        told = {"failed": traceback.format_exc()}
    with os.fdopen(theirs, "w") as pipe:
        json.dump(told, pipe)
    os._exit(0)


def warm(work: Callable[[], Any]) -> None:
    """Load here whatever `work` loads in a child, so that no later child has to."""

    def loaded() -> list[str]:
        work()
        return list(sys.modules)

    for name in in_fork(loaded):
        with suppress(ImportError):
            importlib.import_module(name)


def house_at(folder: Path) -> House:
    """The house of a directory, at the moment at which time stands still."""
    settings = Settings(data=folder / "data", log_clock=0.05)
    return open_house(settings, f"file:{folder / 'custodian'}", lambda: START)


@contextmanager
def served(folder: Path, point: str = "", turn: int = 0) -> Iterator[Callable[[], None]]:
    """A server of the directory on the socket `http` in it; gives what kills it and waits for its end.

    With a `point` it kills itself there: before its `turn`-th call, or after it if `turn` is below zero.
    """
    child = _started(folder, point, turn)

    def kill() -> None:
        os.kill(child, signal.SIGKILL)

    try:
        yield kill
    finally:
        kill()
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the server ended by itself"


def _started(folder: Path, point: str, turn: int) -> int:
    """The process id of a server that answers, or that has died at its start already."""
    for _ in range(TRIES):
        (folder / "http").unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            try:
                _serve(folder, point, turn)
            except BaseException:  # noqa: BLE001 -- nothing of the parent's runs on in this process
                traceback.print_exc()
            os._exit(1)
        if _answers(folder / "http", child):
            return child
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    raise AssertionError("the server did not start")


def _serve(folder: Path, point: str, turn: int) -> None:
    if point:
        _arm(point, turn)
    house = house_at(folder)
    asyncio.run(_server(create(house), house, uds=str(folder / "http")).serve())


def _answers(path: Path, child: int) -> bool:
    """Wait until somebody listens; a server that died at its start (a point may lie there) is as good."""
    for _ in range(2000):
        with socket.socket(socket.AF_UNIX) as one:
            if path.exists() and one.connect_ex(str(path)) == 0:
                return True
        if _dead(child):
            return True
        time.sleep(0.005)
    return False


def _dead(child: int) -> bool:
    stat = Path(f"/proc/{child}/stat")
    return not stat.exists() or stat.read_text().rpartition(") ")[2].startswith("Z")


def _arm(point: str, turn: int) -> None:
    where, name = _found(point)
    function, calls = getattr(where, name), [0]

    def dying(*given: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] == turn:
            os.kill(os.getpid(), signal.SIGKILL)
        done = function(*given, **more)
        if calls[0] == -turn:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(where, name, dying)


def _found(point: str) -> tuple[Any, str]:
    module, _, name = point.rpartition(".")
    try:
        return importlib.import_module(module), name
    except ModuleNotFoundError:
        module, _, owner = module.rpartition(".")
        return getattr(importlib.import_module(module), owner), name
