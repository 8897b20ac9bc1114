"""The Merkle tree of RFC 6962 section 2.1 with SHA-256: hashes, proofs, and their checks (RFC 9162 section 2.1).

`Tree` keeps the hash of every complete subtree, 64 bytes per leaf; everything else is a pure function.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from keys.errors import Damaged, Misuse

_HASH = 32
_WIDTH = 256  # hashes in a full tile
EMPTY = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 | entry)."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 | left | right)."""
    return sha256(b"\1" + left + right).digest()


class Tree:
    """An append-only tree of leaf hashes in memory; row k holds the hashes of the complete subtrees of 2**k leaves."""

    def __init__(self) -> None:
        """Begin empty."""
        self.size = 0
        self._rows = [bytearray()]

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash and close the subtrees it completes: one SHA-256 a leaf on average."""
        if len(leaf) != _HASH:
            raise Misuse("a leaf hash has 32 bytes")
        rows = self._rows
        rows[0] += leaf
        self.size = left = self.size + 1
        level = 0
        while not left & 1:
            node = sha256(b"\1" + rows[level][-64:]).digest()
            left >>= 1
            level += 1
            if level == len(rows):
                rows.append(bytearray())
            rows[level] += node

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

    def tile(self, level: int, index: int, width: int = _WIDTH) -> bytes:
        """Give `width` hashes of a C2SP tlog-tiles tile (section "Merkle Tree"), 32 bytes each. Raises Misuse."""
        row = self._rows[8 * level] if 0 <= 8 * level < len(self._rows) else b""
        begin = index * _WIDTH * _HASH
        end = begin + width * _HASH
        if not 1 <= width <= _WIDTH or begin < 0 or end > len(row):
            raise Misuse("no such tile")
        return bytes(row[begin:end])

    def _within(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise Misuse("beyond the tree")
        return size

    def _hash(self, begin: int, end: int) -> bytes:
        """MTH(D[begin:end]); `begin` is a multiple of the power of two at or above the span, as in every proof."""
        span = end - begin
        if span & (span - 1) == 0:
            at = begin // span * _HASH
            return bytes(self._rows[span.bit_length() - 1][at : at + _HASH])
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
