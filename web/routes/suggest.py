"""Suggestions inside a host's own screen: the order of its candidates, and of the actions that it declared.

A host is an app with a grant that says `recommend`, or one of our own pages in her session. Whatever is away, the host
gets its own order back, HTTP 200: a suggestion is never a reason for a screen to fail.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from web import guard, suggested
from web.suggested import Plainly

router = APIRouter(tags=["suggestions"])
Ident = Annotated[str, Field(min_length=1, max_length=300)]


class Candidates(BaseModel):
    """What a host wants in an order: ids of the public catalogue, and for how many of the first it wants reasons."""

    model_config = ConfigDict(extra="forbid")

    candidates: Annotated[list[Ident], Field(max_length=1000)]
    n: Annotated[int, Field(ge=0, le=50)] = 3


class Action(BaseModel):
    """One button of a host: its own id, and the public subjects that it is about (none: its id is the subject)."""

    model_config = ConfigDict(extra="forbid")

    id: Ident
    topics: Annotated[list[Ident], Field(max_length=20)] = []


class Actions(BaseModel):
    """The buttons that a host declares; no other can come back."""

    model_config = ConfigDict(extra="forbid")

    actions: Annotated[list[Action], Field(max_length=200)]


@router.post("/api/suggest/rank", openapi_extra=suggested.schema(Candidates))
async def rank(request: Request) -> Response:
    """Content focus: a permutation of `candidates`, with reasons for the first `n`; unknown ids come last, in order.

    Answer: `order`, `reasons` by id (`category`, `share` 0 to 1; to the citizen herself also her own `evidence`),
    `personalised`, and where it is not: `why` in one word.
    """
    asked: Candidates = await suggested.body(request, Candidates)
    try:
        who = await suggested.caller(request, "rank")
        told = await suggested.ranked(guard.house_of(request), who, asked.candidates, asked.n)
    except Plainly as plain:
        return _as_declared(asked.candidates, plain, reasons={})
    return suggested.answered({**told, "personalised": True}, personal=True, entry=who.entry)


@router.post("/api/suggest/layout", openapi_extra=suggested.schema(Actions))
async def layout(request: Request) -> Response:
    """Structure focus: the declared `actions` and no other, in her order; off or away: in the declared order."""
    asked: Actions = await suggested.body(request, Actions)
    return await _laid_out(request, asked.actions)


@router.get("/api/suggest/layout")
async def layout_by_name(
    request: Request,
    action: Annotated[list[Ident], Query(max_length=200)] = [],  # noqa: B006 -- FastAPI copies it
) -> Response:
    """The same for actions whose ids are their subjects: `?action=dans&action=film`."""
    return await _laid_out(request, [Action(id=one) for one in action])


async def _laid_out(request: Request, actions: list[Action]) -> Response:
    declared = [one.id for one in actions]
    try:
        who = await suggested.caller(request, "layout")
        named = [{"id": one.id, "topics": one.topics or [one.id]} for one in actions]
        told = await suggested.laid_out(guard.house_of(request), who, named)
    except Plainly as plain:
        return _as_declared(declared, plain)
    return suggested.answered({**told, "personalised": True}, personal=True, entry=who.entry)


def _as_declared(order: list[str], plain: Plainly, **more: object) -> Response:
    return suggested.answered({"order": order, **more, "personalised": False, "why": plain.why}, personal=False)
