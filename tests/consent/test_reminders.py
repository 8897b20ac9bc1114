"""Reminders: every 90 days, before the end, and when a grant lay unused for 90 days."""

from datetime import UTC, datetime, timedelta

import pytest

from consent.reminders import Held, Reminder, due

GIVEN = datetime(2026, 1, 1, 12, tzinfo=UTC)
YEAR = GIVEN + timedelta(days=365)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def held(used: int | None = None, ends: datetime = YEAR) -> Held:
    return Held(b"g", ms(GIVEN), ms(ends), None if used is None else ms(GIVEN + timedelta(days=used)))


@pytest.mark.parametrize(
    ("day", "used", "kind"),
    [
        (0, None, None),
        (89, None, None),
        (90, None, "unused"),
        (90, 0, "unused"),
        (89, 80, None),
        (90, 80, "periodic"),
        (103, 100, "periodic"),
        (104, 100, None),
        (180, 179, "periodic"),
        (190, 100, "unused"),
        (270, 269, "periodic"),
        (350, 349, None),
        (351, 350, "ending"),
        (364, 363, "ending"),
        (365, 364, None),
    ],
)
def test_u11_what_a_citizen_is_reminded_of_on_a_day(day: int, used: int | None, kind: str | None) -> None:
    found = due([held(used)], GIVEN + timedelta(days=day))
    assert found == (() if kind is None else (Reminder(b"g", kind),))  # type: ignore[arg-type]


def test_a_short_grant_is_said_to_end_in_its_last_quarter() -> None:
    week = held(ends=GIVEN + timedelta(days=8))
    assert due([week], GIVEN + timedelta(days=5, hours=23)) == ()
    assert due([week], GIVEN + timedelta(days=6)) == (Reminder(b"g", "ending"),)


def test_the_very_second_counts() -> None:
    edge = GIVEN + timedelta(days=90)
    assert due([held()], edge - timedelta(milliseconds=1)) == ()
    assert due([held()], edge) == (Reminder(b"g", "unused"),)
