"""What somebody can be shown of a log, the truth about it worked out from RFC 6962 alone, and lies that differ from it.

A claim: this signed checkpoint is the log's, this entry stands in it at this place, and the log of that older
checkpoint is its beginning. Proofs of RFC 6962 have exactly one form, so a claim is true only if it is one of the few
that the truth allows, byte for byte.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from hashlib import sha256
from random import Random

ORDER = 2**252 + 27742317777372353535851937790883648493  # of Ed25519's base point


@dataclass(frozen=True)
class Claim:
    """One claim; notes as text, proofs as 32-byte hashes."""

    vkey: str
    origin: str
    note: str
    leaf: bytes
    index: int
    proof: tuple[bytes, ...]
    old: str
    tree: tuple[bytes, ...]

    def line(self) -> str:
        """As one line of JSON; bytes in standard base64."""
        told = {name: _told(value) for name, value in asdict(self).items()}
        return json.dumps(told, ensure_ascii=False)


def _told(value: object) -> object:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return [_told(one) for one in value] if isinstance(value, tuple) else value


class Truth:
    """A log that nobody altered: all its entries, and every checkpoint it signed, by size."""

    def __init__(self, origin: str, vkey: str, leaves: Sequence[bytes], notes: dict[int, str]) -> None:
        self.origin, self.vkey, self.leaves, self.notes = origin, vkey, tuple(leaves), notes
        self._leaves = [sha256(b"\0" + leaf).digest() for leaf in leaves]
        self.root = cache(self._root)

    def claim(self, index: int, size: int, old: int) -> Claim:
        """The true claim about an entry under the checkpoint of `size`, which grew out of that of `old`."""
        path, tree = self.path(index, 0, size), self.grown(old, 0, size, whole=True)
        return Claim(self.vkey, self.origin, self.notes[size], self.leaves[index], index, path, self.notes[old], tree)

    def any(self, random: Random) -> Claim:
        """A true claim."""
        old, size = sorted(random.choices(sorted(self.notes), k=2))
        return self.claim(random.randrange(size), size, old)

    def holds(self, claim: Claim, *, growth: bool = True) -> bool:
        """Whether a claim is true; without `growth` whatever it says to prove that one tree begins with the other."""
        sizes = {note: size for size, note in self.notes.items()}
        size, old = sizes.get(claim.note, -1), sizes.get(claim.old, -1)
        if not 0 <= claim.index < size or not 0 < old <= size:
            return False
        true = self.claim(claim.index, size, old)
        return claim == (true if growth else replace(true, tree=claim.tree))

    def _root(self, begin: int, end: int) -> bytes:
        """MTH (RFC 6962 2.1)."""
        if end - begin == 1:
            return self._leaves[begin]
        middle = begin + _half(end - begin)
        return sha256(b"\1" + self.root(begin, middle) + self.root(middle, end)).digest()

    def path(self, index: int, begin: int, end: int) -> tuple[bytes, ...]:
        """PATH (RFC 6962 2.1.1)."""
        if end - begin == 1:
            return ()
        middle = begin + _half(end - begin)
        if index < middle:
            return (*self.path(index, begin, middle), self.root(middle, end))
        return (*self.path(index, middle, end), self.root(begin, middle))

    def grown(self, old: int, begin: int, end: int, *, whole: bool) -> tuple[bytes, ...]:
        """SUBPROOF (RFC 6962 2.1.2)."""
        if old == end:
            return () if whole else (self.root(begin, end),)
        middle = begin + _half(end - begin)
        if old <= middle:
            return (*self.grown(old, begin, middle, whole=whole), self.root(middle, end))
        return (*self.grown(old, middle, end, whole=False), self.root(begin, middle))


def lie(random: Random, logs: Sequence[Truth], *, growth: bool = True) -> tuple[str, Claim]:
    """A claim that differs from a true one in one thing, and is true of none of the logs; and that thing's name."""
    while True:
        log = random.choice(logs)
        told = log.any(random)
        name = random.choice(sorted(CHANGES))
        made = CHANGES[name](random, told, random.choice(logs), random.choice(logs).any(random))
        if made is not None and made != told and not any(one.holds(made, growth=growth) for one in logs):
            return name, made


# Each takes the true claim, some log and some true claim of it; None where the change does not apply.
def _text(random: Random, note: str, _: Truth, other: Claim) -> str:
    """Other words above the same signature."""
    text, gap, block = note.partition("\n\n")
    origin, size, root = text.split("\n")
    words = random.choice([
        [origin, str(max(0, int(size) + random.choice([-1, 1, 2, 256]))), root],
        [origin, size, b64encode(_flip(random, b64decode(root))).decode()],
        [origin, *other.note.split("\n")[1:3]],
        [other.origin, size, root],
        [origin, "0" + size, root],
        [origin, size, root, "an extension"],
        [origin, size],
        [_flip(random, origin.encode()).decode("latin-1"), size, root],
    ])  # fmt: skip
    return "\n".join(words) + gap + block


def _signed(random: Random, note: str, log: Truth, other: Claim) -> str:
    """The same words under another signature. Decoded first: the last bits of base64 can change without meaning."""
    text, _, block = note.partition("\n\n")
    name, blob = block[2:-1].split(" ")
    whole = b64decode(blob)
    high = (int.from_bytes(whole[36:], "little") + ORDER).to_bytes(33, "little")[:32]
    blobs = [
        _flip(random, whole), whole[: random.randrange(5, len(whole))], whole + b"\0", whole[:36] + high,
        b64decode(other.note.split(" ")[-1]), whole[:4] + b64decode(other.note.split(" ")[-1])[4:],
        whole[:4] + whole[36:] + whole[4:36], whole[:4] + bytes(64),
    ]  # fmt: skip
    made = random.choice(blobs)
    lines = [f"\u2014 {name} {b64encode(made).decode()}\n", f"\u2014 {log.origin} {blob}\n", ""]
    return f"{text}\n\n{random.choices(lines, [8, 1, 1])[0]}"


def _hashes(random: Random, steps: tuple[bytes, ...], other: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Another list of hashes."""
    many = list(steps)
    place = random.randrange(len(many)) if many else 0
    return tuple(random.choice([
        lambda: [*many[:place], *(_flip(random, one) for one in many[place : place + 1]), *many[place + 1 :]],
        lambda: many[:place] + many[place + 1 :],
        lambda: many[:place],
        lambda: many[place:],
        lambda: [*many, random.randbytes(32)],
        lambda: [random.randbytes(32), *many],
        lambda: many[:place] + many[place : place + 1] * 2 + many[place + 1 :],
        lambda: many[::-1],
        lambda: random.sample(many, len(many)),
        lambda: list(other),
        lambda: many[:place] + list(other)[place:],
        lambda: [one[: random.randrange(32)] if at == place else one for at, one in enumerate(many)],
        lambda: [bytes(32) for _ in many],
    ])())  # fmt: skip


def _entry(random: Random, leaf: bytes, other: bytes) -> bytes:
    half = len(leaf) // 2
    return random.choice(
        [_flip(random, leaf), leaf[: random.randrange(len(leaf))], leaf + b"\0", other, leaf[half:] + leaf[:half]]
    )


def _place(random: Random, told: Claim, other: Claim) -> int:
    size, at = int(told.note.split("\n")[1]), told.index
    return random.choice([at - 1, at + 1, at ^ 1, other.index, -1, -at, at + size, size, at | 2**40, at + 2**32])


def _inner(_: Random, told: Claim, log: Truth) -> Claim | None:
    """An inner node shown as an entry: what the first byte of every hash is there to prevent."""
    size, pair = int(told.note.split("\n")[1]), told.index & ~1
    if log.origin != told.origin or pair + 1 >= size or not told.proof:
        return None
    nodes = log.root(pair, pair + 1) + log.root(pair + 1, pair + 2)
    return replace(told, leaf=nodes, index=told.index // 2, proof=told.proof[1:])


CHANGES = {
    "text": lambda r, told, log, other: replace(told, note=_text(r, told.note, log, other)),
    "signature": lambda r, told, log, other: replace(told, note=_signed(r, told.note, log, other)),
    "checkpoint": lambda _, told, __, other: replace(told, note=other.note),
    "older text": lambda r, told, log, other: replace(told, old=_text(r, told.old, log, other)),
    "older signature": lambda r, told, log, other: replace(told, old=_signed(r, told.old, log, other)),
    "older checkpoint": lambda _, told, __, other: replace(told, old=other.note),
    "order": lambda _, told, __, ___: replace(told, note=told.old, old=told.note),
    "entry": lambda r, told, _, other: replace(told, leaf=_entry(r, told.leaf, other.leaf)),
    "place": lambda r, told, _, other: replace(told, index=_place(r, told, other)),
    "path": lambda r, told, _, other: replace(told, proof=_hashes(r, told.proof, other.proof)),
    "growth": lambda r, told, _, other: replace(told, tree=_hashes(r, told.tree, other.tree)),
    "key": lambda _, told, log, __: replace(told, vkey=log.vkey),
    "name": lambda _, told, log, __: replace(told, origin=log.origin),
    "key and name": lambda _, told, log, __: replace(told, vkey=log.vkey, origin=log.origin),
    "inner node": lambda r, told, log, _: _inner(r, told, log),
    "proofs of another": lambda _, told, __, other: replace(told, proof=other.proof, tree=other.tree),
}


def _flip(random: Random, data: bytes) -> bytes:
    """One bit turned."""
    bit = random.randrange(8 * len(data))
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def _half(span: int) -> int:
    return 1 << (span - 1).bit_length() - 1
