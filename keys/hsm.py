"""A custodian in a token: AES-256 keys that never leave a hardware module or SoftHSM2, spoken to over PKCS #11.

The token does one thing for us: a pseudorandom function, SP 800-108r1 section 4.1 (counter mode) with AES-CMAC, over
the context of what is wanted. So nothing is stored beside the token, every managed unlock asks the token again, and
a key that was destroyed there opens nothing any more. Which token and which keys: a PKCS #11 URI (RFC 7512)

    pkcs11:token=LABEL;object=LABEL?module-path=/path/to/library.so&pin-source=file:/path/to/pin

The keys carry that object's label; their CKA_ID is `state` or `custody-N`, the highest N being in use. The PIN comes
out of a file of this user alone, never from the URI.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Final, Self
from urllib.parse import unquote

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import PKCS11Error, UserAlreadyLoggedIn

from keys.context import ctx
from keys.custodian import key_id, read_private
from keys.errors import Damaged, Misuse, NoCustodian
from keys.secret import CustodyKey, Secret, Share, StateKey, derive

_SCHEME: Final = "pkcs11:"
_LABEL: Final = b"kluis/custodian/v1"
_CUSTODY: Final = re.compile(rb"custody-([1-9][0-9]{0,8})")
_LONGEST_PIN: Final = 256


class Address:
    """A PKCS #11 URI as we take it: token, object, module-path and pin-source, each once and nothing else."""

    def __init__(self, uri: str) -> None:
        """Take the URI apart. Raises Misuse, without repeating a PIN that somebody wrote into it."""
        path, _, query = uri.removeprefix(_SCHEME).partition("?")
        path_parts, query_parts = _attributes(path, ";"), _attributes(query, "&")
        if "pin-value" in {*path_parts, *query_parts}:
            raise Misuse("a PIN is not written into an address: put it in a file and name that as pin-source=file:PATH")
        wanted = {"token", "object"}, {"module-path", "pin-source"}
        if not uri.startswith(_SCHEME) or (set(path_parts), set(query_parts)) != wanted:
            raise Misuse("is not pkcs11:token=LABEL;object=LABEL?module-path=PATH&pin-source=file:PATH")
        self.token, self.object = path_parts["token"], path_parts["object"]
        self.module = query_parts["module-path"]
        self.pin_file = Path(query_parts["pin-source"].removeprefix("file:").removeprefix("//"))
        if not query_parts["pin-source"].startswith("file:/") or not self.module.startswith("/"):
            raise Misuse("pin-source is file: with a full path, module-path is a full path")


class TokenCustodian:
    """Keys in a PKCS #11 token. Asked from several threads: one session, one question at a time."""

    def __init__(self, address: Address) -> None:
        """Log in and find the keys. Raises NoCustodian, or ExposedCustodian for a PIN that others can read."""
        self._label, self._guard = address.object, Lock()
        self._session = _logged_in(address)
        self._find()

    @classmethod
    def open(cls, uri: str) -> Self:
        """Open the token named by a URI. Raises Misuse, NoCustodian, ExposedCustodian."""
        return cls(Address(uri))

    @classmethod
    def create(cls, uri: str) -> Self:
        """Make new keys in the token. Raises FileExistsError if it holds some under this label already."""
        address = Address(uri)
        session = _logged_in(address)
        with _asking():
            if _keys(session, address.object):
                raise FileExistsError(f"the token holds keys named {address.object} already")
            for role in (b"state", b"custody-1"):
                _generate(session, address.object, role)
        return cls(address)

    @property
    def custody_ids(self) -> tuple[bytes, ...]:
        """The custody keys that are there, the one in use first."""
        return tuple(self._custody)

    @property
    def custody_id(self) -> bytes:
        """The custody key in use."""
        return self.custody_ids[0]

    def state_key(self) -> StateKey:
        """Give the key of control data; the caller owns and wipes this copy."""
        return StateKey(self._ask(self._state, ctx("custodian", "state")))

    def custody_key(self, pod: bytes, share: Share, which: bytes) -> CustodyKey:
        """Make the key that wraps one pod's ManagedRoot, asking the token each time. Raises Damaged, NoCustodian."""
        key = self._custody.get(which)
        if key is None:
            raise Damaged("the custodian has no such key")
        place = ctx("root", pod, "custody", "mk")
        with Secret(self._ask(key, place)) as secret:
            return derive(secret, place, share, CustodyKey)

    def add(self) -> bytes:
        """Make a new custody key and put it in use; the one before retires. Raises Misuse if one does."""
        if len(self._custody) > 1:
            raise Misuse("the last change of the custody key is not finished")
        with self._guard, _asking():
            newest = max(_number(key.id) for key in self._custody.values())
            _generate(self._session, self._label, f"custody-{newest + 1}".encode())
        self._find()
        return self.custody_id

    def destroy(self, which: bytes) -> None:
        """Destroy the custody key that retires, in the token. Raises Misuse for any other."""
        if which not in self.custody_ids[1:]:
            raise Misuse("only a custody key that retires is destroyed")
        with self._guard, _asking():
            self._custody[which].destroy()
        self._find()

    def _find(self) -> None:
        with self._guard, _asking():
            found = _keys(self._session, self._label)
        numbered = sorted((name for name in found if _CUSTODY.fullmatch(name)), key=_number, reverse=True)
        if b"state" not in found or not numbered:
            raise NoCustodian(f"the token holds no keys named {self._label}")
        self._state = found[b"state"]
        self._custody = {self._id(found[name]): found[name] for name in numbered}

    def _id(self, key: pkcs11.SecretKey) -> bytes:
        with Secret(self._ask(key, ctx("custodian", "custody"))) as check:
            return key_id("custody", check)

    def _ask(self, key: Any, context: bytes) -> bytes:  # the library gives a key its mechanisms at run time
        """SP 800-108r1, counter mode: two blocks of AES-CMAC over `[i] | label | 0x00 | context | [256]`."""
        fixed = _LABEL + b"\0" + context + (256).to_bytes(4, "big")
        with self._guard, _asking():
            blocks = [key.sign(n.to_bytes(4, "big") + fixed, mechanism=Mechanism.AES_CMAC) for n in (1, 2)]
        return b"".join(blocks)


def _logged_in(address: Address) -> pkcs11.Session:
    pin = read_private(address.pin_file, _LONGEST_PIN).decode(errors="replace").rstrip("\n")
    with _asking():
        token = pkcs11.lib(address.module).get_token(token_label=address.token)
        try:
            return token.open(rw=True, user_pin=pin)
        except UserAlreadyLoggedIn:  # a login is the whole process's: nobody asks for the PIN twice
            return token.open(rw=True)


def _keys(session: pkcs11.Session, label: str) -> dict[bytes, pkcs11.SecretKey]:
    wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.LABEL: label}
    found = [key for key in session.get_objects(wanted) if isinstance(key, pkcs11.SecretKey)]
    named = {key.id: key for key in found}
    if len(named) != len(found):
        raise NoCustodian(f"two keys named {label} in the token have the same id")
    return named


def _generate(session: pkcs11.Session, label: str, name: bytes) -> None:
    """An AES-256 key that the token never gives out and that may do nothing but CMAC."""
    session.generate_key(
        KeyType.AES,
        256,
        label=label,
        id=name,
        store=True,
        capabilities=MechanismFlag.SIGN,
        template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    )


def _number(name: bytes) -> int:
    found = _CUSTODY.fullmatch(name)
    return int(found[1]) if found else 0


@contextlib.contextmanager
def _asking() -> Iterator[None]:
    """The token's own errors, as the one that matters here: the custodian is not there for us."""
    try:
        yield
    except (PKCS11Error, pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned, OSError) as error:
        if isinstance(error, FileExistsError):
            raise
        raise NoCustodian(f"the token does not answer ({type(error).__name__})") from error


def _attributes(text: str, between: str) -> dict[str, str]:
    parts = [part.partition("=") for part in text.split(between) if part]
    told = {name: unquote(value) for name, _, value in parts}
    if len(told) != len(parts) or not all(told.values()):
        raise Misuse("an attribute of the PKCS #11 URI is empty or stands twice")
    return told
