"""The time in the log never goes back, over restarts too, and whoever moves the clock is told of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consent.accounts import passphrase, sessions
from tests.conftest import START
from tests.house import ALL_INTERESTS, Household
from tests.log.reopened import reopened
from vault.errors import Stale
from vault.log.entry import Facts, Intent, Refused

NOTED = Facts("access", "read", rule="session", category="pd:Interest")


async def noted(house: Household) -> dict[str, Any]:
    """Write one entry now and give its record."""
    await house.vault.log.append(Intent(house.session.pod.id, NOTED, house.clock()))
    return house.told()[-1]


async def test_a_clock_that_goes_back_gives_the_last_time_and_is_flagged(house: Household) -> None:
    before = await noted(house)
    house.clock.forward(minutes=-5)
    after = await noted(house)
    assert (after["time"], after["clock"]) == (before["time"], "behind")
    assert after["seq"] == before["seq"] + 1 and "clock" not in before
    page = await house.http.get("/me/log", headers={"cookie": f"kluis={house.cookie}"})
    assert page.text.count("klok van de server ging terug") == 1


async def test_requests_that_overtake_each_other_are_no_clock_that_goes_back(house: Household) -> None:
    before = await noted(house)
    house.clock.forward(seconds=-10)
    after = await noted(house)
    assert after["time"] == before["time"] and "clock" not in after


async def test_a_jump_forward_of_days_is_accepted_and_flagged(house: Household) -> None:
    before = await noted(house)
    house.clock.forward(days=3)
    after = await noted(house)
    assert (after["time"] - before["time"], after["clock"]) == (3 * 86_400_000, "ahead")
    house.clock.forward(days=2)
    assert "clock" not in await noted(house)


async def test_the_last_time_survives_a_restart_even_one_with_a_clock_set_back(
    house: Household, tmp_path: Path
) -> None:
    before = await noted(house)
    house.vault.close()
    house.clock.forward(days=-400)
    async with reopened(house, tmp_path) as again:
        after = await noted(again)
    assert (after["time"], after["clock"]) == (before["time"], "behind")


async def test_a_time_that_was_never_written_binds_nobody(house: Household) -> None:
    def stale(_: object) -> None:
        raise Stale("undone")

    before = await noted(house)
    later = house.clock() + timedelta(days=1)
    with pytest.raises(Stale):
        await house.vault.log.append(Intent(house.session.pod.id, NOTED, later, write=stale))
    after = await noted(house)
    assert after["time"] == before["time"] and "clock" not in after


async def test_setting_the_clock_back_does_not_bring_an_ended_gate_to_life(house: Household) -> None:
    for moment in (START + timedelta(days=30), START):
        house.clock.now = moment
        asked = Intent(house.session.pod.id, NOTED, house.clock(), (house.session.guard,))
        done = await house.vault.log.append(asked)
        assert isinstance(done, Refused) and done.reason == "expired"


async def test_a_withdrawal_works_and_bites_after_a_clock_that_ran_ahead_was_set_right(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    house.clock.forward(days=400)
    await house.vault.log.state(b"{}", house.clock())
    house.clock.forward(days=-400)
    await house.withdraw(granted)
    assert house.vault.shares.count("grant", granted.id) == 0
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)).status_code == 401


async def test_who_logs_in_while_the_log_is_ahead_of_a_clock_set_right_is_let_in(house: Household) -> None:
    house.clock.forward(days=400)
    await house.vault.log.state(b"{}", house.clock())
    house.clock.forward(days=-400)
    answer = await house.vault.log.append(Intent(house.session.pod.id, NOTED, house.clock(), (house.session.guard,)))
    assert isinstance(answer, Refused) and answer.reason == "expired"  # who was in before is not
    opened = await passphrase.login(house.vault, "an", house.codes[0], house.clock())
    assert opened is not None
    page = await house.http.get("/me/data/interests", headers={"cookie": f"kluis={opened[0]}"})
    assert page.status_code == 200 and "geheim" in page.text
    house.clock.forward(milliseconds=sessions.HARD_MS)
    assert sessions.find(house.vault, opened[0], house.clock()) is None  # and no longer than by the clock
