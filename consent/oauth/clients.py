"""Registered apps and how they prove themselves: ``private_key_jwt`` (RFC 7523) or ``client_secret_basic``."""

import hmac
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal, NoReturn, Self

from consent.errors import BadTerms, OAuthError
from consent.jws import BadJws, Jws, read
from keys.text import b64, canonical, unb64

ALGS: Final = frozenset({"ES256", "EdDSA"})
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SKEW: Final = 60  # seconds iat and nbf may lie ahead
LONGEST: Final = 3600 + SKEW  # seconds an assertion may still live
_JTI: Final = 256
CREDENTIALS: Final = "solid-"
"""Before the grant's id, in the client id of a person's own credentials."""


@dataclass(frozen=True, slots=True)
class Justification:
    """Why an app asks more of a category than its purpose usually may (minimisation ladder): up to which rung, in which
    words, and who approved them.
    """

    category: str
    rung: int
    text: str
    approved_by: str


@dataclass(frozen=True, slots=True)
class Registration:
    """One registered purpose of an app: DPV code, version, text per language, categories, and who approved it."""

    code: str
    version: str
    text: Mapping[str, str]
    categories: tuple[str, ...]
    approved_by: str = ""
    justified: tuple[Justification, ...] = ()

    def because(self, category: str, rung: int) -> str:
        """The registered reason for going up to this rung, "" if there is none."""
        return next((one.text for one in self.justified if one.category == category and rung <= one.rung), "")

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """A purpose from plain JSON values."""
        justified = tuple(Justification(**one) for one in stored.get("justified", ()))
        return cls(**{**stored, "categories": tuple(stored["categories"]), "justified": justified})


@dataclass(frozen=True, slots=True)
class Client:
    """A registered app. Kind ``rar`` asks for grants by PAR; kind ``solid`` is a plain Solid app or credential.

    ``trust`` is ``city`` (reviewed) or ``unverified``. ``jwks`` holds public keys only. ``webid`` binds client
    credentials to the person who made them. ``secret_hash`` is ``secret_hash(secret)``. ``push_uri`` is where it is
    told what happens to its grants (RFC 8935), "" for nowhere; ``push_token`` what it wants to be shown there.
    ``goodbyes`` are the addresses to which a person may go on after logging out (OpenID Connect RP-Initiated Logout
    1.0).
    """

    client_id: str
    name: str
    controller: str
    redirect_uris: tuple[str, ...] = ()
    jwks: tuple[Mapping[str, str], ...] = ()
    purposes: tuple[Registration, ...] = ()
    trust: Literal["city", "unverified"] = "unverified"
    kind: Literal["rar", "solid", "source"] = "rar"
    secret_hash: bytes | None = field(default=None, repr=False)
    webid: str = ""
    push_uri: str = ""
    push_token: str = field(default="", repr=False)
    goodbyes: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        """Whether it is a plain Solid app, which keeps no secret: PKCE, its address and its DPoP key stand for it."""
        return self.kind == "solid" and not self.webid and self.secret_hash is None and bool(self.redirect_uris)

    def registration(self, code: str, version: str) -> Registration | None:
        """The registered purpose of this code and version, or ``None``."""
        return next((r for r in self.purposes if (r.code, r.version) == (code, version)), None)

    def digest(self) -> bytes:
        """SHA-256 over what a citizen decided about: who the app is, where it returns to, and why it asks."""
        seen = ("client_id", "name", "controller", "redirect_uris", "purposes")
        plain = self.to_json()
        return sha256(canonical({name: plain[name] for name in seen})).digest()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` gives back an equal value."""
        plain = asdict(self)
        lists = ("categories", "justified")
        plain["purposes"] = [{**one, **{name: list(one[name]) for name in lists}} for one in plain["purposes"]]
        plain["redirect_uris"], plain["jwks"] = list(self.redirect_uris), [dict(key) for key in self.jwks]
        plain["goodbyes"] = list(self.goodbyes)
        plain["secret_hash"] = None if self.secret_hash is None else b64(self.secret_hash)
        return plain

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """A client from ``to_json``; raises ``BadTerms`` when it does not fit."""
        try:
            purposes = tuple(Registration.from_json(one) for one in stored["purposes"])
            uris, jwks = tuple(stored["redirect_uris"]), tuple(stored["jwks"])
            hashed = None if stored["secret_hash"] is None else unb64(stored["secret_hash"])
            changed = {"purposes": purposes, "redirect_uris": uris, "jwks": jwks, "secret_hash": hashed}
            changed["goodbyes"] = tuple(stored.get("goodbyes", ()))
            return cls(**{**stored, **changed})
        except (KeyError, TypeError, ValueError) as broken:
            raise BadTerms("a stored client is incomplete") from broken


@dataclass(frozen=True, slots=True)
class Assertion:
    """A good client assertion: what to remember against replay, and until when (ms UTC)."""

    client_id: str
    jti_hash: bytes
    until: int


def claimed_client(form: Mapping[str, str], basic: tuple[str, str] | None) -> str:
    """The client that a request claims to come from, nothing verified; raises ``OAuthError`` ``invalid_client``.

    One way of authentication only: an assertion or Basic, never both (RFC 6749 2.3); with neither the client is a
    public one and only names itself.
    """
    assertion = form.get("client_assertion")
    if assertion is not None and basic is not None:
        _no("One way of client authentication is needed.")
    if basic is not None:
        subject: object = basic[0]
    else:
        subject = form.get("client_id") if assertion is None else _parsed(assertion).claims.get("sub")
    if not isinstance(subject, str) or not subject or form.get("client_id", subject) != subject:
        _no("The client does not name itself.")
    if not subject.isprintable():  # a NUL, half a surrogate pair: no name that was ever registered
        _no("The client is not known.")
    return subject


def check_assertion(assertion: str, client: Client, issuer: str, now: datetime) -> Assertion:
    """Check a ``private_key_jwt`` assertion (RFC 7523 3, FAPI 2.0 5.3.2.1); raises ``OAuthError`` ``invalid_client``.

    ``aud`` is exactly ``issuer``, as a string.
    """
    jws = _parsed(assertion)
    claims, at = jws.claims, now.timestamp()
    jti, exp = claims.get("jti"), claims.get("exp")
    if claims.get("iss") != client.client_id or claims.get("sub") != client.client_id:
        _no("iss and sub are not the client.")
    if claims.get("aud") != issuer:
        _no("aud is not exactly the issuer.")
    if not isinstance(exp, int | float) or isinstance(exp, bool) or not at < exp <= at + LONGEST:
        _no("exp is missing, past or too far ahead.")
    if any(name in claims and not _past(claims[name], at) for name in ("iat", "nbf")):
        _no("iat or nbf lies in the future.")
    if not isinstance(jti, str) or not 0 < len(jti) <= _JTI or not jti.isprintable():
        _no("jti is missing or not usable.")
    _signed(jws, client)
    hashed = sha256(f"assertion|{client.client_id}|{jti}".encode()).digest()
    return Assertion(client.client_id, hashed, int((exp + 1) * 1000))


def secret_hash(secret: str) -> bytes:
    """What the database may hold of a generated client secret (32 random bytes as text): a hash bound to its use."""
    return sha256(b"kluis/client-secret/v1\0" + secret.encode()).digest()


def secret_fits(client: Client, secret: str) -> bool:
    """Whether this is the client's secret, compared in constant time; a client without one never fits."""
    return client.secret_hash is not None and hmac.compare_digest(client.secret_hash, secret_hash(secret))


def _parsed(assertion: str) -> Jws:
    try:
        return read(assertion)
    except BadJws as bad:
        raise OAuthError("invalid_client", f"The assertion is not acceptable: {bad}.") from bad


def _signed(jws: Jws, client: Client) -> None:
    """Under one of the client's keys: the one ``kid`` names, else the first of fitting type."""
    kid, alg = jws.header.get("kid"), jws.header.get("alg")
    kty = {"ES256": "EC", "EdDSA": "OKP"}.get(alg) if isinstance(alg, str) else None
    keys = [k for k in client.jwks if k.get("kty") == kty and (kid is None or k.get("kid", kid) == kid)]
    if not any(_verifies(jws, key) for key in keys):
        _no("The assertion is not signed by a key of this client.")


def _verifies(jws: Jws, key: Mapping[str, str]) -> bool:
    try:
        jws.verify(key, ALGS)
    except BadJws:
        return False
    return True


def _past(value: object, at: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= at + SKEW


def _no(why: str) -> NoReturn:
    raise OAuthError("invalid_client", why)
