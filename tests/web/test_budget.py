"""What one authorised GET may cost, counted and not timed (house.md, section 5), and what the server never loads."""

import asyncio
import subprocess
import sys
from dataclasses import astuple, dataclass
from pathlib import Path

import httpx
import pytest

from consent import locks
from keys import sign
from tests.house import ALL_INTERESTS, INTERESTS, Household

ROOT = Path(__file__).parents[2]
INTEREST = "/pods/an/interests/a.jsonld"


@dataclass(frozen=True)
class Cost:
    """Reads of the main database, look-ups of shares, units of the writer, answers of other threads, verifications."""

    reads: int
    shares: int
    units: int
    hops: int
    verified: int

    def within(self, other: "Cost") -> bool:
        return all(mine <= allowed for mine, allowed in zip(astuple(self), astuple(other), strict=True))


# Exactly one answer comes from another thread: the writer's, after the durable commit.
BUDGET = Cost(reads=2, shares=1, units=1, hops=1, verified=1)


async def measured(
    house: Household, path: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[httpx.Response, Cost]:
    """The cost of one GET. Whatever comes back from any other thread comes through `call_soon_threadsafe`."""
    loop, reads, hops = asyncio.get_running_loop(), [], []
    headers = house.shown("GET", path, token)
    await house.quiet()
    await asyncio.sleep(0)
    waking = loop.call_soon_threadsafe

    def counted(callback, *args, **more):
        hops.append(callback)
        return waking(callback, *args, **more)

    def started(statement: str) -> None:
        reads.extend([statement] * (statement.lstrip()[:6].upper() in ("SELECT", "WITH  ", "PRAGMA")))

    vault = house.vault
    before = vault.shares.lookups, vault.db.queued, sign.verifications
    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_soon_threadsafe", counted)
        vault.db.read.raw.set_trace_callback(started)
        answer = await house.http.get(path, headers=headers)
        vault.db.read.raw.set_trace_callback(None)
    after = vault.shares.lookups, vault.db.queued, sign.verifications
    shares, units, verified = (now - then for now, then in zip(after, before, strict=True))
    return answer, Cost(len(reads), shares, units, len(hops), verified)


@pytest.mark.parametrize("data", [ALL_INTERESTS, INTERESTS], ids=["whole", "fields"])
async def test_a_get_under_a_grant_stays_within_its_budget(
    house: Household, data, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = await house.grant(data)
    first, once = await measured(house, INTEREST, granted.access, monkeypatch)
    assert first.status_code == 200, first.text
    assert once.within(Cost(reads=2, shares=1, units=2, hops=2, verified=1)), (
        once
    )  # the first read of a deposit rewraps
    answer, cost = await measured(house, INTEREST, granted.access, monkeypatch)
    assert answer.status_code == 200 and answer.json()["schema:about"] == ["jazz"]
    assert cost == BUDGET  # not less either: each of the five was really counted


async def test_more_generations_cost_no_more_reads(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = await house.grant(ALL_INTERESTS)
    for _ in range(3):
        await locks.change(house.vault, house.session, ["interests"], house.clock())
    await house.keep("/interests/a.jsonld", {"@type": "pd:Interest", "schema:about": ["jazz"]})
    first, once = await measured(house, INTEREST, granted.access, monkeypatch)
    assert first.status_code == 200, first.text
    assert once.within(Cost(reads=2, shares=1, units=2, hops=2, verified=1)), once  # deposit and letter, one rewrap
    answer, cost = await measured(house, INTEREST, granted.access, monkeypatch)
    assert answer.status_code == 200
    assert cost == BUDGET


async def test_a_get_with_a_solid_token_stays_within_the_same_budget(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.jwt()
    path = "/pods/an/public/notes.txt"
    put = await house.call("PUT", path, token, {"content-type": "text/plain"}, b"dag")
    assert put.status_code == 201, put.text
    for _ in range(2):
        answer, cost = await measured(house, path, token, monkeypatch)
    assert answer.status_code == 200 and answer.content == b"dag"
    assert cost == BUDGET


@pytest.mark.parametrize("module", ["web.app", "web.demo", "web.city", "web.cli"])
def test_a_server_process_never_loads_lightgbm(module: str) -> None:
    """The contract reads the source; this asks a process that has really loaded everything."""
    code = f"import sys, {module}; print('lightgbm' in sys.modules, '{module}' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT, check=True
    )
    assert done.stdout.split() == ["False", "True"]
