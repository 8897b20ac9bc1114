"""What a log read from outside is: half-years whose entries are under a signed root, read a bundle at a time.

Nothing of the entries stays in memory but 32 bytes for every 256 of them: the top of their tile (C2SP tlog-tiles), of
which the root is made. Whoever needs an entry again reads its bundle again and holds it against that top.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from federation.heirs import followed, is_hand
from keys.merkle import Tree, leaf_hash
from keys.note import Checkpoint
from web import summed

Fetch = Callable[[str], bytes]  # an absolute path such as /log/checkpoint to its body
Bundles = Callable[[int, int], list[bytes]]
"""The entries of a bundle, by its number and how many it has; not checked yet."""

WIDTH = 256
ENTRY = 66  # 0x01, kind, two commitments of 32 bytes
STATEMENT = 2  # the kind of an entry that says something in clear, of any length
LONGEST = WIDTH * (2 + 65_535)  # bytes of a bundle
MOST = 10**10  # entries of a half-year: 600 every second of it; whoever claims more is not read on


class LogBroken(Exception):
    """The log or an export of it does not verify; `entry` is the index of the first wrong entry, if it can be named."""

    code = "log_broken"

    def __init__(self, why: str, entry: int | None = None) -> None:
        super().__init__(why if entry is None else f"entry {entry}: {why}")
        self.entry = entry


class Growing:
    """The root of a tree whose leaf hashes come one by one; `tops` are those of its full tiles."""

    def __init__(self) -> None:
        self.tops, self._open, self.size = Tree(), Tree(), 0

    def add(self, digest: bytes) -> None:
        """Take in the next leaf hash."""
        self._open.append(digest)
        self.size += 1
        if self._open.size == WIDTH:
            self.tops.append(self._open.root())
            self._open = Tree()

    def root(self) -> bytes:
        """The root of all so far."""
        return self.tops.root_after(self._ragged())

    def mark(self) -> tuple[int, list[bytes]]:
        """What `closed` needs to go back to this moment."""
        return self.tops.size, self._ragged()

    def closed(self, mark: tuple[int, list[bytes]]) -> Tree:
        """The tops of all tiles up to a moment, the last one included that was not full."""
        return grown(chain((top(self.tops, index) for index in range(mark[0])), mark[1]))

    def _ragged(self) -> list[bytes]:
        return [self._open.root()] if self._open.size else []


class Passing:
    """What is kept of entries that pass by: the tree they make, and what some of them say of keys and of records."""

    def __init__(self) -> None:
        self.growing = Growing()
        self.hands: list[tuple[int, bytes]] = []
        self.over = 0

    def add(self, leaf: bytes) -> None:
        """Take in the next entry."""
        if leaf[1] == STATEMENT:
            if is_hand(leaf):
                self.hands.append((self.growing.size, leaf))
            self.over = max(self.over, summed.over([leaf]))
        self.growing.add(leaf_hash(leaf))

    def mark(self) -> tuple[int, tuple[int, list[bytes]], int]:
        """How far this is: entries, tops, and what ended."""
        return self.growing.size, self.growing.mark(), self.over


@dataclass(frozen=True)
class Shard:
    """One half-year whose every entry is under its signed root; `first` is its first entry's place in the whole log.

    hands: the places in its tree, and the entries, of statements by which a key handed over to the next.
    over: before which entry of the whole log records are no longer kept, as it says itself; 0 if it says nothing.
    """

    note: str
    head: Checkpoint
    tops: Tree
    bundle: Callable[[int], list[bytes]]
    first: int = 0
    hands: tuple[tuple[int, bytes], ...] = ()
    over: int = 0

    def leaf(self, position: int) -> bytes:
        """The entry at a position of this tree. Raises LogBroken if it is another one now than when it was checked."""
        return self.bundle(position // WIDTH)[position % WIDTH]

    def root(self, size: int) -> bytes:
        """The root of the first so many entries."""
        growing = Growing()
        for index in range(size // WIDTH):
            growing.tops.append(top(self.tops, index))
        for leaf in self.bundle(size // WIDTH)[: size % WIDTH] if size % WIDTH else []:
            growing.add(leaf_hash(leaf))
        return growing.root()

    def inclusion(self, position: int) -> list[bytes]:
        """The audit path of an entry: inside its tile, then over the tops of all tiles."""
        inside = grown(leaf_hash(leaf) for leaf in self.bundle(position // WIDTH))
        low = inside.inclusion(position % WIDTH, inside.size)
        return low + self.tops.inclusion(position // WIDTH, self.tops.size)


@dataclass(frozen=True)
class Verified:
    """A public log: its shards, oldest first, each bound to the one before it."""

    shards: tuple[Shard, ...]
    entries: int = 0
    """How many there are, published or not: a directory may hold some that no head covers yet."""

    @property
    def head(self) -> Checkpoint:
        """The newest head."""
        return self.shards[-1].head

    @property
    def size(self) -> int:
        """How many entries of the whole log are under its newest head."""
        return self.shards[-1].first + self.head.size

    @property
    def over(self) -> int:
        """Before which entry records are no longer kept, as the log says itself."""
        return max(shard.over for shard in self.shards)

    def leaf(self, index: int) -> bytes:
        """An entry of the whole log. Raises LogBroken if it is not published."""
        return self.shard_of(index).leaf(index - self.shard_of(index).first)

    def shard_of(self, index: int) -> Shard:
        """The half-year of an entry. Raises LogBroken if it is not published."""
        if not 0 <= index < self.size:
            raise LogBroken(f"is not among the {self.size} published entries", index)
        return next(shard for shard in reversed(self.shards) if shard.first <= index)

    def named(self, origin: str) -> Shard | None:
        """The shard of this name."""
        return next((shard for shard in self.shards if shard.head.origin == origin), None)

    def keys(self, key: str) -> list[str]:
        """A key and all that it handed over to, in statements under the roots that were checked; the last one signs."""
        return list(followed(key, (leaf for shard in self.shards for _, leaf in shard.hands)))


def checked(read: Bundles, tops: Tree, size: int) -> Callable[[int], list[bytes]]:
    """Bundles of a tree, each held against its top; those read last stay at hand."""

    def bundle(index: int) -> list[bytes]:
        leaves = read(index, min(WIDTH, size - index * WIDTH))
        if grown(leaf_hash(leaf) for leaf in leaves).root() != top(tops, index):
            raise LogBroken(f"entries from {index * WIDTH} on are others than when they were checked")
        return leaves

    return lru_cache(maxsize=8)(bundle)


def grown(hashes: Iterable[bytes]) -> Tree:
    """The tree of these leaf hashes."""
    tree = Tree()
    for digest in hashes:
        tree.append(digest)
    return tree


def top(tops: Tree, index: int) -> bytes:
    """The top of one tile."""
    return tops.tile(0, index // WIDTH, index % WIDTH + 1)[-32:]


def tiles(size: int) -> Iterable[tuple[int, int]]:
    """(index, width) of every tile at level 0 of a tree of `size` entries."""
    return ((first // WIDTH, min(WIDTH, size - first)) for first in range(0, size, WIDTH))


def tile_name(index: int, width: int) -> str:
    """The path of a tile: groups of three digits, all but the last with an x, `.p/W` if partial (tlog-tiles)."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups)) + (f".p/{width}" if width < WIDTH else "")


def cut(bundle: bytes, first: int) -> list[bytes]:
    """Cut an entry bundle into entries; each has a big-endian 16-bit length before it. Raises LogBroken."""
    if len(bundle) > LONGEST:
        raise LogBroken("is in a bundle longer than any can be", first)
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        begin, size = at + 2, int.from_bytes(bundle[at : at + 2], "big")
        entry, at = bundle[begin : begin + size], begin + size
        private, said = size == ENTRY and entry[:2] == b"\1\0", size > 2 and entry[:2] == bytes((1, STATEMENT))
        if len(entry) != size or not (private or said):
            raise LogBroken("has not the form of an entry", first + len(entries))
        entries.append(entry)
    return entries
