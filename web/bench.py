"""`kluis bench`: what a request costs a vault of its own, in CPU time of its processes, and how long it takes.

A demo city is started in a directory that is thrown away. CPU time is user and system of the whole process tree, from
/proc; wall time on a shared machine swings, CPU time far less. What is compared is taken side by side in one run
(A, B, B, A), and each figure is the median of its rounds.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from web.benchwire import Account, Line, Program
from web.client import Unanswered

LINES = 16
TICK = 1000 / os.sysconf("SC_CLK_TCK")  # milliseconds
KILOBYTE = b"kilo" * 256
N3 = (
    "@prefix solid: <http://www.w3.org/ns/solid/terms#>. "
    "_:p a solid:InsertDeletePatch; solid:inserts {{ <#a> <urn:b> {} }}."
)
Ask = tuple[str, str, bytes, str]  # method, path, body, media type


@dataclass(frozen=True)
class Sizes:
    """How much is done: members of the containers compared, and of those listed; requests per case and round."""

    small: int = 100
    large: int = 10_000
    listed: tuple[int, ...] = (100, 1000)
    requests: int = 400


@dataclass(frozen=True)
class Taken:
    """One case: CPU milliseconds per request, and latencies in milliseconds."""

    name: str
    requests: int
    cpu_ms: float
    p50_ms: float
    p99_ms: float


@contextmanager
def throw_away(port: int) -> Iterator[tuple[int, Account]]:
    """A demo city on a port, in a directory that goes with it: its process, and a citizen's program in it."""
    command = [sys.executable, "-c", "from web.cli import main; main()", "demo", "--json", "--port", str(port)]
    with tempfile.TemporaryDirectory(prefix="kluis-bench-") as folder:
        city = subprocess.Popen(  # noqa: S603 -- this very program
            [*command, "--data", str(Path(folder) / "city")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            line = city.stdout.readline() if city.stdout else ""
            if not line:
                raise Unanswered("the vault for the measurement did not start")
            told: dict[str, Any] = json.loads(line)
            who = next(one for one in told["people"] if one.get("client_id"))
            yield city.pid, Account(told["base"], who["pod"], who["client_id"], who["client_secret"])
        finally:
            city.terminate()
            city.wait(60)
            if city.stdout is not None:
                city.stdout.close()


def cpu_ms(root: int) -> float:
    """User and system time that a process and all below it have used so far, in milliseconds."""
    parents, used = dict[int, int](), dict[int, int]()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            parents[int(folder.name)] = int(fields[1])
            used[int(folder.name)] = sum(map(int, fields[11:15]))  # its own, and of children that ended
    tree = {root}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return sum(used.get(pid, 0) for pid in tree) * TICK


class Bench:
    """One vault under measurement: its process, a program, and its open connections."""

    def __init__(self, process: int, program: Program, lines: list[Line], sizes: Sizes) -> None:
        self._process, self._program, self._lines, self.sizes = process, program, lines, sizes
        self._numbers = count(1)

    async def furnish(self) -> None:
        """Make every container with its members, and the document that is patched."""
        for size in sorted({self.sizes.small, self.sizes.large, *self.sizes.listed}):
            await self._all([("PUT", f"public/d{size}/{number:05}", KILOBYTE, "text/plain") for number in range(size)])
        await self._all([("PUT", "public/graph", b"<#a> <urn:b> 0 .", "text/turtle")])

    def cases(self) -> dict[str, Callable[[int], Ask]]:
        """What is measured: the n-th request of each case."""
        small, large = self.sizes.small, self.sizes.large
        cases: dict[str, Callable[[int], Ask]] = {
            f"member of {small}": lambda n: ("GET", f"public/d{small}/{n % small:05}", b"", ""),
            f"member of {large}": lambda n: ("GET", f"public/d{large}/{n * 7919 % large:05}", b"", ""),
            "put": lambda n: ("PUT", f"public/d{small}/{n % small:05}", KILOBYTE, "text/plain"),
            "post": lambda _: ("POST", "public/posted/", KILOBYTE, "text/plain"),
            "patch": lambda _: ("PATCH", "public/graph", N3.format(next(self._numbers)).encode(), "text/n3"),
        }
        return cases | {f"list {size}": partial(_listing, size) for size in self.sizes.listed}

    async def take(self, name: str, nth: Callable[[int], Ask]) -> Taken | None:
        """Measure one case once; None if this vault does not do it (405)."""
        await self._program.login(self._lines[0])
        if (await self._program.call(self._lines[0], *nth(0))) == 405:
            return None
        asks = [nth(n) for n in range(max(LINES, self.sizes.requests // (20 if name.startswith("list") else 1)))]
        before = cpu_ms(self._process)
        waits = await self._all(asks)
        spent = (cpu_ms(self._process) - before) / len(asks)
        return Taken(name, len(asks), round(spent, 3), round(median(waits), 2), round(quantiles(waits, n=100)[98], 2))

    async def _all(self, asks: list[Ask]) -> list[float]:
        """Send every request over the open connections; how long each took, in milliseconds. Raises Unanswered."""
        waits, left = list[float](), iter(asks)

        async def work(line: Line) -> None:
            for method, path, body, media in left:
                begun = time.perf_counter()
                status = await self._program.call(line, method, path, body, media)
                waits.append((time.perf_counter() - begun) * 1000)
                if status == 401:  # a token lives five minutes
                    await self._program.login(line)
                elif status not in (200, 201, 204):
                    raise Unanswered(f"{method} {path}: {status}")

        await asyncio.gather(*(work(line) for line in self._lines))
        return waits


def _listing(size: int, _: int) -> Ask:
    return ("GET", f"public/d{size}/", b"", "")


def _summed(name: str, rounds: list[Taken]) -> Taken:
    """The median of each figure over the rounds of one case."""
    p50, p99 = median(one.p50_ms for one in rounds), median(one.p99_ms for one in rounds)
    cpu = median(one.cpu_ms for one in rounds)
    return Taken(name, sum(one.requests for one in rounds), round(cpu, 3), round(p50, 2), round(p99, 2))


async def measure(process: int, account: Account, clock: Callable[[], datetime], sizes: Sizes, rounds: int) -> Any:
    """Every case of a running vault, in rounds; the answer of `kluis bench` as plain values."""
    lines = [await Line.open(account.base) for _ in range(LINES)]
    program = Program(account, clock)
    await program.login(lines[0])
    bench = Bench(process, program, lines, sizes)
    await bench.furnish()
    await program.call(lines[0], "PUT", "public/posted/", b"", "text/turtle")
    cases, found, ratios = bench.cases(), dict[str, list[Taken]](), list[float]()
    few, many = list(cases)[:2]
    for _ in range(rounds):
        turn = [await bench.take(name, cases[name]) for name in (few, many, many, few)]
        costs = [one.cpu_ms for one in turn if one is not None]
        ratios.append((costs[1] + costs[2]) / (costs[0] + costs[3]))
        for name, one in zip((few, many, many, few), turn, strict=True):
            found.setdefault(name, []).extend([one] if one else [])
        for name in list(cases)[2:]:
            one = await bench.take(name, cases[name])
            found.setdefault(name, []).extend([one] if one else [])
    for line in lines:
        line.close()
    return {
        "rounds": rounds,
        "connections": LINES,
        "cases": [asdict(_summed(name, taken)) for name, taken in found.items() if taken],
        "not_done": [name for name, taken in found.items() if not taken],
        "ratios": {f"member of {sizes.large} to member of {sizes.small}": round(median(ratios), 3)},
    }


def run(port: int, clock: Callable[[], datetime], rounds: int, sizes: Sizes | None = None) -> Any:
    """Start a vault, measure it, throw it away. Raises Unanswered."""
    with throw_away(port) as (process, account):
        return asyncio.run(measure(process, account, clock, sizes or Sizes(), rounds))
