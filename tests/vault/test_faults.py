"""Faults of the stores and races at the door: nothing hangs, nothing is lost, nothing flows after a withdrawal."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consent import endings, erasure, gate
from consent.call import Admission, Call
from keys.custodian import FileCustodian
from keys.secret import Share
from tests.conftest import BASE, Clock
from tests.house import ALL_INTERESTS, Granted, Household
from vault import door, owed, store
from vault.errors import DamagedItem, Denied, LogUnavailable
from vault.log import tally
from vault.log.entry import Facts, Intent
from vault.planned import Parcel
from vault.shares import Drop, Want
from vault.tables import Unlocker
from vault.vault import Vault, open_vault

MEDIA = "application/ld+json"


class Faulty:
    """The share store's connection, on a disk that refuses to delete."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self.real, self.failing = real, True

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        if self.failing and sql.startswith("DELETE"):
            raise sqlite3.OperationalError("disk I/O error")
        return self.real.execute(sql, *more)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        return self.real.executemany(sql, rows)

    def close(self) -> None:
        self.real.close()


@pytest.fixture
def disk(house: Household) -> Iterator[Faulty]:
    faulty = Faulty(house.vault.shares._raw)
    house.vault.shares._raw = faulty  # type: ignore[assignment]
    yield faulty
    house.vault.shares._raw = faulty.real


async def test_a_fault_of_the_share_store_answers_its_caller_and_the_writer_lives_on(
    house: Household, disk: Faulty
) -> None:
    def fault(_: Any) -> None:
        raise ValueError("a fault of this unit")

    shares = ((Want("session", b"y" * 16), Share.fresh()),)
    intent = Intent(house.session.pod.id, Facts("key event", "x"), house.clock(), write=fault, new_shares=shares)
    with pytest.raises(ValueError, match="of this unit"):
        await asyncio.wait_for(house.vault.log.append(intent), 5)
    assert await asyncio.wait_for(house.vault.db.write(lambda _: 1), 5) == 1


async def test_a_withdrawal_whose_shares_could_not_be_deleted_says_so_and_the_next_one_deletes_them(
    house: Household, disk: Faulty
) -> None:
    granted = await house.grant(ALL_INTERESTS)
    with pytest.raises(LogUnavailable):
        await endings.withdraw(house.vault, house.session, granted.id, house.clock())
    assert house.vault.shares.count("grant", granted.id) == 1
    disk.failing = False
    assert await endings.withdraw(house.vault, house.session, granted.id, house.clock())
    assert house.vault.shares.count("grant", granted.id) == 0
    assert await house.grant(ALL_INTERESTS)


async def test_a_share_that_is_owed_to_nobody_is_deleted_by_the_clockwork(house: Household, disk: Faulty) -> None:
    granted = await house.grant(ALL_INTERESTS)
    with pytest.raises(LogUnavailable):
        await endings.withdraw(house.vault, house.session, granted.id, house.clock())
    disk.failing = False
    await house.vault.log.settle()
    assert house.vault.shares.count("grant", granted.id) == 0


async def names(house: Household, container: str) -> set[str]:
    permit, keys = gate.own(house.session, container.split("/")[1], "list", container)
    found = await door.read(house.vault, permit, keys, container, house.clock())
    return {member.label.path for member in found.members}


async def put(house: Household, path: str) -> None:
    permit, _ = gate.own(house.session, "loans", "write", path)
    await store.write(house.vault, permit, path, MEDIA, b"{}", house.clock())


async def delete(house: Household, path: str) -> None:
    permit, _ = gate.own(house.session, "loans", "delete", path)
    await store.remove(house.vault, permit, path, house.clock())


async def test_a_file_written_into_a_deleted_container_brings_the_container_back(house: Household) -> None:
    await put(house, "/loans/c/x")
    await delete(house, "/loans/c/x")
    await delete(house, "/loans/c/")
    await put(house, "/loans/c/y")
    assert await names(house, "/loans/c/") == {"/loans/c/y"}
    assert "/loans/c/" in await names(house, "/loans/")


async def test_a_container_deleted_while_a_member_is_written_leaves_no_orphan(house: Household) -> None:
    for number in range(10):
        await put(house, f"/loans/r{number}/x")
        await delete(house, f"/loans/r{number}/x")
        writing = asyncio.create_task(put(house, f"/loans/r{number}/y"))
        deleting = asyncio.create_task(delete(house, f"/loans/r{number}/"))
        await asyncio.gather(deleting, writing, return_exceptions=True)
        assert await names(house, f"/loans/r{number}/") == {f"/loans/r{number}/y"}


async def test_denials_counted_while_the_sum_is_written_are_not_lost(house: Household, clock: Clock) -> None:
    pod, old = house.session.pod.id, clock()
    await tally.add(house.vault.log, pod, "test", old)
    clock.forward(minutes=2)
    await asyncio.gather(tally.add(house.vault.log, pod, "test", old), tally.flush(house.vault.log, clock()))
    await tally.flush(house.vault.log, clock())
    assert sum(line["count"] for line in house.told() if line["rule"] == "test") == 2


async def batch(house: Household, granted: Granted) -> door.Batch:
    proof = house.proof("GET", "/api/records", granted.access)
    token = (f"DPoP {granted.access}".encode(),)
    call = Call("GET", f"{BASE}/api/records", "", "/interests/", token, (proof.encode(),), batch=True)
    admitted = await gate.admit(house.vault, call, house.clock())
    assert isinstance(admitted, Admission)
    return await door.records(house.vault, admitted.permit, admitted.keys, house.clock())


@pytest.mark.parametrize("before", [0, 1])
async def test_no_record_leaves_after_the_withdrawal_was_answered(house: Household, before: int) -> None:
    for number in range(5):
        await house.keep(f"/interests/z{number}.jsonld", {"@type": "pd:Interest", "schema:name": "x" * 100})
    granted = await house.grant(ALL_INTERESTS)
    stream = (await batch(house, granted)).items
    for _ in range(before):
        await anext(stream)
    await house.withdraw(granted)
    with pytest.raises(Denied, match="withdrawn"):
        await anext(stream)


async def test_one_damaged_record_does_not_keep_the_others_from_anybody(house: Household) -> None:
    await house.keep("/interests/b.jsonld", {"@type": "pd:Interest", "schema:name": "b"})
    rid = house.session.pod.resource("/interests/b.jsonld")
    await house.vault.db.write(lambda tx: tx.run("UPDATE resource SET label = zeroblob(200) WHERE id = :id", id=rid))
    opened = [one async for one in (await batch(house, await house.grant(ALL_INTERESTS))).items]
    assert [one.label.path for one in opened] == ["/interests/a.jsonld"]
    assert await names(house, "/interests/") == {"/interests/a.jsonld"}
    assert [line["rule"] for line in house.told()].count("damaged") == 2
    permit, keys = gate.own(house.session, "interests", "read", "/interests/b.jsonld")
    with pytest.raises(DamagedItem, match=rid.hex()):
        await door.read(house.vault, permit, keys, "/interests/b.jsonld", house.clock())


async def test_two_publications_at_once_give_one_checkpoint(house: Household) -> None:
    sizes = await asyncio.gather(house.vault.publish(), house.vault.publish())
    assert set(sizes) == {house.vault.log.ledger.tree.size}


async def test_others_are_served_while_a_big_file_is_taken_in(house: Household) -> None:
    parcels = [Parcel(f"/loans/big{n}.jsonld", MEDIA, b"{}") for n in range(600)]
    permit = gate.deposit(house.session.pod, "kluis:LibraryLoan", "source-test")
    taking = asyncio.create_task(store.deposit(house.vault, permit, parcels, house.clock(), "test"))
    turns = 0
    while not taking.done():
        await asyncio.sleep(0)
        turns += 1
    assert (await taking)[1] == 600
    assert turns > 600 / store.AT_ONCE / 2


async def test_a_write_whose_access_was_removed_while_its_body_came_in_is_refused(house: Household) -> None:
    path, root = "/public/late", f"{BASE}/pods/an"
    everybody = f"""@prefix acl: <http://www.w3.org/ns/auth/acl#> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
        <#o> a acl:Authorization ; acl:agent <{root}/profile/card#me> ; acl:accessTo <{root}/public/> ;
          acl:default <{root}/public/> ; acl:mode acl:Read, acl:Write, acl:Control .
        <#e> a acl:Authorization ; acl:agentClass foaf:Agent ; acl:accessTo <{root}/public/> ;
          acl:default <{root}/public/> ; acl:mode acl:Read, acl:Write ."""
    token, turtle = await house.jwt(), {"content-type": "text/turtle"}
    opened = await house.call("PUT", "/pods/an/public/.acl", token, turtle, content=everybody.encode())
    assert opened.status_code == 204
    call = Call("PUT", root + path, "an", path, needs=frozenset({"write"}), container_needs=frozenset({"append"}))
    admitted = await gate.admit(house.vault, call, house.clock())
    assert isinstance(admitted, Admission)
    closed = everybody.replace("acl:Read, acl:Write .", "acl:Read .")
    assert (await house.call("PUT", "/pods/an/public/.acl", token, turtle, content=closed.encode())).status_code == 204
    with pytest.raises(Denied, match="access changed"):
        await store.write(house.vault, admitted.permit, path, "text/plain", b"x", house.clock())


@pytest.mark.parametrize("what", ["pod", "way in"])
async def test_a_crash_between_a_commit_and_the_deletion_it_promised_keeps_no_share(
    what: str, house: Household, disk: Faulty, tmp_path: Path
) -> None:
    pod = house.session.pod.id
    way = house.vault.db.read.find(Unlocker, pod=pod)[0].id
    drop = Drop("*", pod) if what == "pod" else Drop("unlock", way)
    removal = Intent(pod, Facts("key event", "remove unlocker"), house.clock(), drops=(drop,))
    ending = (
        erasure.by_citizen(house.vault, house.session, house.clock())
        if what == "pod"
        else house.vault.log.append(removal)
    )
    with pytest.raises(LogUnavailable):
        await ending
    assert shares_of(house.vault, drop)
    house.vault.close()
    vault = again(tmp_path, house)
    left, noted = shares_of(vault, drop), owed.standing(vault.db.read)
    vault.close()
    assert not left and not noted


async def test_a_promise_that_was_kept_is_struck_off_by_the_clockwork(house: Household) -> None:
    await erasure.by_citizen(house.vault, house.session, house.clock())
    assert owed.standing(house.vault.db.read)
    await house.vault.log.settle()
    assert not owed.standing(house.vault.db.read)


def shares_of(vault: Vault, drop: Drop) -> int:
    where, params = drop.where()
    return int(vault.shares._raw.execute(f"SELECT count(*) FROM share WHERE {where}", params).fetchone()[0])


def again(here: Path, house: Household) -> Vault:
    """The directory under a new process."""
    custodian = FileCustodian.open(f"file:{here / 'custodian'}")
    return open_vault(here / "vault", here / "shares", custodian, BASE, house.clock())
