"""The door: sealed, logged, and in that order."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from keys.context import ctx
from keys.custodian import FileCustodian
from keys.grants import new_token
from keys.secret import Seed, Share, derive
from keys.tree import wrap
from tests.conftest import Clock
from vault import door, gates, pod as pods, store
from vault.errors import DamagedItem, Denied, NotMinted
from vault.keysets import CustodyKeys, SessionKeys
from vault.log.entry import Appended, Facts, Guard, Intent
from vault.mint import mint
from vault.permit import Permit
from vault.pod import Blueprint, NewUnlocker
from vault.shares import Drop, Want
from vault.tables import Entry, Resource
from vault.unlockers import open_root, unlockers
from vault.vault import PodFacts, Vault, open_vault

SEALED = {"loans": "kluis:LibraryLoan", "interests": "pd:Interest"}


def two(seed: bytes) -> list[NewUnlocker]:
    return [NewUnlocker("recovery", "", Seed(bytes([b]) * 32)) for b in seed]


async def settle(vault: Vault, clock: Clock) -> PodFacts:
    await pods.found_office(vault, two(b"ab"), clock())
    return await pods.create(vault, "an", "citizen", two(b"cd"), Blueprint(SEALED), clock())


def permit(vault: Vault, pod: PodFacts, container: str, action: str = "read", **more: object) -> Permit:
    facts = Facts("access", action, rule="test", category="kluis:LibraryLoan")
    made = Permit(pod.id, facts, (pod.compartment(container),), writes=action != "read")
    return mint(replace(made, **more))


async def unlocked(vault: Vault, pod: PodFacts, clock: Clock) -> tuple[SessionKeys, Guard]:
    seeds = dict(zip((row.id for row in unlockers(vault, pod.id)), (way.seed for way in two(b"cd")), strict=True))
    root = await open_root(vault, pod, seeds, clock(), Facts("unlock", "login"))
    assert root is not None
    token, share, account = new_token("kss"), Share.fresh(), b"a" * 16
    context = ctx("session", pod.id, token.handle, account)
    wrapped = wrap(derive(token.secret, context, share), context, root)
    intent = Intent(
        pod.id,
        Facts("unlock", "login"),
        clock(),
        new_shares=((Want("session", token.handle), share),),
        write=lambda tx: gates.create(tx, token.handle, pod.id, gates.ms(clock()) + 10_000),
    )
    assert isinstance(await vault.log.append(intent), Appended)
    return SessionKeys(token.handle, token.secret, context, wrapped), Guard(token.handle, 1)


async def test_what_is_written_can_be_read_back_in_an_unlocked_session(vault: Vault, clock: Clock) -> None:
    pod = await settle(vault, clock)
    body = b'{"schema:name": "Jazz"}'
    written = await store.write(
        vault, permit(vault, pod, "loans", "write"), "/loans/a.jsonld", "application/ld+json", body, clock()
    )
    assert (written.version, written.created) == (1, True)
    keys, guard = await unlocked(vault, pod, clock)
    before = vault.log.ledger.tree.size
    found = await door.read(vault, permit(vault, pod, "loans", guard=guard), keys, "/loans/a.jsonld", clock())
    assert (found.kind, found.body, found.media) == ("resource", body, "application/ld+json")
    assert found.index == before == vault.log.ledger.tree.size - 1


async def test_the_first_read_of_a_deposit_rewraps_its_key_under_the_compartment(vault: Vault, clock: Clock) -> None:
    pod = await settle(vault, clock)
    await store.write(vault, permit(vault, pod, "loans", "write"), "/loans/a", "text/plain", b"x", clock())
    keys, guard = await unlocked(vault, pod, clock)
    row = vault.db.read.get(Resource, pod.resource("/loans/a"))
    assert row is not None and row.form == "deposit"
    for _ in range(2):
        found = await door.read(vault, permit(vault, pod, "loans", guard=guard), keys, "/loans/a", clock())
        assert found.body == b"x"
        await vault.db.write(lambda tx: None)
    row = vault.db.read.get(Resource, pod.resource("/loans/a"))
    assert row is not None and row.form == "own"


async def test_the_custodian_opens_managed_compartments_and_never_a_sealed_one(vault: Vault, clock: Clock) -> None:
    pod = await settle(vault, clock)
    for container in ("public", "loans"):
        await store.write(vault, permit(vault, pod, container, "write"), f"/{container}/a", "text/plain", b"x", clock())
    found = await door.read(vault, permit(vault, pod, "public"), CustodyKeys(pod.id), "/public/a", clock())
    assert found.body == b"x"
    found = await door.read(vault, permit(vault, pod, "loans"), CustodyKeys(pod.id), "/loans/a", clock())
    assert (found.kind, found.body) == ("absent", b"")


async def test_a_widened_permit_is_refused(vault: Vault, clock: Clock) -> None:
    pod = await settle(vault, clock)
    widened = replace(permit(vault, pod, "public"), compartments=(pod.compartment("loans"),))
    with pytest.raises(NotMinted):
        await door.read(vault, widened, CustodyKeys(pod.id), "/loans/a", clock())


async def test_a_closed_gate_refuses_and_the_refusal_is_an_entry(vault: Vault, clock: Clock) -> None:
    pod = await settle(vault, clock)
    await store.write(vault, permit(vault, pod, "loans", "write"), "/loans/a", "text/plain", b"x", clock())
    keys, guard = await unlocked(vault, pod, clock)
    ending = Intent(
        pod.id,
        Facts("access", "logout"),
        clock(),
        write=lambda tx: void(gates.end(tx, guard.gate, "ended")),
        drops=(Drop("session", guard.gate),),
    )
    await vault.log.append(ending)
    size = vault.log.ledger.tree.size
    with pytest.raises(Denied, match="ended"):
        await door.read(vault, permit(vault, pod, "loans", guard=guard), keys, "/loans/a", clock())
    assert vault.log.ledger.tree.size == size + 1 == len(vault.db.read.find(Entry))
    assert vault.shares.count("session", guard.gate) == 0


def void(_: object) -> None:
    return None


async def test_a_proof_is_accepted_once_and_its_replay_does_not_disturb_its_neighbours(
    vault: Vault, clock: Clock
) -> None:
    pod = await settle(vault, clock)
    await store.write(vault, permit(vault, pod, "public", "write"), "/public/a", "text/plain", b"x", clock())
    once = permit(vault, pod, "public", jti=b"j" * 32, jti_until=gates.ms(clock()) + 60_000)
    plain = permit(vault, pod, "public")
    reads = [door.read(vault, p, CustodyKeys(pod.id), "/public/a", clock()) for p in (once, plain, once, plain, once)]
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert [isinstance(r, Denied) and r.reason for r in results].count("replay") == 2
    assert sum(not isinstance(r, BaseException) for r in results) == 3


async def test_a_published_checkpoint_survives_a_restart(vault: Vault, clock: Clock) -> None:
    await settle(vault, clock)
    size = await vault.publish()
    assert size == vault.log.ledger.tree.size == 2


async def test_a_damaged_row_is_named_and_refused_with_a_second_entry_and_disturbs_no_other(
    vault: Vault, clock: Clock
) -> None:
    pod = await settle(vault, clock)
    for name in ("a", "b"):
        path = f"/public/{name}"
        await store.write(vault, permit(vault, pod, "public", "write"), path, "text/plain", b"x", clock())
    rid = pod.resource("/public/a")
    await vault.db.write(lambda tx: tx.run("UPDATE body SET data = zeroblob(length(data)) WHERE id = :id", id=rid))
    size = vault.log.ledger.tree.size
    with pytest.raises(DamagedItem, match=rid.hex()):
        await door.read(vault, permit(vault, pod, "public"), CustodyKeys(pod.id), "/public/a", clock())
    assert vault.log.ledger.tree.size == size + 2
    found = await door.read(vault, permit(vault, pod, "public"), CustodyKeys(pod.id), "/public/b", clock())
    assert found.body == b"x"


async def test_a_log_that_was_edited_at_rest_is_not_started_from(
    vault: Vault, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settle(vault, clock)
    await vault.publish()
    await vault.db.write(lambda tx: tx.run("UPDATE entry SET leaf = zeroblob(66) WHERE idx = 1"))
    vault.close()
    custodian = FileCustodian.open(f"file:{tmp_path / 'custodian'}")
    with pytest.raises(DamagedItem, match="differs from its checkpoint"):
        open_vault(tmp_path / "vault", tmp_path / "shares", custodian, vault.base, clock())
    monkeypatch.setattr(vault, "close", lambda: None)
