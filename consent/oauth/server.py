"""The Authlib adapter: client authentication dispatch, grant dispatch, PKCE and redirect_uri, over preloaded values.

Synchronous, no database. Authlib is shown handles of codes and tokens, never their secrets; the DPoP binding,
lifetimes and single use are compared here, keys and state are the caller's.
"""

import binascii
import hmac
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import unquote_plus

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, InvalidRequestError, grants
from authlib.oauth2.rfc6749.errors import InvalidGrantError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload, OAuth2Request
from authlib.oauth2.rfc7636 import CodeChallenge

from consent.errors import OAUTH_CODES, CodeReused, OAuthError
from consent.oauth.clients import ASSERTION_TYPE, Assertion, Client, check_assertion, claimed_client, secret_fits
from consent.oauth.dpop import Proof
from keys.text import b64

Kind = Literal["code", "refresh", "client_credentials"]
_METHODS: Final = ["private_key_jwt", "client_secret_basic"]
_WITH_PUBLIC: Final = [*_METHODS, "none"]
_KINDS: Final[Mapping[str, Kind]] = {
    "authorization_code": "code",
    "refresh_token": "refresh",
    "client_credentials": "client_credentials",
}
_SCOPES: Final = ("openid", "webid", "offline_access")
_TEXTS: Final[Mapping[str, str]] = {
    "invalid_client": "The client is not authenticated.",
    "invalid_grant": "The code or token is not valid for this client, key, address and verifier.",
}
_UNKNOWN: Final = "-"


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One request of a client to an endpoint: ``form`` from ``par.single``, header names in any case.

    ``issuer`` is the configured base URL: what an assertion's ``aud`` must be.
    """

    form: Mapping[str, str]
    headers: Mapping[str, str]
    method: str
    url: str
    issuer: str

    @property
    def basic(self) -> tuple[str, str] | None:
        """Client id and secret of an ``Authorization: Basic`` header (RFC 6749 2.3.1); ``None`` if there is none."""
        value = next((v for name, v in self.headers.items() if name.lower() == "authorization"), "")
        scheme, _, encoded = value.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, ValueError) as broken:
            raise OAuthError("invalid_client", "The Basic header is malformed.") from broken
        return (unquote_plus(user), unquote_plus(secret)) if colon else (unquote_plus(user), "")


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What the server kept about an authorization code; ``expires`` in ms UTC."""

    handle: bytes
    client_id: str
    redirect_uri: str
    code_challenge: str
    jkt: str
    expires: int
    used: bool = False
    scope: str = ""


@dataclass(frozen=True, slots=True)
class RefreshFacts:
    """What the server keeps about a refresh token; ``expires`` in ms UTC, the end of its grant or of its disuse."""

    handle: bytes
    client_id: str
    jkt: str
    expires: int
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A client that proved itself; ``assertion`` (``None`` for a secret) must be remembered against replay."""

    client: Client
    method: str
    assertion: Assertion | None


@dataclass(frozen=True, slots=True)
class TokenDecision:
    """What may be issued: kind, scope, whether a refresh token comes with it, and how the client proved itself."""

    kind: Kind
    scope: str
    include_refresh: bool
    authenticated: Authenticated


def claimed(request: TokenRequest) -> str:
    """The client id to load before deciding; nothing is verified. Raises ``OAuthError`` ``invalid_client``."""
    return claimed_client(request.form, request.basic)


def authenticate(request: TokenRequest, client: Client | None, now: datetime, *, public: bool = False) -> Authenticated:
    """Authenticate a client at any endpoint; raises ``OAuthError`` ``invalid_client``.

    ``public``: a plain Solid app may come too, which only names itself.
    """
    server = _Server(_Facts(request, client, None, None, None, now))
    methods = _WITH_PUBLIC if public else _METHODS
    _run(lambda: server.authenticate_client(server.create_oauth2_request(request), methods))
    return server.authenticated()


def decide_token(
    request: TokenRequest,
    client: Client | None,
    code: CodeFacts | None,
    refresh: RefreshFacts | None,
    proof: Proof | None,
    now: datetime,
) -> TokenDecision:
    """Decide a request to the token endpoint; raises ``OAuthError`` (``CodeReused`` if a code comes twice).

    ``code`` and ``refresh`` are ``None`` unless the caller has checked the secret that was shown.
    """
    if proof is None:
        raise OAuthError("invalid_dpop_proof", "A DPoP proof is needed.")
    if "authorization_details" in request.form:
        raise OAuthError("invalid_authorization_details", "What was granted cannot be changed here.")
    server = _Server(_Facts(request, client, code, refresh, proof, now))
    answer: Any = _run(lambda: server.create_token_response(request))
    kind, scope = _KINDS[answer["grant_type"]], answer["scope"] or ""
    return TokenDecision(kind, scope, answer["include_refresh"], server.authenticated())


@dataclass(frozen=True, slots=True)
class _Facts:
    request: TokenRequest
    client: Client | None
    code: CodeFacts | None
    refresh: RefreshFacts | None
    proof: Proof | None
    now: datetime

    def fresh(self, expires: int, jkt: str) -> bool:
        """Not yet over, and shown with the key it is bound to."""
        mine = self.proof is not None and hmac.compare_digest(self.proof.jkt, jkt)
        return mine and self.now.timestamp() * 1000 < expires


def _run(step: Callable[[], Any]) -> Any:
    """Authlib's errors as ours; its texts are constant, those that could repeat input are replaced."""
    try:
        return step()
    except OAuth2Error as error:
        code = error.error if error.error in OAUTH_CODES else "invalid_request"
        raise OAuthError(code, _TEXTS.get(code, f"Refused as {code}.")) from error


class _Plain(OAuth2Request):  # type: ignore[misc]
    """Authlib's request without secrets: codes and tokens by handle, neither Authorization nor assertion."""

    def __init__(self, facts: _Facts) -> None:
        super().__init__(facts.request.method, facts.request.url, headers={})
        self._form = dict(facts.request.form)
        for secret in ("client_assertion", "client_secret"):
            self._form.pop(secret, None)
        _swap(self._form, "code", facts.code)
        _swap(self._form, "refresh_token", facts.refresh)
        self.payload = BasicOAuth2Payload(self._form)

    @property
    def form(self) -> dict[str, str]:
        """The form as Authlib may see it."""
        return self._form


def _swap(form: dict[str, str], name: str, known: CodeFacts | RefreshFacts | None) -> None:
    if name in form:
        form[name] = b64(known.handle) if known is not None else _UNKNOWN


class _Party(ClientMixin):  # type: ignore[misc]
    """A registered client as Authlib asks about it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002
        if method == "none":
            return self.client.public
        return bool(self.client.jwks) if method == "private_key_jwt" else self.client.secret_hash is not None

    def check_grant_type(self, grant_type: str) -> bool:
        return (grant_type == "client_credentials") == (self.client.kind == "solid" and bool(self.client.webid))


class _Code:
    """An authorization code as Authlib asks about it."""

    def __init__(self, facts: CodeFacts) -> None:
        self.facts, self.code_challenge, self.code_challenge_method = facts, facts.code_challenge, "S256"

    def get_redirect_uri(self) -> str:
        return self.facts.redirect_uri

    def get_scope(self) -> str:
        return self.facts.scope


class _Refresh:
    """A refresh token as Authlib asks about it."""

    def __init__(self, facts: RefreshFacts) -> None:
        self.facts = facts

    def check_client(self, party: _Party) -> bool:
        return party.client.client_id == self.facts.client_id

    def get_scope(self) -> str:
        return self.facts.scope


class _S256(CodeChallenge):  # type: ignore[misc]
    """PKCE with S256 only; a verifier that is missing or malformed is as wrong as another one: ``invalid_grant``."""

    def validate_code_verifier(self, grant: Any, result: object) -> None:
        try:
            super().validate_code_verifier(grant, result)
        except InvalidRequestError as error:
            raise InvalidGrantError("The code verifier is missing or malformed.") from error


class _CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: Final = _WITH_PUBLIC

    def query_authorization_code(self, code: str, client: _Party) -> _Code | None:
        facts: _Facts = self.server.facts
        known = facts.code
        if known is None or code != b64(known.handle):
            return None
        if known.used:
            raise CodeReused
        mine = known.client_id == client.client.client_id
        return _Code(known) if mine and facts.fresh(known.expires, known.jkt) else None

    def authenticate_user(self, authorization_code: _Code) -> _Code:
        return authorization_code

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        """The caller marks it used, in the transaction that issues the tokens."""


class _RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: Final = _WITH_PUBLIC

    def authenticate_refresh_token(self, refresh_token: str) -> _Refresh | None:
        facts: _Facts = self.server.facts
        known = facts.refresh
        if known is None or refresh_token != b64(known.handle) or not facts.fresh(known.expires, known.jkt):
            return None
        return _Refresh(known)

    def authenticate_user(self, refresh_token: _Refresh) -> _Refresh:
        return refresh_token

    def revoke_old_credential(self, refresh_token: _Refresh) -> None:
        """Refresh tokens are bound to client and key and are not rotated (FAPI 2.0 5.3.2.1)."""


class _CredentialsGrant(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS: Final = _METHODS


class _Server(AuthorizationServer):  # type: ignore[misc]
    """One request's server; it lives as long as the decision."""

    def __init__(self, facts: _Facts) -> None:
        super().__init__(scopes_supported=_SCOPES)
        self.facts = facts
        self.method = ""
        self.assertion: Assertion | None = None
        self.register_client_auth_method("private_key_jwt", self._by_assertion)
        self.register_client_auth_method("client_secret_basic", self._by_secret)
        self.register_client_auth_method("none", self._by_name)
        self.register_grant(_CodeGrant, [_S256(required=True)])
        self.register_grant(_RefreshGrant)
        self.register_grant(_CredentialsGrant)

    def query_client(self, client_id: str) -> _Party | None:
        client = self.facts.client
        return _Party(client) if client is not None and client.client_id == client_id else None

    def _by_assertion(self, query_client: Callable[[str], _Party | None], _: object) -> _Party | None:
        form, facts = self.facts.request.form, self.facts
        if "client_assertion" not in form or form.get("client_assertion_type") != ASSERTION_TYPE:
            return None
        party = query_client(claimed(facts.request))
        if party is not None and party.client.jwks:
            self.assertion = check_assertion(form["client_assertion"], party.client, facts.request.issuer, facts.now)
            self.method = "private_key_jwt"
        return party

    def _by_secret(self, query_client: Callable[[str], _Party | None], _: object) -> _Party | None:
        basic = self.facts.request.basic
        party = query_client(claimed(self.facts.request)) if basic is not None else None
        if basic is None or party is None or not secret_fits(party.client, basic[1]):
            return None
        self.method = "client_secret_basic"
        return party

    def _by_name(self, query_client: Callable[[str], _Party | None], _: object) -> _Party | None:
        """A plain Solid app: it names itself, and nothing that could prove more was sent."""
        request = self.facts.request
        if request.basic is not None or not {"client_assertion", "client_secret"}.isdisjoint(request.form):
            return None
        party = query_client(claimed(request))
        if party is None or not party.client.public:
            return None
        self.method = "none"
        return party

    def authenticated(self) -> Authenticated:
        """Who proved itself, once Authlib let the request pass."""
        if not self.method or self.facts.client is None:
            raise OAuthError("invalid_client", "The client is not authenticated.")
        return Authenticated(self.facts.client, self.method, self.assertion)

    def create_oauth2_request(self, request: object) -> _Plain:  # noqa: ARG002
        return _Plain(self.facts)

    def generate_token(self, grant_type: str, client: _Party, scope: str | None = None, **rest: Any) -> dict[str, Any]:
        wanted = scope or ("webid" if grant_type == "client_credentials" else "")
        may = client.client.kind == "rar" or "offline_access" in wanted.split()
        refresh = bool(rest.get("include_refresh_token")) and may
        return {"grant_type": grant_type, "scope": wanted, "include_refresh": refresh}

    def save_token(self, token: object, request: object) -> None:
        """Nothing to save: the caller issues and stores."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """No signals."""

    def handle_response(self, status: int, body: Any, headers: object) -> Any:  # noqa: ARG002
        return body

    def handle_error_response(self, request: object, error: OAuth2Error) -> Any:  # noqa: ARG002
        raise error
