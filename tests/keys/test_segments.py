"""A message sealed in segments: the same envelope as sealed at once, and each opens by itself or not at all."""

import pytest
from hypothesis import given, strategies as st

from keys.context import ctx
from keys.errors import Damaged, Misuse
from keys.seal import CHUNK, HEAD, SEGMENT, SegmentSealer, sealed_size
from keys.secret import DataKey
from keys.unseal import SegmentOpener, unseal

CONTEXT = ctx("segments", b"p" * 16, b"r" * 16, b"s" * 16)
SIZES = st.sampled_from([0, 1, CHUNK - 1, CHUNK, SEGMENT - 1, SEGMENT, SEGMENT + CHUNK, 2 * SEGMENT, 2 * SEGMENT + 7])


def sealed(key: DataKey, body: bytes) -> tuple[bytes, list[bytes]]:
    made = SegmentSealer(key, CONTEXT)
    return made.head, [made.seal(body[at : at + SEGMENT]) for at in range(0, len(body) + 1, SEGMENT)]


@given(SIZES)
def test_segments_joined_are_the_envelope_that_opens_whole_and_each_opens_by_itself(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    with DataKey.fresh() as key:
        head, parts = sealed(key, body)
        assert len(head) == HEAD and len(head) + sum(map(len, parts)) == sealed_size(size)
        assert unseal(key, CONTEXT, head + b"".join(parts)) == body
        opener = SegmentOpener(key, CONTEXT, head, size)
        for number in reversed(range(len(parts))):
            assert opener.open(number, parts[number]) == body[number * SEGMENT : (number + 1) * SEGMENT]


def test_a_segment_in_another_place_cut_or_of_a_message_of_another_size_does_not_open() -> None:
    with DataKey.fresh() as key:
        head, parts = sealed(key, bytes(2 * SEGMENT + 100))
        opener = SegmentOpener(key, CONTEXT, head, 2 * SEGMENT + 100)
        for number, part in ((0, parts[1]), (1, parts[0]), (2, parts[2][:-1]), (1, parts[1][:-CHUNK]), (3, parts[2])):
            with pytest.raises(Damaged):
                opener.open(number, part)
        short = SegmentOpener(key, CONTEXT, head, 2 * SEGMENT)
        with pytest.raises(Damaged):
            short.open(2, parts[2])
        with pytest.raises(Damaged):
            SegmentOpener(key, ctx("segments", b"q" * 16, b"r" * 16, b"s" * 16), head, 2 * SEGMENT + 100)


def test_nothing_is_sealed_after_the_last_segment() -> None:
    with DataKey.fresh() as key:
        made = SegmentSealer(key, CONTEXT)
        made.seal(b"the end")
        with pytest.raises(Misuse):
            made.seal(b"and more")
