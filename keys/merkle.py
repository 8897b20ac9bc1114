"""The Merkle tree of RFC 6962 section 2.1 with SHA-256: hashes, proofs, and their checks (RFC 9162 section 2.1).

`Tree` keeps the hash of every complete subtree, in memory or elsewhere; everything else is a pure function.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from struct import iter_unpack

from keys.errors import Damaged, Misuse

_HASH = 32
_WIDTH = 256  # hashes in a full tile
_FULL = _WIDTH * _HASH
_KEPT = 2048  # full tiles in memory beside those that cannot be fetched, 16 KiB each
EMPTY = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 | entry)."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 | left | right)."""
    return sha256(b"\1" + left + right).digest()


Rows = tuple[bytes, ...]


def _expand(hashes: bytes) -> Rows:
    """Every node of a full tile: row k holds the hashes of its subtrees of 2**k, up to the one node above it."""
    rows = [hashes]
    while len(rows[-1]) > _HASH:
        rows.append(b"".join([sha256(b"\1" + pair).digest() for (pair,) in iter_unpack("64s", rows[-1])]))
    return tuple(rows)


class _Open:
    """A tile that is not full yet, with those nodes of it that somebody asked for: none of them ever changes."""

    def __init__(self, hashes: bytes = b"") -> None:
        self.hashes, self._nodes = bytearray(hashes), dict[tuple[int, int], bytes]()

    def node(self, row: int, at: int) -> bytes:
        if row == 0:
            return bytes(self.hashes[at * _HASH : (at + 1) * _HASH])
        if (known := self._nodes.get((row, at))) is None:
            known = self._nodes[(row, at)] = node_hash(self.node(row - 1, 2 * at), self.node(row - 1, 2 * at + 1))
        return known


class Tree:
    """An append-only tree of leaf hashes, kept as C2SP tiles of 256: a full tile is closed in one go, 64 bytes a leaf.

    Full tiles may live elsewhere: `fetch(level, index)` gives one back (8,192 bytes), and `full` is how many of level
    0 lie there at the beginning; `closed` names those that do not yet. One thread appends, others read meanwhile.
    """

    def __init__(self, fetch: Callable[[int, int], bytes] | None = None, full: int = 0) -> None:
        """Begin empty, or with the leaves of `full` tiles: a few thousand hashes, however many they are."""
        self._fetched = lru_cache(maxsize=_KEPT)(lambda key: _expand(fetch(*key) if fetch else b""))
        self._fetches, self._tiles = fetch is not None, dict[tuple[int, int], Rows | _Open]()
        self._closed: dict[tuple[int, int], None] = {}
        self.size, self._ends = full * _WIDTH, list[tuple[int, _Open]]()
        self._begin(0, full)
        while full:
            rest = range(full - full % _WIDTH, full)
            level, full = len(self._ends), full // _WIDTH
            self._begin(level, full, b"".join([self._fetched((level - 1, at))[-1] for at in rest]))
        self._tail = self._ends[0][1].hashes

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash: one SHA-256 a leaf on average, done when its tile is full."""
        if len(leaf) != _HASH:
            raise Misuse("a leaf hash has 32 bytes")
        tail = self._tail
        tail += leaf
        if len(tail) == _FULL:
            self._close()
        self.size += 1

    def _begin(self, level: int, index: int, hashes: bytes = b"") -> None:
        made = self._tiles[(level, index)] = _Open(hashes)
        self._ends[level:] = [(index, made), *self._ends[level + 1 :]]

    def _close(self, level: int = 0) -> None:
        """The last tile of a level is full: it goes over into what never changes, its top into the level above."""
        index, done = self._ends[level]
        self._tiles[(level, index)] = rows = _expand(bytes(done.hashes))
        self._closed[(level, index)] = None
        self._begin(level, index + 1)
        if level + 1 == len(self._ends):
            self._begin(level + 1, 0)
        above = self._ends[level + 1][1].hashes
        above += rows[-1]
        if len(above) == _FULL:
            self._close(level + 1)
        self._tail = self._ends[0][1].hashes

    def closed(self) -> list[tuple[int, int, bytes]]:
        """Full tiles (level, index, hashes) that `fetch` does not know yet."""
        return [(*key, self.tile(*key)) for key in list(self._closed)]

    def kept(self, level: int, index: int) -> None:
        """This full tile can be fetched from now on: memory lets go of it. Raises Misuse if the tree fetches none."""
        if not self._fetches:
            raise Misuse("a tree that fetches no tiles keeps them all")
        self._closed.pop((level, index), None)
        self._tiles.pop((level, index), None)

    def _at(self, level: int, index: int) -> Rows | _Open:
        found = self._tiles.get((level, index))
        return self._fetched((level, index)) if found is None else found

    def root(self, size: int | None = None) -> bytes:
        """MTH of the first `size` leaves (all of them by default). Raises Misuse beyond the tree."""
        end = self._within(self.size if size is None else size)
        return self._hash(0, end) if end else EMPTY

    def root_after(self, more: Iterable[bytes]) -> bytes:
        """MTH as it will be once these leaf hashes are appended; the tree stays as it is."""
        peaks = [(level, self._hash(begin, begin + (1 << level))) for begin, level in _peaks(self.size)]
        for leaf in more:
            level, node = 0, _sized(leaf)
            while peaks and peaks[-1][0] == level:
                level, node = level + 1, node_hash(peaks.pop()[1], node)
            peaks.append((level, node))
        root = peaks.pop()[1] if peaks else EMPTY
        while peaks:
            root = node_hash(peaks.pop()[1], root)
        return root

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """PATH(index, D[size]), section 2.1.1: the audit path of a leaf, from the leaf upwards."""
        if not 0 <= index < self._within(size):
            raise Misuse("no such leaf")
        proof, begin, end = [], 0, size
        while end - begin > 1:
            middle = begin + _split(end - begin)
            if index < middle:
                proof.append(self._hash(middle, end))
                end = middle
            else:
                proof.append(self._hash(begin, middle))
                begin = middle
        return proof[::-1]

    def consistency(self, old: int, new: int) -> list[bytes]:
        """PROOF(old, D[new]), section 2.1.2: empty for an old size of 0 or equal to the new one."""
        if not 0 <= old <= self._within(new):
            raise Misuse("the old size is beyond the new one")
        if old in (0, new):
            return []
        proof, begin, end = [], 0, new
        while end != old:
            middle = begin + _split(end - begin)
            if old <= middle:
                proof.append(self._hash(middle, end))
                end = middle
            else:
                proof.append(self._hash(begin, middle))
                begin = middle
        if begin:
            proof.append(self._hash(begin, end))
        return proof[::-1]

    def together(self, indexes: Sequence[int], size: int) -> list[bytes]:
        """The hashes that lead several leaves to the root at once: each largest subtree without one of them, from left.

        `indexes` rise. A proof for each of n leaves would repeat most of its hashes n times.
        """
        if not indexes or not 0 <= indexes[0] <= indexes[-1] < self._within(size):
            raise Misuse("no such leaf")
        return [self._hash(begin, end) for begin, end in _between(indexes, size)]

    def tile(self, level: int, index: int, width: int = _WIDTH) -> bytes:
        """Give `width` hashes of a C2SP tlog-tiles tile (section "Merkle Tree"), 32 bytes each. Raises Misuse."""
        if level < 0 or index < 0 or not 1 <= width <= _WIDTH or index * _WIDTH + width > self.size >> 8 * level:
            raise Misuse("no such tile")
        found = self._at(level, index)
        return bytes((found.hashes if isinstance(found, _Open) else found[0])[: width * _HASH])

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise Misuse("beyond the tree")
        return size

    def _hash(self, begin: int, end: int) -> bytes:
        """MTH(D[begin:end]); `begin` is a multiple of the power of two at or above the span, as in every proof."""
        span = end - begin
        if span & (span - 1) == 0:
            level, row = divmod(span.bit_length() - 1, 8)
            index, at = divmod(begin // span, _WIDTH >> row)
            found = self._at(level, index)
            return found.node(row, at) if isinstance(found, _Open) else found[row][at * _HASH : (at + 1) * _HASH]
        middle = begin + _split(span)
        return node_hash(self._hash(begin, middle), self._hash(middle, end))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a leaf hash is at `index` in the tree of `size` leaves (RFC 9162 section 2.1.3.2). Raises Damaged."""
    if not 0 <= index < size:
        raise Damaged("no such leaf")
    node = _sized(leaf)
    for step, on_left in _walk(index, size - 1, proof):
        node = node_hash(step, node) if on_left else node_hash(node, step)
    if node != root:
        raise Damaged("the leaf is not in the tree")


def verify_together(leaves: Sequence[tuple[int, bytes]], size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check a `Tree.together` proof: these leaf hashes stand at these rising indexes of the tree. Raises Damaged."""
    indexes = [index for index, _ in leaves]
    if not leaves or indexes[0] < 0 or any(a >= b for a, b in zip(indexes, [*indexes[1:], size], strict=True)):
        raise Damaged("no such leaf")
    steps = iter(proof)
    node = _climb(leaves, (0, len(leaves)), 0, size, steps)
    if node != root or next(steps, None) is not None:
        raise Damaged("the leaves are not in the tree")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the old tree is the beginning of the new one (RFC 9162 section 2.1.4.2). Raises Damaged."""
    if not 0 <= old <= new:
        raise Damaged("the tree has shrunk")
    before, after = _old_and_new(old, new, proof, old_root, new_root)
    if before != old_root or after != new_root:
        raise Damaged("the trees differ")


def _old_and_new(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> tuple[bytes, bytes]:
    """Compute both roots from the proof; the equal and the empty tree need none."""
    if old in (0, new):
        if proof:
            raise Damaged("the proof is too long")
        return (EMPTY if old == 0 else new_root), (EMPTY if new == 0 else new_root)
    start, *steps = [old_root, *proof] if old & (old - 1) == 0 else proof or [b""]
    turns = (old & -old).bit_length() - 1  # levels that both trees share below the first node
    before = after = _sized(start)
    for step, on_left in _walk((old - 1) >> turns, (new - 1) >> turns, steps):
        if on_left:
            before, after = node_hash(step, before), node_hash(step, after)
        else:
            after = node_hash(after, step)
    return before, after


def _walk(here: int, last: int, proof: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Climb from node `here` of a row that ends at `last`; give each step and whether it stands on the left."""
    for step in proof:
        if last == 0:
            raise Damaged("the proof is too long")
        on_left = bool(here & 1) or here == last
        yield _sized(step), on_left
        while on_left and here and not here & 1:
            here, last = here >> 1, last >> 1
        here, last = here >> 1, last >> 1
    if last:
        raise Damaged("the proof is too short")


def _between(indexes: Sequence[int], size: int) -> Iterator[tuple[int, int]]:
    """Give the largest subtrees that hold none of the leaves at these rising indexes, from the left."""
    open_ends = [(0, size, 0, len(indexes))]
    while open_ends:
        begin, end, first, last = open_ends.pop()
        if first == last:
            yield begin, end
        elif end - begin > 1:
            middle = begin + _split(end - begin)
            cut = bisect_left(indexes, middle, first, last)
            open_ends += [(middle, end, cut, last), (begin, middle, first, cut)]


def _climb(
    leaves: Sequence[tuple[int, bytes]], among: tuple[int, int], begin: int, end: int, steps: Iterator[bytes]
) -> bytes:
    """The hash of a subtree from the leaves in it, `among` these, and for every part without one the next step."""
    first, last = among
    if first == last:
        return _sized(next(steps, b""))
    if end - begin == 1:
        return _sized(leaves[first][1])
    middle = begin + _split(end - begin)
    cut = bisect_left(leaves, (middle, b""), first, last)
    left = _climb(leaves, (first, cut), begin, middle, steps)
    return node_hash(left, _climb(leaves, (cut, last), middle, end, steps))


def _peaks(size: int) -> Iterator[tuple[int, int]]:
    """Give the complete subtrees that a tree of `size` leaves consists of: first leaf and level, from the left."""
    begin = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            yield begin, level
            begin += 1 << level


def _split(span: int) -> int:
    """Give the largest power of two below a span of at least 2."""
    return 1 << (span - 1).bit_length() - 1


def _sized(node: bytes) -> bytes:
    if len(node) != _HASH:
        raise Damaged("a hash has 32 bytes")
    return node
