"""Pods from another server, over the operator's socket: which names are free, and one load after the other."""

from typing import Final

import orjson
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from consent.accounts import arriving
from web import arrivals
from web.routes.operator import house_for_operator

router = APIRouter(include_in_schema=False)
MOST_NAMES: Final = 100_000


@router.post("/api/operator/arrivals/names")
async def names(request: Request) -> JSONResponse:
    """Which of these pods (`{name: old address}`) may come: `free`, here in `part` or `whole`, or `taken`."""
    house = await house_for_operator(request)
    try:
        told = orjson.loads(await request.body())
    except ValueError:
        told = None
    if not isinstance(told, dict) or len(told) > MOST_NAMES or not all(isinstance(one, str) for one in told.values()):
        raise HTTPException(400, "malformed")
    return JSONResponse({name: arriving.standing(house.vault, name, origin) for name, origin in told.items()})


@router.post("/api/operator/arrivals")
async def arrive(request: Request) -> JSONResponse:
    """Take one load (web.arrivals): the first makes the pod and its invitation, others go on with it."""
    house = await house_for_operator(request)
    return JSONResponse({"stored": await arrivals.take(house, await request.body())})
