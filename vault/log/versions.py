"""Which versions an entry stored, as its record names them and as they stand beside it (keys.md, Rollback).

Beside the record they are in clear but meaningless. A keyed hash covers them and the sealed record: nobody without the
server's key can change or leave out one of them unnoticed, and `vault.fsck` compares the newest with what is stored.
"""

import hashlib
import hmac
from collections.abc import Iterable

from keys.context import ctx
from keys.secret import Secret, StateKey, derive
from keys.text import b64, unb64
from vault.tables import Resource

ITEM = 56
GONE = bytes(32)
"""The digest of a resource that was removed."""


def told(rows: Iterable[Resource]) -> tuple[str, ...]:
    """These versions as a record names them."""
    return tuple(item(row.id, row.version, row.digest) for row in rows)


def item(resource: bytes, version: int, digested: bytes) -> str:
    """One version as a record names it: base64url of id, version (u64be) and digest."""
    return b64(resource + version.to_bytes(8, "big") + digested)


def touched(versions: Iterable[str]) -> bytes:
    """The same as it stands beside the record."""
    return b"".join(unb64(one) for one in versions)


def proof_key(state: StateKey) -> Secret:
    """The key of the hash beside each record."""
    return derive(state, ctx("lookup", "versions"))


class Prover:
    """Makes the hashes beside records; the key is taken in once."""

    def __init__(self, key: Secret) -> None:
        self._begun = hashlib.blake2b(key=key.view(), digest_size=32)

    def proof(self, index: int, entry: bytes, listed: bytes, sealed: bytes) -> bytes:
        """The keyed hash that binds a list of versions, empty or not, and the sealed record to its entry."""
        made = self._begun.copy()
        made.update(index.to_bytes(8, "big") + entry + len(listed).to_bytes(8, "big") + listed)
        made.update(sealed)
        return made.digest()


def proof(key: Secret, index: int, entry: bytes, listed: bytes, sealed: bytes) -> bytes:
    """The same for one record."""
    return Prover(key).proof(index, entry, listed, sealed)


def fits(key: Secret, index: int, entry: bytes, listed: bytes, sealed: bytes, found: bytes) -> bool:
    """Whether the hash beside a record is right."""
    return hmac.compare_digest(proof(key, index, entry, listed, sealed), found)


def parts(listed: bytes) -> Iterable[tuple[bytes, int, bytes]]:
    """Resource, version and digest of each item."""
    for at in range(0, len(listed), ITEM):
        one = listed[at : at + ITEM]
        yield one[:16], int.from_bytes(one[16:24], "big"), one[24:]
