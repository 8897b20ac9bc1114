"""What readers of the log get: the citizen her own records with everything to check them; others nothing of hers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keys.context import ctx
from keys.dropbox import collect, public_of
from keys.errors import KeysError
from keys.records import open_record
from keys.secret import Private, RecordKey
from keys.text import b64
from vault.database import Tx
from vault.errors import DamagedItem
from vault.log.handover import Hand, hands
from vault.log.retention import Ended, ended
from vault.log.shards import Shards
from vault.log.tiles import Ledger
from vault.tables import OldLog, PodHead, Record, RecordKey as KeyRow
from vault.vault import PodFacts, Vault

ENDED = "ended"
LINES = """
SELECT r.idx, r.seq, r.entry, r.key, r.sealed, r.outcome, e.leaf FROM record r JOIN entry e ON e.idx = r.idx
WHERE r.pod = :pod AND r.seq >= :since AND r.seq < :below ORDER BY r.seq
"""
BACK = """
SELECT r.idx, r.seq, r.entry, r.key, r.sealed, r.outcome, e.leaf FROM record r JOIN entry e ON e.idx = r.idx
WHERE r.pod = :pod AND r.seq < :below ORDER BY r.idx DESC LIMIT :most
"""
PLACES = "SELECT idx FROM record WHERE pod = :pod AND (seq >= :since OR :since = 0) ORDER BY idx"
AMONG = """
SELECT r.idx, r.seq, r.entry, r.key, r.sealed, r.outcome, e.leaf FROM record r JOIN entry e ON e.idx = r.idx
WHERE r.pod = :pod AND r.idx >= :first AND r.idx < :end ORDER BY r.seq
"""
BEYOND = 2**62


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a pod's own log: its place in the public tree, its record as written, and the nonces that blind it.

    `record` is None if it does not open: either its month ended (outcome `ended`), or the entry is broken, and readers
    say so at this very line.
    """

    index: int
    seq: int
    entry: bytes
    record: str | None
    nonce: bytes
    leaf: bytes
    outcome: str

    @property
    def told(self) -> dict[str, Any]:
        """The record's fields; of a broken or ended one only its place."""
        if self.record is None:
            return {"seq": self.seq, "type": self.outcome}
        parts = json.loads(self.record)
        return {**parts["app"], **parts["own"]}

    @property
    def broken(self) -> bool:
        """Whether it ought to open and does not."""
        return self.record is None and self.outcome != ENDED


@dataclass(frozen=True, slots=True)
class Head:
    """Where a pod's chain ends: how many records it has and the SHA-256 of its last commitment (b"" for none).

    `kept` is how many entries the log of everybody has, published or not.
    """

    seq: int
    digest: bytes
    kept: int

    @property
    def told(self) -> dict[str, Any]:
        """As JSON: the last line of an export."""
        return {"seq": self.seq, "head": b64(self.digest), "kept": self.kept}


@dataclass(frozen=True, slots=True)
class Own:
    """A pod's own records and the head they must end at, from one moment."""

    lines: list[Line]
    head: Head


def head(tx: Tx, pod: PodFacts) -> Head:
    """The head of a pod's chain, kept apart from its records, so that records cut off at the end are missed."""
    row = tx.get(PodHead, pod.id)
    kept = int(tx.run("SELECT coalesce(max(idx) + 1, 0) FROM entry")[0][0])
    return Head(row.seq, row.head, kept) if row else Head(0, b"", kept)


def pages(tx: Tx, pod: PodFacts, many: int, since: int = 0) -> list[tuple[int, int]]:
    """The lines with numbers from `since` on, in ranges of entries [first, end) with at most so many lines, in order.

    Ranges of entries and not of numbers: the index of a pod's records leads straight to them.
    """
    places = [int(row[0]) for row in tx.run(PLACES, pod=pod.id, since=since)]
    return [(places[at], places[min(at + many, len(places)) - 1] + 1) for at in range(0, len(places), many)]


def lines(
    vault: Vault, pod: PodFacts, log: Private, since: int = 0, below: int = BEYOND, tx: Tx | None = None
) -> list[Line]:
    """The records of a pod with sequence numbers from `since` to `below` (not included), opened with its log key.

    `tx` is a thread's own connection; without one this is for the loop's thread.
    """
    rows = (tx or vault.db.read).run(LINES, pod=pod.id, since=since, below=below)
    return _read(vault, pod, log, rows, tx)


def among(vault: Vault, pod: PodFacts, log: Private, page: tuple[int, int], tx: Tx) -> list[Line]:
    """The records of a pod among these entries [first, end), in their order."""
    return _read(vault, pod, log, tx.run(AMONG, pod=pod.id, first=page[0], end=page[1]), tx)


def back(vault: Vault, pod: PodFacts, log: Private, below: int, most: int, tx: Tx) -> list[Line]:
    """At most so many records before sequence number `below`, newest first."""
    return _read(vault, pod, log, tx.run(BACK, pod=pod.id, below=below, most=most), tx)


def _read(vault: Vault, pod: PodFacts, log: Private, rows: list[tuple[Any, ...]], tx: Tx | None) -> list[Line]:
    reader = _Reader(vault, pod, log, tx or vault.db.read)
    try:
        return [reader.line(*row) for row in rows]
    finally:
        reader.wipe()


class _Reader:
    """Opens records; each record key is opened once, with the log key it was sealed to, and wiped at the end."""

    def __init__(self, vault: Vault, pod: PodFacts, log: Private, tx: Tx) -> None:
        self.vault, self.pod, self.log, self.tx = vault, pod, log, tx
        over = ended(tx)
        self._before = over.before if over else 0
        self._keys: dict[bytes, RecordKey] = {}
        self._boxes = {public_of(log): log}

    def line(self, index: int, seq: int, entry: bytes, key_id: bytes, *rest: Any) -> Line:
        """One row of LINES as a line."""
        sealed, outcome, leaf = rest
        try:
            origin = self.vault.log.shards.at(index).origin
            opened = open_record(self._key(origin, key_id), "record", origin, key_id, entry, sealed)
            return Line(index, seq, entry, opened[64:].decode(), opened[:64], leaf, outcome)
        except (KeysError, ValueError, DamagedItem):
            gone = index < self._before and self.tx.get(KeyRow, key_id) is None
            return Line(index, seq, entry, None, b"", leaf, ENDED if gone else "broken")

    def _key(self, origin: str, key_id: bytes) -> RecordKey:
        if key_id not in self._keys:
            row = self.tx.get(KeyRow, key_id)
            if row is None:
                raise DamagedItem(f"record key {key_id.hex()} is missing")
            context = ctx("record-key", self.pod.id, origin, key_id)
            self._keys[key_id] = collect(self._box(row.box), context, row.sealed, RecordKey)
        return self._keys[key_id]

    def _box(self, public: bytes) -> Private:
        """The log key in use, or one from before, which lies sealed to it."""
        if public not in self._boxes:
            row = self.tx.get(OldLog, self.pod.id, public)
            if row is None:
                raise DamagedItem(f"a log key of pod {self.pod.id.hex()} is missing")
            self._boxes[public] = collect(self.log, ctx("old-log", self.pod.id, public), row.sealed, Private)
        return self._boxes[public]

    def wipe(self) -> None:
        """Forget the keys."""
        for key in (*self._keys.values(), *(box for box in self._boxes.values() if box is not self.log)):
            key.wipe()


def around(vault: Vault, head: Head) -> tuple[dict[str, Any], Mapping[Ledger, int]]:
    """Everything beside the lines that a device needs to check them by itself (web/pages/static/verify.js reads this),
    and the sizes of the heads in it, for `proven`. `shard` is a place in `shards`, `index` a position in that tree.

    Reads a connection of its own: fit for a thread.
    """  # fmt: skip
    shards = vault.log.shards
    seals = [(ledger, ledger.told) for ledger in shards.all]  # published sizes: what is below them never changes
    sizes = {ledger: int(seal["size"]) for ledger, seal in seals}
    with vault.db.reading() as tx:
        over, handed = ended(tx), hands(tx)
    return {
        "shards": [seal for _, seal in seals],
        "head": head.told,
        "hands": told_hands(shards, handed, sizes),
        "ended": told_ended(shards, over, sizes),
    }, sizes


def told_ended(shards: Shards, over: Ended | None, sizes: Mapping[Ledger, int]) -> dict[str, Any] | None:
    """The statement that says which records are no longer kept, with its proof; None while nothing ended.

    `sizes` are those of the heads that the reader has; a shard that is not among them has none.
    """
    return None if over is None else _stated(shards, over.index, over.leaf, sizes)


def told_hands(shards: Shards, handed: list[Hand], sizes: Mapping[Ledger, int]) -> list[dict[str, Any]]:
    """The statements by which keys handed over, oldest first, with their proofs: those under the reader's heads."""
    told = (_stated(shards, hand.index, hand.leaf, sizes) for hand in handed)
    return [one for one in told if one is not None]


def _stated(shards: Shards, index: int, leaf: bytes, sizes: Mapping[Ledger, int]) -> dict[str, Any] | None:
    ledger = shards.at(index)
    position, size = index - ledger.first, sizes.get(ledger, 0)
    if position >= size:
        return None
    steps = [b64(step) for step in ledger.inclusion(position, size)]
    return {"shard": shards.all.index(ledger), "index": position, "leaf": b64(leaf), "proof": steps}


def proven(shards: Shards, line: Line, sizes: Mapping[Ledger, int]) -> dict[str, Any]:
    """One line with its proof; `proof` is None where no head of these sizes covers it."""
    ledger = shards.at(line.index)
    position, size = line.index - ledger.first, sizes.get(ledger, 0)
    proof = ledger.inclusion(position, size) if position < size else None
    return {
        "shard": shards.all.index(ledger),
        "index": position,
        "seq": line.seq,
        "entry": b64(line.entry),
        "record": line.record,
        "nonce": b64(line.nonce) if line.record else None,
        "dpo_commitment": b64(line.leaf[34:]),
        "kind": line.leaf[1],
        "leaf": b64(line.leaf),
        "proof": None if proof is None else [b64(step) for step in proof],
        "outcome": line.outcome,
    }


def kept(vault: Vault) -> int:
    """How many entries are durable, published or not."""
    return vault.log.shards.kept


def of_pod(vault: Vault, pod: PodFacts) -> int:
    """How many entries a pod has."""
    return int(vault.db.read.run(f"SELECT count(*) FROM {Record.__tablename__} WHERE pod = :pod", pod=pod.id)[0][0])  # noqa: S608
