"""The citizen's own log: the page, and what her device needs to check it (vault.log.device)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import Field

from consent import grants
from consent.accounts import sessions
from consent.accounts.sessions import SessionFacts
from consent.categories import CATEGORIES
from consent.grants import GrantFacts
from keys.secret import Private
from vault.log import device, withheld
from vault.log.search import Wanted, search
from web import guard, owncheck, telling
from web.pages.dutch import CITY
from web.pages.logbook import LogFilter, LogPage, Option, Verdict
from web.pages.views import render

router = APIRouter()
T = TypeVar("T")
Number = Annotated[int, Field(ge=0, lt=2**53)]
"""A number of a line or an epoch, as a query may name it: what SQLite and JSON can hold."""
SOME: Final = 16
SHOWN: Final = 200
LAST: Final = 2**53 - 1


@router.get("/api/log/check")
async def check(request: Request, epoch: Annotated[list[Number], Query(max_length=SOME)] = []) -> Response:  # noqa: B006 -- FastAPI copies it
    """All that a device needs to check its lines (`/api/log/lines`): seals, hashes, the head, the pod's slot.

    The slot comes in the newest epoch, and in the newest kept one at or before each `epoch` (minutes since 1970).
    """
    session = await guard.required(request)
    return _json(await asyncio.to_thread(device.frame, guard.house_of(request).vault, session.pod, epoch))


@router.get("/api/log/lines")
async def lines(
    request: Request,
    since: Annotated[int, Query(ge=1, lt=2**53)] = 1,
    below: Annotated[int, Query(ge=1, lt=2**53)] = 2**53 - 1,
) -> Response:
    """The lines by number from `since`, `below` not included, at most 5,000: record, nonce and place, oldest first."""
    session, vault = await guard.required(request), guard.house_of(request).vault
    found = await _opening(session, lambda log: device.lines(vault, session.pod, log, since, below))
    return _json({"entries": found})


@router.get("/api/log/slots")
async def own_slot(request: Request, epoch: Annotated[list[Number], Query(max_length=SOME)] = []) -> Response:  # noqa: B006 -- FastAPI copies it
    """The pod's slot in the newest kept epoch at or before each `epoch`; in the newest of all if none is named."""
    session, vault = await guard.required(request), guard.house_of(request).vault
    shards = vault.log.shards
    published = shards.published.first + shards.published.size
    found = await asyncio.to_thread(vault.epochs.asked, session.pod.id, epoch or [device.NEWEST], published)
    return _json({"slots": [device.slot(shards, one) for one in found]})


@router.get("/me/log", include_in_schema=False)
async def page(
    request: Request, before: Number = LAST, app: str = "", category: str = "", kind: str = "",
    denied: bool = False, since: str = "", until: str = ""
) -> HTMLResponse:  # fmt: skip
    """The citizen's log, newest first. `before` goes on from an older line, the others say which lines."""
    asked = LogFilter(app[:200], category[:200], kind[:50], denied, _day(since), _day(until))
    return await _page(request, None, asked, before)


@router.post("/me/log/verify", include_in_schema=False)
async def verified(request: Request) -> HTMLResponse:
    """The check without JavaScript: done here, and the page says so."""
    session, _ = await guard.written(request, opens=False)
    vault = guard.house_of(request).vault
    verdict = await _opening(session, lambda log: owncheck.check(vault, session.pod, log))
    return await _page(request, verdict, LogFilter(), verdict.line + SHOWN // 2 if verdict.line else LAST)


async def _page(request: Request, verdict: Verdict | None, asked: LogFilter, before: int) -> HTMLResponse:
    session = await guard.required(request)
    vault = guard.house_of(request).vault
    ledger = vault.log.shards.published
    wanted = Wanted(before, asked.app, asked.category, asked.kind, asked.denied, _ms(asked.since), _ms(asked.until, 1))
    found = await _opening(session, lambda log: search(vault, session.pod, log, wanted, SHOWN))
    with vault.db.reading() as tx:
        count = withheld.counted(tx, session.pod)
    older = f"/me/log?{urlencode({'before': found.below, **asked.query})}" if found.below else ""
    apps = {g.terms.client: g.terms.client_name for g in grants.every(vault, session.pod) if isinstance(g, GrantFacts)}
    shown = LogPage(
        lines=tuple(telling.told(line, session.webid) for line in found.lines),
        origin=ledger.origin,
        size=ledger.first + ledger.size,
        count=count,
        verdict=verdict,
        older=older,
        asked=asked,
        apps=tuple(Option(client, name) for client, name in sorted(apps.items(), key=lambda one: one[1].lower())),
        categories=tuple(Option(code, one.label["nl"]) for code, one in CATEGORIES.items()),
        kinds=tuple(Option(kind, word) for kind, word in telling.KINDS.items()),
    )
    return HTMLResponse(render("log", shown, person=session.name, role=session.role, csrf=session.csrf))


async def _opening(session: SessionFacts, read: Callable[[Private], T]) -> T:
    """Read with the key of the session's log, in a thread: ten thousand lines must not hold up the others' requests."""
    with sessions.log_private(session) as private:
        return await asyncio.to_thread(read, private)


def _json(told: dict[str, Any]) -> Response:
    return Response(orjson.dumps(told), media_type="application/json", headers={"cache-control": "no-store"})


def _day(text: str) -> date | None:
    """A day of a form; one that is none asks nothing."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _ms(day: date | None, later: int = 0) -> int | None:
    """The first moment of a day in the city, or of the day after."""
    if day is None:
        return None
    try:
        begins = datetime.combine(day + timedelta(days=later), time(), CITY)
        return int(begins.astimezone(UTC).timestamp() * 1000)
    except OverflowError:
        return None
