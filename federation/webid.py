"""From a WebID to the keys of the servers that may speak for it (Solid-OIDC 5, OpenID Connect Discovery 4).

Everything here is fetched by a `Fetcher` and read by `vault.solid.rdf`; nothing is believed about another subject than
the one asked for.
"""

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from federation.errors import BadAnswer
from federation.fetch import Document, Fetcher
from vault.solid.rdf import JSON_LD, TURTLE, BadRdf, is_rdf, scan, statements

OIDC_ISSUER = "http://www.w3.org/ns/solid/terms#oidcIssuer"
REMOVAL = timedelta(seconds=60)
ROLL_OVER = timedelta(seconds=30)
_RDF = f"{TURTLE}, {JSON_LD};q=0.9"
_JSON = "application/json"


async def issuers(fetcher: Fetcher, webid: str, now: datetime) -> list[str]:
    """The issuers that the WebID's own document names, in its order. Raises FederationError.

    An issuer that was taken out of the document is gone within a minute.
    """
    document = await fetcher.get(webid.partition("#")[0], _RDF, now, REMOVAL)
    if not is_rdf(document.media):
        raise BadAnswer("media")
    try:
        found = statements(document.body, document.media, document.url)
    except BadRdf:
        raise BadAnswer("form") from None
    named = (s.object for s in found if s.subject == webid and s.predicate == OIDC_ISSUER and s.iri)
    return list(dict.fromkeys(named))


async def speaks_for(fetcher: Fetcher, issuer: str, webid: str, now: datetime) -> bool:
    """Whether the WebID names this issuer, spellings compared by `same_issuer`. Raises FederationError."""
    return any(same_issuer(issuer, named) for named in await issuers(fetcher, webid, now))


def same_issuer(one: str, other: str) -> bool:
    """Whether two issuer identifiers are one: case of scheme and host, default port and a last slash do not count."""
    return _normal(one) is not None and _normal(one) == _normal(other)


async def configuration(fetcher: Fetcher, issuer: str, now: datetime) -> dict[str, Any]:
    """The issuer's OpenID configuration; it must name that issuer and a `jwks_uri`. Raises FederationError."""
    address = issuer.rstrip("/") + "/.well-known/openid-configuration"
    found = _object(await fetcher.get(address, _JSON, now))
    named = found.get("issuer")
    if not isinstance(named, str) or not same_issuer(named, issuer):
        raise BadAnswer("issuer")
    if not isinstance(found.get("jwks_uri"), str):
        raise BadAnswer("form")
    return found


async def keys(fetcher: Fetcher, issuer: str, now: datetime, kid: str | None = None) -> list[dict[str, Any]]:
    """The issuer's public keys as JWKs. A `kid` that is not among them makes one new fetch per 30 s (roll-over)."""
    address = (await configuration(fetcher, issuer, now))["jwks_uri"]
    found = await _jwks(fetcher, address, now, None)
    if kid is not None and all(key.get("kid") != kid for key in found):
        found = await _jwks(fetcher, address, now, ROLL_OVER)
    return found


async def _jwks(fetcher: Fetcher, address: str, now: datetime, max_age: timedelta | None) -> list[dict[str, Any]]:
    listed = _object(await fetcher.get(address, _JSON, now, max_age)).get("keys")
    if not isinstance(listed, list) or not all(isinstance(key, dict) for key in listed):
        raise BadAnswer("form")
    return listed


def _object(document: Document) -> dict[str, Any]:
    """The JSON object in a fetched document, scanned for depth before it is parsed."""
    try:
        scan(document.body, JSON_LD)
        found = json.loads(document.body)
    except (BadRdf, ValueError):
        raise BadAnswer("form") from None
    if not isinstance(found, dict):
        raise BadAnswer("form")
    return found


def _normal(issuer: str) -> tuple[str, str, int | None, str] | None:
    try:
        parts = urlsplit(issuer)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        return None
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, None if port == usual else port, parts.path.rstrip("/")
