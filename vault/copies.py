"""One copy of a store in a folder of its own: the files first, then a manifest that names each with its SHA-256.

A copy is written under a name that begins with a dot, brought to the disk, and renamed when its manifest stands; a
crash at any line leaves nothing that could be taken for a whole one. A name tells kind and moment: `vault-<UTC>`.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any, Final

from keys.text import canonical
from vault.errors import BadBackup

FORMAT: Final = "kluis/backup/v1"
MANIFEST: Final = "manifest.json"
OTHER: Final = "move it away to use the one before"
KINDS: Final = ("vault", "shares")
STAMP: Final = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True, slots=True)
class Copy:
    """A whole copy: its folder, kind, moment, and what its manifest tells beside its files."""

    folder: Path
    kind: str
    time: datetime
    told: dict[str, Any]


def put(target: Path, kind: str, at: datetime, fill: Callable[[Path], dict[str, Any]]) -> Copy:
    """Write one copy: `fill` puts the files into the folder it is given and returns what the manifest tells beside."""
    folder = target / f"{kind}-{at.astimezone(UTC).strftime(STAMP)}"
    if folder.exists():
        raise BadBackup(f"{folder} is there already: nothing written")
    part = target / f".{folder.name}"
    part.mkdir(mode=0o700)
    try:
        told = fill(part)
        files = {path.name: _described(path) for path in sorted(part.iterdir())}
        body = canonical({"format": FORMAT, "kind": kind, "time": at.isoformat(), "files": files, **told})
        (part / MANIFEST).write_bytes(body)
        for path in part.iterdir():
            path.chmod(0o600)
            sync(path)
        sync(part)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync(target)
    return Copy(folder, kind, at, told)


def found(target: Path, kind: str) -> list[Path]:
    """The folders of a kind that were finished, oldest first."""
    return sorted(path for path in target.glob(f"{kind}-*") if path.is_dir() and made(path) is not None)


def made(folder: Path) -> datetime | None:
    """The moment in a folder's name, or None if it is no name of ours."""
    kind, _, stamp = folder.name.partition("-")
    try:
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC) if kind in KINDS else None
    except ValueError:
        return None


def checked(folder: Path, kind: str) -> Copy:
    """A copy all of whose files are as its manifest says. Raises BadBackup naming what is not."""
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
        if told["format"] != FORMAT or told["kind"] != kind:
            raise BadBackup(f"{folder} is no backup of this kind")
        files, time = dict(told["files"]), datetime.fromisoformat(told["time"]).astimezone(UTC)
    except FileNotFoundError:
        raise BadBackup(f"{folder} has no manifest: it was never finished; {OTHER}") from None
    except (ValueError, KeyError, TypeError):
        raise BadBackup(f"the manifest of {folder} cannot be read; {OTHER}") from None
    for name, stated in files.items():
        path = folder / name
        if path.parent != folder or not path.is_file() or _described(path) != stated:
            raise BadBackup(f"{path} is not as its manifest says: the backup is damaged; {OTHER}")
    return Copy(folder, kind, time, told)


def prune(target: Path, kind: str, before: datetime) -> list[str]:
    """Delete the copies of a kind made before a moment, and what a broken-off run left; return their names."""
    gone = [path for path in found(target, kind) if (at := made(path)) is not None and at < before]
    left = [path for known in KINDS for path in target.glob(f".{known}-*")]
    for path in gone + left:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:  # a link, or a file that somebody put there
            path.unlink()
    sync(target)
    return [path.name for path in gone]


def sync(path: Path) -> None:
    """Bring a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": file_digest(file, "sha256").hexdigest()}
