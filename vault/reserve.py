"""Space kept back on the disk, so that consent can still be withdrawn when it is full (access-log.md, Order).

Preallocated files in the data directory: one for what takes something away, one for logging in, without which nobody
whose session ended could. Each is given up when such work no longer fits; from then on only such work is written until
there is room to make both anew. They exist only while a process works in the directory.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

SIZE: Final = 8 * 2**20  # bytes: a write-ahead log of the usual length, twice
LOGINS: Final = 4 * 2**20  # bytes for logging in, whatever comes of it
ENTERING: Final = 512
"""Units of logging in that are written on a full disk, about four a try and 8 KiB each: a flood uses up its own part
and leaves that of withdrawing alone.
"""
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_SYNC: Final = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})


class Reserve:
    """Used by the writer's thread alone."""

    def __init__(self, folder: Path) -> None:
        self._parts = ((folder / "reserve", SIZE), (folder / "reserve-login", LOGINS))
        self.held = False
        self._entering = ENTERING
        self.make()

    def make(self) -> bool:
        """Keep the space back, if it is there; whether all of it is kept now."""
        if not self.held:
            self.held = all(_kept(path, size) for path, size in self._parts)
            self._entering = ENTERING if self.held else self._entering
        return self.held

    def release(self) -> None:
        """Give the space up."""
        self.held = False
        for path, _ in self._parts:
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def enter(self) -> bool:
        """Give up the part for logging in, for one unit more; False if that part is used up."""
        if self._entering == 0:
            return False
        self.held, self._entering = False, self._entering - 1
        with suppress(OSError):
            self._parts[1][0].unlink(missing_ok=True)
        return True


def _kept(path: Path, size: int) -> bool:
    """Whether a part could be kept back; if not, nothing of it is."""
    try:
        with path.open("ab") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    except OSError:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return False
    return True


def is_full(error: BaseException) -> bool:
    """Whether SQLite found no room on the disk."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) in _FULL


def is_unsynced(error: BaseException) -> bool:
    """Whether the disk failed to make written data durable: what it holds now is not known, and trying again lies."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) in _SYNC
