"""The custodian as a file: the two keys that the server itself has, outside the data directory.

The state key reads control data; the custody key, together with a pod's custody share, reaches that pod's
ManagedRoot. Neither leads to a sealed compartment (`keys.tree`). Each has an id that is also its check value, so a
damaged file is noticed when it is read and not when the first thing fails to open. While the custody key is being
replaced there are two (`keys.custody`): the new one, and the one that retires.
"""

import hmac
import json
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from keys.context import ctx
from keys.errors import Damaged, ExposedCustodian, Misuse, NoCustodian
from keys.secret import CustodyKey, Secret, Share, StateKey, derive
from keys.text import b64, unb64

_FORMAT = "kluis/custodian/v1"
_SCHEME = "file:"
_LARGEST = 4096  # bytes of the file
_Document = dict[str, Any]


class FileCustodian:
    """Keys in one JSON file that only its owner can read (0600)."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises NoCustodian, ExposedCustodian or Damaged."""
        self._path = path
        self._take(_parse(read_private(path, _LARGEST)))

    @classmethod
    def create(cls, path: Path) -> Self:
        """Write a new file with new keys, durable when this returns. Raises FileExistsError, never overwrites."""
        _write(path, _written({"format": _FORMAT, "state": _fresh("state"), "custody": _fresh("custody")}))
        return cls(path)

    @classmethod
    def open(cls, uri: str) -> Self:
        """Open `file:PATH`. Raises Misuse for another scheme, else as the constructor."""
        if not uri.startswith(_SCHEME):
            raise Misuse("a custodian's file is named file:PATH")
        return cls(Path(uri.removeprefix(_SCHEME)))

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
        return StateKey(self._state.view())

    def custody_key(self, pod: bytes, share: Share, which: bytes) -> CustodyKey:
        """Make the key that wraps one pod's ManagedRoot; it takes that pod's custody share. Raises Damaged."""
        secret = self._custody.get(which)
        if secret is None:
            raise Damaged("the custodian has no such key")
        return derive(secret, ctx("root", pod, "custody", "mk"), share, CustodyKey)

    def add(self) -> bytes:
        """Put a new custody key in use, durable when this returns. The one before retires; Misuse while one does."""
        document = _parse(read_private(self._path, _LARGEST))
        if "retiring" in document:
            raise Misuse("the last change of the custody key is not finished")
        self._replace({**document, "retiring": document["custody"], "custody": _fresh("custody")})
        return self.custody_id

    def destroy(self, which: bytes) -> None:
        """Forget the custody key that retires, durable when this returns. Raises Misuse for any other."""
        document = _parse(read_private(self._path, _LARGEST))
        if which not in self.custody_ids[1:]:
            raise Misuse("only a custody key that retires is destroyed")
        document.pop("retiring")
        self._replace(document)

    def _take(self, document: _Document) -> None:
        self._state = _key(document, "state")
        keys = [_key(document, "custody", part) for part in ("custody", "retiring") if part in document]
        if not keys:
            raise Damaged("the custodian's file is damaged")
        self._custody = {key_id("custody", key): key for key in keys}

    def _replace(self, document: _Document) -> None:
        """Put a new file in the place of the old one and wipe what the old one held, as far as the disk lets us."""
        beside = self._path.with_name(self._path.name + ".new")
        beside.unlink(missing_ok=True)  # left behind by a crash before it took its place
        _write(beside, _written(document))
        with self._path.open("r+b") as old:
            beside.replace(self._path)
            _sync_folder(self._path)
            old.write(bytes(os.fstat(old.fileno()).st_size))
            old.flush()
            os.fsync(old.fileno())
        self._take(document)


def key_id(role: str, secret: Secret) -> bytes:
    """Give the id (16 bytes) of a custodian's key: a check value that opens nothing."""
    with derive(secret, ctx("custodian", role)) as check:
        return sha256(check.view()).digest()[:16]


def read_private(path: Path, most: int) -> bytes:
    """The first `most` bytes of a file that is this user's alone. Raises NoCustodian or ExposedCustodian."""
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
        return os.read(handle, most)
    finally:
        os.close(handle)


def _fresh(role: str) -> dict[str, str]:
    with Secret.fresh() as secret:
        return {"id": b64(key_id(role, secret)), "secret": b64(secret.view())}


def _written(document: _Document) -> bytes:
    return json.dumps(document, indent=1).encode() + b"\n"


def _parse(data: bytes) -> _Document:
    try:
        document: object = json.loads(data)
    except ValueError as error:
        raise Damaged("the custodian's file is damaged") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise Damaged("not a custodian's file")
    return document


def _key(document: _Document, role: str, part: str = "") -> Secret:
    try:
        told = document[part or role]
        secret, expected = Secret(unb64(told["secret"])), unb64(told["id"])
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
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
