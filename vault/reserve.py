"""Space kept back on the disk, so that consent can still be withdrawn when it is full (access-log.md, Order).

A preallocated file in the data directory. It is given up when a withdrawal no longer fits; from then on only such
work is written until there is room to make it anew. It exists only while a process works in the directory.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

SIZE: Final = 8 * 2**20  # bytes: a write-ahead log of the usual length, twice
_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
_SYNC: Final = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})


class Reserve:
    """Used by the writer's thread alone."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reserve"
        self.held = False
        self.make()

    def make(self) -> bool:
        """Keep the space back, if it is there; whether it is kept now."""
        if not self.held:
            try:
                with self._path.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, SIZE)
                self.held = True
            except OSError:
                self.release()
        return self.held

    def release(self) -> None:
        """Give the space up."""
        self.held = False
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def is_full(error: BaseException) -> bool:
    """Whether SQLite found no room on the disk."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) in _FULL


def is_unsynced(error: BaseException) -> bool:
    """Whether the disk failed to make written data durable: what it holds now is not known, and trying again lies."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) in _SYNC
