import copy
import pickle

import pytest

from keys.errors import Misuse
from keys.secret import CompartmentKey, DataKey, Secret, Share, derive, fresh_bytes
from tests.keys.independent import expand, extract

ONE, TWO = bytes(range(32)), bytes(range(32, 64))


def test_a_wiped_secret_leaves_zeros_and_refuses_further_use():
    secret = Secret(ONE)
    memory = secret.view()
    secret.wipe()
    secret.wipe()
    assert bytes(memory) == bytes(32)
    with pytest.raises(Misuse):
        secret.view()


def broken_use(views):
    with Secret(ONE) as secret:
        views.append(secret.view())
        raise ZeroDivisionError


def test_leaving_the_block_wipes_even_after_an_error():
    views = []
    with pytest.raises(ZeroDivisionError):
        broken_use(views)
    assert bytes(views[0]) == bytes(32)


def test_a_buffer_that_was_adopted_is_wiped_and_the_secret_lives():
    buffer = bytearray(ONE)
    secret = DataKey.adopt(buffer)
    assert bytes(buffer) == bytes(32)
    assert bytes(secret.view()) == ONE
    short = bytearray(b"x" * 31)
    with pytest.raises(Misuse):
        DataKey.adopt(short)
    assert bytes(short) == bytes(31)


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_only_32_bytes_are_a_secret(size):
    with pytest.raises(Misuse):
        Secret(bytes(size))


def test_a_secret_shows_its_type_and_nothing_else():
    assert repr(DataKey(ONE)) == str(DataKey(ONE)) == f"{DataKey(ONE)}" == "<DataKey>"


def test_a_secret_is_not_pickled_copied_or_hashed():
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(Misuse):
            leak(Secret(ONE))
    with pytest.raises(TypeError):
        hash(Secret(ONE))


def test_secrets_are_equal_only_with_the_same_bytes_and_type():
    assert DataKey(ONE) == DataKey(ONE)
    assert DataKey(ONE) != DataKey(TWO)
    assert DataKey(ONE) != CompartmentKey(ONE)
    assert DataKey(ONE) != ONE


def test_a_derived_key_is_hkdf_of_secret_share_and_context():
    without = derive(Secret(ONE), b"context")
    assert bytes(without.view()) == expand(extract(bytes(32), ONE), b"context", 32)
    shared = derive(Secret(ONE), b"context", Share(TWO), DataKey)
    assert type(shared) is DataKey
    assert bytes(shared.view()) == expand(extract(bytes(32), ONE + TWO), b"context", 32)


def test_another_secret_share_or_context_derives_another_key():
    keys = [
        derive(Secret(secret), context, share)
        for secret in (ONE, TWO)
        for context in (b"a", b"b")
        for share in (None, Share(ONE), Share(TWO))
    ]
    assert len({bytes(key.view()) for key in keys}) == len(keys)


def test_fresh_secrets_and_bytes_never_repeat():
    assert len({bytes(Secret.fresh().view()) for _ in range(100)}) == 100
    assert len({fresh_bytes(16) for _ in range(100)}) == 100
