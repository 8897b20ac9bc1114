"""What the log states in clear, against an export: summaries of all pods, and which records nobody can read any more.

What a summary counted is exactly what the export shows.

Read from the published forms, like everything in `web.verify`: a statement is `0x01 0x02 | JSON` in the log, the leaf
of a slot SHA-256(`kluis/slot/v1` | salt | count as u64be | SHA-256 of the last commitment), the tree that of RFC 6962.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any

from keys.errors import Damaged
from keys.merkle import verify_inclusion

RETENTION = "kluis/log-retention/v1"
TYPE = "kluis/slots/v1"
DOMAIN = b"kluis/slot/v1"
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What reading JSON of strangers may end in."""


class NotSummed(Exception):
    """A summary says something else than what is shown; the message says what."""


@dataclass(frozen=True)
class Shown:
    """What an export shows of a pod: the number of its first record, and of each record its place and the hash of its
    commitment; `slot` as its first record names it, None for an export that begins later.
    """

    first: int
    places: Sequence[int]
    heads: Sequence[bytes]
    slot: int | None

    def before(self, entries: int) -> tuple[int, bytes] | None:
        """How many records lie before an entry, and the hash of the last; None if the export begins after it."""
        older = sum(place < entries for place in self.places)
        return (self.first - 1 + older, self.heads[older - 1]) if older else None


@dataclass(frozen=True)
class Stated:
    """One summary as the log states it."""

    index: int
    epoch: int
    entries: int
    slots: int
    root: bytes


def over(leaves: Iterable[bytes]) -> int:
    """Before which entry records are no longer kept, as the newest statement about it says; 0 if none does."""
    return max((_ended(leaf) for leaf in leaves if leaf[:2] == b"\x01\x02" and RETENTION.encode() in leaf), default=0)


def _ended(leaf: bytes) -> int:
    try:
        told = json.loads(leaf[2:])
        return int(told["before"]) if told["type"] == RETENTION else 0
    except MALFORMED:
        return 0


def check(leaf: Callable[[int], bytes], shown: Shown, proofs: Iterable[Mapping[str, Any]], kept: int) -> int:
    """Check the summaries that an export brings, and that it leaves out none of the newest; return how many held.

    `leaf` gives an entry of the log, of which `kept` were there when the export was made. Raises NotSummed.
    """
    held = [_one(leaf, shown, proof) for proof in proofs]
    epochs = [epoch for epoch in held if epoch is not None]
    due = list(islice(_newest(leaf, shown.places[0], kept), 2))
    if due[1:] and max(epochs, default=0) < due[1]:  # the last one may not have been sealed yet
        raise NotSummed(f"the summary of epoch {due[1]} is left out")
    return len(epochs)


def _newest(leaf: Callable[[int], bytes], first: int, kept: int) -> Iterator[int]:
    """The epochs of summaries that cover an entry, newest first."""
    for index in range(kept - 1, first, -1):
        stated = _stated(index, leaf(index))
        if stated is not None and stated.entries > first:
            yield stated.epoch


def _one(leaf: Callable[[int], bytes], shown: Shown, proof: Mapping[str, Any]) -> int | None:
    """The epoch of a summary that says what is shown; None if the log that was read does not reach it."""
    try:
        index, slot, salt = int(proof["statement"]), int(proof["slot"]), _unb64(proof["salt"])
        path = [_unb64(step) for step in proof["path"]]
    except MALFORMED as error:
        raise NotSummed(f"a summary in the export is malformed: {error}") from None
    stated = _stated(index, leaf(index))
    if stated is None:
        raise NotSummed(f"entry {index} is no summary")
    state = shown.before(stated.entries)
    if state is None:
        return None
    if shown.slot not in (slot, None):
        raise NotSummed(f"the pod has slot {shown.slot}, the summary of epoch {stated.epoch} is about slot {slot}")
    own = sha256(DOMAIN + salt + state[0].to_bytes(8, "big") + state[1]).digest()
    try:
        verify_inclusion(own, slot, stated.slots, path, stated.root)
    except Damaged:
        raise NotSummed(f"the summary of epoch {stated.epoch} counted something else than {state[0]} records") from None
    return stated.epoch


def _stated(index: int, leaf: bytes) -> Stated | None:
    if leaf[:2] != b"\x01\x02":
        return None
    try:
        told = json.loads(leaf[2:])
        if told["type"] != TYPE:
            return None
        return Stated(index, int(told["epoch"]), int(told["entries"]), int(told["slots"]), _unb64(told["root"]))
    except MALFORMED:
        return None


def _unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
