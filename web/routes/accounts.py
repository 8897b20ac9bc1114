"""Logging in, with a passphrase, a code, a passkey or a demo's link; and logging out."""

import json
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData

from consent.accounts import assertions, links, passkeys, passphrase, sessions
from consent.accounts.passkeys import Answer, Purpose
from consent.accounts.sessions import SessionFacts
from web import guard, seats
from web.pages.desk import HOME
from web.pages.entry import LoginPage
from web.pages.views import render

router = APIRouter()

_RECOVERED: Final = "/me/security?recovered=1"


@router.get("/login", include_in_schema=False)
async def show_login(
    request: Request,
    next: str = "/me",  # noqa: A002 -- the name of the parameter in the address
    by: str = "passphrase",
    *,
    failed: bool = False,
    recover: bool = False,
) -> HTMLResponse:
    """The login page, with a form token and a challenge for whoever has no session yet.

    `recover`: the same form for a recovery code; whoever comes in that way is led to a new passphrase.
    """
    house, (cookie, token) = guard.house_of(request), guard.login_form()
    there = _RECOVERED if recover and next == "/me" else guard.local(next)
    asked = passkeys.challenge(Purpose("login", cookie.encode()), house.clock())
    page = LoginPage(
        next=there, failed=failed, by=by, options=passkeys.request_options(house.base, None, asked), recover=recover
    )
    response = HTMLResponse(render("login", page, csrf=token), headers={"Cache-Control": "no-store"})
    guard.set_cookie(response, house.base, guard.FORM, cookie)
    return response


@router.post("/login", include_in_schema=False)
async def log_in(request: Request) -> RedirectResponse:
    """Open a session or come back to the form; which of name and secret was wrong is never said."""
    fields, there = await _login_fields(request)
    house = guard.house_of(request)
    user, secret = str(fields.get("user", "")), str(fields.get("passphrase", ""))
    opened = await passphrase.login(house.vault, user, secret, house.clock(), seats.of(request))
    if opened is None:
        more = {"recover": "1"} if fields.get("recover") else {}
        return _see("/login?" + urlencode({"next": there, "failed": "1"} | more))
    if passphrase.is_code(secret) and there == "/me":  # whoever needed her code is led to a new passphrase
        there = _RECOVERED
    return await _enter(request, *opened, there)


@router.post("/login/passkey", include_in_schema=False)
async def log_in_with_passkey(request: Request) -> RedirectResponse:
    """Open a session with the passkey that the browser asked for; why one is refused is never said here."""
    fields, there = await _login_fields(request)
    house = guard.house_of(request)
    browser = request.cookies.get(guard.cookie_name(house.base, guard.FORM), "").encode()
    answer = Answer(str(fields.get("credential", "")), str(fields.get("prf", "")))
    opened = await assertions.login(house.vault, answer, browser, house.clock(), seats.of(request).device)
    if opened is None:
        return _see("/login?" + urlencode({"next": there, "failed": "1", "by": "passkey"}))
    return await _enter(request, *opened, there)


@router.get("/login/demo/{token}", include_in_schema=False)
async def log_in_demo(request: Request, token: str) -> RedirectResponse:
    """Follow a one-time link of the demo city. 404 where there is no demo."""
    house = guard.house_of(request)
    demo_keys = _demo_keys(house.settings.data)
    if demo_keys is None:
        raise HTTPException(404, "not-found")
    opened = await links.follow(house.vault, token, demo_keys, house.clock(), seats.of(request).device)
    if opened is None:
        await guard.denied(request, None, "wrong_link", "login")
        return _see("/login?failed=1&by=link")
    return await _enter(request, *opened, "/me")


@router.post("/logout", include_in_schema=False)
async def log_out(request: Request) -> RedirectResponse:
    """End this session."""
    session, _ = await guard.written(request, opens=False)
    house = guard.house_of(request)
    await sessions.end(house.vault, session, house.clock())
    response = _see("/")
    guard.drop_cookie(response, house.base, guard.SESSION)
    return response


async def _login_fields(request: Request) -> tuple[FormData, str]:
    """The fields of a login form that this browser was given by us, and where to go on. Raises HTTPException."""
    guard.demand_same_origin(request)
    fields = await guard.form(request)
    if not guard.login_form_fits(request, str(fields.get(guard.TOKEN_FIELD, ""))):
        raise HTTPException(403, "form-token")
    return fields, guard.local(str(fields.get("next", "")))


async def _enter(request: Request, cookie: str, session: SessionFacts, there: str) -> RedirectResponse:
    """Go on with the new session; the one this browser had before ends, so that none is left behind unseen."""
    house = guard.house_of(request)
    before = await guard.current(request)
    if before is not None:
        await sessions.end(house.vault, before, house.clock())
    response = _see(HOME[session.role] if there == "/me" else there)
    guard.set_cookie(response, house.base, guard.SESSION, cookie)
    guard.drop_cookie(response, house.base, guard.FORM)
    return response


def _see(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})


def _demo_keys(data: Path) -> dict[str, str] | None:
    """The demo's unlockers (account id -> secret), or None in a house that is no demo."""
    path = data / "demo" / "unlockers.json"
    if not path.is_file():
        return None
    told: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return told
