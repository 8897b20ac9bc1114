"""The keyring: a key swapped, moved or put back in the database is refused, and changes leave their digest."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from consent import gate
from consent.accounts.sessions import log_private
from keys.custodian import FileCustodian
from keys.dropbox import pair
from keys.errors import SwappedKey
from keys.keyring import Box, Keyring, Signed, annexed, open_keyring, sign_annex, sign_keyring, succeed
from keys.sign import new_signer, signer_public
from keys.text import b64
from tests.conftest import BASE
from tests.house import ALL_INTERESTS, Household
from vault import fsck, keyring, store
from vault.database import Tx
from vault.log import views
from vault.planned import Parcel
from vault.pod import compartment
from vault.tables import Compartment, KeyringRow, Pod, Resource
from vault.vault import PodFacts, open_vault

POD, HOME, GRANT = b"p" * 16, b"c" * 16, b"g" * 16


def ring(identity: bytes, msign: bytes = bytes(32)) -> Keyring:
    return Keyring(POD, 3, identity, b"l" * 32, msign, {HOME: Box("sealed", {1: b"1" * 32, 2: b"2" * 32})},
                   {b"u" * 16: ("recovery", b"v" * 32)}, {(GRANT, HOME): b"k" * 32})  # fmt: skip


def test_what_is_signed_reads_back_the_same() -> None:
    with new_signer() as identity:
        made = ring(signer_public(identity))
        assert open_keyring(POD, made.identity, sign_keyring(made, identity), None) == made


def test_no_byte_of_a_keyring_can_be_changed() -> None:
    with new_signer() as identity:
        made = ring(signer_public(identity))
        signed = sign_keyring(made, identity)
    for at in range(len(signed.body)):
        changed = Signed(signed.body[:at] + bytes([signed.body[at] ^ 1]) + signed.body[at + 1 :], signed.signature)
        with pytest.raises(SwappedKey):
            open_keyring(POD, made.identity, changed, None)


def test_a_keyring_of_another_pod_or_identity_is_refused() -> None:
    with new_signer() as identity, new_signer() as other:
        made = ring(signer_public(identity))
        signed = sign_keyring(made, identity)
        for pod, public in ((b"q" * 16, made.identity), (POD, signer_public(other))):
            with pytest.raises(SwappedKey):
                open_keyring(pod, public, signed, None)
        with pytest.raises(SwappedKey, match="another identity"):
            open_keyring(POD, signer_public(other), sign_keyring(made, other), None)


def test_an_older_identity_leads_to_the_one_in_use_and_no_other_does() -> None:
    with new_signer() as first, new_signer() as second, new_signer() as third:
        ring_1 = ring(signer_public(first))
        ring_2 = succeed(replace(ring_1, version=4), first, signer_public(second), b"m" * 32, bytes(32))
        ring_3 = succeed(replace(ring_2, version=5), second, signer_public(third), b"n" * 32, bytes(32))
        read = open_keyring(POD, signer_public(third), sign_keyring(ring_3, third), None)
        assert read == ring_3
        assert all(read.follows(signer_public(one)) for one in (first, second, third)) and not read.follows(bytes(32))
        assert read.logs == {b"l" * 32, b"m" * 32, b"n" * 32}
        step = ring_3.history[0]
        for broken in (
            ring_3.history[1:][::-1] + ring_3.history[:1],  # another order
            (replace(step, log=bytes(32)), *ring_3.history[1:]),
            (replace(step, version=1), *ring_3.history[1:]),
            ring_3.history[:1],  # one left out
        ):
            forged = sign_keyring(replace(ring_3, history=broken), third)
            with pytest.raises(SwappedKey, match="not named by the one before"):
                open_keyring(POD, signer_public(third), forged, None)
        with pytest.raises(SwappedKey, match="another identity"):
            sign_keyring(ring_3, first)


def test_the_annex_adds_managed_compartments_and_changes_none() -> None:
    with new_signer() as identity, new_signer() as msign:
        made = ring(signer_public(identity), signer_public(msign))
        signed = sign_keyring(made, identity)
        annex = sign_annex(made, {b"n" * 16: b"n" * 32, HOME: b"x" * 32}, msign)
        whole = open_keyring(POD, made.identity, signed, annex)
        assert whole.compartments[b"n" * 16] == Box("managed", {1: b"n" * 32})
        assert whole.compartments[HOME] == made.compartments[HOME]
        assert set(annexed(annex)) == {b"n" * 16, HOME}
        for foreign in (sign_annex(made, {}, identity), sign_annex(replace(made, version=2), {}, msign)):
            with pytest.raises(SwappedKey):
                open_keyring(POD, made.identity, signed, foreign)


@pytest.mark.parametrize(
    "swap",
    [
        lambda tx, pod, public: tx.run("UPDATE compartment SET public = :k WHERE pod = :p", k=public, p=pod),
        lambda tx, pod, public: tx.run("UPDATE pod SET identity = :k WHERE id = :p", k=public, p=pod),
        lambda tx, pod, public: tx.run("DELETE FROM keyring WHERE pod = :p", p=pod),
        lambda tx, pod, public: tx.run("UPDATE compartment SET custody = 'managed' WHERE pod = :p", p=pod),
        lambda tx, pod, public: tx.run("UPDATE keyring SET version = version + 1 WHERE pod = :p", p=pod),
    ],
    ids=["compartment", "identity", "gone", "custody", "version"],
)
async def test_nothing_is_written_to_a_swapped_key(
    house: Household, swap: Callable[[Tx, bytes, bytes], object], tmp_path: Path
) -> None:
    private, public = pair()
    private.wipe()
    pod = house.session.pod
    await house.vault.db.write(lambda tx: swap(tx, pod.id, public))
    house.vault.forget(pod)
    before = len(house.vault.db.read.find(Resource, pod=pod.id))
    permit = gate.deposit(pod, "kluis:LibraryLoan", "mijnbib")
    parcel = Parcel("/loans/z.jsonld", "application/ld+json", b"{}")
    with pytest.raises(SwappedKey):
        await store.deposit(house.vault, permit, [parcel], house.clock(), "mijnbib")
    assert len(house.vault.db.read.find(Resource, pod=pod.id)) == before
    assert any("keyring" in line for line in fsck.check(tmp_path / "vault", tmp_path / "shares"))


async def test_no_record_is_sealed_to_a_swapped_log_key(house: Household) -> None:
    private, public = pair()
    private.wipe()
    pod, size = house.session.pod, house.vault.log.ledger.tree.size
    await house.vault.db.write(lambda tx: tx.change(Pod, {"id": pod.id}, box=public))
    house.vault.log._keys.clear()
    with pytest.raises(SwappedKey, match="log key"):
        await house.keep("/loans/b.jsonld", {})
    assert house.vault.log.ledger.tree.size == size


async def test_a_directory_whose_dpo_key_was_swapped_does_not_start(
    house: Household, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = house.vault.db.read.get(KeyringRow, house.vault.office)
    assert row is not None
    box = compartment(house.vault, the_office(house), "dpo").public
    swapped = row.body.replace(b64(box).encode(), b64(bytes(32)).encode())
    await house.vault.db.write(lambda tx: tx.change(KeyringRow, {"pod": row.pod}, body=swapped))
    house.vault.close()
    custodian = FileCustodian.open(f"file:{tmp_path / 'custodian'}")
    with pytest.raises(SwappedKey, match="not signed by its owner"):
        open_vault(tmp_path / "vault", tmp_path / "shares", custodian, BASE, house.clock())
    monkeypatch.setattr(house.vault, "close", lambda: None)


def the_office(house: Household) -> PodFacts:
    found = house.vault.pod_by_id(house.vault.office)
    assert found is not None
    return found


async def test_a_container_made_while_she_is_away_stands_in_the_annex_and_then_in_the_keyring(
    house: Household,
) -> None:
    pod = house.session.pod
    await house.call("PUT", "/pods/an/notes/a.txt", await house.jwt(), {"content-type": "text/plain"}, b"dag")
    row = house.vault.db.read.get(KeyringRow, pod.id)
    assert row is not None and row.annex
    notes = pod.compartment("notes")
    assert house.vault.keyring(pod).compartments[notes].custody == "managed"
    await house.grant(ALL_INTERESTS)
    row = house.vault.db.read.get(KeyringRow, pod.id)
    assert row is not None and not row.annex
    assert house.vault.keyring(pod).compartments[notes].custody == "managed"


async def test_every_change_of_the_keyring_leaves_its_digest_in_the_log(house: Household) -> None:
    pod = house.session.pod

    def last() -> str:
        with log_private(house.session) as private:
            told = [line.told for line in views.lines(house.vault, pod, private)]
        return [line["keyring"] for line in told if "keyring" in line][-1]

    assert last() == keyring.stored_digest(house.vault.db.read, pod.id)
    await house.grant(ALL_INTERESTS)
    assert last() == keyring.stored_digest(house.vault.db.read, pod.id)
    await house.call("PUT", "/pods/an/notes/a.txt", await house.jwt(), {"content-type": "text/plain"}, b"dag")
    assert last() == keyring.stored_digest(house.vault.db.read, pod.id)


async def test_no_custodian_can_turn_a_sealed_compartment_into_a_managed_one(house: Household) -> None:
    """Somebody with the server's keys signs an annex for a compartment that is sealed: the keyring's word counts."""
    pod = house.session.pod
    before = house.vault.keyring(pod).compartments[pod.compartment("loans")]
    with new_signer() as msign:
        known = house.vault.keyring(pod)
        forged = sign_annex(known, {pod.compartment("loans"): bytes(32)}, msign)
    await house.vault.db.write(
        lambda tx: tx.change(KeyringRow, {"pod": pod.id}, annex=forged.body, annex_signature=forged.signature)
    )
    with pytest.raises(SwappedKey):
        house.vault.keyring(pod)
    assert before.custody == "sealed" and orjson.loads(forged.body)["keyring"] == known.version
    assert house.vault.db.read.find(Compartment, id=pod.compartment("loans"))[0].custody == "sealed"
