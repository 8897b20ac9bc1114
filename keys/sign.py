"""Signatures: Ed25519 for what the vault says, JWS algorithms for what apps and people's agents send.

Three JWS algorithms and no other: ES256, EdDSA (Ed25519), RS256 with 2048 to 4096 bits. The key decides: `alg` must
fit the key's type, and a key that carries private members is refused, since who sends one has lost it.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from keys.errors import Damaged, Misuse
from keys.secret import Private
from keys.text import b64, canonical, unb64

verifications = 0  # JWS signatures checked by this process, good and bad; read by metrics and tests

_ES256 = ec.ECDSA(SHA256())
_RS256 = (padding.PKCS1v15(), SHA256())
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MEMBERS = {"EC": ("crv", "x", "y"), "OKP": ("crv", "x"), "RSA": ("e", "n")}  # RFC 7638 section 3.2, RFC 8037
_TYPE_OF = {"ES256": "EC", "EdDSA": "OKP", "RS256": "RSA"}

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


def new_signer() -> Private:
    """Make a new Ed25519 private key."""
    return Private.fresh()


def signer_public(private: Private) -> bytes:
    """Give the public half of an Ed25519 key, 32 bytes (RFC 8032)."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(private.view()).public_key().public_bytes_raw()


def sign(private: Private, data: bytes) -> bytes:
    """Sign with Ed25519: 64 bytes."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(private.view()).sign(data)


def verify(public: bytes, data: bytes, signature: bytes) -> None:
    """Check an Ed25519 signature. Raises Damaged; a return is a yes."""
    try:
        _ed25519(public).verify(signature, data)
    except (InvalidSignature, ValueError) as error:
        raise Damaged("the signature does not verify") from error


def verify_jws(alg: str, jwk: dict[str, Any], signing_input: bytes, signature: bytes) -> None:
    """Check the signature of a JWS (RFC 7518 section 3, RFC 8037) with a public JWK.

    Raises Damaged for a bad signature, an algorithm that is not ours or not the key's, and a key that is malformed,
    too weak, meant for something else, or private.
    """
    global verifications  # noqa: PLW0603 - a plain counter of this process
    verifications += 1
    try:
        _check(_public(jwk, alg), signing_input, signature)
    except (InvalidSignature, ValueError) as error:
        raise Damaged("the signature does not verify") from error


def thumbprint(jwk: dict[str, Any]) -> str:
    """Give the RFC 7638 thumbprint (SHA-256, base64url) of a key, public or private. Raises Damaged if malformed."""
    kty, values = _required(jwk)
    return _thumbprint(kty, *values)


def new_es256() -> dict[str, str]:
    """Make a new private JWK for ES256; its `kid` is its thumbprint."""
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    point = numbers.public_numbers
    jwk = {"kty": "EC", "crv": "P-256", "x": _coordinate(point.x), "y": _coordinate(point.y)}
    return {**jwk, "d": _coordinate(numbers.private_value), "alg": "ES256", "use": "sig", "kid": thumbprint(jwk)}


def sign_es256(jwk: dict[str, Any], data: bytes) -> bytes:
    """Sign a JWS signing input with a private JWK: r | s, 64 bytes (RFC 7518 section 3.4). Raises Misuse."""
    try:
        private = _ec_private(jwk["d"], jwk["x"], jwk["y"])
    except (KeyError, ValueError) as error:
        raise Misuse("not a private ES256 key") from error
    r, s = decode_dss_signature(private.sign(data, _ES256))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _check(public: PublicKey, data: bytes, signature: bytes) -> None:
    if isinstance(public, ec.EllipticCurvePublicKey):
        if len(signature) != 64:
            raise ValueError("an ES256 signature has 64 bytes")
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        public.verify(encode_dss_signature(r, s), data, _ES256)
    elif isinstance(public, ed25519.Ed25519PublicKey):
        public.verify(signature, data)
    else:
        public.verify(signature, data, *_RS256)


def _public(jwk: dict[str, Any], alg: str) -> PublicKey:
    """Check what the JWK says about itself, then parse it or take the parsed key from the cache."""
    kty, values = _required(jwk)
    if _TYPE_OF.get(alg) != kty or jwk.get("alg", alg) != alg or jwk.get("use", "sig") != "sig":
        raise Damaged("this algorithm is not the key's")
    if not _PRIVATE.isdisjoint(jwk):
        raise Damaged("a private key where a public one belongs")
    return _parsed(kty, *values)


def _required(jwk: dict[str, Any]) -> tuple[str, list[str]]:
    kty = jwk.get("kty")
    if type(kty) is not str or kty not in _MEMBERS:
        raise Damaged("unknown key type")
    values = [jwk.get(name) for name in _MEMBERS[kty]]
    if not all(type(value) is str for value in values):
        raise Damaged("a member of the key is missing")
    return kty, values  # type: ignore[return-value]  # the line above made them str


@lru_cache(maxsize=4096)
def _thumbprint(kty: str, *values: str) -> str:
    return b64(sha256(canonical({"kty": kty, **dict(zip(_MEMBERS[kty], values, strict=True))})).digest())


@lru_cache(maxsize=4096)
def _parsed(kty: str, *values: str) -> PublicKey:
    """Parse a public key (RFC 7518 section 6, RFC 8037 section 2). Raises ValueError; failures are not cached."""
    if kty == "RSA":
        e, n = (int.from_bytes(unb64(value), "big") for value in values)
        if e != 65537 or not 2048 <= n.bit_length() <= 4096:
            raise ValueError("an RSA key has 2048 to 4096 bits and the exponent 65537")
        return rsa.RSAPublicNumbers(e, n).public_key()
    if kty == "OKP" and values[0] == "Ed25519":
        return _ed25519(unb64(values[1]))
    if kty == "EC" and values[0] == "P-256":
        return _point(values[1], values[2]).public_key()
    raise ValueError("unknown curve")


@lru_cache(maxsize=1024)
def _ed25519(public: bytes) -> ed25519.Ed25519PublicKey:
    return ed25519.Ed25519PublicKey.from_public_bytes(public)


@lru_cache(maxsize=16)
def _ec_private(d: str, x: str, y: str) -> ec.EllipticCurvePrivateKey:
    """Parse a private key once; the few that sign for this process stay in memory anyway, in their JWK."""
    return ec.EllipticCurvePrivateNumbers(int.from_bytes(unb64(d), "big"), _point(x, y)).private_key()


def _point(x: str, y: str) -> ec.EllipticCurvePublicNumbers:
    raw_x, raw_y = unb64(x), unb64(y)
    if len(raw_x) != 32 or len(raw_y) != 32:
        raise ValueError("a coordinate of P-256 has 32 bytes")
    return ec.EllipticCurvePublicNumbers(int.from_bytes(raw_x, "big"), int.from_bytes(raw_y, "big"), ec.SECP256R1())


def _coordinate(value: int) -> str:
    return b64(value.to_bytes(32, "big"))
