"""One open data directory: database, shares, log, custodian, and the control data needed before any permit exists."""

import asyncio
import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from keys.custody import Custodian
from keys.errors import SwappedKey
from keys.keyring import Keyring
from keys.note import read_checkpoint, split
from keys.secret import ControlKey, NamesKey, Private, Secret, StateKey
from keys.sign import new_es256, new_signer
from keys.state import control_key, lookup, names_key, open_column, resource_id, seal_column
from keys.text import b64
from vault import gates, keyring, owed, quota
from vault.database import Database, Tx
from vault.errors import MissingKey, NotFound, WrongAddress
from vault.log.append import Log
from vault.log.epochs import Epochs
from vault.log.handover import LogKeys, earlier
from vault.log.shards import Shards as Trees, keep
from vault.log.tiles import Ledger
from vault.log.uses import Uses
from vault.log.versions import proof_key
from vault.lost import Lost, lost
from vault.purge import purge
from vault.shares import Drop, Shares, Want
from vault.solid.access import Language
from vault.tables import Checkpoint, ControlKeyRow, Meta, Pod

PODS_IN_MEMORY = 65_536
Hear = Callable[[Sequence[Ledger]], None]
LIVE_VERSION = """
SELECT g.version FROM grant g JOIN gate t ON t.id = g.id WHERE g.id = :grant AND t.state IN ('live', 'restricted')
"""
ROOT_COMPARTMENT = "public"
UNDER_ROOT = frozenset({"", "profile", "public"})
DPO_CONTAINER = "dpo"


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the server knows of a pod without any citizen: its name and the keys of its control data."""

    id: bytes
    name: str
    kind: str
    names: NamesKey
    control: ControlKey
    identity: bytes
    box: bytes

    @property
    def told(self) -> bytes:
        """What stands in the pod's sealed column, as JSON."""
        return json.dumps({"name": self.name, "kind": self.kind, "identity": b64(self.identity)}).encode()

    def resource(self, path: str) -> bytes:
        """The id of the resource at a pod path such as `/loans/a.jsonld`."""
        return resource_id(self.names, path)

    def compartment(self, container: str) -> bytes:
        """The id of the compartment that holds a top-level container; root resources and profile live in `public`."""
        return resource_id(self.names, ROOT_COMPARTMENT if container in UNDER_ROOT else container)

    def seal(self, table: str, row: bytes, column: str, data: bytes) -> bytes:
        """Seal one control column of this pod."""
        return seal_column(self.control, table, row, column, data)

    def open(self, table: str, row: bytes, column: str, sealed: bytes) -> bytes:
        """Open one control column of this pod."""
        return open_column(self.control, table, row, column, sealed)


@dataclass
class Vault:
    """Owns the directory. Everything else is given it and the moment.

    `access` is the language of access documents, `quota` how many bytes a pod may hold, `reading` who reads which store
    of segments right now. Listings take turns: many at once would hold up the loop, though each of them gives way.
    """

    db: Database
    shares: Shares
    log: Log
    state: StateKey
    custodian: Custodian
    base: str
    issuer: dict[str, str]
    lost: Lost
    epochs: Epochs
    access: Language = "wac"
    publishing: asyncio.Lock = field(default_factory=asyncio.Lock)
    quota: int = quota.DEFAULT
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    reading: Counter[bytes] = field(default_factory=Counter)
    _pods: OrderedDict[bytes, PodFacts] = field(default_factory=OrderedDict)

    @property
    def issuer_public(self) -> dict[str, str]:
        """The public half of the key that signs tokens and receipts, as a JWK."""
        return {name: value for name, value in self.issuer.items() if name != "d"}

    @property
    def office(self) -> bytes:
        """The DPO's office: administration is written there."""
        row = self.db.read.get(Meta, "office")
        if row is None:
            raise MissingKey("this directory has no DPO's office yet")
        return row.value

    def pod(self, name: str) -> PodFacts | None:
        """Find a pod by name."""
        mac = lookup(self.state, "pod", name)
        return self._facts(mac, lambda: self.db.read.find(Pod, name_mac=mac))

    def pod_by_id(self, pod: bytes) -> PodFacts | None:
        """Find a pod by id."""
        return self._facts(pod, lambda: self.db.read.find(Pod, id=pod))

    def pod_in(self, tx: Tx, pod: bytes) -> PodFacts | None:
        """Find a pod by id on a thread's own connection; nothing is remembered of it."""
        row = tx.get(Pod, pod)
        return self._read(row) if row else None

    def _facts(self, key: bytes, find: Callable[[], list[Pod]]) -> PodFacts | None:
        if (known := self._pods.get(key)) is not None:
            return known
        rows = find()
        if not rows:
            return None
        facts = self._read(rows[0])
        for alias in (rows[0].id, rows[0].name_mac):
            self._pods[alias] = facts
        while len(self._pods) > 2 * PODS_IN_MEMORY:
            self._pods.popitem(last=False)
        return facts

    def _read(self, row: Pod) -> PodFacts:
        return read_pod(self.shares, self.state, row)

    def keyring(self, pod: PodFacts) -> Keyring:
        """Every public key of a pod, verified, also if its identity was renewed since the facts were read.

        Raises keys.errors.SwappedKey.
        """
        try:
            return keyring.load(self.db.read, pod.id, pod.identity)
        except SwappedKey:
            self.forget(pod)
            now = self.pod_by_id(pod.id)
            if now is None or now.identity == pod.identity:
                raise
            return keyring.load(self.db.read, pod.id, now.identity)

    def has_unlockers(self, kind: str) -> bool:
        """Whether any pod has an unlocker of this kind."""
        return bool(self.db.read.run("SELECT 1 FROM unlocker WHERE kind = :kind LIMIT 1", kind=kind))

    def forget(self, pod: PodFacts) -> None:
        """Drop what is remembered of a pod."""
        for key in (pod.id, lookup(self.state, "pod", pod.name)):
            self._pods.pop(key, None)

    async def publish(self) -> int:
        """Sign and publish a checkpoint over everything durable now; return its size. Nothing new: nothing written.

        A shard that was closed since last time gets its final one.

        For the clockwork: checkpoints appear on a fixed clock, so that they tell nobody who is at work.
        """
        async with self.publishing:
            if grown := self.log.shards.grown():
                await self.db.write(partial(keep, grown))
            for one in grown:
                one.show()
        return self.log.ledger.size

    async def forget_proofs(self, now: datetime) -> None:
        """Forget proofs whose window is over: from then on the window itself refuses them. For the clockwork."""
        await self.db.write(partial(_forget_proofs, gates.ms(now)))

    async def cosigned(self, ledger: Ledger, note: str) -> None:
        """Keep a published head of a shard with the signatures that came since."""
        size = read_checkpoint(split(note)[0]).size
        await self.db.write(lambda tx: tx.change(Checkpoint, {"first": ledger.first, "size": size}, note=note))
        ledger.dress(size, note)

    def close(self) -> None:
        """Finish the queue and let go of the directory."""
        self.db.close()
        self.shares.close()


def open_vault(
    data: Path, shares: Path, custodian: Custodian, base: str, now: datetime, hear: Hear | None = None
) -> Vault:
    """Open or make a data directory and bring it into a known state.

    `hear` sees the trees before anything is repaired or written; what it raises ends the start.
    Raises Locked, WrongVersion, WrongAddress, MissingKey, SwappedKey or DamagedItem; then nothing was changed but what
    the start itself repairs: shares without a live gate are deleted, proofs past their window forgotten.
    """
    db, state = Database(data), custodian.state_key()
    try:
        store = Shares(shares)
        missing = lost(db.read, store)
        trees = Trees(*_log_identity(db, state, base), now, db.read)
        trees.load()
        if hear is not None:
            hear(trees.heads(now))
        keys = _PodKeys(store, state)
        db.together = store.together
        log = Log(db, store, trees, proof_key(state), keys.box, keys.control, Uses.under(state))
        epochs = Epochs(db, _slots_key(db, state))
        vault = Vault(db, store, log, state, custodian, base, _issuer(db, state), missing, epochs)
        vault.log.has_office = _has_office(vault, keys)
        _sweep(vault, gates.ms(now))
    except BaseException:
        db.close()
        raise
    return vault


def read_pod(shares: Shares, state: StateKey, row: Pod) -> PodFacts:
    """What the server knows of a pod; its identity is the sealed one. Raises MissingKey or SwappedKey."""
    want = Want("custody", row.id)
    share = shares.take(row.id, [want]).get(want)
    if share is None:
        raise MissingKey(f"the custody share of pod {row.id.hex()} is gone")
    control = control_key(state, share, row.id)
    told = json.loads(open_column(control, "pod", row.id, "sealed", row.sealed))
    if told["identity"] != b64(row.identity):
        raise SwappedKey(f"the identity of pod {row.id.hex()} is not the one it was made with")
    return PodFacts(row.id, told["name"], told["kind"], names_key(state, row.id), control, row.identity, row.box)


class _PodKeys:
    """What records are sealed to: the public half of a pod's log key or of the DPO's newest, as the keyring says it.

    The writer's own: a pod's row is opened with its custody share once, and again only when the row has changed.
    """

    def __init__(self, shares: Shares, state: StateKey) -> None:
        self.shares, self.state = shares, state
        self._known: OrderedDict[bytes, tuple[bytes, bytes, bytes]] = OrderedDict()

    def control(self, tx: Tx, pod: bytes) -> ControlKey:
        """The key of a pod's control data. Raises NotFound, MissingKey or SwappedKey."""
        return read_pod(self.shares, self.state, self._row(tx, pod)).control

    def _row(self, tx: Tx, pod: bytes) -> Pod:
        row = tx.get(Pod, pod)
        if row is None:
            raise NotFound("no such pod")
        return row

    def box(self, tx: Tx, pod: bytes) -> bytes:
        """The key, verified; b"" stands for the DPO. Raises NotFound, MissingKey or SwappedKey."""
        return self._of_pod(tx, pod) if pod else self._of_dpo(tx)

    def _of_dpo(self, tx: Tx) -> bytes:
        office = tx.get(Meta, "office")
        row = tx.get(Pod, office.value) if office else None
        if row is None:
            raise NotFound("no office")
        known = read_pod(self.shares, self.state, row)
        box = keyring.load(tx, known.id, known.identity).compartments.get(known.compartment(DPO_CONTAINER))
        if box is None:
            raise SwappedKey("the key of the DPO's records is not on the office's keyring")
        return box.publics[max(box.publics)]

    def _of_pod(self, tx: Tx, pod: bytes) -> bytes:
        row = self._row(tx, pod)
        if self._known.get(pod) != (row.identity, row.box, row.sealed):
            read_pod(self.shares, self.state, row)
            self._known[pod] = (row.identity, row.box, row.sealed)
        if len(self._known) > PODS_IN_MEMORY:
            self._known.popitem(last=False)
        if keyring.load(tx, pod, row.identity).log != row.box:
            raise SwappedKey(f"the log key of pod {pod.hex()} is not as its keyring says")
        return row.box


def _has_office(vault: Vault, keys: _PodKeys) -> bool:
    """Whether there is a DPO's office, whose key then is as its keyring says. Raises SwappedKey or MissingKey."""
    if vault.db.read.get(Meta, "office") is None:
        return False
    keys.box(vault.db.read, b"")
    return True


def _log_identity(db: Database, state: StateKey, base: str) -> tuple[str, LogKeys]:
    """The host whose log this directory keeps, and the log's key, made at its first start."""
    here = base.split("://", 1)[1]
    row = db.read.get(ControlKeyRow, "log")
    if row is None:
        signer = new_signer()
        sealed = seal_column(state, "controlkey", b"log", "sealed", bytes(signer.view()))
        _at_start(db, [Meta(key="host", value=here.encode()), ControlKeyRow(name="log", sealed=sealed)])
        row = ControlKeyRow(name="log", sealed=sealed)
    host = db.read.get(Meta, "host")
    if host is None:
        raise MissingKey("the name of the log's host is missing from this directory")
    if (home := host.value.decode()) != here:
        raise WrongAddress(f"this directory was made for {home} and does not work under {here}: serve it there")
    private = Private(open_column(state, "controlkey", b"log", "sealed", row.sealed))
    return home, LogKeys(private, earlier(db.read))


def _issuer(db: Database, state: StateKey) -> dict[str, str]:
    """The ES256 key that signs tokens and receipts, made at the first start."""
    row = db.read.get(ControlKeyRow, "issuer")
    if row is None:
        made = new_es256()
        row = ControlKeyRow(
            name="issuer", sealed=seal_column(state, "controlkey", b"issuer", "sealed", json.dumps(made).encode())
        )
        _at_start(db, [row])
        return made
    opened: dict[str, str] = json.loads(open_column(state, "controlkey", b"issuer", "sealed", row.sealed))
    return opened


def _slots_key(db: Database, state: StateKey) -> Secret:
    """The key of all salts of the slot tree, made at the first start."""
    row = db.read.get(ControlKeyRow, "slots")
    if row is None:
        with Secret.fresh() as made:
            sealed = seal_column(state, "controlkey", b"slots", "sealed", bytes(made.view()))
        row = ControlKeyRow(name="slots", sealed=sealed)
        _at_start(db, [ControlKeyRow(name="slots", sealed=sealed)])
    return Secret(open_column(state, "controlkey", b"slots", "sealed", row.sealed))


def _at_start(db: Database, rows: Iterable[Meta | ControlKeyRow]) -> None:
    def write(tx: Tx) -> None:
        for row in rows:
            tx.add(row)

    db.now(write)


def _sweep(vault: Vault, now: int) -> None:
    """At start: a share of a grant or session without a live gate is deleted (withdrawal is final, access-log.md).

    So is every other share whose deletion was promised and broken off. A pod that was erased and came back with an old
    copy of the database or of the shares is erased again; a grant that had ended, or was wider then, is ended.
    """
    live = {row[0] for row in vault.db.read.run("SELECT id FROM gate WHERE state IN ('live', 'restricted')")}
    dead = [Drop(kind, owner) for kind in ("grant", "session") for owner in vault.shares.owners(kind) - live]
    promised = owed.standing(vault.db.read)
    if promised:
        vault.shares.drop([drop for drops in promised.values() for drop in drops])
        vault.db.now(lambda tx: owed.strike(tx, promised))
    erased = vault.shares.deleted_owners("custody")
    back = sorted(live & vault.shares.deleted_owners("grant", b"")) + _wider(vault)
    if drops := dead + [Drop("*", pod) for pod in erased] + [Drop("grant", grant) for grant in back]:
        vault.shares.drop(drops)
    for pod in erased:
        vault.db.now(partial(purge, pod))
    vault.db.now(lambda tx: [gates.end(tx, grant, "ended") for grant in back if gates.read(tx, grant)])
    vault.db.now(partial(_forget_proofs, now))
    vault.db.now(quota.clear)


def _wider(vault: Vault) -> list[bytes]:
    """Grants that came back as they were before they were narrowed."""
    oldest = vault.shares.narrowed()
    found = ((grant, vault.db.read.run(LIVE_VERSION, grant=grant)) for grant in oldest)
    return [grant for grant, rows in found if rows and rows[0][0] < oldest[grant]]


def _forget_proofs(now: int, tx: Tx) -> None:
    tx.run("DELETE FROM jti WHERE until < :now", now=now)
