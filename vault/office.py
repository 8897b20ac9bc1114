"""What the DPO's office can open: the DPO record of every private entry since the office exists.

Before that an entry carries a random filler in its place (access-log.md, Formats); after it not one may be missing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keys.context import ctx
from keys.dropbox import collect
from keys.errors import KeysError
from keys.records import commitment, open_record
from keys.secret import Private, RecordKey
from vault.gates import ms
from vault.log.append import DPO
from vault.log.entry import DPO_DOMAIN, HOUR_MS, PRIVATE
from vault.log.retention import ended
from vault.pod import compartment
from vault.tables import RecordKey as KeyRow
from vault.vault import DPO_CONTAINER, PodFacts, Vault

NAME: Final = "office"
CONTAINER: Final = DPO_CONTAINER
CATEGORY: Final = "kluis:Dpo"
_FIRST = "SELECT min(period) FROM recordkey WHERE pod = x'' AND box = :box"
YEAR_MS: Final = 365 * 86_400_000
Letters = dict[bytes, tuple[bytes, bytes]]
_NONCE = 32
_LINES = """
SELECT e.idx, e.leaf, d.entry, d.key, d.sealed FROM entry e LEFT JOIN dporecord d ON d.idx = e.idx
WHERE e.idx > coalesce((SELECT min(idx) FROM record WHERE pod = :office), -1) AND e.idx >= :kept ORDER BY e.idx
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What lies in the database for one private entry: its DPO commitment, and the sealed record or None."""

    index: int
    origin: str
    commitment: bytes
    entry: bytes | None
    key: bytes | None
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class Opened:
    """The DPO records that open and match their public commitment, of `entries` since the office exists.

    `damaged` lists the indexes of all others; complete means that there are none.
    """

    records: tuple[dict[str, Any], ...]
    entries: int
    damaged: tuple[int, ...]


def sheets(vault: Vault, office: bytes) -> list[Sheet]:
    """One line per private entry after the one that made the office, from one snapshot.

    Counted from there and not from the first DPO record, so that records cut off at the front are missed too; from the
    first entry whose DPO record is still kept, once the log says that older ones ended.
    """
    at = vault.log.shards.at
    with vault.db.reading() as tx:
        over = ended(tx)
        rows = tx.run(_LINES, office=office, kept=over.dpo_before if over else 0)
    return [Sheet(i, at(i).origin, leaf[34:], *sealed) for i, leaf, *sealed in rows if leaf[1] == PRIVATE]


def overdue(vault: Vault, pod: PodFacts, now: datetime) -> bool:
    """Whether the first record key sealed to the newest generation of the office's key is a year old."""
    newest = compartment(vault, pod, CONTAINER).public
    first = vault.db.read.run(_FIRST, box=newest)[0][0]
    return first is not None and ms(now) - first * HOUR_MS >= YEAR_MS


def letters(vault: Vault) -> Letters:
    """Every DPO record key, still sealed to the office, with the public key of the generation it was sealed to."""
    return {row.id: (row.box, row.sealed) for row in vault.db.read.find(KeyRow, pod=b"")}


def read(lines: Iterable[Sheet], sealed_keys: Letters, privates: Mapping[bytes, Private]) -> Opened:
    """Open every record and check it against the commitment that the public sees. No I/O: fit for a thread.

    `privates`: the key of every generation by its public half.
    """
    keys: dict[bytes, RecordKey] = {}
    records, damaged, entries = [], [], 0
    for line in lines:
        entries += 1
        try:
            records.append(_open(line, keys, sealed_keys, privates))
        except (KeysError, KeyError, ValueError):
            damaged.append(line.index)
    for key in keys.values():
        key.wipe()
    return Opened(tuple(records), entries, tuple(damaged))


def _open(
    line: Sheet, keys: dict[bytes, RecordKey], sealed_keys: Letters, privates: Mapping[bytes, Private]
) -> dict[str, Any]:
    if line.entry is None or line.key is None or line.sealed is None:
        raise KeyError("no DPO record")
    if line.key not in keys:
        context = ctx("record-key", DPO, line.origin, line.key)
        box, sealed = sealed_keys[line.key]
        keys[line.key] = collect(privates[box], context, sealed, RecordKey)
    data = open_record(keys[line.key], "dpo-record", line.origin, line.key, line.entry, line.sealed)
    nonce, record = data[:_NONCE], data[_NONCE:]
    if commitment(DPO_DOMAIN, nonce, record) != line.commitment:
        raise ValueError("another record than the one committed to")
    told: dict[str, Any] = json.loads(record)
    return told
