"""The door: the only functions that turn stored bytes into plaintext.

The order never changes: permit -> entry appended and durable -> share released -> keys -> plaintext. If we crash after
the append, an entry says "outcome unknown" for something that was never served; the reverse cannot happen.
Key objects live inside one call and are wiped when it ends.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Self

from keys.context import ctx
from keys.custody import reach
from keys.dropbox import collect
from keys.errors import KeysError
from keys.grants import collect_ck, unwrap_ck, unwrap_gk, wrap_ck
from keys.seal import HEAD, sealed_size
from keys.secret import CompartmentKey, DataKey, ManagedRoot, Private, Released
from keys.tree import unwrap, wrap
from keys.unseal import SegmentOpener, unseal as _unseal
from vault import gates, packets, staging, unlocked
from vault.blobs import Label, dek_context, padme, read_label, unpad
from vault.database import Tx
from vault.errors import Conflict, DamagedItem, Denied, NotFound
from vault.keysets import CustodyKeys, GrantKeys, Keys, SessionKeys
from vault.large import Large
from vault.log.entry import Appended, Intent
from vault.mint import demand, spent, steps as _steps
from vault.permit import Permit
from vault.pod import compartments
from vault.sealed import COUNT, EVERYTHING, LABEL, LABELS, MEMBERS, NEWEST, ONE, RECORDS, Found, Opened, Sealed
from vault.stamps import unchanged
from vault.tables import Resource
from vault.vault import PodFacts, Vault

YIELD = 32  # labels opened before others have their turn
REWRAPS = 256  # in one unit of the writer


async def read(
    vault: Vault,
    permit: Permit,
    keys: Keys,
    path: str,
    at: datetime,
    *,
    needed: Callable[[str], bool] | None = None,
    bodies: bool = False,
) -> Found:
    """Open one resource or list one container.

    `needed` says of its media type whether the body is needed too (HEAD): if not, only its label is opened. So are the
    members of a container, or with `bodies` all of them. Raises NotMinted, Denied (already logged), DamagedItem (a
    second entry says so) or LogUnavailable.
    """
    pod = admit(vault, permit, path)
    rid = pod.resource(path)
    rows = _rows(vault, LABEL if needed or path.endswith("/") else ONE, keys, rid)
    listing = bool(rows) and path.endswith("/")
    count = vault.db.read.run(COUNT, id=rid)[0][0] if listing else None
    async with staging.held(vault, [row.store for row in rows]):
        done = await _append(vault, permit, keys, rows, at, count)
        chain = _Chain(vault, pod, keys, done)
        with chain:
            opened = [await _open(vault, permit, at, chain, row, body=needed is None) for row in rows]
            if opened and opened[0] and opened[0].body is not None and needed and needed(opened[0].label.media):
                rows = _rows(vault, ONE, keys, rid)  # what was deleted since is absent
                opened = [await _open(vault, permit, at, chain, row) for row in rows]
            members = await _members(vault, permit, at, chain, rid, bodies=bodies) if listing else []
    await _others(vault, permit, at, chain)
    if rows and (not opened or opened[0] is None):
        raise DamagedItem(f"resource {rows[0].id.hex()} version {rows[0].version} does not open")
    finish(vault, done)
    return _found(vault, pod, path, done.index, opened[0] if opened else None, members)


def _found(vault: Vault, pod: PodFacts, path: str, index: int, first: Opened | None, members: list[Opened]) -> Found:
    if first is None:
        return Found("absent", index)
    label = first.label
    if first.body is None:
        listed = (*members, *(_tops(vault, pod) if path == "/" else ()))
        return Found("container", index, version=first.version, modified=label.when, members=listed)
    return Found(
        "resource", index, label.media, first.body, first.version, label.when, size=label.size, large=first.large
    )


async def _members(
    vault: Vault, permit: Permit, at: datetime, chain: "_Chain", rid: bytes, *, bodies: bool
) -> list[Opened]:
    """What opens of a container's members, a few at a time: others have their turn, and the gate may close."""
    kept, after, take = dict[str, Opened](), -1, 4 if bodies else YIELD
    sql = MEMBERS if bodies else LABELS
    while True:
        async with vault.turn:
            stored = [
                Sealed(*row) for row in vault.db.read.run(sql, id=rid, root=_root(chain.keys), after=after, take=take)
            ]
            for row in stored:
                if row.compartment in permit.compartments and _reached(chain.keys, row):
                    opened = await _open(vault, permit, at, chain, row, body=bodies)
                    if opened is not None:
                        kept[opened.label.path] = opened  # written again meanwhile: it comes twice, the newer counts
        if len(stored) < take:
            return list(kept.values())
        after = stored[-1].row
        await asyncio.sleep(0)
        still_open(vault, permit)


@dataclass(frozen=True, slots=True)
class Batch:
    """Many records behind one entry: its index, how many there are, and the records as they are opened."""

    index: int
    count: int
    items: AsyncIterator[Opened]


async def records(
    vault: Vault, permit: Permit, keys: Keys, at: datetime, since: datetime | None = None, *, described: bool = False
) -> Batch:
    """Open every record of the permit's compartments behind one entry, durable when this returns.

    The gate is asked again before every record; the items end with Denied when it closed under way. A damaged record
    is left out, behind an entry that says so. `since` leaves out what was not changed from that moment on (a filter
    of the caller; a limit of the grant is the gate's); `described` takes the descriptions of resources and
    the containers along.
    """
    pod = admit(vault, permit, None)
    rows = [row for cid in permit.compartments for row in _rows(vault, EVERYTHING if described else RECORDS, keys, cid)]
    if permit.targets is not None:
        allowed = {pod.resource(path) for path in permit.targets}
        rows = [row for row in rows if row.id in allowed]
    done = await _append(vault, permit, keys, rows, at)
    return Batch(done.index, len(rows), _stream(vault, permit, at, _Chain(vault, pod, keys, done), rows, since))


async def newest(vault: Vault, permit: Permit, keys: Keys, at: datetime, skip: int, take: int) -> Batch:
    """Open at most `take` records of the permit's compartments, those written last first, after `skip` newer ones.

    One entry that counts no more than these; all else is as in `records`.
    """
    pod = admit(vault, permit, None)
    rows = [row for cid in permit.compartments for row in _rows(vault, NEWEST, keys, cid, skip=skip, take=take)]
    done = await _append(vault, permit, keys, rows, at)
    return Batch(done.index, len(rows), _stream(vault, permit, at, _Chain(vault, pod, keys, done), rows, None))


async def _stream(
    vault: Vault, permit: Permit, at: datetime, chain: "_Chain", rows: list[Sealed], since: datetime | None
) -> AsyncIterator[Opened]:
    async with staging.held(vault, [row.store for row in rows]):
        with chain:
            for row in rows:
                still_open(vault, permit)
                opened = await _open(vault, permit, at, chain, row)
                if opened is not None and (since is None or opened.label.when >= since):
                    yield opened
                if opened is not None and opened.large is not None:
                    await opened.large.close()
    await _others(vault, permit, at, chain)
    finish(vault, chain.done)


def admit(vault: Vault, permit: Permit, path: str | None) -> PodFacts:
    """The pod of a permit that was minted here and covers this path. Raises NotMinted, NotFound or Denied."""
    demand(permit)
    pod = vault.pod_by_id(permit.pod)
    if pod is None:
        raise NotFound("no such pod")
    if path is not None and permit.targets is not None and path not in permit.targets:
        raise Denied("outside the permit")
    return pod


def proven(permit: Permit) -> Permit:
    """The same decision for the next step of its request, once an entry has used up its proof. Raises NotMinted."""
    return spent(permit)


def steps(permit: Permit) -> tuple[Permit, Permit]:
    """The read that a change needs first, and the change, as permits of one decision. Raises NotMinted."""
    return _steps(permit)


def _rows(vault: Vault, sql: str, keys: Keys, rid: bytes, **some: int) -> list[Sealed]:
    """What a query finds, without what these keys do not lead to: to their holder that is not there."""
    rows = [Sealed(*row) for row in vault.db.read.run(sql, id=rid, root=_root(keys), **some)]
    return [row for row in rows if _reached(keys, row)]


def _root(keys: Keys) -> str:
    return "custody" if isinstance(keys, CustodyKeys) else "rk"


def _reached(keys: Keys, row: Sealed) -> bool:
    return keys.reaches(row.compartment, row.generation, row.custody)


def intent(permit: Permit, at: datetime, **more: Any) -> Intent:
    """What a permit asks of the writer: its guard, its proof, its facts, and `more`."""
    guards = (permit.guard,) if permit.guard else ()
    base: dict[str, Any] = {"facts": permit.facts, "guards": guards, "jti": permit.jti, "jti_until": permit.jti_until}
    base["receipt"] = permit.receipt
    if permit.covers:  # a list that changed while this was on its way counts already
        base["write"] = partial(unchanged, permit=permit)
    return Intent(permit.pod, at=at, **(base | more))


async def _append(
    vault: Vault, permit: Permit, keys: Keys, rows: list[Sealed], at: datetime, listed: int | None = None
) -> Appended:
    """Enter what is about to be opened: these rows, or of a container how many it has in it."""
    if any(row.compartment not in permit.compartments for row in rows):
        raise Denied("outside the permit")
    wants = tuple({keys.want(row.compartment) for row in rows})
    bodies = [row for row in rows if row.body is not None]
    facts = replace(permit.facts, count=len(bodies) if listed is None else listed)
    facts = replace(facts, bytes=sum(row.size or 0 for row in bodies))
    done = await vault.log.append(intent(permit, at, facts=facts, wants=wants))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    if done.missing:
        await _again(vault, permit, at, "needs_renewal")
        raise Denied("needs_renewal")
    return done


async def _again(vault: Vault, permit: Permit, at: datetime, rule: str, count: int = 0) -> None:
    facts = replace(permit.facts, type="denial", decision="denied", rule=rule, count=count)
    await vault.log.append(Intent(permit.pod, facts, at))


def finish(vault: Vault, done: Appended) -> None:
    """Remember that the entry's promise was kept."""
    vault.log.served(done.index)


def still_open(vault: Vault, permit: Permit) -> None:
    """See that neither the gate of a permit closed nor a list behind it changed meanwhile. Raises Denied."""
    try:
        unchanged(vault.db.read, permit)
    except Conflict as changed:
        raise Denied(changed.reason) from None
    guard = permit.guard
    if guard is None:
        return
    gate = gates.read(vault.db.read, guard.gate)
    if gate is None or gate.state != "live" or gate.epoch != guard.epoch:
        raise Denied("withdrawn")


async def _open(
    vault: Vault, permit: Permit, at: datetime, chain: "_Chain", row: Sealed, *, body: bool = True
) -> Opened | None:
    """Open one row, None if it is damaged; that is a second entry, for the first one said it was allowed."""
    try:
        opened = chain.open(row, body=body)
    except DamagedItem:
        chain.damaged += 1
        if chain.damaged == 1:
            await _again(vault, permit, at, "damaged")
        return None
    if not row.store or not body:
        return opened
    return replace(opened, large=_large(vault, permit, at, opened.label.size, row.store, chain.opener))


def _large(vault: Vault, permit: Permit, at: datetime, size: int, store: bytes, opener: SegmentOpener) -> Large:
    return Large(
        size,
        store,
        vault.db.read,
        vault.reading,
        partial(still_open, vault, permit),
        opener.open,
        opener.wipe,
        partial(_again, vault, permit, at, "damaged"),
        partial(staging.sweep, vault),
    )


async def _others(vault: Vault, permit: Permit, at: datetime, chain: "_Chain") -> None:
    """One more entry for all further damaged rows: a source that fills a box with rubbish does not fill the log."""
    if chain.damaged > 1:
        await _again(vault, permit, at, "damaged", chain.damaged - 1)


def _tops(vault: Vault, pod: PodFacts) -> Iterable[Opened]:
    """The top-level containers, as the pod's control data names them."""
    for facts in compartments(vault, pod):
        yield Opened(Label(f"/{facts.container}/", "", 0, 0, 0), None, 1)


class _Chain:
    """The keys of one opening, unwrapped once per compartment and wiped at the end."""

    def __init__(self, vault: Vault, pod: PodFacts, keys: Keys, done: Appended) -> None:
        self.vault, self.pod, self.keys, self.done = vault, pod, keys, done
        self.damaged = 0
        self.opener: SegmentOpener
        self._open: dict[tuple[bytes, int], CompartmentKey] = {}
        self._rewraps: list[tuple[bytes, int, bytes]] = []
        self._letters: list[tuple[bytes, int, bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for secret in (*self._open.values(), *self.done.shares.values()):
            secret.wipe()
        for at in range(0, len(self._rewraps) or bool(self._letters), REWRAPS):
            self.vault.db.submit(partial(self._rewrap, self._rewraps[at : at + REWRAPS]))

    def _rewrap(self, some: list[tuple[bytes, int, bytes]], tx: Tx) -> None:
        """Keep what was delivered by letter as a symmetric wrap: the letter box is for delivery, not for keeping."""
        for rid, version, dek in some:
            tx.change(Resource, {"id": rid, "version": version, "form": "deposit"}, form="own", dek=dek)
        if isinstance(self.keys, GrantKeys):
            for letter in self._letters:
                self.keys.keep(tx, *letter)

    def open(self, row: Sealed, *, body: bool = True) -> Opened:
        """Open one row, or its label alone. Raises DamagedItem naming it. A large body's `opener` is its caller's."""
        try:
            return self._clear(row, body=body)
        except (KeysError, ValueError) as e:
            raise DamagedItem(f"resource {row.id.hex()} version {row.version} does not open") from e

    def _clear(self, row: Sealed, *, body: bool) -> Opened:
        with self._data_key(row) as dek:
            label = read_label(unpad(_unseal(dek, ctx("label", row.pod, row.id, row.version), row.label)))
            data = self._body(row, dek, label.size) if body else row.body
            if row.source and body:
                packets.examine(self.pod, row.id, row.source, label, data)
            elif row.source:
                packets.examine_label(self.pod, row.id, row.source, label)
            if row.form != "own":
                wrapped = wrap(self._compartment_key(row), dek_context(row.place, row.version, "own"), dek)
                self._rewraps.append((row.id, row.version, wrapped))
        return Opened(label, data, row.version)

    def _body(self, row: Sealed, dek: DataKey, size: int) -> bytes | None:
        """The body, if it is not large: then only what its segments are opened with."""
        if row.body is None:
            return None
        if not row.store:
            context = ctx("body", row.pod, row.id, row.version, hashlib.sha256(row.label).digest())
            return unpad(_unseal(dek, context, row.body))
        if row.size != sealed_size(padme(size)):
            raise ValueError("the label does not fit the segments")
        context = ctx("segments", row.pod, row.id, row.store)
        self.opener = SegmentOpener(dek, context, row.body[:HEAD], padme(size))
        return b""

    def _data_key(self, row: Sealed) -> DataKey:
        key = self._compartment_key(row)
        context = dek_context(row.place, row.version, row.form)
        if row.form == "own":
            return unwrap(key, context, row.dek, DataKey)
        pair = ctx("ck", row.pod, "pair", row.compartment, row.generation)
        with unwrap(key, pair, row.private, Private) as private:
            return collect(private, context, row.dek, DataKey)

    def _compartment_key(self, row: Sealed) -> CompartmentKey:
        held = self._open.get((row.compartment, row.generation))
        if held is None:
            held = self._reach(row, self.done.shares[self.keys.want(row.compartment)])
            self._open[(row.compartment, row.generation)] = held
        return held

    def _reach(self, row: Sealed, share: Released) -> CompartmentKey:
        context = ctx("ck", row.pod, row.custody, row.compartment, row.generation)
        if isinstance(self.keys, GrantKeys):
            return self._by_grant(self.keys, row, share)
        if isinstance(self.keys, SessionKeys):
            with unlocked.reach(self.keys, share) as root:
                if row.custody == "sealed":
                    return unwrap(root, context, row.wrapped, CompartmentKey)
                managed = unwrap(root, ctx("root", row.pod, "rk", "mk"), row.managed or b"", ManagedRoot)
        else:
            managed = reach(self.vault.custodian, row.pod, share, row.managed or b"")
        with managed:
            return unwrap(managed, context, row.wrapped, CompartmentKey)

    def _by_grant(self, keys: GrantKeys, row: Sealed, share: Released) -> CompartmentKey:
        held = keys.compartments[(row.compartment, row.generation)]
        with unwrap_gk(keys.secret, keys.gk_context, keys.gk_wrap) as gk:
            if not held.letter:
                return unwrap_ck(gk, share, held.context, held.sealed)
            ck = collect_ck(gk, share, (row.pod, keys.grant, row.compartment), held.context, held.sealed)
            self._letters.append((row.compartment, row.generation, wrap_ck(gk, share, held.context, ck)))
            return ck
