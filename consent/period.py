"""ISO 8601 durations (``P1Y``, ``P6M``, ``P0D``, ``PT5M``) applied to instants, by the calendar."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta

from consent.errors import BadPeriod

_FORM = re.compile(
    r"P(?=[0-9T])(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=[0-9])(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?"
)


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time: calendar months plus an exact rest."""

    months: int
    rest: timedelta

    def after(self, start: datetime) -> datetime:
        """The instant this long after ``start``; 31 January plus one month is the last day of February."""
        return _months(start, self.months) + self.rest

    def before(self, end: datetime) -> datetime:
        """The instant this long before ``end``."""
        return _months(end, -self.months) - self.rest


def read(text: str) -> Period:
    """Parse an ISO 8601 duration of whole numbers; raises ``BadPeriod``."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise BadPeriod("not an ISO 8601 duration")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    rest = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return Period(years * 12 + months, rest)


def _months(start: datetime, months: int) -> datetime:
    """``start`` moved by calendar months, at most to the last day of one; raises ``BadPeriod`` off the calendar."""
    index = start.year * 12 + start.month - 1 + months
    year, month = divmod(index, 12)
    if not 1 <= year <= 9999:
        raise BadPeriod("a duration beyond the calendar")
    return start.replace(year=year, month=month + 1, day=min(start.day, monthrange(year, month + 1)[1]))
