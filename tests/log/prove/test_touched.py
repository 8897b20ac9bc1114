"""L11: who was reached by an app, asked of a million counted entries: every pod that it reached, and no other."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, timedelta
from functools import partial

from consent import signed
from consent.accounts import passphrase
from consent.request import parse
from consent.terms import Terms
from consent.touched import Question, look_up
from keys.secret import Private, fresh_bytes
from keys.sign import new_signer
from keys.unlock import new_code, read_code
from tests.conftest import BASE
from tests.consent import sample
from tests.house import ALL_INTERESTS, Household
from tests.proof import figure, proving, rounds
from vault import gates, pod as pods
from vault.database import Tx
from vault.pod import Blueprint, NewUnlocker
from vault.tables import GrantUse, Record
from vault.vault import PodFacts

GRANTS = 5  # of each citizen
EVERY = 2  # so many citizens share one who gave a grant to the app that is asked about
BELOW = 60  # seconds


async def citizen(house: Household, name: str) -> PodFacts:
    ways = [NewUnlocker("recovery", "", read_code(new_code())) for _ in range(2)]
    return await pods.create(house.vault, name, "citizen", ways, Blueprint(sealed={}), house.clock())


def give(pod: PodFacts, terms: list[Terms], signer: Private, at: int, days: int, tx: Tx) -> None:
    """Grants of one citizen, each used once on each of so many days."""
    for one in terms:
        grant = fresh_bytes(16)
        gates.create(tx, grant, pod.id, one.expires)
        tx.add(signed.row(pod, grant, 1, at, one, signer))
        for day in range(days):
            tx.insert(GrantUse, gate=grant, day=at // gates.DAY_MS - day, count=1)


async def city(house: Household, people: int, days: int) -> set[str]:
    """A city and its uses; the pods that `cultuurgids` reached."""
    asked = parse(sample.detail(datatypes=[ALL_INTERESTS]), sample.APP, BASE, house.clock())
    reached = set()
    with new_signer() as signer:
        for number in range(people):
            pod = await citizen(house, f"burger-{number}")
            terms = [replace(asked, pod=pod.name, client=f"app-{place}") for place in range(GRANTS)]
            if number % EVERY == 0:
                terms[0] = replace(terms[0], client="cultuurgids")
                reached.add(pod.name)
            await house.vault.db.write(partial(give, pod, terms, signer, gates.ms(house.clock()), days))
    return reached


async def others(house: Household, waits: list[float]) -> None:
    """Somebody else reads a public page all the while."""
    while True:
        begun = time.perf_counter()
        assert (await house.http.get("/pods/an/profile/card")).status_code == 200
        waits.append(time.perf_counter() - begun)
        await asyncio.sleep(0.01)


async def test_a_leak_is_scoped_within_a_minute_and_others_are_served_meanwhile(house: Household) -> None:
    entries, days = rounds(10_000, "L11"), 100 if proving() else 20
    reached = await city(house, entries // (GRANTS * days), days)
    counted = house.vault.db.read.run("SELECT sum(count) FROM grantuse")[0][0]
    opened = await passphrase.login(house.vault, "dpo", house.officer, house.clock())
    assert opened is not None and counted == entries
    today, waits = house.clock().astimezone(UTC).date(), list[float]()
    asked = Question("cultuurgids", today - timedelta(days=days), today, "Er lekte een sleutel van de app", "2026-7")
    other = asyncio.create_task(others(house, waits))
    begun = time.perf_counter()
    told = await look_up(house.vault, opened[1], asked, house.clock())
    taken = time.perf_counter() - begun
    other.cancel()
    assert {row.pod for row in told.rows} == reached and {row.count for row in told.rows} == {days}
    lines = {row.idx: row.pod for row in house.vault.db.read.find(Record)}
    assert len({lines[row.entry] for row in told.rows}) == len(reached)  # one line each, durable, in her own pod
    print(f"{entries} entries, {len(reached)} pods reached: {taken:.2f} s; others waited {max(waits):.3f} s at most")
    figure("L11", round(taken, 2), entries)
    figure("L11b", round(max(waits), 3), len(waits))
    assert taken < BELOW
