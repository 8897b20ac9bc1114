"""A flood of logins ends at a queue that is told to be full, alike for every name, and holds up nobody else."""

import asyncio
from typing import Any

import pytest

from consent import locks
from consent.accounts import passphrase, tries
from consent.accounts.seats import Seat
from consent.accounts.turns import Turns
from consent.errors import Busy
from keys.secret import Seed
from keys.text import b64
from keys.unlock import Stretch
from tests.house import ALL_INTERESTS, Household
from vault.errors import Denied
from vault.log.entry import Intent


async def later(turns: Turns, done: list[int], number: int) -> None:
    async with turns.turn():
        await asyncio.sleep(0)
        done.append(number)


async def test_turns_come_one_at_a_time_in_order_and_one_too_many_is_told_so() -> None:
    turns, done = Turns(3), list[int]()
    found = await asyncio.gather(*(later(turns, done, n) for n in range(6)), return_exceptions=True)
    assert done == [0, 1, 2, 3] and [type(one) for one in found[4:]] == [Busy, Busy]
    await later(turns, done, 9)
    assert done[-1] == 9


@pytest.mark.parametrize("late", [False, True], ids=["while it waits", "when its turn has come"])
async def test_who_goes_away_holds_up_nobody(late: bool) -> None:
    turns, done, go = Turns(3), list[int](), asyncio.Event()

    async def first() -> None:
        async with turns.turn():
            await go.wait()

    begun = asyncio.create_task(first())
    await asyncio.sleep(0)
    leaves, stays = (asyncio.create_task(later(turns, done, n)) for n in (1, 2))
    await asyncio.sleep(0)
    go.set()
    if late:
        await begun
    leaves.cancel()
    await asyncio.wait_for(stays, 1)
    assert done == [2] and leaves.cancelled()
    await asyncio.wait_for(later(turns, done, 3), 1)


async def test_a_full_queue_answers_alike_for_every_name_and_leaves_codes_and_withdrawing_alone(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted, go = await house.grant(ALL_INTERESTS), asyncio.Event()

    async def slow(_: str, __: Stretch) -> Seed:
        await go.wait()
        return Seed.fresh()

    monkeypatch.setattr(passphrase, "LOGINS", Turns(2))
    monkeypatch.setattr(passphrase, "_stretched", slow)
    waiting = [asyncio.create_task(enters(house, name, "zeven groene fietsen")) for name in ("an", "niemand", "bo")]
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(passphrase.LOGINS._waiting) == 2
    await house.vault.db.write(lambda _: None)  # the one whose turn it is has been counted
    tries = len(house.vault.db.read.run("SELECT * FROM throttle"))
    for name in ("an", "niemand"):
        with pytest.raises(Busy):
            await enters(house, name, "zeven groene fietsen")
    assert len(house.vault.db.read.run("SELECT * FROM throttle")) == tries  # nothing was tried, nothing is counted
    assert await enters(house, "an", house.codes[0]) is not None
    assert (await house.press(f"/me/access/{b64(granted.id)}/withdraw")).status_code == 303
    go.set()
    assert await asyncio.gather(*waiting) == [None] * 3


async def test_an_address_that_rests_takes_nobody_s_turn_whatever_name_it_says(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    stretched, stretch = list[str](), passphrase._stretched

    async def counted(secret: str, costs: Stretch) -> Seed:
        stretched.append(secret)
        return await stretch(secret, costs)

    monkeypatch.setattr(passphrase, "_stretched", counted)
    monkeypatch.setattr(tries, "FREE_HERE", 0)
    seat, full = Seat(address="203.0.113.9"), Turns(0)
    monkeypatch.setattr(passphrase, "LOGINS", full)
    for name in ("niemand", "an", "niemand", "bo"):
        assert await passphrase.login(house.vault, name, "zeven groene fietsen", house.clock(), seat) is None
        full._taken = True  # somebody else's turn from here on, and nobody may wait
    assert len(stretched) == 1  # before it rested
    with pytest.raises(Busy):
        await enters(house, "an", "zeven groene fietsen")


async def enters(house: Household, user: str, secret: str) -> Any:
    return await passphrase.login(house.vault, user, secret, house.clock())


async def test_the_page_says_to_come_back_in_a_moment(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Turns):
        def turn(self) -> Any:
            raise Busy("full")

    monkeypatch.setattr(passphrase, "LOGINS", Full())
    page = await house.http.get("/login")
    token = page.text.partition('name="csrf" value="')[2].partition('"')[0]
    fields = {"csrf": token, "user": "an", "passphrase": "zeven groene fietsen"}
    headers = {"sec-fetch-site": "same-origin", "accept": "text/html"}
    answer = await house.http.post("/login", data=fields, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Wacht enkele seconden" in answer.text


@pytest.mark.parametrize("when", ["after the entry", "before the session"])
async def test_who_logs_in_while_all_locks_are_changed_is_told_to_try_again(
    house: Household, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    append, due = house.vault.log.append, {"after the entry": "unlock", "before the session": "key event"}[when]
    done = []

    async def racing(intent: Intent) -> Any:
        mine = (intent.facts.type, intent.facts.action) == (due, "login") and not done
        done.extend([when] if mine else [])
        found = await append(intent) if not mine or due == "unlock" else None
        if mine:
            await locks.change_all(house.vault, house.session, house.clock())
        return found or await append(intent)

    monkeypatch.setattr(house.vault.log, "append", racing)
    with pytest.raises(Denied) as denied:
        await enters(house, "an", house.codes[0])
    assert done == [when] and denied.value.reason == "changed"
    assert await enters(house, "an", house.codes[0]) is not None
