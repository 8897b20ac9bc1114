"""SB1 to SB4: under bombs from several clients others are served, nothing is fetched, and memory stays bounded."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.federation.sink import sink
from tests.proof import ROOT, figure, proving
from tests.solid.prove import bombs

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(900)]
CLIENTS = 4
SLOWEST, MOST_MEMORY = 2.0, 1024  # seconds; MiB
RICH = b"".join(b"<a:s%d> <b:> <a:s%d> .\n" % (n, n + 1) for n in range(20_000))
SYNTAXES = (bombs.TURTLE, bombs.JSON_LD, bombs.N_TRIPLES)


class Seen:
    """What was measured: the slowest answer to others in seconds, the most memory in MiB, and what went wrong."""

    def __init__(self) -> None:
        self.slowest, self.memory, self.answers = 0.0, 0.0, 0
        self.wrong: list[str] = []


@pytest.fixture
def served() -> Iterator[tuple[str, int]]:
    """The root of a pod at a house in its own process, and the id of that process."""
    command = [sys.executable, "-m", "tests.solid.prove.serving"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        root = process.stdout.readline().strip()
        assert root, "the house did not open"
        yield root, process.pid
        process.stdin.close()


def _tree(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        with suppress(OSError):
            children = Path(f"/proc/{one}/task").glob("*/children")
            found += [int(child) for line in children for child in line.read_text().split()]
    return found


def _memory(pid: int) -> float:
    """MiB of the process and all below it, shared pages counted in proportion."""
    total = 0
    for one in _tree(pid):
        with suppress(OSError):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


async def _watch(pid: int, seen: Seen) -> None:
    while True:
        seen.memory = max(seen.memory, await asyncio.to_thread(_memory, pid))
        await asyncio.sleep(0.1)


async def _others(root: str, name: str, seen: Seen) -> None:
    """Somebody else: reads a page, writes a note and reads it, again and again."""
    async with httpx.AsyncClient(timeout=60) as http:
        while True:
            for method, path in (("GET", "/profile/card"), ("PUT", f"/public/{name}"), ("GET", f"/public/{name}")):
                began = time.perf_counter()
                sent = {"content": b"<a:> <b:> <c:> .", "headers": {"Content-Type": bombs.TURTLE}}
                answer = await http.request(method, root + path, **(sent if method == "PUT" else {}))  # type: ignore[arg-type]
                seen.slowest = max(seen.slowest, time.perf_counter() - began)
                seen.answers += 1
                if not answer.is_success:
                    seen.wrong.append(f"another's {method} {answer.status_code}")
            await asyncio.sleep(0.02)


class Thrower:
    """Somebody who sends bombs; what is answered otherwise than it should be is `seen`."""

    def __init__(self, http: httpx.AsyncClient, root: str, seen: Seen) -> None:
        self.http, self.root, self.seen = http, root, seen

    def all(self, trap: str) -> Iterator[Coroutine[Any, Any, None]]:
        """Every bomb, as something to be done."""
        for number, bomb in enumerate(bombs.refused(trap)):
            yield self.refused(f"{self.root}/public/bomb{number}", *bomb)
        for number, dear in enumerate(bombs.stored(bombs.MOST if proving() else bombs.MOST // 32)):
            yield self.stored(f"{self.root}/public/dear{number}", *dear)
        for patch in bombs.patches():
            yield self.patched(*patch)

    async def refused(self, place: str, name: str, media: str, body: bytes, more: dict[str, str]) -> None:
        answer = await self.http.put(place, content=body, headers={"Content-Type": media} | more)
        self.judge(name, answer, answer.status_code in (400, 413, 415, 422))

    async def stored(self, place: str, name: str, media: str, body: bytes) -> None:
        answer = await self.http.put(place, content=body, headers={"Content-Type": media})
        self.judge(name, answer, answer.status_code in (201, 204, 413))
        for accept in SYNTAXES if answer.is_success else ():
            answer = await self.http.get(place, headers={"Accept": accept})
            self.judge(f"{name} as {accept}", answer, answer.status_code in (200, 406))

    async def patched(self, name: str, media: str, body: bytes) -> None:
        for place in ("calm0", "rich"):
            answer = await self.http.patch(f"{self.root}/public/{place}", content=body, headers={"Content-Type": media})
            self.judge(f"{name} of {place}", answer, 400 <= answer.status_code < 500)

    def judge(self, name: str, answer: httpx.Response, good: bool) -> None:
        if not good:
            self.seen.wrong.append(f"{name}: {answer.status_code}")


@asynccontextmanager
async def _meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one) for one in work]
    yield
    for task in tasks:
        task.cancel()
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in told), told


def test_under_bombs_from_several_clients_others_are_served_and_nothing_is_fetched_or_broken(
    served: tuple[str, int],
) -> None:
    root, pid = served
    seen, count = Seen(), 0

    async def story() -> None:
        nonlocal count
        async with sink() as trap, httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=CLIENTS)) as http:
            for n in (0, 1):
                answer = await http.put(f"{root}/public/calm{n}", content=b"", headers={"Content-Type": bombs.TURTLE})
                assert answer.status_code == 201, answer.text
            answer = await http.put(f"{root}/public/rich", content=RICH, headers={"Content-Type": bombs.N_TRIPLES})
            assert answer.status_code == 201, answer.text
            turns = CLIENTS if proving() else 1
            at_once = asyncio.Semaphore(CLIENTS)

            async def one(work: Coroutine[Any, Any, None]) -> None:
                async with at_once:
                    await work

            thrower = Thrower(http, root, seen)
            thrown = [work for _ in range(turns) for work in thrower.all(f"http://127.0.0.1:{trap.port}")]
            count = len(thrown)
            others = [_others(root, f"calm{n}", seen) for n in (0, 1)]
            async with _meanwhile(_watch(pid, seen), *others):
                await asyncio.gather(*map(one, thrown))
            assert (await http.get(f"{root}/public/calm0")).content == b"<a:> <b:> <c:> ."
            assert (await http.get(f"{root}/public/rich", headers={"Accept": bombs.N_TRIPLES})).content == RICH
            figure("SB2", trap.connections, count)
            assert trap.connections == 0

    asyncio.run(story())
    figure("SB1", round(seen.slowest, 2), count)
    figure("SB3", round(seen.memory), count)
    figure("SB4", len(seen.wrong), count)
    print(f"{count} bombs, {seen.answers} answers to others, slowest {seen.slowest:.2f} s, {seen.memory:.0f} MiB")
    assert seen.wrong == []
    assert seen.memory <= MOST_MEMORY
    assert not proving() or seen.slowest <= SLOWEST
