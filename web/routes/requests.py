"""The citizen's page about requests: what waits for her, what she put off, and what apps may not ask her again."""

from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from consent import clients, waiting
from consent.purposes import PURPOSES
from consent.waiting import Barred, Waiting
from keys.text import b64
from vault.vault import Vault
from web import asking, guard, own
from web.pages.requested import ClosedRequest, RequestsPage, WaitingRequest

router = APIRouter(include_in_schema=False)


@router.get("/me/requests")
async def requests(request: Request) -> HTMLResponse:
    """Every undecided request of hers, each with the way to its page."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    waits = tuple(_waiting(house.vault, one) for one in waiting.of_citizen(house.vault, session, house.clock()))
    closed = tuple(_closed(one) for one in waiting.closed(house.vault, session, house.clock()))
    return own.page("requests", RequestsPage(waits, closed, "reopened" in request.query_params), session)


@router.post("/me/requests/{handle}/reopen")
async def reopen(request: Request, handle: str) -> RedirectResponse:
    """Let an app ask again what she refused or objected to."""
    session, _ = await guard.written(request)
    house = guard.house_of(request)
    if not await waiting.reopen(house.vault, session, own.ident(handle), house.clock()):
        raise HTTPException(404, "not_found")
    return RedirectResponse("/me/requests?reopened", 303, headers=own.NO_STORE)


def _waiting(vault: Vault, one: Waiting) -> WaitingRequest:
    asked = one.asked
    named = {"client_id": asked.said.client_id, "request_uri": asked.request_uri}
    return WaitingRequest(
        app=asked.terms.client_name,
        purpose=asking.purpose(asked.terms, clients.find(vault, asked.said.client_id)),
        at=own.moment(asked.at),
        until=own.moment(asked.expires),
        address="/oauth/authorize?" + urlencode(named),
        deferred=one.deferred,
        here=one.here,
        changes=asked.said.action != "create",
        fresh=one.fresh,
    )


def _closed(one: Barred) -> ClosedRequest:
    until = None if one.until is None else own.moment(one.until)
    return ClosedRequest(b64(one.id), one.client_name, PURPOSES[one.purpose].label["nl"], until)
