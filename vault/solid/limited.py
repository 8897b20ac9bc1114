"""Larger RDF bodies, read, converted and patched in a process of its own with little memory and little time.

No scan foresees everything that a parser can be made to do, so what is not small is given to a process that may use
so much memory and CPU and no more, that has no key, no file and no environment, and whose end is the end of one body
and of nothing else. Bodies go there and come back through pipes, never through a file.
"""

import asyncio
import atexit
import contextlib
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vault.solid import changing, described, rdf
from vault.solid.patch import BadPatch, Unmet
from vault.solid.scan import MAX_BYTES, BadRdf, scan

SMALL: Final = 16 * 1024  # bytes; the server itself reads bodies up to this size
SIMPLE: Final = 2 * 1024  # the same of patches, each part of which is read with all that is declared before it
_ROOT: Final = Path(__file__).resolve().parents[2]
_START: Final = "import sys; sys.path.insert(0, sys.argv[1]); from vault.solid.worker import main; main()"
_LINE: Final = 4096  # bytes of the worker's own line at most


@dataclass(frozen=True, slots=True)
class Limits:
    """What one body may cost: `memory` bytes of address space, `cpu` and `wall` seconds, `answer` bytes.

    `workers` processes at most, each for `turns` bodies; `waiting` bodies wait for them, further ones are told "busy".
    """

    memory: int = 448 * 1024 * 1024
    cpu: int = 4
    wall: float = 8.0
    answer: int = 16 * 1024 * 1024
    workers: int = 2
    turns: int = 32
    waiting: int = 64


class Limited:
    """The processes; they start when they are first needed. For any thread and any event loop."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self.limits = limits
        self.started = 0
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()
        self._waiting = 0
        self._pool = ThreadPoolExecutor(limits.workers, "rdf")
        atexit.register(self.close)

    async def check(self, body: bytes, media: str, base: str) -> int:
        """As `rdf.check`. Raises BadRdf, "too_costly" for a body that takes too much, "busy" when too many wait."""
        if len(body) <= SMALL:
            return rdf.check(body, media, base)
        told, _ = await self._ask({"job": "check", "media": media, "base": base}, body)
        return int(told["count"])

    async def convert(self, body: bytes, media: str, to: str, base: str) -> bytes:
        """As `rdf.convert`. Raises BadRdf, "too_costly" for a body that takes too much, "busy" when too many wait."""
        if media == to or len(body) <= SMALL:
            return rdf.convert(body, media, to, base)
        return (await self._ask({"job": "convert", "media": media, "to": to, "base": base}, body))[1]

    async def protected(self, body: bytes, media: str, base: str, about: str) -> bool:
        """Whether a body says of `about` what the server says itself (`described.protected`). Raises as `check`."""
        if len(body) <= SMALL:
            return described.protected(rdf.graph(body, media, base), about)
        told, _ = await self._ask({"job": "protected", "media": media, "base": base, "about": about}, body)
        return bool(told["protected"])

    async def modes(self, patch: bytes, language: str, base: str) -> tuple[frozenset[str], bool]:
        """The modes that a patch needs (`Patch.modes`), and whether it is empty. Raises BadPatch, BadRdf as `check`."""
        if len(patch) <= SIMPLE:
            read = changing.read(patch, language, base)
            return read.modes, read.empty
        told, _ = await self._ask({"job": "modes", "language": language, "base": base}, patch)
        return frozenset(map(str, told["modes"])), bool(told["empty"])

    async def patched(
        self, patch: bytes, language: str, old: bytes, media: str, base: str, about: str | None = None
    ) -> bytes:
        """As `changing.changed` of the patch in a document. Raises that too, and BadRdf as `check` does."""
        if len(patch) <= SIMPLE and len(old) <= SMALL and changing.simple(read := changing.read(patch, language, base)):
            return changing.changed(read, old, media, base, about)
        asked = {"job": "patch", "language": language, "media": media, "base": base, "about": about, "old": len(old)}
        return (await self._ask(asked, old + patch))[1]

    def close(self) -> None:
        """End the processes that wait for work; the next body starts a new one."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()

    async def _ask(self, asked: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        media = asked.get("media", rdf.TURTLE)
        if asked.get("old", len(body)) > MAX_BYTES.get(media, 0):
            scan(body, media)  # says so
        if self._waiting >= self.limits.waiting:
            raise BadRdf("busy", "too many large bodies at this moment")
        self._waiting += 1
        try:
            asked |= {"size": len(body)}
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._one, asked, body)
        finally:
            self._waiting -= 1

    def _one(self, asked: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """One body, in a thread: whatever happens to the process, the answer is a value or BadRdf.

        The scan is the worker's too: over megabytes it would hold up everybody here.
        """
        worker = self._free()
        try:
            told, result = worker.do(asked, body)
        except (OSError, EOFError, ValueError, KeyError, TypeError):  # whatever was made of it answers as it likes
            worker.end()
            raise BadRdf("too_costly", "reading this takes more time or memory than one body gets") from None
        if told["tired"] or worker.turns >= self.limits.turns:
            worker.end()
        else:
            with self._lock:
                self._idle.append(worker)
        if "reason" in told:
            raise _refused(told)
        return told, result

    def _free(self) -> "_Worker":
        """A process that waits for work, else a new one."""
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                worker.end()
            self.started += 1
        return _Worker(self.limits)


def _refused(told: dict[str, Any]) -> Exception:
    """What a process says is wrong with a body, as the error it is here."""
    if told["kind"] == "protected":
        return changing.Protected()
    if told["kind"] == "unmet":
        return Unmet(told["reason"])
    if told["kind"] == "patch":
        return BadPatch(told["reason"], told["detail"])
    return BadRdf(told["reason"], told["detail"], told["line"])


class _Worker:
    """One process and its pipes."""

    def __init__(self, limits: Limits) -> None:
        self.turns, self._limits = 0, limits
        most = [str(number) for number in (limits.memory, limits.cpu, limits.answer)]
        self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and our own module
            [sys.executable, "-I", "-B", "-X", "utf8", "-c", _START, str(_ROOT), *most],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a trace could hold what was sent
            env={},
            cwd="/",
        )

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def do(self, asked: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """One job. Raises OSError, EOFError or ValueError if the process ended or did not answer as it should."""
        self.turns += 1
        alarm = threading.Timer(self._limits.wall, self._process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            return self._talk(asked, body)
        finally:
            alarm.cancel()

    def _talk(self, asked: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        to, out = self._process.stdin, self._process.stdout
        if to is None or out is None:
            raise EOFError
        to.write(json.dumps(asked).encode() + b"\n" + body)
        to.flush()
        told = json.loads(out.readline(_LINE))
        if not 0 <= told["size"] <= self._limits.answer:
            raise ValueError("an answer of another size")
        result = out.read(told["size"])
        if len(result) != told["size"]:
            raise EOFError
        return told, result

    def end(self) -> None:
        """Kill the process and take its end."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what it did not read cannot be sent after it
                if pipe is not None:
                    pipe.close()
        self._process.wait()


LIMITED: Final = Limited()
"""The processes of this server."""
