"""What the pages about the citizen's own pod show: her start page, and what lies in each compartment."""

from __future__ import annotations

from dataclasses import dataclass


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
    """`/me`. `surprise`: title of a personal suggestion, "" for none; `lines`: this pod's lines in the log."""

    name: str
    today: tuple[Reading, ...]
    grants: int
    drawers: tuple[Drawer, ...]
    lines: int
    surprise: str = ""


@dataclass(frozen=True)
class Compartment:
    """One compartment: registry label, family, container path in the pod, resources in it, apps that may read it."""

    label: str
    family: str
    path: str
    sealed: bool
    count: int
    apps: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataPage:
    """`/me/data`."""

    compartments: tuple[Compartment, ...]
    pod: str
