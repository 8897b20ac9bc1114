"""Access tokens of Solid apps: JWTs (RFC 9068 form, Solid-OIDC claims) of at most 5 minutes, bound to a DPoP key.

They open managed compartments only; the gate row of ``grant_id`` is still read on every request. A signature that was
right is not worked out again for a minute; everything else about the token is checked each time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NoReturn

from consent.errors import OAuthError
from consent.jws import BadJws, Jws, make, read
from consent.recent import Recent

LIFETIME: Final = 300  # seconds
_ALGS: Final = frozenset({"ES256"})
_VERIFIED: Final[Recent[Jws]] = Recent(4096, 60)
_STRINGS: Final = ("iss", "webid", "client_id", "sub", "jti", "grant_id")


@dataclass(frozen=True, slots=True)
class SolidToken:
    """What a Solid access token says: times in seconds UTC, ``grant_id`` in base64url, ``jkt`` of its DPoP key."""

    iss: str
    webid: str
    client_id: str
    iat: int
    exp: int
    jkt: str
    jti: str
    grant_id: str
    epoch: int


def make_token(token: SolidToken, key: Mapping[str, Any]) -> str:
    """The signed JWT; ``key`` is a private ES256 JWK with ``kid``. Raises ``ValueError`` beyond 300 s of life."""
    if not 0 < token.exp - token.iat <= LIFETIME:
        raise ValueError("an access token lives at most 300 seconds")
    claims = {
        "iss": token.iss,
        "aud": "solid",
        "webid": token.webid,
        "sub": token.webid,
        "client_id": token.client_id,
        "iat": token.iat,
        "exp": token.exp,
        "cnf": {"jkt": token.jkt},
        "jti": token.jti,
        "grant_id": token.grant_id,
        "epoch": token.epoch,
    }
    return make({"typ": "at+jwt"}, claims, key)


def verify_token(text: bytes | str, jwks: Sequence[Mapping[str, Any]], issuer: str, now: datetime) -> SolidToken:
    """The token if we issued it and it still lives; raises ``OAuthError`` ``invalid_token``, no reason given.

    ``jwks`` are our own public keys. Proof of possession is the caller's: ``dpop.check_proof(..., jkt=token.jkt)``.
    """
    try:
        return _token(_signed(text, jwks, now), issuer, now)
    except BadJws as bad:
        raise _refused() from bad


def _signed(text: bytes | str, jwks: Sequence[Mapping[str, Any]], now: datetime) -> Jws:
    """The token's parts, once its signature is right under the key it names. Raises BadJws."""
    raw = text.encode() if isinstance(text, str) else text
    mark = sha256(repr([sorted(key.items()) for key in jwks]).encode() + b"|" + raw).digest()
    jws = _VERIFIED.get(mark, now)
    if jws is None:
        jws = read(raw)
        jws.verify(_key(jws, jwks), _ALGS)
        _VERIFIED.put(mark, jws, now)
    return jws


def _key(jws: Jws, jwks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if jws.header.get("typ") != "at+jwt":
        _no()
    key = next((key for key in jwks if key.get("kid") == jws.header.get("kid")), None)
    return key if key is not None else _no()


def _token(jws: Jws, issuer: str, now: datetime) -> SolidToken:
    claims = jws.claims
    cnf, epoch, iat, exp = (claims.get(name) for name in ("cnf", "epoch", "iat", "exp"))
    jkt = cnf.get("jkt") if isinstance(cnf, dict) else None
    if not all(isinstance(claims.get(name), str) for name in _STRINGS) or not isinstance(jkt, str):
        _no()
    if type(iat) is not int or type(exp) is not int or type(epoch) is not int:
        _no()
    if claims["iss"] != issuer or claims.get("aud") != "solid" or now.timestamp() >= exp:
        _no()
    return SolidToken(
        claims["iss"], claims["webid"], claims["client_id"], iat, exp, jkt, claims["jti"], claims["grant_id"], epoch
    )


def _refused() -> OAuthError:
    return OAuthError("invalid_token", "The token is not valid.")


def _no() -> NoReturn:
    raise _refused()
