"""What the page about access shows: every grant of the citizen, live, paused or ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class GrantCard:
    """One live grant. `sees`: registry words of what it covers; `reads`: how often it read, `last_read`: when last.
    `receipt`: id of its proof, "" for none.
    """

    id: str
    app: str
    controller: str
    purpose: str
    legal_basis: str
    sees: tuple[str, ...]
    until: datetime
    reads: int
    last_read: datetime | None = None
    trusted: bool = False
    ending: bool = False
    receipt: str = ""


@dataclass(frozen=True)
class EndedGrant:
    """A grant that gives nothing any more. `state`: withdrawn, expired, used_up or invalidated."""

    app: str
    purpose: str
    state: str
    at: datetime
    reads: int
    receipt: str = ""


@dataclass(frozen=True)
class AccessPage:
    """`/me/access`. `stopped`: the app whose grant was withdrawn a moment ago, "" for none."""

    grants: tuple[GrantCard, ...]
    ended: tuple[EndedGrant, ...] = ()
    stopped: str = ""
