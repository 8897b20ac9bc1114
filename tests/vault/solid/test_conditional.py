"""ETags and preconditions: no lost update, no tag that tells something."""

import pytest

from vault.solid.conditional import etag, evaluate_read, evaluate_write
from vault.solid.rdf import JSON_LD, TURTLE

KEY = bytes(range(16))
T3, J3, T2 = etag(KEY, 3, TURTLE), etag(KEY, 3, JSON_LD), etag(KEY, 2, TURTLE)
FAILED = "precondition_failed"


def test_each_version_and_representation_has_its_own_strong_tag() -> None:
    assert len({T3, J3, T2, etag(KEY, 3, "image/png"), etag(bytes(16), 3, TURTLE)}) == 5
    assert etag(KEY, 3, TURTLE) == T3
    assert T3[0] == T3[-1] == '"'


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "version", "expected"),
    [
        (None, None, 3, None),
        (None, None, None, None),
        (T3, None, 3, 3),
        (J3, None, 3, 3),
        (f'"x", {T2},{J3}', None, 3, 3),
        (T2, None, 3, FAILED),
        ("W/" + T3, None, 3, FAILED),
        ("*", None, 3, 3),
        ("*", None, None, FAILED),
        (T3, None, None, FAILED),
        ("garbage", None, 3, FAILED),
        (None, "*", None, "absent"),
        (None, "*", 3, FAILED),
        (None, T3, 3, FAILED),
        (None, "W/" + T3, 3, FAILED),
        (None, T2, 3, 3),
        (T3, "*", 3, FAILED),
    ],
)
def test_a_write_expects_what_its_headers_name(
    if_match: str | None, if_none_match: str | None, version: int | None, expected: object
) -> None:
    assert evaluate_write(if_match, if_none_match, KEY, version) == expected


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "expected"),
    [
        (None, None, None),
        (None, T3, "not_modified"),
        (None, "W/" + T3, "not_modified"),
        (None, "*", "not_modified"),
        (None, J3, None),
        (None, T2, None),
        (T3, None, None),
        (J3, None, None),
        (T2, None, FAILED),
    ],
)
def test_a_read_is_spared_only_for_the_same_representation(
    if_match: str | None, if_none_match: str | None, expected: str | None
) -> None:
    assert evaluate_read(if_match, if_none_match, T3, KEY, 3) == expected
