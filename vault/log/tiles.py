"""The tree that the public sees: leaves in order, signed checkpoints on a fixed clock, C2SP tlog-tiles.

The tree is a pure function of the durable entries. Its full tiles are stored beside each checkpoint, so that a start
computes only what came after them, however long the log is; `vault.fsck` computes all of it anew. It must contain the
last published checkpoint, else we refuse to start (access-log.md, Order). The writer's thread adds leaves, the loop's
thread reads up to a published size, which never changes again.
"""

from typing import Any

from keys.errors import Damaged
from keys.merkle import Tree, leaf_hash
from keys.note import checkpoint, open_note, read_checkpoint, sign_note, vkey
from keys.sign import signer_public
from vault.database import Tx
from vault.errors import DamagedItem, NotFound
from vault.log.handover import LogKeys
from vault.tables import Checkpoint, Entry, Tile

WIDTH = 256
FULL = "SELECT coalesce(max(idx) + 1, 0) FROM tile WHERE first = :first AND level = 0"
LEAVES = "SELECT idx, leaf FROM entry WHERE idx >= :first AND idx < :end ORDER BY idx"


class Ledger:
    """The Merkle tree of one log shard and its latest checkpoint."""

    def __init__(self, origin: str, keys: LogKeys, read: Tx, first: int = 0) -> None:
        """Begin empty at entry `first` of the whole log; positions here count from there. `read` gives stored tiles."""
        self.origin, self._keys, self._read, self.first = origin, keys, read, first
        self.half = origin.rpartition("/")[2]
        self.tree = Tree(self._fetch)
        self.shown = (0, "", self._own)
        """Size, note and verification key of the published head: set together, for threads that read all three."""

    @property
    def size(self) -> int:
        """How many entries the published head has."""
        return self.shown[0]

    @property
    def note(self) -> str:
        """The published head, "" before there is one."""
        return self.shown[1]

    @property
    def vkey(self) -> str:
        """The verification key that it is signed with."""
        return self.shown[2]

    @property
    def _own(self) -> str:
        return vkey(self.origin, signer_public(self._keys.private))

    @property
    def vkeys(self) -> list[str]:
        """The verification keys of all that may have signed a head of this shard, the present one first."""
        publics = (signer_public(self._keys.private), *reversed(self._keys.earlier))
        return [vkey(self.origin, public) for public in publics]

    @property
    def told(self) -> dict[str, Any]:
        """The shard as JSON: `first` is the place of its first entry in the whole log."""
        size, note, key = self.shown
        return {"origin": self.origin, "vkey": key, "checkpoint": note, "size": size, "first": self.first}

    def load(self, end: int) -> None:
        """Bring back the tree of the entries before `end`. Raises DamagedItem if its last checkpoint is not in it."""
        tx = self._read
        full = int(tx.run(FULL, first=self.first)[0][0])
        self.tree, here = Tree(self._fetch, full), self.first + full * WIDTH
        if full and tx.get(Entry, here - 1) is None:
            raise DamagedItem(f"log entry {here - 1} is missing")
        for place, (idx, leaf) in enumerate(tx.run(LEAVES, first=here, end=end), here):
            if idx != place:
                raise DamagedItem(f"log entry {place} is missing")
            self.add(leaf)
        last = tx.find(Checkpoint, order_by="size", first=self.first)[-1:]
        if last:
            self._resume(last[0])

    def _fetch(self, level: int, idx: int) -> bytes:
        row = self._read.get(Tile, self.first, level, idx)
        if row is None or len(row.hashes) != WIDTH * 32:
            raise DamagedItem(f"tile {level}/{idx} of {self.half} is missing")
        return row.hashes

    def _resume(self, last: Checkpoint) -> None:
        try:
            signer = self._keys.signer(self.origin, last.note)
            text, _ = open_note(last.note, [signer])
            told = read_checkpoint(text)
        except Damaged as e:
            raise DamagedItem(f"the checkpoint of size {last.size} does not verify") from e
        if told.size > self.tree.size:
            raise DamagedItem(f"the log holds {self.tree.size} entries, its last checkpoint {told.size}")
        if self.tree.root(told.size) != told.root:
            raise DamagedItem(f"the log differs from its checkpoint of size {told.size}")
        self.shown = (told.size, last.note, signer)

    def add(self, leaf: bytes) -> None:
        """Append one durable entry."""
        self.tree.append(leaf_hash(leaf))

    def sign(self) -> Checkpoint:
        """A checkpoint over everything durable now; publish it by storing it and calling `show`."""
        size = self.tree.size
        text = checkpoint(self.origin, size, self.tree.root(size))
        return Checkpoint(first=self.first, size=size, note=sign_note(text, self.origin, self._keys.private))

    def tiles(self) -> list[Tile]:
        """Full tiles that are not stored yet; store them with the checkpoint."""
        return [Tile(first=self.first, level=at[0], idx=at[1], hashes=at[2]) for at in self.tree.closed()]

    def show(self, signed: Checkpoint, tiles: list[Tile]) -> None:
        """From now on this is the published head, and these tiles are stored."""
        self.shown = (signed.size, signed.note, self._own)
        for tile in tiles:
            self.tree.kept(tile.level, tile.idx)

    def dress(self, size: int, note: str) -> None:
        """The published head of this size has more signatures now; of an older size nothing changes."""
        if size == self.size:
            self.shown = (size, note, self.vkey)

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The proof of an entry in the published tree, or in that of a `size` published before.

        Raises NotFound if it is not published yet.
        """
        size = self.size if size is None else size
        if not 0 <= index < size:
            raise NotFound(f"entry {index} is not in the published tree of {size}")
        return self.tree.inclusion(index, size)

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
