"""What may be registered as an app: names nobody can mistake, addresses that are safe, keys that are public.

Follows RFC 7591 for the errors; the rules on names are consent.md's list of attacks on Solid apps.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, NoReturn
from urllib.parse import urlsplit

from consent import categories, purposes
from consent.errors import OAuthError, UnknownPurpose
from consent.oauth.clients import Client, Justification, Registration
from consent.schema import is_web_address
from keys.errors import Damaged
from keys.sign import verify_jws

_ALIKE: Final = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_LONGEST_NAME: Final = 80
_LONGEST_TEXT: Final = 300
_TOP_RUNG: Final = 5
_MOST_PURPOSES: Final = 7  # consent.md, rule U20
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_VERSION: Final = re.compile(r"[A-Za-z0-9._-]{1,40}")
_BEARER: Final = re.compile(r"([A-Za-z0-9._~+/-]{1,510}=*){0,1}")
_ALG_OF: Final = {"EC": "ES256", "OKP": "EdDSA"}


def check_client(client: Client) -> Client:
    """The client as it may be stored, its texts cleaned.

    Raises ``OAuthError`` ``invalid_client_metadata`` or ``invalid_redirect_uri`` (RFC 7591 3.2.2).
    """
    for uri in (*client.redirect_uris, *client.goodbyes):
        if not safe_redirect(uri):
            raise OAuthError("invalid_redirect_uri", "A redirect URI is neither https nor loopback, or has a fragment.")
    if client.kind == "rar" and not (client.redirect_uris and client.jwks and client.purposes):
        _no("An app needs redirect URIs, keys and purposes.")
    if len(client.purposes) > _MOST_PURPOSES:
        _no("An app has at most seven purposes.")
    if not is_web_address(client.controller):
        _no("The controller is not an http(s) address with a plain host.")
    _public(client.jwks)
    _reachable(client)
    return replace(client, name=clean_name(client.name), purposes=tuple(_purpose(p) for p in client.purposes))


def _reachable(client: Client) -> None:
    """An address to push to is as safe as one to return to, on the port of https: we call it, so no other is tried."""
    if not client.push_uri:
        if client.push_token:
            _no("A push_token belongs to a push_uri.")
        return
    if not safe_redirect(client.push_uri):
        _no("A push_uri is https, or http on loopback for development, and has no fragment.")
    if urlsplit(client.push_uri).scheme == "https" and urlsplit(client.push_uri).port not in (None, 443):
        _no("A push_uri is on port 443.")
    if not _BEARER.fullmatch(client.push_token):
        _no("A push_token is a bearer token (RFC 6750 2.1) of at most 512 characters.")


def clean_name(name: str) -> str:
    """The name without invisible and direction characters; scripts that look alike are not mixed in one name."""
    shown = clean_text(name)
    if not 0 < len(shown) <= _LONGEST_NAME:
        _no("A name has 1 to 80 visible characters.")
    if mixed(shown):
        _no("A name mixes scripts that look alike.")
    return shown


def clean_text(text: str) -> str:
    """Compatibility forms folded, invisible, control and direction characters dropped, white space made single."""
    folded = unicodedata.normalize("NFKC", text)
    visible = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cc", "Cs", "Co", "Cn") or c in "\n\t")
    return " ".join(visible.split())


def safe_redirect(uri: str) -> bool:
    """An absolute https URL, or http on loopback (RFC 8252 7.3), without fragment or user information."""
    if not is_web_address(uri) or "#" in uri or re.search(r"[\x00-\x20]", uri):
        return False
    parts = urlsplit(uri)
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def shown_host(uri: str) -> str:
    """The host of a URI as it must be shown: international names in their ASCII (``xn--``) form; "" without one."""
    try:
        host = urlsplit(uri).hostname or ""
    except ValueError:
        return ""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host.encode("ascii", "backslashreplace").decode()


def _purpose(one: Registration) -> Registration:
    """A purpose of the registry, with a Dutch text, for categories it may ask at all."""
    text = {language: clean_text(words) for language, words in one.text.items()}
    if not all(_LANGUAGE.fullmatch(language) for language in text):
        _no("A text is filed under something that is no language.")
    if not text.get("nl") or any(not 0 < len(t) <= _LONGEST_TEXT for t in text.values()):
        _no("A purpose needs a Dutch text of at most 300 characters.")
    if any(mixed(word) for words in text.values() for word in words.split()):
        _no("A purpose text mixes scripts that look alike.")
    try:
        may = [curie for curie in categories.CATEGORIES if purposes.highest_rung(one.code, curie) is not None]
    except UnknownPurpose as unknown:
        raise OAuthError("invalid_client_metadata", f"Unknown here: {unknown}.") from unknown
    if not one.categories or not set(one.categories) <= set(may):
        _no(f"A purpose needs categories it may ask for; this one may ask for {', '.join(may) or 'none'}.")
    if not _VERSION.fullmatch(one.version):
        _no("A purpose needs a version.")
    return replace(one, text=text, justified=tuple(_reason(one, why) for why in one.justified))


def _reason(one: Registration, why: Justification) -> Justification:
    """A reason for more than the purpose usually may ask of one of its categories, approved by somebody."""
    text, usual = clean_text(why.text), purposes.highest_rung(one.code, why.category)
    if why.category not in one.categories or usual is None or not usual < why.rung <= _TOP_RUNG:
        _no("A justification is about a category of the purpose, and a rung above its usual ones.")
    if not 0 < len(text) <= _LONGEST_TEXT or any(mixed(word) for word in text.split()):
        _no("A justification has 1 to 300 characters, of one script a word.")
    if not why.approved_by:
        _no("A justification needs somebody who approved it.")
    return replace(why, text=text)


def mixed(text: str) -> bool:
    """Whether a text mixes scripts whose letters look alike."""
    scripts = {unicodedata.name(c, "").partition(" ")[0] for c in text if c.isalpha()}
    return len(scripts & _ALIKE) > 1


def _public(jwks: Iterable[Mapping[str, str]]) -> None:
    """Every key is public, of a kind we take, and can be imported: one that cannot would shut its app out for good."""
    for key in jwks:
        if key.get("kty") not in _ALG_OF or not _PRIVATE.isdisjoint(key):
            _no("Keys are public, for ES256 or EdDSA.")
        if not _usable(dict(key)):
            _no("A key cannot be used.")


def _usable(key: dict[str, str]) -> bool:
    """Whether ``keys.sign`` takes the key: a signature of zeros must be wrong, and not for a fault of the key."""
    try:
        verify_jws(_ALG_OF[key["kty"]], key, b"", bytes(64))
    except Damaged as refused:
        return refused.__cause__ is not None and not isinstance(refused.__cause__, ValueError)
    return True


def _no(why: str) -> NoReturn:
    raise OAuthError("invalid_client_metadata", why)
