import random

import pytest

from keys.context import ctx
from keys.dropbox import collect, deliver, pair, public_of
from keys.errors import Damaged, KeysError, UnknownVersion
from keys.secret import DataKey, Private, RecordKey
from tests.keys.independent import open_letter
from tests.keys.places import GRANT, OTHER, PART, POD, RESOURCE

HERE = (POD, PART, 1, RESOURCE, 1, "deposit")
CONTEXT = ctx("dek", *HERE)


def test_a_letter_opens_for_its_receiver():
    private, public = pair()
    data = DataKey.fresh()
    letter = deliver(public, CONTEXT, data)
    assert len(letter) == 81
    assert collect(private, CONTEXT, letter, DataKey) == data


def test_a_second_implementation_of_rfc_9180_opens_our_letters():
    private, public = pair()
    data = DataKey.fresh()
    opened = open_letter(bytes(private.view()), CONTEXT, deliver(public, CONTEXT, data))
    assert opened == bytes(data.view())


def test_the_public_half_is_the_one_of_rfc_7748():
    """Section 6.1, Alice."""
    alice = Private(bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
    assert public_of(alice).hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"


def test_a_letter_for_somebody_else_never_opens():
    _, public = pair()
    other, _ = pair()
    with pytest.raises(Damaged):
        collect(other, CONTEXT, deliver(public, CONTEXT, DataKey.fresh()), DataKey)


def test_a_letter_never_opens_at_another_place():
    private, public = pair()
    letter = deliver(public, CONTEXT, DataKey.fresh())
    for at, other in enumerate((OTHER, GRANT, 2, GRANT, 2)):
        with pytest.raises(Damaged):
            collect(private, ctx("dek", *HERE[:at], other, *HERE[at + 1 :]), letter, DataKey)
    with pytest.raises(Damaged):
        collect(private, ctx("record-key", POD, "origin", GRANT), letter, RecordKey)


def test_none_of_300_random_mutations_of_a_letter_opens():
    private, public = pair()
    letter = deliver(public, CONTEXT, DataKey.fresh())
    dice = random.Random(9180)
    for number in range(300):
        at = dice.randrange(len(letter))
        flipped = letter[:at] + bytes([letter[at] ^ 1 << dice.randrange(8)]) + letter[at + 1 :]
        for mutant in (flipped, letter[:at], letter + dice.randbytes(1 + number % 20)):
            with pytest.raises((Damaged, UnknownVersion)):
                collect(private, CONTEXT, mutant, DataKey)


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33), bytes(32)], ids=["empty", "short", "long", "low order"])
def test_nothing_is_sealed_to_what_is_no_public_key(public):
    with pytest.raises(KeysError):
        deliver(public, CONTEXT, DataKey.fresh())
