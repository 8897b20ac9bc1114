"""L9: after an erasure nobody opens a record of the pod, and every proof that was ever given still holds."""

from dataclasses import dataclass
from typing import Any

import pytest

from consent import erasure
from consent.accounts import passphrase
from consent.accounts.people import Newcomer, enroll, found_office
from consent.accounts.sessions import log_private
from keys.context import ctx
from keys.dropbox import collect
from keys.errors import KeysError
from keys.merkle import leaf_hash, verify_consistency, verify_inclusion
from keys.note import Checkpoint, open_note, read_checkpoint
from keys.records import open_record
from keys.secret import Private, RecordKey
from keys.text import unb64
from tests.conftest import Clock
from tests.consent.test_report import READ
from tests.log.prove.evil import proofs
from tests.proof import figure, rounds
from vault.log.entry import Intent
from vault.tables import Record, RecordKey as KeyRow
from vault.vault import PodFacts, Vault

PODS = 5
READS = 5


@dataclass
class Person:
    """A pod before its erasure: what its owner was shown, and the private key of her log, kept all the same."""

    pod: PodFacts
    told: dict[str, Any]
    key: bytes


async def person(vault: Vault, clock: Clock, number: int) -> Person:
    """Somebody with a few lines in her log, all of them published."""
    made = await enroll(vault, f"an{number}", "An", "citizen", f"an{number}", None, clock())
    opened = await passphrase.login(vault, f"an{number}", made.codes[0], clock())
    assert opened is not None
    session = opened[1]
    for _ in range(READS):
        await vault.log.append(Intent(session.pod.id, READ, clock()))
    await vault.publish()
    with log_private(session) as private:
        return Person(session.pod, proofs(vault, session.pod, private), bytes(private.view()))


def head(shard: dict[str, Any]) -> Checkpoint:
    return read_checkpoint(open_note(shard["checkpoint"], [shard["vkey"]])[0])


def readable(vault: Vault, one: Person) -> int:
    """How many records of a pod its log key opens, with every record key that still lies there."""
    opened, origin = 0, vault.log.ledger.origin
    letters = vault.db.read.find(KeyRow, pod=one.pod.id)
    for row in vault.db.read.find(Record, pod=one.pod.id):
        for letter in letters:
            try:
                with Private(one.key) as private:
                    key = collect(private, ctx("record-key", one.pod.id, origin, letter.id), letter.sealed, RecordKey)
                open_record(key, "record", origin, letter.id, row.entry, row.sealed)
                opened += 1
            except KeysError:
                continue
    return opened


def broken(vault: Vault, one: Person, newest: Checkpoint) -> int:
    """How many old proofs of a pod no longer hold, under the head they were given for or under the newest one."""
    ledger, old = vault.log.ledger, head(one.told["shards"][0])
    verify_consistency(old.size, newest.size, ledger.consistency(old.size, newest.size), old.root, newest.root)
    failed = 0
    for line in one.told["entries"]:
        leaf = leaf_hash(unb64(line["leaf"]))
        try:
            verify_inclusion(leaf, line["index"], old.size, [unb64(step) for step in line["proof"]], old.root)
            verify_inclusion(leaf, line["index"], newest.size, ledger.inclusion(line["index"]), newest.root)
        except KeysError:
            failed += 1
    return failed


async def test_l9_an_erased_pod_is_unreadable_and_its_old_proofs_hold(vault: Vault, clock: Clock) -> None:
    await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    pods = rounds(PODS, "L9a")
    people = [await person(vault, clock, number) for number in range(pods)]
    lines = sum(len(one.told["entries"]) for one in people)
    assert all(readable(vault, one) == len(one.told["entries"]) for one in people), "the measure measures"
    for one in people:
        await erasure.by_operator(vault, one.pod, clock())
    await vault.publish()
    newest = head(vault.log.ledger.told)
    left, failed = sum(readable(vault, one) for one in people), sum(broken(vault, one, newest) for one in people)
    figure("L9a", left, pods)
    figure("L9b", failed, lines)
    assert (left, failed) == (0, 0) and lines >= pods * READS


@pytest.mark.parametrize("change", ["leaf", "proof"])
async def test_l9_the_measure_finds_a_proof_that_does_not_hold(vault: Vault, clock: Clock, change: str) -> None:
    await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    one = await person(vault, clock, 0)
    line, other = one.told["entries"][-1], one.told["entries"][0]
    line[change] = other[change]
    assert broken(vault, one, head(vault.log.ledger.told)) == 1
