"""Log records: sealed for the citizen or the DPO, committed to in the public tree."""

import re
from functools import cache
from hashlib import sha256
from typing import Any, Literal

from keys.context import ctx
from keys.errors import Misuse
from keys.seal import Sealer
from keys.secret import RecordKey
from keys.unseal import unseal_record

Kind = Literal["record", "dpo-record"]

# One fixed form, so that no domain is the beginning of another and the hash below has one reading only.
_DOMAIN = re.compile(r"kluis/[a-z-]+/v[1-9]")


class RecordSealer:
    """Seals the records of one log under one record key; it has the key and wipes it."""

    __slots__ = ("_begin", "_key", "_seal", "key_id")

    def __init__(self, key: RecordKey, kind: Kind, origin: str, key_id: bytes) -> None:
        """Take a fresh key, its id (16 bytes) and the origin of the log."""
        self.key_id, self._key, self._seal = key_id, key, Sealer(key)
        self._begin = ctx(kind, origin, key_id, bytes(16))[:-16]

    @property
    def spent(self) -> bool:
        """Whether the key was used as often as it may."""
        return not self._seal.left

    def seal(self, entry: bytes, data: bytes) -> bytes:
        """Seal the record of one entry (an id of 16 bytes) for its place in the log. Raises Misuse."""
        if len(entry) != 16:
            raise Misuse("an entry's id has 16 bytes")
        return self._seal.seal(self._begin + entry, data)

    def wipe(self) -> None:
        """Wipe the key and refuse all further use; the cipher made of it goes with this object."""
        self._key.wipe()
        self._seal.left = 0


def open_record(key: RecordKey, kind: Kind, origin: str, key_id: bytes, entry: bytes, sealed: bytes) -> bytes:
    """Open a record. Raises Damaged if it was altered or belongs to another entry, key, log or kind."""
    return unseal_record(key, ctx(kind, origin, key_id, entry), sealed)


def commitment(domain: str, nonce: bytes, data: bytes) -> bytes:
    """SHA-256(domain | nonce | data), 32 bytes: hides the data until nonce and data are shown, binds to them.

    `domain` reads `kluis/<word>/v1`, `nonce` is 32 random bytes, `data` is canonical JSON. Raises Misuse otherwise.
    """
    if len(nonce) != 32:
        raise Misuse("a commitment takes a nonce of 32 bytes")
    begun = _begun(domain).copy()
    begun.update(nonce)
    begun.update(data)
    made: bytes = begun.digest()
    return made


@cache
def _begun(domain: str) -> Any:
    """A hash that has taken in the domain: copying it costs less than a new one. Never updated itself."""
    if not _DOMAIN.fullmatch(domain):
        raise Misuse("a commitment takes a domain `kluis/<word>/v1`")
    return sha256(domain.encode())
