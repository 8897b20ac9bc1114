"""What apps are told, fetched instead of pushed (RFC 8936), and how both work (OpenID SSF 1.0)."""

from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from consent import incoming, signals
from consent.errors import OAuthError
from consent.oauth.clients import ASSERTION_TYPE
from consent.oauth.server import TokenRequest
from web import guard
from web.routes.oauth import NO_STORE, proven

if TYPE_CHECKING:
    from web.app import House

router = APIRouter(tags=["oauth"])

MOST: Final = 100  # tokens in one answer


@router.get("/.well-known/ssf-configuration")
async def configuration(request: Request) -> JSONResponse:
    """Transmitter configuration metadata (SSF 1.0 section 7.1)."""
    return JSONResponse(signals.metadata(guard.house_of(request).base), headers=NO_STORE)


@router.post("/oauth/signals")
async def poll(request: Request) -> JSONResponse:
    """What the caller still has to be told about its grants, oldest first; what it names in `ack` is struck off.

    The caller shows a client assertion as bearer token (RFC 7523). It is answered at once, also if there is nothing.
    """
    house = guard.house_of(request)
    client = await proven(house, _shown(request, house))
    asked = await _asked(request)
    most, acked = asked.get("maxEvents", MOST), asked.get("ack", [])
    if type(most) is not int or most < 0 or not isinstance(acked, list):
        raise OAuthError("invalid_request", "maxEvents is a number, ack a list.")
    house.outgoing.gather(house)
    await house.outgoing.fetched(house, client.client_id, frozenset(one for one in acked if isinstance(one, str)))
    left = house.outgoing.waiting(client.client_id)
    shown = [one.signal for one in left[: min(most, MOST)]]
    sets = {one.jti: signals.sealed(one, house.base, house.issuer_key) for one in shown}
    return JSONResponse({"sets": sets, "moreAvailable": len(left) > len(shown)}, headers=NO_STORE)


def _shown(request: Request, house: "House") -> TokenRequest:
    """The client assertion in the header, as the token endpoint gets it in a form."""
    scheme, _, assertion = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise OAuthError("invalid_client", "A client assertion is needed as bearer token.")
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion.strip()}
    return TokenRequest(form, {}, "POST", house.base + request.url.path, house.base)


async def _asked(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > guard.LARGEST_FORM:
            raise HTTPException(413, "too_large")
    try:
        found = incoming.read(bytes(body) or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OAuthError("invalid_request", "The body is not a JSON object.")
    return found
