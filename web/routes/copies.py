"""The app's copy after the end of a grant: the citizen asks for its deletion, the app signs that it is gone."""

from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from consent import copies, grants
from consent.accounts.sessions import SessionFacts
from consent.errors import OAuthError
from consent.grants import GrantFacts
from keys.text import unb64
from web import copied, guard, own
from web.routes.oauth import NO_STORE, answered, proven

if TYPE_CHECKING:
    from consent.oauth.server import TokenRequest
    from web.app import House

router = APIRouter()


@router.post("/oauth/grants/{grant_id}/attest", tags=["oauth"])
async def attest(request: Request, grant_id: str) -> Response:
    """The app hands in what it signed about having deleted its copy: the form field `attestation`, a JWS of type
    `kluis-attestation+jwt` under one of its keys with `iss`, `aud`, `sub` (the grant) and `deleted_at` (seconds).
    """

    async def attested(house: "House", asked: "TokenRequest") -> Response:
        client = await proven(house, asked)
        grant = _given(house, client.client_id, grant_id)
        if "attestation" not in asked.form:
            raise OAuthError("invalid_request", "attestation is missing.")
        deleted = await copies.attest(house.vault, client, grant, asked.form["attestation"], house.clock())
        return JSONResponse({"grant_id": grant_id, "deleted_at": deleted // 1000}, headers=NO_STORE)

    return await answered(request, attested)


@router.post("/api/grants/{grant}/copy/delete")
async def ask_by_api(request: Request, grant: str) -> JSONResponse:
    """Ask the app of a grant that ended to delete its copy; the answer says until when it has."""
    session, _ = await guard.written(request)
    found = await _ask(request, session, grant)
    house = guard.house_of(request)
    return JSONResponse({"id": grant, "copy": copied.kept(house, found)}, headers=own.NO_STORE)


@router.post("/me/access/{grant}/copy/delete", include_in_schema=False)
async def ask(request: Request, grant: str) -> RedirectResponse:
    """The same by a button."""
    session, _ = await guard.written(request)
    await _ask(request, session, grant)
    return RedirectResponse(f"/me/access?asked={grant}", 303, headers=own.NO_STORE)


async def _ask(request: Request, session: SessionFacts, grant: str) -> GrantFacts:
    house = guard.house_of(request)
    ident = own.ident(grant)
    if not await copies.ask(house.vault, session, ident, house.clock()):
        raise HTTPException(404, "not_found")
    found = grants.load(house.vault, ident)
    if found is None:
        raise HTTPException(404, "not_found")
    return found


def _given(house: "House", client: str, grant_id: str) -> GrantFacts:
    """A grant of this very app; any other is 404."""
    try:
        found = grants.given_to(house.vault, client, unb64(grant_id))
    except ValueError:
        found = None
    if found is None:
        raise HTTPException(404, "not_found")
    return found
