"""Log records: sealed for the citizen or the DPO, committed to in the public tree."""

import re
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from keys.context import ctx
from keys.errors import Misuse
from keys.seal import seal
from keys.secret import RecordKey
from keys.unseal import unseal

Kind = Literal["record", "dpo-record"]

# One fixed form, so that no domain is the beginning of another and the hash below has one reading only.
_DOMAIN = re.compile(r"kluis/[a-z-]+/v[1-9]")


def seal_record(key: RecordKey, kind: Kind, origin: str, key_id: bytes, entry: bytes, data: bytes) -> bytes:
    """Seal the record of one entry (16-byte ids of key and entry) for its place in one log."""
    return seal(key, ctx(kind, origin, key_id, entry), data)


def open_record(key: RecordKey, kind: Kind, origin: str, key_id: bytes, entry: bytes, sealed: bytes) -> bytes:
    """Open a record. Raises Damaged if it was altered or belongs to another entry, key, log or kind."""
    return unseal(key, ctx(kind, origin, key_id, entry), sealed)


def commitment(domain: str, nonce: bytes, data: bytes) -> bytes:
    """SHA-256(domain | nonce | data), 32 bytes: hides the data until nonce and data are shown, binds to them.

    `domain` reads `kluis/<word>/v1`, `nonce` is 32 random bytes, `data` is canonical JSON. Raises Misuse otherwise.
    """
    if len(nonce) != 32:
        raise Misuse("a commitment takes a nonce of 32 bytes")
    return sha256(_begun(domain) + nonce + data).digest()


@lru_cache(maxsize=16)
def _begun(domain: str) -> bytes:
    if not _DOMAIN.fullmatch(domain):
        raise Misuse("a commitment takes a domain `kluis/<word>/v1`")
    return domain.encode()
