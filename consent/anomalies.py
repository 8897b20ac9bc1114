"""What stands out in the DPO's records: rules over counts per hour, app, purpose and category, none of them with a pod.

Values in, values out. Each rule looks at the last seven days; what is usual is what the same app did before. A finding
is a reason to look, not a verdict. Robust by median and MAD (median absolute deviation): one odd hour of the past does
not hide the next one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import median
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

Rule = Literal["night", "spike", "drift", "dormant", "denials"]

CITY: Final = ZoneInfo("Europe/Brussels")
RECENT_HOURS: Final = 7 * 24
PAST_HOURS: Final = 28 * 24
DRIFT_HOURS: Final = 30 * 24
NIGHT_ENDS: Final = 6
"""Hours of the city's clock: the night is from midnight to here."""
NIGHT_FEWEST: Final = 200
NIGHT_TIMES: Final = 4
SPIKE_FEWEST: Final = 30
DENIALS_FEWEST: Final = 50
KNOWN_HOURS: Final = 12
"""So many busy hours of the past must be known before one can be called unusual."""
KNOWN_ENTRIES: Final = 5
DEVIATIONS: Final = 6
MAD_TO_SIGMA: Final = 1.4826
SMALLEST: Final = 5
"""Below this a count is shown as "<5" and no more."""
READS: Final = frozenset({"read", "list", "export"})
Series = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one app did for one purpose with one category in one hour (since 1970): entries, and things or attempts."""

    hour: int
    client: str
    purpose: str
    category: str
    action: str
    allowed: bool
    entries: int
    things: int


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One finding: by which rule, about which app, in which hour (since 1970, None if about no single one).

    `value` is what was counted, `usual` what the same app did before (0 if nothing is known).
    """

    rule: Rule
    client: str
    value: int
    usual: int = 0
    hour: int | None = None
    category: str = ""
    purpose: str = ""

    @property
    def shown(self) -> int | None:
        """The count as anybody may see it: None where it is so small that it may point at one person."""
        return None if self.value < SMALLEST else self.value


def cells(records: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """DPO records summed per hour, app, purpose, category, action and decision."""
    sums: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    names = ("hour", "client", "purpose", "category", "action")
    for record in records:
        one = sums[(*(record[name] for name in names), record["decision"] == "allowed")]
        one[0] += 1
        one[1] += max(record["count"], 1)
    return [Cell(*key, *counted) for key, counted in sums.items()]


def found(told: Sequence[Cell], woken: Mapping[str, int], now: int) -> tuple[Anomaly, ...]:
    """Everything that stands out in the seven days up to the hour `now`, at most one finding a rule, app and category.

    `woken`: dormant grants in use again, per app.
    """
    return (*night(told, now), *spikes(told, now), *drift(told, now), *dormant(woken), *denials(told, now))


def night(told: Sequence[Cell], now: int) -> list[Anomaly]:
    """An app read a lot in one night, and far more than in its own earlier nights."""
    nights: defaultdict[str, defaultdict[date, int]] = defaultdict(lambda: defaultdict(int))
    begins: dict[date, int] = {}
    for cell in told:
        at = datetime.fromtimestamp(cell.hour * 3600, UTC).astimezone(CITY)
        if cell.client and cell.allowed and cell.action in READS and at.hour < NIGHT_ENDS and cell.hour <= now:
            nights[cell.client][at.date()] += cell.things
            begins[at.date()] = min(cell.hour, begins.get(at.date(), cell.hour))
    odd = []
    for client, things in nights.items():
        for on, value in things.items():
            usual = int(median([n for other, n in things.items() if other < on] or [0]))
            if begins[on] > now - RECENT_HOURS and value >= NIGHT_FEWEST and value > NIGHT_TIMES * usual:
                odd.append(Anomaly("night", client, value, usual, begins[on]))
    return _worst(odd)


def spikes(told: Sequence[Cell], now: int) -> list[Anomaly]:
    """An app did far more in an hour than in its own busy hours of the four weeks before."""
    counted = _per_hour(told, lambda cell: cell.entries if cell.client and cell.allowed else 0)
    return _bursts("spike", counted, now, SPIKE_FEWEST, KNOWN_HOURS)


def denials(told: Sequence[Cell], now: int) -> list[Anomaly]:
    """Far more refusals in an hour than before; also of callers that no app stands behind, and also of new ones."""
    counted = _per_hour(told, lambda cell: 0 if cell.allowed else cell.things)
    return _bursts("denials", counted, now, DENIALS_FEWEST, 0)


def drift(told: Sequence[Cell], now: int) -> list[Anomaly]:
    """An app that was at work in the month before touches a category that it did not touch in all that month."""
    begin = now - RECENT_HOURS
    past = [cell for cell in told if cell.client and cell.allowed and begin - DRIFT_HOURS < cell.hour <= begin]
    busy: defaultdict[str, int] = defaultdict(int)
    for cell in past:
        busy[cell.client] += cell.entries
    known = {(cell.client, cell.category) for cell in past}
    new: defaultdict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    for cell in told:
        fresh = cell.category and cell.allowed and begin < cell.hour <= now
        if fresh and busy[cell.client] >= KNOWN_ENTRIES and (cell.client, cell.category) not in known:
            new[cell.client, cell.category, cell.purpose].append(cell)
    return [
        Anomaly("drift", client, sum(c.entries for c in those), 0, min(c.hour for c in those), category, purpose)
        for (client, category, purpose), those in sorted(new.items())
    ]


def dormant(woken: Mapping[str, int]) -> list[Anomaly]:
    """Grants that slept for months are in use again: how many of each app, never whose."""
    return [Anomaly("dormant", client, count) for client, count in sorted(woken.items()) if count]


def unusual(value: int, past: Sequence[int]) -> bool:
    """Whether a count is far above those of the past: six robust deviations, each at least a quarter of the median."""
    middle = median(past)
    spread = median([abs(one - middle) for one in past])
    return value > middle + DEVIATIONS * max(MAD_TO_SIGMA * spread, middle / 4, 1)


def _per_hour(told: Iterable[Cell], count: Callable[[Cell], int]) -> dict[str, Series]:
    sums: defaultdict[str, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for cell in told:
        if counted := count(cell):
            sums[cell.client][cell.hour] += counted
    return {client: dict(hours) for client, hours in sums.items()}


def _bursts(rule: Rule, counted: Mapping[str, Series], now: int, fewest: int, known: int) -> list[Anomaly]:
    odd = []
    for client, hours in counted.items():
        for hour, value in hours.items():
            if value < fewest or not now - RECENT_HOURS < hour <= now:
                continue
            past = [count for other, count in hours.items() if hour - PAST_HOURS <= other < hour]
            if len(past) >= known and unusual(value, past or [0]):
                odd.append(Anomaly(rule, client, value, int(median(past or [0])), hour))
    return _worst(odd)


def _worst(odd: Iterable[Anomaly]) -> list[Anomaly]:
    """The largest of each app."""
    largest: dict[str, Anomaly] = {}
    for one in odd:
        if one.client not in largest or one.value > largest[one.client].value:
            largest[one.client] = one
    return [largest[client] for client in sorted(largest)]
