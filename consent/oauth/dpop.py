"""DPoP proofs (RFC 9449): from the raw header values of one request to the key that sent it.

Who replays is caught by the caller, who stores ``Proof.jti_hash`` until ``Proof.until``; everything else is here.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from consent.errors import OAuthError
from consent.jws import BadJws, read
from keys.errors import KeysError
from keys.sign import thumbprint
from keys.text import b64

RAR_ALGS: Final = frozenset({"ES256", "EdDSA"})
SOLID_ALGS: Final = RAR_ALGS | {"RS256"}
SKEW: Final = 60  # seconds either way
_PORTS: Final = {"http": 80, "https": 443}
_JTI: Final = 256


@dataclass(frozen=True, slots=True)
class Proof:
    """A good proof: thumbprint of its key (RFC 7638), what to remember against replay, and until when (ms UTC)."""

    jkt: str
    jti_hash: bytes
    until: int


def check_proof(
    header: list[bytes],
    method: str,
    url: str,
    now: datetime,
    access_token: bytes | None = None,
    jkt: str | None = None,
    algs: frozenset[str] = RAR_ALGS,
    *,
    ath_may_lack: bool = False,
) -> Proof:
    """Check the ``DPoP`` header of one request (RFC 9449 4.3); raises ``OAuthError`` ``invalid_dpop_proof``.

    ``header`` holds every value of that header; ``url`` is built from the configured base URL, never from Host.
    With ``access_token`` the proof must carry its hash; with ``jkt`` it must come from that very key.
    ``ath_may_lack``: the hash may be left out (not be wrong), for the tokens that docs/decisions/0029 names.
    """
    if len(header) != 1:
        _no("Exactly one DPoP header is needed.")
    try:
        jws = read(header[0])
        key = _key(jws.header, algs)
        shown = thumbprint(dict(key))
        if jkt is not None and not hmac.compare_digest(shown, jkt):
            _no("The proof comes from another key.")
        bound = None if ath_may_lack and "ath" not in jws.claims else access_token
        jti, iat = _claims(jws.claims, method, url, now, bound)
        jws.verify(key, algs)
    except BadJws as bad:
        raise OAuthError("invalid_dpop_proof", f"The proof is not acceptable: {bad}.") from bad
    except (KeysError, ValueError) as bad:
        raise OAuthError("invalid_dpop_proof", "The key of the proof is malformed.") from bad
    return Proof(shown, sha256(f"{shown}|{jti}".encode()).digest(), int((iat + SKEW + 1) * 1000))


def shown_token(header: list[bytes]) -> bytes | None:
    """The access token of the ``Authorization`` header values, ``None`` if there is none (RFC 9449 7.1).

    Any other scheme than ``DPoP`` (in any case), two headers or no token raise ``OAuthError`` ``invalid_token``.
    """
    if not header:
        return None
    scheme, _, token = header[0].partition(b" ")
    if len(header) != 1 or scheme.lower() != b"dpop" or not re.fullmatch(rb"[\x21-\x7e]+", token.strip(b" ")):
        raise OAuthError("invalid_token", "One token is needed, under the DPoP scheme.")
    return token.strip(b" ")


def normal_url(url: str) -> str | None:
    """One spelling of an http(s) URL without query and fragment (RFC 3986 6.2.2, 6.2.3); ``None`` if it is none."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not host or "@" in parts.netloc or not url.isascii() or re.search(r"[\x00-\x20\\]", url):
        return None
    where = f"[{host}]" if ":" in host else host
    place = where if port in (None, _PORTS[scheme]) else f"{where}:{port}"
    return f"{scheme}://{place}{re.sub('%[0-9A-Fa-f]{2}', _octet, parts.path) or '/'}"


def _octet(found: re.Match[str]) -> str:
    """An escaped unreserved character as itself, every other escape in capitals."""
    character = chr(int(found[0][1:], 16))
    return character if re.fullmatch(r"[A-Za-z0-9._~-]", character) else found[0].upper()


def _key(header: Mapping[str, Any], algs: frozenset[str]) -> Mapping[str, Any]:
    typ, alg, jwk = header.get("typ"), header.get("alg"), header.get("jwk")
    if not isinstance(typ, str) or typ.lower() != "dpop+jwt":
        _no("typ is not dpop+jwt.")
    if not isinstance(alg, str) or alg not in algs:
        _no("alg is not one of ours.")
    if not isinstance(jwk, dict):  # private members are refused by keys.sign
        _no("jwk is not a key.")
    return jwk


def _claims(
    claims: Mapping[str, Any], method: str, url: str, now: datetime, access_token: bytes | None
) -> tuple[str, float]:
    jti, iat, htu = claims.get("jti"), claims.get("iat"), claims.get("htu")
    if not isinstance(jti, str) or not 0 < len(jti) <= _JTI or not jti.isprintable():
        _no("jti is missing or not usable.")
    if claims.get("htm") != method:
        _no("htm is not the method of this request.")
    if not isinstance(htu, str) or normal_url(htu) is None or normal_url(htu) != normal_url(url):
        _no("htu is not the address of this request.")
    if not isinstance(iat, int | float) or isinstance(iat, bool) or abs(now.timestamp() - iat) > SKEW:
        _no("iat is missing or too far from now.")
    if access_token is not None and not _hash_of(access_token, claims.get("ath")):
        _no("ath is not the hash of the access token.")
    return jti, float(iat)


def _hash_of(token: bytes, ath: object) -> bool:
    return isinstance(ath, str) and ath.isascii() and hmac.compare_digest(ath, b64(sha256(token).digest()))


def _no(why: str) -> NoReturn:
    raise OAuthError("invalid_dpop_proof", why)
