"""New locks: new generations reach who may have them and nobody else; a new root keeps all ways in."""

from datetime import datetime
from typing import Any

import orjson
import pytest

from consent import endings, gate, grants, locks
from consent.accounts import passphrase, sessions, ways
from consent.accounts.sessions import SessionFacts
from consent.tables import GrantKeyRow
from keys.errors import SwappedKey
from keys.unlock import new_code, read_code
from tests.consent.city import City
from vault import door, store
from vault.errors import Conflict, Denied
from vault.planned import Parcel
from vault.pod import NewUnlocker, compartment, compartments
from vault.tables import Compartment, Resource, Unlocker
from vault.unlockers import unlockers
from vault.vault import Vault

A, B = "/loans/a.jsonld", "/loans/b.jsonld"
CODES: dict[bytes, str] = {}
ALL = {"category": "kluis:LibraryLoan", "necessity": "required"}
FROM_NOW = {**ALL, "since": "grant"}


async def keep(city: City, path: str, about: str = "opera") -> None:
    permit, _ = gate.own(city.session, path.split("/")[1], "write", path)
    record = {"@type": "kluis:LibraryLoan", "schema:about": [about], "schema:startTime": "2099-01-01"}
    await store.write(city.vault, permit, path, "application/ld+json", orjson.dumps(record), city.now)


async def granted(city: City, row: dict[str, Any]) -> tuple[bytes, str]:
    grant, code = await city.allow(asked=await city.ask(datatypes=[row]))
    return grant, (await city.redeem(code))["access_token"]


def generations(city: City, container: str = "loans") -> list[int]:
    rows = city.vault.db.read.find(
        Compartment, order_by="generation", id=city.session.pod.compartment(container), pod=city.session.pod.id
    )
    return [row.generation for row in rows]


def forms(city: City, grant: bytes) -> list[tuple[int, str]]:
    rows = city.vault.db.read.find(GrantKeyRow, order_by="generation", grant=grant)
    return [(row.generation, row.form) for row in rows]


async def mine(city: City, path: str) -> Any:
    permit, keys = gate.own(city.session, path.split("/")[1], "read", path)
    return (await door.read(city.vault, permit, keys, path, city.now)).kind


async def new_locks(vault: Vault, session: SessionFacts, now: datetime) -> SessionFacts:
    """Change all locks; the session as it goes on."""
    await locks.change_all(vault, session, now)
    return sessions.Carry(vault, session).renewed()


async def test_a_new_generation_reaches_a_live_grant_by_letter_and_is_wrapped_at_its_first_use(city: City) -> None:
    grant, access = await granted(city, ALL)
    await locks.change(city.vault, city.session, ["loans"], city.now)
    assert generations(city) == [1, 2]
    assert forms(city, grant) == [(1, "own"), (2, "letter")]
    await keep(city, B)
    for path in (A, B):
        assert (await city.read(access, path))["schema:about"]
    await city.vault.db.write(lambda tx: None)
    assert forms(city, grant) == [(1, "own"), (2, "own")]
    assert (await city.read(access, B))["schema:about"] == ["opera"]
    assert await mine(city, A) == await mine(city, B) == "resource"


async def test_a_grant_from_now_on_holds_no_key_to_what_was_there(city: City) -> None:
    grant, access = await granted(city, FROM_NOW)
    assert generations(city) == [1, 2]
    assert forms(city, grant) == [(2, "own")]
    await keep(city, B)
    assert await city.read(access, A) is None
    assert (await city.read(access, B))["schema:about"] == ["opera"]
    found = await city.read(access, "/loans/", batch=True)
    assert [orjson.loads(one)["schema:about"] for one in found] == [["opera"]]


async def test_a_second_consent_from_now_on_cuts_nothing_when_nothing_came_in_between(city: City) -> None:
    await granted(city, FROM_NOW)
    await granted(city, FROM_NOW)
    assert generations(city) == [1, 2]


async def test_moving_the_old_keys_along_gives_nobody_more_than_before(city: City) -> None:
    everything, first = await granted(city, ALL)
    later, second = await granted(city, FROM_NOW)
    await keep(city, B)
    await locks.change(city.vault, city.session, ["loans"], city.now, rewrap=True)
    assert generations(city) == [3, 4]  # what was there before the second consent keeps a generation of its own
    assert forms(city, everything) == [(3, "letter"), (4, "letter")]
    assert forms(city, later) == [(4, "letter")]
    for path in (A, B):
        assert (await city.read(first, path))["schema:about"]
        assert await mine(city, path) == "resource"
    assert await city.read(second, A) is None
    assert (await city.read(second, B))["schema:about"] == ["opera"]


async def test_moving_keys_along_again_and_again_makes_no_more_generations(city: City) -> None:
    everything, first = await granted(city, ALL)
    _, second = await granted(city, FROM_NOW)
    await keep(city, B)
    for number in (3, 5, 7):
        await locks.change(city.vault, city.session, ["loans"], city.now, rewrap=True)
        assert generations(city) == [number, number + 1]  # one before the second consent, one from it on
    assert (await city.read(first, A))["schema:about"] and await city.read(second, A) is None
    await endings.withdraw(city.vault, city.session, everything, city.now)
    for number in (9, 11):
        await locks.change(city.vault, city.session, ["loans"], city.now, rewrap=True)
        assert generations(city) == [number, number + 1]
    assert (await city.read(second, B))["schema:about"] == ["opera"] and await city.read(second, A) is None


async def test_a_compartment_whose_oldest_grant_began_later_gets_no_empty_generation(city: City) -> None:
    await locks.change(city.vault, city.session, ["loans"], city.now, rewrap=True)
    _, access = await granted(city, ALL)  # its oldest key is generation 2
    for number in (3, 4):
        await locks.change(city.vault, city.session, ["loans"], city.now, rewrap=True)
        assert generations(city) == [number]
    assert (await city.read(access, A))["schema:about"] == ["strips"]


async def test_a_withdrawn_grant_gets_no_new_generation(city: City) -> None:
    grant, _ = await granted(city, ALL)
    await endings.withdraw(city.vault, city.session, grant, city.now)
    await locks.change(city.vault, city.session, ["loans"], city.now)
    assert forms(city, grant) == []
    assert grants.keys_left(city.vault, grant) == 0
    await granted(city, ALL)
    ring = city.vault.keyring(city.session.pod)
    assert grant not in {of for of, _ in ring.grants}


async def test_changing_custody_moves_everything_under_the_other_root(city: City) -> None:
    await keep(city, B)
    await locks.set_custody(city.vault, city.session, "loans", "managed", city.now)
    cid = city.session.pod.compartment("loans")
    assert {row.custody for row in city.vault.db.read.find(Compartment, id=cid)} == {"managed"}
    assert {row.generation for row in city.vault.db.read.find(Resource, compartment=cid)} == {2}
    assert await mine(city, A) == "resource"
    await locks.set_custody(city.vault, city.session, "loans", "sealed", city.now)
    assert await mine(city, B) == "resource"
    assert city.vault.keyring(city.session.pod).compartments[cid].custody == "sealed"
    with pytest.raises(Conflict, match="public"):
        await locks.set_custody(city.vault, city.session, "public", "sealed", city.now)


async def test_changing_all_locks_keeps_every_way_in_and_ends_the_other_sessions(city: City) -> None:
    opened = await passphrase.login(city.vault, "an", await code_of(city), city.now)
    assert opened is not None
    cookie, other = opened
    before = {row.id: row.sealed for row in city.vault.db.read.find(Unlocker, pod=city.session.pod.id)}
    grant, access = await granted(city, ALL)
    await locks.change_all(city.vault, city.session, city.now)
    assert sessions.find(city.vault, cookie, city.now) is None
    assert city.vault.shares.count("session", other.handle) == 0
    after = {row.id: row.sealed for row in city.vault.db.read.find(Unlocker, pod=city.session.pod.id)}
    assert before.keys() == after.keys() and all(before[uid] != after[uid] for uid in before)
    assert (await city.read(access, A))["schema:about"] == ["strips"]
    again = await passphrase.login(city.vault, "an", await code_of(city), city.now)
    assert again is not None
    city.session = again[1]
    assert await mine(city, A) == "resource"
    await keep(city, B)
    assert (await city.read(access, B))["schema:about"] == ["opera"]
    assert grants.load(city.vault, grant) is not None


async def test_the_session_that_changes_all_locks_goes_on(city: City) -> None:
    opened = await passphrase.login(city.vault, "an", await code_of(city), city.now)
    assert opened is not None
    cookie, city.session = opened
    await locks.change_all(city.vault, city.session, city.now)
    found = sessions.find(city.vault, cookie, city.now)
    assert found is not None
    city.session = found
    assert await mine(city, A) == "resource"
    await locks.change_all(city.vault, city.session, city.now)


async def code_of(city: City) -> str:
    """A recovery code of An, added for the occasion."""
    text = CODES.setdefault(city.session.pod.id, new_code())
    if len(unlockers(city.vault, city.session.pod.id)) == 2:
        await ways.add(city.vault, city.session, NewUnlocker("recovery", "", read_code(text)), city.now)
    return text


async def test_an_ended_session_changes_no_lock(city: City) -> None:
    await sessions.end(city.vault, city.session, city.now)
    with pytest.raises(Denied):
        await locks.change(city.vault, city.session, ["loans"], city.now)
    assert generations(city) == [1]


async def test_an_unlocker_swapped_in_the_database_gets_no_new_root(city: City) -> None:
    row = city.vault.db.read.find(Unlocker, pod=city.session.pod.id)[0]
    await city.vault.db.write(lambda tx: tx.change(Unlocker, {"id": row.id}, public=bytes(32)))
    with pytest.raises(SwappedKey):
        await locks.change_all(city.vault, city.session, city.now)
    assert {one.sealed for one in city.vault.db.read.find(Unlocker, id=row.id)} == {row.sealed}


async def test_rewrapping_opens_deposits_once_and_leaves_every_resource_under_the_newest_key(city: City) -> None:
    deposit = gate.deposit(city.session.pod, "kluis:LibraryLoan", "mijnbib")
    parcels = [Parcel(f"/loans/{n}.jsonld", "application/ld+json", b"{}") for n in range(50)]
    await store.deposit(city.vault, deposit, parcels, city.now, "mijnbib")
    for generation in (2, 3):
        await locks.change(city.vault, city.session, ["loans"], city.now, rewrap=True)
        rows = city.vault.db.read.find(Resource, compartment=city.session.pod.compartment("loans"))
        assert {(row.form, row.generation) for row in rows} == {("own", generation)}


async def test_locks_that_change_between_two_reads_are_no_swapped_key(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = city.vault.keyring(city.session.pod)
    await locks.change(city.vault, city.session, ["loans"], city.now)
    rings = [before, before]
    real = type(city.vault).keyring
    monkeypatch.setattr(type(city.vault), "keyring", lambda vault, pod: rings.pop() if rings else real(vault, pod))
    with pytest.raises(SwappedKey):  # twice is no chance
        compartment(city.vault, city.session.pod, "loans")
    for read in (
        lambda: compartments(city.vault, city.session.pod),
        lambda: [compartment(city.vault, city.session.pod, "loans")],
    ):
        rings.append(before)
        assert {one.container: one.generation for one in read()}["loans"] == 2
