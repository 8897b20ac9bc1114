"""Erasure: nothing of a person is left to open, here or after a restore; the log keeps verifying."""

import shutil
from pathlib import Path

import httpx
import pytest
from sqlmodel import SQLModel

from consent import erasure
from consent.accounts import passphrase, people
from keys.custodian import FileCustodian
from keys.unlock import read_code
from tests.conftest import BASE
from tests.house import ALL_INTERESTS, Household
from tests.vault.test_at_rest import MANAGED, compartments, keys, nothing_sealed, rows, thief
from tests.vault.thief import secret_of
from vault import fsck, purge
from vault.database import tables_with
from vault.errors import Conflict, Denied, MissingKey, NotFound
from vault.shares import Want
from vault.tables import Entry, Pod, Record, RecordKey
from vault.vault import Vault, open_vault
from web.app import create

THROUGH = {"body", "segment", "grantuse", "link", "client", "pushed"}  # reached through rows that name the pod
OF_NOBODY = {"meta", "erased", "jti", "entry", "shard", "tile", "month", "epoch", "dporecord", "checkpoint"}
OF_NOBODY |= {"controlkey", "pod", "throttle", "registered"}


async def erased(house: Household) -> int:
    return await erasure.by_citizen(house.vault, house.session, house.clock())


async def test_an_erased_pod_has_no_share_no_row_and_no_account(house: Household) -> None:
    await house.grant(ALL_INTERESTS)
    await house.jwt()
    pod = house.session.pod
    await erased(house)
    left = house.vault.shares._raw.execute("SELECT count(*) FROM share WHERE pod = ?", (pod.id,)).fetchone()
    assert left == (0,)
    for table in set(tables_with("pod")) - purge.STAYS:
        assert not house.vault.db.read.run(f'SELECT 1 FROM "{table}" WHERE pod = :pod', pod=pod.id), table
    assert {row.sealed for row in house.vault.db.read.find(Record, pod=pod.id)} == {b""}
    assert not house.vault.db.read.find(RecordKey, pod=pod.id)
    assert house.vault.pod("an") is None and people.find(house.vault, "an") is None
    assert await passphrase.login(house.vault, "an", house.codes[0], house.clock()) is None


def test_every_table_is_erased_from_or_named_as_holding_nothing_of_a_pod() -> None:
    known = {*tables_with("pod"), *THROUGH, *OF_NOBODY}
    assert set(SQLModel.metadata.tables) == known


async def test_the_whole_server_with_her_own_code_opens_nothing_of_an_erased_pod_not_even_in_an_old_copy(
    house: Household,
) -> None:
    granted = await house.grant(ALL_INTERESTS)
    old = rows(house)
    await erased(house)
    with read_code(house.codes[0]) as seed:
        secrets = [bytes(seed.view())]
    for then in (old, None):
        found = thief(house, *secrets, secret_of(granted.access), then=then)
        assert nothing_sealed(found), sorted(map(str, found.open))
        assert not keys(found, "managed") & compartments(house, MANAGED)
        assert ("pod", house.session.pod.id) not in found.reached("column")


async def test_the_log_keeps_verifying_and_says_that_something_was_erased(house: Household, tmp_path: Path) -> None:
    before = len(house.vault.db.read.find(Entry))
    index = await erased(house)
    await house.vault.publish()
    assert len(house.vault.db.read.find(Entry)) == before + 1 == index + 1
    assert house.vault.db.read.find(Record, idx=index)[0].pod == house.vault.office
    assert fsck.check(tmp_path / "vault", tmp_path / "shares") == []


async def test_a_name_that_was_erased_is_nobodys_again(house: Household) -> None:
    await erased(house)
    with pytest.raises(Conflict, match="exists"):
        await people.enroll(house.vault, "an", "Another", "citizen", "an", None, house.clock())


async def test_an_old_database_under_the_present_shares_is_erased_again_at_start(
    house: Household, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, pod = house.vault, house.session.pod
    await house.quiet()
    vault.db.read.run("PRAGMA query_only=OFF")
    vault.db.read.run("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(tmp_path / "vault" / "kluis.db", tmp_path / "yesterday.db")
    shutil.copy(tmp_path / "shares" / "shares.db", tmp_path / "yesterday-shares.db")
    await erased(house)
    vault.close()
    for old in (tmp_path / "vault").glob("kluis.db*"):
        old.unlink()
    shutil.copy(tmp_path / "yesterday.db", tmp_path / "vault" / "kluis.db")
    shutil.copy(tmp_path / "yesterday-shares.db", tmp_path / "shares" / "shares.db")
    custodian = FileCustodian.open(f"file:{tmp_path / 'custodian'}")
    again = open_vault(tmp_path / "vault", tmp_path / "shares", custodian, BASE, house.clock())
    assert again.pod("an") is None and not again.db.read.find(Pod, id=pod.id)
    assert again.shares.deleted(Want("custody", pod.id))
    again.close()
    monkeypatch.setattr(vault, "close", lambda: None)


async def test_a_read_that_races_the_erasure_is_refused(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    from consent import gate
    from vault import door

    permit, own = gate.own(house.session, "interests", "read", "/interests/a.jsonld")
    await erased(house)
    with pytest.raises((Denied, NotFound, MissingKey)):
        await door.read(house.vault, permit, own, "/interests/a.jsonld", house.clock())
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)).status_code == 401


async def test_erasing_asks_for_a_way_in_again(house: Household) -> None:
    same = {"sec-fetch-site": "same-origin", "cookie": f"kluis={house.cookie}"}
    wrong = await house.http.post("/api/erase", data={"csrf": house.session.csrf, "secret": "nee"}, headers=same)
    assert wrong.status_code == 401 and house.vault.pod("an") is not None
    bare = await house.http.post("/api/erase", data={"secret": house.codes[0]}, headers=same)
    assert bare.status_code == 403 and house.vault.pod("an") is not None
    fields = {"csrf": house.session.csrf, "secret": house.codes[0]}
    done = await house.http.post("/api/erase", data=fields, headers=same)
    assert done.status_code == 200 and house.vault.pod("an") is None
    assert done.json()["entry"] == house.vault.log.ledger.tree.size - 1


async def test_the_operator_erases_over_the_socket_only_and_never_the_office(house: Household) -> None:
    outside = await house.http.post("/api/operator/erase", json={"pod": "an"})
    assert outside.status_code == 404 and house.vault.pod("an") is not None
    inside = create(house.house, operator=True, clockwork=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(inside), base_url=BASE) as socket:
        assert (await socket.post("/api/operator/erase", json={"pod": "nobody"})).status_code == 404
        assert (await socket.post("/api/operator/erase", json={"pod": "office"})).status_code == 409
        assert (await socket.post("/api/operator/erase", json={"pod": "an"})).status_code == 200
    assert house.vault.pod("an") is None and isinstance(house.vault, Vault)
