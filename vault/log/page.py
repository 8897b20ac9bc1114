"""The entries of one batch that are decided and not yet in the database: they get there by one statement a table.

The writer's thread alone has one, inside one transaction. Whatever else reads or writes tables in that transaction has
the page written first (`Tx.settle`), so nobody sees a log without the entries before its own; and nothing is answered
before the commit, so a crash loses only what nobody was told of.
"""

from collections import Counter
from typing import Any

from keys.records import RecordSealer
from keys.secret import fresh_bytes
from vault.database import Tx
from vault.log import sheet
from vault.log.uses import Visit
from vault.tables import DpoRecord, Entry, Record

NEXT = "SELECT coalesce(max(idx) + 1, 0) FROM entry"
LAST = "SELECT seq, head FROM podhead WHERE pod = :pod"
HEAD = """
INSERT INTO podhead (pod, seq, head) VALUES (?, ?, ?)
ON CONFLICT (pod) DO UPDATE SET seq = excluded.seq, head = excluded.head
"""
VISIT = """
INSERT INTO agentuse (pod, mark, day, count) VALUES (?, ?, ?, ?)
ON CONFLICT (pod, mark, day) DO UPDATE SET count = count + excluded.count
"""


def page(tx: Tx) -> "Page":
    """The page of this transaction, a new one if there is none."""
    held = tx.held
    if not isinstance(held, Page):
        held = tx.held = Page(tx)
    return held


class Page:
    """What was entered since the last time a page was written."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.next = int(tx.run(NEXT)[0][0])
        """The index of the entry after the last one."""
        self._heads: dict[bytes, tuple[int, bytes]] = {}
        self._records: list[tuple[Any, ...]] = []
        self._leaves: list[tuple[int, bytes]] = []
        self._ends: dict[bytes, tuple[bytes, int, bytes]] = {}
        self._sheets: dict[RecordSealer, sheet.Told] = {}
        self._visits: Counter[Visit] = Counter()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self._leaves

    def head(self, pod: bytes) -> tuple[int, bytes]:
        """Where the chain of a pod ends: how many records, and the hash of the last commitment; (0, b"") for none."""
        if (found := self._heads.get(pod)) is None:
            rows = self._tx.run(LAST, pod=pod)
            found = self._heads[pod] = rows[0] if rows else (0, b"")
        return found

    def enter(self, leaf: bytes, record: tuple[Any, ...], head: bytes) -> None:
        """Take in an entry: its leaf, its row of Record (every column, in order), the new end of its pod's chain."""
        index, pod, seq = record[:3]
        self._records.append(record)
        self._leaves.append((index, leaf))
        self._heads[pod] = seq, head
        self._ends[pod] = pod, seq, head
        self.next = index + 1

    def tell(self, seal: RecordSealer, index: int, nonce: bytes, text: bytes) -> None:
        """Take in the DPO record of an entry, to be sealed with the others under that key."""
        if (told := self._sheets.get(seal)) is None:
            told = self._sheets[seal] = {}
        sheet.add(told, index, nonce, text)

    def visit(self, visits: tuple[Visit, ...]) -> None:
        """Take in who came with an entry that is on this page (vault.log.uses)."""
        if visits:
            self._visits.update(visits)

    def write(self) -> None:
        """Put all of it into the database."""
        tx = self._tx
        tx.insert_all(Record, self._records)
        tx.insert_all(Entry, self._leaves)
        tx.raw.executemany(HEAD, self._ends.values())
        tx.raw.executemany(VISIT, [(*visit, count) for visit, count in self._visits.items()])
        for seal, told in self._sheets.items():
            name = fresh_bytes(16)
            row = {"idx": sheet.first(told), "entry": name, "key": seal.key_id}
            tx.insert(DpoRecord, **row, sealed=seal.seal(name, sheet.pack(told)))
