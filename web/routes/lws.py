"""Linked Web Storage, as a dated draft describes it (vault.solid.lws.VERSION) and only where KLUIS_LWS says so.

An access request is a pushed authorisation request in other words: it shows all that one shows (RFC 9126), and gives
nothing. A grant is given on the citizen's own page and nowhere else, so nothing can be posted to the grants.
"""

from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from fastapi import APIRouter, HTTPException, Path, Request, Response

from consent import amend, endings, grants, odrl, unasked, waiting
from consent.asks import Asked, Shown, spend
from consent.errors import BadAccess, OAuthError
from consent.grants import GrantFacts
from consent.locks import LIVE
from consent.oauth import metadata, par, server
from consent.oauth.dpop import check_proof
from consent.terms import Terms
from keys.text import b64
from vault.solid import lws
from web import guard, own
from web.routes import oauth

if TYPE_CHECKING:
    from web.app import House

router = APIRouter(tags=["lws"])

FORMS: Final = (lws.MEDIA, "application/ld+json")
STATE: Final = "urn:kluis:lws:state"


@router.get("/.well-known/lws-configuration")
async def configuration(request: Request) -> Response:
    """What works of the authorization server (RFC 8414); the draft's token exchange does not, and is not listed."""
    said = metadata.authorization_server(guard.house_of(request).base)
    return _json(said | {lws.DRAFT: lws.VERSION}, "application/json")


# ---------------------------------------------------------------- access requests


@router.post("/lws/requests/")
async def ask(request: Request) -> Response:
    """Ask a citizen for access: with all that /oauth/par wants, in the member `urn:kluis:lws:par`."""
    house = guard.house_of(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in FORMS:
        raise HTTPException(415, "media")
    wanted = odrl.read(await oauth.read_body(request))
    try:
        kept = await _pushed(request, house, wanted)
    except OAuthError as refused:
        if refused.code == "invalid_authorization_details":
            raise BadAccess(refused.description) from refused
        if refused.code == "invalid_client":  # who it was is not known, so it stands in the office's log
            await guard.denied(request, None, refused.code, "ask")
        return oauth.refused_answer(request, refused)
    said = _request(house, kept, kept.terms) | {"urn:kluis:lws:request_uri": kept.request_uri}
    return _json(said, status=201, location=said["id"])


async def _pushed(request: Request, house: "House", wanted: odrl.Wanted) -> Asked:
    """Every check of a pushed request, in its order, and the request kept. Raises OAuthError, BadAccess."""
    now, url = house.clock(), house.base + request.url.path
    asked = server.TokenRequest(wanted.par, dict(request.headers), "POST", url, house.base)
    known = oauth.authenticated(house, asked)
    proof = check_proof(oauth.proofs(request), "POST", url, now)
    form = dict(wanted.par) | {"authorization_details": odrl.details(wanted, known.client, house.base)}
    said = par.check_par(form, known.client, proof, house.base, now)
    await amend.check(house.vault, said, now)
    return await unasked.put(house.vault, said, Shown(proof, known.assertion), known.client, now)


@router.get("/lws/requests/{handle}")
async def show_request(request: Request, handle: Annotated[str, Path(max_length=40)]) -> Response:
    """One waiting request, for a proof by the key that it was made with; whether anybody saw it is not told."""
    house = guard.house_of(request)
    try:
        found = await _mine(request, house, handle)
    except OAuthError as refused:
        return oauth.refused_answer(request, refused)
    return _json(_request(house, found, found.terms))


@router.delete("/lws/requests/{handle}")
async def cancel(request: Request, handle: Annotated[str, Path(max_length=40)]) -> Response:
    """Take a waiting request back."""
    house = guard.house_of(request)
    try:
        found = await _mine(request, house, handle)
    except OAuthError as refused:
        return oauth.refused_answer(request, refused)
    if not await unasked.cancel(house.vault, found):
        raise HTTPException(404, "not_found")
    return Response(status_code=204, headers=oauth.NO_STORE)


async def _mine(request: Request, house: "House", handle: str) -> Asked:
    """The request, whose proof is now used up. Raises OAuthError, HTTPException 404."""
    now = house.clock()
    proof = check_proof(oauth.proofs(request), request.method, house.base + request.url.path, now)
    found = unasked.held(house.vault, handle, proof.jkt, now)
    if found is None:
        raise HTTPException(404, "not_found")
    await spend(house.vault, proof)
    return found


@router.get("/api/lws/requests")
async def own_requests(request: Request) -> Response:
    """The requests that wait for the citizen, in her session; she decides on their own pages."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    waits = waiting.of_citizen(house.vault, session, house.clock())
    asked = [one.asked for one in waits if one.asked.terms.kind == "rar"]
    found = [_request(house, one, one.terms.for_pod(session.pod.name)) for one in asked]
    return _json(_listed(f"{house.base}/api/lws/requests", found))


# ---------------------------------------------------------------- access grants


@router.get("/lws/grants/")
async def list_grants(request: Request) -> Response:
    """The grant behind the shown token: a token stands for one, and knows no other."""
    house = guard.house_of(request)
    try:
        found = await oauth.held(request, house)
    except OAuthError as refused:
        return oauth.refused_answer(request, refused)
    return _json(_listed(house.base + lws.GRANTS, [_grant(house, found)]))


@router.get("/lws/grants/{grant_id}")
async def show_grant(request: Request, grant_id: str) -> Response:
    """The grant behind the shown token; any other is 404."""

    async def told(house: "House", grant: GrantFacts) -> Response:
        return _json(_grant(house, grant))

    return await oauth.with_token(request, grant_id, told)


@router.delete("/lws/grants/{grant_id}")
async def end_grant(request: Request, grant_id: str) -> Response:
    """Give the grant behind the shown token back; any other is 404."""

    async def ended(house: "House", grant: GrantFacts) -> Response:
        await endings.revoke(house.vault, grant, house.clock())
        return Response(status_code=204, headers=oauth.NO_STORE)

    return await oauth.with_token(request, grant_id, ended)


@router.get("/api/lws/grants")
async def own_grants(request: Request) -> Response:
    """The grants that the citizen gave and did not take back, in her session; /me/access takes them back."""
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    given, now = grants.listing(house.vault, session.pod), house.clock()
    found = [_grant(house, one) for one in given if grants.state_at(one, now) in LIVE]
    return _json(_listed(f"{house.base}/api/lws/grants", found))


# ---------------------------------------------------------------- documents


def _request(house: "House", asked: Asked, terms: Terms) -> dict[str, Any]:
    there = f"{house.base}{lws.REQUESTS}{b64(asked.handle)}"
    return _document(house, there, ["AccessRequest", f"{odrl.ODRL}Request"], terms)


def _grant(house: "House", grant: GrantFacts) -> dict[str, Any]:
    there = f"{house.base}{lws.GRANTS}{b64(grant.id)}"
    said = _document(house, there, ["AccessGrant", f"{odrl.ODRL}Agreement"], grant.terms)
    return said | {STATE: grants.state_at(grant, house.clock())}


def _document(house: "House", there: str, types: list[str], terms: Terms) -> dict[str, Any]:
    said = {"id": there, "type": types, "storage": f"{house.base}/pods/{terms.pod}/"}
    return {"@context": [lws.CONTEXT], lws.DRAFT: lws.VERSION, **said, "access": [odrl.policy(terms, house.base)]}


def _listed(there: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """A container of documents (draft: Container Representation); each item is the whole document."""
    items = [one | {"type": ["DataResource", *one["type"]], "mediaType": lws.MEDIA} for one in found]
    said = {"id": there, "type": "Container", "totalItems": len(items), "items": items}
    return {"@context": lws.CONTEXT, lws.DRAFT: lws.VERSION, **said}


def _json(said: dict[str, Any], media: str = lws.MEDIA, status: int = 200, **headers: str) -> Response:
    return Response(orjson.dumps(said), status, {**own.NO_STORE, **headers}, media)
