"""The batch door and the derived answers: JSON-LD for a token, filtered to what its grant covers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from consent import answers, gate
from consent.call import Admission, Call, Denial, noted
from consent.categories import category as known
from consent.minimise import CONTEXT
from vault import door
from vault.door import Batch
from vault.sealed import Opened
from web import guard, problems
from web.cors import CORS
from web.replies import challenge

router = APIRouter()
MEDIA = "application/ld+json"


@router.get("/api/records")
async def records(
    request: Request, category: Annotated[str, Query(max_length=80)], since: datetime | None = None
) -> Response:
    """All records of a category that the token's grant covers, as one JSON-LD graph, behind one log entry."""
    house, kind = guard.house_of(request), known(category)
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    admitted = await gate.admit(house.vault, _call(request, f"/{kind.container}", batch=True), house.clock())
    if isinstance(admitted, Denial):
        return denied(request, admitted)
    batch = await door.records(house.vault, admitted.permit, admitted.keys, house.clock(), since)
    pod = house.vault.pod_by_id(admitted.permit.pod)
    root = f"{house.base}/pods/{pod.name if pod else ''}"
    headers = CORS | admitted.applied | {"kluis-entry": str(batch.index), "cache-control": "no-store"}
    return StreamingResponse(_graph(batch, admitted, root, house.clock()), media_type=MEDIA, headers=headers)


@router.get("/api/answers/{name}")
async def answer(request: Request, name: str) -> Response:
    """One derived answer that the token's grant covers."""
    house = guard.house_of(request)
    admitted = await gate.admit(house.vault, _call(request, "/answers/", answer=name), house.clock())
    if isinstance(admitted, Denial):
        return denied(request, admitted)
    path = next(iter(admitted.permit.targets or ()))
    found = await door.read(house.vault, admitted.permit, admitted.keys, path, house.clock())
    headers = CORS | admitted.applied | {"kluis-entry": str(found.index), "cache-control": "no-store"}
    if found.kind != "resource":
        return problems.problem(404, "not-found", "This answer is not there yet")
    return Response(found.body, media_type=MEDIA, headers=headers)


def denied(request: Request, denial: Denial) -> Response:
    """A denial as a problem, with what would be needed."""
    status = {"unauthenticated": 401, "forbidden": 403}.get(denial.code) or problems.OAUTH.get(denial.code, 403)
    more: dict[str, Any] = {"authorization_details": [dict(denial.hint)]} if denial.hint else {}
    response = problems.problem(status, denial.code, "No access", **more)
    response.headers.update(CORS)
    if status == HTTPStatus.FORBIDDEN:
        response.headers.update(challenge(status, denial.code, guard.house_of(request).base))
    return response


def _call(request: Request, path: str, **more: Any) -> Call:
    headers = request.headers
    return Call(
        request.method,
        f"{guard.house_of(request).base}{request.url.path}",
        "",
        path,
        tuple(value.encode("latin-1") for value in headers.getlist("authorization")),
        tuple(value.encode("latin-1") for value in headers.getlist("dpop")),
        headers.get("kluis-purpose"),
        prefer=tuple(value.encode("latin-1") for value in headers.getlist("prefer")),
        note=noted(headers.get("kluis-note")),
        **more,
    )


async def _graph(batch: Batch, admitted: Admission, root: str, now: datetime) -> AsyncIterator[bytes]:
    """`{"@context":…,"@graph":[…]}`, record by record; what the grant does not cover never leaves this function."""
    yield b'{"@context":' + orjson.dumps(CONTEXT) + b',"@graph":['
    first = True
    async for opened in batch.items:
        kept = _record(opened, admitted, root, now)
        if kept is not None:
            yield (b"" if first else b",") + kept
            first = False
    yield b"]}"


def _record(opened: Opened, admitted: Admission, root: str, now: datetime) -> bytes | None:
    if "json" not in opened.label.media or opened.body is None:
        return None
    record = answers.record(opened.body)
    if record is None:
        return None  # no JSON object: it must not end the answer for the others
    kept = admitted.limited(opened.body, opened.label.media, now)
    return None if kept is None else orjson.dumps({**orjson.loads(kept), "@id": root + opened.label.path})
