"""The one place where guards, proofs, entries and shares meet (access-log.md, Order).

Per intent, in the writer's transaction: each guard is a conditional update, the jti an insert, the caller's rows its
own write; if one fails all three are undone and a denial is written in their place, so neighbours never notice.
After the commit, in the same thread and before any later intent: new tree leaf, share deletions, then the shares
the entry asked for. If we crash after the commit the entry stands and nothing was released.
"""

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from keys.context import ctx
from keys.dropbox import deliver
from keys.records import seal_record
from keys.secret import ControlKey, RecordKey, Released, Secret, Share, fresh_bytes
from vault import gates, owed
from vault.database import Database, Tx
from vault.errors import Conflict, LogUnavailable
from vault.log import entry as forms
from vault.log.entry import Appended, Facts, Intent, Refused
from vault.log.receipts import keep
from vault.log.retention import BEGIN
from vault.log.shards import Shards as Trees, Turn
from vault.log.tiles import Ledger
from vault.log.times import Times
from vault.log.versions import proof, touched
from vault.reserve import is_full
from vault.shares import Drop, Shares, Want
from vault.tables import DpoRecord, Entry, Jti, Record, RecordKey as KeyRow

KEYS_IN_MEMORY = 4096
DATA = frozenset({"access", "deposit", "managed unlock"})  # types of entries under which data comes or goes
DPO = bytes(16)  # stands for the DPO where a pod's record keys name the pod
NEXT = "SELECT coalesce(max(idx) + 1, 0) FROM entry"
LAST = "SELECT seq, head FROM podhead WHERE pod = :pod"
NOTHING: dict[str, Any] = {"count": 0, "bytes": 0, "keyring": "", "versions": ()}  # what a refused event changed
HEAD = """
INSERT INTO podhead (pod, seq, head) VALUES (:pod, :seq, :head)
ON CONFLICT (pod) DO UPDATE SET seq = :seq, head = :head
"""


@dataclass(frozen=True)
class _Booked:
    index: int
    entry: bytes
    leaf: bytes
    turn: Turn
    refused: str | None


class Log:
    """Append-only and durable: what `append` returned is on disk. All state but the tree lives in the database."""

    def __init__(
        self,
        db: Database,
        shares: Shares,
        shards: Trees,
        proof_key: Secret,
        box_of: Callable[[Tx, bytes], bytes],
        control_of: Callable[[Tx, bytes], ControlKey],
    ) -> None:
        """Take the key of the hashes beside records, and what gives a pod's verified log key and its control key.

        For b"" `box_of` gives the DPO's key.
        """
        self.db, self.shares, self.shards = db, shares, shards
        self._proof_key, self._box_of, self._control_of = proof_key, box_of, control_of
        self.has_office = False
        self.held = ""  # why no data is served although the log can be written; "" for no reason
        self._times = Times()
        self._served: list[int] = []
        self._owed: tuple[Drop, ...] = ()
        self._owing: list[int] = []
        self._paid: list[int] = []
        self._keys: OrderedDict[tuple[bytes, int], tuple[bytes, RecordKey]] = OrderedDict()

    @property
    def ledger(self) -> Ledger:
        """The shard that grows."""
        return self.shards.current

    async def append(self, intent: Intent) -> Appended | Refused:
        """Write one event. Raises LogUnavailable if it cannot be made durable; then nothing is released.

        The same for data while it is held back; withdrawal and everything else that is no data goes on.
        """
        if self.held and intent.facts.type in DATA:
            raise LogUnavailable(f"no data is served: {self.held}")
        answer: Appended | Refused = await self.db.submit(
            lambda tx: self._book(tx, intent),
            first=lambda: self._prepare(intent),
            then=lambda booked: self._release(intent, booked),
            undo=lambda: self._forget(intent),
            vital=bool(intent.drops),
        )
        return answer

    async def state(self, body: bytes, at: datetime, write: Callable[[Tx, int], object] | None = None) -> int:
        """Write a statement, in clear for everybody; return its index. Raises ValueError for one too long.

        `write` stores, in the same transaction, what else depends on that index.
        """
        leaf = forms.statement(body)
        index = await self.db.submit(
            lambda tx: self._state(tx, leaf, gates.ms(at), write),
            then=lambda done: self._stated(done, leaf),
            undo=self._times.forget,
        )
        return int(index)

    def _state(self, tx: Tx, leaf: bytes, at: int, write: Callable[[Tx, int], object] | None) -> tuple[Turn, int]:
        turn, index = self._place(tx, self._times.take(tx, at)[0])
        tx.add(Entry(idx=index, leaf=leaf))
        if write is not None:
            write(tx, index)
        return turn, index

    def _stated(self, done: tuple[Turn, int], leaf: bytes) -> int:
        turn, index = done
        self.shards.add(turn, index, leaf)
        return index

    def _place(self, tx: Tx, at: int) -> tuple[Turn, int]:
        """The shard and the index of the next entry; the first of a half-year has its seam before it."""
        index = int(tx.run(NEXT)[0][0])
        turn = self.shards.turn(tx, at, index)
        return turn, index + len(turn.leaves)

    def served(self, index: int) -> None:
        """Remember that what entry `index` allowed was given; written with the next `settle`."""
        self._served.append(index)

    async def settle(self) -> None:
        """Write the outcomes remembered since last time, and delete the shares still owed to somebody.

        Outcomes are best effort: an entry stays "unknown" if we crash first.
        """
        if self._owed:
            await self.drop(())
        paid, self._paid = self._paid, []
        if paid:
            await self.db.write(lambda tx: owed.strike(tx, paid))
        batch, self._served = self._served, []
        if batch:
            await self.db.write(lambda tx: [tx.change(Record, {"idx": i}, outcome="served") for i in batch])

    def new_keys(self, pod: bytes) -> None:
        """Wipe the record keys of a pod, b"" for the DPO's: the next record gets one under the key then in use.

        In the writer's turn only. What an undone unit forgot is made again.
        """
        for place in [place for place in self._keys if place[0] == pod]:
            self._keys.pop(place)[1].wipe()

    async def drop(self, drops: tuple[Drop, ...]) -> None:
        """Delete shares again, in the writer's turn: for a caller that must not answer while one is left."""
        await self.db.submit(lambda _: None, then=lambda _: self._drop(drops), vital=True)

    def _drop(self, drops: tuple[Drop, ...], index: int | None = None) -> None:
        """A deletion that fails is owed: it is tried again with every `settle`, and at the next start."""
        self._owed = (*self._owed, *drops)
        self._owing += [] if index is None else [index]
        for drop in drops:
            if drop.kind == "*":
                self.new_keys(drop.owner)
        try:
            self.shares.drop(self._owed)
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            self.db.reserve.release()  # we are in the writer's turn
            self.shares.drop(self._owed)
        self._owed = ()
        self._paid, self._owing = self._paid + self._owing, []

    def _prepare(self, intent: Intent) -> None:
        if intent.new_shares:
            self.shares.put(intent.pod, intent.new_shares)

    def _forget(self, intent: Intent) -> None:
        self._keys.clear()
        self._times.forget()
        if intent.new_shares:
            self._unput(intent)

    def _unput(self, intent: Intent) -> None:
        self.shares.drop((Drop(w.kind, w.owner, w.part) for w, _ in intent.new_shares), remember=False)

    def _book(self, tx: Tx, intent: Intent) -> _Booked:
        at, clock = self._times.take(tx, gates.ms(intent.at))
        try:
            facts = intent.facts
            if intent.guards or intent.jti is not None or intent.write is not None:
                # What takes something away never fails for a log that is ahead of a clock set right again.
                moment = min(at, gates.ms(intent.at)) if intent.drops else at
                with tx.savepoint():
                    facts = _hold(tx, intent, moment) or facts
            facts = replace(facts, clock=clock) if clock else facts
            booked = self._write(tx, intent.pod, facts, at, None, receipt=intent.receipt)
            owed.promise(tx, booked.index, intent.drops)
            return booked
        except Conflict as refusal:
            denied = replace(
                intent.facts, type="denial", decision="denied", rule=refusal.reason, clock=clock, **NOTHING
            )
            return self._write(tx, intent.pod, denied, at, refusal.reason)

    def _write(
        self, tx: Tx, pod: bytes, facts: Facts, at: int, refused: str | None, *, receipt: bytes | bool = False
    ) -> _Booked:
        (turn, index), entry = self._place(tx, at), fresh_bytes(16)
        head = tx.run(LAST, pod=pod)
        seq, prev = (head[0][0] + 1, head[0][1]) if head else (1, b"")
        record = forms.pod_record(facts, entry, at, seq, prev)
        commitment = record.commitment()
        key_id, key = self._pod_key(tx, turn.origin, pod, at, index)
        sealed = seal_record(key, "record", turn.origin, key_id, entry, record.sealed)
        outcome, listed = "refused" if refused else "unknown", touched(facts.versions)
        proven = proof(self._proof_key, index, entry, listed, sealed)
        row: dict[str, Any] = {"idx": index, "pod": pod, "seq": seq, "entry": entry, "key": key_id, "sealed": sealed}
        tx.insert(Record, **row, outcome=outcome, touched=listed, proof=proven)
        leaf = forms.leaf(commitment, self._dpo(tx, turn.origin, index, entry, facts, at))
        tx.insert(Entry, idx=index, leaf=leaf)
        tx.run(HEAD, pod=pod, seq=seq, head=hashlib.sha256(commitment).digest())
        if receipt and facts.app:
            keep(tx, self._control_of(tx, pod), (index, entry, pod), record, receipt)
        return _Booked(index, entry, leaf, turn, refused)

    def _dpo(self, tx: Tx, origin: str, index: int, entry: bytes, facts: Facts, at: int) -> bytes:
        if not self.has_office:
            return fresh_bytes(32)
        record = forms.dpo_record(facts, at)
        nonce, commitment = forms.commit(forms.DPO_DOMAIN, record)
        key_id, key = self._key(tx, origin, b"", at // forms.HOUR_MS)
        sealed = seal_record(key, "dpo-record", origin, key_id, entry, nonce + record)
        tx.insert(DpoRecord, idx=index, entry=entry, key=key_id, sealed=sealed)
        return commitment

    def _pod_key(self, tx: Tx, origin: str, pod: bytes, at: int, index: int) -> tuple[bytes, RecordKey]:
        period = month(at)
        if (pod, period) not in self._keys:
            tx.run(BEGIN, period=period, first=index)
        return self._key(tx, origin, pod, period)

    def _key(self, tx: Tx, origin: str, pod: bytes, period: int) -> tuple[bytes, RecordKey]:
        """The record key of (pod, period) in memory, or a new part: a key we no longer hold is never reopened here."""
        if (found := self._keys.get((pod, period))) is not None:
            self._keys.move_to_end((pod, period))
            return found
        key_id, key, box = fresh_bytes(16), RecordKey.fresh(), self._box_of(tx, pod)
        sealed = deliver(box, ctx("record-key", pod or DPO, origin, key_id), key)
        tx.add(KeyRow(id=key_id, pod=pod, period=period, box=box, sealed=sealed))
        self._keys[(pod, period)] = (key_id, key)
        if len(self._keys) > KEYS_IN_MEMORY:
            self._keys.popitem(last=False)
        return key_id, key

    def _release(self, intent: Intent, booked: _Booked) -> Appended | Refused:
        self.shards.add(booked.turn, booked.index, booked.leaf)
        if booked.refused is not None:
            if intent.new_shares:
                self._unput(intent)
            return Refused(booked.refused, booked.index)
        if intent.drops:
            self._drop(intent.drops, booked.index)
        shares = _released(self.shares.take(intent.pod, intent.wants), booked.index)
        missing = tuple(w for w in intent.wants if w not in shares)
        return Appended(booked.index, booked.entry, shares, missing)


def _released(shares: dict[Want, Share], index: int) -> dict[Want, Released]:
    """Shares in the name of the entry that allowed them; made nowhere else."""
    named = {}
    for want, share in shares.items():
        with share:
            named[want] = Released(share.view(), index)
    return named


def _hold(tx: Tx, intent: Intent, at: int) -> Facts | None:
    for guard in intent.guards:
        gates.use(tx, guard.gate, guard.pod or intent.pod, guard.epoch, at, count=guard.use)
    if intent.jti is not None:
        see(tx, intent.jti, intent.jti_until)
    return intent.write(tx) if intent.write is not None else None


def see(tx: Tx, jti: bytes, until: int) -> None:
    """Remember a proof for its whole window or raise Conflict("replay")."""
    try:
        tx.add(Jti(id=jti, until=until))
    except sqlite3.IntegrityError:
        raise Conflict("replay") from None


def month(at: int) -> int:
    """Months since 1970 of a moment in milliseconds."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return (moment.year - 1970) * 12 + moment.month - 1
