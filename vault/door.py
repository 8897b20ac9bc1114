"""The door: the only functions that turn stored bytes into plaintext.

The order never changes: permit -> entry appended and durable -> share released -> keys -> plaintext. If we crash after
the append, an entry says "outcome unknown" for something that was never served; the reverse cannot happen.
Key objects live inside one call and are wiped when it ends.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from keys.context import ctx
from keys.custody import reach
from keys.dropbox import collect
from keys.errors import KeysError
from keys.grants import collect_ck, unwrap_ck, unwrap_gk, wrap_ck
from keys.secret import CompartmentKey, DataKey, ManagedRoot, Private, Released
from keys.tree import unwrap, wrap
from keys.unseal import unseal as _unseal
from vault import gates, packets, unlocked
from vault.blobs import Label, Place, dek_context, read_label, unpad
from vault.database import Tx
from vault.errors import DamagedItem, Denied, NotFound
from vault.keysets import CustodyKeys, GrantKeys, Keys, SessionKeys
from vault.log.entry import Appended, Intent
from vault.mint import demand, spent, steps as _steps
from vault.permit import Permit
from vault.pod import compartments
from vault.tables import Resource
from vault.vault import PodFacts, Vault

# One read gives everything that opening needs: the resource, its body, its compartment and the managed root's wrap.
SELECT = """
SELECT r.id, r.pod, r.parent, r.compartment, r.generation, r.version, r.form, r.dek, r.label, b.data,
       c.custody, c.wrapped, c.private, c.public, w.wrapped, r.source
FROM resource r
JOIN compartment c ON c.id = r.compartment AND c.generation = r.generation
LEFT JOIN body b ON b.id = r.id AND b.version = r.version
LEFT JOIN rootwrap w ON w.pod = r.pod AND w.parent = :root AND w.child = 'mk'
WHERE r.form <> 'gone' AND
"""
ONE = SELECT + "r.id = :id"
MEMBERS = SELECT + "r.parent = :id AND r.id <> :id"
# A description is its own parent: it lies in no container and is nobody's record.
NEWEST = (
    SELECT
    + "r.compartment = :id AND b.data IS NOT NULL AND r.parent <> r.id ORDER BY r.rowid DESC LIMIT :take OFFSET :skip"
)
RECORDS = SELECT + "r.compartment = :id AND b.data IS NOT NULL AND r.parent <> r.id ORDER BY r.id"
EVERYTHING = SELECT + "r.compartment = :id AND b.data IS NOT NULL ORDER BY r.id"


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
    source: bytes

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


async def read(vault: Vault, permit: Permit, keys: Keys, path: str, at: datetime) -> Found:
    """Open one resource or list one container.

    Raises NotMinted, Denied (already logged), DamagedItem (a second entry says so) or LogUnavailable.
    """
    pod = admit(vault, permit, path)
    rows = _rows(vault, ONE, keys, pod.resource(path))
    members = _rows(vault, MEMBERS, keys, pod.resource(path)) if rows and path.endswith("/") else []
    members = [row for row in members if row.compartment in permit.compartments]
    wanted = rows + members
    done = await _append(vault, permit, keys, wanted, at)
    opened = await _open_all(vault, permit, at, _Chain(vault, pod, keys, done), wanted)
    finish(vault, done)
    if not opened:
        return Found("absent", done.index)
    if opened[0].body is not None:
        first = opened[0]
        return Found("resource", done.index, first.label.media, first.body or b"", first.version, first.label.when)
    listed = [*opened[1:], *(_tops(vault, pod) if path == "/" else ())]
    return Found(
        "container", done.index, version=opened[0].version, modified=opened[0].label.when, members=tuple(listed)
    )


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
    of the caller; a limit of the grant is the gate's); `described` takes the descriptions of resources along.
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
    with chain:
        for row in rows:
            _still_open(vault, permit)
            opened = await _open(vault, permit, at, chain, row)
            if opened is not None and (since is None or opened.label.when >= since):
                yield opened
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
    root = "custody" if isinstance(keys, CustodyKeys) else "rk"
    rows = [Sealed(*row) for row in vault.db.read.run(sql, id=rid, root=root, **some)]
    return [row for row in rows if keys.reaches(row.compartment, row.generation, row.custody)]


def intent(permit: Permit, at: datetime, **more: Any) -> Intent:
    """What a permit asks of the writer: its guard, its proof, its facts, and `more`."""
    guards = (permit.guard,) if permit.guard else ()
    base: dict[str, Any] = {"facts": permit.facts, "guards": guards, "jti": permit.jti, "jti_until": permit.jti_until}
    base["receipt"] = permit.receipt
    return Intent(permit.pod, at=at, **(base | more))


async def _append(vault: Vault, permit: Permit, keys: Keys, rows: list[Sealed], at: datetime) -> Appended:
    if any(row.compartment not in permit.compartments for row in rows):
        raise Denied("outside the permit")
    wants = tuple({keys.want(row.compartment) for row in rows})
    bodies = [row for row in rows if row.body is not None]
    facts = replace(permit.facts, count=len(bodies), bytes=sum(len(row.body or b"") for row in bodies))
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


def _still_open(vault: Vault, permit: Permit) -> None:
    guard = permit.guard
    if guard is None:
        return
    gate = gates.read(vault.db.read, guard.gate)
    if gate is None or gate.state != "live" or gate.epoch != guard.epoch:
        raise Denied("withdrawn")


async def _open_all(vault: Vault, permit: Permit, at: datetime, chain: "_Chain", rows: list[Sealed]) -> list[Opened]:
    """The first row, which was asked for by name, and those of its members that open."""
    with chain:
        opened = [await _open(vault, permit, at, chain, row) for row in rows]
    await _others(vault, permit, at, chain)
    if rows and opened[0] is None:
        raise DamagedItem(f"resource {rows[0].id.hex()} version {rows[0].version} does not open")
    return [one for one in opened if one is not None]


async def _open(vault: Vault, permit: Permit, at: datetime, chain: "_Chain", row: Sealed) -> Opened | None:
    """Open one row, None if it is damaged; that is a second entry, for the first one said it was allowed."""
    try:
        return chain.open(row)
    except DamagedItem:
        chain.damaged += 1
        if chain.damaged == 1:
            await _again(vault, permit, at, "damaged")
        return None


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
        self._open: dict[tuple[bytes, int], CompartmentKey] = {}
        self._rewraps: list[tuple[bytes, int, bytes]] = []
        self._letters: list[tuple[bytes, int, bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for secret in (*self._open.values(), *self.done.shares.values()):
            secret.wipe()
        if self._rewraps or self._letters:
            self.vault.db.submit(self._rewrap)

    def _rewrap(self, tx: Tx) -> None:
        """Keep what was delivered by letter as a symmetric wrap: the letter box is for delivery, not for keeping."""
        for rid, version, dek in self._rewraps:
            tx.change(Resource, {"id": rid, "version": version, "form": "deposit"}, form="own", dek=dek)
        if isinstance(self.keys, GrantKeys):
            for letter in self._letters:
                self.keys.keep(tx, *letter)

    def open(self, row: Sealed) -> Opened:
        """Open one row. Raises DamagedItem naming it."""
        try:
            return self._clear(row)
        except (KeysError, ValueError) as e:
            raise DamagedItem(f"resource {row.id.hex()} version {row.version} does not open") from e

    def _clear(self, row: Sealed) -> Opened:
        with self._data_key(row) as dek:
            label = _unseal(dek, ctx("label", row.pod, row.id, row.version), row.label)
            body = None
            if row.body is not None:
                context = ctx("body", row.pod, row.id, row.version, hashlib.sha256(row.label).digest())
                body = unpad(_unseal(dek, context, row.body))
            opened = Opened(read_label(unpad(label)), body, row.version)
            if row.source:
                packets.examine(self.pod, row.id, row.source, opened.label, body)
            if row.form != "own":
                wrapped = wrap(self._compartment_key(row), dek_context(row.place, row.version, "own"), dek)
                self._rewraps.append((row.id, row.version, wrapped))
        return opened

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
