"""What can go wrong on this floor: one class per meaning, each with a stable `code`. No HTTP in here."""

from typing import ClassVar


class KeysError(Exception):
    """The parent of every error of this floor; never raised itself."""

    code: ClassVar[str] = "keys"


class Damaged(KeysError):
    """Bytes that do not open or verify: altered, cut, moved to another place, or made under another key."""

    code = "damaged"


class UnknownVersion(KeysError):
    """The first byte names a format that this version does not know. There is no negotiation: it is refused."""

    code = "unknown_version"


class WrongSecret(KeysError):
    """What a person or an app typed or sent cannot be the secret: malformed token, mistyped recovery code."""

    code = "wrong_secret"


class Misuse(KeysError):
    """A mistake of the caller: wrong type or number of fields, a key in a place where it must not be."""

    code = "misuse"


class NoCustodian(KeysError):
    """The custodian's file is not there, or is no regular file; the server must not start without it."""

    code = "no_custodian"


class ExposedCustodian(KeysError):
    """The custodian's file can be read by others than its owner; the server must not start with it."""

    code = "exposed_custodian"


class SwappedKey(KeysError):
    """A public key, or the list it stands in, is not the one that its owner signed; nothing is sealed to it."""

    code = "swapped_key"
