"""A server that rewrites what a citizen is shown: it has every key of the server, and remembers all it ever wrote.

It changes its database and signs again. What it cannot change: the summaries that the log has stated, and what her
device remembers.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from random import Random
from typing import Any

from consent.accounts.sessions import log_private
from keys.context import ctx
from keys.dropbox import deliver
from keys.records import RecordSealer
from keys.secret import Private, RecordKey, fresh_bytes
from keys.text import b64, canonical
from tests.house import Household
from vault.database import Tx
from vault.log import device, views
from vault.log.epochs import Epochs
from vault.log.shards import Shards
from vault.tables import Entry, PodHead, Record, RecordKey as KeyRow
from vault.vault import PodFacts, Vault
from web.verify import committed

TABLES = ("entry", "record", "podhead", "checkpoint", "recordkey", "epoch", "tile", "shard")
KINDS = ("drop", "swap", "twice", "truncate", "edit", "insert")
ONLY_ROWS, CHAIN, TREE = range(3)
EDITS: dict[str, Any] = {"client_name": "Niemand", "purpose": "dpv:Marketing", "action": "write", "decision": "denied",
                         "count": 99, "time": 1, "resources": ["/interests/b.jsonld"]}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A record as the server wrote it."""

    nonce: bytes
    app: dict[str, Any]
    own: dict[str, Any]


@dataclass(frozen=True)
class Attack:
    """What is done (one of KINDS, or nothing), and how far the server goes to hide it: rows, chain or tree.

    `summary`: whether it states a new summary over its own version.
    """

    kind: str
    depth: int
    summary: bool
    at: int
    other: int
    field: str

    @staticmethod
    def drawn(chance: Random, lines: int) -> "Attack":
        """One at random, on a log of so many lines."""
        at, other = sorted(chance.sample(range(1, lines), 2))
        depth = chance.choice([ONLY_ROWS, CHAIN, TREE, TREE])
        return Attack(chance.choice(KINDS), depth, chance.random() < 0.5, at, other, chance.choice(list(EDITS)))

    def on(self, lines: list[Line]) -> list[Line]:
        """The history that the server would rather have."""
        changed = list(lines)
        if self.kind == "drop":
            del changed[self.at]
        elif self.kind == "swap":
            changed[self.at], changed[self.other] = changed[self.other], changed[self.at]
        elif self.kind == "twice":
            changed.insert(self.at, changed[self.at])
        elif self.kind == "truncate":
            del changed[self.at :]
        elif self.kind == "edit":
            changed[self.at] = self._edited(changed[self.at])
        elif self.kind == "insert":
            changed.insert(self.at, self._edited(changed[self.other]))
        return changed

    def _edited(self, line: Line) -> Line:
        part = line.app if self.field in line.app else line.own
        value = EDITS[self.field] if part.get(self.field) != EDITS[self.field] else "else"
        told = {**part, self.field: value}
        return Line(fresh_bytes(64), *((told, line.own) if part is line.app else (line.app, told)))


def proofs(vault: Vault, pod: PodFacts, log: Private) -> dict[str, Any]:
    """All lines of a pod with their proofs and everything around them, as `/api/log?proofs=1` gives them."""
    with vault.db.reading() as tx:
        lines, head = views.lines(vault, pod, log, tx=tx), views.head(tx, pod)
    told, sizes = views.around(vault, head)
    return {**told, "entries": [views.proven(vault.log.shards, line, sizes) for line in lines]}


def exported(bundle: dict[str, Any]) -> list[str]:
    """The same as the lines of an export, which name their shard by its origin."""
    named, slots = (
        [{**one, "shard": bundle["shards"][one["shard"]]["origin"]} for one in bundle[part]]
        for part in ("entries", "slots")
    )
    return [json.dumps(one) for one in (*named, {**bundle["head"], "slots": slots})]


class Evil:
    """The server of a household, with a way back to what it honestly held."""

    def __init__(self, house: Household) -> None:
        self.house, self.vault, self.pod = house, house.vault, house.session.pod
        self.lines = [Line(one.nonce, *json.loads(one.record or "").values()) for one in self.read()]
        self.rows = {table: self.vault.db.read.run(f"SELECT * FROM {table}") for table in TABLES}

    def read(self) -> list[views.Line]:
        """An's lines as they are stored."""
        with log_private(self.house.session) as private:
            return views.lines(self.vault, self.pod, private)

    async def back(self) -> None:
        """Everything as it honestly was."""
        await self.vault.db.write(self._back)
        self._open()

    def _back(self, tx: Tx) -> None:
        for table, rows in self.rows.items():
            tx.run(f"DELETE FROM {table}")
            for row in rows:
                tx.raw.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)

    def _open(self) -> None:
        """Start again on what the database holds."""
        before = self.vault.log.shards
        trees = Shards(before.host, before.keys, self.house.clock(), self.vault.db.read)
        trees.load()
        self.vault.log.shards = trees
        self.vault.epochs = Epochs(self.vault.db, self.vault.epochs._key)

    async def do(self, attack: Attack) -> None:
        """Rewrite, hide it as deep as the attack goes, and show it as if it had always been so."""
        await self.vault.db.write(lambda tx: self._rewrite(tx, attack))
        self._open()
        if attack.depth == TREE:
            await self.vault.publish()
        if attack.summary:
            await self.vault.epochs.sum_up(self.vault.log, self.house.clock() + timedelta(minutes=1))
            await self.vault.publish()

    def _rewrite(self, tx: Tx, attack: Attack) -> None:
        rows = tx.find(Record, order_by="idx", pod=self.pod.id)
        places = [row.idx for row in rows]
        tx.remove(Record, pod=self.pod.id)
        prev = b""
        for number, line in enumerate(attack.on(self.lines), 1):
            row = rows[min(number, len(rows)) - 1]
            index = places[number - 1] if number <= len(places) else int(tx.run("SELECT max(idx) + 1 FROM entry")[0][0])
            own = {**line.own, "seq": number, "prev": b64(prev)} if attack.depth >= CHAIN else line.own
            commitment = committed(line.nonce, {"app": line.app, "own": own})
            prev = sha256(commitment).digest()
            self._store(tx, row, index, number if attack.depth >= CHAIN else own["seq"], line, own)
            self._leaf(tx, index, commitment, new=number > len(places), always=attack.depth == TREE)
        if attack.depth >= CHAIN:
            tx.change(PodHead, {"pod": self.pod.id}, seq=len(attack.on(self.lines)), head=prev)
        if attack.depth == TREE:
            for index in places[len(attack.on(self.lines)) :]:
                tx.change(Entry, {"idx": index}, leaf=b"\x01\x00" + fresh_bytes(64))
            for table in ("checkpoint", "tile"):
                tx.run(f"DELETE FROM {table}")

    def _store(self, tx: Tx, row: Record, index: int, seq: int, line: Line, own: dict[str, Any]) -> None:
        """A record sealed anew, as only the server could; the citizen cannot tell it from one of that day."""
        origin, key_id, key = self.vault.log.shards.at(index).origin, fresh_bytes(16), RecordKey.fresh()
        letter = deliver(self.pod.box, ctx("record-key", self.pod.id, origin, key_id), key)
        tx.add(KeyRow(id=key_id, pod=self.pod.id, period=0, box=self.pod.box, sealed=letter))
        text = line.nonce + canonical({"app": line.app, "own": own})
        sealed = RecordSealer(key, "record", origin, key_id).seal(row.entry, text)
        kept = {"touched": row.touched, "proof": row.proof, "outcome": row.outcome, "entry": row.entry}
        tx.add(Record(idx=index, pod=self.pod.id, seq=seq, key=key_id, sealed=sealed, **kept))

    @staticmethod
    def _leaf(tx: Tx, index: int, commitment: bytes, *, new: bool, always: bool) -> None:
        if new:
            tx.add(Entry(idx=index, leaf=b"\x01\x00" + commitment + fresh_bytes(32)))
        elif always:
            row = tx.get(Entry, index)
            assert row is not None
            tx.change(Entry, {"idx": index}, leaf=row.leaf[:2] + commitment + row.leaf[34:])

    def bare(self) -> dict[str, Any]:
        """What the device is given: all lines at once."""
        with log_private(self.house.session) as private:
            entries = device.lines(self.vault, self.pod, private, 1, 2**53)
        return {**device.frame(self.vault, self.pod, ()), "entries": entries}

    def proven(self) -> dict[str, Any]:
        """What it is given to look closer, which is also what an export is made of."""
        with log_private(self.house.session) as private:
            return {**proofs(self.vault, self.pod, private), "slots": device.slots(self.vault, self.pod)}

    def grown(self, memory: dict[str, Any] | None) -> list[str]:
        """The proof that its tree only grew since a check, as well as the server can make one."""
        ledger = self.vault.log.shards.current
        old = memory["seals"][0]["size"] if memory else 0
        return [b64(step) for step in ledger.consistency(old, ledger.size)] if 0 < old < ledger.size else []
