"""The log: the citizen's own, with proofs; the public tree for everybody (C2SP tlog-tiles)."""

import json
import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

from consent.accounts import sessions
from consent.accounts.sessions import SessionFacts
from federation.policy import every_shard
from keys.text import b64
from vault.errors import NotFound
from vault.log import device, views, withheld
from vault.log.tiles import Ledger
from vault.log.views import Line, Own
from vault.vault import Vault
from web import guard, logforms, watching
from web.cors import CORS
from web.pages.views import TransparencyPage, render

router = APIRouter()
WIDEST = 255  # of a partial tile (tlog-tiles, Partial Tiles)
PATH = re.compile(r"(entries|[0-7])/((?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/([0-9]{1,3}))?")
Place = Annotated[int, Query(ge=0, lt=2**53)]
"""A number of a line or of entries, as a query may name it: what SQLite and JSON can hold."""
YEAR = 31_536_000


def opened(request: Request, session: SessionFacts) -> list[Line]:
    """The session's own log; reading it opens no pod content and leaves no entry (access-log.md)."""
    return _own(request, session).lines


def _own(request: Request, session: SessionFacts, since: int = 0) -> Own:
    with sessions.log_private(session) as private:
        return views.own(guard.house_of(request).vault, session.pod, private, since)


@router.get("/api/log")
async def own_log(request: Request, proofs: bool = False, since: Place = 0) -> JSONResponse:
    """The citizen's records, newest last, and how many are not among them; with `proofs`, what checks them all."""
    session = await guard.required(request)
    vault = guard.house_of(request).vault
    told = _own(request, session, since)
    if proofs:
        return JSONResponse(_bundle(vault, session, told))
    entries = [{"index": line.index, "outcome": line.outcome, **line.told} for line in told.lines]
    return JSONResponse({"entries": entries, **withheld.of(told, since).told})


@router.get("/api/log/export")
async def export(
    request: Request, form: Annotated[Literal["jsonl", "aj", "balp"], Query(alias="format")] = "jsonl"
) -> Response:
    """One JSON object a line: every record with its nonces and inclusion proof, last the head they must end at.

    `aj` and `balp` tell the same in the shapes of other systems, which have no room for proofs (web.logforms).
    """
    session, house = await guard.required(request), guard.house_of(request)
    told = _own(request, session)
    if form == "aj":
        text, media, name = logforms.aj(told.lines, session.webid), "application/xml", "kluis-log.aj.xml"
    elif form == "balp":
        text, media = logforms.balp(told.lines, session.webid, house.base), "application/fhir+json"
        name = "kluis-log.balp.json"
    else:
        text, media, name = "".join(_lines(_bundle(house.vault, session, told))), "application/jsonl", "kluis-log.jsonl"
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=media, headers=disposition)


def _bundle(vault: Vault, session: SessionFacts, told: Own) -> dict[str, Any]:
    return {**views.proofs(vault, told), "slots": device.slots(vault, session.pod)}


def _lines(bundle: dict[str, Any]) -> list[str]:
    return [json.dumps(line) + "\n" for line in views.exported(bundle)]


@router.get("/log/checkpoint")
async def newest(request: Request) -> Response:
    """The newest published checkpoint: of the current shard, or of the one before it in its first seconds."""
    return await checkpoint(request, guard.house_of(request).vault.log.shards.published.half)


@router.get("/log/consistency")
async def consistency(request: Request, old: Place, new: Place) -> JSONResponse:
    """A proof that the current shard's tree of size `old` is a prefix of that of size `new`."""
    return await shard_consistency(request, guard.house_of(request).vault.log.ledger.half, old, new)


@router.get("/log/{shard}/consistency")
async def shard_consistency(request: Request, shard: str, old: Place, new: Place) -> JSONResponse:
    """A proof that a shard's tree of size `old` is a prefix of that of size `new`."""
    proof = _ledger(request, shard).consistency(old, new)
    return JSONResponse({"proof": [b64(step) for step in proof]}, headers=CORS)


@router.get("/log/{shard}/checkpoint")
async def checkpoint(request: Request, shard: str) -> Response:
    """The newest published checkpoint of a shard."""
    return PlainTextResponse(_ledger(request, shard).note, headers=CORS | {"cache-control": "no-cache"})


@router.get("/log/{shard}/tile/{place:path}")
async def tile(request: Request, shard: str, place: str) -> Response:
    """A hash tile or an entry bundle, full or partial."""
    ledger = _ledger(request, shard)
    found = PATH.fullmatch(place)
    if found is None or int(found[3] or 1) > WIDEST:
        raise NotFound("no such tile")
    level, number, partial = found.groups()
    index, width = int(number.replace("x", "").replace("/", "")), int(partial or 256)
    if level == "entries":
        body = ledger.bundle(guard.house_of(request).vault.db.read, index, width)
    else:
        body = ledger.tile(int(level), index, width)
    fixed = {"cache-control": f"public, max-age={YEAR}, immutable"}
    return Response(body, media_type="application/octet-stream", headers=CORS | fixed)


@router.get("/transparency", include_in_schema=False)
async def transparency(request: Request) -> HTMLResponse:
    """What anybody needs to check the log."""
    house = guard.house_of(request)
    ledger = house.vault.log.ledger
    shown = TransparencyPage(house.base, ledger.origin, ledger.vkey, ledger.size, ledger.note, watching.part(house))
    return HTMLResponse(render("transparency", shown))


@router.get("/transparency.json")
async def transparency_json(request: Request) -> JSONResponse:
    """The same for machines; `shards` are all half-years of the log, oldest first.

    `every_vkey` is for a witness: the log's key under a name that stands for every half-year, also those to come.
    """
    house = guard.house_of(request)
    ledger = house.vault.log.ledger
    told: dict[str, Any] = {
        "origin": ledger.origin,
        "vkey": ledger.vkey,
        "size": ledger.size,
        "checkpoint": "/log/checkpoint",
        "every_vkey": every_shard(ledger.vkey),
        "witnesses": watching.state(house),
        "shards": [{**told, "checkpoint": f"/log/{half}/checkpoint"} for half, told in _shards(request)],
    }
    return JSONResponse(told, headers=CORS)


def _ledger(request: Request, shard: str) -> Ledger:
    return guard.house_of(request).vault.log.shards.named(shard)


def _shards(request: Request) -> list[tuple[str, dict[str, Any]]]:
    return [(ledger.half, ledger.told) for ledger in guard.house_of(request).vault.log.shards.all]
