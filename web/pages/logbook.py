"""What the page of one's own log shows: its lines, what was asked of them, and the server's verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from vault.log.withheld import Count
from web.pages.dutch import local


@dataclass(frozen=True)
class LogLine:
    """One line of the pod's log: `seq` counts in this pod, `index` in the log of everybody; `outcome`: served, unknown,
    refused, or words to show as they are. `at` is None where nobody can read when it was.
    """

    seq: int
    index: int
    at: datetime | None
    who: str
    what: str
    why: str
    basis: str
    allowed: bool
    outcome: str
    count: int = 1


@dataclass(frozen=True)
class Verdict:
    """The server's own check of a pod's lines. `line`: seq of the first line that fails (None: the log as a whole).

    `waiting`: lines newer than the seal.
    """

    ok: bool
    checked: int
    line: int | None = None
    reason: str = ""
    waiting: int = 0


@dataclass(frozen=True)
class Option:
    """One choice of a list: what the form sends and what a person reads."""

    value: str
    label: str


@dataclass(frozen=True)
class LogFilter:
    """Which lines were asked for: of an app (client id), category or type, denials only, between two days (both in)."""

    app: str = ""
    category: str = ""
    kind: str = ""
    denied: bool = False
    since: date | None = None
    until: date | None = None

    @property
    def query(self) -> Mapping[str, str]:
        """The same as a query, without what asks nothing."""
        days = {name: day.isoformat() for name, day in (("since", self.since), ("until", self.until)) if day}
        words = {"app": self.app, "category": self.category, "kind": self.kind, "denied": "1" if self.denied else ""}
        return {name: word for name, word in words.items() if word} | days


@dataclass(frozen=True)
class LogPage:
    """`/me/log`: lines newest first. `size`: published entries of everybody. `count`: how many lines of hers there are,
    and how many are not shown. `older`: local address of the next page, "" at the end. `apps`, `categories` and
    `kinds` are what can be asked for.
    """

    lines: tuple[LogLine, ...]
    origin: str
    size: int
    count: Count
    verdict: Verdict | None = None
    older: str = ""
    asked: LogFilter = field(default_factory=LogFilter)
    apps: tuple[Option, ...] = ()
    categories: tuple[Option, ...] = ()
    kinds: tuple[Option, ...] = ()

    @property
    def days(self) -> list[tuple[date | None, list[LogLine]]]:
        """The lines per city day, in the order given; one that nobody can read stands with the readable one before it,
        or, where there is none, with the first after it. The day is None where no line can be read.
        """
        last = next((local(line.at).date() for line in self.lines if line.at), None)
        placed: list[tuple[date | None, LogLine]] = []
        for line in self.lines:
            last = local(line.at).date() if line.at else last
            placed.append((last, line))
        grouped = groupby(placed, key=lambda one: one[0])
        return [(day_, [line for _, line in lines]) for day_, lines in grouped]
