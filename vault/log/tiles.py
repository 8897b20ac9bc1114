"""The tree that the public sees: leaves in order, signed checkpoints on a fixed clock, C2SP tlog-tiles.

The tree is a pure function of the durable entries: it is rebuilt from them at start and must contain the last
published checkpoint, else we refuse to start (access-log.md, Order). The writer's thread adds leaves, the loop's
thread reads up to a published size, which never changes again.
"""

from typing import Any

from keys.errors import Damaged
from keys.merkle import Tree, leaf_hash
from keys.note import checkpoint, open_note, read_checkpoint, sign_note, vkey
from keys.secret import Private
from keys.sign import signer_public
from vault.database import Tx
from vault.errors import DamagedItem, NotFound
from vault.tables import Checkpoint

WIDTH = 256
LEAVES = "SELECT idx, leaf FROM entry WHERE idx >= :first AND idx < :end ORDER BY idx"


class Ledger:
    """The Merkle tree of one log shard and its latest checkpoint."""

    def __init__(self, origin: str, signer: Private, first: int = 0) -> None:
        """Begin empty at entry `first` of the whole log; positions here count from there."""
        self.origin, self._signer, self.first = origin, signer, first
        self.half = origin.rpartition("/")[2]
        self.vkey = vkey(origin, signer_public(signer))
        self.tree = Tree()
        self.size = 0
        self.note = ""

    @property
    def told(self) -> dict[str, Any]:
        """The shard as JSON: `first` is the place of its first entry in the whole log."""
        return {
            "origin": self.origin,
            "vkey": self.vkey,
            "checkpoint": self.note,
            "size": self.size,
            "first": self.first,
        }

    def load(self, tx: Tx, end: int) -> None:
        """Rebuild the tree from the durable entries before `end`. Raises DamagedItem if its checkpoint is not in it."""
        for place, (idx, leaf) in enumerate(tx.run(LEAVES, first=self.first, end=end), self.first):
            if idx != place:
                raise DamagedItem(f"log entry {place} is missing")
            self.add(leaf)
        last = tx.find(Checkpoint, order_by="size", first=self.first)[-1:]
        if last:
            self._resume(last[0])

    def _resume(self, last: Checkpoint) -> None:
        try:
            text, _ = open_note(last.note, [self.vkey])
            told = read_checkpoint(text)
        except Damaged as e:
            raise DamagedItem(f"the checkpoint of size {last.size} does not verify") from e
        if told.size > self.tree.size:
            raise DamagedItem(f"the log holds {self.tree.size} entries, its last checkpoint {told.size}")
        if self.tree.root(told.size) != told.root:
            raise DamagedItem(f"the log differs from its checkpoint of size {told.size}")
        self.size, self.note = told.size, last.note

    def add(self, leaf: bytes) -> None:
        """Append one durable entry."""
        self.tree.append(leaf_hash(leaf))

    def sign(self) -> Checkpoint:
        """A checkpoint over everything durable now; publish it by storing it and calling `show`."""
        size = self.tree.size
        text = checkpoint(self.origin, size, self.tree.root(size))
        return Checkpoint(first=self.first, size=size, note=sign_note(text, self.origin, self._signer))

    def show(self, signed: Checkpoint) -> None:
        """From now on this is the published head."""
        self.size, self.note = signed.size, signed.note

    def dress(self, size: int, note: str) -> None:
        """The published head of this size has more signatures now; of an older size nothing changes."""
        if size == self.size:
            self.note = note

    def inclusion(self, index: int) -> list[bytes]:
        """The proof of an entry in the published tree; NotFound if it is not published yet."""
        if not 0 <= index < self.size:
            raise NotFound(f"entry {index} is not in the published tree of {self.size}")
        return self.tree.inclusion(index, self.size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of size `old` is a prefix of that of size `new`, both published."""
        if not 0 < old <= new <= self.size:
            raise NotFound(f"no proof between {old} and {new}")
        return self.tree.consistency(old, new)

    def tile(self, level: int, index: int, width: int) -> bytes:
        """The hash tile at (level, index) with `width` hashes of 32 bytes; NotFound outside the published tree."""
        at_level = self.size >> (8 * level)
        if level > 7 or width < 1 or index * WIDTH + width > at_level:
            raise NotFound("no such tile")
        return self.tree.tile(level, index, width)

    def bundle(self, tx: Tx, index: int, width: int) -> bytes:
        """The entry bundle: `width` entries, each with its 16-bit length (tlog-tiles, Log Entries)."""
        first = index * WIDTH
        if width < 1 or first + width > self.size:
            raise NotFound("no such tile")
        rows = tx.run(LEAVES, first=self.first + first, end=self.first + first + width)
        return b"".join(len(leaf).to_bytes(2, "big") + leaf for _, leaf in rows)
