"""Who was reached by an app: complete, without content, and nobody named before her own log says so and why."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from consent import narrowing, touched
from consent.accounts import passphrase, sessions
from consent.accounts.people import enroll
from consent.accounts.sessions import SessionFacts, log_private
from consent.errors import BadDays, BadReason, UnknownApp
from consent.touched import Question, Touched, look_up
from tests.house import ALL_INTERESTS, Household
from tests.log.test_uses import BO, NOTE, bos_token, visit
from tests.stories.provenance import watch
from tests.web.test_sources import deliver, loans
from vault import erasure
from vault.errors import Denied, LogUnavailable
from vault.log import views
from vault.log.append import Log
from vault.log.entry import Intent
from vault.tables import AgentUse, Record
from vault.vault import Vault

WHY = "Er lekte een sleutel van de app"
ONGOING: dict[str, Any] = {"recurrence": {"mode": "ongoing"}}
LOANS = {"category": "kluis:LibraryLoan", "necessity": "optional"}


async def officer(house: Household) -> SessionFacts:
    opened = await passphrase.login(house.vault, "dpo", house.officer, house.clock())
    assert opened is not None
    return opened[1]


def about(house: Household, app: str = "cultuurgids", **more: Any) -> Question:
    today = house.clock().astimezone(UTC).date()
    return replace(Question(app, today - timedelta(days=30), today, WHY), **more)


async def asked(house: Household, app: str = "cultuurgids", **more: Any) -> Touched:
    return await look_up(house.vault, await officer(house), about(house, app, **more), house.clock())


async def reads(house: Household, **more: Any) -> bytes:
    granted = await house.grant(ALL_INTERESTS, **(ONGOING | more))
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)).status_code == 200
    return granted.id


async def comes_back(house: Household) -> None:
    """An logs in again, some days later."""
    opened = await passphrase.login(house.vault, "an", house.codes[1], house.clock())
    assert opened is not None
    house.cookie, house.session = opened


async def visits_of(house: Household, *names: str) -> None:
    """So many pods that Bo's agent came to."""
    for name in names:
        await enroll(house.vault, name, name, "citizen", name, None, house.clock())
        pod = house.vault.pod(name)
        assert pod is not None
        await house.vault.log.append(visit(house, pod.id))


async def test_the_pods_that_an_app_reached_come_with_their_days_and_how_often(house: Household) -> None:
    began = house.clock()
    granted = await house.grant(ALL_INTERESTS, LOANS, tick=["kluis:LibraryLoan"], **ONGOING)
    for _ in range(2):
        assert (await house.call("GET", "/api/records?category=pd:Interest", granted.access)).status_code == 200
    house.clock.forward(days=3)
    await comes_back(house)
    await reads(house)  # under another grant of hers
    await enroll(house.vault, "mia", "Mia", "citizen", "mia", None, house.clock())
    house.clock.forward(days=2)
    told = await asked(house, since=began.date())
    (row,) = told.rows
    assert (row.pod, row.first, row.last, row.count) == ("an", began.date(), date(2026, 11, 24), 3)
    assert set(row.categories) == {"pd:Interest", "kluis:LibraryLoan"}  # what it could read, opened or not
    assert (told.name, told.unreadable) == ("Cultuurgids", 0)
    only = (await asked(house, since=date(2026, 11, 22))).rows[0]
    assert (only.first, only.count) == (date(2026, 11, 24), 1)
    assert (await asked(house, since=date(2026, 11, 25), until=date(2026, 11, 26))).rows == ()


async def test_a_grant_that_ended_or_was_narrowed_still_tells_all_that_it_covered(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, LOANS, tick=["kluis:LibraryLoan"], **ONGOING)
    await house.call("GET", "/api/records?category=kluis:LibraryLoan", granted.access)
    assert await narrowing.narrow(house.vault, house.session, granted.id, ["pd:Interest"], house.clock())
    await house.withdraw(granted)
    (row,) = (await asked(house)).rows
    assert set(row.categories) == {"pd:Interest", "kluis:LibraryLoan"}


async def test_each_citizen_in_the_answer_reads_who_looked_her_up_and_why(house: Household) -> None:
    await reads(house)
    told = await asked(house, reference="2026-7")
    (row,) = told.rows
    line = house.told()[-1]
    assert (line["type"], line["action"], line["rule"]) == ("admin", "look up", "dpo")
    assert (line["client"], line["client_name"]) == ("cultuurgids", "Cultuurgids")
    assert (line["note"], line["count"]) == (f"{WHY} (2026-7)", 1)
    assert (line["purpose"], line["legal_basis"]) == ("dpv:EnforceSecurity", "eu-gdpr:A6-1-c")
    (kept,) = house.vault.db.read.find(Record, idx=row.entry)
    assert kept.pod == house.session.pod.id
    await house.vault.log.settle()
    assert {one.outcome for one in house.vault.db.read.find(Record) if one.idx in (row.entry, told.entry)} == {"served"}


async def test_the_office_reads_which_officer_asked_what_also_when_nobody_was_reached(house: Household) -> None:
    session = await officer(house)
    before = len(house.told())
    told = await look_up(house.vault, session, about(house), house.clock())
    with log_private(session) as private:
        line = views.lines(house.vault, session.pod, private)[-1].told
    assert (line["action"], line["agent"], line["note"], line["client"]) == ("look up", "dpo", WHY, "cultuurgids")
    assert told.rows == () and len(house.told()) == before  # who was not reached reads nothing


async def test_it_opens_no_content_and_no_record(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    await reads(house)
    session = await officer(house)
    await house.quiet()
    watching = watch(monkeypatch, str(house.vault.db.path))
    with closing(watching.database):
        told = await look_up(house.vault, session, about(house), house.clock())
        assert len(told.rows) == 1
        assert {kind for (kind, *_), _ in watching.seen} == {"state"}  # control data: whose grants and pods they are
        assert watching.faults == []


async def test_a_source_and_an_agent_are_looked_up_like_an_app(house: Household) -> None:
    assert (await house.call("PUT", NOTE, await house.jwt(), {"content-type": "text/plain"}, b"dag")).status_code == 201
    assert (await house.call("GET", NOTE, await bos_token(house))).status_code == 200
    assert (await deliver(house, loans("1"), {"pod": "an"}))[0].status_code == 200
    program = next(line["client"] for line in house.told() if line.get("agent") == BO)
    for who, pods in ((BO, ["an"]), (program, ["an", "bo"]), ("source-mijnbib", ["an"])):
        told = await asked(house, who)
        assert [(row.pod, row.count, row.categories) for row in told.rows] == [(pod, 1, ()) for pod in pods], who


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"reason": ""}, BadReason),
        ({"reason": " \n"}, BadReason),
        ({"reason": "x" * 501}, BadReason),
        ({"reason": "een\u202eknook"}, BadReason),
        ({"reference": "1\x00"}, BadReason),
        ({"reference": "x" * 81}, BadReason),
        ({"since": date(2026, 11, 22), "until": date(2026, 11, 21)}, BadDays),
        ({"until": date(2026, 11, 22)}, BadDays),
        ({"since": date(2025, 10, 1)}, BadDays),
        ({"app": "niemand"}, UnknownApp),
        ({"app": ""}, UnknownApp),
        ({"app": "http://localhost:8400/pods/niemand/profile/card#me"}, UnknownApp),
        ({"app": "http://localhost:8400/pods/"}, UnknownApp),
        ({"app": "https://elders.example/an#me"}, UnknownApp),
    ],
)
async def test_a_question_without_a_reason_a_period_or_a_known_app_is_refused_and_names_nobody(
    house: Household, changed: dict[str, Any], error: type[Exception]
) -> None:
    await reads(house)
    session = await officer(house)
    before = house.vault.log.shards.kept
    with pytest.raises(error):
        await look_up(house.vault, session, replace(about(house), **changed), house.clock())
    assert house.vault.log.shards.kept == before


async def test_nobody_but_the_dpo_looks_anybody_up(house: Household) -> None:
    await reads(house)
    with pytest.raises(Denied, match="role"):
        await look_up(house.vault, house.session, about(house), house.clock())


async def test_a_session_that_ended_is_told_nothing(house: Household) -> None:
    await reads(house)
    session = await officer(house)
    await sessions.end(house.vault, session, house.clock())
    with pytest.raises(Denied):
        await look_up(house.vault, session, about(house), house.clock())


def stop_after(monkeypatch: pytest.MonkeyPatch, good: int, how: Any) -> list[Intent]:
    """Let so many lines of a look-up be written; then `how` decides."""
    seen, real = list[Intent](), Log.append

    async def append(self: Log, intent: Intent) -> Any:
        if intent.facts.action != "look up":
            return await real(self, intent)
        seen.append(intent)
        return await (real(self, intent) if len(seen) <= good else how(intent))

    monkeypatch.setattr(Log, "append", append)
    return seen


async def test_without_every_line_in_the_log_there_is_no_answer_at_all(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visits_of(house, "bo", "mia", "noor")
    session = await officer(house)

    async def fails(_: Intent) -> None:
        raise LogUnavailable("not written: disk full")

    for good in range(4):  # the office's own line, then each citizen's
        with monkeypatch.context() as patch:
            stop_after(patch, good, fails)
            with pytest.raises(LogUnavailable):
                await look_up(house.vault, session, about(house, BO), house.clock())
    assert len((await look_up(house.vault, session, about(house, BO), house.clock())).rows) == 3


async def test_a_session_that_ends_midway_is_told_nothing(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    await visits_of(house, "bo", "mia", "noor")
    session = await officer(house)
    monkeypatch.setattr(touched, "PODS", 2)
    real = Log.append

    async def last(intent: Intent) -> Any:
        if not ended:
            ended.append(1)
            await sessions.end(house.vault, session, house.clock())
        return await real(house.vault.log, intent)

    ended = list[int]()
    stop_after(monkeypatch, 2, last)
    with pytest.raises(Denied):
        await look_up(house.vault, session, about(house, BO), house.clock())


async def test_a_pod_that_was_erased_meanwhile_is_not_in_the_answer(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    await visits_of(house, "bo", "mia")
    session, real, gone = await officer(house), touched._part, list[str]()

    def part(vault: Vault, *more: Any) -> Any:
        found = real(vault, *more)
        gone.extend(hit.pod.name for hit in found.hits)
        return found

    async def logged(vault: Vault, hits: Any, *more: Any) -> Any:
        mia = vault.pod("mia")
        if mia is not None:
            await erasure.erase(vault, mia, "operator", house.clock())
        return await honest(vault, hits, *more)

    honest = touched._logged
    monkeypatch.setattr(touched, "_part", part)
    monkeypatch.setattr(touched, "_logged", logged)
    told = await look_up(house.vault, session, about(house, BO), house.clock())
    assert set(gone) == {"bo", "mia"} and [row.pod for row in told.rows] == ["bo"]


async def test_a_grant_that_does_not_open_is_counted_and_hides_no_other(house: Household) -> None:
    spoilt, _ = await reads(house), await reads(house)
    await house.quiet()
    with closing(sqlite3.connect(house.vault.db.path)) as raw, raw:
        raw.execute("UPDATE grant SET sealed = x'01' || zeroblob(80) WHERE id = ?", (spoilt,))
    told = await asked(house)
    assert ([row.count for row in told.rows], told.unreadable) == ([1], 1)


async def test_many_pods_are_taken_in_parts_and_others_are_served_in_between(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"burger-{number}" for number in range(7)]
    await visits_of(house, *names, "bo")
    session = await officer(house)
    monkeypatch.setattr(touched, "PODS", 2)
    sizes, real, busy = list[int](), touched._logged, list[bool]()

    async def logged(vault: Vault, hits: Any, *more: Any) -> Any:
        sizes.append(len(hits))
        other = await house.http.get("/pods/an/profile/card")  # somebody else, in the middle
        busy.append(other.status_code == 200)
        return await real(vault, hits, *more)

    monkeypatch.setattr(touched, "_logged", logged)
    told = await look_up(house.vault, session, about(house, BO), house.clock())
    assert [row.pod for row in told.rows] == sorted([*names, "bo"])
    assert max(sizes) <= 2 and sum(sizes) == 8 and all(busy)
    entries = [row.entry for row in told.rows]
    assert len(set(entries)) == 8  # a line of its own for each


async def test_two_look_ups_at_once_each_leave_their_lines(house: Household) -> None:
    await visits_of(house, "bo", "mia")
    session = await officer(house)
    both = await asyncio.gather(
        *(look_up(house.vault, session, about(house, BO, reason=why), house.clock()) for why in ("een", "twee"))
    )
    assert len({row.entry for told in both for row in told.rows}) == 4


async def test_what_is_looked_up_is_no_visit_and_no_use(house: Household) -> None:
    grant = await reads(house)
    for _ in range(2):
        assert (await asked(house)).rows[0].count == 1
    assert house.vault.db.read.find(AgentUse) == [] and grant
    assert not house.vault.db.read.run("SELECT 1 FROM grantuse WHERE day > :day", day=_today(house))


def _today(house: Household) -> int:
    return (house.clock().date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days
