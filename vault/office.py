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
from vault.log.sheet import unpack
from vault.pod import compartment
from vault.tables import RecordKey as KeyRow
from vault.vault import DPO_CONTAINER, PodFacts, Vault

NAME: Final = "office"
CONTAINER: Final = DPO_CONTAINER
CATEGORY: Final = "kluis:Dpo"
_FIRST = "SELECT min(period) FROM recordkey WHERE pod = x'' AND box = :box"
YEAR_MS: Final = 365 * 86_400_000
Letters = dict[bytes, tuple[bytes, bytes]]
_LINES = """
SELECT idx, leaf FROM entry
WHERE idx > coalesce((SELECT min(idx) FROM record WHERE pod = :office), -1) AND idx >= :kept ORDER BY idx
"""
_SEALED = """
SELECT idx, entry, key, sealed FROM dporecord
WHERE idx >= coalesce((SELECT max(idx) FROM dporecord WHERE idx <= :kept), 0) ORDER BY idx
"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A row of sealed DPO records, of the entry `first` and of some after it."""

    first: int
    name: bytes
    key: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Sheet:
    """What lies in the database for one private entry: its DPO commitment, and the row that should have its record."""

    index: int
    origin: str
    commitment: bytes
    row: Sealed | None


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
        kept = over.dpo_before if over else 0
        rows = [Sealed(*row) for row in tx.run(_SEALED, kept=kept)]
        lines = tx.run(_LINES, office=office, kept=kept)
    found, place = [], 0
    for index, leaf in lines:
        while place < len(rows) and rows[place].first <= index:
            place += 1
        if leaf[1] == PRIVATE:
            found.append(Sheet(index, at(index).origin, leaf[34:], rows[place - 1] if place else None))
    return found


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
    opener = _Opener(sealed_keys, privates)
    records, damaged, entries = [], [], 0
    for line in lines:
        entries += 1
        try:
            records.append(opener.told(line))
        except (KeysError, KeyError, ValueError):
            damaged.append(line.index)
    opener.wipe()
    return Opened(tuple(records), entries, tuple(damaged))


class _Opener:
    """Opens rows one after the other; each record key is opened once and wiped at the end."""

    def __init__(self, sealed_keys: Letters, privates: Mapping[bytes, Private]) -> None:
        self._letters, self._privates = sealed_keys, privates
        self._keys: dict[bytes, RecordKey] = {}
        self._row: Sealed | None = None
        self._records: dict[int, tuple[bytes, bytes]] = {}

    def told(self, line: Sheet) -> dict[str, Any]:
        """The DPO record of an entry. Raises KeyError, ValueError or KeysError if it is not there or another."""
        if line.row is not self._row:
            self._row, self._records = line.row, {}
            self._records = self._opened(line)
        nonce, record = self._records[line.index]
        if commitment(DPO_DOMAIN, nonce, record) != line.commitment:
            raise ValueError("another record than the one committed to")
        told: dict[str, Any] = json.loads(record)
        return told

    def _opened(self, line: Sheet) -> dict[int, tuple[bytes, bytes]]:
        row = line.row
        if row is None:
            return {}
        if row.key not in self._keys:
            context = ctx("record-key", DPO, line.origin, row.key)
            box, sealed = self._letters[row.key]
            self._keys[row.key] = collect(self._privates[box], context, sealed, RecordKey)
        return unpack(open_record(self._keys[row.key], "dpo-record", line.origin, row.key, row.name, row.sealed))

    def wipe(self) -> None:
        """Forget the keys."""
        for key in self._keys.values():
            key.wipe()
