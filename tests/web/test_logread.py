"""A log is read from outside in memory that does not grow with it, and no claim about its size is believed unsigned."""

import tracemalloc
from hashlib import sha256

import pytest

from keys.merkle import leaf_hash, verify_inclusion
from keys.note import checkpoint, read_checkpoint, sign_note, vkey
from keys.sign import new_signer, signer_public
from tests.web.shown_log import ORIGIN, SIZE, ShownLog
from web.logread import MOST, Growing, grown
from web.verify import LogBroken, check_records, read_log


class Endless:
    """A log of any length that is stored nowhere: every entry is made up when it is asked for."""

    def __init__(self, size: int) -> None:
        self.signer, growing = new_signer(), Growing()
        for index in range(size):
            growing.add(leaf_hash(self.leaf(index)))
        self.key = vkey(ORIGIN, signer_public(self.signer))
        self.note = sign_note(checkpoint(ORIGIN, size, growing.root()), ORIGIN, self.signer)
        self.asked: list[str] = []

    @staticmethod
    def leaf(index: int) -> bytes:
        return b"\x01\x00" + sha256(b"%d" % index).digest() * 2

    def fetch(self, path: str) -> bytes:
        self.asked.append(path)
        if path == "/log/checkpoint":
            return self.note.encode()
        if path == "/log/handovers":
            return b'{"hands": []}'
        index, _, width = path.removeprefix("/log/2026h2/tile/entries/").partition(".p/")
        first = int(index) * 256
        return b"".join(b"\x00\x42" + self.leaf(at) for at in range(first, first + int(width or 256)))


def peak(log: Endless) -> int:
    """How many bytes reading a log took at most."""
    tracemalloc.start()
    try:
        assert read_log(log.fetch, log.key).entries == read_checkpoint(log.note.partition("\n\n")[0] + "\n").size
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_log_of_ten_times_the_length_takes_no_more_memory() -> None:
    short, long = (peak(Endless(size)) for size in (3_000, 30_000))
    assert long < short + 100_000, (short, long)  # its entries alone are 2 MB


@pytest.mark.parametrize("size", [MOST + 1, 10**18])
def test_an_absurd_size_is_refused_before_one_entry_is_fetched_even_signed(size: int) -> None:
    log = Endless(3)
    log.note = sign_note(checkpoint(ORIGIN, size, bytes(32)), ORIGIN, log.signer)
    with pytest.raises(LogBroken, match="more than a half-year can have"):
        read_log(log.fetch, log.key)
    assert log.asked == ["/log/checkpoint"]


def test_a_size_that_no_key_of_the_log_signed_is_not_believed() -> None:
    log = Endless(3)
    log.note = sign_note(checkpoint(ORIGIN, MOST, bytes(32)), ORIGIN, new_signer())
    with pytest.raises(LogBroken, match="not signed by"):
        read_log(log.fetch, log.key)
    assert log.asked == ["/log/checkpoint", "/log/handovers"]


def test_a_signed_size_that_the_log_does_not_have_ends_at_the_first_short_bundle() -> None:
    log = ShownLog()
    asked: list[str] = []

    def fetch(path: str) -> bytes:
        asked.append(path)
        return b"" if path.startswith("/log/2026h2/tile/0/") else log.fetch(path)

    log.notes[-1] = sign_note(checkpoint(ORIGIN, 10**6, bytes(32)), ORIGIN, log.signer)
    with pytest.raises(LogBroken, match="differs from the signed tree"):
        read_log(fetch, log.key)
    assert len(asked) == 4


def test_a_bundle_that_is_another_one_when_it_is_read_again_is_refused() -> None:
    log = ShownLog()
    read = read_log(log.fetch, log.key)
    log.leaves[280] = log.leaves[281]
    with pytest.raises(LogBroken, match="others than when they were checked"):
        check_records(read, log.export())


def test_a_bundle_longer_than_any_can_be_is_refused() -> None:
    log = ShownLog()
    with pytest.raises(LogBroken, match="longer than any can be"):
        read_log(lambda path: b"\x00" * 20_000_000 if "entries" in path else log.fetch(path), log.key)


def test_roots_and_paths_over_tile_tops_are_those_of_the_whole_tree() -> None:
    log = ShownLog()
    shard = read_log(log.fetch, log.key).shards[0]
    growing = Growing()
    for size in range(1, SIZE + 1):
        growing.add(leaf_hash(log.leaves[size - 1]))
        assert growing.root() == log.tree.root(size) == grown(leaf_hash(leaf) for leaf in log.leaves[:size]).root()
        assert shard.root(size) == growing.root()
        path = shard.inclusion(size - 1)
        verify_inclusion(leaf_hash(log.leaves[size - 1]), size - 1, SIZE, path, shard.head.root)


SAYS = b"\x01\x02"
DEEP = b"[" * 20_000


@pytest.mark.parametrize(
    "leaf",
    [
        SAYS + b"no JSON but kluis/log-retention/v1",
        SAYS + b'["kluis/log-retention/v1"]',
        SAYS + b'{"type": "kluis/log-retention/v1", "before": Infinity}',
        SAYS + DEEP + b"kluis/log-retention/v1",
        SAYS + DEEP + b"kluis/log-key/v1",
    ],
)
def test_a_statement_that_somebody_on_the_way_made_up_is_a_broken_log_and_nothing_worse(leaf: bytes) -> None:
    log = Endless(3)

    def spoilt(path: str) -> bytes:
        if "/tile/0/" in path:
            return b""
        found = log.fetch(path)
        return len(leaf).to_bytes(2, "big") + leaf + found[68:] if "entries" in path else found

    with pytest.raises(LogBroken, match="differs from the signed tree"):
        read_log(spoilt, log.key)


def test_hand_overs_nested_without_end_are_a_broken_log_and_nothing_worse() -> None:
    log, other = Endless(3), Endless(2)
    answers = {"/log/handovers": b'{"hands": ' + DEEP}
    with pytest.raises(LogBroken, match="not signed by"):
        read_log(lambda path: answers.get(path) or log.fetch(path), other.key)
