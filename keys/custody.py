"""Custody: what the server's own key is used for, whichever custodian holds it.

A pod's ManagedRoot hangs under the custodian as `key id (16) | envelope`: the id tells which custody key opens it,
so that a key can be replaced pod by pod and destroyed when nothing hangs under it any more.
"""

from pathlib import Path
from typing import Protocol

from keys.context import ctx
from keys.custodian import FileCustodian
from keys.errors import Misuse
from keys.hsm import Address, TokenCustodian
from keys.secret import CustodyKey, ManagedRoot, Released, Share, StateKey
from keys.tree import unwrap, wrap

KEY_ID = 16


class Custodian(Protocol):
    """Holds the state key and the custody keys, outside the data directory.

    `add` and `destroy` are durable when they return and not idempotent; the rest changes nothing and may be called
    from any thread. All may raise KeysError when the custodian is away.
    """

    @property
    def custody_ids(self) -> tuple[bytes, ...]:
        """The custody keys that are there, the one in use first."""
        ...

    @property
    def custody_id(self) -> bytes:
        """The custody key in use."""
        ...

    def state_key(self) -> StateKey:
        """The key of control data; the caller owns and wipes this copy."""
        ...

    def custody_key(self, pod: bytes, share: Share, which: bytes) -> CustodyKey:
        """The key that wraps one pod's ManagedRoot, made with that pod's custody share. Raises Damaged."""
        ...

    def add(self) -> bytes:
        """Put a new custody key in use and give its id; the one before retires. Raises Misuse if one does."""
        ...

    def destroy(self, which: bytes) -> None:
        """Forget the custody key that retires. Raises Misuse for any other."""
        ...


def custodian(uri: str) -> Custodian:
    """Open `file:PATH` or `pkcs11:...` (RFC 7512). Raises Misuse for another scheme, else NoCustodian and the like."""
    if uri.startswith("file:"):
        return FileCustodian.open(uri)
    if uri.startswith("pkcs11:"):
        return TokenCustodian.open(uri)
    raise Misuse("a custodian is file:PATH or pkcs11:...")


def new_custodian(uri: str) -> Path:
    """Make new keys and give the file that leads to them. Raises FileExistsError, never replaces any."""
    if uri.startswith("pkcs11:"):
        TokenCustodian.create(uri)
        return Address(uri).pin_file
    path = Path(uri.removeprefix("file:"))
    FileCustodian.create(path)
    return path


def hang(holder: Custodian, pod: bytes, share: Share, root: ManagedRoot) -> bytes:
    """Wrap a pod's ManagedRoot under the custody key in use."""
    which = holder.custody_id
    with holder.custody_key(pod, share, which) as key:
        return which + wrap(key, ctx("root", pod, "custody", "mk"), root)


def reach(holder: Custodian, pod: bytes, share: Released, wrapped: bytes) -> ManagedRoot:
    """Open what `hang` made. Raises Damaged, also when its key was destroyed."""
    with holder.custody_key(pod, share, wrapped[:KEY_ID]) as key:
        return unwrap(key, ctx("root", pod, "custody", "mk"), wrapped[KEY_ID:], ManagedRoot)
