"""The drop box: a key sealed to a public key, so that a sender can deliver and not read back.

HPKE base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one shot. A letter is
`0x01 | enc (32) | ciphertext (48)`. The context goes into `info`, where HPKE binds it into the key schedule
(section 5.1); the library offers no other associated data. A letter box, not a lock: whoever opens a letter on a hot
path wraps the key again symmetrically.
"""

from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from keys.context import place
from keys.errors import Damaged, Misuse, UnknownVersion
from keys.secret import CompartmentKey, DataKey, Private, RecordKey, Root, Secret

K = TypeVar("K", bound=Secret)

_VERSION = b"\x01"
_LENGTH = 81
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

# What travels by letter: a root to an unlocker, a deposit's key to its compartment, a new generation to a grant, a
# record key to the pod it belongs to, a log key that is no longer in use to the one that is.
LETTERS: frozenset[tuple[tuple[str, ...], type[Secret]]] = frozenset(
    {
        (("unlock",), Root),
        (("dek", "deposit"), DataKey),
        (("ck-grant",), CompartmentKey),
        (("record-key",), RecordKey),
        (("old-log",), Private),
    }
)


def pair() -> tuple[Private, bytes]:
    """Make a new X25519 pair: the private key and the 32 bytes of the public one."""
    private = Private.fresh()
    return private, public_of(private)


def public_of(private: Private) -> bytes:
    """Give the public half of an X25519 private key (RFC 7748), 32 bytes."""
    return X25519PrivateKey.from_private_bytes(private.view()).public_key().public_bytes_raw()


def deliver(public: bytes, context: bytes, secret: Secret) -> bytes:
    """Seal a secret to a public key: 81 bytes.

    Raises Misuse for a secret that does not travel by letter, Damaged for a public key that is none.
    """
    _check(context, type(secret))
    try:
        recipient = X25519PublicKey.from_public_bytes(public)
        return _VERSION + _SUITE.encrypt(secret.view(), recipient, info=context)
    except ValueError as error:
        raise Damaged("not a public key") from error


def check_letter(sealed: bytes) -> None:
    """See that this has the form of a letter, as far as nobody can open it. Raises UnknownVersion, Damaged."""
    if sealed[:1] != _VERSION:
        raise UnknownVersion("unknown letter version")
    if len(sealed) != _LENGTH:
        raise Damaged("not a letter")


def collect(private: Private, context: bytes, sealed: bytes, kind: type[K]) -> K:
    """Open a letter. Raises Misuse, UnknownVersion, or Damaged for everything that does not open."""
    _check(context, kind)
    if sealed[:1] != _VERSION:
        raise UnknownVersion("unknown letter version")
    try:
        opened = _SUITE.decrypt(sealed[1:], X25519PrivateKey.from_private_bytes(private.view()), info=context)
    except (InvalidTag, ValueError) as error:
        raise Damaged("the letter does not open") from error
    if len(opened) != 32:
        raise Damaged("the letter holds no secret")
    return kind(opened)


def _check(context: bytes, kind: type[Secret]) -> None:
    where = place(context)
    if (where, kind) not in LETTERS:
        raise Misuse(f"{kind.__name__} is not delivered at {'/'.join(where)}")
