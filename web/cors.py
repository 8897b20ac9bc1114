"""Cross-origin headers of the token routes: cookies are never read there, so any origin may ask."""

CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-headers": "Authorization, DPoP, Content-Type, Kluis-Purpose, Prefer",
    "access-control-allow-methods": "GET, POST, PUT, DELETE, OPTIONS",
    "access-control-expose-headers": "WWW-Authenticate, DPoP-Nonce, Kluis-Entry, Preference-Applied",
}
