"""What stands out and what does not: each rule on a day that should be told and on days that should not."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from consent import anomalies, dormant
from consent.anomalies import CITY, Anomaly, Cell, cells, found
from tests.house import ALL_INTERESTS, Household
from vault.database import Tx
from vault.log import uses
from vault.tables import GrantUse

TODAY = datetime(2026, 11, 21, 12, tzinfo=CITY)
NOW = int(TODAY.timestamp()) // 3600
P = "dpv:ProvideEventRecommendations"


def hour(days: int, at: int) -> int:
    """The hour (since 1970) of a city clock, so many days ago."""
    moment = (TODAY - timedelta(days=days)).replace(hour=at)
    return int(moment.timestamp()) // 3600


def cell(when: int, entries: int, things: int | None = None, **more: Any) -> Cell:
    told = {"client": "gids", "purpose": P, "category": "pd:Interest", "action": "read", "allowed": True} | more
    return Cell(hour=when, entries=entries, things=entries if things is None else things, **told)


def month(entries: Iterable[int], at: int = 10, first: int = 28, **more: Any) -> list[Cell]:
    """One busy hour a day, from so many days ago."""
    return [cell(hour(first - number, at), count, **more) for number, count in enumerate(entries)]


def steady(at: int = 10, middle: int = 50, spread: int = 10, **more: Any) -> list[Cell]:
    random = Random(4)
    return month([middle + random.randint(-spread, spread) for _ in range(21)], at, **more)


def rules(told: list[Cell], **woken: int) -> list[str]:
    return [one.rule for one in found(told, woken, NOW)]


# ---------------------------------------------------------------- bulk reads at night


def test_a_bulk_read_at_night_is_told() -> None:
    (one,) = anomalies.night([cell(hour(1, 3), 2, 400), cell(hour(1, 4), 2, 500)], NOW)
    assert (one.rule, one.client, one.value, one.usual, one.hour) == ("night", "gids", 900, 0, hour(1, 3))


@pytest.mark.parametrize(
    "told",
    [
        [cell(hour(1, 14), 2, 900)],  # by day
        [cell(hour(1, 6), 2, 900)],  # the morning begins at six
        [cell(hour(1, 3), 2, 199)],  # not much
        [cell(hour(9, 3), 2, 900)],  # long ago
        [cell(hour(1, 3), 2, 900, allowed=False)],  # it got nothing
        [cell(hour(1, 3), 2, 900, client="")],  # people and the vault themselves
        [cell(hour(1, 3), 2, 900, action="append")],  # a delivery
        [cell(hour(days, 3), 2, 800 + days) for days in range(20)],  # every night the same
    ],
)
def test_what_is_no_bulk_read_at_night_is_not_told(told: list[Cell]) -> None:
    assert anomalies.night(told, NOW) == []


def test_a_night_far_above_the_apps_own_nights_is_told() -> None:
    usual = [cell(hour(days, 3), 2, 250) for days in range(2, 20)]
    (one,) = anomalies.night([*usual, cell(hour(0, 2), 9, 2000)], NOW)
    assert (one.value, one.usual) == (2000, 250)


@pytest.mark.parametrize("at", [0, 5])
def test_the_night_is_the_citys_also_in_summer(at: int) -> None:
    summer = datetime(2026, 7, 10, at, tzinfo=CITY)
    when = int(summer.timestamp()) // 3600
    assert datetime.fromtimestamp(when * 3600, UTC).hour == (at - 2) % 24
    assert anomalies.night([cell(when, 1, 500)], when + 5)


# ---------------------------------------------------------------- spikes


def test_a_spike_against_the_apps_own_past_is_told_with_what_is_usual() -> None:
    (one,) = anomalies.spikes([*steady(), cell(hour(0, 11), 400)], NOW)
    assert (one.rule, one.value, one.hour) == ("spike", 400, hour(0, 11)) and 40 <= one.usual <= 60


def test_one_odd_hour_of_the_past_does_not_hide_the_next() -> None:
    odd = [*steady(), cell(hour(9, 15), 5_000), cell(hour(8, 15), 5_000)]
    assert [one.value for one in anomalies.spikes([*odd, cell(hour(0, 11), 400)], NOW)] == [400]


@pytest.mark.parametrize(
    "told",
    [
        [*steady(), cell(hour(0, 11), 100)],  # a busy hour
        [*steady(middle=3, spread=2), cell(hour(0, 11), 29)],  # a small app with a good day
        [cell(hour(0, 11), 400)],  # a new app: nothing is known of it
        [*steady(), cell(hour(0, 11), 400, client="ander")],  # each is compared with itself
        [*steady(), cell(hour(0, 11), 400, allowed=False)],  # refusals have a rule of their own
        [*steady(), cell(hour(0, 11), 400, client="")],
        [*month([50] * 9, first=28), cell(hour(9, 11), 400)],  # more than a week ago
        month([50] * 28),  # the same each day, to the entry
    ],
)
def test_what_is_no_spike_is_not_told(told: list[Cell]) -> None:
    assert anomalies.spikes(told, NOW) == []


def test_an_hour_to_come_is_not_judged() -> None:
    assert anomalies.spikes([*steady(), cell(NOW + 1, 400)], NOW) == []


# ---------------------------------------------------------------- purpose drift


def test_a_category_that_an_app_did_not_touch_for_a_month_is_told() -> None:
    (one,) = anomalies.drift([*steady(), cell(hour(2, 9), 7, category="kluis:LibraryLoan")], NOW)
    assert (one.client, one.category, one.purpose, one.value) == ("gids", "kluis:LibraryLoan", P, 7)
    assert one.hour == hour(2, 9)


@pytest.mark.parametrize(
    "told",
    [
        [cell(hour(2, 9), 7, category="kluis:LibraryLoan")],  # a new app: all is new
        [*month([1] * 4), cell(hour(2, 9), 7, category="kluis:LibraryLoan")],  # hardly known
        [*steady(), *(cell(hour(days, 9), 7, category="kluis:LibraryLoan") for days in (20, 2))],
        [*steady(), cell(hour(2, 9), 7, category="kluis:LibraryLoan", allowed=False)],
        [*steady(), cell(hour(2, 9), 7, category="")],
    ],
)  # fmt: skip
def test_what_is_no_drift_is_not_told(told: list[Cell]) -> None:
    assert anomalies.drift(told, NOW) == []


def test_a_category_used_longer_ago_than_the_month_counts_as_new() -> None:
    old = cell(hour(50, 9), 9, category="kluis:LibraryLoan")
    assert anomalies.drift([*steady(), old, cell(hour(2, 9), 7, category="kluis:LibraryLoan")], NOW)


# ---------------------------------------------------------------- denial bursts


def test_a_burst_of_refusals_is_told_also_of_nobody_and_also_of_a_new_app() -> None:
    told = [cell(hour(0, 9), 1, 60, allowed=False, client=""), cell(hour(0, 9), 70, allowed=False)]
    assert [(one.client, one.value) for one in anomalies.denials(told, NOW)] == [("", 60), ("gids", 70)]


@pytest.mark.parametrize(
    "told",
    [
        [cell(hour(0, 9), 1, 49, allowed=False, client="")],
        [cell(hour(9, 9), 1, 490, allowed=False)],
        [cell(hour(0, 9), 490)],
        [*steady(middle=60, allowed=False), cell(hour(0, 9), 90, allowed=False)],  # a clumsy app, as always
    ],
)
def test_what_is_no_burst_is_not_told(told: list[Cell]) -> None:
    assert anomalies.denials(told, NOW) == []


# ---------------------------------------------------------------- all of them


def test_an_ordinary_month_of_many_apps_tells_nothing() -> None:
    random = Random(5)
    apps = [f"app-{number}" for number in range(20)]
    told = [
        cell(hour(days, at), random.randint(20, 60), random.randint(20, 150), client=app)
        for app in apps
        for days in range(28)
        for at in (9, 13, 19)
        if hour(days, at) <= NOW
    ]
    assert found(told, {}, NOW) == ()


def test_each_rule_is_in_the_list_and_an_app_stands_once_under_a_rule() -> None:
    told = [*steady(), *steady(at=16), cell(hour(0, 11), 400), cell(hour(1, 11), 500), cell(hour(1, 3), 1, 900),
            cell(hour(2, 9), 7, category="kluis:Card"), cell(hour(0, 9), 90, allowed=False)]  # fmt: skip
    assert rules(told, gids=3) == ["night", "spike", "drift", "dormant", "denials"]
    assert [one.value for one in anomalies.spikes(told, NOW)] == [500]  # the worst of them


def test_a_count_below_five_is_never_shown() -> None:
    assert [Anomaly("dormant", "gids", count).shown for count in (1, 4, 5)] == [None, None, 5]


def test_records_are_summed_by_hour_and_not_by_person() -> None:
    record = {"hour": 5, "client": "gids", "purpose": P, "legal_basis": "b", "category": "pd:Interest",
              "action": "read", "decision": "allowed", "count": 3}  # fmt: skip
    denied = record | {"decision": "denied", "count": 0}
    told = cells([record, record, denied])
    assert [(one.allowed, one.entries, one.things) for one in told] == [(True, 2, 6), (False, 1, 1)]


# ---------------------------------------------------------------- dormant grants


async def used(house: Household, *ago: int) -> None:
    """A grant of An's that was used so many days ago."""
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    today = uses.day_of(house.clock())

    def write(tx: Tx) -> None:
        for days in ago:
            tx.add(GrantUse(gate=granted.id, day=today - days, count=1))
        tx.run("UPDATE grant SET created = created - 300 * 86400000 WHERE id = :id", id=granted.id)

    await house.vault.db.write(write)


@pytest.mark.parametrize(
    ("ago", "woken"),
    [
        ((2, 120), 1),
        ((2, 200, 98), 1),
        ((6,), 1),  # given long ago, used for the first time now
        ((2, 40), 0),  # it never slept
        ((2, 97), 0),
        ((20, 150), 0),  # not in use now
        ((), 0),
    ],
)
async def test_a_grant_that_slept_and_is_used_again_is_counted_for_its_app(
    house: Household, ago: tuple[int, ...], woken: int
) -> None:
    await used(house, *ago)
    assert dormant.woken(house.vault, house.clock()).get("cultuurgids", 0) == woken


async def test_a_new_grant_never_slept_and_a_persons_own_program_is_nobodys_app(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)
    await house.call("GET", "/pods/an/profile/card", await house.jwt())
    await house.quiet()
    await house.vault.db.write(
        lambda tx: tx.run("UPDATE grant SET created = 0 WHERE id <> :id", id=granted.id)  # the program's is old
    )
    assert dormant.woken(house.vault, house.clock()) == {}


async def test_a_grant_that_does_not_open_hides_no_other(house: Household) -> None:
    await used(house, 2, 120)
    await house.vault.db.write(lambda tx: tx.run("UPDATE grant SET sealed = x'00'"))
    await used(house, 2, 120)
    assert dormant.woken(house.vault, house.clock()) == {"cultuurgids": 1}
