"""Secrets: 32 bytes in memory that is wiped, with a type that says what they are; and how one comes from another.

Python cannot promise that no copy is left behind (the library's own key objects, a `bytes` on the way), so this is a
best effort; what is certain is that a wiped secret refuses to be used and that no secret prints, compares slowly or
gets pickled.
"""

import hmac
import os
from typing import NoReturn, Self, TypeVar, overload

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys.errors import Misuse

Buffer = bytes | bytearray | memoryview

SIZE = 32
_HASH = SHA256()
_NO_SALT = bytes(32)


class Secret:
    """Exactly 32 bytes. A context manager that wipes on leaving; the owner of a secret wipes it, nobody else."""

    __slots__ = ("_bytes",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, data: Buffer) -> None:
        """Copy 32 bytes in. Raises Misuse for any other length."""
        if len(data) != SIZE:
            raise Misuse("a secret has 32 bytes")
        self._bytes: bytearray | None = bytearray(data)

    @classmethod
    def fresh(cls) -> Self:
        """Make a new random one."""
        return cls.adopt(bytearray(os.urandom(SIZE)))

    @classmethod
    def adopt(cls, data: bytearray) -> Self:
        """Take the 32 bytes out of a buffer and wipe the buffer. Raises Misuse for another length."""
        try:
            return cls(data)
        finally:
            wipe(data)

    def view(self) -> memoryview:
        """Show the bytes without a copy. Raises Misuse once wiped: zeros must never be used as a key."""
        if self._bytes is None:
            raise Misuse("this secret is wiped")
        return memoryview(self._bytes)

    def wipe(self) -> None:
        """Overwrite the bytes with zeros and refuse all further use. Doing it twice is fine."""
        if self._bytes is not None:
            wipe(self._bytes)
            self._bytes = None

    def __enter__(self) -> Self:
        """Give the secret itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wipe, whatever happened."""
        self.wipe()

    def __eq__(self, other: object) -> bool:
        """Compare in constant time; secrets of different types are never equal."""
        if type(other) is not type(self):
            return NotImplemented
        return hmac.compare_digest(self.view(), other.view())

    def __repr__(self) -> str:
        """Show the type and nothing else."""
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied."""
        raise Misuse("secrets are not copied")


class Root(Secret):
    """RK: opens all of a pod's sealed things. Only unlockers and an unlocked session lead to it."""


class ManagedRoot(Secret):
    """MK: opens the managed compartments; the only thing the custodian can reach."""


class CustodyKey(Secret):
    """The custodian's key for one pod, made with that pod's custody share; wraps its ManagedRoot and nothing else."""


class CompartmentKey(Secret):
    """CK of one compartment and generation."""


class DataKey(Secret):
    """DEK of one version of one resource."""


class GrantKey(Secret):
    """GK of one grant."""


class RecordKey(Secret):
    """The key of a part of a month (pod) or of an hour (DPO) of log records."""


class Share(Secret):
    """What the writer releases only after the log line is durable; without it a wrap stays shut."""


class Released(Share):
    """A share as the writer hands it out, with the number of the durable log entry that allowed it.

    Every function that opens with a share takes this type, so nothing is opened that names no entry.
    """

    __slots__ = ("entry",)

    def __init__(self, data: Buffer, entry: int) -> None:
        """Copy 32 bytes in. Raises Misuse for any other length."""
        super().__init__(data)
        self.entry = entry


class StateKey(Secret):
    """The server's key for control data, from the custodian at start."""


class ControlKey(Secret):
    """The state key and a pod's custody share, for that pod's control data."""


class ReceiptKey(Secret):
    """What an app gets with an answer it wants to be able to prove; the server forgets it."""


class NamesKey(Secret):
    """Turns the paths of one pod into resource ids."""


class Private(Secret):
    """A private key of X25519 or Ed25519; the context it hangs under says which."""


class Seed(Secret):
    """What an unlocker gives: from a passkey, a passphrase or a recovery code."""


K = TypeVar("K", bound=Secret)


@overload
def derive(secret: Secret, context: bytes, share: Share | None = None) -> Secret: ...
@overload
def derive(secret: Secret, context: bytes, share: Share | None = None, *, kind: type[K]) -> K: ...
@overload
def derive(secret: Secret, context: bytes, share: Share | None, kind: type[K]) -> K: ...
def derive(secret: Secret, context: bytes, share: Share | None = None, kind: type[Secret] = Secret) -> Secret:
    """KEY(secret[, share], context) = HKDF-SHA256(secret | share, 32 zero bytes of salt, context, 32) (RFC 5869)."""
    if share is None:
        return kind.adopt(hkdf(secret.view(), context))
    material = bytearray(2 * SIZE)
    material[:SIZE] = secret.view()
    material[SIZE:] = share.view()
    try:
        return kind.adopt(hkdf(material, context))
    finally:
        wipe(material)


def hkdf(material: Buffer, context: bytes) -> bytearray:
    """HKDF-SHA256 over raw material with 32 zero bytes of salt, into a buffer of 32 bytes that the caller owns."""
    out = bytearray(SIZE)
    HKDF(_HASH, SIZE, _NO_SALT, context).derive_into(material, out)
    return out


def wipe(data: bytearray) -> None:
    """Overwrite a buffer in place with zeros; views on it see them too."""
    data[:] = bytes(len(data))


def fresh_bytes(size: int) -> bytes:
    """Get random bytes from the operating system: ids, nonces, salts."""
    return os.urandom(size)
