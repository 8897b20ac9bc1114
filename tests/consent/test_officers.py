"""An officer who left: what she kept opens nothing that comes after, and nobody but another officer takes her out."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from consent import report
from consent.accounts import officers, passphrase, people, sessions, ways
from consent.accounts.people import Newcomer, enroll, found_office
from consent.accounts.sessions import SessionFacts, log_private
from keys.unlock import new_code, read_code
from tests.conftest import BASE, Clock
from vault import unlocked
from vault.errors import Denied
from vault.log import views
from vault.log.entry import Facts
from vault.pod import NewUnlocker
from vault.tables import Unlocker
from vault.vault import Vault
from web.app import House, create
from web.recommending import Recommender
from web.settings import Settings

Officer = tuple[str, SessionFacts]


async def office(vault: Vault, clock: Clock) -> tuple[Officer, Officer, list[people.Enrolled]]:
    made = await found_office(vault, [Newcomer("dirk", "Dirk"), Newcomer("els", "Els")], clock())
    found = [
        await passphrase.login(vault, one, two.codes[0], clock())
        for one, two in zip(("dirk", "els"), made, strict=True)
    ]
    assert found[0] is not None and found[1] is not None
    return found[0], found[1], made


async def total(vault: Vault, session: SessionFacts, clock: Clock) -> tuple[int, int]:
    told = await report.totals(vault, session, clock())
    return told.opened, told.entries


async def test_an_officer_who_left_opens_nothing_any_more_and_the_totals_stay_complete(
    vault: Vault, clock: Clock
) -> None:
    dirk, (cookie, _), made = await office(vault, clock)
    root = {row.id: row.sealed for row in vault.db.read.find(Unlocker)}
    await officers.remove(vault, dirk[1], "els", clock())
    for code in made[1].codes:
        assert await passphrase.login(vault, "els", code, clock()) is None
    assert sessions.find(vault, cookie, clock()) is None and people.find(vault, "els") is None
    left = {row.id: row.sealed for row in vault.db.read.find(Unlocker)}
    assert len(left) == 2 and all(root[way] != sealed for way, sealed in left.items())  # another root lies in them
    goes_on = sessions.find(vault, dirk[0], clock())
    assert goes_on is not None
    opened, entries = await total(vault, goes_on, clock)
    assert opened == entries
    with log_private(goes_on) as private:
        told = [line.told for line in views.lines(vault, goes_on.pod, private)]
    begun = max(i for i, line in enumerate(told) if line["action"] == "login" and line["type"] == "key event")
    lines = [(line["type"], line["action"]) for line in told[begun + 1 :] if line["type"] != "access"]
    out = [("key event", "open root"), ("key event", "remove unlocker")] * 2
    fails = [("unlock", "login"), ("denial", "login")] * 2
    new = [
        ("key event", "open root"),
        ("key event", "new root"),
        ("key event", "open root"),
        ("key event", "new generation"),
    ]
    assert lines[: len(out) + 1] == [*out, ("key event", "logout elsewhere")]
    assert [line for line in lines[len(out) + 1 :] if line != ("key event", "new generation")] == [
        *new[:3], ("admin", "remove officer"), *fails, ("admin", "read totals")
    ]  # fmt: skip
    assert next(line["note"] for line in told if line["action"] == "remove officer") == "els"


async def test_the_roots_of_before_and_after_are_not_the_same(vault: Vault, clock: Clock) -> None:
    dirk, els, _ = await office(vault, clock)
    facts = Facts("key event", "open root", rule="new root")
    async with unlocked.root(vault, els[1], facts, clock()) as kept:
        before = bytes(kept.view())
    await officers.remove(vault, dirk[1], "els", clock())
    goes_on = sessions.find(vault, dirk[0], clock())
    assert goes_on is not None and goes_on.pod.box != dirk[1].pod.box
    async with unlocked.root(vault, goes_on, facts, clock()) as root:
        assert bytes(root.view()) != before


async def test_broken_off_it_is_finished_the_second_time(
    vault: Vault, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dirk, _, _ = await office(vault, clock)

    async def broken(*_: object) -> None:
        raise Denied("broken off")

    with monkeypatch.context() as patch:
        patch.setattr(officers.locks, "change_all", broken)
        with pytest.raises(Denied):
            await officers.remove(vault, dirk[1], "els", clock())
    assert [one.user for one in officers.others(vault, dirk[1])] == ["els"]
    await officers.remove(vault, dirk[1], "els", clock())
    assert officers.others(vault, dirk[1]) == []


async def test_nobody_else_takes_an_officer_out_and_no_office_is_left_without_two_ways_in(
    vault: Vault, clock: Clock
) -> None:
    dirk, _, _ = await office(vault, clock)
    an = await enroll(vault, "an", "An", "citizen", "an", None, clock())
    hers = await passphrase.login(vault, "an", an.codes[0], clock())
    assert hers is not None
    for session, user in ((hers[1], "els"), (dirk[1], "an"), (dirk[1], "dirk"), (dirk[1], "niemand")):
        with pytest.raises(Denied, match="gone"):
            await officers.remove(vault, session, user, clock())
    assert people.find(vault, "els") and people.find(vault, "an")


async def test_the_page_shows_colleagues_and_takes_one_out_after_a_fresh_proof(
    vault: Vault, clock: Clock, tmp_path: Path
) -> None:
    (cookie, session), _, made = await office(vault, clock)
    house = House(vault, Settings(data=tmp_path, base_url=BASE), clock, Recommender(tmp_path / "ask.sock"))
    transport = httpx.ASGITransport(create(house, clockwork=False))
    headers = {"cookie": f"kluis={cookie}", "sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        page = (await http.get("/me/security", headers=headers)).text
        assert re.findall(r'name="officer" value="([^"]+)"', page) == ["els"]
        form = {"csrf": session.csrf, "officer": "els"}
        there = "/me/security/officers/remove"
        wrong = await http.post(there, data=form | {"proof": made[1].codes[0]}, headers=headers)
        assert "failed=proof" in wrong.headers["location"] and people.find(vault, "els")
        done = await http.post(there, data=form | {"proof": made[0].codes[0]}, headers=headers)
        assert "done=officer" in done.headers["location"] and people.find(vault, "els") is None


async def test_a_way_in_that_the_leaver_adds_meanwhile_is_not_left_to_her(
    vault: Vault, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    dirk, els, _ = await office(vault, clock)
    code, ending = new_code(), sessions.end_of

    async def late(*asked: Any) -> None:
        if not added:
            added.append(NewUnlocker("recovery", "", read_code(code)))
            await ways.add(vault, els[1], added[0], clock())
        await ending(*asked)

    added = list[NewUnlocker]()
    monkeypatch.setattr(officers.sessions, "end_of", late)
    with pytest.raises(Denied, match="changed"):
        await officers.remove(vault, dirk[1], "els", clock())
    again = sessions.find(vault, dirk[0], clock())
    assert again is not None
    await officers.remove(vault, again, "els", clock())
    assert added and added[0].id not in {row.id for row in vault.db.read.find(Unlocker)}
    assert await passphrase.login(vault, "els", code, clock()) is None
