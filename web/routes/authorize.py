"""The consent page and its answer: the only place where a person gives a grant to an app (consent.md, U1-U20).

An answer goes back to the app only for a request that it pushed itself, to the address it registered; every other
fault stays on a page of ours.
"""

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from consent import answers, asks, clients, grants
from consent.accounts.roles import may
from consent.accounts.sessions import SessionFacts
from consent.asks import Asked
from consent.errors import BadChoice, OAuthError
from consent.oauth import par
from consent.oauth.clients import Client
from consent.request import choose
from web import asking, guard
from web.middleware import policy
from web.pages.views import render
from web.routes import signin

if TYPE_CHECKING:
    from web.app import House

router = APIRouter(include_in_schema=False)

NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}


@router.get("/oauth/authorize")
async def ask(request: Request) -> Response:
    """Show the request to the citizen, after her login if needed."""
    house, pairs = guard.house_of(request), parse_qsl(request.url.query, keep_blank_values=True)
    if all(name != "request_uri" for name, _ in pairs):
        return await signin.begin(request, pairs)
    client, asked = _asked(house, pairs)
    session = await guard.current(request)
    if session is None:
        await asks.keep(house.vault, asked, house.clock())
        session = await guard.required(request)
    if asked.terms.kind == "solid":
        return await signin.shown(house, session, asked)
    return await _shown(house, session, client, asked)


@router.post("/oauth/authorize")
async def decide(request: Request) -> Response:
    """Her answer: allow, deny, or nothing yet, which shows the request again."""
    session, form = await guard.written(request)
    house = guard.house_of(request)
    fields = [(name, str(form.get(name, ""))) for name in ("client_id", "request_uri")]
    asked = _kept(house, fields)
    if asked.session != session.handle:
        raise OAuthError("invalid_request_uri", "The request is open in another session.")
    decision = str(form.get("decision", ""))
    if decision == "deny":
        await asks.refuse(house.vault, session, asked, house.clock())
        return _back(house, asked, error="access_denied")
    if decision != "allow":
        return await _again(house, session, asked)
    if asked.terms.kind == "solid":
        return await signin.given(house, session, asked, form)
    return await _given(house, session, asked, form)


async def _again(house: "House", session: SessionFacts, asked: Asked) -> Response:
    """Nothing was decided: the same page again."""
    if asked.terms.kind == "solid":
        return await signin.shown(house, session, asked, undecided=True)
    return await _shown(house, session, _client(house, asked.said.client_id), asked, undecided=True)


async def _given(house: "House", session: SessionFacts, asked: Asked, form: FormData) -> Response:
    now, ticked = house.clock(), {str(key) for key in form.getlist("data")}
    try:
        terms = choose(asked.terms.for_pod(session.pod.name), ticked, str(form.get("duration") or "") or None, now)
    except BadChoice as wrong:
        raise HTTPException(400, "bad_choice") from wrong
    code = await grants.give(house.vault, session, asked, terms, now)
    return _back(house, asked, code=code)


async def _shown(
    house: "House", session: SessionFacts, client: Client, asked: Asked, *, undecided: bool = False
) -> Response:
    """The page, with the values from her own pod, read and logged in her session."""
    now = house.clock()
    try:
        _for(asked, session)
    except OAuthError as other:
        return _back(house, asked, error=other.code)
    if asked.session not in (None, session.handle):
        raise OAuthError("invalid_request_uri", "The request is open in another session.")
    sources = await answers.sources(house.vault, session, asked.terms, now, "preview")
    page = asking.page(asked, client, sources, now, undecided=undecided)
    await asks.show(house.vault, session, asked, asking.notice(page), now)
    text = render("consent", page, person=session.name, role=session.role, csrf=session.csrf)
    csp = policy(house.base, signin.origin(asked.said.redirect_uri)).decode()
    return HTMLResponse(text, headers={**NO_STORE, "content-security-policy": csp})


def _for(asked: Asked, session: SessionFacts) -> None:
    """Only a citizen decides, and only about her own pod; else OAuthError access_denied."""
    if not may(session.role, "keep data"):
        raise OAuthError("access_denied", "This account has no data of its own.")
    asked.terms.for_pod(session.pod.name)


def _asked(house: "House", pairs: list[tuple[str, str]]) -> tuple[Client, Asked]:
    """The app and its request. Raises OAuthError, which stays on our page: nobody is sent anywhere."""
    client = _client(house, par.read_front(pairs)[0])
    return client, _kept(house, pairs)


def _client(house: "House", client_id: str) -> Client:
    client = clients.find(house.vault, client_id)
    if client is None:
        raise OAuthError("invalid_request_uri", "The app is not known here.")
    return client


def _kept(house: "House", pairs: list[tuple[str, str]]) -> Asked:
    client_id, handle = par.read_front(pairs)
    return asks.find(house.vault, handle, client_id, house.clock())


def _back(house: "House", asked: Asked, **said: str) -> RedirectResponse:
    return signin.back(house.base, asked.said.redirect_uri, asked.said.state, **said)
