"""What came of suggestions: outcomes lie sealed in her pod, hers to read and to delete; wishes change her next list.

An app reports outcomes under a grant to append to her suggestions, and can read nothing back. Nobody adds them up: that
would need a grant of its own for that purpose.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from consent import answers, gate
from consent.accounts.sessions import SessionFacts
from consent.call import Denial
from keys.secret import fresh_bytes
from recommender.errors import BadData
from recommender.sources.items import CONTEXT
from vault import door, store
from vault.errors import Denied, NoCompartment
from web import guard, suggested, wishing
from web.routes.records import denied

if TYPE_CHECKING:
    from web.app import House

router = APIRouter(tags=["suggestions"])
TYPE: Final = "kluis:Outcome"
NOTE: Final = "feedback"
PAGE: Final = 200
What = Literal["shown", "opened", "saved", "attended", "dismissed", "surprised"]
Ident = Annotated[str, Field(min_length=1, max_length=300)]


class Outcome(BaseModel):
    """What she did with one suggestion: its id in the catalogue, and what."""

    model_config = ConfigDict(extra="forbid")

    id: Ident
    what: What


class Feedback(BaseModel):
    """Outcomes, or one wish about a trait (`topic:dans`), or both; only she herself wishes."""

    model_config = ConfigDict(extra="forbid")

    events: Annotated[list[Outcome], Field(max_length=100)] = []
    trait: Annotated[str, Field(max_length=200)] = ""
    how: Literal["less", "more", "never", "undo"] = "less"


@router.post("/api/feedback", openapi_extra=suggested.schema(Feedback))
async def feedback(request: Request) -> Response:
    """Keep outcomes in her pod; `trait` with `how` (less, more, never, undo) changes what she wishes.

    Answer 201: `id` of what was kept, for deleting it, or "" for a wish alone.
    """
    said: Feedback = await suggested.body(request, Feedback)
    house, now = guard.house_of(request), guard.house_of(request).clock()
    path = f"/derived/outcome-{fresh_bytes(8).hex()}.jsonld"
    if request.headers.getlist("authorization"):
        return await _by_app(request, said, path)
    session = await suggested.citizen(request)
    if said.trait:
        step = wishing.stepped("trait", {"name": said.trait, "how": said.how}, now)
        await _wish(house, session, step)
    for one in said.events:
        if one.what == "dismissed":
            await _wish(house, session, wishing.stepped("hide", {"name": one.id, "on": "yes"}, now))
    if said.events:
        await wishing.keep(house.vault, session, path, _body(said, "citizen", now), now, note=NOTE)
    return suggested.answered({"id": _name(path) if said.events else ""}, personal=False, status=201)


@router.get("/api/feedback")
async def kept(request: Request) -> Response:
    """Her outcomes, newest first, at most 200: `id`, `by` (an app, or `citizen`), `at`, and the events."""
    session = await suggested.citizen(request)
    found = [{"id": _name(path), **told} async for path, told in outcomes(guard.house_of(request), session)]
    return suggested.answered({"feedback": found}, personal=False)


@router.post("/api/feedback/{ident}/delete")
async def delete(request: Request, ident: str) -> Response:
    """Delete one of them."""
    session = await suggested.citizen(request)
    if not (len(ident) == 16 and ident.isalnum() and ident.isascii()):
        raise HTTPException(404, "not_found")
    await _remove(guard.house_of(request), session, f"/derived/outcome-{ident}.jsonld")
    return suggested.answered({"id": ident}, personal=False)


async def outcomes(house: "House", session: SessionFacts) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Every outcome in her pod, newest first, behind one entry of her own."""
    async for path, record in made(house, session):
        if record.get("@type") == TYPE:
            yield (
                path,
                {
                    "by": record.get("kluis:by"),
                    "at": record.get("schema:dateCreated"),
                    "events": record.get("kluis:outcomes"),
                },
            )


async def made(house: "House", session: SessionFacts) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """The newest things in the compartment of her suggestions, with their paths."""
    permit, keys = gate.own(session, "derived", "read", note=NOTE)
    try:
        batch = await door.newest(house.vault, permit, keys, house.clock(), 0, PAGE)
    except NoCompartment:
        return
    async for one in batch.items:
        record = answers.record(one.body or b"")
        if record is not None:
            yield one.label.path, record


async def forget(house: "House", session: SessionFacts) -> None:
    """Delete everything that suggestions keep of her: outcomes, lists and wishes. Raises LogUnavailable."""
    while True:
        found = [path async for path, _ in made(house, session)]
        for path in found:
            await _remove(house, session, path)
        if len(found) < PAGE:
            return


async def _remove(house: "House", session: SessionFacts, path: str) -> None:
    permit, _ = gate.own(session, "derived", "delete", path, note=NOTE)
    try:
        await store.remove(house.vault, permit, path, house.clock())
    except Denied as refused:
        if refused.reason != "gone":
            raise
        raise HTTPException(404, "not_found") from None


async def _by_app(request: Request, said: Feedback, path: str) -> Response:
    """An app may say what came of a suggestion, where its grant lets it append to hers; never what she wishes."""
    house, now = guard.house_of(request), guard.house_of(request).clock()
    if said.trait or not said.events:
        raise HTTPException(400, "malformed")
    admitted = await gate.admit(house.vault, suggested.app_call(request, path, doing="append"), now)
    if isinstance(admitted, Denial):
        return denied(request, admitted)
    body = orjson.dumps(_body(said, admitted.permit.facts.client, now))
    written = await store.write(house.vault, admitted.permit, path, wishing.MEDIA, body, now, "absent")
    return suggested.answered({"id": _name(path)}, personal=False, entry=written.index, status=201)


async def _wish(house: "House", session: SessionFacts, step: wishing.Change) -> None:
    try:
        await wishing.change(house.vault, session, step, house.clock())
    except BadData:
        raise HTTPException(400, "malformed") from None


def _body(said: Feedback, by: str, now: datetime) -> Mapping[str, Any]:
    return {
        "@context": CONTEXT,
        "@id": "",
        "@type": TYPE,
        "schema:name": "Wat je deed met suggesties",
        "schema:dateCreated": suggested.since(now),
        "kluis:by": by,
        "kluis:outcomes": [{"schema:item": one.id, "kluis:what": one.what} for one in said.events],
    }


def _name(path: str) -> str:
    return path.removeprefix("/derived/outcome-").removesuffix(".jsonld")
