"""Cross-origin headers of the token routes: cookies are never read there, so any origin may ask."""

from typing import Final

CORS: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "Authorization, DPoP, Content-Type, Kluis-Purpose, Prefer",
    "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
    "access-control-expose-headers": "WWW-Authenticate, DPoP-Nonce, Kluis-Entry, Kluis-Receipt, Preference-Applied, "
    "Kluis-Personalised",
}
TOKEN_ROUTES: Final = (
    "/.well-known/",
    "/oauth/jwks",
    "/oauth/par",
    "/oauth/token",
    "/oauth/introspect",
    "/oauth/revoke",
    "/oauth/grants/",
    "/oauth/register",  # apps in a browser register themselves; only for a developer is a cookie read as well
    "/oauth/register/",
    "/api/records",
    "/api/answers/",
    "/notifications/",
    "/lws/",
    "/api/suggestions",  # without a token these read the citizen's own cookie, which no other origin can send along
    "/api/suggest/",
    "/api/feedback",
)
"""Paths, or with a last slash their beginnings."""


def is_open(path: str) -> bool:
    """Whether a path is for programs of any origin; everything else is for our own pages and sends no CORS."""
    return any(path.startswith(one) if one.endswith("/") else path == one for one in TOKEN_ROUTES)
