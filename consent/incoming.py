"""JSON from outside: read once, and only if everything in it can be stored, hashed and shown again."""

import json
from math import isfinite
from typing import Any, Final

_DEEPEST: Final = 32


def read(body: str | bytes) -> Any:
    """The value of a JSON text (RFC 8259).

    Raises ValueError for what is no JSON (NaN and numbers beyond a float included), for more than 32 levels, and for a
    text or name with a NUL or half a surrogate pair in it (RFC 7493 2.1).
    """
    try:
        found = json.loads(body, parse_constant=_number, parse_float=_number)
    except RecursionError as deep:
        raise ValueError("nested too deeply") from deep
    _check(found, _DEEPEST)
    return found


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("not a JSON number")
    return number


def _check(value: object, left: int) -> None:
    if left == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError("a text that is no text")
    elif isinstance(value, list):
        for one in value:
            _check(one, left - 1)
    elif isinstance(value, dict):
        for name, one in value.items():
            _check(name, left)
            _check(one, left - 1)
