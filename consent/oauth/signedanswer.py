"""Introspection answers that prove where they come from (RFC 9701): a JWT of ours around what RFC 7662 would answer."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from consent.jws import make

TYPE: Final = "token-introspection+jwt"
MEDIA: Final = f"application/{TYPE}"


def wanted(accept: str) -> bool:
    """Whether an `Accept` header asks for the signed form."""
    return any(one.partition(";")[0].strip().lower() == MEDIA for one in accept.split(","))


def make_answer(body: Mapping[str, Any], client_id: str, issuer: str, key: Mapping[str, Any], now: datetime) -> str:
    """The signed answer for the client that asked (section 5)."""
    claims = {"iss": issuer, "aud": client_id, "iat": int(now.timestamp()), "token_introspection": dict(body)}
    return make({"typ": TYPE}, claims, key)
