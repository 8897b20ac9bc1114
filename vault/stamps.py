"""What access control lists were when a decision was made, as one hash, and whether they still are that."""

from collections.abc import Mapping
from hashlib import sha256

from vault.database import Tx
from vault.errors import Conflict
from vault.permit import Permit


def sealed(tx: Tx, ids: tuple[bytes, ...], also: str = "", **given: bytes) -> dict[bytes, bytes]:
    """The lists stored under these ids, sealed; and what a further part of the same statement gives."""
    marks = ", ".join(f":i{n}" for n in range(len(ids)))
    params = {f"i{n}": rid for n, rid in enumerate(ids)}
    return dict(tx.run(f"SELECT id, sealed FROM acl WHERE id IN ({marks}) {also}", **params, **given))  # noqa: S608


def stamp(ids: tuple[bytes, ...], found: Mapping[bytes, bytes]) -> bytes:
    """One hash over what is stored under these ids; nothing opens, so it costs no more than reading."""
    return sha256(b"".join(sha256(found.get(rid, b"")).digest() for rid in ids)).digest()


def same(tx: Tx, covers: tuple[bytes, ...], seen: bytes) -> None:
    """Raise Conflict("access changed") if what is stored under these ids is not what `seen` was made of."""
    if covers and stamp(covers, sealed(tx, covers)) != seen:
        raise Conflict("access changed")


def unchanged(tx: Tx, permit: Permit) -> None:
    """The same for the lists that a permit rests on."""
    same(tx, permit.covers, permit.stamp)
