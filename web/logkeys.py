"""Following a log whose key was replaced: from a key that somebody trusts to those it handed over to.

Read from the statements in the log itself; each is signed by the key that handed over. A hand-over counts only if it
stands in the log, and from there on only the key it names signs: the head that holds it is signed by that key or by a
later one.
"""

import json
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterable, Iterator
from typing import Any

import rfc8785

from keys.errors import KeysError
from keys.note import vkey
from keys.sign import verify

STATEMENT = b"\1\2"
TYPE = "kluis/log-key/v1"
PATH = "/log/handovers"


def is_hand(leaf: bytes) -> bool:
    """Whether an entry may be a statement by which a key handed over."""
    return leaf[:2] == STATEMENT and TYPE.encode() in leaf


def followed(key: str, leaves: Iterable[bytes]) -> Iterator[str]:
    """The key (C2SP vkey) and all that it handed over to, one after the other, under the same name."""
    name, _, rest = key.partition("+")
    public = b64decode(rest.partition("+")[2])[1:]
    yield key
    for leaf in leaves:
        if is_hand(leaf) and (heir := heir_of(leaf[2:], name.partition("/log/")[0], public)):
            public = heir
            yield vkey(name, heir)


def heir_of(body: bytes, host: str, public: bytes) -> bytes | None:
    """The key that this one certified for this log; None if the statement is another's, or not signed by it."""
    try:
        told: dict[str, Any] = json.loads(body)
        signature = _raw(told.pop("signature"))
        if told["type"] != TYPE or told["host"] != host or _raw(told["from"]) != public:
            return None
        verify(public, rfc8785.dumps(told), signature)
        heir = _raw(told["to"])
    except (KeysError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return heir if len(heir) == 32 else None


def giver_of(body: bytes) -> bytes:
    """The key that a statement says it comes from; b"" if it says none."""
    try:
        return _raw(json.loads(body)["from"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return b""


def _raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
