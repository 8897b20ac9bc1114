"""The slot tree: one leaf per pod, so that what a pod's log held at a moment cannot be changed afterwards.

Each pod has one slot for ever. Every epoch the server publishes the root over all slots as a statement in the log:
leaf = SHA-256(DOMAIN | salt | count | head), with how many entries the pod had and the hash of its last commitment.
The tree is that of RFC 6962, leaves as they are (DOMAIN keeps them apart from inner nodes). Salts are fresh each epoch,
so a path says nothing of the neighbours; a slot whose pod was erased goes on as a leaf of salt alone. Pure rules:
`vault.log.epochs` keeps what they need.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256, shake_256
from typing import Any, Final

from keys.errors import Damaged
from keys.merkle import Tree, verify_inclusion
from keys.secret import Secret
from keys.text import b64, canonical, unb64

TYPE: Final = "kluis/slots/v1"
DOMAIN: Final = b"kluis/slot/v1"
VOID: Final = b"kluis/void-slot/v1"
BLOCK: Final = 256
STATE: Final = 40
"""Bytes of a slot's state: how many entries (u64be) and the 32-byte head; all zero for a slot without a pod."""
NOBODY: Final = bytes(STATE)
_SALT: Final = 32  # bytes of a salt, and of a hash
MINUTE_MS: Final = 60_000
MANY: Final = 100_000


@dataclass(frozen=True, slots=True)
class Summary:
    """The statement of one epoch (minutes since 1970): the root over `slots` slots after the first `entries` entries.

    `every` is the number of minutes until the next one is due, `before` the epoch of the one before, 0 for the first:
    so that a server cannot skip the one that says otherwise.
    """

    epoch: int
    entries: int
    slots: int
    root: bytes
    every: int
    before: int

    @property
    def body(self) -> bytes:
        """As it stands in the log (RFC 8785)."""
        told = {"type": TYPE, "epoch": self.epoch, "entries": self.entries, "slots": self.slots}
        return canonical({**told, "root": b64(self.root), "every": self.every, "before": self.before})


def read(body: bytes) -> Summary | None:
    """The summary in a statement; None for a statement about something else. Raises Damaged for a malformed one."""
    try:
        told: Any = json.loads(body)
        if not isinstance(told, dict) or told.get("type") != TYPE:
            return None
        times = told["every"], told["before"]
        made = Summary(told["epoch"], told["entries"], told["slots"], unb64(told["root"]), *times)
        numbers = (made.epoch, made.entries, made.slots, *times)
        if made.body != body or any(type(one) is not int or one < 0 for one in numbers):
            raise ValueError("not in its one form")
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged("a summary of the slots is malformed") from error
    return made


def every(slots: int) -> int:
    """Minutes between two epochs: 1, and 10 above 100,000 pods, since every pod has a new leaf each time."""
    return 1 if slots <= MANY else 10


def epoch_of(at: int, slots: int) -> int:
    """The epoch that a moment (ms) belongs to."""
    minute = at // MINUTE_MS
    return minute - minute % every(slots)


def salts(key: Secret, epoch: int, block: int) -> bytes:
    """The salts of the 256 slots of a block, 32 bytes each: SHAKE-256(key | epoch | block).

    A keyed sponge gives them all at once; an HMAC per slot would cost more than the whole tree.
    """
    return shake_256(bytes(key.view()) + epoch.to_bytes(8, "big") + block.to_bytes(8, "big")).digest(BLOCK * _SALT)


def leaf(salt: bytes, state: bytes) -> bytes:
    """The leaf of a slot: of its pod's state, or of nothing if it has none."""
    return sha256(VOID + salt).digest() if state == NOBODY else sha256(DOMAIN + salt + state).digest()


def state(count: int, head: bytes) -> bytes:
    """A slot's state: `count` entries, of which the last has a commitment with the SHA-256 `head`."""
    return count.to_bytes(8, "big") + head


def leaves(key: Secret, epoch: int, block: int, states: bytes) -> list[bytes]:
    """The leaves of one block from the states of its slots, at most 256."""
    blinds = salts(key, epoch, block)
    pairs = [(blinds[at * _SALT : (at + 1) * _SALT], states[at * STATE : (at + 1) * STATE]) for at in _places(states)]
    if NOBODY in states:  # perhaps only across two of them: `leaf` looks closer
        return [leaf(blind, held) for blind, held in pairs]
    return [sha256(DOMAIN + blind + held).digest() for blind, held in pairs]


def _places(states: bytes) -> range:
    return range(len(states) // STATE)


def blocks(key: Secret, epoch: int, states: bytes | bytearray) -> Iterator[bytes]:
    """The root of each block of 256 slots, one at a time, so that a thread can let others in between two."""
    width = BLOCK * STATE
    for number, begin in enumerate(range(0, len(states), width)):
        yield root(leaves(key, epoch, number, bytes(states[begin : begin + width])))


def root(hashes: Sequence[bytes]) -> bytes:
    """MTH over leaf hashes; over the roots of all blocks it is that of the whole tree, the last block being ragged."""
    if len(hashes) & (len(hashes) - 1) or not hashes:
        return _tree(hashes).root()
    row = b"".join(hashes)
    while len(row) > _SALT:  # a full block, as nearly all are
        row = b"".join([sha256(b"\1" + row[at : at + 2 * _SALT]).digest() for at in range(0, len(row), 2 * _SALT)])
    return row


def path(own_block: Sequence[bytes], block_roots: Sequence[bytes], slot: int) -> list[bytes]:
    """The audit path of a slot from the leaves of its block and the roots of all blocks."""
    inside = _tree(own_block).inclusion(slot % BLOCK, len(own_block))
    return inside + _tree(block_roots).inclusion(slot // BLOCK, len(block_roots))


def salt(key: Secret, epoch: int, slot: int) -> bytes:
    """The salt of one slot in one epoch: what its citizen is told to recompute her leaf."""
    at = slot % BLOCK * _SALT
    return salts(key, epoch, slot // BLOCK)[at : at + _SALT]


def verify(summary: Summary, slot: int, blind: bytes, held: bytes, steps: Sequence[bytes]) -> None:
    """Check that a slot had this state in the epoch of a summary. Raises Damaged."""
    if len(blind) != _SALT or len(held) != STATE:
        raise Damaged("a slot has a salt of 32 bytes and a state of 40")
    verify_inclusion(leaf(blind, held), slot, summary.slots, list(steps), summary.root)


def _tree(hashes: Sequence[bytes]) -> Tree:
    tree = Tree()
    for one in hashes:
        tree.append(one)
    return tree
