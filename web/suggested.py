"""Asking the recommender in somebody's name: who may, with which permit, and what an answer looks like without it.

Everything here degrades to what the host or the city offers everybody, HTTP 200: no grant, no permit, a kind that she
did not turn on, a recommender or a vault that is away, all give the declared order and say why in one word.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError

from consent import incoming, suggesting
from consent.accounts.sessions import SessionFacts
from consent.call import Call, Denial
from consent.suggesting import ACTION, PLACE, Caller
from vault.errors import Denied, LogUnavailable
from web import guard
from web.cors import CORS
from web.recommending import Away

if TYPE_CHECKING:
    from web.app import House

MARK: Final = {"kluis-personalised": "yes"}
PLAIN: Final = {**CORS, "cache-control": "no-store"}
LARGEST: Final = 256 * 1024


class Plainly(Exception):
    """The answer without her data: `why` is a stable word for programs."""

    code = "plain"

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def caller(request: Request, kind: str) -> Caller:
    """Who asks for a suggestion of this kind: an app by its token, else the citizen by her session and form token.

    An app's grant is checked and its line is in the citizen's log when this returns. Raises Plainly where an app may
    not, HTTPException 401 or 403 for a call without credentials or from another site.
    """
    house = guard.house_of(request)
    if not request.headers.getlist("authorization"):
        session = await citizen(request)
        return suggesting.herself(session)
    try:
        admitted = await suggesting.app(house.vault, app_call(request, doing=ACTION), kind, house.clock())
    except LogUnavailable:
        raise Plainly("vault_away") from None
    except Denied as refused:
        raise Plainly(refused.reason) from None
    if isinstance(admitted, Denial):
        raise Plainly(admitted.code)
    return admitted


async def citizen(request: Request) -> SessionFacts:
    """Her session; a write needs the form token of one of our own pages. Raises HTTPException."""
    session = await guard.required(request, "citizen", opens=True)
    if request.method != "GET":
        guard.demand(request, session, request.headers.get(guard.TOKEN_HEADER, ""))
    return session


def app_call(request: Request, path: str = PLACE, doing: str = "") -> Call:
    """The request of an app as the gate sees it, about her suggestions in the pod of its own grant."""
    headers = request.headers
    return Call(
        request.method,
        f"{guard.house_of(request).base}{request.url.path}",
        "",
        path,
        tuple(value.encode("latin-1") for value in headers.getlist("authorization")),
        tuple(value.encode("latin-1") for value in headers.getlist("dpop")),
        headers.get("kluis-purpose"),
        doing=doing,
        batch=path == PLACE,
    )


async def suggestions(house: "House", who: Caller, k: int) -> dict[str, Any]:
    """The recommender's list for this caller. Raises Plainly."""
    question = {"ask": "suggest", "pod": who.pod.name, "k": k}
    permit = _permit(house, who, question)
    return await _told(house.recommender.ask("suggest", permit=permit, pod=who.pod.name, k=k), "suggestions")


async def ranked(house: "House", who: Caller, candidates: Sequence[str], n: int) -> dict[str, Any]:
    """The host's candidates in her order, with reasons for the first `n`. Raises Plainly."""
    ids = list(candidates)
    permit = _permit(house, who, {"ask": "rank", "pod": who.pod.name, "candidates": ids, "n": n})
    asked = house.recommender.ask("rank", permit=permit, pod=who.pod.name, candidates=ids, n=n)
    return await _told(asked, "order")


async def laid_out(house: "House", who: Caller, actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The host's declared actions in her order. Raises Plainly."""
    declared = [dict(one) for one in actions]
    permit = _permit(house, who, {"ask": "layout", "pod": who.pod.name, "actions": declared})
    asked = house.recommender.ask("layout", permit=permit, pod=who.pod.name, actions=declared)
    return await _told(asked, "order")


def _permit(house: "House", who: Caller, question: Mapping[str, Any]) -> str:
    try:
        return suggesting.permit(house.vault, who, question, house.clock())
    except ValueError:
        raise HTTPException(400, "malformed") from None


async def _told(asked: Any, wanted: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = await asked
    except Away:
        raise Plainly("recommender_away") from None
    if wanted not in told:
        raise Plainly(str(told.get("refused") or told.get("code") or "recommender").replace(" ", "_"))
    return told


async def body(request: Request, model: type[BaseModel]) -> Any:
    """The JSON body of a request as `model`. Raises HTTPException 400 or 413."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > LARGEST:
            raise HTTPException(413, "too-large")
    try:
        return model.model_validate(incoming.read(bytes(read)))
    except (ValueError, ValidationError):
        raise HTTPException(400, "malformed") from None


def schema(model: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a body that is read by hand."""
    shape = model.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = shape.pop("$defs", {})
    for name, one in inner.items():
        shape = _put(shape, f"#/components/schemas/{name}", one)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": shape}}}}


def _put(shape: Any, ref: str, one: Any) -> Any:
    if isinstance(shape, dict):
        return one if shape.get("$ref") == ref else {name: _put(value, ref, one) for name, value in shape.items()}
    return [_put(value, ref, one) for value in shape] if isinstance(shape, list) else shape


def answered(told: Mapping[str, Any], *, personal: bool, entry: int | None = None, status: int = 200) -> Response:
    """The answer, marked where it rests on her data."""
    noted = {} if entry is None else {"kluis-entry": str(entry)}
    return JSONResponse(dict(told), status, headers=PLAIN | (MARK if personal else {}) | noted)


def since(now: datetime) -> str:
    """A moment as it stands in what is stored."""
    return f"{now:%Y-%m-%dT%H:%M:%SZ}"
