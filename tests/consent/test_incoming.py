import json

import pytest

from consent import incoming
from consent.errors import OAuthError
from consent.oauth.rar import read_details
from tests.consent.sample import APP, BASE, NOW, detail


@pytest.mark.parametrize(
    "text",
    [
        '"\\ud800"',
        '["\\udfff"]',
        '{"a": {"\\ud83d": 1}}',
        '{"a": "b\\u0000c"}',
        "[NaN]",
        "[1e400]",
        "[" * 33 + "]" * 33,
        "[" * 100_000,
        '{"a":' * 1000 + "1" + "}" * 1000,
        "[" + "9" * 5000 + "]",
        "",
        b"\xff\xfe\x00",
        b'"\xed\xa0\x80"',
    ],
)
def test_what_could_not_be_stored_or_shown_is_no_json_here(text):
    with pytest.raises(ValueError):
        incoming.read(text)


def test_everything_else_comes_through_as_it_was_sent():
    sent = {"a": ["é 🎷", 1, 1.5, None, True], "\n": {}}
    assert incoming.read(json.dumps(sent)) == incoming.read(json.dumps(sent).encode()) == sent


@pytest.mark.parametrize("name", sorted(detail()))
def test_half_a_surrogate_pair_anywhere_in_a_request_is_refused_at_once(name):
    def planted(value):
        if isinstance(value, dict):
            return {key: planted(one) for key, one in value.items()}
        return [planted(one) for one in value] if isinstance(value, list) else "\ud800"

    faulty = json.dumps([{**detail(), name: planted(detail()[name])}])
    with pytest.raises(OAuthError) as caught:
        read_details(faulty, APP, BASE, NOW)
    assert caught.value.code == "invalid_authorization_details"
    assert caught.value.description == "The request is not JSON."
