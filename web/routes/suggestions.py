"""Suggestions: asked of the recommender's process, shown with their reasons; without it or a grant, the plain list."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from consent import waiting
from consent.categories import CATEGORIES
from web import guard
from web.pages.views import Plain, Reason, Suggestion, SuggestionsPage, render
from web.recommending import Away

router = APIRouter()
SHOWN = 12


@router.get("/api/suggestions")
async def suggestions(request: Request) -> JSONResponse:
    """The recommender's list for this session's pod with what it read, or the plain list."""
    session = await guard.required(request, "citizen")
    told = await _ask(request, session.pod.name)
    marked = {"kluis-personalised": "yes"} if told.get("suggestions") else {}
    return JSONResponse(told, headers=marked)


@router.get("/me/suggestions", include_in_schema=False)
async def page(request: Request) -> HTMLResponse:
    """The page: always an answer, HTTP 200, whoever is away."""
    session = await guard.required(request, "citizen")
    told = await _ask(request, session.pod.name)
    shown = SuggestionsPage(
        granted="refused" not in told and told["awake"],
        plain=tuple(_plain(one) for one in told.get("plain", [])),
        suggestions=tuple(_suggestion(one) for one in told.get("suggestions", [])),
        sources=tuple(_label(read["category"]) for read in told.get("read", []) if read.get("count")),
        awake=told["awake"],
    )
    headers = {"kluis-personalised": "yes"} if shown.suggestions else {}
    return HTMLResponse(
        render("suggestions", shown, person=session.name, role=session.role, csrf=session.csrf), headers=headers
    )


@router.post("/me/suggestions/ask", include_in_schema=False)
async def ask(request: Request) -> RedirectResponse:
    """Let the recommender ask for its grant: it pushes the request itself and this only carries the reference."""
    session, _ = await guard.written(request, "citizen", opens=False)
    try:
        told = await guard.house_of(request).recommender.ask("authorize", pod=session.pod.name)
    except Away:
        return RedirectResponse("/me/suggestions", 303)
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
            return RedirectResponse("/me/suggestions", 303)
    return RedirectResponse("/me/suggestions", 303)


async def _ask(request: Request, pod: str) -> dict[str, Any]:
    recommender = guard.house_of(request).recommender
    try:
        told = await recommender.ask("suggest", pod=pod, k=SHOWN)
        told |= await recommender.ask("plain", k=SHOWN)
        return told | {"awake": True}
    except Away:
        return {"awake": False, "refused": "the recommender is away", "plain": []}


def _when(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _suggestion(one: dict[str, Any]) -> Suggestion:
    return Suggestion(
        medium=MEDIA.get(one["medium"], one["medium"]),
        title=one["title"],
        institution=one.get("institution") or "",
        slot=one["slot"],
        reasons=tuple(
            Reason(
                f"{_label(r['category'])} ({round(100 * r['share'])} %)", (r["evidence"],) if r.get("evidence") else ()
            )
            for r in one["reasons"]
        ),
        when=_when(one.get("start")),
    )


def _reason(one: dict[str, Any]) -> Reason:
    share = f"{_label(one['category'])} ({round(100 * one['share'])} %)"
    return Reason(share, (one["evidence"],) if one.get("evidence") else ())


def _plain(one: dict[str, Any]) -> Plain:
    medium = MEDIA.get(one["medium"], one["medium"])
    return Plain(medium, one["title"], one.get("institution") or "", _when(one.get("start")))


def _label(curie: str) -> str:
    kind = CATEGORIES.get(curie)
    return kind.label["nl"] if kind else curie


MEDIA: Final = {
    "book": "boek",
    "work": "kunstwerk",
    "concert": "concert",
    "exhibition": "tentoonstelling",
    "stage": "voorstelling",
    "film": "film",
    "talk": "lezing",
    "tour": "rondleiding",
    "event": "activiteit",
}
