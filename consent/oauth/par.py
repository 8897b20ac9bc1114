"""Pushed authorization requests (RFC 9126), S256 only (RFC 7636), bound to a DPoP key (RFC 9449 10)."""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, NoReturn, Self
from urllib.parse import urlsplit

from consent.errors import BadTerms, OAuthError
from consent.oauth.clients import Client
from consent.oauth.dpop import Proof
from consent.oauth.management import Action, wish
from consent.oauth.rar import read_details
from consent.terms import Terms

REQUEST_URI: Final = "urn:ietf:params:oauth:request_uri:"
_S256: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_REPEATABLE: Final = frozenset({"resource"})


@dataclass(frozen=True, slots=True)
class Pushed:
    """A request that passed every check: where to return, what to prove, the terms asked for, and the shown id of the
    grant that it would replace or merge into.
    """

    client_id: str
    redirect_uri: str
    code_challenge: str
    jkt: str
    terms: Terms
    scope: str = ""
    state: str | None = None
    nonce: str | None = None
    action: Action = "create"
    grant: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` gives back an equal value."""
        return {**asdict(self), "terms": self.terms.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """A pushed request from ``to_json``; raises ``BadTerms``."""
        try:
            return cls(**{**stored, "terms": Terms.from_json(stored["terms"])})
        except (KeyError, TypeError) as broken:
            raise BadTerms("a stored request is incomplete") from broken


def single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Form or query parameters as a mapping; one that comes twice is ``invalid_request`` (RFC 6749 3.1).

    Empty parameters count as absent, as RFC 6749 says. Several ``resource`` are joined by a space.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found and name not in _REPEATABLE:
            _no("A parameter comes twice.")
        if value:
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


def check_par(form: Mapping[str, str], client: Client, proof: Proof, base: str, now: datetime) -> Pushed:
    """Check a pushed request of an authenticated client; raises ``OAuthError``.

    ``proof`` is the DPoP proof sent with it: its key is the only one that can redeem the code.
    """
    if client.kind != "rar":
        raise OAuthError("unauthorized_client", "This client cannot ask for grants.")
    _shape(form, client)
    proven = challenge(form)
    if not hmac.compare_digest(form.get("dpop_jkt", proof.jkt).encode(), proof.jkt.encode()):
        raise OAuthError("invalid_dpop_proof", "dpop_jkt is not the key of the proof.")
    if "authorization_details" not in form:
        raise OAuthError("invalid_authorization_details", "Authorization details are needed.")
    targets(form.get("resource", ""), base)
    action, grant = wish(form)
    return Pushed(
        client_id=client.client_id,
        redirect_uri=form["redirect_uri"],
        code_challenge=proven,
        jkt=proof.jkt,
        terms=read_details(form["authorization_details"], client, base, now),
        scope=form.get("scope", ""),
        state=form.get("state"),
        nonce=form.get("nonce"),
        action=action,
        grant=grant,
    )


def read_front(query: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """(client_id, handle of the pushed request) of an authorization request; raises ``OAuthError``.

    Parameters in the front channel instead of a pushed request are ``invalid_request``; beside one they are ignored.
    """
    params = single(query)
    if "request_uri" not in params or "client_id" not in params:
        _no("The request must be pushed first.")
    uri = params["request_uri"]
    if not uri.startswith(REQUEST_URI) or not re.fullmatch(r"[\w-]{22}", uri[len(REQUEST_URI) :], re.ASCII):
        raise OAuthError("invalid_request_uri", "This is no request of ours.")
    return params["client_id"], uri[len(REQUEST_URI) :]


def _shape(form: Mapping[str, str], client: Client) -> None:
    if "request_uri" in form:
        _no("A pushed request holds no request_uri.")
    if "request" in form:
        raise OAuthError("request_not_supported", "Request objects are not supported.")
    if form.get("client_id", client.client_id) != client.client_id:
        _no("client_id is not the authenticated client.")
    if "response_type" not in form:
        _no("response_type is missing.")
    if form["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "Only response_type code is supported.")
    if form.get("response_mode", "query") != "query":
        _no("Only response_mode query is supported.")
    if form.get("redirect_uri") not in client.redirect_uris:
        _no("redirect_uri is missing or not registered.")


def challenge(form: Mapping[str, str]) -> str:
    """The PKCE challenge; S256 must be named, since leaving it out would mean ``plain`` (RFC 7636 4.3)."""
    said = form.get("code_challenge", "")
    if form.get("code_challenge_method") != "S256" or not _S256.fullmatch(said):
        _no("PKCE with S256 is needed.")
    return said


def targets(resources: str, base: str) -> None:
    """Resource indicators (RFC 8707): only this server is a resource here."""
    for resource in resources.split():
        mine = resource == base or resource.startswith(f"{base}/")
        if not mine or urlsplit(resource).fragment:
            raise OAuthError("invalid_target", "This server does not guard that resource.")


def _no(why: str) -> NoReturn:
    raise OAuthError("invalid_request", why)
