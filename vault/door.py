"""The door: the only functions that turn stored bytes into plaintext.

The order never changes: permit -> entry appended and durable -> share released -> keys -> plaintext. If we crash after
the append, an entry says "outcome unknown" for something that was never served; the reverse cannot happen.
Key objects live inside one call and are wiped when it ends.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from keys.context import ctx
from keys.dropbox import collect
from keys.errors import KeysError
from keys.grants import unwrap_ck, unwrap_gk
from keys.secret import CompartmentKey, DataKey, ManagedRoot, Private, Root, Share, derive
from keys.tree import unwrap, wrap
from keys.unseal import unseal
from vault import gates
from vault.blobs import Label, Place, dek_context, enclose, unpad
from vault.database import Tx
from vault.errors import Conflict, DamagedItem, Denied, NotFound
from vault.keysets import CustodyKeys, GrantKeys, Keys, SessionKeys
from vault.log.entry import Appended, Intent
from vault.mint import demand
from vault.permit import Permit
from vault.pod import CompartmentFacts, compartments, parent, place_of, top
from vault.tables import Acl, Body, Resource
from vault.vault import PodFacts, Vault

SEGMENT = 65_536
TRIES = 8

# One read gives everything that opening needs: the resource, its body, its compartment and the managed root's wrap.
SELECT = """
SELECT r.id, r.pod, r.parent, r.compartment, r.generation, r.version, r.form, r.dek, r.label, b.data,
       c.custody, c.wrapped, c.private, c.public, w.wrapped
FROM resource r
JOIN compartment c ON c.id = r.compartment AND c.generation = r.generation
LEFT JOIN body b ON b.id = r.id AND b.version = r.version
LEFT JOIN rootwrap w ON w.pod = r.pod AND w.parent = :root AND w.child = 'mk'
WHERE r.form <> 'gone' AND
"""
ONE = SELECT + "r.id = :id"
MEMBERS = SELECT + "r.parent = :id AND r.id <> :id"
RECORDS = SELECT + "r.compartment = :id AND b.data IS NOT NULL ORDER BY r.id"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One resource as stored, with what its key hangs under."""

    id: bytes
    pod: bytes
    parent: bytes
    compartment: bytes
    generation: int
    version: int
    form: str
    dek: bytes
    label: bytes
    body: bytes | None
    custody: str
    wrapped: bytes
    private: bytes
    public: bytes
    managed: bytes | None

    @property
    def place(self) -> Place:
        """Where it lives."""
        return Place(self.pod, self.compartment, self.generation, self.public, self.parent, self.id)


@dataclass(frozen=True, slots=True)
class Opened:
    """One resource in clear. `body` is None for a container."""

    label: Label
    body: bytes | None
    version: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a read gave: kind `resource`, `container` or `absent`, and the log entry that stands for it."""

    kind: str
    index: int
    media: str = ""
    body: bytes = b""
    version: int = 0
    modified: datetime | None = None
    members: tuple[Opened, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What a write gave."""

    index: int
    version: int
    created: bool


async def read(vault: Vault, permit: Permit, keys: Keys, path: str, at: datetime) -> Found:
    """Open one resource or list one container.

    Raises NotMinted, Denied (already logged), DamagedItem (a second entry says so) or LogUnavailable.
    """
    pod = _admit(vault, permit, path)
    rows = _rows(vault, ONE, keys, pod.resource(path))
    members = _rows(vault, MEMBERS, keys, pod.resource(path)) if rows and path.endswith("/") else []
    members = [row for row in members if row.compartment in permit.compartments]
    wanted = rows + members
    done = await _append(vault, permit, keys, wanted, at)
    opened = _open_all(vault, pod, keys, wanted, done)
    _after(vault, done)
    if not opened:
        return Found("absent", done.index)
    if opened[0].body is not None:
        first = opened[0]
        return Found("resource", done.index, first.label.media, first.body or b"", first.version, first.label.when)
    listed = [*opened[1:], *(_tops(vault, pod) if path == "/" else ())]
    return Found("container", done.index, version=opened[0].version, modified=opened[0].label.when, members=tuple(listed))


@dataclass(frozen=True, slots=True)
class Batch:
    """Many records behind one entry: its index, how many there are, and the records as they are opened."""

    index: int
    count: int
    items: AsyncIterator[Opened]


async def records(vault: Vault, permit: Permit, keys: Keys, at: datetime, since: datetime | None = None) -> Batch:
    """Open every record of the permit's compartments behind one entry, durable when this returns.

    The gate is asked again every 64 KiB; the items end with Denied when it closed under way. `since` leaves out what
    was not changed from that moment on (a filter of the caller; a limit of the grant is the gate's).
    """
    pod = _admit(vault, permit, None)
    rows = [row for cid in permit.compartments for row in _rows(vault, RECORDS, keys, cid)]
    if permit.targets is not None:
        allowed = {pod.resource(path) for path in permit.targets}
        rows = [row for row in rows if row.id in allowed]
    done = await _append(vault, permit, keys, rows, at)
    return Batch(done.index, len(rows), _stream(vault, permit, _Chain(vault, pod, keys, done), rows, since))


async def _stream(
    vault: Vault, permit: Permit, chain: "_Chain", rows: list[Sealed], since: datetime | None
) -> AsyncIterator[Opened]:
    sent = 0
    with chain:
        for row in rows:
            opened = chain.open(row)
            sent += len(opened.body or b"")
            if sent >= SEGMENT:
                sent = 0
                _still_open(vault, permit)
            if since is None or opened.label.when >= since:
                yield opened
    _after(vault, chain.done)


async def write(  # noqa: PLR0913 -- the parts of one write
    vault: Vault,
    permit: Permit,
    path: str,
    media: str,
    body: bytes | None,
    at: datetime,
    expected: int | str | None = None,
    source: str = "",
) -> Written:
    """Store a resource (or, with body None, a container) with its missing parents and its entry in one transaction.

    `expected` is the version it must have now, "absent", or None. Raises Denied("precondition" or "exists"); without
    an expectation a write that lost a race is tried again, as the last one to arrive.
    """
    pod = _admit(vault, permit, path)
    if not permit.writes:
        raise Denied("outside the permit")
    stamp = gates.ms(at)
    label = Label(path, media, len(body or b""), stamp, stamp, source)
    for _ in range(TRIES):
        plan = _plan(vault, pod, permit, label, body)
        facts = replace(permit.facts, count=1, bytes=label.size, digest=plan.row.digest.hex())
        done = await vault.log.append(_intent(permit, at, facts=facts, write=partial(_store, plan, expected)))
        if isinstance(done, Appended):
            _after(vault, done)
            return Written(done.index, plan.row.version, plan.fresh)
        if done.reason != "changed" or expected is not None:
            raise Denied(done.reason)
    raise Denied("changed")


@dataclass(frozen=True, slots=True)
class Parcel:
    """One resource of a deposit: pod path, media type, body."""

    path: str
    media: str
    body: bytes


async def deposit(vault: Vault, permit: Permit, parcels: list[Parcel], at: datetime, source: str) -> tuple[int, int]:
    """Store many resources, all or none, with one entry; those whose path exists already are left as they are.

    Returns the entry's index and how many were new. The path is a keyed hash of what identifies the thing, so the
    same loan delivered twice is one resource.
    """
    pod = _admit(vault, permit, None)
    stamp = gates.ms(at)
    fresh = [p for p in {p.path: p for p in parcels}.values() if version_of(vault, pod, p.path) is None]
    labels = [Label(p.path, p.media, len(p.body), stamp, stamp, source) for p in fresh]
    plans = [_plan(vault, pod, permit, label, p.body) for label, p in zip(labels, fresh, strict=True)]

    def store(tx: Tx) -> None:
        for plan in plans:
            _store(plan, None, tx)

    digests = b"".join(plan.row.digest for plan in plans)
    facts = replace(
        permit.facts,
        count=len(plans),
        bytes=sum(label.size for label in labels),
        digest=hashlib.sha256(digests).hexdigest(),
    )
    done = await vault.log.append(_intent(permit, at, facts=facts, write=store))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    return done.index, len(plans)


def _store(plan: "_Plan", expected: int | str | None, tx: Tx) -> None:
    row = tx.get(Resource, plan.row.id)
    live = row.version if row and row.form != "gone" else None
    if expected == "absent" and live is not None:
        raise Conflict("exists")
    if isinstance(expected, int) and live != expected:
        raise Conflict("precondition")
    if (row.version if row else 0) != plan.row.version - 1:
        raise Conflict("changed")
    for missing in plan.parents:
        if tx.get(Resource, missing.id) is None:
            tx.add(missing)
    tx.remove(Resource, id=plan.row.id)
    tx.remove(Body, id=plan.row.id)
    tx.add(plan.row)
    if plan.body is not None:
        tx.add(plan.body)


async def remove(vault: Vault, permit: Permit, path: str, at: datetime, expected: int | None = None) -> int:
    """Delete a resource or an empty container; return the entry's index.

    The row stays as `gone`, so that its version numbers never return. Raises Denied("not_empty"), Denied("gone").
    """
    pod = _admit(vault, permit, path)
    rid = pod.resource(path)

    def erase(tx: Tx) -> None:
        row = tx.get(Resource, rid)
        if row is None or row.form == "gone":
            raise Conflict("gone")
        if expected is not None and row.version != expected:
            raise Conflict("precondition")
        if tx.run("SELECT 1 FROM resource WHERE parent = :id AND id <> :id AND form <> 'gone' LIMIT 1", id=rid):
            raise Conflict("not_empty")
        tx.change(Resource, {"id": rid}, form="gone", dek=b"", label=b"", version=row.version + 1)
        tx.remove(Body, id=rid)
        tx.remove(Acl, id=rid)

    done = await vault.log.append(_intent(permit, at, facts=replace(permit.facts, count=1), write=erase))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    return done.index


def version_of(vault: Vault, pod: PodFacts, path: str) -> int | None:
    """The version stored at a path, or None. Control data: no content is opened."""
    found = vault.db.read.run("SELECT version FROM resource WHERE id = :id AND form <> 'gone'", id=pod.resource(path))
    return int(found[0][0]) if found else None


def _admit(vault: Vault, permit: Permit, path: str | None) -> PodFacts:
    demand(permit)
    pod = vault.pod_by_id(permit.pod)
    if pod is None:
        raise NotFound("no such pod")
    if path is not None and permit.targets is not None and path not in permit.targets:
        raise Denied("outside the permit")
    return pod


def _rows(vault: Vault, sql: str, keys: Keys, rid: bytes) -> list[Sealed]:
    root = "custody" if isinstance(keys, CustodyKeys) else "rk"
    return [Sealed(*row) for row in vault.db.read.run(sql, id=rid, root=root)]


def _intent(permit: Permit, at: datetime, **more: Any) -> Intent:
    guards = (permit.guard,) if permit.guard else ()
    base: dict[str, Any] = {"facts": permit.facts, "guards": guards, "jti": permit.jti, "jti_until": permit.jti_until}
    return Intent(permit.pod, at=at, **(base | more))


async def _append(vault: Vault, permit: Permit, keys: Keys, rows: list[Sealed], at: datetime) -> Appended:
    if any(row.compartment not in permit.compartments for row in rows):
        raise Denied("outside the permit")
    wants = tuple({keys.want(row.compartment) for row in rows})
    bodies = [row for row in rows if row.body is not None]
    facts = replace(permit.facts, count=len(bodies), bytes=sum(len(row.body or b"") for row in bodies))
    done = await vault.log.append(_intent(permit, at, facts=facts, wants=wants))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    if done.missing:
        await _again(vault, permit, at, "needs_renewal")
        raise Denied("needs_renewal")
    return done


async def _again(vault: Vault, permit: Permit, at: datetime, rule: str) -> None:
    facts = replace(permit.facts, type="denial", decision="denied", rule=rule)
    await vault.log.append(Intent(permit.pod, facts, at))


def _after(vault: Vault, done: Appended) -> None:
    for share in done.shares.values():
        share.wipe()
    vault.log.served(done.index)


def _still_open(vault: Vault, permit: Permit) -> None:
    guard = permit.guard
    if guard is None:
        return
    gate = gates.read(vault.db.read, guard.gate)
    if gate is None or gate.state != "live" or gate.epoch != guard.epoch:
        raise Denied("withdrawn")


def _open_all(vault: Vault, pod: PodFacts, keys: Keys, rows: list[Sealed], done: Appended) -> list[Opened]:
    with _Chain(vault, pod, keys, done) as chain:
        return [chain.open(row) for row in rows]


def _tops(vault: Vault, pod: PodFacts) -> Iterable[Opened]:
    """The top-level containers, as the pod's control data names them."""
    for facts in compartments(vault, pod):
        yield Opened(Label(f"/{facts.container}/", "", 0, 0, 0), None, 1)


class _Chain:
    """The keys of one opening, unwrapped once per compartment and wiped at the end."""

    def __init__(self, vault: Vault, pod: PodFacts, keys: Keys, done: Appended) -> None:
        self.vault, self.pod, self.keys, self.done = vault, pod, keys, done
        self._open: dict[tuple[bytes, int], CompartmentKey] = {}
        self._rewraps: list[tuple[bytes, int, bytes]] = []

    def __enter__(self) -> "_Chain":
        return self

    def __exit__(self, *_: object) -> None:
        for key in self._open.values():
            key.wipe()
        if self._rewraps:
            self.vault.db.submit(lambda tx: _rewrap(tx, self._rewraps))

    def open(self, row: Sealed) -> Opened:
        """Open one row. Raises DamagedItem naming it."""
        try:
            return self._clear(row)
        except (KeysError, ValueError) as e:
            raise DamagedItem(f"resource {row.id.hex()} version {row.version} does not open") from e

    def _clear(self, row: Sealed) -> Opened:
        with self._data_key(row) as dek:
            label = unseal(dek, ctx("label", row.pod, row.id, row.version), row.label)
            body = None
            if row.body is not None:
                context = ctx("body", row.pod, row.id, row.version, hashlib.sha256(row.label).digest())
                body = unpad(unseal(dek, context, row.body))
        return Opened(Label(**orjson.loads(unpad(label))), body, row.version)

    def _data_key(self, row: Sealed) -> DataKey:
        key = self._compartment_key(row)
        context = dek_context(row.place, row.version, row.form)
        if row.form == "own":
            return unwrap(key, context, row.dek, DataKey)
        pair = ctx("ck", row.pod, "pair", row.compartment, row.generation)
        with unwrap(key, pair, row.private, Private) as private:
            dek = collect(private, context, row.dek, DataKey)
        self._rewraps.append((row.id, row.version, wrap(key, dek_context(row.place, row.version, "own"), dek)))
        return dek

    def _compartment_key(self, row: Sealed) -> CompartmentKey:
        held = self._open.get((row.compartment, row.generation))
        if held is None:
            held = self._reach(row, self.done.shares[self.keys.want(row.compartment)])
            self._open[(row.compartment, row.generation)] = held
        return held

    def _reach(self, row: Sealed, share: Share) -> CompartmentKey:
        context = ctx("ck", row.pod, row.custody, row.compartment, row.generation)
        if isinstance(self.keys, GrantKeys):
            return _by_grant(self.keys, row.compartment, share)
        if isinstance(self.keys, SessionKeys):
            with derive(self.keys.secret, self.keys.context, share) as secret:
                root = unwrap(secret, self.keys.context, self.keys.wrap, Root)
            with root:
                if row.custody == "sealed":
                    return unwrap(root, context, row.wrapped, CompartmentKey)
                managed = unwrap(root, ctx("root", row.pod, "rk", "mk"), row.managed or b"", ManagedRoot)
        else:
            with self.vault.custodian.custody_key(row.pod, share) as custodian:
                managed = unwrap(custodian, ctx("root", row.pod, "custody", "mk"), row.managed or b"", ManagedRoot)
        with managed:
            return unwrap(managed, context, row.wrapped, CompartmentKey)


def _by_grant(keys: GrantKeys, compartment: bytes, share: Share) -> CompartmentKey:
    context, wrapped = keys.compartments[compartment]
    with unwrap_gk(keys.secret, keys.gk_context, keys.gk_wrap) as gk:
        return unwrap_ck(gk, share, context, wrapped)


def _rewrap(tx: Tx, rewraps: list[tuple[bytes, int, bytes]]) -> None:
    for rid, version, dek in rewraps:
        tx.change(Resource, {"id": rid, "version": version, "form": "deposit"}, form="own", dek=dek)


@dataclass(frozen=True)
class _Plan:
    """A version ready to be stored; `fresh` when nothing readable was there before."""

    row: Resource
    body: Body | None
    parents: list[Resource]
    fresh: bool


def _plan(vault: Vault, pod: PodFacts, permit: Permit, label: Label, body: bytes | None) -> _Plan:
    path = label.path
    homes = {facts.id: facts for facts in compartments(vault, pod) if facts.id in permit.compartments}
    home = homes.get(pod.compartment(top(path)))
    if home is None:
        raise Denied("outside the permit")
    stored = vault.db.read.get(Resource, pod.resource(path))
    mark = pod.resource(f"source:{label.source}") if label.source else b""
    row, sealed = enclose(place_of(pod, home, path), (stored.version if stored else 0) + 1, label, body, mark)
    fresh = stored is None or stored.form == "gone"
    return _Plan(row, sealed, _parents(vault, pod, home, path, label.modified), fresh)


def _parents(vault: Vault, pod: PodFacts, home: CompartmentFacts, path: str, at: int) -> list[Resource]:
    made, above = [], parent(path)
    while above != "/" and version_of(vault, pod, above) is None:
        made.append(enclose(place_of(pod, home, above), 1, Label(above, "", 0, at, at), None)[0])
        above = parent(above)
    return made
