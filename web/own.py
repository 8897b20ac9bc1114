"""What the citizen's own pages share: which apps reach her, what they read, and how an address names her things."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse

from consent import events, grants
from consent.accounts import sessions
from consent.accounts.sessions import SessionFacts
from consent.grants import GrantFacts
from consent.holdings import Holding
from consent.oauth.clients import CREDENTIALS
from consent.reminders import Held, due
from keys.secret import Private
from keys.text import unb64
from vault.log.search import SCAN, Wanted, search
from vault.log.views import BEYOND
from vault.vault import UNDER_ROOT, PodFacts, Vault
from web import asking, guard
from web.pages.views import render

ROOMS: Final = {
    "public": "Je openbare map en je profiel",
    "settings": "Je instellingen",
    "inbox": "Je postvak",
}
READS: Final = frozenset({"read", "list"})
NO_STORE: Final = {"cache-control": "no-store"}
FAMILIES: Final = {
    "personal": "Over jou",
    "interests": "Interesses",
    "preferences": "Voorkeuren",
    "transactions": "Leningen en tickets",
    "behaviour": "Antwoorden",
}


def page(name: str, shown: object, session: SessionFacts, status: int = 200) -> HTMLResponse:
    """A page of somebody who is logged in; no cache keeps it."""
    text = render(name, shown, person=session.name, user=session.user, role=session.role, csrf=session.csrf)
    return HTMLResponse(text, status, headers=NO_STORE)


def live(vault: Vault, session: SessionFacts, now: datetime) -> list[GrantFacts]:
    """Her grants that give something right now."""
    return [one for one in grants.listing(vault, session.pod) if grants.state_at(one, now) == "live"]


def reminders(vault: Vault, given: list[GrantFacts], now: datetime) -> dict[bytes, str]:
    """What there is to remind her of, by grant (consent.md, U11)."""
    live = [one for one in given if grants.state_at(one, now) == "live" and one.terms.kind == "rar"]
    held = [Held(one.id, _decided(vault, one), one.terms.expires, _last(one)) for one in live]
    return {one.grant: one.kind for one in due(held, now)}


def _decided(vault: Vault, grant: GrantFacts) -> int:
    """When she last said yes to it (ms)."""
    yes = ("given", "amended", "renewed")
    return max((s.at for s in events.history(vault, grant.pod, grant.id) if s.state in yes), default=grant.created)


def _last(grant: GrantFacts) -> int | None:
    return None if grant.last is None else (grant.last + 1) * 86_400_000 - 1


async def reads(request: Request, session: SessionFacts, since: datetime | None = None) -> list[dict[str, Any]]:
    """What apps opened (since a moment), from the citizen's own log: the page and the log can never tell two stories.

    Opened in a thread, and no further back than asked: a long log must not hold up the others' requests.
    """
    vault = guard.house_of(request).vault
    with sessions.log_private(session) as private:
        found, below = list[dict[str, Any]](), BEYOND
        begins = None if since is None else int(since.timestamp() * 1000)
        while True:
            part, below = await asyncio.to_thread(_reads, vault, session.pod, private, Wanted(below, since=begins))
            found += part
            if not below:
                return found[::-1]


def _reads(vault: Vault, pod: PodFacts, log: Private, wanted: Wanted) -> tuple[list[dict[str, Any]], int]:
    """What apps opened among at most SCAN lines, newest first, and where to go on; 0 at the end."""
    part = search(vault, pod, log, replace(wanted, kind="access"), SCAN)
    told = (line.told for line in part.lines)
    read = (one for one in told if one.get("action") in READS and one.get("decision") == "allowed")
    return [one for one in read if one.get("grant")], part.below or 0


def apps(given: list[GrantFacts], held: Holding) -> Iterable[str]:
    """The apps whose grant reaches a compartment; an answer from it counts, for it tells something of what is there."""
    for grant in given:
        solid = grant.terms.kind == "solid" and held.custody == "managed"
        if solid or held.kind.curie in {datum.category for datum in grant.terms.data}:
            yield grant.terms.client_name


def room(held: Holding) -> str:
    """What a compartment is called: a registered one by what is in it, any other by its container."""
    if held.kind.container:
        return held.kind.label["nl"]
    return folder(held.container)


def folder(container: str) -> str:
    """What a managed folder is called, by its name."""
    return ROOMS.get(container, f"Je map “{container}”")


def may_change(held: Holding) -> bool:
    """Whether its citizen may seal it or give it back to the server: not what everybody must reach, nor what is
    registered, whose kind of lock is fixed.
    """
    return not held.kind.container and held.container not in UNDER_ROOT


def host(grant: GrantFacts) -> str:
    """Who is behind a grant: the host of the controller's address."""
    return "jezelf" if grant.terms.client.startswith(CREDENTIALS) else asking.host(grant.terms.controller)


def moment(ms: int) -> datetime:
    """A stored time (ms since 1970)."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def ident(text: str) -> bytes:
    """An id in an address. HTTPException 404 for what is none."""
    try:
        return unb64(text)
    except ValueError:
        raise HTTPException(404, "not_found") from None
