"""ID tokens (OpenID Connect Core 2, Solid-OIDC 6): who logged in, for which app, bound to its DPoP key, for 5 minutes.

They open nothing. One that comes back as a hint is believed if we signed it, however old it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from consent.errors import OAuthError
from consent.jws import BadJws, make, read
from keys.text import b64

LIFETIME: Final = 300  # seconds


@dataclass(frozen=True, slots=True)
class Login:
    """What an ID token tells: the person, the app, its key, the app's nonce, and when she logged in (s since 1970)."""

    webid: str
    client_id: str
    jkt: str
    at: int
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """Whom an earlier ID token was about, and which app it was for."""

    webid: str
    client_id: str


def make_id_token(login: Login, issuer: str, access: str, key: Mapping[str, Any], now: datetime) -> str:
    """The signed token that goes along with `access`, whose hash it holds (3.1.3.6)."""
    iat = int(now.timestamp())
    claims = {
        "iss": issuer,
        "sub": login.webid,
        "webid": login.webid,
        "aud": [login.client_id, "solid"],
        "azp": login.client_id,
        "iat": iat,
        "exp": iat + LIFETIME,
        "auth_time": login.at,
        "cnf": {"jkt": login.jkt},
        "at_hash": b64(sha256(access.encode()).digest()[:16]),
    }
    return make({"typ": "JWT"}, claims if login.nonce is None else {**claims, "nonce": login.nonce}, key)


def read_hint(text: str, public: Mapping[str, Any], issuer: str) -> Hint:
    """The person and the app of a hint (3.1.2.1); raises OAuthError invalid_request if it is no ID token of ours."""
    try:
        jws = read(text)
        jws.verify(public, frozenset({"ES256"}))
    except BadJws as bad:
        raise OAuthError("invalid_request", "id_token_hint is no token of ours.") from bad
    said = jws.claims
    webid, client = said.get("webid"), said.get("azp")
    if jws.header.get("typ") != "JWT" or said.get("iss") != issuer:
        raise OAuthError("invalid_request", "id_token_hint is no token of ours.")
    if not isinstance(webid, str) or not isinstance(client, str):
        raise OAuthError("invalid_request", "id_token_hint is no token of ours.")
    return Hint(webid, client)
