"""What the DPO's pages show: totals without a person, what stands out, and the answer to who was reached by an app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from web.pages.dutch import SMALLEST_CELL
from web.pages.logbook import Option


@dataclass(frozen=True)
class TotalRow:
    """One cell of the DPO's table. `allowed`: the decision of the counted entries; `lines`: how many entries; `count`:
    how many things or attempts these were about, None where the action is about none.
    """

    app: str
    purpose: str
    category: str
    action: str
    allowed: bool
    lines: int
    count: int | None = None


@dataclass(frozen=True)
class TotalPart:
    """The rows of one app for one purpose."""

    purpose: str
    rows: tuple[TotalRow, ...]


@dataclass(frozen=True)
class TotalGroup:
    """The rows of one app, by purpose."""

    app: str
    parts: tuple[TotalPart, ...]

    @property
    def rows(self) -> list[TotalRow]:
        """All of them."""
        return [row for part in self.parts for row in part.rows]

    @property
    def lines(self) -> int:
        """How many entries stand in the cells that are shown: the small ones cannot be worked out from a sum."""
        return sum(row.lines for row in self.rows if row.lines >= SMALLEST_CELL)

    @property
    def small(self) -> int:
        """How many cells are too small to be shown."""
        return sum(row.lines < SMALLEST_CELL for row in self.rows)


@dataclass(frozen=True)
class TotalsFilter:
    """Which totals were asked for: of an app (client id), purpose, category, decision, between two days (both in)."""

    client: str = ""
    purpose: str = ""
    category: str = ""
    decision: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """The same as a query, without what asks nothing."""
        days = {name: day.isoformat() for name, day in (("since", self.since), ("until", self.until)) if day}
        words = {"client": self.client, "purpose": self.purpose, "category": self.category, "decision": self.decision}
        return {name: word for name, word in words.items() if word} | days


@dataclass(frozen=True)
class Finding:
    """Something that stands out: what it is called, and a sentence or two."""

    title: str
    text: str


@dataclass(frozen=True)
class WatchPart:
    """How the log stands with its witnesses: `cosigning` of `names`, `needed` of them make a quorum.

    `alarm`: `quorum`, `rollback` or `fork`, "" for none; `since` when, `held` if no data goes out meanwhile.
    """

    names: tuple[str, ...]
    needed: int
    cosigning: int
    alarm: str = ""
    since: datetime | None = None
    held: bool = False


@dataclass(frozen=True)
class DpoPage:
    """`/dpo`: totals, no person. `opened`: DPO commitments recomputed for these totals, of `entries` in the log;
    `matched`: the entries that the shown rows stand for. `apps`, `purposes`, `categories`: what can be asked for;
    `known`: every app and source that can be looked up, between the days `oldest` and `today`.
    """

    groups: tuple[TotalGroup, ...]
    since: datetime
    until: datetime
    entries: int
    opened: int
    matched: int
    asked: TotalsFilter
    apps: tuple[Option, ...] = ()
    purposes: tuple[Option, ...] = ()
    categories: tuple[Option, ...] = ()
    known: tuple[Option, ...] = ()
    findings: tuple[Finding, ...] = ()
    checkpoint: str = "/log/checkpoint"
    watch: WatchPart | None = None
    today: date | None = None
    oldest: date | None = None


@dataclass(frozen=True)
class TouchedRow:
    """One pod that was reached: first and last day, how often, what its grants covered, the line of its own log."""

    pod: str
    first: date
    last: date
    count: int
    categories: tuple[str, ...]
    entry: int


@dataclass(frozen=True)
class TouchedPage:
    """The answer to who was reached by an app. `total`: how many pods, also those beyond what the page shows.

    `unreadable`: how many counters nobody could tell the app of.
    """

    app: str
    since: date
    until: date
    reason: str
    reference: str
    rows: tuple[TouchedRow, ...]
    total: int
    unreadable: int
