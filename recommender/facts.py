"""What is publicly known of every entry, as arrays: when and where it is, and whether that hour makes sense."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from recommender.catalogue import Entry

Floats = NDArray[np.float64]
CITY = ZoneInfo("Europe/Brussels")
HOURS = {"exhibition": (9, 21), "tour": (9, 21), "talk": (9, 22), "film": (9, 23), "stage": (10, 23),
         "concert": (10, 24), "event": (7, 24)}  # fmt: skip
"""Local hours from which and before which something of each medium plausibly begins."""
PLACES = {
    "2000": (51.218, 4.401), "2018": (51.203, 4.412), "2020": (51.189, 4.390), "2030": (51.261, 4.391),
    "2040": (51.331, 4.310), "2050": (51.223, 4.378), "2060": (51.229, 4.425), "2100": (51.221, 4.463),
    "2140": (51.214, 4.443), "2150": (51.213, 4.496), "2170": (51.250, 4.446), "2180": (51.286, 4.429),
    "2600": (51.193, 4.431), "2610": (51.168, 4.393), "2660": (51.174, 4.379),
}  # fmt: skip
"""Middles of the city's postal codes, degrees north and east, to about a hundred metres."""


@dataclass(frozen=True)
class Facts:
    """One number an entry: `start` and `last` as day numbers (NaN: always there), `plausible` 1 or 0, `weekend` 1 for
    a Friday evening to Sunday, `north` and `east` in degrees (NaN: nowhere known).
    """

    book: Floats
    work: Floats
    age: Floats
    breadth: Floats
    start: Floats
    last: Floats
    plausible: Floats
    weekend: Floats
    north: Floats
    east: Floats
    outdoor: Floats


def facts(entries: Sequence["Entry"]) -> Facts:
    """Describe entries in their order."""
    moments = [_moment(entry.start) for entry in entries]
    places = [PLACES.get(entry.postcode, (np.nan, np.nan)) for entry in entries]
    return Facts(
        book=_row(entry.medium == "book" for entry in entries),
        work=_row(entry.medium == "work" for entry in entries),
        age=_row(2000 - entry.year for entry in entries),
        breadth=_row(len(entry.topics) for entry in entries),
        start=_row(_day(entry.start) for entry in entries),
        last=_row(_day(entry.last or entry.start) for entry in entries),
        plausible=_row(_plausible(entry.medium, m) for entry, m in zip(entries, moments, strict=True)),
        weekend=_row(m is not None and (m.weekday() > 4 or (m.weekday() == 4 and m.hour >= 17)) for m in moments),
        north=_row(place[0] for place in places),
        east=_row(place[1] for place in places),
        outdoor=_row(entry.outdoor for entry in entries),
    )


def kilometres(district: str, north: Floats, east: Floats) -> Floats:
    """Distance from the middle of a district, as the crow flies; NaN where either is unknown."""
    here = PLACES.get(district, (np.nan, np.nan))
    return np.asarray(np.hypot((north - here[0]) * 111.2, (east - here[1]) * 69.7))


def _row(values: Iterable[float]) -> Floats:
    return np.fromiter(values, dtype=np.float64)


def _day(text: str) -> float:
    try:
        return float(date.fromisoformat(text[:10]).toordinal())
    except ValueError:
        return float("nan")


def _moment(text: str) -> datetime | None:
    """The local moment of an instant; None for a day without a time."""
    try:
        moment = datetime.fromisoformat(text) if len(text) > 10 else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else moment.astimezone(CITY)


def _plausible(medium: str, moment: datetime | None) -> bool:
    first, end = HOURS.get(medium, (0, 24))
    return moment is None or first <= moment.hour < end
