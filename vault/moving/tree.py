"""A folder of another server's files, walked without ever leaving it.

The folder comes from elsewhere, so a name in it is an attack until shown otherwise. Every step is opened relative to
the folder above it and never through a symbolic link; what is no plain file or folder is named and not read.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from vault.errors import VaultError

DEEPEST: Final = 60
LARGEST: Final = 16 * 1024 * 1024  # bytes of one file: what a PUT may hold
MOST: Final = 200_000  # things in one pod
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER: Final = _READ | os.O_DIRECTORY
Parts = tuple[str, ...]


class BadTree(VaultError):
    """Something in a folder that is not taken; `reason` is a stable word, `parts` its place in the folder.

    Reasons: symlink, hard_link, no_file, not_utf8, too_deep, too_large, too_many, unreadable, gone, no_folder,
    reader_ended.
    """

    code: ClassVar[str] = "bad_tree"

    def __init__(self, reason: str, parts: Parts = ()) -> None:
        super().__init__(f"{reason}: {shown('/'.join(parts))}")
        self.reason, self.parts = reason, parts


@dataclass(frozen=True, slots=True)
class Found:
    """One thing in the folder: its place, whether it is a folder, size in bytes, last change in ms."""

    parts: Parts
    folder: bool
    size: int = 0
    modified: int = 0


class Tree:
    """A folder that was opened once; everything is reached from there."""

    def __init__(self, root: Path) -> None:
        """Open the folder. Raises BadTree `no_folder`."""
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise BadTree("no_folder", (str(root),)) from error

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._root)

    def walk(self, under: Parts = ()) -> Iterator[Found | BadTree]:
        """Everything below a folder, folders before what is in them, by name; what is not taken comes as a BadTree."""
        seen = 0
        waiting = [under]
        while waiting:
            for one in self.list(waiting.pop()):
                seen += 1
                if seen > MOST:
                    yield BadTree("too_many", under)
                    return
                yield one
                if isinstance(one, Found) and one.folder:
                    waiting.append(one.parts)

    def list(self, at: Parts = ()) -> list[Found | BadTree]:
        """What lies in one folder, by name."""
        try:
            handle = self._open(at, _FOLDER)
        except BadTree as bad:
            return [bad]
        try:
            with os.scandir(handle) as entries:
                return [_found((*at, entry.name), entry) for entry in sorted(entries, key=lambda e: e.name)]
        finally:
            os.close(handle)

    def holds(self, parts: Parts) -> bool:
        """Whether there is a plain folder at this place."""
        try:
            os.close(self._open(parts, _FOLDER))
        except BadTree:
            return False
        return True

    def read(self, parts: Parts, most: int = LARGEST) -> bytes:
        """A whole file. Raises BadTree."""
        handle = self._open(parts, _READ)
        with os.fdopen(handle, "rb") as file:
            told = os.fstat(handle)
            if not stat.S_ISREG(told.st_mode) or told.st_nlink > 1:
                raise BadTree("no_file", parts)
            body = file.read(most + 1)
        if len(body) > most:
            raise BadTree("too_large", parts)
        return body

    def _open(self, parts: Parts, how: int) -> int:
        """The handle of a place, step by step. Raises BadTree."""
        here = os.dup(self._root)
        for number, name in enumerate(parts, 1):
            try:
                there = os.open(name, how if number == len(parts) else _FOLDER, dir_fd=here)
            except (OSError, ValueError) as error:
                missing = isinstance(error, FileNotFoundError)
                raise BadTree("gone" if missing else "unreadable", parts) from error
            finally:
                os.close(here)
            here = there
        return here


def shown(name: str) -> str:
    """A stranger's name fit to be shown: short, printable, one line."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:200]


def _found(parts: Parts, entry: os.DirEntry[str]) -> Found | BadTree:
    try:
        parts[-1].encode()
        told = entry.stat(follow_symlinks=False)
    except UnicodeEncodeError:
        return BadTree("not_utf8", (*parts[:-1], os.fsencode(parts[-1]).decode(errors="replace")))
    except OSError:
        return BadTree("unreadable", parts)
    if (why := _unfit(told, len(parts))) is not None:
        return BadTree(why, parts)
    if stat.S_ISDIR(told.st_mode):
        return Found(parts, folder=True)
    return Found(parts, folder=False, size=told.st_size, modified=max(0, told.st_mtime_ns // 1_000_000))


def _unfit(told: os.stat_result, depth: int) -> str | None:
    """Why something is not taken, by what it is; None if it is."""
    folder = stat.S_ISDIR(told.st_mode)
    reasons = {
        "symlink": stat.S_ISLNK(told.st_mode),
        "too_deep": depth > DEEPEST,
        "no_file": not folder and not stat.S_ISREG(told.st_mode),
        "hard_link": not folder and told.st_nlink > 1,
        "too_large": not folder and told.st_size > LARGEST,
    }
    return next((why for why, bad in reasons.items() if bad), None)
