"""Who came to a pod, counted per day: in the unit of the entry, once, under a name that tells nobody, for 13 months."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent import solid
from consent.accounts import passphrase, people
from consent.accounts.people import enroll
from keys.secret import Secret
from tests.house import ALL_INTERESTS, Household
from tests.web.test_sources import deliver, loans
from vault import erasure
from vault.database import Tx
from vault.gates import DAY_MS, ms
from vault.log import append, uses
from vault.log.entry import Facts, Guard, Intent, Refused
from vault.tables import AgentUse, GrantUse, Record
from web import jobs

NOTE = "/pods/an/public/notes.txt"
BO = "http://localhost:8400/pods/bo/profile/card#me"


async def visited(house: Household) -> list[AgentUse]:
    await house.quiet()
    return house.vault.db.read.find(AgentUse)


async def bos_token(house: Household) -> str:
    """Bo's program, with credentials of his own."""
    made = await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    opened = await passphrase.login(house.vault, "bo", made.codes[0], house.clock())
    account = people.find(house.vault, "bo")
    assert opened is not None and account is not None
    hers = await solid.credentials(house.vault, opened[1].pod, account.webid, "Bo's", house.clock())
    return await replace(house, secrets={"id": hers.client_id, "secret": hers.client_secret}).jwt()


def visit(house: Household, pod: bytes, **more: object) -> Intent:
    facts = Facts("access", "read", rule="wac", agent=BO, **more)  # type: ignore[arg-type]
    return Intent(pod, facts, house.clock())


async def test_an_agent_at_somebody_elses_pod_is_counted_there_once_per_entry(house: Household) -> None:
    assert (await house.call("PUT", NOTE, await house.jwt(), {"content-type": "text/plain"}, b"dag")).status_code == 201
    assert await visited(house) == []  # An's own program is counted by its grant
    bo = await bos_token(house)
    for _ in range(3):
        assert (await house.call("GET", NOTE, bo)).status_code == 200
    rows, pod = await visited(house), house.session.pod.id
    assert {(row.pod, row.day, row.count) for row in rows} == {(pod, ms(house.clock()) // DAY_MS, 3)}
    program = next(line["client"] for line in house.told() if line.get("agent") == BO)
    assert {row.mark for row in rows} == {house.vault.log.uses.mark(pod, who) for who in (BO, program)}
    assert (await house.call("GET", "/pods/an/inbox/", bo)).status_code == 403
    assert {row.count for row in await visited(house)} == {3}  # what was refused reached nobody


async def test_an_app_under_a_grant_is_counted_by_its_gate_alone(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    for _ in range(2):
        assert (await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)).status_code == 200
    assert await visited(house) == []
    (row,) = house.vault.db.read.find(GrantUse, gate=granted.id)
    assert row.count == 2


async def test_a_source_is_counted_and_a_file_that_the_citizen_brings_is_not(house: Household) -> None:
    assert (await deliver(house, loans("1"), {"pod": "an"}))[0].status_code == 200
    (row,) = await visited(house)
    assert row.mark == house.vault.log.uses.mark(house.session.pod.id, "source-mijnbib")
    own = {"sec-fetch-site": "same-origin", "cookie": f"kluis={house.cookie}", "kluis-form": house.session.csrf}
    sent = await house.http.post("/api/sources/mijnbib/deposits?pod=an", content=loans("2"), headers=own)
    assert sent.status_code == 200
    assert (await visited(house))[0].count == 1


async def test_the_citizen_herself_and_the_public_are_nobodys_visit(house: Household) -> None:
    await house.keep("/interests/b.jsonld", {"n": 1})
    assert (await house.call("GET", "/pods/an/profile/card")).status_code == 200
    assert await visited(house) == []


async def test_an_entry_that_is_refused_or_undone_counts_nobody(house: Household) -> None:
    pod = house.session.pod.id
    refused = visit(house, pod)._replace(guards=(Guard(b"g" * 16, 1, use=True, pod=b"p" * 16),))
    assert isinstance(await house.vault.log.append(refused), Refused)

    def fails(tx: Tx) -> None:
        raise RuntimeError("the caller's own")

    with pytest.raises(RuntimeError):
        await house.vault.log.append(visit(house, pod)._replace(write=fails))
    assert await visited(house) == []


async def test_the_mark_of_a_visitor_is_another_one_in_every_pod_and_needs_the_key(house: Household) -> None:
    await enroll(house.vault, "mia", "Mia", "citizen", "mia", None, house.clock())
    mia = house.vault.pod("mia")
    assert mia is not None
    for pod in (house.session.pod.id, mia.id):
        await house.vault.log.append(visit(house, pod))
    one, two = await visited(house)
    assert one.mark != two.mark and len(one.mark) == len(two.mark) == 16
    with Secret.fresh() as other:
        assert uses.Uses(other).mark(one.pod, BO) != one.mark


async def test_counts_are_kept_for_thirteen_months_and_no_longer(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)
    await house.vault.log.append(visit(house, house.session.pod.id))
    start = house.clock()
    for days, left in ((uses.KEPT_DAYS, 1), (uses.KEPT_DAYS + 1, 0)):
        house.clock.now = start + timedelta(days=days)
        await jobs.tick(house.house)
        assert len(await visited(house)) == left
        assert len(house.vault.db.read.find(GrantUse, gate=granted.id)) == left


async def test_counts_go_with_the_pod(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)
    await house.vault.log.append(visit(house, house.session.pod.id))
    await erasure.erase(house.vault, house.session.pod, "operator", house.clock())
    assert await visited(house) == [] == house.vault.db.read.find(GrantUse)


async def test_the_uses_of_many_pods_come_in_parts_and_none_twice(house: Household) -> None:
    pods = [house.session.pod.id]
    for name in ("bo", "mia", "noor", "els"):
        await enroll(house.vault, name, name, "citizen", name, None, house.clock())
        found = house.vault.pod(name)
        assert found is not None
        pods.append(found.id)
    for pod in pods:
        await house.vault.log.append(visit(house, pod))
    day, after, seen = uses.day_of(house.clock()), b"", list[bytes]()
    while (part := uses.part(house.vault.db.read, after, 2, day, day)).last:
        assert len(part.visits) <= 2
        seen, after = seen + [use.pod for use in part.visits], part.last
    assert seen == sorted(pods)
    assert uses.part(house.vault.db.read, b"", 100, day + 1, day + 9).visits == ()


@pytest.mark.parametrize("facts", [Facts("admin", "look up", app="a"), Facts("denial", "read", agent=BO)])
async def test_only_what_reaches_data_is_a_visit(house: Household, facts: Facts) -> None:
    await house.vault.log.append(Intent(house.session.pod.id, facts, house.clock()))
    assert await visited(house) == []


async def test_a_part_is_found_by_its_pods_and_never_by_going_through_all_uses(house: Household) -> None:
    span = {"after": b"", "last": b"", "since": 0, "until": 0}
    plans = [house.vault.db.read.run(f"EXPLAIN QUERY PLAN {sql}", **span) for sql in (uses.GATES, uses.VISITS)]
    assert [step for plan in plans for *_, step in plan if step.startswith("SCAN")] == []


async def test_outcomes_of_a_long_answer_are_written_in_parts(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.vault.log.settle()
    monkeypatch.setattr(append, "OUTCOMES", 3)
    units, real = list[object](), house.vault.db.write
    done = [await house.vault.log.append(visit(house, house.session.pod.id)) for _ in range(8)]
    for one in done:
        house.vault.log.served(one.index)
    monkeypatch.setattr(house.vault.db, "write", lambda unit: (units.append(unit), real(unit))[1])
    await house.vault.log.settle()
    assert len(units) == 3
    kept = {row.idx: row.outcome for row in house.vault.db.read.find(Record)}
    assert {kept[one.index] for one in done} == {"served"}
