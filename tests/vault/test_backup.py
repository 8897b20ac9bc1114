"""Backups: made while the vault is served, put back whole or not at all, and nothing that was ended lives again."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consent import erasure, gate
from consent.accounts import passphrase, renewal
from consent.accounts.people import enroll
from keys.custodian import FileCustodian
from keys.errors import KeysError
from tests.conftest import BASE, Clock
from tests.house import INTERESTS, RECORDS, Household
from tests.keys.prove.copies import Copies
from vault import backup, copies, door, fsck, restore
from vault.errors import BadBackup, Locked, TooOld, VaultError
from vault.vault import Vault, open_vault

GONE = ("grant", "session")


def taken(house: Household, target: Path) -> backup.Made:
    here = house.house.settings.data
    return backup.make(here / "vault", here / "shares", target, house.clock(), lambda *_: None)


def put_back(source: Path, home: Path, clock: Clock) -> restore.Restored:
    return restore.restore(source, home / "vault", home / "shares", clock())


def opened(home: Path, here: Path, clock: Clock) -> Vault:
    return open_vault(home / "vault", home / "shares", FileCustodian.open(f"file:{here / 'custodian'}"), BASE, clock())


async def readable(vault: Vault, code: str, clock: Clock) -> dict[str, Any]:
    """What An reads after she logged in with her recovery code; nothing if nothing lets her in."""
    found: dict[str, Any] = {}
    try:
        login = await passphrase.login(vault, "an", code, clock())
    except (VaultError, KeysError):
        login = None
    if login is None:
        return found
    for path in RECORDS:
        permit, keys = gate.own(login[1], path.split("/")[1], "read", path)
        found[path] = json.loads((await door.read(vault, permit, keys, path, clock())).body)
    return found


def kinds(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {kind for (kind,) in db.execute("SELECT kind FROM share")}


async def test_a_backup_on_an_empty_machine_gives_back_everything_and_the_check_is_clean(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    await house.vault.publish()
    taken(house, tmp_path / "kept")
    done = put_back(tmp_path / "kept", tmp_path / "new", clock)
    assert done.put and done.aside is None
    assert fsck.check(tmp_path / "new" / "vault", tmp_path / "new" / "shares") == []
    vault = opened(tmp_path / "new", tmp_path, clock)
    try:
        assert vault.log.ledger.note == house.vault.log.ledger.note
        assert await readable(vault, house.codes[0], clock) == RECORDS
    finally:
        vault.close()
    assert fsck.check(tmp_path / "new" / "vault", tmp_path / "new" / "shares", house.vault.state) == []


async def test_a_backup_taken_while_people_write_is_of_one_moment(
    house: Household, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PAGES", 5)
    monkeypatch.setattr(backup, "ROWS", 1)
    copying = asyncio.create_task(asyncio.to_thread(taken, house, tmp_path / "kept"))
    written = 0
    while not copying.done():
        await house.keep(f"/loans/w{written}.jsonld", {"text": "x" * 9000})
        written += 1
    made = await copying
    assert written
    put_back(tmp_path / "kept", tmp_path / "new", clock)
    assert fsck.check(tmp_path / "new" / "vault", tmp_path / "new" / "shares", house.vault.state) == []
    assert made.vault.told["entries"] <= house.vault.log.ledger.tree.size


async def test_no_share_of_a_grant_or_session_is_in_any_backup_and_apps_are_told_to_renew(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    granted = await house.grant(INTERESTS)
    made = taken(house, tmp_path / "kept")
    assert kinds(made.shares.folder / "shares.db") == {"custody", "unlock"}
    assert kinds(tmp_path / "shares" / "shares.db") == {"custody", "unlock", *GONE}
    put_back(tmp_path / "kept", tmp_path / "new", clock)
    then = Copies(tmp_path / "new" / "vault" / "kluis.db", tmp_path / "new" / "shares" / "shares.db")
    assert not [share for share in then.shares if share[0] in GONE]
    path = "/api/records?category=pd:Interest"
    assert (await house.call("GET", path, granted.access)).status_code == 200
    vault, house.vault.shares = house.vault, opened_shares(tmp_path / "new")
    vault.log.shares = house.vault.shares
    answer = await house.call("GET", path, granted.access)
    assert answer.status_code == 401 and house.told()[-1]["rule"] == "needs_renewal"


def opened_shares(home: Path) -> Any:
    from vault.shares import Shares

    return Shares(home / "shares")


async def test_a_pod_that_was_erased_after_the_backup_is_not_readable_by_anybody_after_the_restore(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    taken(house, tmp_path / "kept")
    await erasure.by_citizen(house.vault, house.session, clock())
    new = tmp_path / "new"
    (new / "shares").mkdir(parents=True)
    shutil.copy(tmp_path / "shares" / "deleted.db", new / "shares" / "deleted.db")  # all that is left of the volume
    put_back(tmp_path / "kept", new, clock)
    then = Copies(new / "vault" / "kluis.db", new / "shares" / "shares.db")
    pod = house.session.pod.id
    assert then.by_code(pod, house.codes[0]) is None and then.by_cookie(house.cookie) is None
    assert then.by_custodian(pod, house.vault.custodian) is None
    vault = opened(new, tmp_path, clock)
    try:
        assert vault.pod("an") is None and await readable(vault, house.codes[0], clock) == {}
    finally:
        vault.close()
    assert fsck.check(new / "vault", new / "shares", house.vault.state) == []


async def test_an_erasure_is_known_to_every_later_backup(house: Household, tmp_path: Path, clock: Clock) -> None:
    """The list of a later copy counts for an older one beside it, though that later one is itself unusable."""
    taken(house, tmp_path / "kept")
    await erasure.by_citizen(house.vault, house.session, clock())
    clock.forward(hours=1)
    later = taken(house, tmp_path / "kept")
    (later.shares.folder / "shares.db").unlink()
    with pytest.raises(BadBackup, match="damaged"):
        put_back(tmp_path / "kept", tmp_path / "new", clock)
    later.shares.folder.rename(tmp_path / "away")
    put_back(tmp_path / "kept", tmp_path / "new", clock)
    then = Copies(tmp_path / "new" / "vault" / "kluis.db", tmp_path / "new" / "shares" / "shares.db")
    assert house.session.pod.id not in {owner for _, owner, _ in then.shares}


async def test_shares_are_kept_for_a_week_and_refused_after_it(house: Household, tmp_path: Path, clock: Clock) -> None:
    first = taken(house, tmp_path / "kept")
    clock.forward(days=7, seconds=1)
    with pytest.raises(TooOld, match="newer share backup"):
        put_back(tmp_path / "kept", tmp_path / "new", clock)
    assert not (tmp_path / "new").exists()
    second = taken(house, tmp_path / "kept")
    assert not first.shares.folder.exists() and first.vault.folder.exists()
    assert second.shares.folder.exists()
    assert put_back(tmp_path / "kept", tmp_path / "new", clock).put


async def test_a_share_store_that_still_stands_is_kept_and_goes_with_an_old_database(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    taken(house, tmp_path / "kept")
    clock.forward(days=30)
    new = tmp_path / "new"
    (new / "shares").mkdir(parents=True)
    for name in ("shares.db", "deleted.db"):
        with (
            closing(sqlite3.connect(tmp_path / "shares" / name)) as one,
            closing(sqlite3.connect(new / "shares" / name)) as other,
        ):
            one.backup(other)
    assert put_back(tmp_path / "kept", new, clock).put is None
    vault = opened(new, tmp_path, clock)
    try:
        assert await readable(vault, house.codes[0], clock) == RECORDS
    finally:
        vault.close()


async def test_an_old_database_beside_a_store_that_went_on_is_clean_and_newer_people_keep_their_shares(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    taken(house, tmp_path / "kept")
    await house.grant(INTERESTS)
    await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, clock())
    code = await renewal.add_code(house.vault, house.session, clock())
    house.vault.close()
    (tmp_path / "vault" / "kluis.db").rename(tmp_path / "lost.db")
    assert put_back(tmp_path / "kept", tmp_path, clock).put is None
    assert fsck.check(tmp_path / "vault", tmp_path / "shares", house.vault.state) == []
    vault = opened(tmp_path, tmp_path, clock)
    try:
        assert await readable(vault, house.codes[0], clock) == RECORDS
        assert await readable(vault, code, clock) == {}
        assert vault.shares.count("custody", vault.office) == 1
        assert len(set(vault.shares.homes("unlock").values())) == 3
    finally:
        vault.close()


async def test_half_a_backup_is_never_taken_for_a_whole_one(
    house: Household, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "kept"

    def broken(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken_off:
        broken_off.setattr(copies, "sync", broken)
        with pytest.raises(OSError, match="space"):
            taken(house, target)
    with pytest.raises(BadBackup, match="no finished"):
        put_back(target, tmp_path / "new", clock)
    (target / ".vault-broken").mkdir()  # what kill -9 leaves
    made = taken(house, target)
    assert not list(target.glob(".vault-*"))
    (made.vault.folder / "manifest.json").unlink()
    with pytest.raises(BadBackup, match="never finished"):
        put_back(target, tmp_path / "new", clock)


async def test_a_backup_of_which_one_byte_changed_is_refused_by_name(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    made = taken(house, tmp_path / "kept")
    path = made.vault.folder / "kluis.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadBackup, match=r"kluis\.db is not as its manifest says"):
        put_back(tmp_path / "kept", tmp_path / "new", clock)
    assert not (tmp_path / "new").exists()


async def test_nothing_is_put_into_a_directory_that_is_served(house: Household, tmp_path: Path, clock: Clock) -> None:
    taken(house, tmp_path / "kept")
    with pytest.raises(Locked):
        put_back(tmp_path / "kept", tmp_path, clock)


async def test_a_log_that_was_published_longer_is_not_cut_and_what_stood_there_is_set_aside(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    taken(house, tmp_path / "kept")
    new = tmp_path / "new"
    put_back(tmp_path / "kept", new, clock)
    clock.forward(hours=1)
    assert (aside := put_back(tmp_path / "kept", new, clock).aside) is not None and aside.exists()
    vault = opened(new, tmp_path, clock)
    await readable(vault, house.codes[0], clock)
    await vault.publish()
    vault.close()
    with pytest.raises(TooOld, match="published a log"):
        put_back(tmp_path / "kept", new, clock)
    (new / "vault" / "kluis.db").rename(tmp_path / "lost.db")
    put_back(tmp_path / "kept", new, clock)


async def test_a_log_that_went_on_in_a_new_half_year_is_not_cut_either(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    taken(house, tmp_path / "kept")
    new = tmp_path / "new"
    put_back(tmp_path / "kept", new, clock)
    clock.forward(days=200)
    vault = opened(new, tmp_path, clock)
    await readable(vault, house.codes[0], clock)
    await vault.publish()
    assert max(ledger.size for ledger in vault.log.shards.all) < vault.log.shards.kept
    vault.close()
    clock.forward(days=-200)  # else the copy of the shares would be too old by itself
    with pytest.raises(TooOld, match="published a log"):
        put_back(tmp_path / "kept", new, clock)


async def test_a_way_in_that_was_taken_away_stays_away(house: Household, tmp_path: Path, clock: Clock) -> None:
    from vault.shares import Drop
    from vault.tables import Unlocker

    taken(house, tmp_path / "kept")
    ways = house.vault.db.read.find(Unlocker, pod=house.session.pod.id)
    house.vault.shares.drop([Drop("unlock", way.id) for way in ways])
    new = tmp_path / "new"
    (new / "shares").mkdir(parents=True)
    shutil.copy(tmp_path / "shares" / "deleted.db", new / "shares" / "deleted.db")
    put_back(tmp_path / "kept", new, clock)
    assert fsck.check(new / "vault", new / "shares") == []
    vault = opened(new, tmp_path, clock)
    try:
        assert await readable(vault, house.codes[0], clock) == {}
    finally:
        vault.close()


async def test_a_target_is_written_to_by_one_backup_at_a_time(house: Household, tmp_path: Path) -> None:
    from vault.database import hold

    (tmp_path / "kept").mkdir()
    with hold(tmp_path / "kept"), pytest.raises(Locked):
        taken(house, tmp_path / "kept")


def test_what_is_no_data_directory_is_not_backed_up(tmp_path: Path, clock: Clock) -> None:
    with pytest.raises(BadBackup, match="--data"):
        backup.make(tmp_path, tmp_path, tmp_path / "kept", clock() - timedelta(0), lambda *_: None)
    assert not (tmp_path / "kept").exists()
