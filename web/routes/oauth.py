"""The OAuth endpoints that programs call: discovery, PAR, tokens, introspection, revocation, grants.

Every answer is `no-store`; errors are those of RFC 6749 section 5.2. Cookies are not read here.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from consent import amend, asks, clients, endings, grants, issue
from consent.errors import OAuthError
from consent.oauth import metadata, par, rar, server, signedanswer
from consent.oauth.clients import Client
from consent.oauth.documents import is_document
from consent.oauth.dpop import check_proof, shown_token
from keys.text import b64
from web import apps, guard
from web.routes import authorize

if TYPE_CHECKING:
    from web.app import House

router = APIRouter(tags=["oauth"])
router.include_router(authorize.router)

NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}
ACTIONS: Final = {"/oauth/par": "ask", "/oauth/token": "token", "/oauth/revoke": "revoke"}
"""What a client does at an address, as the log calls it."""
FORM: Final = "application/x-www-form-urlencoded"


@router.get("/.well-known/oauth-authorization-server")
async def authorization_server(request: Request) -> JSONResponse:
    """Authorization server metadata (RFC 8414)."""
    return JSONResponse(metadata.authorization_server(guard.house_of(request).base), headers=NO_STORE)


@router.get("/.well-known/openid-configuration")
async def openid_configuration(request: Request) -> JSONResponse:
    """OpenID provider metadata (Solid-OIDC)."""
    return JSONResponse(metadata.openid_configuration(guard.house_of(request).base), headers=NO_STORE)


@router.get("/.well-known/oauth-protected-resource")
async def protected_resource(request: Request) -> JSONResponse:
    """Protected resource metadata (RFC 9728)."""
    return JSONResponse(metadata.protected_resource(guard.house_of(request).base), headers=NO_STORE)


@router.get("/oauth/jwks")
async def jwks(request: Request) -> JSONResponse:
    """The public keys under which this server signs tokens and receipts (RFC 7517)."""
    return JSONResponse({"keys": [guard.house_of(request).vault.issuer_public]}, headers=NO_STORE)


@router.post("/oauth/par")
async def push(request: Request) -> Response:
    """Push an authorization request (RFC 9126); a DPoP proof says which key may redeem its code."""

    async def pushed(house: "House", asked: server.TokenRequest) -> Response:
        now = house.clock()
        known = authenticated(house, asked)
        proof = check_proof(proofs(request), "POST", asked.url, now)
        said = par.check_par(asked.form, known.client, proof, house.base, now)
        await amend.check(house.vault, said, now)
        kept = await asks.push(house.vault, said, asks.Shown(proof, known.assertion), now)
        body = {"request_uri": kept.request_uri, "expires_in": asks.LIFETIME_S}
        return JSONResponse(body, 201, NO_STORE)

    return await answered(request, pushed)


@router.post("/oauth/token")
async def token(request: Request) -> Response:
    """Exchange a code, use a refresh token, or client credentials (RFC 6749, RFC 9449, Solid-OIDC)."""

    async def issued(house: "House", asked: server.TokenRequest) -> Response:
        client = await _described(house, asked)
        body = await issue.answer(house.vault, asked, proofs(request), house.clock(), client)
        return JSONResponse(body, headers=NO_STORE)

    return await answered(request, issued)


@router.post("/oauth/introspect")
async def introspect(request: Request) -> Response:
    """What one of the caller's own tokens stands for (RFC 7662), signed if it is asked so (RFC 9701)."""

    async def told(house: "House", asked: server.TokenRequest) -> Response:
        client, now = await proven(house, asked), house.clock()
        body = issue.introspect(house.vault, client, asked.form.get("token", ""), now)
        if signedanswer.wanted(request.headers.get("accept", "")):
            text = signedanswer.make_answer(body, client.client_id, house.base, house.issuer_key, now)
            return Response(text, media_type=signedanswer.MEDIA, headers=NO_STORE)
        return JSONResponse(body, headers=NO_STORE)

    return await answered(request, told)


@router.post("/oauth/revoke")
async def revoke(request: Request) -> Response:
    """Give a token back (RFC 7009); an unknown one is answered in the same way."""

    async def revoked(house: "House", asked: server.TokenRequest) -> Response:
        if "token" not in asked.form:
            raise OAuthError("invalid_request", "token is missing.")
        client = await proven(house, asked, public=True)
        await issue.revoke(house.vault, client, asked.form["token"], house.clock())
        return Response(status_code=200, headers=NO_STORE)

    return await answered(request, revoked)


@router.get("/oauth/grants/{grant_id}")
async def query_grant(request: Request, grant_id: str) -> Response:
    """What the grant behind the shown token covers (FAPI Grant Management); any other grant is 404."""
    return await with_token(request, grant_id, _about)


@router.post("/oauth/grants/{grant_id}")
async def query_grant_as_client(request: Request, grant_id: str) -> Response:
    """The same for an app that shows who it is as at the token endpoint: also of a grant that has ended."""

    async def told(house: "House", asked: server.TokenRequest) -> Response:
        client = await proven(house, asked)
        found = await amend.owned(house.vault, (client.client_id, client.name), grant_id, house.clock())
        if found is None:
            raise HTTPException(404, "not_found")
        return await _about(house, found)

    return await answered(request, told)


@router.delete("/oauth/grants/{grant_id}")
async def end_grant(request: Request, grant_id: str) -> Response:
    """Give the grant behind the shown token back; any other grant is 404."""

    async def ended(house: "House", grant: grants.GrantFacts) -> Response:
        await endings.revoke(house.vault, grant, house.clock())
        return Response(status_code=204, headers=NO_STORE)

    return await with_token(request, grant_id, ended)


async def _about(house: "House", grant: grants.GrantFacts) -> Response:
    told = {
        "grant_id": b64(grant.id),
        "state": grants.state_at(grant, house.clock()),
        "version": grant.version,
        "authorization_details": rar.granted(grant.terms, house.base),
    }
    return JSONResponse(told, headers=NO_STORE)


async def _described(house: "House", asked: server.TokenRequest) -> Client | None:
    """The app of a document, which is fetched only for whom one of our codes or tokens is bound to it."""
    client_id = server.claimed(asked)
    if not is_document(client_id):
        return None
    mine = issue.asker(house.vault, asked.form) == client_id
    return await apps.resolve(house, client_id) if mine else apps.nameless(client_id)


async def answered(request: Request, step: Callable[["House", server.TokenRequest], Awaitable[Response]]) -> Response:
    """Read the form, do the step, and turn a refusal into an OAuth error."""
    try:
        return await step(guard.house_of(request), await _read(request))
    except OAuthError as refused:
        if refused.code == "invalid_client":  # who it was is not known, so it stands in the office's log
            await guard.denied(request, None, refused.code, ACTIONS.get(request.url.path, "read"))
        return refused_answer(request, refused)


async def _read(request: Request) -> server.TokenRequest:
    house, body = guard.house_of(request), await read_body(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != FORM:
        raise OAuthError("invalid_request", "The body is not a form.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
    except ValueError as bad:
        raise OAuthError("invalid_request", "The form is malformed.") from bad
    url = house.base + request.url.path
    return server.TokenRequest(par.single(pairs), dict(request.headers), request.method, url, house.base)


async def read_body(request: Request) -> bytes:
    """The body of a request of at most 64 KiB. Raises HTTPException 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > guard.LARGEST_FORM:
            raise HTTPException(413, "too_large")
    return bytes(body)


def proofs(request: Request) -> list[bytes]:
    """The values of the header with the proof of possession (RFC 9449 4.1)."""
    return _raw(request, b"dpop")


def _raw(request: Request, header: bytes) -> list[bytes]:
    return [value for name, value in request.headers.raw if name == header]


def authenticated(house: "House", asked: server.TokenRequest, *, public: bool = False) -> server.Authenticated:
    """The caller, as far as it shows who it is; its assertion is still to be used up. Raises OAuthError."""
    named = server.claimed(asked)
    client = apps.nameless(named) if is_document(named) else clients.find(house.vault, named)
    return server.authenticate(asked, client, house.clock(), public=public)


async def proven(house: "House", asked: server.TokenRequest, *, public: bool = False) -> Client:
    """The caller, whose assertion is now used up. `public`: one that can only name itself may come too."""
    known = authenticated(house, asked, public=public)
    await asks.spend(house.vault, known.assertion)
    return known.client


async def with_token(
    request: Request, grant_id: str, step: Callable[["House", grants.GrantFacts], Awaitable[Response]]
) -> Response:
    """Do a step for the app that shows a live access token of this very grant, with its proof."""
    house = guard.house_of(request)
    try:
        return await step(house, await _grant_of(request, house, grant_id))
    except OAuthError as refused:
        return refused_answer(request, refused)


async def held(request: Request, house: "House") -> grants.GrantFacts:
    """The grant whose live access token is shown, with a proof that is now used up. Raises OAuthError."""
    now, shown = house.clock(), shown_token(_raw(request, b"authorization"))
    known = issue.hold(house.vault, shown.decode("ascii"), "kat") if shown else None
    if known is None or shown is None or not known.live(now):
        raise OAuthError("invalid_token", "The token is not valid.")
    url = house.base + request.url.path
    await asks.spend(house.vault, check_proof(proofs(request), request.method, url, now, shown, known.bound["jkt"]))
    return known.grant


async def _grant_of(request: Request, house: "House", grant_id: str) -> grants.GrantFacts:
    found = await held(request, house)
    if b64(found.id) != grant_id:
        await amend.owned(house.vault, (found.terms.client, found.terms.client_name), grant_id, house.clock())
        raise HTTPException(404, "not_found")
    return found


def refused_answer(request: Request, error: OAuthError) -> Response:
    """RFC 6749 5.2 and RFC 6750 3; the way to authenticate is named where another one failed."""
    status = {"invalid_client": 401, "invalid_token": 401, "temporarily_unavailable": 503}.get(error.code, 400)
    scheme = {"invalid_client": 'Basic realm="kluis"', "invalid_token": 'DPoP error="invalid_token"'}.get(error.code)
    named = {"www-authenticate": scheme} if scheme and "authorization" in request.headers else {}
    body = {"error": error.code, "error_description": error.description, **error.detail}
    return JSONResponse(body, status, NO_STORE | named)
