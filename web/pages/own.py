"""What the pages about the citizen's own pod show: her start page, and what lies in each compartment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Reading:
    """An app that read today, and what: registry words."""

    app: str
    what: tuple[str, ...]


@dataclass(frozen=True)
class Drawer:
    """One data family of the pod and how many live grants reach it."""

    label: str
    apps: int
    records: int


@dataclass(frozen=True)
class StartPage:
    """`/me`. `surprise`: title of a personal suggestion, "" for none; `lines`: this pod's lines in the log;
    `waiting`: requests to decide about; `reminders`: grants that she is reminded of.
    """

    name: str
    today: tuple[Reading, ...]
    grants: int
    drawers: tuple[Drawer, ...]
    lines: int
    surprise: str = ""
    waiting: int = 0
    reminders: int = 0


@dataclass(frozen=True)
class Compartment:
    """One compartment: what it is called, family, container path in the pod, resources in it, apps that may read it.
    `titles`: local address of the page that opens it, "" when it is empty.
    """

    label: str
    family: str
    path: str
    sealed: bool
    count: int
    apps: tuple[str, ...] = ()
    titles: str = ""


@dataclass(frozen=True)
class DataPage:
    """`/me/data`."""

    compartments: tuple[Compartment, ...]
    pod: str


@dataclass(frozen=True)
class Record:
    """One thing in a compartment: its title, since when it is there, and its own date, "" for none."""

    title: str
    since: datetime
    on: str = ""


@dataclass(frozen=True)
class RecordsPage:
    """`/me/data/{container}`: one page of what lies in a compartment, newest first. `count`: of all; `damaged`: how
    many of this page did not open. `newer`, `older`: local addresses of the pages beside it, "" for none.
    """

    label: str
    path: str
    count: int
    records: tuple[Record, ...]
    damaged: int = 0
    newer: str = ""
    older: str = ""
