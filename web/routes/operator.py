"""What the operator does over the socket of the data directory; from outside these addresses do not exist."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from consent import clients, erasure, incoming
from keys.text import b64
from vault import custody
from vault.log.entry import Facts, Intent
from vault.log.handover import hand_over
from web import guard
from web.timekeeper import Timekeeper

if TYPE_CHECKING:
    from web.app import House

router = APIRouter(include_in_schema=False)


@router.post("/api/operator/apps")
async def register_app(request: Request) -> JSONResponse:
    """Register an app that the city reviewed (RFC 7591 metadata, with `controller` and `purposes`)."""
    house = await house_for_operator(request)
    try:
        described = incoming.read(await request.body())
    except ValueError:
        raise HTTPException(400, "malformed") from None
    client = clients.described(described, "city", house.clock())
    done = await clients.register(house.vault, client, house.clock())
    purposes = [{"code": p.code, "version": p.version} for p in done.purposes]
    return JSONResponse({"client_id": done.client_id, "name": done.name, "purposes": purposes}, 201)


@router.post("/api/operator/erase")
async def erase_pod(request: Request) -> JSONResponse:
    """Erase the pod of a person who asked for it; there is no way back."""
    house = await house_for_operator(request)
    told = await request.json()
    pod = house.vault.pod(str(told.get("pod", ""))) if isinstance(told, dict) else None
    if pod is None:
        raise HTTPException(404, "no such pod")
    return JSONResponse({"entry": await erasure.by_operator(house.vault, pod, house.clock())})


@router.post("/api/operator/custodian/rotate")
async def rotate_custodian(request: Request) -> JSONResponse:
    """Replace the custody key, or finish a replacement that was broken off."""
    house = await house_for_operator(request)
    done = await custody.rotate(house.vault, house.clock())
    told = {"key": b64(done.key), "moved": done.moved, "left": done.left}
    return JSONResponse({**told, "destroyed": [b64(key) for key in done.destroyed]})


@router.post("/api/operator/log/rotate")
async def rotate_log(request: Request) -> JSONResponse:
    """Replace the log's key; the old one certifies the new one in the log."""
    house = await house_for_operator(request)
    return JSONResponse({"key": await hand_over(house.vault, house.clock())})


@router.get("/api/operator/clock")
async def clock(request: Request) -> JSONResponse:
    """What the server takes for now, and whether it believes the machine's clock."""
    return JSONResponse((await _keeper(request)).told)


@router.post("/api/operator/clock/accept")
async def accept_clock(request: Request) -> JSONResponse:
    """The machine's clock is right although it jumped ahead; there is no way back."""
    keeper, house = await _keeper(request), guard.house_of(request)
    if ahead := keeper.told["ahead_seconds"]:
        facts = Facts("admin", "accept clock", rule="admin", note=f"{ahead} s ahead")
        await house.vault.log.append(Intent(house.vault.office, facts, house.clock()))
        keeper.accept()
    return JSONResponse({"accepted_seconds": ahead, **keeper.told})


async def house_for_operator(request: Request) -> "House":
    """The house, for its operator; from outside there is nothing here, and that somebody looked is counted."""
    if not request.state.operator:
        await guard.denied(request, await guard.current(request), "role", "operate")
        raise HTTPException(404, "not found")
    return guard.house_of(request)


async def _keeper(request: Request) -> Timekeeper:
    keeper = (await house_for_operator(request)).keeper
    if keeper is None:
        raise HTTPException(404, "this server takes the machine's clock as it is, as a demo does")
    return keeper
