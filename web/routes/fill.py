"""Input assistance over HTTP: the host names fields, she picks on our page, the host gets what she picked and once."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field as Limit

from consent import clients
from consent.categories import CATEGORIES
from web import filling, guard, own, suggested, wishing
from web.filling import Field, Pick
from web.pages.suggesting import FillField, FillPage
from web.suggested import Plainly

router = APIRouter(tags=["suggestions"])
Name = Annotated[str, Limit(min_length=1, max_length=80)]
NOTE: Final = "fill "


class Wanted(BaseModel):
    """One field: the host's own name for it, and what it wants, in words of HTML's `autocomplete` or of Kluis."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    wants: Literal["postal-code", "bday", "kluis:interests", "kluis:card"]


class Form(BaseModel):
    """The fields of one form of a host."""

    model_config = ConfigDict(extra="forbid")

    fields: Annotated[list[Wanted], Limit(min_length=1, max_length=20)]


@router.post("/api/suggest/fill", openapi_extra=suggested.schema(Form))
async def begin(request: Request) -> Response:
    """A host's form: the answer names a page of ours where she picks, and no value. 201 with `pick`, `page`, `fields`.

    Called from her own session it answers her own values at once. Where she gave no grant: `fields` is empty.
    """
    asked: Form = await suggested.body(request, Form)
    house, now = guard.house_of(request), guard.house_of(request).clock()
    fields = list({one.name: Field(one.name, one.wants) for one in asked.fields}.values())
    if not request.headers.getlist("authorization"):
        return await _hers(request, fields)
    try:
        who = await suggested.caller(request, "fill")
    except Plainly as plain:
        return suggested.answered({"fields": [], "personalised": False, "why": plain.why}, personal=False)
    client = clients.find(house.vault, who.client)
    offered = filling.offered(client, fields) if client else []
    if client is None or not offered:
        return suggested.answered({"fields": [], "personalised": False, "why": "fields"}, personal=False)
    handle = house.filling.begin(who.pod.id, client, offered, now)
    told = {"pick": handle, "page": f"{house.base}/me/fill/{handle}", "fields": [one.name for one in offered],
            "expires_in": int(filling.LIFE.total_seconds()), "personalised": False}  # fmt: skip
    return suggested.answered(told, personal=False, entry=who.entry, status=201)


@router.post("/api/suggest/fill/{pick}")
async def take(request: Request, pick: str) -> Response:
    """What she picked, once: `fields` by name. `picked` is false while she has not; 404 once given or run out."""
    house, now = guard.house_of(request), guard.house_of(request).clock()
    if not request.headers.getlist("authorization"):
        await guard.denied(request, None, "unauthenticated")
        raise HTTPException(401, "unauthenticated", {"WWW-Authenticate": 'DPoP algs="ES256 EdDSA"'})
    before = house.filling.peek(pick)
    try:
        who = await suggested.caller(request, NOTE + _named(before))
    except Plainly as plain:
        return suggested.answered({"picked": False, "fields": {}, "why": plain.why}, personal=False)
    found = house.filling.find(pick, who.pod.id, now)
    if found is None or found.client != who.client:
        raise HTTPException(404, "not_found")
    if found.values is None or found is not before:  # what goes out stands in the line that was just written
        return suggested.answered({"picked": False, "fields": {}}, personal=False, entry=who.entry)
    house.filling.take(pick)
    told = {"picked": True, "fields": dict(found.values)}
    return suggested.answered(told, personal=bool(found.values), entry=who.entry)


@router.get("/me/fill/{pick}", include_in_schema=False)
async def page(request: Request, pick: str) -> HTMLResponse:
    """Her values for each field of the host's form; none is ticked. Nothing is opened where she turned this off."""
    session = await guard.required(request, "citizen", opens=True)
    house, now = guard.house_of(request), guard.house_of(request).clock()
    found = house.filling.find(pick, session.pod.id, now)
    if found is None:
        raise HTTPException(404, "not_found")
    if found.values is not None:
        shown = FillPage(found.client_name, pick, picked=tuple(found.values), done=True)
        return own.page("fill", shown, session)
    if not (await wishing.of(house.vault, session, now)).on("fill"):
        return own.page("fill", FillPage(found.client_name, pick, on=False), session)
    hers = await filling.proposals(house.vault, session, found.fields, now)
    rows = tuple(FillField(one.name, _words(one), hers[one.name]) for one in found.fields)
    return own.page("fill", FillPage(found.client_name, pick, rows), session)


@router.post("/me/fill/{pick}", include_in_schema=False)
async def choose(request: Request, pick: str) -> RedirectResponse:
    """She picks: one value or none for each field. The host gets these and no other."""
    session, said = await guard.written(request, "citizen")
    house, now = guard.house_of(request), guard.house_of(request).clock()
    found = house.filling.find(pick, session.pod.id, now)
    if found is None:
        raise HTTPException(404, "not_found")
    if (await wishing.of(house.vault, session, now)).on("fill") and found.values is None:
        hers = await filling.proposals(house.vault, session, found.fields, now)
        house.filling.picked(pick, _chosen(found, hers, {name: str(value) for name, value in said.items()}), now)
    return RedirectResponse(f"/me/fill/{pick}", 303, headers=own.NO_STORE)


def _chosen(found: Pick, hers: Mapping[str, tuple[str, ...]], said: Mapping[str, str]) -> dict[str, str]:
    """What the form says, by the place of each value in the list she saw: nothing else can be slipped in."""
    chosen = {}
    for number, one in enumerate(found.fields):
        place = said.get(f"field-{number}", "")
        if place.isascii() and place.isdigit() and len(place) <= 2 and int(place) < len(hers[one.name]):
            chosen[one.name] = hers[one.name][int(place)]
    return chosen


async def _hers(request: Request, fields: list[Field]) -> Response:
    session = await suggested.citizen(request)
    house, now = guard.house_of(request), guard.house_of(request).clock()
    if not (await wishing.of(house.vault, session, now)).on("fill"):
        return suggested.answered({"fields": [], "personalised": False, "why": "no_grant"}, personal=False)
    hers = await filling.proposals(house.vault, session, fields, now)
    told = [{"name": name, "values": list(values)} for name, values in hers.items()]
    return suggested.answered({"fields": told, "personalised": True}, personal=True)


def _named(found: Pick | None) -> str:
    """Which kinds of value go out, for the line in her log: words of ours, never her values nor the host's names."""
    values = found.values if found and found.values else {}
    return " ".join(sorted({one.wants for one in (found.fields if found else ()) if one.name in values}))


def _words(one: Field) -> str:
    kind = CATEGORIES[one.category]
    return kind.fields[filling.WANTS[one.wants][1]]["nl"]
