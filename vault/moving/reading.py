"""The folder of another server, read by a process of its own: it holds no key, and while it reads, we seal.

What it says is believed no more than a writer over HTTP is: whoever takes its loads looks at each of them again.
"""

import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from vault.moving.draft import Note, Reject
from vault.moving.homes import Home, NoPods, Server
from vault.moving.pack import LARGE, MANY, Packed
from vault.moving.tree import BadTree

AHEAD: Final = 4  # orders that wait in the pipe: as many as it holds whatever is in them
_ROOT: Final = Path(__file__).resolve().parents[2]
_START: Final = "import sys; sys.path.insert(0, sys.argv[1]); from vault.moving.reader import main; main()"
Order = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sorted:
    """What was found out about the pod with this number: what cannot come, what is strange, how many files come."""

    at: int
    rejects: tuple[Reject, ...]
    notes: tuple[Note, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Read:
    """A load of the pod with this number; or `why` there is none. With the last one come further notes."""

    at: int
    packed: Packed
    notes: tuple[Note, ...]
    why: str


class Reading:
    """A context manager around the process; `homes` are the pods of the folder, named by their place in that list."""

    homes: Sequence[Home] = ()

    def __init__(
        self, folder: Path, server: Server, base: str | None, sealed: Collection[str], many: int = MANY
    ) -> None:
        """Start it; `sealed` are the names that sealed compartments have here, `many` how much is in a load."""
        command = [sys.executable, "-I", "-B", "-X", "utf8", "-c", _START, str(_ROOT)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={})  # noqa: S603
        self._asked = {"folder": str(folder.absolute()), "server": server, "base": base, "sealed": sorted(sealed),
                       "many": many, "large": LARGE}  # fmt: skip

    def __enter__(self) -> Self:
        """Look which pods there are. Raises BadTree, NoPods."""
        try:
            self._tell(self._asked)
            told, _ = self._hear()
            if "bad" in told:
                raise NoPods(*told["parts"]) if told["none"] else BadTree(told["bad"], tuple(told["parts"]))
        except BaseException:
            self.close()
            raise
        self.homes = [
            Home(one["name"], one["base"], tuple(one["parts"]), tuple(one["webids"])) for one in told["homes"]
        ]
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.close()

    def close(self) -> None:
        """End the process and take its end."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what it did not read cannot be sent after it
                    continue
        self._process.wait()

    def sorted(self, pods: Sequence[int]) -> Iterator[Sorted]:
        """Look at everything in these pods; nothing is kept of it but where it is."""
        for at, told, _ in self._answers([(at, {"sort": at}) for at in pods]):
            rejects = tuple(Reject(**one) for one in told["rejects"])
            yield Sorted(at, rejects, _notes(told), told["count"])

    def settle(self, base: str, come: Sequence[int], stand: Sequence[int]) -> None:
        """Say under which address we are, which pods come and which are here already: their old addresses are ours."""
        self._tell({"settle": base, "come": come, "stand": stand})
        self._hear()

    def packed(self, pods: Sequence[tuple[int, str, Mapping[str, str]]]) -> Iterator[Read]:
        """The loads of these pods, in this order: each with its root here and the resources that every new pod has."""
        orders = [(at, {"pack": at, "root": root, "ours": ours}) for at, root, ours in pods]
        for at, told, load in self._answers(orders):
            yield Read(at, Packed(load, told["count"], told["bytes"], told["whole"]), _notes(told), told["why"])

    def _answers(self, orders: Sequence[tuple[int, Order]]) -> Iterator[tuple[int, dict[str, Any], bytes]]:
        """Every answer to these orders; a few are sent ahead, so that nobody waits for the other."""
        for _, order in orders[:AHEAD]:
            self._tell(order)
        for number, (at, _) in enumerate(orders):
            whole = False
            while not whole:
                told, load = self._hear()
                whole = told.get("whole", True)
                yield at, told, load
            if number + AHEAD < len(orders):
                self._tell(orders[number + AHEAD][1])

    def _tell(self, order: Order) -> None:
        to = self._process.stdin
        try:
            if to is not None:
                to.write(json.dumps(order).encode() + b"\n")
                to.flush()
        except OSError as error:
            raise _ended() from error

    def _hear(self) -> tuple[dict[str, Any], bytes]:
        out = self._process.stdout
        line = out.readline() if out is not None else b""
        told: dict[str, Any] = json.loads(line) if line else {"size": -1}
        load = out.read(told["size"]) if out is not None and told["size"] > 0 else b""
        if len(load) != told["size"]:
            raise _ended()
        return told, load


def _ended() -> BadTree:
    return BadTree("reader_ended", ("the process that read this folder ended",))


def _notes(told: Mapping[str, Any]) -> tuple[Note, ...]:
    return tuple(Note(**one) for one in told["notes"])
