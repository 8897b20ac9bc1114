"""What the DPO's office can open: the DPO record of every private entry since the office exists.

Before that an entry carries a random filler in its place (access-log.md, Formats); after it not one may be missing.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from keys.context import ctx
from keys.dropbox import collect
from keys.errors import KeysError
from keys.records import commitment, open_record
from keys.secret import Private, RecordKey
from vault.log.append import DPO
from vault.log.entry import DPO_DOMAIN, PRIVATE
from vault.tables import RecordKey as KeyRow
from vault.vault import Vault

NAME: Final = "office"
CONTAINER: Final = "dpo"
CATEGORY: Final = "kluis:Dpo"
_NONCE = 32
_LINES = """
SELECT e.idx, e.leaf, d.entry, d.key, d.sealed FROM entry e LEFT JOIN dporecord d ON d.idx = e.idx
WHERE e.idx > coalesce((SELECT min(idx) FROM record WHERE pod = :office), -1) ORDER BY e.idx
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

    Counted from there and not from the first DPO record, so that records cut off at the front are missed too.
    """
    rows = vault.db.read.run(_LINES, office=office)
    at = vault.log.shards.at
    return [Sheet(i, at(i).origin, leaf[34:], *sealed) for i, leaf, *sealed in rows if leaf[1] == PRIVATE]


def letters(vault: Vault) -> dict[bytes, bytes]:
    """Every DPO record key, still sealed to the office."""
    return {row.id: row.sealed for row in vault.db.read.find(KeyRow, pod=b"")}


def read(lines: Iterable[Sheet], sealed_keys: dict[bytes, bytes], private: Private) -> Opened:
    """Open every record and check it against the commitment that the public sees. No I/O: fit for a thread."""
    keys: dict[bytes, RecordKey] = {}
    records, damaged, entries = [], [], 0
    for line in lines:
        entries += 1
        try:
            records.append(_open(line, keys, sealed_keys, private))
        except (KeysError, KeyError, ValueError):
            damaged.append(line.index)
    for key in keys.values():
        key.wipe()
    return Opened(tuple(records), entries, tuple(damaged))


def _open(
    line: Sheet, keys: dict[bytes, RecordKey], sealed_keys: dict[bytes, bytes], private: Private
) -> dict[str, Any]:
    if line.entry is None or line.key is None or line.sealed is None:
        raise KeyError("no DPO record")
    if line.key not in keys:
        context = ctx("record-key", DPO, line.origin, line.key)
        keys[line.key] = collect(private, context, sealed_keys[line.key], RecordKey)
    data = open_record(keys[line.key], "dpo-record", line.origin, line.key, line.entry, line.sealed)
    nonce, record = data[:_NONCE], data[_NONCE:]
    if commitment(DPO_DOMAIN, nonce, record) != line.commitment:
        raise ValueError("another record than the one committed to")
    told: dict[str, Any] = json.loads(record)
    return told
