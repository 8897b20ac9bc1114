"""Authorization requests through the browser, without PAR: plain Solid apps only, for the narrowest of scopes.

OpenID Connect Core 3.1.2.1 with Solid-OIDC, PKCE by S256 (RFC 7636) and `iss` in the answer. Everything else is pushed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from consent.errors import OAuthError
from consent.oauth import par
from consent.oauth.clients import Client

NEEDED: Final = frozenset({"openid", "webid"})
SCOPES: Final = NEEDED | {"offline_access"}
PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
_LONGEST_AGE: Final = 10**9  # seconds


@dataclass(frozen=True, slots=True)
class Front:
    """A request that may be shown: where it returns and what it proves, and how the person is to be asked.

    `max_age` in seconds. `jkt`: thumbprint of the only key that may redeem the code, "" if the app named none.
    """

    client: Client
    redirect_uri: str
    code_challenge: str
    scope: str
    jkt: str = ""
    state: str | None = None
    nonce: str | None = None
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    hint: str = ""

    @property
    def silent(self) -> bool:
        """Whether nothing may be shown to the person."""
        return "none" in self.prompt


def target(params: Mapping[str, str], client: Client | None) -> str:
    """The registered address an answer may go to; raises OAuthError, which then stays on a page of ours."""
    if client is None or not client.public:
        raise OAuthError("invalid_request", "The request must be pushed first.")
    redirect = params.get("redirect_uri", "")
    if redirect not in client.redirect_uris:
        raise OAuthError("invalid_request", "redirect_uri is missing or not registered.")
    return redirect


def check_front(params: Mapping[str, str], client: Client, base: str) -> Front:
    """Check a request whose `target` is known; raises OAuthError, which goes back to the app."""
    if "request" in params:
        raise OAuthError("request_not_supported", "Request objects are not supported.")
    if "registration" in params:
        raise OAuthError("registration_not_supported", "Clients are registered by a document or at our endpoint.")
    if "authorization_details" in params:
        _no("authorization_details must be pushed.")
    if params.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "Only response_type code is supported.")
    if params.get("response_mode", "query") != "query":
        _no("Only response_mode query is supported.")
    scope = frozenset(params.get("scope", "").split(" "))
    if not NEEDED <= scope <= SCOPES:
        raise OAuthError("invalid_scope", "Without PAR the scope is openid webid, and perhaps offline_access.")
    par.targets(params.get("resource", ""), base)
    return Front(
        client=client,
        redirect_uri=params["redirect_uri"],
        code_challenge=par.challenge(params),
        scope=" ".join(sorted(scope)),
        jkt=params.get("dpop_jkt", ""),
        state=params.get("state"),
        nonce=params.get("nonce"),
        prompt=_prompt(params.get("prompt", "")),
        max_age=_age(params.get("max_age")),
        hint=params.get("id_token_hint", ""),
    )


def _prompt(text: str) -> frozenset[str]:
    asked = frozenset(text.split())
    if not asked <= PROMPTS or ("none" in asked and len(asked) > 1):
        _no("prompt is not one of ours, or none with another.")
    return asked


def _age(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) > _LONGEST_AGE:
        _no("max_age is not a number of seconds.")
    return int(text)


def _no(why: str) -> NoReturn:
    raise OAuthError("invalid_request", why)
