"""Putting a backup back, into a directory that nobody serves, so that nothing which was ended lives again.

The list of deleted shares only grows: the one of the standing share store and those of every copy at hand become one,
and no share on it is put back. A share store that still stands is kept as it is. Nothing is overwritten: a database
that was there is set aside. If we crash, the same call again does the rest: the list comes first, the database last.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from vault import copies
from vault.backup import DELETED, KEPT, MAIN, SHARES
from vault.copies import Copy
from vault.database import VERSION, hold
from vault.errors import BadBackup, TooOld, WrongVersion
from vault.shares import Drop, Shares

NAMES: Final = {"vault": {MAIN, DELETED}, "shares": {SHARES, DELETED}}
LISTED: Final = "SELECT kind, owner, part FROM deleted"
TAKEN: Final = """
INSERT INTO share SELECT kind, owner, part, pod, value FROM copy.share s
WHERE kind IN ('custody', 'unlock') AND (kind, owner, part) NOT IN (SELECT kind, owner, part FROM gone.deleted)
AND CASE kind WHEN 'custody' THEN owner IN (SELECT id FROM main_copy.pod)
ELSE owner IN (SELECT id FROM main_copy.unlocker) END
"""

# No share is left of any grant; what opens without one ends too, for it may have been withdrawn since the copy.
OVER: Final = """
INSERT OR IGNORE INTO gone.deleted SELECT 'grant', id, x'' FROM main_copy.gate WHERE state IN ('live', 'restricted')
"""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back: the copies, how many shares (None: the store still stood), and what was set aside."""

    vault: Copy
    shares: Copy | None
    put: int | None
    aside: Path | None


def restore(source: Path, folder: Path, shares: Path, now: datetime) -> Restored:
    """Put the newest whole backup in `source` back: the database into `folder`, the shares into `shares`.

    Raises BadBackup, WrongVersion, Locked for a directory that is served, TooOld for shares past their week and for a
    log shorter than the one that this directory published; then nothing was changed.
    """
    main = _newest(source, "vault")
    if main.told.get("version") != VERSION.decode():
        raise WrongVersion(f"{main.folder} is of version {main.told.get('version')}, this Kluis is {VERSION.decode()}")
    stands = (shares / SHARES).exists()
    second = None if stands else _fresh(_newest(source, "shares"), now)
    for path in (folder, shares):
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    with hold(folder), _named():
        _no_younger(folder / MAIN, main)
        _remember(source, shares)
        put = None if second is None else _put_shares(second, main, shares)
        aside = _set_aside(folder, now)
        _place(main.folder / MAIN, folder / MAIN)
        if stands:
            _fit(shares, main.folder / MAIN)
    return Restored(main, second, put, aside)


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise BadBackup(f"the backup or what stands in its place cannot be read: {error}") from error


def _newest(source: Path, kind: str) -> Copy:
    found = copies.found(source, kind)
    if not found:
        raise BadBackup(f"{source} holds no finished {kind} backup: name the directory that `kluis backup` wrote to")
    newest = copies.checked(found[-1], kind)
    if set(newest.told["files"]) != NAMES[kind] or (kind == "vault" and type(newest.told.get("entries")) is not int):
        raise BadBackup(f"the manifest of {newest.folder} does not tell what it must; {copies.OTHER}")
    return newest


def _fresh(shares: Copy, now: datetime) -> Copy:
    if not now - KEPT <= shares.time <= now:
        raise TooOld(
            f"{shares.folder} is not of the last {KEPT.days} days, so it is not put back: what was erased since could"
            " live again. Use a newer share backup, or the share store itself (KLUIS_SHARES) if it still stands"
        )
    return shares


def _no_younger(standing: Path, main: Copy) -> None:
    """A log that was published is not cut: whoever saw its head would call this vault a liar, and be right."""
    if not standing.exists():
        return
    with closing(sqlite3.connect(f"file:{standing}?mode=ro", uri=True)) as db:
        published = db.execute("SELECT max(first + size) FROM checkpoint").fetchone()[0] or 0
    if published > main.told["entries"]:
        raise TooOld(
            f"{standing} published a log of {published} entries, {main.folder} holds {main.told['entries']}: use a"
            f" newer backup. If that database is truly lost, move it out of {standing.parent} first"
        )


def _remember(source: Path, shares: Path) -> None:
    """Add the list of every copy at hand to the standing one; opening the store deletes what is on it."""
    listed = [path / DELETED for kind in copies.KINDS for path in copies.found(source, kind)]
    if missing := [path for path in listed if not path.is_file()]:
        raise BadBackup(
            f"{missing[0]} is not there, and what it lists must stay deleted: move that copy away if it is lost"
        )
    (shares / DELETED).touch(mode=0o600)
    with closing(sqlite3.connect(shares / DELETED)) as gone:
        gone.execute("PRAGMA synchronous=FULL")
        gone.execute(
            "CREATE TABLE IF NOT EXISTS deleted (kind TEXT, owner BLOB, part BLOB,"
            " PRIMARY KEY (kind, owner, part)) WITHOUT ROWID"
        )
        for path in listed:
            gone.executemany("INSERT OR IGNORE INTO deleted VALUES (?, ?, ?)", _read(path))
        gone.commit()
    (shares / DELETED).chmod(0o600)
    if (shares / SHARES).exists():
        Shares(shares).close()


def _read(path: Path) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as listed:
        return listed.execute(LISTED).fetchall()


def _put_shares(second: Copy, main: Copy, shares: Path) -> int:
    """Make the share store anew out of its copy: what was not deleted, and what the database still knows."""
    part = shares / ".restored"
    shutil.rmtree(part, ignore_errors=True)
    Shares(part).close()
    with closing(sqlite3.connect(part / SHARES)) as made:
        for name, path in (
            ("copy", second.folder / SHARES),
            ("main_copy", main.folder / MAIN),
            ("gone", shares / DELETED),
        ):
            made.execute(f"ATTACH ? AS {name}", (str(path),))
        put = made.execute(TAKEN).rowcount
        made.execute(OVER)
        made.commit()
    copies.sync(part / SHARES)
    (part / SHARES).rename(shares / SHARES)
    shutil.rmtree(part)
    copies.sync(shares)
    return put


def _fit(shares: Path, main: Path) -> None:
    """Delete from a standing store what the database put beside it knows nothing of, as a start would.

    Of people whom that database does not know the shares stay: without them a newer one, if it turns up, is worthless.
    """
    with closing(sqlite3.connect(f"file:{main}?mode=ro&immutable=1", uri=True)) as db:
        live = {row[0] for row in db.execute("SELECT id FROM gate WHERE state IN ('live', 'restricted')")}
        ways = {row[0] for row in db.execute("SELECT id FROM unlocker")}
        pods = {row[0] for row in db.execute("SELECT id FROM pod")}
    with closing(Shares(shares)) as store:
        store.drop([Drop(kind, owner) for kind in ("grant", "session") for owner in store.owners(kind) - live])
        lost = [way for way, pod in store.homes("unlock").items() if pod in pods and way not in ways]
        store.drop([Drop("unlock", way) for way in lost], remember=False)


def _set_aside(folder: Path, now: datetime) -> Path | None:
    """Move the database that stands there, and what SQLite keeps beside it, to a name of its own."""
    kept = folder / f"{MAIN}.{now.strftime(copies.STAMP)}"
    aside = None
    for ending in ("", "-wal", "-shm"):
        path = folder / f"{MAIN}{ending}"
        if path.exists():
            path.rename(f"{kept}{ending}")
            aside = kept
    return aside


def _place(copy: Path, path: Path) -> None:
    part = path.with_name(f".{path.name}")
    shutil.copyfile(copy, part)
    part.chmod(0o600)
    copies.sync(part)
    part.rename(path)
    copies.sync(path.parent)
