"""An app says that somebody logged out of it (OpenID Connect RP-Initiated Logout 1.0): her own session stays hers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from consent.accounts import sessions
from consent.errors import OAuthError
from consent.oauth.clients import Client
from consent.oauth.idtoken import read_hint
from web import apps, guard
from web.middleware import policy
from web.pages.views import render
from web.pages.working import LogoutPage
from web.routes import signin

if TYPE_CHECKING:
    from web.app import House

router = APIRouter(include_in_schema=False)

CARRIED: Final = ("id_token_hint", "post_logout_redirect_uri", "state")


@router.get("/oauth/logout")
async def left(request: Request) -> Response:
    """A page that asks whether the vault is to be closed too; whoever has none open goes straight back to the app."""
    house, session = guard.house_of(request), await guard.current(request)
    client = await _client(house, request.query_params)
    back = _back(client, request.query_params)
    if session is None and back:
        return RedirectResponse(back, 303, headers=signin.NO_STORE)
    hidden = tuple((name, request.query_params[name]) for name in CARRIED if name in request.query_params)
    page = LogoutPage(client.name if client else "", bool(back), hidden)
    own = {} if session is None else {"person": session.name, "role": session.role, "csrf": session.csrf}
    csp = policy(house.base, signin.origin(back) if back else "").decode()
    text = render("logout", page, **own)
    return HTMLResponse(text, headers={**signin.NO_STORE, "content-security-policy": csp})


@router.post("/oauth/logout")
async def leave(request: Request) -> Response:
    """Her answer: close the vault or not; then back to the app, if it has registered where."""
    session, form = await guard.written(request)
    house = guard.house_of(request)
    back = _back(await _client(house, form), form)
    response = RedirectResponse(back or "/me", 303, headers=signin.NO_STORE)
    if form.get("end") == "yes":
        await sessions.end(house.vault, session, house.clock())
        guard.drop_cookie(response, house.base, guard.SESSION)
    return response


async def _client(house: "House", said: Mapping[str, Any]) -> Client | None:
    """The app that an ID token of ours was for; None if there is none, or if it cannot be asked who it is."""
    try:
        hint = read_hint(str(said.get("id_token_hint", "")), house.vault.issuer_public, house.base)
        return await apps.resolve(house, hint.client_id)
    except OAuthError:
        return None


def _back(client: Client | None, said: Mapping[str, Any]) -> str:
    """Where the app may be gone back to, with its state; "" for an address it did not register for that."""
    there = str(said.get("post_logout_redirect_uri", ""))
    if client is None or there not in client.goodbyes:
        return ""
    state = {"state": str(said["state"])} if said.get("state") else {}
    return there + ("&" if urlsplit(there).query else "?") + urlencode(state) if state else there
