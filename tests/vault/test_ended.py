"""What a restore must not bring back, and backup folders with lies and strange things in them."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consent import clients, endings, grants, narrowing, solid
from tests.conftest import Clock
from tests.house import Household
from tests.keys.prove.copies import Copies
from tests.vault.test_backup import opened, put_back, taken
from vault import copies
from vault.errors import BadBackup

TWO = [
    {"category": "pd:Interest", "fields": [field], "necessity": "required"} for field in ("schema:about", "schema:name")
]


async def states(house: Household, home: Path, clock: Clock, *wanted: bytes) -> list[str]:
    """What becomes of these grants when a server starts with what was put back."""
    vault = opened(home, house.house.settings.data, clock)
    try:
        return [found.state for one in wanted if (found := grants.load(vault, one))]
    finally:
        vault.close()


async def test_a_field_that_was_taken_out_or_an_end_that_was_put_sooner_does_not_come_back_with_an_old_database(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    fields, sooner, other = [await house.grant(*TWO) for _ in range(3)]
    taken(house, tmp_path / "kept")
    rows = [datum.key for datum in grants.load(house.vault, fields.id).terms.data]  # type: ignore[union-attr]
    assert await narrowing.narrow(house.vault, house.session, fields.id, rows[:1], clock())
    soon = int(clock().timestamp() * 1000) + 60_000
    assert await narrowing.narrow(house.vault, house.session, sooner.id, rows, clock(), until=soon)
    shutil.copytree(tmp_path / "shares", tmp_path / "new" / "shares")
    put_back(tmp_path / "kept", tmp_path / "new", clock)
    assert await states(house, tmp_path / "new", clock, fields.id, sooner.id, other.id) == ["ended", "ended", "live"]
    kept = Copies(tmp_path / "new" / "vault" / "kluis.db", tmp_path / "new" / "shares" / "shares.db")
    assert {share[1] for share in kept.shares if share[0] == "grant"} == {other.id}
    copy_of(tmp_path, tmp_path / "today")  # and today's own database keeps both as they are now
    assert await states(house, tmp_path / "today", clock, fields.id, sooner.id) == ["live", "live"]


def copy_of(here: Path, there: Path) -> None:
    """Database and shares as they stand, as after a crash."""
    shutil.copytree(here / "shares", there / "shares")
    (there / "vault").mkdir()
    names = (home / "vault" / "kluis.db" for home in (here, there))
    db, copy = (sqlite3.connect(name) for name in names)
    with closing(db), closing(copy):
        db.backup(copy)


@pytest.mark.parametrize("shares_stand", [True, False])
async def test_a_withdrawn_grant_that_needs_no_share_does_not_come_back_either(
    house: Household, tmp_path: Path, clock: Clock, *, shares_stand: bool
) -> None:
    await house.jwt()
    client = clients.find(house.vault, house.secrets["id"])
    assert client is not None
    mine = solid._grant_of(client)
    taken(house, tmp_path / "kept")
    assert await endings.withdraw(house.vault, house.session, mine, clock())
    if shares_stand:
        shutil.copytree(tmp_path / "shares", tmp_path / "new" / "shares")
    put_back(tmp_path / "kept", tmp_path / "new", clock)
    assert await states(house, tmp_path / "new", clock, mine) == ["ended"]


async def test_a_crash_between_a_withdrawal_and_its_note_still_ends_it_in_every_copy(
    house: Household, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = await house.grant(*TWO)
    taken(house, tmp_path / "kept")
    with monkeypatch.context() as here:
        here.setattr(type(house.vault.shares), "drop", lambda *_, **__: 0)
        await house.withdraw(granted)
    copy_of(tmp_path, tmp_path / "crashed")
    assert await states(house, tmp_path / "crashed", clock, granted.id) == ["withdrawn"]
    shutil.rmtree(tmp_path / "crashed" / "vault")
    put_back(tmp_path / "kept", tmp_path / "crashed", clock)
    assert await states(house, tmp_path / "crashed", clock, granted.id) == ["ended"]


@pytest.mark.parametrize("standing", [False, True])
@pytest.mark.parametrize("lie", [{"files": {}}, {"entries": "9"}, {"entries": None}, {"files": {"../kluis.db": 1}},
                                 {"files": [["kluis.db", {}]]}, {"time": "gisteren"}])  # fmt: skip
async def test_a_manifest_that_leaves_something_out_or_lies_is_refused_by_name_and_changes_nothing(
    house: Household, tmp_path: Path, clock: Clock, lie: dict[str, Any], *, standing: bool
) -> None:
    made = taken(house, tmp_path / "kept").vault.folder / copies.MANIFEST
    made.write_text(json.dumps(json.loads(made.read_text()) | lie))
    if standing:
        copy_of(tmp_path, tmp_path / "new")
    before = {path: path.read_bytes() for path in (tmp_path / "new").rglob("*.db")}
    with pytest.raises(BadBackup, match="manifest"):
        put_back(tmp_path / "kept", tmp_path / "new", clock)
    assert {path: path.read_bytes() for path in (tmp_path / "new").rglob("*.db")} == before


async def test_a_copy_without_its_list_is_named_and_what_does_not_belong_there_breaks_no_backup(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    kept = tmp_path / "kept"
    (kept / "vault-20200101T000000000000Z").mkdir(parents=True)
    (kept / "shares-20200101T000000000000Z").symlink_to(tmp_path / "vault")
    (kept / ".vault-x").write_text("")
    assert taken(house, kept).pruned == ["shares-20200101T000000000000Z"]
    assert (tmp_path / "vault" / "kluis.db").exists() and not (kept / ".vault-x").exists()
    with pytest.raises(BadBackup, match=r"vault-20200101T000000000000Z/deleted\.db is not there"):
        put_back(kept, tmp_path / "new", clock)
    assert not list((tmp_path / "new").rglob("*.db"))
    (kept / "vault-20200101T000000000000Z").rmdir()
    put_back(kept, tmp_path / "new", clock)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").rglob("*.db")} == {0o600}
