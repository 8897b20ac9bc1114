"""Epochs: the slot tree summed up on a clock, and what is kept so that a citizen can ask for her path later.

A summary is stated every minute (every ten above 100,000 pods), also when nothing happened: a summary that fails to
come is then itself a sign, and its absence never says that nobody was at work. It covers what is durable at one moment;
an entry is under the first summary that counts more entries than its index.

Kept per epoch are the roots of blocks of 256 slots only. What one pod had at that moment is worked out again from its
entries, so a path costs 256 look-ups and 525,000 slots take 64 KiB an epoch. Every epoch is kept for 48 hours, the
first of each hour for 35 days, the first of each day for 24 months: at most 4,450 of them, or 120 MB for 525,000
slots. The statements stay in the log for ever.

Two threads: the loop's asks for paths, one other at a time sums up. If we crash before the statement is durable, the
epoch does not exist; its row and its statement are written in one transaction, so no epoch is ever stated twice.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from keys.secret import Secret
from keys.text import b64
from vault.database import Database, Tx
from vault.errors import NotFound
from vault.gates import ms
from vault.log import slots
from vault.log.append import Log
from vault.log.slots import BLOCK, NOBODY, STATE, Summary
from vault.tables import Entry, Epoch, Slot

NEXT: Final = "SELECT coalesce(max(number) + 1, 0) FROM slot"
KEPT: Final = "SELECT coalesce(max(idx) + 1, 0) FROM entry"
LAST: Final = "SELECT coalesce(max(number), 0) FROM epoch"
CHANGED: Final = """
SELECT s.number, h.seq, h.head FROM slot s JOIN podhead h ON h.pod = s.pod
WHERE s.pod IN (SELECT DISTINCT pod FROM record WHERE idx >= :known)
"""
ALL: Final = "SELECT s.number, h.seq, h.head FROM slot s JOIN podhead h ON h.pod = s.pod"
ENDED: Final = "SELECT number FROM slot WHERE ended >= :known"
NEIGHBOURS: Final = "SELECT number, pod, ended FROM slot WHERE number >= :begin AND number < :end ORDER BY number"
THEN: Final = """
SELECT r.seq, e.leaf FROM record r JOIN entry e ON e.idx = r.idx
WHERE r.pod = :pod AND r.idx < :entries ORDER BY r.idx DESC LIMIT 1
"""
HOUR, DAY = 60, 1440  # epochs are minutes
THIN: Final = """
DELETE FROM epoch WHERE number < :gone
OR (number < :old AND number NOT IN (SELECT min(number) FROM epoch GROUP BY number / 1440))
OR (number < :young AND number NOT IN (SELECT min(number) FROM epoch GROUP BY number / 60))
"""
AT_OR_BEFORE: Final = """
SELECT number, idx, entries, slots, roots FROM epoch
WHERE number <= :number AND idx < :below ORDER BY number DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Proven:
    """A pod's slot in one epoch: the statement at entry `index`, and what leads from the pod's state to its root."""

    index: int
    body: bytes
    slot: int
    salt: bytes
    state: bytes
    path: tuple[bytes, ...]

    @property
    def told(self) -> dict[str, Any]:
        """As JSON, binary as base64url; the state as `count` and `head`."""
        return {
            "statement": self.index,
            "body": self.body.decode(),
            "slot": self.slot,
            "salt": b64(self.salt),
            "count": int.from_bytes(self.state[:8], "big"),
            "head": b64(self.state[8:]),
            "path": [b64(step) for step in self.path],
        }


class Epochs:
    """The states of all slots, brought up to date from the durable entries once an epoch."""

    def __init__(self, db: Database, key: Secret) -> None:
        """Take the key that all salts come from."""
        self._db, self._key = db, key
        self._states, self._known = bytearray(), 0
        self._minute: int | None = None
        self._busy = threading.Lock()

    async def sum_up(self, log: Log, now: datetime, pause: Callable[[], None] = lambda: None) -> Summary | None:
        """State the summary of a new epoch; None if this one has it. `pause` lets others in between two blocks.

        An epoch is the minute of its making, or the next free one where the clock went back. The minute in which a
        process begins makes none if one that late was stated before: else every restart would move epochs ahead.
        Raises LogUnavailable.
        """
        minute = slots.epoch_of(ms(now), len(self._states) // STATE)
        if self._minute is None:
            last = await asyncio.to_thread(self._last)
            self._minute = minute if last >= minute else -1
        if minute == self._minute:
            return None
        made, roots = await asyncio.to_thread(self._work_out, minute, pause)
        await log.state(made.body, now, lambda tx, index: _keep(tx, made, index, roots))
        self._minute = minute
        return made

    def _last(self) -> int:
        with self._db.reading() as tx:
            return int(tx.run(LAST)[0][0])

    def _work_out(self, minute: int, pause: Callable[[], None]) -> tuple[Summary, bytes]:
        """The summary of everything durable now. For a thread of its own."""
        with self._busy, self._db.reading() as tx:
            self._catch_up(tx)
            number = len(self._states) // STATE
            before = int(tx.run(LAST)[0][0])
            epoch = max(minute, before + 1)
            roots = []
            for one in slots.blocks(self._key, epoch, self._states):
                roots.append(one)
                pause()
            made = Summary(epoch, self._known, number, slots.root(roots), slots.every(number), before)
            return made, b"".join(roots)

    def _catch_up(self, tx: Tx) -> None:
        """Bring the states to the moment of this snapshot: what changed since last time, at the start everything."""
        known, kept = self._known, int(tx.run(KEPT)[0][0])
        self._states.extend(bytes(int(tx.run(NEXT)[0][0]) * STATE - len(self._states)))
        for number, seq, head in tx.run(CHANGED, known=known) if known else tx.run(ALL):
            self._states[number * STATE : (number + 1) * STATE] = slots.state(seq, head)
        for (number,) in tx.run(ENDED, known=known):
            self._states[number * STATE : (number + 1) * STATE] = NOBODY
        self._known = kept

    def asked(self, pod: bytes, epochs: Iterable[int], published: int) -> list[Proven]:
        """The pod's slot in the newest kept epoch at or before each of these, stated among the published entries.

        Newest first; fewer than asked where several fall on the same one, or where there is none so old. Fit for a
        thread. Raises NotFound for no pod.
        """
        with self._db.reading() as tx:
            found: dict[int, Epoch] = {}
            for number in sorted(set(epochs), reverse=True):
                for row in tx.run(AT_OR_BEFORE, number=number, below=published):
                    found[row[0]] = Epoch(number=row[0], idx=row[1], entries=row[2], slots=row[3], roots=row[4])
            own = slot_of(tx, pod)
            return [self._proven(tx, own, row) for row in found.values() if own < row.slots]

    def _proven(self, tx: Tx, own: int, row: Epoch) -> Proven:
        number, begin = own // BLOCK, own - own % BLOCK
        around = tx.run(NEIGHBOURS, begin=begin, end=min(begin + BLOCK, row.slots))
        states = [_then(tx, pod, ended, row.entries) for _, pod, ended in around]
        leaves = slots.leaves(self._key, row.number, number, b"".join(states))
        roots = [row.roots[at : at + 32] for at in range(0, len(row.roots), 32)]
        stated = tx.get(Entry, row.idx)
        return Proven(
            row.idx,
            stated.leaf[2:] if stated else b"",
            own,
            slots.salt(self._key, row.number, own),
            states[own - begin],
            tuple(slots.path(leaves, roots, own)),
        )


def place(tx: Tx, pod: bytes) -> int:
    """Give a new pod the next slot, in the transaction that makes the pod."""
    number = int(tx.run(NEXT)[0][0])
    tx.add(Slot(number=number, pod=pod))
    return number


def slot_of(tx: Tx, pod: bytes) -> int:
    """The slot of a pod. Raises NotFound."""
    for row in tx.find(Slot, pod=pod):
        return row.number
    raise NotFound("no such pod")


def _then(tx: Tx, pod: bytes, ended: int | None, entries: int) -> bytes:
    """What a slot held after the first `entries` entries of the log."""
    if ended is not None and ended < entries:
        return NOBODY
    for seq, leaf in tx.run(THEN, pod=pod, entries=entries):
        return slots.state(seq, sha256(leaf[2:34]).digest())
    return NOBODY


def _keep(tx: Tx, made: Summary, index: int, roots: bytes) -> None:
    """Keep the epoch beside its statement, and once an hour let go of what is no longer kept."""
    before = int(tx.run(LAST)[0][0])
    tx.add(Epoch(number=made.epoch, idx=index, entries=made.entries, slots=made.slots, roots=roots))
    if before // HOUR != made.epoch // HOUR:
        tx.run(THIN, gone=made.epoch - 731 * DAY, old=made.epoch - 35 * DAY, young=made.epoch - 2 * DAY)
