"""Access tokens of foreign issuers for agents from elsewhere (Solid-OIDC 5 and 9): whose they are, as values.

Nothing is fetched here. `claimed` reads what a token says of itself, so that somebody can ask its issuer for keys;
`signed` says whether one of those keys made it. Who fetched puts both answers into the call, and `visitor` decides.
People of this house are spoken for by this house alone: a foreign token for one of them is no token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

from consent.errors import OAuthError
from consent.jws import BadJws, Jws, read
from consent.oauth.dpop import SOLID_ALGS, Proof, check_proof, normal_url, shown_token
from consent.recent import Recent

if TYPE_CHECKING:
    from consent.call import Call

LONGEST: Final = 3600  # seconds of life of a token that we take
SKEW: Final = 60  # seconds by which the clock of an issuer may go before ours
_TYPES: Final = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
_POINTERS: Final = frozenset({"jwk", "jku", "x5u", "x5c", "x5t", "x5t#s256"})
_ADDRESS: Final = 2048
_TRIED: Final = 4
MOST_NAMED: Final = 10
_NAMED: Final[Recent[int]] = Recent(4096, 60)
_VERIFIED: Final[Recent[bool]] = Recent(4096, 60)
_KIND_OF: Final = {"ES256": "EC", "RS256": "RSA", "EdDSA": "OKP"}


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a token says, none of it believed yet; `kid` is "" for none, `client` too."""

    issuer: str
    webid: str
    client: str
    kid: str
    jkt: str
    shown: bytes


@dataclass(frozen=True, slots=True)
class Foreign:
    """What was found out about the issuer of a call's token, nothing to begin with.

    jwks: the public keys that its configuration points to. named: the WebID's own document lists this issuer.
    """

    jwks: tuple[Mapping[str, Any], ...] = ()
    named: bool = False


@dataclass(frozen=True, slots=True)
class Visitor:
    """An agent from elsewhere, its app ("" if the token names none), who vouches for it, and its proof."""

    webid: str
    client: str
    issuer: str
    proof: Proof

    @property
    def told(self) -> dict[str, str]:
        """What a line of the log says about it."""
        return {"agent": self.webid, "client": self.client, "note": f"issuer {self.issuer}"}


def stranger(authorization: Sequence[bytes], base: str, now: datetime) -> Claimed | None:
    """What the token of a call claims, if it is one of a foreign issuer that is worth asking for; None otherwise.

    None is no decision: the gate says what is wrong with such a call.
    """
    try:
        shown = shown_token(list(authorization))
        return claimed(shown, base, now) if shown is not None and shown.startswith(b"ey") else None
    except OAuthError:
        return None


def claimed(shown: bytes, base: str, now: datetime) -> Claimed:
    """What the token claims, once everything that needs no key was looked at. Raises OAuthError invalid_token."""
    jws = _parts(shown)
    kid, claims = _kid(jws.header), jws.claims
    _in_time(claims, now)
    issuer, webid = _addresses(claims, base)
    client, cnf = claims.get("client_id", claims.get("azp", "")), claims.get("cnf")
    jkt = cnf.get("jkt") if isinstance(cnf, dict) else None
    if not isinstance(client, str) or not client.isprintable() or len(client) > _ADDRESS or not isinstance(jkt, str):
        _no()
    if not _is_for(claims.get("aud"), base):
        _no()
    return Claimed(issuer, webid, client, kid, jkt, shown)


def proven(dpop: Sequence[bytes], method: str, url: str, who: Claimed, now: datetime) -> Proof:
    """The proof of a call with such a token, whose hash it may lack (docs/decisions/0029). Raises OAuthError."""
    return check_proof(list(dpop), method, url, now, who.shown, who.jkt, SOLID_ALGS, ath_may_lack=True)


def signed(who: Claimed, jwks: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """Whether one of these keys of its issuer made the token. A yes is remembered for a minute, under those keys."""
    mark = sha256(repr([sorted(key.items()) for key in jwks]).encode() + b"|" + who.shown).digest()
    if _VERIFIED.get(mark, now):
        return True
    jws = _parts(who.shown)
    if not any(_made_by(jws, key) for key in _candidates(jws, who.kid, jwks)):
        return False
    _VERIFIED.put(mark, True, now)
    return True


def visitor(call: "Call", shown: bytes, found: Foreign, base: str, now: datetime) -> Visitor:
    """Who comes: token, proof, signature and WebID all hold. Raises OAuthError invalid_token, invalid_dpop_proof."""
    who = claimed(shown, base, now)
    proof = proven(call.dpop, call.method, call.url, who, now)
    if not signed(who, found.jwks, now) or not found.named:
        _no()
    return Visitor(who.webid, who.client, who.issuer, proof)


def named(pod: bytes, now: datetime) -> bool:
    """Whether one more refused visitor of this minute gets a line of its own in the pod's log."""
    minute = pod + int(now.timestamp() // 60).to_bytes(8, "big")
    count = _NAMED.get(minute, now) or 0
    _NAMED.put(minute, count + 1, now)
    return count < MOST_NAMED


def _parts(shown: bytes) -> Jws:
    try:
        return read(shown)
    except BadJws as bad:
        raise OAuthError("invalid_token", "The token is not valid.") from bad


def _addresses(claims: Mapping[str, Any], base: str) -> tuple[str, str]:
    """Issuer and WebID, both elsewhere. Older issuers name the WebID as the subject."""
    issuer, webid = _address(claims.get("iss")), _address(claims.get("webid", claims.get("sub")))
    if "?" in issuer or "#" in issuer or _origin(base) in (_origin(issuer), _origin(webid)):
        _no()
    return issuer, webid


def _is_for(audience: object, base: str) -> bool:
    heard = audience if isinstance(audience, list) else [audience]
    return any(one in ("solid", base, base + "/") for one in heard)


def _kid(header: Mapping[str, Any]) -> str:
    """The name of the key. A header that brings a key, or the address of one, is refused whatever it is."""
    kid, typ, alg = header.get("kid", ""), header.get("typ", ""), header.get("alg")
    if not isinstance(kid, str) or len(kid) > 256 or not isinstance(typ, str) or typ.lower() not in _TYPES:
        _no()
    if not isinstance(alg, str) or alg not in _KIND_OF or any(name.lower() in _POINTERS for name in header):
        _no()
    return kid


def _in_time(claims: Mapping[str, Any], now: datetime) -> None:
    iat, exp, nbf = (_moment(claims.get(name, otherwise)) for name, otherwise in
                     (("iat", None), ("exp", None), ("nbf", 0)))  # fmt: skip
    at = now.timestamp()
    if iat is None or exp is None or nbf is None or iat > at + SKEW or nbf > at + SKEW:
        _no()
    if exp <= at or not 0 < exp - iat <= LONGEST:
        _no()


def _moment(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if good else None  # type: ignore[arg-type]  # a number, by the line above


def _address(value: object) -> str:
    if not isinstance(value, str) or not value.startswith(("https://", "http://")) or len(value) > _ADDRESS:
        _no()
    if normal_url(value.partition("#")[0]) is None or value.endswith("#"):
        _no()
    return value


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme.lower())


def _candidates(jws: Jws, kid: str, jwks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The keys that can have made it: of that name and of the algorithm's kind; without a name, the only such key."""
    kind = _KIND_OF.get(str(jws.header.get("alg")))
    fit = [key for key in jwks if key.get("kty") == kind and (not kid or key.get("kid") == kid)]
    return fit[:_TRIED] if kid or len(fit) == 1 else []


def _made_by(jws: Jws, key: Mapping[str, Any]) -> bool:
    try:
        jws.verify(key, SOLID_ALGS)
    except (BadJws, ValueError):
        return False
    return True


def _no() -> NoReturn:
    raise OAuthError("invalid_token", "The token is not valid.")
