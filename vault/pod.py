"""Making a pod, and reaching its keys in an unlocked session (keys.md, Layout).

RK (random) opens the pod's identity, its log key, the managed root MK and every sealed compartment. MK also hangs
under the custodian with the pod's custody share; nothing sealed does.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, partial
from typing import TypeVar

from keys.context import ctx
from keys.custody import hang
from keys.dropbox import pair
from keys.errors import SwappedKey
from keys.keyring import Keyring
from keys.secret import CompartmentKey, ManagedRoot, Private, Root, Seed, Share, fresh_bytes
from keys.sign import new_signer, signer_public
from keys.state import control_key, lookup, names_key
from keys.tree import unwrap, wrap
from keys.unlock import lock, unlocker_pair
from vault import keyring, quota
from vault.blobs import Label, Place, enclose
from vault.database import Tx, bare
from vault.errors import Conflict, DamagedItem, NoCompartment, TooFewUnlockers
from vault.gates import ms
from vault.log import epochs, versions
from vault.log.entry import Appended, Facts, Intent
from vault.shares import Want
from vault.solid.paths import subject_of
from vault.tables import Acl, Body, Compartment, KeyringRow, Meta, Pod, Resource, RootWrap, Unlocker
from vault.vault import DPO_CONTAINER, PodFacts, Vault

MANAGED = {"public": "kluis:File", "settings": "kluis:File", "inbox": "kluis:File"}
FEWEST_UNLOCKERS = 2
TAKEN = "SELECT 1 FROM pod WHERE name_mac = :mac UNION SELECT 1 FROM erased WHERE name_mac = :mac"


@dataclass(frozen=True, slots=True)
class NewUnlocker:
    """A way to open the root that is being made: its kind, public parameters, and the stretched secret."""

    kind: str
    params: str
    seed: Seed
    id: bytes = field(default_factory=lambda: fresh_bytes(16))


@dataclass(frozen=True, slots=True)
class CompartmentFacts:
    """What the server knows of a compartment: its container, category, custody, newest generation and public key."""

    id: bytes
    container: str
    category: str
    custody: str
    generation: int
    public: bytes


@dataclass(frozen=True)
class Blueprint:
    """What a new pod starts with: sealed containers and their categories, public resources, access control lists."""

    sealed: dict[str, str]
    managed: dict[str, str] = field(default_factory=lambda: dict(MANAGED))
    resources: tuple[tuple[str, str, bytes], ...] = ()
    acls: tuple[tuple[str, bytes], ...] = ()


Told = TypeVar("Told")
Row = Pod | RootWrap | Unlocker | Compartment | Resource | Body | Acl | Meta | KeyringRow


class _Taken(Exception):
    """The name is somebody's or was; no entry can say so, for there is no pod to write it in."""


class Builder:
    """Makes all rows and shares of one new pod; wiped when done. `note`, `count`: what its first entry says."""

    note, count = "", 1

    def __init__(self, vault: Vault, name: str, kind: str, now: datetime) -> None:
        self.id = fresh_bytes(16)
        self.custody = Share.fresh()
        self.root, self.managed = Root.fresh(), ManagedRoot.fresh()
        self.identity, self.msign = new_signer(), new_signer()
        self.log, box = pair()
        self.facts = PodFacts(
            self.id, name, kind, names_key(vault.state, self.id), control_key(vault.state, self.custody, self.id),
            signer_public(self.identity), box,
        )  # fmt: skip
        self.id_of, self.home_of = cache(self.facts.resource), cache(self.facts.compartment)
        self.name_mac = lookup(vault.state, "pod", name)
        self.rows: list[Row] = [
            bare(
                Pod,
                id=self.id,
                name_mac=self.name_mac,
                identity=self.facts.identity,
                box=box,
                sealed=self.facts.seal("pod", self.id, "sealed", self.facts.told),
            )
        ]
        self.held = 0
        self.shares = [(Want("custody", self.id), self.custody)]
        self.ring = Keyring(self.id, 1, self.facts.identity, box, signer_public(self.msign))
        self.publics: dict[bytes, CompartmentFacts] = {}
        self.keys: dict[bytes, CompartmentKey] = {}
        self.now = ms(now)
        self._roots(vault)

    def _roots(self, vault: Vault) -> None:
        for parent, child, key, secret in (
            (self.root, "identity", "rk", self.identity),
            (self.root, "log", "rk", self.log),
            (self.root, "mk", "rk", self.managed),
            (self.managed, "msign", "mk", self.msign),
        ):
            wrapped = wrap(parent, ctx("root", self.id, key, child), secret)
            self.rows.append(bare(RootWrap, pod=self.id, parent=key, child=child, wrapped=wrapped))
        wrapped = hang(vault.custodian, self.id, self.custody, self.managed)
        self.rows.append(bare(RootWrap, pod=self.id, parent="custody", child="mk", wrapped=wrapped))

    def unlockers(self, wanted: list[NewUnlocker]) -> None:
        """Hang the root under these ways in."""
        for new in wanted:
            share = Share.fresh()
            _, public = unlocker_pair(new.seed, share, self.id, new.id, new.kind)
            sealed = lock(public, self.id, new.id, new.kind, self.root)
            self.rows.append(
                bare(Unlocker, id=new.id, pod=self.id, kind=new.kind, params=new.params, public=public, sealed=sealed)
            )
            self.shares.append((Want("unlock", new.id), share))
            self.ring = replace(self.ring, unlockers={**self.ring.unlockers, new.id: (new.kind, public)})

    def compartment(self, container: str, category: str, custody: str) -> None:
        """Make a compartment."""
        above, key = self.root if custody == "sealed" else self.managed, CompartmentKey.fresh()
        row, facts = build_compartment(self.facts, container, category, custody, above, key)
        self.keys[facts.id] = key
        self.rows.append(row)
        self.publics[facts.id] = facts
        self.ring = self.ring.with_box(facts.id, custody, 1, facts.public)

    def resource(self, path: str, media: str, body: bytes | None, modified: int | None = None) -> None:
        """Seal a resource, or with body None a container; `modified` in ms if that was another moment than now."""
        home = self.publics[self.home_of(top(path))]
        place = place_of(self.facts, home, path, self.id_of)
        at = self.now if modified is None else modified
        row, stored = enclose(
            place, 1, Label(path, media, len(body or b""), at, at), body, hang=partial(wrap, self.keys[home.id])
        )
        self.rows.append(row)
        if stored:
            self.rows.append(stored)
            self.held += stored.size

    def acl(self, path: str, turtle: bytes) -> None:
        """Store an access list."""
        rid = self.id_of(path)
        self.rows.append(bare(Acl, id=rid, pod=self.id, sealed=self.facts.seal("acl", rid, "sealed", turtle)))

    def wipe(self) -> None:
        """Wipe every key."""
        for secret in (self.root, self.managed, self.identity, self.msign, self.log, *self.keys.values()):
            secret.wipe()


async def create(
    vault: Vault,
    name: str,
    kind: str,
    unlockers: list[NewUnlocker],
    plan: Blueprint,
    now: datetime,
    extra: Callable[[Tx, PodFacts], None] | None = None,
    fill: Callable[[Builder], None] = lambda _: None,
) -> PodFacts:
    """Make a pod in one transaction: shares first, then its rows, its first log entry and what `extra` writes.

    `fill` puts more in it than the plan says. Raises TooFewUnlockers for less than two ways in, Conflict("exists").
    """
    with _build(vault, name, kind, unlockers, plan, now) as made:
        fill(made)
        await _store(vault, made, now, extra)
        return made.facts


@contextmanager
def _build(
    vault: Vault, name: str, kind: str, unlockers: list[NewUnlocker], plan: Blueprint, now: datetime
) -> Iterator[Builder]:
    """All rows and shares of a new pod; its keys are wiped when the block ends."""
    if len(unlockers) < FEWEST_UNLOCKERS:
        raise TooFewUnlockers("a pod needs at least two ways in: add a recovery code")
    if vault.pod(name) is not None:
        raise Conflict("exists")
    made = Builder(vault, name, kind, now)
    made.unlockers(unlockers)
    for custody, containers in (("managed", plan.managed), ("sealed", plan.sealed)):
        for container, category in containers.items():
            made.compartment(container, category, custody)
    for path in ["/", "/profile/", *(f"/{c}/" for c in (*plan.managed, *plan.sealed))]:
        made.resource(path, "", None)
    for path, media, body in plan.resources:
        made.resource(path, media, body)
    for path, turtle in plan.acls:
        made.acl(path, turtle)
    try:
        yield made
    finally:
        made.wipe()


async def found_office(
    vault: Vault, unlockers: list[NewUnlocker], now: datetime, extra: Callable[[Tx, PodFacts], None] | None = None
) -> PodFacts:
    """Make the DPO's office: a pod whose one sealed compartment has the key pair DPO records are sealed to.

    `extra` writes in the same transaction what must exist if and only if the office does.
    """
    plan = Blueprint({DPO_CONTAINER: "kluis:Dpo"}, managed={"public": "kluis:File"})
    with _build(vault, "office", "office", unlockers, plan, now) as made:
        made.rows.append(Meta(key="office", value=made.id))
        await _store(vault, made, now, extra)
        vault.log.has_office = True
        return made.facts


async def _store(
    vault: Vault, made: Builder, now: datetime, extra: Callable[[Tx, PodFacts], None] | None = None
) -> None:
    def write(tx: Tx) -> Facts:
        if tx.run(TAKEN, mac=made.name_mac):
            raise _Taken
        tx.add_all(made.rows)
        quota.count(tx, made.id, made.held)
        if extra is not None:
            extra(tx, made.facts)
        return replace(facts, slot=epochs.place(tx, made.id))

    ring = keyring.first(made.ring, made.identity)
    made.rows.append(ring.row)
    stored = versions.told(row for row in made.rows if isinstance(row, Resource))
    facts = Facts("key event", "create pod", "allowed", "admin", count=made.count, note=made.note, keyring=ring.digest,
                  versions=stored)  # fmt: skip
    intent = Intent(made.id, facts, now, write=write, new_shares=tuple(made.shares))
    try:
        done = await vault.log.append(intent)
    except _Taken:
        raise Conflict("exists") from None
    if not isinstance(done, Appended):
        raise Conflict(done.reason)


def build_compartment(
    pod: PodFacts, container: str, category: str, custody: str, parent: Root | ManagedRoot,
    key: CompartmentKey | None = None,
) -> tuple[Compartment, CompartmentFacts]:  # fmt: skip
    """Make generation 1 of a compartment, of a key that the caller keeps and wipes or of one that is kept nowhere."""
    cid = pod.compartment(container)
    sealed = pod.seal("compartment", cid, "sealed", json.dumps([container, category]).encode())
    with nullcontext(key) if key is not None else CompartmentKey.fresh() as used:
        row = build_generation(pod, cid, 1, custody, parent, used, sealed)
    return row, CompartmentFacts(cid, container, category, custody, 1, row.public)


def build_generation(
    pod: PodFacts,
    cid: bytes,
    generation: int,
    custody: str,
    parent: Root | ManagedRoot,
    key: CompartmentKey,
    sealed: bytes,
) -> Compartment:
    """One generation of a compartment: its key under the root of its custody, its pair under its key."""
    private, public = pair()
    with private:
        return bare(
            Compartment,
            id=cid,
            generation=generation,
            pod=pod.id,
            custody=custody,
            wrapped=wrap(parent, ctx("ck", pod.id, custody, cid, generation), key),
            public=public,
            private=wrap(key, ctx("ck", pod.id, "pair", cid, generation), private),
            sealed=sealed,
        )


def place_of(pod: PodFacts, home: CompartmentFacts, path: str, id_of: Callable[[str], bytes] | None = None) -> Place:
    """Where a path is stored (`id_of`: one that remembers). A description is its own parent: no container lists it."""
    above = path if subject_of(path) is not None else parent(path)
    named = id_of or pod.resource
    return Place(pod.id, home.id, home.generation, home.public, named(above), named(path))


def parent(path: str) -> str:
    """The container of a pod path; the root is its own."""
    return path.rstrip("/").rsplit("/", 1)[0] + "/"


def top(path: str) -> str:
    """The top-level container of a pod path, or "" for resources in the root."""
    first, slash, _ = path[1:].partition("/")
    return first if slash else ""


def compartments(vault: Vault, pod: PodFacts) -> list[CompartmentFacts]:
    """The newest generation of every compartment of a pod, its public key verified against the keyring (SwappedKey)."""

    def read() -> list[CompartmentFacts]:
        ring = vault.keyring(pod)
        newest = {row.id: row for row in vault.db.read.find(Compartment, order_by="generation", pod=pod.id)}
        return [_told(pod, ring, row) for row in newest.values()]

    return _twice(read)


def _twice(read: Callable[[], Told]) -> Told:
    """Keyring and rows are two reads, and locks may change in between: a key is swapped if it still is at a second."""
    try:
        return read()
    except SwappedKey:
        return read()


def _told(pod: PodFacts, ring: Keyring, row: Compartment) -> CompartmentFacts:
    container, category = json.loads(pod.open("compartment", row.id, "sealed", row.sealed))
    public = ring.box(row.id, row.generation, row.custody, row.public)
    return CompartmentFacts(row.id, container, category, row.custody, row.generation, public)


def compartment(vault: Vault, pod: PodFacts, container: str) -> CompartmentFacts:
    """The compartment of a top-level container. Raises NoCompartment if the pod has none, SwappedKey."""

    def read() -> CompartmentFacts:
        rows = vault.db.read.find(Compartment, order_by="generation", id=pod.compartment(container), pod=pod.id)
        if not rows:
            raise NoCompartment(f"this pod has no compartment for {container}/ yet")
        return _told(pod, vault.keyring(pod), rows[-1])

    return _twice(read)


def child(
    vault: Vault, pod: PodFacts, root: Root, name: str, kind: type[Private] | type[ManagedRoot]
) -> Private | ManagedRoot:
    """Open a key that hangs under RK: `identity`, `log` (Private) or `mk` (ManagedRoot)."""
    row = vault.db.read.get(RootWrap, pod.id, "rk", name)
    if row is None:
        raise DamagedItem(f"the {name} key of pod {pod.id.hex()} is missing")
    return unwrap(root, ctx("root", pod.id, "rk", name), row.wrapped, kind)


def same_root(tx: Tx, pod: PodFacts) -> bool:
    """Whether the pod still has the root that it had when these facts were read (vault.newroot replaces both)."""
    row = tx.get(Pod, pod.id)
    return row is not None and row.identity == pod.identity


def log_key(vault: Vault, pod: PodFacts, root: Root) -> Private:
    """The private half of the pod's log key."""
    found = child(vault, pod, root, "log", Private)
    assert isinstance(found, Private)  # noqa: S101 -- narrows the type that was asked for
    return found


def compartment_keys(vault: Vault, pod: PodFacts, root: Root, cid: bytes) -> list[tuple[CompartmentKey, int]]:
    """Every generation's key of a compartment, oldest first. The caller wipes them."""
    rows = vault.db.read.find(Compartment, order_by="generation", id=cid, pod=pod.id)
    if not rows:
        raise NoCompartment("no such compartment")
    return [_generation(vault, pod, root, row) for row in rows]


def _generation(vault: Vault, pod: PodFacts, root: Root, row: Compartment) -> tuple[CompartmentKey, int]:
    context = ctx("ck", pod.id, row.custody, row.id, row.generation)
    if row.custody == "sealed":
        return unwrap(root, context, row.wrapped, CompartmentKey), row.generation
    with child(vault, pod, root, "mk", ManagedRoot) as managed:
        return unwrap(managed, context, row.wrapped, CompartmentKey), row.generation


def compartment_privates(vault: Vault, pod: PodFacts, root: Root, cid: bytes) -> dict[bytes, Private]:
    """The private half of every generation's pair by its public half: what DPO records are sealed to. Caller wipes."""
    rows = vault.db.read.find(Compartment, order_by="generation", id=cid, pod=pod.id)
    made = {}
    for row in rows:
        with _generation(vault, pod, root, row)[0] as key:
            made[row.public] = unwrap(key, ctx("ck", pod.id, "pair", cid, row.generation), row.private, Private)
    return made
