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
from functools import lru_cache, partial
from typing import Any

from keys.context import ctx
from keys.dropbox import deliver
from keys.records import RecordSealer
from keys.secret import ControlKey, RecordKey, Released, Secret, Share, fresh_bytes
from vault import gates, owed
from vault.database import Database, Tx
from vault.errors import ClockAhead, Conflict, LogUnavailable
from vault.hooks import queue
from vault.log import entry as forms
from vault.log.entry import Appended, Facts, Intent, Refused
from vault.log.page import NEXT, page
from vault.log.receipts import keep
from vault.log.retention import BEGIN
from vault.log.shards import Shards as Trees, Turn
from vault.log.tiles import Ledger
from vault.log.times import Times
from vault.log.uses import Uses
from vault.log.versions import Prover, touched
from vault.reserve import is_full
from vault.shares import Drop, Shares, Want
from vault.tables import Entry, Jti, Record, RecordKey as KeyRow

KEYS_IN_MEMORY = 4096
ENTERING = frozenset({"login", "confirm"})  # what somebody does to get in, or to show again who she is
OUTCOMES = 1000  # written at once; whoever comes in between waits no longer for them
DATA = frozenset({"access", "deposit", "managed unlock"})  # types of entries under which data comes or goes
DPO = bytes(16)  # stands for the DPO where a pod's record keys name the pod
OFFICE = "SELECT 1 FROM meta WHERE key = 'office'"
NOTHING: dict[str, Any] = {"count": 0, "bytes": 0, "keyring": "", "versions": ()}  # what a refused event changed


@dataclass(frozen=True, slots=True)
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
        uses: Uses,
    ) -> None:
        """Take the key of the hashes beside records, and what gives a pod's verified log key and its control key.

        For b"" `box_of` gives the DPO's key.
        """
        self.db, self.shares, self.shards = db, shares, shards
        self._prover, self._box_of, self._control_of = Prover(proof_key), box_of, control_of
        self.uses, self.has_office = uses, False
        self.held = ""  # why no data is served although the log can be written; "" for no reason
        self.doubt: Callable[[], str] = str  # why the clock is not believed; "" if it is
        self._times = Times()
        self._served: list[int] = []
        self._owed: tuple[Drop, ...] = ()
        self._owing: list[int] = []
        self._paid: list[int] = []
        self._keys: OrderedDict[tuple[bytes, int, str], RecordSealer] = OrderedDict()

    @property
    def ledger(self) -> Ledger:
        """The shard that grows."""
        return self.shards.current

    async def append(self, intent: Intent) -> Appended | Refused:
        """Write one event. Raises LogUnavailable if it cannot be made durable; then nothing is released.

        The same for data while it is held back; withdrawal and everything else that is no data goes on.
        """
        if intent.facts.type in DATA and self.held:
            raise LogUnavailable(f"no data is served: {self.held}")
        if intent.facts.type in DATA and (doubt := self.doubt()):
            raise ClockAhead(f"no data is served: {doubt}")
        answer: Appended | Refused = await self.db.submit(
            lambda tx: self._book(tx, intent),
            first=(lambda: self._prepare(intent)) if intent.new_shares else None,
            then=lambda booked: self._release(intent, booked),
            undo=lambda: self._forget(intent),
            vital=bool(intent.drops),
            entering=intent.facts.action in ENTERING,
            alone=False,
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
        moment, index = self._times.take(tx, at)[0], int(tx.run(NEXT)[0][0])
        turn = self.shards.turn(tx, moment, index)
        index += len(turn.leaves)
        tx.add(Entry(idx=index, leaf=leaf))
        if write is not None:
            write(tx, index)
        return turn, index

    def _stated(self, done: tuple[Turn, int], leaf: bytes) -> int:
        turn, index = done
        self.shards.add(turn, index, leaf)
        return index

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
        while batch := self._served[:OUTCOMES]:
            del self._served[:OUTCOMES]
            await self.db.write(partial(_mark_served, batch))

    def new_keys(self, pod: bytes) -> None:
        """Wipe the record keys of a pod, b"" for the DPO's: the next record gets one under the key then in use.

        In the writer's turn only. What an undone unit forgot is made again.
        """
        for place in [place for place in self._keys if place[0] == pod]:
            self._keys.pop(place).wipe()

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
        try:
            self.shares.put(intent.pod, intent.new_shares)
        except sqlite3.OperationalError as error:
            if not is_full(error) or intent.facts.action not in ENTERING or not self.db.reserve.enter():
                raise
            self.shares.put(intent.pod, intent.new_shares)

    def _forget(self, intent: Intent) -> None:
        self._keys.clear()
        self._times.forget()
        if intent.new_shares:
            self._unput(intent)

    def _unput(self, intent: Intent) -> None:
        self.shares.drop((Drop(w.kind, w.owner, w.part) for w, _ in intent.new_shares), remember=False)

    def _book(self, tx: Tx, intent: Intent) -> _Booked:
        """Enter one event, or the denial of it. Leaves nothing behind when it fails, and nothing held back unseen."""
        asked = gates.ms(intent.at)
        due, new = self._times.due(tx, asked)
        turns = due >= self.shards.until
        if turns or intent.write is not None:
            tx.settle()
        more = intent.guards or intent.jti is not None or intent.write or intent.drops or intent.receipt
        if not (more or turns or new):
            return self._enter(tx, intent, asked)  # it is on the page or nowhere: there is nothing to undo
        try:
            with tx.savepoint():
                return self._enter(tx, intent, asked)
        except Conflict as refusal:
            self._times.forget()
            with tx.savepoint():
                at, clock = self._times.take(tx, asked)
                denied = replace(
                    intent.facts, type="denial", decision="denied", rule=refusal.reason, clock=clock, **NOTHING
                )
                return self._write(tx, intent.pod, denied, at, refusal.reason)

    def _enter(self, tx: Tx, intent: Intent, asked: int) -> _Booked:
        at, clock = self._times.take(tx, asked)
        # What takes something away never fails for a log that is ahead of a clock set right again.
        moment = min(at, asked) if intent.drops else at
        facts = _hold(tx, intent, moment) or intent.facts
        queue(tx, self._control_of, intent.news)
        facts = replace(facts, clock=clock) if clock else facts
        booked = self._write(tx, intent.pod, facts, at, None, receipt=intent.receipt, drops=intent.drops)
        page(tx).visit(self.uses.visits(intent, at))
        return booked

    def _write(
        self,
        tx: Tx,
        pod: bytes,
        facts: Facts,
        at: int,
        refused: str | None,
        *,
        receipt: bytes | bool = False,
        drops: tuple[Drop, ...] = (),
    ) -> _Booked:
        """Enter one entry on the page; the first of a half-year has its seam before it."""
        here = page(tx)
        index = here.next
        turn = self.shards.turn(tx, at, index)
        index += len(turn.leaves)
        random, (seq, prev) = fresh_bytes(112), here.head(pod)
        entry, nonce = random[:16], random[16:48]
        record = forms.pod_record(facts, entry, at, seq + 1, prev, random[48:])
        commitment, dpo = record.commitment(), forms.dpo_part(facts, at, nonce) if self._tells(tx) else None
        key = self._pod_key(tx, turn.origin, pod, at, index)
        sealed, listed = key.seal(entry, record.sealed), touched(facts.versions) if facts.versions else b""
        proven = self._prover.proof(index, entry, listed, sealed)
        office = self._key(tx, turn.origin, b"", at // forms.HOUR_MS) if dpo else None
        leaf = forms.leaf(commitment, dpo.commitment if dpo else nonce)
        if receipt and facts.app:
            keep(tx, self._control_of(tx, pod), (index, entry, pod), record, receipt)
        if drops:
            owed.promise(tx, index, drops)
        outcome = "refused" if refused else "unknown"
        row = (index, pod, seq + 1, entry, key.key_id, sealed, outcome, listed, proven)
        here.enter(leaf, row, hashlib.sha256(commitment).digest())
        if dpo and office:
            here.tell(office, index, dpo.nonce, dpo.text)
        return _Booked(index, entry, leaf, turn, refused)

    def _tells(self, tx: Tx) -> bool:
        """Whether there is an office to tell: also one that was made a unit ago, or whose maker went away."""
        return self.has_office or bool(tx.run(OFFICE))

    def _pod_key(self, tx: Tx, origin: str, pod: bytes, at: int, index: int) -> RecordSealer:
        period = month(at)
        if (pod, period, origin) not in self._keys:
            tx.run(BEGIN, period=period, first=index)
        return self._key(tx, origin, pod, period)

    def _key(self, tx: Tx, origin: str, pod: bytes, period: int) -> RecordSealer:
        """The record key of (pod, period) in memory, or a new part: a key we no longer hold is never reopened here."""
        place = (pod, period, origin)
        if (found := self._keys.get(place)) is not None and not found.spent:
            self._keys.move_to_end(place)
            return found
        key_id, key, box = fresh_bytes(16), RecordKey.fresh(), self._box_of(tx, pod)
        sealed = deliver(box, ctx("record-key", pod or DPO, origin, key_id), key)
        tx.add(KeyRow(id=key_id, pod=pod, period=period, box=box, sealed=sealed))
        made = self._keys[place] = RecordSealer(key, "record" if pod else "dpo-record", origin, key_id)
        if len(self._keys) > KEYS_IN_MEMORY:
            self._keys.popitem(last=False)
        return made

    def _release(self, intent: Intent, booked: _Booked) -> Appended | Refused:
        self.shards.add(booked.turn, booked.index, booked.leaf)
        if booked.refused is not None:
            if intent.new_shares:
                self._unput(intent)
            return Refused(booked.refused, booked.index)
        if intent.drops:
            self._drop(intent.drops, booked.index)
        if intent.news:
            self.db.told(intent.news)
        if not intent.wants:
            return Appended(booked.index, booked.entry)
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


def _mark_served(indexes: list[int], tx: Tx) -> None:
    for index in indexes:
        tx.change(Record, {"idx": index}, outcome="served")


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
    return _month(at // gates.DAY_MS)


@lru_cache(maxsize=8)
def _month(day: int) -> int:
    moment = datetime.fromtimestamp(day * 86_400, UTC)
    return (moment.year - 1970) * 12 + moment.month - 1
