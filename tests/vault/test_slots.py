"""The slot tree: what it binds, what a path says of others, and that storage by blocks changes nothing of it."""

import hashlib
import random

import pytest

from keys.errors import Damaged
from keys.merkle import Tree
from keys.secret import Secret
from keys.text import canonical
from vault.log import slots

KEY = Secret(bytes(range(32)))
EPOCH = 29_000_000


def states(count: int) -> bytes:
    return b"".join(slots.state(n + 1, hashlib.sha256(b"%d" % n).digest()) for n in range(count))


def whole(held: bytes, epoch: int = EPOCH) -> tuple[list[bytes], list[list[bytes]]]:
    """The roots of all blocks, and the leaves of each."""
    width = slots.BLOCK * slots.STATE
    pieces = [slots.leaves(KEY, epoch, at // width, held[at : at + width]) for at in range(0, len(held), width)]
    return list(slots.blocks(KEY, epoch, held)), pieces


def test_a_leaf_is_the_hash_that_the_design_writes_down() -> None:
    blind, head = b"s" * 32, b"h" * 32
    written = hashlib.sha256(b"kluis/slot/v1" + blind + (7).to_bytes(8, "big") + head).digest()
    assert slots.leaf(blind, slots.state(7, head)) == written
    assert slots.leaf(blind, slots.NOBODY) == hashlib.sha256(b"kluis/void-slot/v1" + blind).digest()


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 511, 512, 513, 1000])
def test_roots_of_blocks_give_the_plain_tree_over_all_leaves_and_its_paths(count: int) -> None:
    held = states(count)
    roots, pieces = whole(held)
    plain = Tree()
    for one in (leaf for piece in pieces for leaf in piece):
        plain.append(one)
    assert slots.root(roots) == plain.root()
    summary = slots.Summary(EPOCH, 10_000, count, plain.root(), 1, 7)
    for slot in {0, count // 2, count - 1}:
        steps = slots.path(pieces[slot // slots.BLOCK], roots, slot)
        assert steps == plain.inclusion(slot, count)
        own = held[slot * slots.STATE : (slot + 1) * slots.STATE]
        slots.verify(summary, slot, slots.salt(KEY, EPOCH, slot), own, steps)


def test_no_other_count_head_slot_salt_or_epoch_passes() -> None:
    held = states(300)
    roots, pieces = whole(held)
    summary = slots.Summary(EPOCH, 10_000, 300, slots.root(roots), 1, 7)
    blind, own = slots.salt(KEY, EPOCH, 270), held[270 * slots.STATE : 271 * slots.STATE]
    steps = slots.path(pieces[1], roots, 270)
    slots.verify(summary, 270, blind, own, steps)
    spoilt = [
        (270, blind, slots.state(270, own[8:]), steps),
        (270, blind, slots.state(271, bytes(32)), steps),
        (270, blind, slots.NOBODY, steps),
        (271, blind, own, steps),
        (300, blind, own, steps),
        (270, slots.salt(KEY, EPOCH + 1, 270), own, steps),
        (270, blind[:-1], own, steps),
        (270, blind, own[:-1], steps),
        (270, blind, own, steps[:-1]),
    ]
    for case in spoilt:
        with pytest.raises(Damaged):
            slots.verify(summary, *case)


def test_every_leaf_is_new_in_every_epoch_and_no_salt_comes_twice() -> None:
    held = states(600)
    (_, one), (_, two) = whole(held), whole(held, EPOCH + 1)
    seen = [leaf for pieces in (one, two) for piece in pieces for leaf in piece]
    assert len(set(seen)) == 1200
    blinds = {slots.salt(KEY, epoch, slot) for epoch in (EPOCH, EPOCH + 1) for slot in range(600)}
    assert len(blinds) == 1200


def test_a_summary_has_one_written_form_and_reads_back() -> None:
    made = slots.Summary(EPOCH, 12, 3, bytes(32), 1, 7)
    assert slots.read(made.body) == made
    assert slots.read(canonical({"type": "kluis/other/v1"})) is None
    for body in (made.body + b" ", made.body.replace(b":3", b':"3"'), b"{", made.body.replace(b'"slots":3,', b"")):
        with pytest.raises(Damaged):
            slots.read(body)


def test_epochs_are_minutes_and_ten_of_them_above_a_hundred_thousand_pods() -> None:
    at = (EPOCH + 7) * 60_000 + 59_999
    assert [slots.epoch_of(at, pods) for pods in (0, 100_000)] == [EPOCH + 7] * 2
    assert slots.epoch_of(at, 100_001) == EPOCH and slots.every(100_001) == 10


def test_random_states_and_slots_verify_only_as_they_were() -> None:
    chance = random.Random(1)
    for _ in range(50):
        held = states(chance.randint(1, 700))
        count = len(held) // slots.STATE
        roots, pieces = whole(held)
        slot, other = chance.randrange(count), chance.randrange(count)
        steps = slots.path(pieces[slot // slots.BLOCK], roots, slot)
        summary = slots.Summary(EPOCH, 1, count, slots.root(roots), 1, 7)
        own = held[other * slots.STATE : (other + 1) * slots.STATE]
        if other == slot:
            slots.verify(summary, slot, slots.salt(KEY, EPOCH, slot), own, steps)
        else:
            with pytest.raises(Damaged):
                slots.verify(summary, slot, slots.salt(KEY, EPOCH, slot), own, steps)
