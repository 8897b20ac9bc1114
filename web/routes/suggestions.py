"""Suggestions: asked of the recommender's process, shown with their reasons; without it or a grant, the plain list."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from consent import grants, suggesting, waiting
from consent.accounts.sessions import SessionFacts
from consent.special import RECOMMENDER
from consent.suggesting import Caller
from recommender.errors import BadData
from recommender.wishes import Wishes
from web import guard, own, picturing, suggested, wishing
from web.recommending import Away
from web.routes import feedback
from web.suggested import Plainly

if TYPE_CHECKING:
    from web.app import House

router = APIRouter()
SHOWN: Final = 12
IMPROVING: Final = "dpv:ImproveExistingProductsAndServices"
"""The purpose of the other grant of the same app; suggestions do not rest on it."""
PAGE: Final = "/me/suggestions"


@router.get("/api/suggestions")
async def suggestions(request: Request) -> Response:
    """The recommender's list for this session's pod with what it read, or for an app's; else the plain list and why.

    To an app the reasons name categories and shares, and nothing of what is hers.
    """
    house, told, who = guard.house_of(request), dict[str, Any](), None
    try:
        who = await suggested.caller(request, "list")
        if not request.headers.getlist("authorization"):
            await _demand_on(house, await guard.required(request, "citizen"))
        told = await suggested.suggestions(house, who, SHOWN)
    except Plainly as plain:
        told = {"refused": plain.why.replace("_", " ")}
    told |= await _plain(house)
    personal = bool(told.get("suggestions"))
    return suggested.answered(told, personal=personal, entry=who.entry if who else None)


@router.get(PAGE, include_in_schema=False)
async def page(request: Request, done: str = "") -> HTMLResponse:
    """The page: always an answer, HTTP 200, whoever is away."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    given = [one for one in grants.listing(house.vault, session.pod) if one.terms.client == RECOMMENDER]
    standing = [one for one in given if grants.state_at(one, house.clock()) == "live"]
    live = [one for one in standing if one.terms.purpose_code != IMPROVING]
    hers = await wishing.of(house.vault, session, house.clock())
    told = await _hers(house, suggesting.herself(session), hers) if live else {}
    told |= await _plain(house)
    heeds = any(datum.category == suggesting.DERIVED and "read" in one.terms.actions
                for one in live for datum in one.terms.data)  # fmt: skip
    shown = picturing.page(told, hers, granted=bool(live), heeds=heeds, done=done)
    shown = replace(shown, gives=len(standing) > len(live))
    answer = own.page("suggestions", shown, session)
    answer.headers.update(suggested.MARK if shown.suggestions else {})
    return answer


@router.post("/me/suggestions/ask", include_in_schema=False)
async def ask(request: Request) -> RedirectResponse:
    """Let the recommender ask for its grant: it pushes the request itself and this only carries the reference.

    With `aim` = `model` it asks for the other one: to better everybody's list with what she borrowed and saw.
    """
    session, said = await guard.written(request, "citizen", opens=False)
    aim = "model" if said.get("aim") == "model" else ""
    try:
        told = await guard.house_of(request).recommender.ask("authorize", pod=session.pod.name, aim=aim)
    except Away:
        return RedirectResponse(PAGE, 303)
    if "request_uri" not in told:
        raise HTTPException(503, "the recommender cannot ask now")
    house = guard.house_of(request)
    await waiting.invited(house.vault, session, told["client_id"], house.clock())
    query = urlencode({"client_id": told["client_id"], "request_uri": told["request_uri"]})
    return RedirectResponse(f"/oauth/authorize?{query}", 303)


@router.get("/me/suggestions/granted", include_in_schema=False)
async def granted(request: Request, state: str = "", iss: str = "", code: str = "") -> RedirectResponse:
    """Where the consent page sends the citizen back: code, state and iss go on to the recommender, useless here."""
    await guard.required(request, "citizen")
    if code:
        try:
            await guard.house_of(request).recommender.ask("granted", code=code, state=state, iss=iss)
        except Away:
            return RedirectResponse(PAGE, 303)
    return RedirectResponse(PAGE, 303)


@router.post("/me/suggestions/{step}", include_in_schema=False)
async def decide(request: Request, step: str) -> RedirectResponse:
    """One form, one decision: a switch, the dial, a wish, the weekly surprise, or everything anew."""
    session, said = await guard.written(request, "citizen")
    house, now = guard.house_of(request), guard.house_of(request).clock()
    try:
        change = wishing.stepped(step, {name: str(value) for name, value in said.items()}, now)
        if step == "reset":
            await feedback.forget(house, session)
        await wishing.change(house.vault, session, change, now)
    except BadData:
        raise HTTPException(400, "malformed") from None
    back = f"{PAGE}?{urlencode({'done': step})}"
    return RedirectResponse(back, 303, headers=own.NO_STORE)


async def _hers(house: "House", who: Caller, hers: Wishes) -> dict[str, Any]:
    if not hers.on("list"):
        return {}
    try:
        return await suggested.suggestions(house, who, SHOWN)
    except Plainly:
        return {}


async def _demand_on(house: "House", session: SessionFacts) -> None:
    """Raises Plainly where she turned the list off: the recommender may not even be able to read that."""
    if not (await wishing.of(house.vault, session, house.clock())).on("list"):
        raise Plainly("no_grant")


async def _plain(house: "House") -> dict[str, Any]:
    """The list for everybody, and whether the recommender is there to give one."""
    try:
        return {**await house.recommender.ask("plain", k=SHOWN), "awake": True}
    except Away:
        return {"awake": False, "plain": []}
