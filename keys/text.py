"""Bytes as text: base64url without padding for ids and tokens, RFC 8785 for JSON that is hashed or signed."""

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import rfc8785

_URLSAFE = bytes.maketrans(b"+/", b"-_")


def b64(data: bytes | bytearray | memoryview) -> str:
    """Show bytes as base64url without padding (RFC 4648 section 5); 16 bytes become 22 characters."""
    return binascii.b2a_base64(data, newline=False).translate(_URLSAFE, b"=").decode()


def unb64(text: str) -> bytes:
    """Read what `b64` wrote.

    Raises ValueError for anything else (padding, foreign characters, unused bits that are not zero), so that one
    value has exactly one text.
    """
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if b64(data) != text:
        raise ValueError("not canonical base64url")
    return data


def canonical_flat(fields: Mapping[str, str | int | Sequence[str]]) -> bytes:
    """Write the same form of one object with ASCII names, texts, lists of texts and integers within 2**53; faster.

    Raises ValueError for what that form cannot hold.
    """
    try:
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
    except TypeError as error:
        raise ValueError(str(error)) from error


def canonical(obj: Any) -> bytes:
    """Write JSON in the one form of RFC 8785. Raises ValueError for what JSON cannot hold (NaN, big integers)."""
    return rfc8785.dumps(obj)
