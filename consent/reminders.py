"""What a citizen is reminded of (consent.md, U11): pure, over her grants, when each was last used, and the time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

Kind = Literal["unused", "ending", "periodic"]

EVERY: Final = timedelta(days=90)
"""How often a grant that goes on is shown again; and how long one may lie unused before closing it is proposed."""
SHOWN: Final = timedelta(days=14)
"""How long a periodic reminder stands, and how long before its end a grant is said to end."""
LATE: Final = 4
"""A short grant is said to end in the last quarter of its time, not from the start."""


@dataclass(frozen=True, slots=True)
class Held:
    """A live grant: when it was last decided about, when it ends, when it was last used (ms), None for never."""

    id: bytes
    decided: int
    expires: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Reminder:
    """What there is to say about a grant: `unused` proposes to close it; at most one a grant, the most useful."""

    grant: bytes
    kind: Kind


def due(grants: Iterable[Held], now: datetime) -> tuple[Reminder, ...]:
    """The reminders that stand now, in the order of the grants."""
    found = ((grant, _kind(grant, int(now.timestamp() * 1000))) for grant in grants)
    return tuple(Reminder(grant.id, kind) for grant, kind in found if kind is not None)


def _kind(grant: Held, now: int) -> Kind | None:
    every, shown = _ms(EVERY), _ms(SHOWN)
    if now >= grant.expires:
        return None
    if now - max(grant.decided, grant.last or 0) >= every:
        return "unused"
    if grant.expires - now <= min(shown, (grant.expires - grant.decided) // LATE):
        return "ending"
    age = now - grant.decided
    return "periodic" if age >= every and age % every < shown else None


def _ms(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
