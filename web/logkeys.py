"""Following a log whose key was replaced: from a key that somebody trusts to those it handed over to.

Read from the statements in the log itself; each is signed by the key that handed over.
"""

import json
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterable
from typing import Any

import rfc8785

from keys.errors import KeysError
from keys.note import vkey
from keys.sign import verify

STATEMENT = b"\1\2"
TYPE = "kluis/log-key/v1"


def followed(key: str, leaves: Iterable[bytes]) -> Iterable[str]:
    """The key (C2SP vkey) and all that it handed over to, one after the other, under the same name."""
    name, _, rest = key.partition("+")
    public = b64decode(rest.partition("+")[2])[1:]
    yield key
    for leaf in leaves:
        if leaf[:2] == STATEMENT and TYPE.encode() in leaf and (heir := _heir(leaf[2:], name, public)):
            public = heir
            yield vkey(name, heir)


def _heir(body: bytes, name: str, public: bytes) -> bytes | None:
    """The key that this one certified for this log; None if the statement is another's, or not signed by it."""
    try:
        told: dict[str, Any] = json.loads(body)
        signature = _raw(told.pop("signature"))
        if told["type"] != TYPE or told["host"] != name.partition("/log/")[0] or _raw(told["from"]) != public:
            return None
        verify(public, rfc8785.dumps(told), signature)
        return _raw(told["to"])
    except (KeysError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
