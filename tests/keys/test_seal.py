"""The envelope against a second implementation, and 300 random mutations of which none may open."""

import random

import pytest

from keys.context import ctx
from keys.errors import Damaged, Misuse, UnknownVersion
from keys.seal import seal
from keys.secret import DataKey, Secret
from keys.unseal import unseal, unseal_secret
from tests.keys.independent import envelope
from tests.keys.places import POD, RESOURCE, all_contexts

KEY = DataKey(bytes(range(32)))
CONTEXT = ctx("label", POD, RESOURCE, 1)
SIZES = [0, 1, 15, 1024, 16383, 16384, 16385, 32768, 40000]
PINNED = bytes.fromhex(
    "016465666768696a6b6c6d6e6f707172737475767778797a7bb125139ba0761e99f9c082ea138b243576e2ef625d8d7ceccb"
    "b0dbe6f2aa1ba30937e43cf813d07926269f6db2a25bd72a12334b92"
)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_opens_and_has_the_promised_length(size):
    plaintext = random.Random(size).randbytes(size)
    sealed = seal(KEY, CONTEXT, plaintext)
    assert len(sealed) == 57 + size + 16 * (size // 16384 + 1)
    assert unseal(KEY, CONTEXT, sealed) == plaintext


@pytest.mark.parametrize("size", SIZES)
def test_a_second_implementation_of_the_specification_agrees_byte_for_byte(size):
    plaintext = random.Random(size).randbytes(size)
    sealed = seal(KEY, CONTEXT, plaintext)
    assert envelope(bytes(KEY.view()), sealed[1:25], CONTEXT, plaintext) == sealed


def test_an_envelope_of_the_first_day_still_opens():
    assert unseal(KEY, CONTEXT, PINNED) == b"Kluis"


def test_sealing_twice_gives_two_envelopes():
    assert seal(KEY, CONTEXT, b"same") != seal(KEY, CONTEXT, b"same")


def test_any_buffer_can_be_sealed_and_opened():
    for kind in (bytes, bytearray, memoryview):
        assert unseal(KEY, CONTEXT, kind(seal(KEY, CONTEXT, kind(b"buffer")))) == b"buffer"


def mutations(sealed: bytes, seed: int, count: int):
    dice = random.Random(seed)
    for _ in range(count):
        at = dice.randrange(len(sealed))
        yield dice.choice(
            [
                sealed[:at] + bytes([sealed[at] ^ 1 << dice.randrange(8)]) + sealed[at + 1 :],
                sealed[:at],
                sealed[at + 1 :],
                sealed + dice.randbytes(dice.randrange(1, 40)),
                sealed[:at] + dice.randbytes(1) + sealed[at:],
                sealed[:at] + sealed[at : at + 16][::-1] + sealed[at + 16 :],
            ]
        )


def test_none_of_300_random_mutations_opens():
    sealed = seal(KEY, CONTEXT, random.Random(7).randbytes(20000))
    tried = [mutant for mutant in mutations(sealed, seed=20261121, count=320) if mutant != sealed]
    assert len(tried) >= 300
    for mutant in tried:
        with pytest.raises((Damaged, UnknownVersion)):
            unseal(KEY, CONTEXT, mutant)


def test_no_flipped_bit_of_a_small_envelope_opens():
    sealed = seal(KEY, CONTEXT, b"x")
    for bit in range(8 * len(sealed)):
        mutant = bytearray(sealed)
        mutant[bit // 8] ^= 1 << bit % 8
        with pytest.raises((Damaged, UnknownVersion)):
            unseal(KEY, CONTEXT, mutant)


def test_no_prefix_of_an_envelope_opens_and_no_cut_at_a_chunk():
    sealed = seal(KEY, CONTEXT, bytes(40000))
    for size in [*range(1, 120), 57 + 16400, 57 + 2 * 16400, 57 + 16400 + 16, len(sealed) - 1]:
        with pytest.raises(Damaged):
            unseal(KEY, CONTEXT, sealed[:size])
    with pytest.raises(UnknownVersion):
        unseal(KEY, CONTEXT, b"")


def test_swapped_repeated_and_foreign_chunks_never_open():
    one, two = (seal(KEY, CONTEXT, bytes([value]) * 40000) for value in (1, 2))
    cut = [57 + 16400 * number for number in range(3)]
    first, second, last = one[cut[0] : cut[1]], one[cut[1] : cut[2]], one[cut[2] :]
    head = one[:57]
    for body in (second + first + last, first + first + last, first + last, two[57:], first + two[cut[1] :]):
        with pytest.raises(Damaged):
            unseal(KEY, CONTEXT, head + body)


def test_a_swapped_context_never_opens():
    """Every kind, and every kind with each of its fields changed in turn, against every other."""
    contexts = all_contexts()
    for context in contexts:
        sealed = seal(KEY, context, b"here")
        for other in contexts:
            if other != context:
                with pytest.raises(Damaged):
                    unseal(KEY, other, sealed)
        assert unseal(KEY, context, sealed) == b"here"


def test_another_key_never_opens():
    with pytest.raises(Damaged):
        unseal(DataKey.fresh(), CONTEXT, seal(KEY, CONTEXT, b"x"))


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_refused_before_anything_is_tried(version):
    sealed = seal(KEY, CONTEXT, b"x")
    with pytest.raises(UnknownVersion):
        unseal(KEY, CONTEXT, bytes([version]) + sealed[1:])


def test_a_wiped_key_neither_seals_nor_opens():
    key = DataKey.fresh()
    sealed = seal(key, CONTEXT, b"x")
    key.wipe()
    with pytest.raises(Misuse):
        seal(key, CONTEXT, b"x")
    with pytest.raises(Misuse):
        unseal(key, CONTEXT, sealed)


def test_an_envelope_that_holds_no_secret_gives_none():
    with pytest.raises(Damaged):
        unseal_secret(KEY, CONTEXT, seal(KEY, CONTEXT, bytes(31)), Secret)
