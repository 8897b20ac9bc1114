"""Clients register themselves (RFC 7591), and read, change and delete themselves (RFC 7592).

Anybody may register a plain Solid app; a client that asks for data by PAR, only a developer from her session, or
anybody in a demo city. Cookies are read for that alone.
"""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from consent import clients, dynamic, incoming
from consent.accounts.roles import may
from consent.errors import OAuthError
from consent.oauth.clients import Client
from web import guard
from web.routes.oauth import NO_STORE, read_body, refused_answer

if TYPE_CHECKING:
    from web.app import House

router = APIRouter(tags=["oauth"])


@router.post("/oauth/register")
async def register(request: Request) -> Response:
    """Register a client; the answer holds the token with which it manages itself, once."""
    house = guard.house_of(request)
    try:
        asked = _json(await read_body(request))
        if dynamic.is_solid(asked):
            client = dynamic.described(asked)
            token = await dynamic.enter(house.vault, client, house.clock())
        else:
            await _developer(request, house)
            described = clients.described(asked, "unverified", house.clock())
            client = await clients.register(house.vault, described, house.clock())
            token = await dynamic.entrust(house.vault, client)
    except OAuthError as refused:
        return refused_answer(request, refused)
    return JSONResponse(_told(house, client, token), 201, NO_STORE)


@router.get("/oauth/register/{client_id}")
async def read(request: Request, client_id: str) -> Response:
    """What is registered about the client (RFC 7592 2.1)."""
    house = guard.house_of(request)
    try:
        token = _bearer(request)
        return JSONResponse(_told(house, dynamic.known(house.vault, client_id, token), token), headers=NO_STORE)
    except OAuthError as refused:
        return _refused(refused)


@router.put("/oauth/register/{client_id}")
async def change(request: Request, client_id: str) -> Response:
    """Say everything anew (RFC 7592 2.2); who allowed the client before is asked again."""
    house = guard.house_of(request)
    try:
        token = _bearer(request)
        old = dynamic.known(house.vault, client_id, token)
        new = _again(house, old, _json(await read_body(request)))
        await dynamic.change(house.vault, new, house.clock())
        return JSONResponse(_told(house, new, token), headers=NO_STORE)
    except OAuthError as refused:
        return _refused(refused)


@router.delete("/oauth/register/{client_id}")
async def remove(request: Request, client_id: str) -> Response:
    """Take the client back (RFC 7592 2.3)."""
    house = guard.house_of(request)
    try:
        await dynamic.delete(house.vault, dynamic.known(house.vault, client_id, _bearer(request)), house.clock())
        return Response(status_code=204, headers=NO_STORE)
    except OAuthError as refused:
        return _refused(refused)


async def _developer(request: Request, house: "House") -> None:
    """Raises OAuthError invalid_client unless a developer asks from her own page, or this is a demo city."""
    session = await guard.current(request)
    if session is not None:
        guard.demand(request, session, request.headers.get(guard.TOKEN_HEADER, ""))
    if not (session is not None and may(session.role, "register apps")) and not house.vault.has_unlockers("demo"):
        raise OAuthError("invalid_client", "Log in as a developer to register an app.")


def _again(house: "House", old: Client, asked: Any) -> Client:
    """The client as it describes itself now, of the same kind and under the same id. Raises OAuthError."""
    if not isinstance(asked, dict) or asked.get("client_id", old.client_id) != old.client_id:
        raise OAuthError("invalid_client_metadata", "client_id is that of another client.")
    if dynamic.is_solid(asked) != (old.kind == "solid"):
        raise OAuthError("invalid_client_metadata", "A client stays of the kind that it was registered as.")
    if old.kind == "solid":
        return dynamic.described(asked, old.client_id)
    return clients.fit(house.vault, clients.described(asked, "unverified", house.clock(), old.client_id))


def _told(house: "House", client: Client, token: str) -> dict[str, Any]:
    here = f"{house.base}/oauth/register/{client.client_id}"
    return dynamic.metadata(client) | {"registration_access_token": token, "registration_client_uri": here}


def _json(body: bytes) -> Any:
    try:
        return incoming.read(body)
    except ValueError as bad:
        raise OAuthError("invalid_client_metadata", "The body is not JSON.") from bad


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.isascii():
        raise OAuthError("invalid_token", "The registration access token is missing.")
    return token.strip()


def _refused(error: OAuthError) -> Response:
    status, named = (
        (401, {"www-authenticate": f'Bearer error="{error.code}"'}) if error.code == "invalid_token" else (400, {})
    )
    return JSONResponse({"error": error.code, "error_description": error.description}, status, NO_STORE | named)
