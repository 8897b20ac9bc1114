"""The consent page and its answer: the only place where a person gives a grant to an app (consent.md, U1-U20).

An answer goes back to the app only for a request that it pushed itself, to the address it registered; every other
fault stays on a page of ours.
"""

from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from consent import amend, answers, asks, clients, grants, special, waiting
from consent.accounts.roles import may
from consent.accounts.sessions import SessionFacts
from consent.asks import Asked
from consent.errors import BadChoice, OAuthError
from consent.oauth import par
from consent.oauth.clients import Client
from web import asking, guard, stepup
from web.middleware import policy
from web.pages.door import Missing
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
    asked = _kept(house, pairs)
    session = await guard.current(request)
    if session is None:
        await asks.keep(house.vault, asked, house.clock())
        session = await guard.required(request)
    if asked.terms.kind == "solid":
        return await signin.shown(request, session, asked)
    return await _shown(request, session, _client(house, asked.said.client_id), asked)


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
    if asked.terms.kind == "solid":
        return await signin.decided(request, session, asked, form)
    if decision == "later":
        await waiting.defer(house.vault, session, asked, house.clock())
        return RedirectResponse("/me/requests", 303, headers=NO_STORE)
    client = _client(house, asked.said.client_id)
    if decision != "allow" or _outdated(house, session, asked, form):
        return await _shown(request, session, client, asked, undecided=True)
    return await _given(request, session, client, asked, form)


async def _given(request: Request, session: SessionFacts, client: Client, asked: Asked, form: FormData) -> Response:
    house, now = guard.house_of(request), guard.house_of(request).clock()
    ticked = {str(key) for key in form.getlist("data")} | _explicit(asked, form)
    duration = str(form.get("duration") or "") or None
    try:
        terms, before = amend.chosen(house.vault, session, asked, ticked, duration, now)
    except BadChoice as wrong:
        raise HTTPException(400, "bad_choice") from wrong
    sure = await stepup.proven(request, session, asked, terms, form)
    if isinstance(sure, str):
        return await _shown(request, session, client, asked, failed=sure)
    code = await grants.give(house.vault, session, asked, sure.on(terms), now, before)
    return _back(house, asked, code=code)


def _explicit(asked: Asked, form: FormData) -> set[str]:
    """The optional special rows that she ticked on their own card."""
    said = {str(key) for key in form.getlist("explicit")}
    return {row.key for row in special.rows(asked.terms.data) if row.necessity == "optional"} & said


def _outdated(house: "House", session: SessionFacts, asked: Asked, form: FormData) -> bool:
    """Whether the grant that would change is another version by now than the one that was on the screen."""
    change = amend.standing(house.vault, session, asked, house.clock())
    return change is not None and str(form.get("version", "")) != str(change.version)


async def _shown(
    request: Request,
    session: SessionFacts,
    client: Client,
    asked: Asked,
    *,
    undecided: bool = False,
    failed: Missing | Literal[""] = "",
) -> Response:
    """The page, with the values from her own pod, read and logged in her session."""
    house, now = guard.house_of(request), guard.house_of(request).clock()
    try:
        _for(asked, session)
        change = amend.standing(house.vault, session, asked, now)
    except OAuthError as other:
        return _back(house, asked, error=other.code)
    if asked.session not in (None, session.handle) or asked.pod not in (None, session.pod.id):
        raise OAuthError("invalid_request_uri", "The request is open in another session.")
    if await waiting.barred(house.vault, session, asked, now):
        return _back(house, asked, error="access_denied")
    terms = change.after if change else asked.terms
    sources = await answers.sources(house.vault, session, terms, now, "preview")
    page = asking.page(asked, client, sources, now, undecided=undecided, change=change)
    notice = asking.kept(page, client, change)
    await asks.show(house.vault, session, asked, notice, now)
    door = stepup.door(request, session, asked, terms, notice["hash"], failed)
    text = render("consent", page, door, person=session.name, role=session.role, csrf=session.csrf)
    csp = policy(house.base, signin.origin(asked.said.redirect_uri)).decode()
    return HTMLResponse(text, headers={**NO_STORE, "content-security-policy": csp})


def _for(asked: Asked, session: SessionFacts) -> None:
    """Only a citizen decides, and only about her own pod; else OAuthError access_denied."""
    if not may(session.role, "keep data"):
        raise OAuthError("access_denied", "This account has no data of its own.")
    asked.terms.for_pod(session.pod.name)


def _client(house: "House", client_id: str) -> Client:
    client = clients.find(house.vault, client_id)
    if client is None:
        raise OAuthError("invalid_request_uri", "The app is not known here.")
    return client


def _kept(house: "House", pairs: list[tuple[str, str]]) -> Asked:
    """The request. Raises OAuthError, which stays on our page: nobody is sent anywhere."""
    client_id, handle = par.read_front(pairs)
    return asks.find(house.vault, handle, client_id, house.clock())


def _back(house: "House", asked: Asked, **said: str) -> RedirectResponse:
    return signin.back(house.base, asked.said.redirect_uri, asked.said.state, **said)
