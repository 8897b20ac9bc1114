"""Client-id documents (Solid-OIDC 5.1): the bytes found at a client id, read strictly, as the app they describe.

An app is the site its id is on: it returns there and nowhere else, whatever it calls itself.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from consent import incoming
from consent.errors import OAuthError
from consent.oauth.clients import Client
from consent.oauth.registration import LOOPBACK, check_client
from consent.schema import is_web_address

CONTEXT: Final = "https://www.w3.org/ns/solid/oidc-context.jsonld"
_LARGEST: Final = 64 * 1024
_MOST: Final = 16
_ADDRESSES: Final = ("client_uri", "logo_uri", "policy_uri", "tos_uri")


def is_document(client_id: str) -> bool:
    """Whether a client id is an address, and so names a document."""
    return client_id.startswith(("https://", "http://"))


def read_document(url: str, body: bytes, *, development: bool) -> Client:
    """The app whose id is `url`. Raises OAuthError invalid_client, whatever is wrong; nothing of it is fetched.

    `development`: an http address on loopback may be an id too.
    """
    _place(url, development=development)
    try:
        found = incoming.read(body) if len(body) <= _LARGEST else None
    except ValueError as bad:
        raise OAuthError("invalid_client", "The client's document is not JSON.") from bad
    if not isinstance(found, dict):
        _no("The client's document is not a JSON object.")
    _speaks_of(url, found)
    try:
        return check_client(_client(url, found))
    except OAuthError as refused:
        raise OAuthError("invalid_client", refused.description) from refused


def origin(url: str) -> str:
    """Scheme, host and port of an address, as two addresses are compared; "" for none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    except (KeyError, ValueError):
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _place(url: str, *, development: bool) -> None:
    parts = urlsplit(url) if is_web_address(url) and url.isascii() else None
    if parts is None or "#" in url or not parts.path:
        _no("The client id is not an address of a document.")
    if parts.scheme != "https" and not (development and parts.hostname in LOOPBACK):
        _no("The client id is not an https address.")


def _speaks_of(url: str, found: Mapping[str, Any]) -> None:
    context = found.get("@context")
    if CONTEXT not in (context if isinstance(context, list) else [context]):
        _no("The client's document does not use the context of Solid-OIDC.")
    if found.get("client_id") != url:
        _no("The client's document is about another client.")
    for name in _ADDRESSES:
        if name in found and not (isinstance(found[name], str) and is_web_address(found[name])):
            _no("An address in the client's document is not absolute.")
    if found.get("token_endpoint_auth_method", "none") != "none":
        _no("A client with a document is a public one.")
    if "code" not in _texts(found, "response_types", ("code",)):
        _no("The client does not use codes.")
    if "authorization_code" not in _texts(found, "grant_types", ("authorization_code",)):
        _no("The client does not use codes.")


def _client(url: str, found: Mapping[str, Any]) -> Client:
    mine, returns = origin(url), _texts(found, "redirect_uris")
    goodbyes = _texts(found, "post_logout_redirect_uris")
    if not returns or any(origin(one) != mine for one in (*returns, *goodbyes)):
        _no("The client returns to another site than its own.")
    name = found.get("client_name", urlsplit(url).hostname)
    if not isinstance(name, str):
        _no("The client's name is no text.")
    parts = urlsplit(url)
    return Client(
        client_id=url,
        name=name,
        controller=f"{parts.scheme}://{parts.netloc}/",
        redirect_uris=returns,
        kind="solid",
        goodbyes=goodbyes,
    )


def _texts(found: Mapping[str, Any], name: str, otherwise: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A list of texts; JSON-LD writes a list of one as its one member too."""
    value = found.get(name, list(otherwise))
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or len(listed) > _MOST or not all(isinstance(one, str) for one in listed):
        _no("A list in the client's document is none.")
    return tuple(listed)


def _no(why: str) -> NoReturn:
    raise OAuthError("invalid_client", why)
