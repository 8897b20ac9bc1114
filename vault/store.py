"""Writing: everything that is stored goes through the drop box, with its log entry, in one transaction.

No key is needed and none is touched (docs/decisions/0002), so nothing here can open anything.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import NoReturn

from vault import gates, groups, quota, staging
from vault.blobs import Label, Staged
from vault.database import Tx
from vault.door import admit, finish, intent
from vault.errors import Conflict, Denied, LogUnavailable, Stale
from vault.log import versions
from vault.log.entry import Appended
from vault.news import removed
from vault.packets import Packet
from vault.permit import Permit
from vault.planned import Parcel, Plan, planner
from vault.solid.paths import subject_of
from vault.stamps import unchanged
from vault.tables import Acl, Body, Resource, Upload
from vault.vault import PodFacts, Vault

TRIES = 8
AT_ONCE = 32
Also = Callable[[Tx], None]
NEWEST = "SELECT max(generation) FROM compartment WHERE id = :id"
LIVE = "SELECT version FROM resource WHERE id = :id AND form <> 'gone'"
STANDS = "SELECT 1 FROM resource WHERE id = :id AND form <> 'gone'"


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
    body: bytes | Staged | None,
    at: datetime,
    expected: int | str | None = None,
    source: str = "",
    also: Also | None = None,
) -> Written:
    """Store a resource (or, with body None, a container) with its missing parents and its entry in one transaction.

    `expected` is the version it must have now, "absent", "present" (any version), or None. Raises Denied
    ("precondition", "exists", "vanished"; "slash" for a name that stands with the slash the other way round); without
    a version a write that lost a race is tried again, as the last one to arrive. `also` writes in the same
    transaction if it takes the place of something that was there. A large body comes as `vault.staging` left it.
    Raises Denied("quota") if it does not fit.
    """
    pod = admit(vault, permit, path)
    if not permit.writes:
        raise Denied("outside the permit")
    stamp = gates.ms(at)
    size = body.size if isinstance(body, Staged) else len(body or b"")
    label, freed = Label(path, media, size, stamp, stamp, source), list[bytes]()
    whole = body if isinstance(body, bytes) and permit.controls else None
    url = f"{vault.base}/pods/{pod.name}{path}"
    listed = await asyncio.to_thread(groups.kept, pod, path, url, media, whole)
    for _ in range(TRIES):
        plan = planner(vault, pod, permit, path).plan(label, body)
        facts = replace(permit.facts, count=1, bytes=label.size, digest=plan.row.digest.hex(), versions=plan.versions)
        then = (listed, also) if also and not plan.fresh else (listed,)
        try:
            done = await vault.log.append(
                intent(
                    permit,
                    at,
                    facts=facts,
                    write=_allowed(permit, partial(_store, plan, expected, vault.quota, freed), *then),
                    news=plan.news(at),
                )
            )
        except Stale:
            continue
        if not isinstance(done, Appended):
            raise Denied(done.reason)
        finish(vault, done)
        await _swept(vault, freed)
        return Written(done.index, plan.row.version, plan.fresh)
    raise Stale(f"{TRIES} times somebody else was faster")


@asynccontextmanager
async def receive(
    vault: Vault, permit: Permit, path: str, pieces: AsyncIterator[bytes], at: datetime
) -> AsyncIterator[Staged]:
    """Take in a large body for one `write` to this path, piece by piece; what was not written is removed after.

    Raises Denied("quota"), which is in the log, if it does not fit.
    """
    pod = admit(vault, permit, path)
    if not permit.writes:
        raise Denied("outside the permit")
    try:
        async with staging.staged(vault, pod, path, pieces) as staged:
            yield staged
    except Conflict as full:
        await refuse(vault, permit, at, full.reason)


async def refuse(vault: Vault, permit: Permit, at: datetime, reason: str) -> NoReturn:
    """Enter that a write was refused for this reason, and raise it as Denied."""

    def refused(_: Tx) -> None:
        raise Conflict(reason)

    await vault.log.append(intent(permit, at, write=refused))
    raise Denied(reason)


async def deposit(
    vault: Vault, permit: Permit, parcels: Sequence[Parcel | Packet], at: datetime, source: str
) -> tuple[int, int]:
    """Store many resources of one container, all or none, with one entry; what exists already is left as it is.

    A packet, which its source sealed itself, is also left out where its citizen deleted the thing: its version is 1,
    and its source is told nothing of that. Raises Conflict("generation") for one sealed to an older generation.

    Returns the entry's index and how many were new. The path is a keyed hash of what identifies the thing, so the
    same loan delivered twice is one resource. Sealing yields to other requests every few parcels.
    """
    pod, freed = admit(vault, permit, None), list[bytes]()
    for _ in range(TRIES):
        plans = _once(await _plans(vault, pod, permit, parcels, gates.ms(at), source))
        facts = replace(
            permit.facts,
            count=len(plans),
            bytes=sum(plan.size for plan in plans),
            digest=hashlib.sha256(b"".join(plan.row.digest for plan in plans)).hexdigest(),
            versions=tuple(version for plan in plans for version in plan.versions),
        )
        news = tuple(one for plan in plans for one in plan.news(at))
        try:
            done = await vault.log.append(
                intent(
                    permit,
                    at,
                    facts=facts,
                    write=_allowed(permit, partial(_store_all, plans, vault.quota, freed)),
                    news=news,
                )
            )
        except Stale:
            continue
        if not isinstance(done, Appended):
            raise Denied(done.reason)
        finish(vault, done)
        return done.index, len(plans)
    raise Stale(f"{TRIES} times somebody else was faster")


async def _plans(
    vault: Vault, pod: PodFacts, permit: Permit, parcels: Sequence[Parcel | Packet], stamp: int, source: str
) -> list[Plan]:
    plans = []
    plans_of = planner(vault, pod, permit, parcels[0].path) if parcels else None
    for number, parcel in enumerate({p.path: p for p in parcels}.values()):
        plan = plans_of.arrival(parcel, stamp, source) if plans_of is not None else None
        if plan is not None:
            plans.append(plan)
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    return plans


def _once(plans: list[Plan]) -> list[Plan]:
    """The same plans, each container that is missing in the first of them alone."""
    seen: set[bytes] = set()
    kept = []
    for plan in plans:
        kept.append(replace(plan, missing=[one for one in plan.missing if one.id not in seen]))
        seen.update(one.id for one in plan.missing)
    return kept


def _allowed(permit: Permit, *work: Also) -> Also:
    """The work, unless the access control lists behind the permit changed while its body was on the way."""

    def checked(tx: Tx) -> None:
        unchanged(tx, permit)
        for one in work:
            one(tx)

    return checked


def _store_all(plans: list[Plan], limit: int, freed: list[bytes], tx: Tx) -> None:
    for plan in plans:
        _store(plan, None, limit, freed, tx)


def _store(plan: Plan, expected: int | str | None, limit: int, freed: list[bytes], tx: Tx) -> None:
    if tx.run(NEWEST, id=plan.row.compartment)[0][0] != plan.row.generation:
        raise Stale("a new generation of the compartment came in between")
    row = tx.get(Resource, plan.row.id)
    _awaited(expected, row.version if row and row.form != "gone" else None)
    if any(tx.run(STANDS, id=rid) for rid in plan.twins):
        raise Conflict("slash")
    for container in plan.missing:
        _replace(container, tx.get(Resource, container.id), tx)
    if any(not tx.run(STANDS, id=rid) for rid in plan.above):
        raise Stale("a container was deleted meanwhile")
    _replace(plan.row, row, tx)
    less = _empty(plan.row.id, plan.row.pod, freed, tx)
    if plan.body is not None:
        if plan.body.store:
            tx.remove(Upload, store=plan.body.store)
        tx.add(plan.body)
    quota.count(tx, plan.row.pod, (plan.body.size if plan.body else 0) - less, limit)


def _awaited(expected: int | str | None, live: int | None) -> None:
    """Raise Conflict unless the version that is there now, None for nothing, is what a writer counts on."""
    if expected == "absent" and live is not None:
        raise Conflict("exists")
    if expected == "present" and live is None:
        raise Conflict("vanished")
    if isinstance(expected, int) and live != expected:
        raise Conflict("precondition")


def _empty(rid: bytes, pod: bytes, freed: list[bytes], tx: Tx) -> int:
    """Take away the body of a resource and return how large it was; segments of it are `freed` to be swept after."""
    found = tx.run("SELECT size, store FROM body WHERE id = :id", id=rid)
    if not found:
        return 0
    size, store = found[0]
    if store:
        quota.discard(tx, pod, store)
        freed.append(store)
    tx.remove(Body, id=rid)
    return int(size)


async def _swept(vault: Vault, freed: list[bytes]) -> None:
    with suppress(LogUnavailable):  # the write itself is done; the next start removes them
        for store in freed:
            await staging.sweep(vault, store)


def _replace(row: Resource, before: Resource | None, tx: Tx) -> None:
    """Put a version in the place of the one before it. Raises Stale if that is not the one it was made for."""
    if (before.version if before else 0) != row.version - 1:
        raise Stale("another version came in between")
    tx.remove(Resource, id=row.id)
    tx.add(row)


async def remove(
    vault: Vault, permit: Permit, path: str, at: datetime, expected: int | None = None, also: Also | None = None
) -> int:
    """Delete a resource or an empty container and its description, with what `also` writes; return the entry's index.

    The row stays as `gone`, so that its version numbers never return. Raises Denied("not_empty"), Denied("gone").
    """
    pod, freed = admit(vault, permit, path), list[bytes]()
    for _ in range(TRIES):
        going = _going(vault, pod, path)
        told = tuple(versions.item(one, held + 1, versions.GONE) for one, held in going if held or one == going[0][0])
        facts = replace(permit.facts, count=1, versions=told)
        left = groups.kept(pod, path, "")
        work = _allowed(permit, partial(_erase, going, expected, freed), left, *((also,) if also else ()))
        try:
            news = (removed(pod, path, going[0][1] + 1, at),)
            done = await vault.log.append(intent(permit, at, facts=facts, write=work, news=news))
        except Stale:
            continue
        if not isinstance(done, Appended):
            raise Denied(done.reason)
        finish(vault, done)
        await _swept(vault, freed)
        return done.index
    raise Stale(f"{TRIES} times somebody else was faster")


def _going(vault: Vault, pod: PodFacts, path: str) -> list[tuple[bytes, int]]:
    """What goes with a path, as id and version (0 for nothing there): itself, and the description it may have."""
    both = [path] if subject_of(path) is not None else [path, path + ".meta"]
    return [(pod.resource(one), version_of(vault, pod, one) or 0) for one in both]


def _erase(going: list[tuple[bytes, int]], expected: int | None, freed: list[bytes], tx: Tx) -> None:
    (rid, held), *described = going
    row = tx.get(Resource, rid)
    if row is None or row.form == "gone":
        raise Conflict("gone")
    if expected is not None and row.version != expected:
        raise Conflict("precondition")
    if tx.run("SELECT 1 FROM resource WHERE parent = :id AND id <> :id AND form <> 'gone' LIMIT 1", id=rid):
        raise Conflict("not_empty")
    if row.version != held:
        raise Stale("another version came in between")
    if any((tx.run(LIVE, id=one) or [(0,)])[0][0] != was for one, was in described):
        raise Stale("another version of the description came in between")
    for one, was in [(rid, held), *(pair for pair in described if pair[1])]:
        tx.change(Resource, {"id": one}, form="gone", dek=b"", label=b"", version=was + 1, digest=versions.GONE)
        quota.count(tx, row.pod, -_empty(one, row.pod, freed, tx))
    tx.remove(Acl, id=rid)


def version_of(vault: Vault, pod: PodFacts, path: str) -> int | None:
    """The version stored at a path, or None. Control data: no content is opened."""
    found = vault.db.read.run(LIVE, id=pod.resource(path))
    return int(found[0][0]) if found else None


def crowd(vault: Vault, pod: PodFacts, path: str) -> int:
    """How many things lie in the container at a path."""
    found = vault.db.read.run(
        "SELECT count(*) FROM resource WHERE parent = :id AND id <> :id AND form <> 'gone'", id=pod.resource(path)
    )
    return int(found[0][0])
