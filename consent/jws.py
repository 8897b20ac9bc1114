"""Compact JWS (RFC 7515 3.1) as bytes in and out; the signatures themselves are made and checked by ``keys.sign``.

Strict on purpose: one spelling of base64url, no duplicate member names, no ``crit``, no unencoded payload.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keys import sign
from keys.errors import KeysError
from keys.text import b64, canonical, unb64

LONGEST: Final = 8192


class BadJws(ValueError):
    """Not a compact JWS of the form we take, or its signature does not verify. Says why, never what was sent."""


@dataclass(frozen=True, slots=True)
class Jws:
    """A parsed, not yet verified JWS; ``claims`` is its payload as a JSON object."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signing_input: bytes
    signature: bytes

    def verify(self, jwk: Mapping[str, Any], algs: frozenset[str]) -> None:
        """Raises ``BadJws`` unless ``alg`` is one of ``algs`` and the signature verifies under the public ``jwk``."""
        alg = self.header.get("alg")
        if not isinstance(alg, str) or alg not in algs:
            raise BadJws("alg is not one of ours")
        try:
            sign.verify_jws(alg, dict(jwk), self.signing_input, self.signature)
        except KeysError as damaged:
            raise BadJws("the signature does not verify") from damaged


def read(compact: bytes | str) -> Jws:
    """Parse a compact JWS whose payload is a JSON object; raises ``BadJws``."""
    raw = compact.encode("utf-8", "replace") if isinstance(compact, str) else compact
    parts = raw.split(b".")
    if len(raw) > LONGEST or len(parts) != 3:
        raise BadJws("not a compact JWS")
    header, claims = _object(parts[0]), _object(parts[1])
    if "crit" in header or "b64" in header:
        raise BadJws("critical header extensions are not understood")
    return Jws(header, claims, parts[0] + b"." + parts[1], _decode(parts[2]))


def make(header: Mapping[str, object], claims: Mapping[str, object], key: Mapping[str, Any]) -> str:
    """An ES256 compact JWS over canonical JSON (RFC 8785); ``key`` is a private JWK with ``kid``."""
    head = canonical({"alg": "ES256", "kid": key["kid"], **header})
    signing_input = f"{b64(head)}.{b64(canonical(dict(claims)))}"
    return f"{signing_input}.{b64(sign.sign_es256(dict(key), signing_input.encode()))}"


def _decode(part: bytes) -> bytes:
    try:
        return unb64(part.decode("ascii"))
    except ValueError as broken:
        raise BadJws("not base64url") from broken


def _object(part: bytes) -> dict[str, Any]:
    try:
        found = json.loads(_decode(part), object_pairs_hook=_distinct, parse_int=_small, parse_constant=_small)
    except (ValueError, RecursionError) as broken:
        raise BadJws("not JSON") from broken
    if not isinstance(found, dict):
        raise BadJws("not a JSON object")
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def _small(number: str) -> int:
    """An integer a clock or a counter can have; ``NaN``, ``Infinity`` and giants are ``ValueError``."""
    if len(number) > 16:
        raise ValueError("a number beyond reason")
    return int(number)
