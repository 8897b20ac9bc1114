"""A clock that jumps ahead binds nobody by mistake: no data is served until it is right or somebody says that it is."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from keys.text import b64
from tests.conftest import BASE, START, Clock
from tests.house import ALL_INTERESTS, Household
from tests.web import test_leaving
from tests.web.test_leaving import Place
from vault.log import times
from web.app import create, open_house
from web.cli import app
from web.timekeeper import JUMP, OFF, Timekeeper

place, served = test_leaving.place, test_leaving.served
A, ACCEPT = "/pods/an/interests/a.jsonld", "/api/operator/clock/accept"
DAYS = timedelta(days=400)


class Passed:
    """Seconds that really passed; they stand still until a test lets some pass."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def kept(last: datetime | None = None) -> tuple[Timekeeper, Clock, Passed]:
    clock, passed = Clock(), Passed()
    return Timekeeper(clock, passed, last), clock, passed


def test_time_that_passes_and_small_steps_are_believed() -> None:
    keeper, clock, passed = kept()
    for step, seconds in ((timedelta(days=3), 3 * 86_400.0), (JUMP, 0.0), (timedelta(hours=-2), 0.0)):
        clock.now += step
        passed.seconds += seconds
        assert (keeper(), keeper.doubt()) == (clock.now, "")


def test_a_jump_ahead_is_not_believed_and_time_goes_on_as_it_passes() -> None:
    keeper, clock, passed = kept()
    clock.now += DAYS
    passed.seconds += 60
    assert keeper() == START + timedelta(minutes=1) and "days ahead" in keeper.doubt()
    passed.seconds += 60
    assert keeper() == START + timedelta(minutes=2)
    clock.now = START + timedelta(minutes=2)
    assert (keeper(), keeper.doubt()) == (clock.now, "")


def test_what_somebody_accepted_is_believed_and_the_next_jump_is_not() -> None:
    keeper, clock, _ = kept()
    clock.now += DAYS
    assert keeper() == START
    keeper.accept()
    assert (keeper(), keeper.doubt()) == (START + DAYS, "")
    clock.now += JUMP + timedelta(seconds=1)
    assert keeper() == START + DAYS


@pytest.mark.parametrize(("off", "believed"), [(OFF, True), (OFF + timedelta(seconds=1), False)])
def test_a_start_believes_a_few_days_off_and_no_more(off: timedelta, believed: bool) -> None:
    keeper, _, _ = kept(START - off)
    assert (keeper.doubt() == "") is believed
    assert keeper() == (START if believed else START - off)


def test_a_clock_that_starts_far_behind_and_is_set_right_is_believed() -> None:
    keeper, clock, passed = kept(START)
    clock.now = datetime.fromtimestamp(0, START.tzinfo)
    assert keeper() == clock.now  # the log goes on at its last moment, as it always did
    passed.seconds += 30
    clock.now = START + timedelta(hours=5)
    assert (keeper(), keeper.doubt()) == (clock.now, "")


async def test_while_the_clock_is_not_believed_no_data_is_served_and_everything_else_is(house: Household) -> None:
    granted, stays = await house.grant(ALL_INTERESTS), await house.grant(ALL_INTERESTS)
    keeper, wall, _ = kept()
    wall.now = house.clock.now
    held = replace(house.house, clock=keeper, keeper=Timekeeper(wall, Passed(), house.clock.now))
    object.__setattr__(held, "clock", held.keeper)
    house.vault.log.doubt = held.keeper.doubt if held.keeper else str
    wall.now += DAYS
    transport = httpx.ASGITransport(create(held, clockwork=False))
    socket = httpx.ASGITransport(create(held, operator=True, clockwork=False))
    cookie = {"cookie": f"kluis={house.cookie}", "sec-fetch-site": "same-origin", "kluis-form": house.session.csrf}
    async with (
        httpx.AsyncClient(transport=transport, base_url=BASE) as world,
        httpx.AsyncClient(transport=socket, base_url=BASE) as operator,
    ):
        read = await world.get(A, headers=house.shown("GET", A, granted.access))
        assert (read.status_code, read.json()["type"]) == (503, "urn:kluis:problem:clock-ahead")
        assert (await world.get("/readyz")).json()["clock"].startswith("the clock is 400 days ahead")
        assert (await world.get("/api/log", headers=cookie)).json()["withheld"] == 0
        ended = await world.post(f"/api/grants/{b64(granted.id)}/withdraw", headers=cookie)
        assert ended.status_code == 200 and house.vault.shares.count("grant", granted.id) == 0
        assert house.told()[-1]["time"] < (START + timedelta(days=1)).timestamp() * 1000
        assert (await world.post(ACCEPT, headers=cookie)).status_code == 404
        assert (await operator.get("/api/operator/clock")).json()["ahead_seconds"] == DAYS.total_seconds()
        assert (await operator.post(ACCEPT)).json()["believed"]
        assert (await operator.post(ACCEPT)).json()["accepted_seconds"] == 0
        late = await world.get(A, headers=house.shown("GET", A, stays.access))
        assert late.status_code == 401  # 400 days later its grant is over
        assert (await world.get("/readyz")).status_code == 200


def test_the_log_of_a_directory_tells_how_late_it_was(tmp_path: Path, place: Place) -> None:
    assert times.last_in(tmp_path / "none") is None
    found = times.last_in(place.settings.vault_dir)
    assert found == START


def test_a_start_long_after_the_last_entry_serves_no_data_until_it_is_accepted(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.app.wall_clock", lambda: START + DAYS)
    house = open_house(place.settings, str(place.settings.custodian_uri))
    assert "days ahead" in house.vault.log.doubt() and house.clock() < START + timedelta(days=1)
    assert house.keeper
    house.keeper.accept()
    assert house.vault.log.doubt() == "" and house.clock() == START + DAYS
    house.vault.close()


def test_the_operator_sees_and_accepts_by_command(
    place: Place, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(test_leaving, "wall_clock", None)  # the machine's clock, held against the log
    monkeypatch.setattr("web.app.wall_clock", lambda: START + DAYS)
    request.getfixturevalue("served")
    where = ["--data", str(place.data), "--json"]
    seen = CliRunner().invoke(app, ["clock", "show", *where])
    assert seen.exit_code == 1 and json.loads(seen.stdout)["believed"] is False
    done = CliRunner().invoke(app, ["clock", "accept", *where])
    assert done.exit_code == 0 and json.loads(done.stdout)["believed"] is True
    assert CliRunner().invoke(app, ["clock", "show", *where]).exit_code == 0
