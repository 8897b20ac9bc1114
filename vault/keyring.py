"""A pod's keyring as stored: loaded and verified whenever a key is taken from it, changed under an optimistic lock.

Every change travels in a log entry whose record carries the new digest (`Facts.keyring`), so that an old keyring put
back later is noticed by the citizen's check.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from keys.errors import SwappedKey
from keys.keyring import Keyring, Signed, annexed, digest, open_keyring, sign_annex, sign_keyring
from keys.secret import Private
from keys.sign import signer_public
from vault.database import Tx
from vault.errors import Conflict, Stale
from vault.tables import Gate, KeyringRow

Edit = Callable[[Keyring], Keyring]


@dataclass(frozen=True, slots=True)
class Change:
    """A new keyring, ready to be stored in the transaction of its log entry."""

    row: KeyringRow
    digest: str
    before: tuple[int, bytes] | None

    def __call__(self, tx: Tx) -> None:
        """Store it. Raises Stale if the keyring is no longer the one this change was made from."""
        row = tx.get(KeyringRow, self.row.pod)
        if _stand(row) != self.before:
            raise Stale("another change of the keyring came in between")
        tx.remove(KeyringRow, pod=self.row.pod)
        tx.add(self.row)


def load(tx: Tx, pod: bytes, identity: bytes) -> Keyring:
    """The verified keyring of a pod, its annex included. Raises SwappedKey."""
    return _open(_row(tx, pod), identity)


def stored(tx: Tx, pod: bytes) -> tuple[Signed, Signed | None]:
    """The keyring as its pod signed it, and its annex, for somebody else to verify. Raises SwappedKey."""
    row = _row(tx, pod)
    return Signed(row.body, row.signature), _annex(row)


def stored_digest(tx: Tx, pod: bytes) -> str:
    """The digest of what is stored now."""
    return digest(*stored(tx, pod))


def first(ring: Keyring, identity: Private) -> Change:
    """The keyring of a new pod."""
    return _change(ring, identity, None)


def change(tx: Tx, pod: bytes, identity: Private, edit: Edit, heir: Private | None = None) -> Change:
    """The next version, signed in an unlocked session. It takes in the annex and leaves out grants that are over.

    `heir` signs it instead when `edit` puts a new identity in the place of this one. Raises SwappedKey.
    """
    row = _row(tx, pod)
    ring = _open(row, signer_public(identity))
    live = {key: value for key, value in ring.grants.items() if _lives(tx, key[0])}
    return _change(edit(replace(ring, version=ring.version + 1, grants=live)), heir or identity, _stand(row))


def extend(tx: Tx, pod: bytes, msign: Private, identity: bytes, compartment: bytes, public: bytes) -> Change:
    """The same version with one more managed compartment in its annex, signed by the managed signing key.

    Raises Conflict: "exists", or "changed" if that key is no longer the one on the keyring.
    """
    row = _row(tx, pod)
    ring = _open(row, identity)
    if signer_public(msign) != ring.msign:
        raise Conflict("changed")
    if compartment in ring.compartments:
        raise Conflict("exists")
    annex = sign_annex(ring, annexed(_annex(row)) | {compartment: public}, msign)
    signed = Signed(row.body, row.signature)
    made = KeyringRow(pod=pod, version=row.version, body=row.body, signature=row.signature,
                      annex=annex.body, annex_signature=annex.signature)  # fmt: skip
    return Change(made, digest(signed, annex), _stand(row))


def _change(ring: Keyring, identity: Private, before: tuple[int, bytes] | None) -> Change:
    signed = sign_keyring(ring, identity)
    row = KeyringRow(pod=ring.pod, version=ring.version, body=signed.body, signature=signed.signature)
    return Change(row, digest(signed, None), before)


def _open(row: KeyringRow, identity: bytes) -> Keyring:
    ring = open_keyring(row.pod, identity, Signed(row.body, row.signature), _annex(row))
    if ring.version != row.version:
        raise SwappedKey("the keyring is of another version than its row says")
    return ring


def _row(tx: Tx, pod: bytes) -> KeyringRow:
    row = tx.get(KeyringRow, pod)
    if row is None:
        raise SwappedKey(f"pod {pod.hex()} has no keyring")
    return row


def _annex(row: KeyringRow) -> Signed | None:
    return Signed(row.annex, row.annex_signature) if row.annex else None


def _stand(row: KeyringRow | None) -> tuple[int, bytes] | None:
    return None if row is None else (row.version, row.annex)


def _lives(tx: Tx, grant: bytes) -> bool:
    gate = tx.get(Gate, grant)
    return gate is not None and gate.state in ("live", "restricted")
