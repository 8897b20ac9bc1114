"""The log: the citizen's own, with proofs; the public tree for everybody (C2SP tlog-tiles)."""

import asyncio
import json
import re
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse

from federation.heirs import PATH as HANDOVERS
from federation.policy import every_shard
from keys.text import b64
from vault.errors import NotFound
from vault.log import handing, kept, views, withheld
from vault.log.tiles import Ledger
from vault.log.views import Line
from web import guard, logforms, logstream, own, watching
from web.cors import CORS
from web.logstream import Shape
from web.pages.views import KeyPart, TransparencyPage, render

router = APIRouter()
WIDEST = 255  # of a partial tile (tlog-tiles, Partial Tiles)
PATH = re.compile(r"(entries|[0-7])/((?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/([0-9]{1,3}))?")
Place = Annotated[int, Query(ge=0, lt=2**53)]
"""A number of a line or of entries, as a query may name it: what SQLite and JSON can hold."""
YEAR = 31_536_000
JSON = "application/json"


@router.get("/api/log")
async def own_log(request: Request, proofs: bool = False, since: Place = 0) -> Response:
    """The citizen's records, newest last, and how many are not among them; with `proofs`, what checks them all.

    Reading it opens no pod content and leaves no entry (access-log.md).
    """
    session = await guard.required(request)
    vault = guard.house_of(request).vault
    frame = await asyncio.to_thread(kept.frame, vault, session.pod, logstream.PAGE, since)
    if not proofs:
        seen = withheld.Seen(frame.told["head"]["seq"], since)

        def entry(line: Line) -> str:
            return _dumped({"index": line.index, "outcome": line.outcome, **seen.add(line).told})

        shape = Shape(JSON, '{"entries":[', entry, lambda: "]," + _dumped(seen.count.told)[1:], ",")
    else:
        begins = orjson.dumps(frame.told).decode()[:-1] + ',"entries":['
        shape = Shape(JSON, begins, lambda line: _dumped(views.proven(vault.log.shards, line, frame.sizes)), "]}", ",")
    return logstream.answer(vault, session, shape, frame.pages)


@router.get("/api/log/export")
async def export(
    request: Request, form: Annotated[Literal["jsonl", "aj", "balp"], Query(alias="format")] = "jsonl"
) -> Response:
    """One JSON object a line: every record with its nonces and inclusion proof, last the head they must end at.

    `aj` and `balp` tell the same in the shapes of other systems, which have no room for proofs (web.logforms).
    """
    session, house = await guard.required(request), guard.house_of(request)
    frame = await asyncio.to_thread(kept.frame, house.vault, session.pod, logstream.PAGE)
    if form == "aj":
        shape = logforms.aj(session.webid)
    elif form == "balp":
        shape = logforms.balp(session.webid, house.base)
    else:
        vault = house.vault
        shape = Shape("application/jsonl", "", lambda one: frame.line(vault, one), frame.last, name="kluis-log.jsonl")
    return logstream.answer(house.vault, session, shape, frame.pages)


def _dumped(told: dict[str, Any]) -> str:
    return json.dumps(told)


@router.get("/log/checkpoint")
async def newest(request: Request) -> Response:
    """The newest published checkpoint: of the current shard, or of the one before it in its first seconds."""
    return await checkpoint(request, guard.house_of(request).vault.log.shards.published.half)


@router.get("/log/consistency")
async def consistency(request: Request, old: Place, new: Place) -> JSONResponse:
    """A proof that the current shard's tree of size `old` is a prefix of that of size `new`."""
    return await shard_consistency(request, guard.house_of(request).vault.log.ledger.half, old, new)


@router.get("/log/handovers")
async def handovers(request: Request) -> JSONResponse:
    """Every published statement by which one key handed over to the next, oldest first: a proof each (C2SP tlog-proof)
    that stands alone, the statement beside it. Who trusts any key of this log follows to the one in use.
    """  # fmt: skip
    vault = guard.house_of(request).vault
    told = await asyncio.to_thread(handing.proofs, vault.db, vault.log.shards)
    return JSONResponse({"hands": told}, headers=CORS | {"cache-control": "no-cache"})


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
    told = await asyncio.to_thread(handing.reigns, house.vault.db, house.vault.log.shards)
    keys = tuple(KeyPart(one.vkey, one.since, one.until, own.moment(one.at) if one.at else None) for one in told)
    shown = TransparencyPage(
        house.base, ledger.origin, ledger.vkey, ledger.size, ledger.note, keys, watching.part(house)
    )
    return HTMLResponse(render("transparency", shown))


@router.get("/transparency.json")
async def transparency_json(request: Request) -> JSONResponse:
    """The same for machines; `shards` are all half-years of the log, oldest first.

    `every_vkey` is for a witness: the log's key under a name that stands for every half-year, also those to come.
    `keys` are all that ever signed, oldest first: from which entry and until which (not included), and where the
    certificate of the key before it stands (`/log/handovers` proves it).
    """
    house = guard.house_of(request)
    reigns = await asyncio.to_thread(handing.reigns, house.vault.db, house.vault.log.shards)
    ledger = house.vault.log.ledger
    told: dict[str, Any] = {
        "origin": ledger.origin,
        "vkey": ledger.vkey,
        "size": ledger.size,
        "checkpoint": "/log/checkpoint",
        "every_vkey": every_shard(ledger.vkey),
        "keys": [one.told for one in reigns],
        "handovers": HANDOVERS,
        "witnesses": watching.state(house),
        "shards": [{**told, "checkpoint": f"/log/{half}/checkpoint"} for half, told in _shards(request)],
    }
    return JSONResponse(told, headers=CORS)


def _ledger(request: Request, shard: str) -> Ledger:
    return guard.house_of(request).vault.log.shards.named(shard)


def _shards(request: Request) -> list[tuple[str, dict[str, Any]]]:
    return [(ledger.half, ledger.told) for ledger in guard.house_of(request).vault.log.shards.all]
