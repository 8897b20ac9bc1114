"""What seals many records under one key: against a second implementation, mutations, and how often it may be used."""

import random

import pytest

from keys import seal as sealing
from keys.context import ctx
from keys.errors import Damaged, Misuse, UnknownVersion
from keys.seal import Sealer, seal
from keys.secret import RecordKey
from keys.unseal import unseal, unseal_record
from tests.keys.independent import record_envelope
from tests.keys.places import GRANT, HANDLE, all_contexts

KEY = RecordKey(bytes(range(32)))
CONTEXT = ctx("record", "kluis.test/log/2026h2", HANDLE, GRANT)


@pytest.mark.parametrize("size", [0, 1, 600, 100_000])
def test_a_second_implementation_of_the_decision_agrees_byte_for_byte(size: int) -> None:
    plaintext = random.Random(size).randbytes(size)
    sealed = Sealer(KEY).seal(CONTEXT, plaintext)
    assert record_envelope(bytes(KEY.view()), sealed[1:13], CONTEXT, plaintext) == sealed
    assert unseal_record(KEY, CONTEXT, sealed) == plaintext


def test_no_two_seals_have_one_nonce_whoever_made_them_under_the_key() -> None:
    sealers = Sealer(KEY), Sealer(KEY)
    assert len({sealer.seal(CONTEXT, b"same")[1:13] for _ in range(500) for sealer in sealers}) == 1000


def test_a_key_seals_as_often_as_it_may_and_not_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "MOST", 2)
    sealer = Sealer(KEY)
    for left in (1, 0):
        sealer.seal(CONTEXT, b"x")
        assert sealer.left == left
    with pytest.raises(Misuse, match="as often as it may"):
        sealer.seal(CONTEXT, b"x")


def test_no_flipped_bit_no_cut_and_no_tail_opens() -> None:
    sealed = Sealer(KEY).seal(CONTEXT, b"a record")
    flipped = [
        (int.from_bytes(sealed, "big") ^ 1 << bit).to_bytes(len(sealed), "big") for bit in range(8 * len(sealed))
    ]
    for mutant in [*flipped, *(sealed[:size] for size in range(len(sealed))), sealed + b"\0"]:
        with pytest.raises((Damaged, UnknownVersion)):
            unseal_record(KEY, CONTEXT, mutant)


def test_it_opens_in_its_own_context_and_under_its_own_key_alone() -> None:
    sealed = Sealer(KEY).seal(CONTEXT, b"a record")
    for other in all_contexts():
        if other != CONTEXT:
            with pytest.raises(Damaged):
                unseal_record(KEY, other, sealed)
    with pytest.raises(Damaged):
        unseal_record(RecordKey.fresh(), CONTEXT, sealed)


def test_neither_form_opens_as_the_other() -> None:
    with pytest.raises(UnknownVersion):
        unseal(KEY, CONTEXT, Sealer(KEY).seal(CONTEXT, b"x"))
    for mutant in (envelope := seal(KEY, CONTEXT, b"x"), b"\x02" + envelope[1:]):
        with pytest.raises((Damaged, UnknownVersion)):
            unseal_record(KEY, CONTEXT, mutant)
