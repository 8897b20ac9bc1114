"""A short memory: it forgets in time, it never grows, and what it keeps belongs to one key."""

from datetime import timedelta

import pytest

from consent.errors import OAuthError
from consent.oauth.tokens import SolidToken, make_token, verify_token
from consent.recent import Recent
from keys import sign
from keys.sign import new_es256
from tests.consent import sample

AT = int(sample.NOW.timestamp())
TOKEN = SolidToken(sample.BASE, "https://an.example/#me", "c", AT, AT + 300, "j", "t", "g", 1)


def test_what_is_too_old_or_from_the_future_is_forgotten() -> None:
    memory: Recent[str] = Recent(8, 60)
    memory.put(b"k", "v", sample.NOW)
    assert memory.get(b"k", sample.NOW + timedelta(seconds=59)) == "v"
    assert memory.get(b"k", sample.NOW + timedelta(seconds=60)) is None
    assert memory.get(b"k", sample.NOW - timedelta(seconds=1)) is None
    assert memory.get(b"other", sample.NOW) is None


def test_the_oldest_goes_first_when_it_is_full() -> None:
    memory: Recent[int] = Recent(3, 60)
    for number in (0, 1, 2, 0, 3):
        memory.put(bytes([number]), number, sample.NOW)
    assert [memory.get(bytes([n]), sample.NOW) for n in range(4)] == [0, None, 2, 3]


def test_a_remembered_signature_is_good_for_that_key_and_that_very_token_only() -> None:
    key, other = new_es256(), new_es256()
    text = make_token(TOKEN, key)
    before = sign.verifications
    for _ in range(3):
        assert verify_token(text, [sample.public(key)], sample.BASE, sample.NOW) == TOKEN
    assert sign.verifications == before + 1
    for wrong in (text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1], text.replace(".", ".e", 1)):
        with pytest.raises(OAuthError):
            verify_token(wrong, [sample.public(key)], sample.BASE, sample.NOW)
    with pytest.raises(OAuthError):
        verify_token(text, [sample.public(other) | {"kid": key["kid"]}], sample.BASE, sample.NOW)
    with pytest.raises(OAuthError):
        verify_token(text, [sample.public(key)], sample.BASE, sample.NOW + timedelta(seconds=300))
    with pytest.raises(OAuthError):
        verify_token(text, [sample.public(key)], "https://other.example", sample.NOW)
