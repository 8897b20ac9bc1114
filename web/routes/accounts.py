"""Logging in and out, sessions and unlockers, and the DPO's totals."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from consent import clients, report
from consent.accounts import links, passphrase, people, sessions
from consent.accounts.sessions import SessionFacts
from keys.text import b64, unb64
from web import guard, telling
from web.pages.views import DpoPage, LoginPage, SecurityPage, Session, Unlocker, render

router = APIRouter()

WAYS: Final = {"passphrase": "Wachtzin", "recovery": "Herstelcode", "demo": "Sleutel van de demo"}
_HOME: Final = {"citizen": "/me", "dpo": "/dpo"}


@router.get("/login", include_in_schema=False)
async def show_login(request: Request, next: str = "/me", failed: bool = False) -> HTMLResponse:  # noqa: A002
    """The login page, with a form token for whoever has no session yet."""
    cookie, token = guard.login_form()
    page = render("login", LoginPage(next=guard.local(next), failed=failed), csrf=token)
    response = HTMLResponse(page, headers={"Cache-Control": "no-store"})
    guard.set_cookie(response, guard.house_of(request).base, guard.FORM, cookie)
    return response


@router.post("/login", include_in_schema=False)
async def log_in(request: Request) -> RedirectResponse:
    """Open a session or come back to the form; which of name and secret was wrong is never said."""
    guard.demand_same_origin(request)
    fields = await guard.form(request)
    if not guard.login_form_fits(request, str(fields.get(guard.TOKEN_FIELD, ""))):
        raise HTTPException(403, "form-token")
    house, there = guard.house_of(request), guard.local(str(fields.get("next", "")))
    user, secret = str(fields.get("user", "")), str(fields.get("passphrase", ""))
    opened = await passphrase.login(house.vault, user, secret, house.clock())
    if opened is None:
        return _see("/login?" + urlencode({"next": there, "failed": "1"}))
    return await _enter(request, *opened, there)


@router.get("/login/demo/{token}", include_in_schema=False)
async def log_in_demo(request: Request, token: str) -> RedirectResponse:
    """Follow a one-time link of the demo city. 404 where there is no demo."""
    house = guard.house_of(request)
    demo_keys = _demo_keys(house.settings.data)
    if demo_keys is None:
        raise HTTPException(404, "not-found")
    opened = await links.follow(house.vault, token, demo_keys, house.clock())
    return _see("/login?failed=1") if opened is None else await _enter(request, *opened, "/me")


@router.post("/logout", include_in_schema=False)
async def log_out(request: Request) -> RedirectResponse:
    """End this session."""
    session, _ = await guard.written(request)
    house = guard.house_of(request)
    await sessions.end(house.vault, session, house.clock())
    response = _see("/")
    guard.drop_cookie(response, house.base, guard.SESSION)
    return response


@router.get("/me/security", include_in_schema=False)
async def show_security(request: Request) -> HTMLResponse:
    """The ways into this person's vault and the sessions that are open."""
    session = await guard.required(request)
    house = guard.house_of(request)
    account = people.by_id(house.vault, session.account)
    ways = () if account is None else account.ways
    listed = sessions.listing(house.vault, session.account, house.clock())
    page = SecurityPage(
        tuple(Unlocker(WAYS[way.kind], _at(way.added)) for way in ways),
        tuple(
            Session(_at(one.created), _at(one.ends), one.handle == session.handle, b64(one.handle)) for one in listed
        ),
    )
    return _page("security", page, session)


@router.post("/me/sessions/{handle}/end", include_in_schema=False)
async def end_session(request: Request, handle: str) -> RedirectResponse:
    """End another session of the same person, for instance on a lost phone."""
    session, _ = await guard.written(request)
    house = guard.house_of(request)
    if not await sessions.end_other(house.vault, session, _id(handle), house.clock()):
        raise HTTPException(404, "not-found")
    return _see("/me/security")


@router.get("/api/dpo/totals")
async def dpo_totals(request: Request) -> dict[str, Any]:
    """Totals over the whole log; `opened` equals `entries` when every DPO record opens and fits the public tree."""
    session = await guard.required(request, "dpo")
    house = guard.house_of(request)
    told = await report.totals(house.vault, session, house.clock())
    return asdict(told) | {"since": told.since.isoformat(), "until": told.until.isoformat()}


@router.get("/dpo", include_in_schema=False)
async def show_dpo(request: Request) -> HTMLResponse:
    """The DPO's page."""
    session = await guard.required(request, "dpo")
    house = guard.house_of(request)
    told = await report.totals(house.vault, session, house.clock())
    names = clients.names(house.vault)
    rows = tuple(telling.total(row, names) for row in sorted(told.rows, key=telling.order))
    return _page("dpo", DpoPage(rows, told.since, told.until, told.entries, told.opened), session)


async def _enter(request: Request, cookie: str, session: SessionFacts, there: str) -> RedirectResponse:
    """Go on with the new session; the one this browser had before ends, so that none is left behind unseen."""
    house = guard.house_of(request)
    before = await guard.current(request)
    if before is not None:
        await sessions.end(house.vault, before, house.clock())
    response = _see(_HOME.get(session.role, "/me/security") if there == "/me" else there)
    guard.set_cookie(response, house.base, guard.SESSION, cookie)
    guard.drop_cookie(response, house.base, guard.FORM)
    return response


def _page(name: str, page: object, session: SessionFacts) -> HTMLResponse:
    text = render(name, page, person=session.name, role=session.role, csrf=session.csrf)
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})


def _see(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})


def _demo_keys(data: Path) -> dict[str, str] | None:
    """The demo's unlockers (account id -> secret), or None in a house that is no demo."""
    path = data / "demo" / "unlockers.json"
    if not path.is_file():
        return None
    told: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return told


def _at(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)


def _id(text: str) -> bytes:
    try:
        return unb64(text)
    except ValueError:
        raise HTTPException(404, "not-found") from None
