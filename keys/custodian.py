"""The custodian: holds the two keys that the server itself has, outside the data directory.

The state key reads control data; the custody key, together with a pod's custody share, reaches that pod's
ManagedRoot. Neither leads to a sealed compartment (`keys.tree`). Each has an id that is also its check value, so a
damaged file is noticed when it is read and not when the first thing fails to open.
"""

import hmac
import json
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Self

from keys.context import ctx
from keys.errors import Damaged, ExposedCustodian, Misuse, NoCustodian
from keys.secret import CustodyKey, Secret, Share, StateKey, derive
from keys.text import b64, unb64

_FORMAT = "kluis/custodian/v1"
_SCHEME = "file:"
_LARGEST = 4096  # bytes of the file


class FileCustodian:
    """Keys in one JSON file that only its owner can read (0600)."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises NoCustodian, ExposedCustodian or Damaged."""
        document = _parse(_read(path))
        self._state = _key(document, "state")
        self._custody = _key(document, "custody")
        self.custody_id = key_id("custody", self._custody)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Write a new file with new keys, durable when this returns. Raises FileExistsError, never overwrites."""
        document: dict[str, object] = {"format": _FORMAT}
        for role in ("state", "custody"):
            with Secret.fresh() as secret:
                document[role] = {"id": b64(key_id(role, secret)), "secret": b64(secret.view())}
        _write(path, json.dumps(document, indent=1).encode() + b"\n")
        return cls(path)

    @classmethod
    def open(cls, uri: str) -> Self:
        """Open `file:PATH`. Raises Misuse for another scheme, else as the constructor."""
        if not uri.startswith(_SCHEME):
            raise Misuse("a custodian reads file:PATH")
        return cls(Path(uri.removeprefix(_SCHEME)))

    def state_key(self) -> StateKey:
        """Give the key of control data; the caller owns and wipes this copy."""
        return StateKey(self._state.view())

    def custody_key(self, pod: bytes, share: Share) -> CustodyKey:
        """Make the key that wraps one pod's ManagedRoot; it takes that pod's custody share."""
        return derive(self._custody, ctx("root", pod, "custody", "mk"), share, CustodyKey)


def key_id(role: str, secret: Secret) -> bytes:
    """Give the id (16 bytes) of a custodian's key: a check value that opens nothing."""
    with derive(secret, ctx("custodian", role)) as check:
        return sha256(check.view()).digest()[:16]


def _read(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise NoCustodian(f"no custodian at {path}") from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise NoCustodian(f"{path} is no regular file")
        if facts.st_mode & 0o077 or facts.st_uid != os.geteuid():
            raise ExposedCustodian(f"{path} must belong to this user alone (chmod 600)")
        return os.read(handle, _LARGEST)
    finally:
        os.close(handle)


def _parse(data: bytes) -> dict[str, dict[str, str]]:
    try:
        document: object = json.loads(data)
    except ValueError as error:
        raise Damaged("the custodian's file is damaged") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise Damaged("not a custodian's file")
    return document


def _key(document: dict[str, dict[str, str]], role: str) -> Secret:
    try:
        secret = Secret(unb64(document[role]["secret"]))
        expected = unb64(document[role]["id"])
    except (KeyError, TypeError, AttributeError, ValueError, Misuse) as error:
        raise Damaged("the custodian's file is damaged") from error
    if not hmac.compare_digest(key_id(role, secret), expected):
        raise Damaged("the custodian's file is damaged")
    return secret


def _write(path: Path, data: bytes) -> None:
    """Create the file and sync it and its directory: a key that a crash could lose must not be used first."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(handle)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
