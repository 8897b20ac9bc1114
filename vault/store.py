"""Writing: everything that is stored goes through the drop box, with its log entry, in one transaction.

No key is needed and none is touched (docs/decisions/0002), so nothing here can open anything.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from vault import gates
from vault.blobs import Label, enclose
from vault.database import Tx
from vault.door import admit, finish, intent
from vault.errors import Conflict, Denied, NoCompartment
from vault.log import versions
from vault.log.entry import Appended, Facts
from vault.permit import Permit
from vault.pod import CompartmentFacts, compartments, parent, place_of, top
from vault.tables import Acl, Body, Resource
from vault.vault import PodFacts, Vault

TRIES = 8
AGAIN = ("changed", "rotated")  # another write, or a new generation of the compartment, came between
NEWEST = "SELECT max(generation) FROM compartment WHERE id = :id"


@dataclass(frozen=True)
class _Plan:
    """A version ready to be stored; `fresh` when nothing readable was there before."""

    row: Resource
    body: Body | None
    parents: list[Resource]
    fresh: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What a write gave."""

    index: int
    version: int
    created: bool


async def write(
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
    pod = admit(vault, permit, path)
    if not permit.writes:
        raise Denied("outside the permit")
    stamp = gates.ms(at)
    label = Label(path, media, len(body or b""), stamp, stamp, source)
    for _ in range(TRIES):
        plan = _plan(vault, pod, permit, label, body, _homes(vault, pod))
        facts = replace(permit.facts, count=1, bytes=label.size, digest=plan.row.digest.hex(), versions=_versions(plan))
        done = await vault.log.append(intent(permit, at, facts=facts, write=partial(_store, plan, expected)))
        if isinstance(done, Appended):
            finish(vault, done)
            return Written(done.index, plan.row.version, plan.fresh)
        if done.reason not in AGAIN or (done.reason == "changed" and expected is not None):
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
    pod = admit(vault, permit, None)
    stamp = gates.ms(at)
    for _ in range(TRIES):
        fresh = [p for p in {p.path: p for p in parcels}.values() if version_of(vault, pod, p.path) is None]
        labels = [Label(p.path, p.media, len(p.body), stamp, stamp, source) for p in fresh]
        homes = _homes(vault, pod)
        plans = [_plan(vault, pod, permit, label, p.body, homes) for label, p in zip(labels, fresh, strict=True)]
        plans = _once(plans)
        facts = replace(_sum(permit.facts, plans), bytes=sum(label.size for label in labels))
        done = await vault.log.append(intent(permit, at, facts=facts, write=partial(_store_all, plans)))
        if isinstance(done, Appended):
            return done.index, len(plans)
        if done.reason not in AGAIN:
            raise Denied(done.reason)
    raise Denied("changed")


def _once(plans: list[_Plan]) -> list[_Plan]:
    """The same plans, each missing container in the first of them alone."""
    seen: set[bytes] = set()
    kept = []
    for plan in plans:
        kept.append(replace(plan, parents=[one for one in plan.parents if one.id not in seen]))
        seen.update(one.id for one in plan.parents)
    return kept


def _sum(facts: Facts, plans: list[_Plan]) -> Facts:
    """What a deposit's line says: each version, each container it made once, and one digest over all."""
    stored = tuple(dict.fromkeys(version for plan in plans for version in _versions(plan)))
    digests = hashlib.sha256(b"".join(plan.row.digest for plan in plans)).hexdigest()
    return replace(facts, count=len(plans), digest=digests, versions=stored)


def _store_all(plans: list[_Plan], tx: Tx) -> None:
    for plan in plans:
        _store(plan, None, tx)


def _versions(plan: _Plan) -> tuple[str, ...]:
    return versions.told([plan.row, *plan.parents])


def _store(plan: _Plan, expected: int | str | None, tx: Tx) -> None:
    if tx.run(NEWEST, id=plan.row.compartment)[0][0] != plan.row.generation:
        raise Conflict("rotated")
    row = tx.get(Resource, plan.row.id)
    live = row.version if row and row.form != "gone" else None
    if expected == "absent" and live is not None:
        raise Conflict("exists")
    if isinstance(expected, int) and live != expected:
        raise Conflict("precondition")
    if (row.version if row else 0) != plan.row.version - 1:
        raise Conflict("changed")
    for missing in plan.parents:
        _fill(tx, missing)
    tx.remove(Resource, id=plan.row.id)
    tx.remove(Body, id=plan.row.id)
    tx.add(plan.row)
    if plan.body is not None:
        tx.add(plan.body)


def _fill(tx: Tx, missing: Resource) -> None:
    """Store a container that is to be there; another one that came between makes this write stale."""
    row = tx.get(Resource, missing.id)
    if (row.version if row else 0) != missing.version - 1:
        raise Conflict("changed")
    tx.remove(Resource, id=missing.id)
    tx.add(missing)


async def remove(vault: Vault, permit: Permit, path: str, at: datetime, expected: int | None = None) -> int:
    """Delete a resource or an empty container; return the entry's index.

    The row stays as `gone`, so that its version numbers never return. Raises Denied("not_empty"), Denied("gone").
    """
    pod = admit(vault, permit, path)
    rid = pod.resource(path)
    for _ in range(TRIES):
        held = version_of(vault, pod, path) or 0
        facts = replace(permit.facts, count=1, versions=(versions.item(rid, held + 1, versions.GONE),))
        done = await vault.log.append(intent(permit, at, facts=facts, write=partial(_erase, rid, held, expected)))
        if isinstance(done, Appended):
            return done.index
        if done.reason != "changed":
            raise Denied(done.reason)
    raise Denied("changed")


def _erase(rid: bytes, held: int, expected: int | None, tx: Tx) -> None:
    row = tx.get(Resource, rid)
    if row is None or row.form == "gone":
        raise Conflict("gone")
    if expected is not None and row.version != expected:
        raise Conflict("precondition")
    if tx.run("SELECT 1 FROM resource WHERE parent = :id AND id <> :id AND form <> 'gone' LIMIT 1", id=rid):
        raise Conflict("not_empty")
    if row.version != held:
        raise Conflict("changed")
    tx.change(Resource, {"id": rid}, form="gone", dek=b"", label=b"", version=held + 1, digest=versions.GONE)
    tx.remove(Body, id=rid)
    tx.remove(Acl, id=rid)


def version_of(vault: Vault, pod: PodFacts, path: str) -> int | None:
    """The version stored at a path, or None. Control data: no content is opened."""
    found = vault.db.read.run("SELECT version FROM resource WHERE id = :id AND form <> 'gone'", id=pod.resource(path))
    return int(found[0][0]) if found else None


def _homes(vault: Vault, pod: PodFacts) -> dict[bytes, CompartmentFacts]:
    return {facts.id: facts for facts in compartments(vault, pod)}


def _plan(
    vault: Vault,
    pod: PodFacts,
    permit: Permit,
    label: Label,
    body: bytes | None,
    homes: dict[bytes, CompartmentFacts],
) -> _Plan:
    path = label.path
    if pod.compartment(top(path)) not in permit.compartments:
        raise Denied("outside the permit")
    home = homes.get(pod.compartment(top(path)))
    if home is None:
        raise NoCompartment(f"this pod has no compartment for {top(path)}/ yet")
    stored = vault.db.read.get(Resource, pod.resource(path))
    mark = pod.resource(f"source:{label.source}") if label.source else b""
    row, sealed = enclose(place_of(pod, home, path), (stored.version if stored else 0) + 1, label, body, mark)
    fresh = stored is None or stored.form == "gone"
    return _Plan(row, sealed, _parents(vault, pod, home, path, label.modified), fresh)


def _parents(vault: Vault, pod: PodFacts, home: CompartmentFacts, path: str, at: int) -> list[Resource]:
    made, above = [], parent(path)
    while above != "/" and version_of(vault, pod, above) is None:
        gone = vault.db.read.get(Resource, pod.resource(above))
        version = gone.version + 1 if gone else 1
        made.append(enclose(place_of(pod, home, above), version, Label(above, "", 0, at, at), None)[0])
        above = parent(above)
    return made
