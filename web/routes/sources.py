"""Deposits: a file of a source comes in, is read by its importer, and goes through the drop box or not at all."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from consent import deposits, gate
from consent.accounts.sessions import SessionFacts
from consent.categories import category
from consent.deposits import PREFIX, Delivery
from recommender.sources import intake
from recommender.sources.intake import Intake, Item
from vault import store
from vault.log.entry import Guard
from vault.planned import Parcel
from vault.pod import compartment
from vault.vault import PodFacts
from web import guard
from web.recommending import Away
from web.routes import sealed

router = APIRouter()
CATALOGUE = "uitdatabank"
MEDIA = "application/ld+json"
MOST = 20_000


@dataclass(frozen=True, slots=True)
class _From:
    """Whose file it is and who delivers it: the gate of the session if a citizen does, its assertion if the source."""

    name: str
    rule: str
    guard: Guard | None = None
    signature: str = ""


@router.get("/api/sources")
async def listed() -> JSONResponse:
    """The formats that can be taken in."""
    return JSONResponse({"sources": list(intake.SOURCES)})


@router.post("/api/sources/{source}/deposits")
async def deposit(
    request: Request,
    source: str,
    pod: str | None = None,
    patron: str | None = None,
    dry_run: Annotated[bool, Query(alias="dry-run")] = False,
    keep_good: Annotated[bool, Query(alias="keep-good")] = False,
) -> JSONResponse:
    """Take in one file. A rejected record stores nothing (422) unless `keep-good`; `dry-run` stores nothing at all.

    A body of type `application/vnd.kluis.sealed+json` is a delivery that the source sealed itself.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == sealed.MEDIA:
        return await sealed.take(request, source, pod)
    if source not in intake.SOURCES:
        raise HTTPException(404, "unknown source")
    house, body = guard.house_of(request), await request.body()
    sender = await _sender(request, source, Delivery(pod, patron, keep_good), body)
    found = await asyncio.to_thread(intake.read, source, body, patron)
    if len(found.records) > MOST:
        raise HTTPException(413, f"more than {MOST} records in one file: send it in parts")
    told: dict[str, Any] = {"source": source, "read": len(found.records), "rejects": [str(r) for r in found.rejects]}
    if found.rejects and not keep_good:
        return JSONResponse(told | {"stored": 0}, 422)
    if dry_run:
        return JSONResponse(told | {"stored": 0, "would_store": [_preview(item) for item in found.records]})
    if source == CATALOGUE:
        return JSONResponse(told | await _catalogue(request, found))
    facts = house.vault.pod(pod or "")
    if facts is None:
        raise HTTPException(404, "no such pod")
    return JSONResponse(told | await _store(request, source, sender, facts, found, house.clock()))


async def _sender(request: Request, source: str, delivery: Delivery, body: bytes) -> _From:
    """Who delivers: the operator over the socket, a registered source with its key, or the citizen herself."""
    house = guard.house_of(request)
    if request.state.operator:
        return _From(f"{PREFIX}{source}", "operator")
    scheme, _, assertion = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and assertion:
        sender = await deposits.recognise(house.vault, assertion, source, body, delivery, house.clock())
        return _From(sender.client.client_id, "source", signature=sender.signature)
    try:
        return _From(f"{PREFIX}{source}", "session", (await _citizen(request, delivery)).guard)
    except HTTPException as refused:
        why = "unauthenticated" if refused.status_code == 401 else "forbidden"
        await deposits.turned_away(house.vault, delivery.pod, why, house.clock())
        raise


async def _citizen(request: Request, delivery: Delivery) -> SessionFacts:
    """The session of the citizen whose pod it is. Raises HTTPException 401 or 403."""
    session = await guard.required(request)
    guard.demand(request, session, request.headers.get(guard.TOKEN_HEADER, ""))
    if session.pod.name != delivery.pod:
        raise HTTPException(403, "not your pod")
    return session


async def _store(
    request: Request, source: str, sender: _From, pod: PodFacts, found: Intake, now: datetime
) -> dict[str, Any]:
    """Store what was read, and tell how many are stored now.

    Only the citizen and the operator are told how many of them were there before: a source would learn what she keeps.
    """
    vault = guard.house_of(request).vault
    entries, stored = [], 0
    for curie in sorted({item.category for item in found.records}):
        container = category(curie).container
        compartment(vault, pod, container.rstrip("/"))
        items = [item for item in found.records if item.category == curie]
        parcels = [Parcel(f"/{container}{item.name}.jsonld", MEDIA, orjson.dumps(item.body)) for item in items]
        permit = gate.deposit(pod, curie, sender.name, sender.guard, sender.signature, sender.rule)
        index, fresh = await store.deposit(vault, permit, parcels, now, source)
        entries.append(index)
        stored += fresh
    if sender.signature:
        return {"stored": len(found.records), "entries": entries}
    return {"stored": stored, "duplicates": len(found.records) - stored, "entries": entries}


async def _catalogue(request: Request, found: Intake) -> dict[str, Any]:
    """Public events go to the recommender's catalogue; nothing of it is personal."""
    try:
        told = await guard.house_of(request).recommender.ask("catalogue", events=[item.body for item in found.records])
    except Away:
        raise HTTPException(503, "the recommender is away") from None
    return {"stored": told.get("added", 0), "replaced": told.get("replaced", 0)}


def _preview(item: Item) -> dict[str, Any]:
    return {
        "category": item.category,
        "name": item.body.get("schema:name", ""),
        "date": item.body.get("schema:startTime", ""),
    }
