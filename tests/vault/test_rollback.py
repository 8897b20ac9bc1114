"""Rollback: an old version put back is noticed, without keys as far as that goes and by the citizen in all."""

from pathlib import Path
from typing import Any

import pytest

from consent.accounts.sessions import log_private
from tests.house import ALL_INTERESTS, Household
from vault import fsck, keyring
from vault.database import Tx
from vault.log import views
from vault.log.versions import parts, proof, proof_key, touched
from vault.tables import Body, KeyringRow, Record, Resource
from vault.versions import Differs, rolled_back

PATH = "/loans/a.jsonld"


def checked(house: Household) -> list[Differs]:
    with log_private(house.session) as private:
        told = views.lines(house.vault, house.session.pod, private)
    return rolled_back(house.vault.db.read, house.session.pod.id, told)


def faults(house: Household, folder: Path, *, keyed: bool = False) -> list[str]:
    return fsck.check(folder / "vault", folder / "shares", house.vault.state if keyed else None)


def kept(house: Household, path: str = PATH) -> tuple[Resource, Body]:
    rid = house.session.pod.resource(path)
    row, body = house.vault.db.read.get(Resource, rid), house.vault.db.read.get(Body, rid)
    assert row is not None and body is not None
    return row, body


async def put_back(house: Household, old: tuple[Resource, Body]) -> None:
    def write(tx: Tx) -> None:
        tx.remove(Resource, id=old[0].id)
        tx.remove(Body, id=old[0].id)
        for row in old:
            tx.add(row)
        tx.run(
            "UPDATE usage SET bytes = (SELECT sum(b.size) FROM body b JOIN resource r USING (id) WHERE pod = usage.pod)"
        )

    await house.vault.db.write(write)


async def changed(house: Household) -> tuple[Resource, Body]:
    """Write a second version and return what the first was."""
    old = kept(house)
    await house.keep(PATH, {"@type": "kluis:LibraryLoan", "schema:name": "Nieuw"})
    return old


async def test_a_healthy_pod_passes_every_check(house: Household, tmp_path: Path) -> None:
    await changed(house)
    await house.grant(ALL_INTERESTS)
    await house.call("PUT", "/pods/an/notes/sub/a.txt", await house.jwt(), {"content-type": "text/plain"}, b"dag")
    await house.call("DELETE", "/pods/an/notes/sub/a.txt", await house.jwt())
    assert checked(house) == []
    assert faults(house, tmp_path) == faults(house, tmp_path, keyed=True) == []


async def test_an_old_version_put_back_is_named_by_both(house: Household, tmp_path: Path) -> None:
    await put_back(house, await changed(house))
    rid = house.session.pod.resource(PATH)
    assert [stale.what for stale in checked(house)] == [rid.hex()]
    assert checked(house)[0].seq > 0
    assert any(rid.hex().upper() in line and "stored last" in line for line in faults(house, tmp_path))


async def test_a_removed_resource_put_back_and_a_lost_one_are_named_by_both(house: Household, tmp_path: Path) -> None:
    old = kept(house)
    house.secrets.clear()
    from consent import gate
    from vault import store

    permit, _ = gate.own(house.session, "loans", "delete", PATH)
    await store.remove(house.vault, permit, PATH, house.clock())
    assert checked(house) == [] and faults(house, tmp_path) == []
    await put_back(house, old)
    assert len(checked(house)) == 1 and any("stored last" in line for line in faults(house, tmp_path))
    await house.vault.db.write(lambda tx: [tx.remove(Resource, id=old[0].id), tx.remove(Body, id=old[0].id)])
    assert len(checked(house)) == 1 and any("is not there" in line for line in faults(house, tmp_path))


async def rewrite(house: Household, key: Any, old: Resource) -> None:
    """Make what lies beside the newest record about this resource agree with the old version."""
    for row in house.vault.db.read.find(Record, order_by="idx DESC", pod=house.session.pod.id):
        if any(rid == old.id for rid, _, _ in parts(row.touched)):
            proven = proof(key, row.idx, row.entry, b"", row.sealed) if key else row.proof
            await house.vault.db.write(
                lambda tx, idx=row.idx, proven=proven: tx.change(Record, {"idx": idx}, touched=b"", proof=proven)
            )
            return


async def test_rewriting_what_lies_beside_the_record_is_noticed_with_the_servers_key(
    house: Household, tmp_path: Path
) -> None:
    old = await changed(house)
    await put_back(house, old)
    await rewrite(house, None, old[0])
    assert faults(house, tmp_path) == []  # nothing that shows without a key
    assert any("beside the record" in line for line in faults(house, tmp_path, keyed=True))
    assert len(checked(house)) == 1


async def test_a_server_that_uses_its_own_key_to_lie_is_noticed_by_the_citizen(
    house: Household, tmp_path: Path
) -> None:
    old = await changed(house)
    await put_back(house, old)
    with proof_key(house.vault.state) as key:
        await rewrite(house, key, old[0])
    assert faults(house, tmp_path, keyed=True) == []
    assert [stale.what for stale in checked(house)] == [old[0].id.hex()]


async def test_an_old_keyring_put_back_is_noticed_by_the_citizen(house: Household) -> None:
    pod = house.session.pod
    old = house.vault.db.read.get(KeyringRow, pod.id)
    await house.grant(ALL_INTERESTS)
    await house.vault.db.write(lambda tx: [tx.remove(KeyringRow, pod=pod.id), tx.add(old)])  # type: ignore[arg-type]
    assert keyring.load(house.vault.db.read, pod.id, pod.identity).version == 1
    assert [stale.what for stale in checked(house)] == ["keyring"]


async def test_the_check_on_the_page_names_the_line(house: Household) -> None:
    assert "niet wat hier het laatst is opgeschreven" not in (await house.press("/me/log/verify")).text
    await put_back(house, await changed(house))
    seq = checked(house)[0].seq
    page = (await house.press("/me/log/verify")).text
    assert "niet wat hier het laatst is opgeschreven" in page and str(seq) in page


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_of_versions_reads_back_as_it_was_written(count: int) -> None:
    from vault.log.versions import item

    items = [(bytes([n]) * 16, n + 1, bytes([n]) * 32) for n in range(count)]
    assert list(parts(touched([item(*one) for one in items]))) == items
