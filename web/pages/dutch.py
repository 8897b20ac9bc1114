"""How the pages write numbers, times and lists in Dutch. Times are aware and shown as city time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

CITY = ZoneInfo("Europe/Brussels")
SMALLEST_CELL = 5
"""Totals below this are shown as "<5": a small count can point at one person."""
MONTHS = (
    "januari", "februari", "maart", "april", "mei", "juni",
    "juli", "augustus", "september", "oktober", "november", "december",
)  # fmt: skip
WEEKDAYS = ("maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag")


def local(at: datetime) -> datetime:
    """An aware time as city time. Raises ValueError for a naive one: guessing a zone shifts a log by hours."""
    if at.tzinfo is None:
        raise ValueError("a page shows aware times only")
    return at.astimezone(CITY)


def midnight(at: datetime) -> datetime:
    """When the day of an aware time began in the city."""
    return local(at).replace(hour=0, minute=0, second=0, microsecond=0)


def iso(at: datetime) -> str:
    """The machine's form of a time, for the `datetime` attribute: 2026-11-21T08:12+01:00."""
    return local(at).isoformat(timespec="minutes")


def day(at: datetime | date, form: str = "") -> str:
    """21 november 2026; with form "weekday" zaterdag 21 november 2026, with "event" the same without its year."""
    on = local(at).date() if isinstance(at, datetime) else at
    text = f"{on.day} {MONTHS[on.month - 1]}"
    if form == "event":
        return f"{WEEKDAYS[on.weekday()]} {text}"
    return f"{WEEKDAYS[on.weekday()]} {text} {on.year}" if form == "weekday" else f"{text} {on.year}"


def clock(at: datetime) -> str:
    """A time of day: 8.12."""
    here = local(at)
    return f"{here.hour}.{here.minute:02}"


def number(value: int) -> str:
    """Thousands as Dutch writes them: 4.118.204."""
    return f"{value:,}".replace(",", ".")


def cell(count: int) -> str:
    """A total as the DPO may see it."""
    return f"<{SMALLEST_CELL}" if count < SMALLEST_CELL else number(count)


def listed(words: Sequence[str]) -> str:
    """An enumeration: a, b en c."""
    return " en ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
