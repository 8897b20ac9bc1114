"""The shards of the log: one tree per half-year, one after the other in one sequence of entries.

An entry's index counts over all shards; its position in a tree is index minus the shard's first. A shard begins with
the first entry whose time lies in a new half-year, and the very first of those is a statement that names the shard
before it with its size and root: who trusts the newest head can follow it back to the first entry. A closed shard gets
its last checkpoint and is served for ever. The writer's thread opens shards, the loop's thread reads them.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from keys.merkle import leaf_hash
from keys.text import b64, canonical
from vault.database import Tx
from vault.errors import Forked, NotFound
from vault.log.entry import statement
from vault.log.handover import LogKeys
from vault.log.tiles import Ledger
from vault.tables import Checkpoint, Entry, Shard, Tile

TYPE = "kluis/log-shard/v1"
KEEP = "INSERT INTO checkpoint (first, size, note) VALUES (:first, :size, :note)"
KEEP_TILE = "INSERT OR IGNORE INTO tile (first, level, idx, hashes) VALUES (:first, :level, :idx, :hashes)"
SIGNED = "SELECT coalesce(max(size), 0) FROM checkpoint WHERE first = :first"
NEWEST = "SELECT first, origin FROM shard ORDER BY first DESC LIMIT 1"
FROM = "SELECT leaf FROM entry WHERE idx >= :first ORDER BY idx"


@dataclass(frozen=True)
class Turn:
    """Under which origin an entry is written; the shard and the leaves before it, if it is the first of a half-year."""

    origin: str
    row: Shard | None = None
    leaves: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Grown:
    """What is to be published of one shard: its new head, and the tiles that became full."""

    ledger: Ledger
    head: Checkpoint
    tiles: list[Tile]

    def show(self) -> None:
        """It is stored: publish it."""
        self.ledger.show(self.head, self.tiles)


class Shards:
    """All trees of a log, oldest first; there is always a current one."""

    def __init__(self, host: str, keys: LogKeys, now: datetime, read: Tx) -> None:
        """A log that has no entry yet begins with the half-year of `now`."""
        self.host, self.keys, self._read = host, keys, read
        self.until = 0
        """Milliseconds: entries before this moment belong to the current shard, under `same`."""
        self.all = [Ledger(name(host, now), keys, read)]
        self.same = Turn(self.current.origin)

    @property
    def current(self) -> Ledger:
        """The shard that grows."""
        return self.all[-1]

    @property
    def published(self) -> Ledger:
        """The newest shard that has a published head; the oldest if none has."""
        return next((ledger for ledger in reversed(self.all) if ledger.note), self.all[0])

    @property
    def kept(self) -> int:
        """How many durable entries all trees have."""
        return self.current.first + self.current.tree.size

    def load(self) -> None:
        """Rebuild every tree from the durable rows. Raises DamagedItem if one does not fit its last checkpoint."""
        for row in self._read.find(Shard, order_by="first"):
            self.open(row)
        for ledger, following in zip(self.all, [*(s.first for s in self.all[1:]), 2**62], strict=True):
            ledger.load(following)

    def open(self, row: Shard) -> None:
        """From now on this shard is the current one. One that never had an entry gives way."""
        made = Ledger(row.origin, self.keys, self._read, row.first)
        self.all = [*(self.all if self.current.first != row.first else self.all[:-1]), made]
        self.until, self.same = end(made.half), Turn(made.origin)

    def turn(self, tx: Tx, at: int, index: int) -> Turn:
        """In the writer's transaction: begin the half-year of `at` (ms) with entry `index` if it is a new one."""
        if at < self.until:
            return self.same
        here, found = name(self.host, datetime.fromtimestamp(at / 1000, UTC)), tx.run(NEWEST)
        if found and here <= found[0][1]:
            return Turn(found[0][1])
        row = Shard(first=index, origin=here)
        tx.add(row)
        if not found:
            return Turn(here, row)
        leaf = statement(self._seam(tx, row, Shard(first=found[0][0], origin=found[0][1])))
        tx.add(Entry(idx=index, leaf=leaf))
        return Turn(here, row, (leaf,))

    def add(self, turn: Turn, index: int, leaf: bytes) -> None:
        """After the commit: the entry is in the tree, of a new shard if it begins one. Raises Forked."""
        if turn.row is None:
            self._add(index, leaf)
            return
        self.open(turn.row)
        for place, one in enumerate((*turn.leaves, leaf), index - len(turn.leaves)):
            self._add(place, one)

    def _add(self, place: int, leaf: bytes) -> None:
        current = self.all[-1]
        if place != current.first + current.tree.size:
            raise Forked(f"entry {place} was written after {self.kept}: another process writes in this directory")
        current.add(leaf)

    def _seam(self, tx: Tx, row: Shard, before: Shard) -> bytes:
        """What the first entry of a shard says of the one before it, entries of this very batch included."""
        known = self.current if self.current.first == before.first else Ledger(before.origin, self.keys, self._read)
        pending = tx.run(FROM, first=before.first + known.tree.size)
        root = known.tree.root_after(leaf_hash(leaf) for (leaf,) in pending)
        return seam(row.origin, before.origin, row.first - before.first, root)

    def heads(self, now: datetime) -> list[Ledger]:
        """Every tree, and an empty one for the half-year of `now` that has not begun here: others may have seen it."""
        here = name(self.host, now)
        return self.all if here <= self.current.origin else [*self.all, Ledger(here, self.keys, self._read)]

    def at(self, index: int) -> Ledger:
        """The shard of an entry. Raises NotFound for a negative index."""
        for ledger in reversed(self.all):
            if index >= ledger.first:
                return ledger
        raise NotFound(f"no entry {index}")

    def named(self, half: str) -> Ledger:
        """The shard of a half-year such as `2026h2`. Raises NotFound."""
        for ledger in self.all:
            if ledger.half == half:
                return ledger
        raise NotFound("no such shard")

    def grown(self) -> list[Grown]:
        """A newly signed head of every shard that has entries beyond its published one."""
        grown = [ledger for ledger in self.all if ledger.tree.size > ledger.size]
        return [Grown(ledger, ledger.sign(), ledger.tiles()) for ledger in grown]

    @property
    def told(self) -> list[dict[str, Any]]:
        """Every shard as JSON: origin, verification key, newest published checkpoint and its size, first entry."""
        return [ledger.told for ledger in self.all]


def keep(grown: list[Grown], tx: Tx) -> None:
    """Store what is to be published: compare-and-swap on the last signed size. Raises Forked."""
    for one in grown:
        found = int(tx.run(SIGNED, first=one.head.first)[0][0])
        if found != one.ledger.size:
            raise Forked(f"{one.ledger.origin} was signed at {found} entries, after our {one.ledger.size}")
        tx.run(KEEP, first=one.head.first, size=one.head.size, note=one.head.note)
        for tile in one.tiles:
            tx.run(KEEP_TILE, first=tile.first, level=tile.level, idx=tile.idx, hashes=tile.hashes)


def seam(origin: str, before: str, size: int, root: bytes) -> bytes:
    """The statement that begins a shard (RFC 8785): which shard came before, how it ended."""
    return canonical({"type": TYPE, "origin": origin, "previous": {"origin": before, "size": size, "root": b64(root)}})


def seam_of(leaf: bytes) -> dict[str, Any] | None:
    """What a statement says of the shard before it; None for any other entry."""
    try:
        told = json.loads(leaf[2:]) if leaf[1:2] == b"\2" else None
    except ValueError:
        return None
    return told["previous"] if isinstance(told, dict) and told.get("type") == TYPE else None


def name(host: str, at: datetime) -> str:
    """The origin of the shard of a moment: host and half-year (access-log.md, Formats)."""
    at = at.astimezone(UTC)
    return f"{host}/log/{at.year}h{1 if at.month < 7 else 2}"


def end(half: str) -> int:
    """The moment at which a half-year such as `2026h2` is over, in milliseconds since 1970."""
    year, part = int(half[:-2]), half[-1]
    after = datetime(year, 7, 1, tzinfo=UTC) if part == "1" else datetime(year + 1, 1, 1, tzinfo=UTC)
    return int(after.timestamp() * 1000)
