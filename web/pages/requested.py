"""What the page about requests shows: those that wait for the citizen, and what apps may not ask again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class WaitingRequest:
    """A request to decide about. `address`: its consent page; `deferred`: she put it off; `here`: this session may
    answer it; `changes`: it is about a grant that she gave before; `fresh`: its app sent it and she never opened it.
    """

    app: str
    purpose: str
    at: datetime
    until: datetime
    address: str
    deferred: bool
    here: bool
    changes: bool
    fresh: bool = False


@dataclass(frozen=True)
class ClosedRequest:
    """What an app does not get to ask again. `until`: None for as long as she does not say otherwise."""

    id: str
    app: str
    purpose: str
    until: datetime | None


@dataclass(frozen=True)
class RequestsPage:
    """`/me/requests`. `reopened`: she just let an app ask again."""

    waiting: tuple[WaitingRequest, ...]
    closed: tuple[ClosedRequest, ...] = ()
    reopened: bool = False
