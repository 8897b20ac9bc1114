"""What readers of the log get: the citizen her own records with everything to check them; others nothing of hers."""

import json
from dataclasses import dataclass
from typing import Any

from keys.context import ctx
from keys.dropbox import collect
from keys.records import open_record
from keys.secret import Private, RecordKey
from keys.text import b64
from vault.errors import DamagedItem
from vault.log.entry import POD_DOMAIN
from vault.log.tiles import Ledger
from vault.tables import Entry, Record
from vault.tables import RecordKey as KeyRow
from vault.vault import PodFacts, Vault


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a pod's own log: its place in the public tree, its record as written, and the nonce that blinds it."""

    index: int
    seq: int
    entry: bytes
    record: str
    nonce: bytes
    leaf: bytes
    outcome: str

    @property
    def told(self) -> dict[str, Any]:
        """The record's fields."""
        fields: dict[str, Any] = json.loads(self.record)
        return fields


def lines(vault: Vault, pod: PodFacts, log: Private, since: int = 0) -> list[Line]:
    """All records of a pod from sequence number `since` on, opened with the pod's log key.

    Raises DamagedItem naming the first entry that does not open.
    """
    keys: dict[bytes, RecordKey] = {}
    rows = vault.db.read.run(
        "SELECT r.idx, r.seq, r.entry, r.key, r.sealed, r.outcome, e.leaf FROM record r JOIN entry e ON e.idx = r.idx"
        " WHERE r.pod = :pod AND r.seq >= :since ORDER BY r.seq",
        pod=pod.id,
        since=since,
    )
    try:
        return [_line(vault, pod, log, keys, *row) for row in rows]
    finally:
        for key in keys.values():
            key.wipe()


def _line(  # noqa: PLR0913 -- a row of the query above
    vault: Vault,
    pod: PodFacts,
    log: Private,
    keys: dict[bytes, RecordKey],
    idx: int,
    seq: int,
    entry: bytes,
    key_id: bytes,
    sealed: bytes,
    outcome: str,
    leaf: bytes,
) -> Line:
    try:
        if key_id not in keys:
            keys[key_id] = _key(vault, pod, log, key_id)
        opened = open_record(keys[key_id], "record", vault.log.ledger.origin, key_id, entry, sealed)
    except Exception as e:
        raise DamagedItem(f"log entry {idx} does not open") from e
    return Line(idx, seq, entry, opened[32:].decode(), opened[:32], leaf, outcome)


def _key(vault: Vault, pod: PodFacts, log: Private, key_id: bytes) -> RecordKey:
    row = vault.db.read.get(KeyRow, key_id)
    if row is None:
        raise DamagedItem(f"record key {key_id.hex()} is missing")
    return collect(log, ctx("record-key", pod.id, vault.log.ledger.origin, key_id), row.sealed, RecordKey)


def proofs(vault: Vault, told: list[Line]) -> dict[str, Any]:
    """Everything a device needs to check these lines by itself (web/pages/static/verify.js reads this form)."""
    ledger = vault.log.ledger
    return {
        "origin": ledger.origin,
        "vkey": ledger.vkey,
        "checkpoint": ledger.note,
        "size": ledger.size,
        "pod_domain": POD_DOMAIN,
        "entries": [proven(ledger, line) for line in told],
    }


def proven(ledger: Ledger, line: Line) -> dict[str, Any]:
    """One line with its proof; `proof` is None while its checkpoint is not published yet."""
    proof = ledger.inclusion(line.index) if line.index < ledger.size else None
    return {
        "index": line.index,
        "seq": line.seq,
        "entry": b64(line.entry),
        "record": line.record,
        "nonce": b64(line.nonce),
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
