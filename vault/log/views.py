"""What readers of the log get: the citizen her own records with everything to check them; others nothing of hers."""

import json
from dataclasses import dataclass
from typing import Any

from keys.context import ctx
from keys.dropbox import collect
from keys.errors import KeysError
from keys.records import open_record
from keys.secret import Private, RecordKey
from keys.text import b64
from vault.errors import DamagedItem
from vault.log.entry import POD_DOMAIN
from vault.log.tiles import Ledger
from vault.tables import Entry, PodHead, Record, RecordKey as KeyRow
from vault.vault import PodFacts, Vault

LINES = """
SELECT r.idx, r.seq, r.entry, r.key, r.sealed, r.outcome, e.leaf FROM record r JOIN entry e ON e.idx = r.idx
WHERE r.pod = :pod AND r.seq >= :since ORDER BY r.seq
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a pod's own log: its place in the public tree, its record as written, and the nonce that blinds it.

    `record` is None if what is stored does not open: the entry is broken, and readers say so at this very line.
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
        """The record's fields; of a broken one only its place."""
        fields: dict[str, Any] = json.loads(self.record) if self.record else {"seq": self.seq, "type": "broken"}
        return fields


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


def head(vault: Vault, pod: PodFacts) -> Head:
    """The head of a pod's chain, kept apart from its records, so that records cut off at the end are missed."""
    row = vault.db.read.get(PodHead, pod.id)
    kept = int(vault.db.read.run("SELECT coalesce(max(idx) + 1, 0) FROM entry")[0][0])
    return Head(row.seq, row.head, kept) if row else Head(0, b"", kept)


def own(vault: Vault, pod: PodFacts, log: Private, since: int = 0) -> Own:
    """The records of a pod from `since` on with its head, as one snapshot: the writer goes on meanwhile."""
    read = vault.db.read
    read.run("BEGIN")
    try:
        return Own(lines(vault, pod, log, since), head(vault, pod))
    finally:
        read.run("COMMIT")


def lines(vault: Vault, pod: PodFacts, log: Private, since: int = 0) -> list[Line]:
    """All records of a pod from sequence number `since` on, opened with the pod's log key."""
    reader = _Reader(vault, pod, log)
    try:
        return [reader.line(*row) for row in vault.db.read.run(LINES, pod=pod.id, since=since)]
    finally:
        reader.wipe()


class _Reader:
    """Opens records; each record key is opened once and wiped at the end."""

    def __init__(self, vault: Vault, pod: PodFacts, log: Private) -> None:
        self.vault, self.pod, self.log = vault, pod, log
        self._keys: dict[bytes, RecordKey] = {}

    def line(self, index: int, seq: int, entry: bytes, key_id: bytes, *rest: Any) -> Line:
        """One row of LINES as a line."""
        sealed, outcome, leaf = rest
        try:
            origin = self.vault.log.shards.at(index).origin
            opened = open_record(self._key(origin, key_id), "record", origin, key_id, entry, sealed)
            return Line(index, seq, entry, opened[32:].decode(), opened[:32], leaf, outcome)
        except (KeysError, ValueError, DamagedItem):
            return Line(index, seq, entry, None, b"", leaf, "broken")

    def _key(self, origin: str, key_id: bytes) -> RecordKey:
        if key_id not in self._keys:
            row = self.vault.db.read.get(KeyRow, key_id)
            if row is None:
                raise DamagedItem(f"record key {key_id.hex()} is missing")
            context = ctx("record-key", self.pod.id, origin, key_id)
            self._keys[key_id] = collect(self.log, context, row.sealed, RecordKey)
        return self._keys[key_id]

    def wipe(self) -> None:
        """Forget the keys."""
        for key in self._keys.values():
            key.wipe()


def proofs(vault: Vault, told: Own) -> dict[str, Any]:
    """Everything a device needs to check these lines by itself (web/pages/static/verify.js reads this form).

    `shard` of an entry is a place in `shards`, `index` its position in that shard's tree.
    """
    shards = vault.log.shards
    places = {ledger: place for place, ledger in enumerate(shards.all)}
    inside = [(shards.at(line.index), line) for line in told.lines]
    return {
        "shards": shards.told,
        "pod_domain": POD_DOMAIN,
        "head": told.head.told,
        "entries": [{"shard": places[ledger], **proven(ledger, line)} for ledger, line in inside],
    }


def exported(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    """The same as the lines of an export, which name their shard by its origin; last the head they must end at."""
    named = [{**line, "shard": bundle["shards"][line["shard"]]["origin"]} for line in bundle["entries"]]
    return [*named, bundle["head"]]


def proven(ledger: Ledger, line: Line) -> dict[str, Any]:
    """One line with its proof; `proof` is None while its checkpoint is not published yet."""
    position = line.index - ledger.first
    proof = ledger.inclusion(position) if position < ledger.size else None
    return {
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
    return int(vault.db.read.run(f"SELECT count(*) FROM {Entry.__tablename__}")[0][0])  # noqa: S608


def of_pod(vault: Vault, pod: PodFacts) -> int:
    """How many entries a pod has."""
    return len(vault.db.read.find(Record, pod=pod.id))
