"""Logging in to a plain Solid app: the request through the browser, the page that asks, and the way back to the app.

Until the app is known and its address is its own, every fault stays on a page of ours; from then on, and for whoever is
logged in, it goes back to the app, as OpenID Connect Core 3.1.2.6 names it (RFC 9700 4.11.2: no open redirector).
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlencode, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from consent import asks, signin
from consent.accounts.roles import may
from consent.accounts.sessions import SessionFacts
from consent.asks import Asked
from consent.errors import BadChoice, OAuthError
from consent.oauth import par
from consent.oauth.front import Front, check_front, target
from consent.oauth.idtoken import read_hint
from federation.documents import FRESH
from web import apps, guard, problems, stepup, working
from web.middleware import policy
from web.pages.door import Missing
from web.pages.views import render

if TYPE_CHECKING:
    from web.app import House

NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}
JUST_NOW: Final = "300"
"""Seconds within which somebody who was sent to log in again counts as logged in anew."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9.:\[\]-]+")


async def begin(request: Request, pairs: Iterable[tuple[str, str]]) -> Response:
    """Answer a request that was not pushed: with a page, the login, or an answer to the app."""
    house = guard.house_of(request)
    try:
        params = par.single(pairs)
        if "client_id" not in params:
            raise OAuthError("invalid_request", "client_id is missing.")
        client = await apps.resolve(house, params["client_id"], FRESH)
        redirect = target(params, client)
        if origin(redirect) == house.base:  # a citizen's own pages are on our site: nobody may look like the vault
            raise OAuthError("invalid_request", "An app does not return to the vault itself.")
    except OAuthError as refused:
        return _unfit(request, refused)
    try:
        if client is None:  # `target` refused it already
            raise OAuthError("invalid_request", "The app is not known here.")
        front = check_front(params, client, house.base)
    except OAuthError as refused:
        if await guard.current(request) is None:  # anybody can be an app: our address must not lead strangers to it
            return _unfit(request, refused)
        return back(house.base, redirect, params.get("state"), error=refused.code)
    try:
        return await _asked(request, front, params)
    except OAuthError as refused:
        return back(house.base, redirect, params.get("state"), error=refused.code)


def _unfit(request: Request, refused: OAuthError) -> Response:
    """400, whatever the code: nobody authenticates here by HTTP. A site that is away is as unknown as any other."""
    away = refused.code == "temporarily_unavailable"
    response = problems.answer(request, OAuthError("invalid_client", refused.description) if away else refused)
    response.status_code = 400
    if "www-authenticate" in response.headers:
        del response.headers["www-authenticate"]
    return response


async def _asked(request: Request, front: Front, params: Mapping[str, str]) -> Response:
    house, session = guard.house_of(request), await guard.current(request)
    hint = read_hint(front.hint, house.vault.issuer_public, house.base) if front.hint else None
    fresh = session is not None and _fresh(house, session, front)
    if session is None or not fresh or ("login" in front.prompt or "select_account" in front.prompt):
        if front.silent:
            raise OAuthError("login_required", "Nobody is logged in, or too long ago.")
        return _to_login(params)
    if not may(session.role, "keep data"):
        raise OAuthError("access_denied", "This account has no data of its own.")
    if front.silent and hint is not None and hint.webid != session.webid:
        raise OAuthError("login_required", "Somebody else is logged in.")
    before = signin.standing(house.vault, session, front, house.clock())
    if before is not None and "consent" not in front.prompt and _own_address(house, front):
        code = await signin.again(house.vault, session, before, front, house.clock())
        return back(house.base, front.redirect_uri, front.state, code=code)
    if front.silent:
        raise OAuthError("consent_required", "She has not allowed this app anything that still stands.")
    asked = await signin.ask(house.vault, session, front, house.clock())
    return await shown(request, session, asked)


def _fresh(house: "House", session: SessionFacts, front: Front) -> bool:
    return front.max_age is None or house.clock().timestamp() - signin.since(session) <= front.max_age


def _own_address(house: "House", front: Front) -> bool:
    """Whether nobody but the app gets what is sent to its address: loopback is anybody's (RFC 8252 8.6), but in
    development there is only one person on it.
    """
    return house.development or front.redirect_uri.startswith("https:")


def _to_login(params: Mapping[str, str]) -> RedirectResponse:
    """To the login, and from there to this request again; who was asked to log in anew has done so then."""
    again, prompts = dict(params), params.get("prompt", "").split()
    anew = [one for one in prompts if one in ("login", "select_account")]
    if anew:
        again["prompt"] = " ".join(one for one in prompts if one not in anew)
        again["max_age"] = min(again.get("max_age", JUST_NOW), JUST_NOW, key=int)
    there = "/oauth/authorize?" + urlencode({name: value for name, value in again.items() if value})
    return RedirectResponse("/login?" + urlencode({"next": there}), 303, headers=NO_STORE)


async def shown(
    request: Request,
    session: SessionFacts,
    asked: Asked,
    *,
    undecided: bool = False,
    half: bool = False,
    failed: Missing | Literal[""] = "",
) -> Response:
    """The page, bound to her session; what is on it is kept as proof."""
    house = guard.house_of(request)
    now, rooms = house.clock(), working.rooms(house.vault, session.pod)
    before = signin.has(house.vault, session, asked.said.client_id, now)
    page = working.page(asked, rooms, now, before=before, undecided=undecided, half=half)
    notice = working.notice(page)
    await asks.show(house.vault, session, asked, notice, now)
    door = stepup.door(request, session, asked, asked.terms, notice["hash"], failed)
    text = render("work", page, door, person=session.name, role=session.role, csrf=session.csrf)
    csp = policy(house.base, origin(asked.said.redirect_uri)).decode()
    return HTMLResponse(text, headers={**NO_STORE, "content-security-policy": csp})


async def decided(request: Request, session: SessionFacts, asked: Asked, form: FormData) -> Response:
    """She allowed it, with what she ticked; half a choice, or none yet, shows the page again."""
    if form.get("decision") != "allow":
        return await shown(request, session, asked, undecided=True)
    house, now = guard.house_of(request), guard.house_of(request).clock()
    ticked, modes = ({str(one) for one in form.getlist(name)} for name in ("data", "mode"))
    offered = set(working.rooms(house.vault, session.pod))
    far, length = form.get("elsewhere") == "yes", str(form.get("duration") or "") or None
    try:
        terms = signin.choose(asked.terms.for_pod(session.pod.name), offered, ticked, modes, length, now, far=far)
    except BadChoice as wrong:
        if str(wrong) != "half":
            raise
        return await shown(request, session, asked, undecided=True, half=True)
    sure = await stepup.proven(request, session, asked, terms, form)
    if isinstance(sure, str):
        return await shown(request, session, asked, failed=sure)
    code = await signin.give(house.vault, session, asked, sure.on(terms), now)
    return back(house.base, asked.said.redirect_uri, asked.said.state, code=code)


def back(base: str, redirect: str, state: str | None, **said: str) -> RedirectResponse:
    """To the app: `iss` in every answer (RFC 9207), `state` as it came, 303 so that the form is not sent along."""
    told = said if state is None else {**said, "state": state}
    joint = "&" if urlsplit(redirect).query else "?"
    return RedirectResponse(redirect + joint + urlencode({**told, "iss": base}), 303, headers=NO_STORE)


def origin(uri: str) -> str:
    """The origin of a registered address, for the policy of the page; an odd one is left out, never quoted."""
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if _PLAIN.fullmatch(parts.netloc) else ""
