"""Following what happens in a pod: who may, until when, and the line in the log behind everything that is told.

A subscription is an access, decided by the gate like a read, and its line says so (`follow`). Each time that something
is told, one entry (`notify`) asks in the writer whether the grant, the lists and the compartment still are what they
were; only then, and only if it is durable, a message leaves. docs/decisions/0026.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from consent import gate
from consent.accounts import sessions
from consent.call import Call, Denial
from keys.secret import fresh_bytes
from keys.text import b64, unb64
from vault import door, gates, hooks
from vault.errors import Conflict, Denied
from vault.log.entry import Appended, Facts, Guard, Intent
from vault.solid.notifications import HOOK, Wish
from vault.stamps import same

if TYPE_CHECKING:
    from vault.database import Tx
    from vault.vault import PodFacts, Vault

PER_GRANT: Final = 16
PER_POD: Final = 128
STRANGERS: Final = 32
"""Of those of a pod, how many may be open before nobody comes in any more who has no grant."""
UNGRANTED: Final = timedelta(hours=1)
"""How long somebody follows who has no grant here that could end: then she asks again."""
NAMED: Final = 16
CLIENT: Final = "SELECT 1 FROM client WHERE id = :id"
CUSTODY: Final = "SELECT custody FROM compartment WHERE id = :id ORDER BY generation DESC LIMIT 1"
Count = Callable[[bytes], int]


@dataclass(frozen=True, slots=True)
class Following:
    """Somebody who follows `topic` (the id of what is at `path`), as the gate let her in.

    `facts` go into every line; `guard` is her grant's gate, None without one; `covers` and `stamp` are the access
    control lists that allowed it, empty under a grant that opens by itself. `session` ends it too; `until` (ms) at the
    latest. `registered`: as long as its app is registered here, which one with a document of its own never is.
    """

    id: bytes
    pod: bytes
    path: str
    topic: bytes
    compartment: bytes
    facts: Facts
    guard: Guard | None
    covers: tuple[bytes, ...]
    stamp: bytes
    session: bytes
    until: int | None
    wish: Wish
    registered: bool


async def begin(
    vault: "Vault", call: Call, pod: "PodFacts | None", wish: Wish, open_now: Count, now: datetime
) -> Following | Denial:
    """Let somebody follow what happens at `call.path`, or say no; either way there is a line for it.

    `open_now` counts the channels that a gate or a pod has in memory. A grant that shows a part of what lies there lets
    nobody follow it: when something changes would tell of the other part. A webhook outlives every connection, so it
    takes a grant that does so too. Raises Denied if the grant ended at that very moment.
    """
    admitted = await gate.admit(vault, call, now)
    if isinstance(admitted, Denial):
        return admitted
    assert pod is not None  # noqa: S101 -- the gate admits nobody into a pod that is not there
    permit, guard = admitted.permit, admitted.permit.guard
    facts = replace(permit.facts, action="follow", resources=(call.path,), note=wish.type)
    lasting = guard is not None and not admitted.session
    code = ""
    if not admitted.whole:
        code = "insufficient_authorization_details"
    elif wish.type == HOOK and not lasting:
        code = "forbidden" if guard else "unauthenticated"
    elif _too_many(vault, pod, guard, open_now):
        code = "too_many_channels"
    if code:
        await vault.log.append(Intent(pod.id, replace(facts, type="denial", decision="denied", rule=code), now))
        return Denial(code)
    found = Following(
        fresh_bytes(16),
        pod.id,
        call.path,
        pod.resource(call.path),
        permit.compartments[0],
        facts,
        replace(guard, use=False) if guard else None,
        permit.covers,
        permit.stamp,
        admitted.session,
        _until(wish, now, lasting=guard is not None),
        wish,
        bool(vault.db.read.run(CLIENT, id=facts.client)),
    )
    unit = partial(_begun, found, pod)
    done = await vault.log.append(door.intent(permit, now, facts=facts, write=unit))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    door.finish(vault, done)
    return found


def _too_many(vault: "Vault", pod: "PodFacts", guard: Guard | None, open_now: Count) -> bool:
    tx = vault.db.read
    if guard and open_now(guard.gate) + hooks.count(tx, gate=guard.gate) >= PER_GRANT:
        return True
    return open_now(pod.id) + hooks.count(tx, pod=pod.id) >= (PER_POD if guard else STRANGERS)


def _until(wish: Wish, now: datetime, *, lasting: bool) -> int | None:
    ends = [] if wish.end is None else [wish.end]
    return min([*ends, *(() if lasting else (gates.ms(now + UNGRANTED),))], default=None)


def _begun(one: Following, pod: "PodFacts", tx: "Tx") -> None:
    _stands(one, tx)
    if one.wish.type == HOOK and one.guard:
        hooks.begin(tx, pod, one.id, one.guard.gate, one.topic, _plain(one))


def stands(vault: "Vault", one: Following, now: datetime) -> bool:
    """Whether somebody may still follow, as far as can be read now."""
    if one.until is not None and gates.ms(now) >= one.until:
        return False
    if one.session and gates.ms(now) >= sessions.until(vault, one.session):
        return False
    try:
        _stands(one, vault.db.read)
    except Conflict:
        return False
    if one.guard is None:
        return vault.pod_by_id(one.pod) is not None
    found = gates.read(vault.db.read, one.guard.gate)
    live = found is not None and (found.state, found.epoch) == ("live", one.guard.epoch)
    return live and found is not None and gates.ms(now) < found.not_after


def _stands(one: Following, tx: "Tx") -> None:
    """Raise Conflict if a list, the custody or the session behind it is not what the gate saw."""
    same(tx, one.covers, one.stamp)
    if one.covers:
        found = tx.run(CUSTODY, id=one.compartment)
        if found and found[0][0] != "managed":
            raise Conflict("access changed")
    if one.registered and not tx.run(CLIENT, id=one.facts.client):
        raise Conflict("gone")
    if one.session:
        gate_of = gates.read(tx, one.session)
        if gate_of is None or gate_of.state != "live":
            raise Conflict("ended")


async def tell(vault: "Vault", one: Following, paths: Sequence[str], now: datetime) -> int | None:
    """Write the line behind messages about these paths; its index, None if nothing may be told any more.

    Raises LogUnavailable.
    """
    if one.until is not None and gates.ms(now) >= one.until:
        return None
    if one.session and gates.ms(now) >= sessions.until(vault, one.session):
        return None
    named = tuple(dict.fromkeys([one.path, *paths]))[:NAMED]
    facts = replace(one.facts, action="notify", resources=named, count=len(paths))
    guards = (one.guard,) if one.guard else ()
    done = await vault.log.append(Intent(one.pod, facts, now, guards, write=partial(_told, one)))
    return done.index if isinstance(done, Appended) else None


def _told(one: Following, tx: "Tx") -> None:
    _stands(one, tx)
    if one.wish.type == HOOK and not hooks.there(tx, one.id):
        raise Conflict("ended")


# ---------------------------------------------------------------- webhooks, kept across a restart


def hook(vault: "Vault", ident: bytes) -> Following | None:
    """A webhook as stored, None if it ended. Raises KeysError or ValueError for a damaged row."""
    row = hooks.load(vault, ident)
    if row is None:
        return None
    said = row.said
    facts = Facts(**(said["facts"] | {"resources": tuple(said["facts"]["resources"])}))
    guard = Guard(row.gate, said["epoch"], pod=unb64(said["home"]) or None)
    wish, covers = Wish(**said["wish"]), tuple(map(unb64, said["covers"]))
    compartment, stamp = unb64(said["compartment"]), unb64(said["stamp"])
    return Following(
        ident,
        row.pod.id,
        said["path"],
        row.topic,
        compartment,
        facts,
        guard,
        covers,
        stamp,
        b"",
        said["until"],
        wish,
        said["registered"],
    )


def _plain(one: Following) -> dict[str, Any]:
    assert one.guard is not None  # noqa: S101 -- only who has a grant gets a webhook
    told = {name: getattr(one.facts, name) for name in Facts.__dataclass_fields__}
    return {
        "facts": {name: value for name, value in told.items() if value},
        "epoch": one.guard.epoch,
        "home": b64(one.guard.pod or b""),
        "path": one.path,
        "compartment": b64(one.compartment),
        "covers": [b64(rid) for rid in one.covers],
        "stamp": b64(one.stamp),
        "until": one.until,
        "registered": one.registered,
        "wish": {name: getattr(one.wish, name) for name in Wish.__dataclass_fields__},
    }


async def end_hook(vault: "Vault", one: Following, why: str, now: datetime) -> None:
    """End a webhook whose receiver does not want it or cannot be reached, with a line that says so."""

    def write(tx: "Tx") -> None:
        if not hooks.remove(tx, one.id):
            raise Conflict("ended")

    if hooks.there(vault.db.read, one.id):
        facts = replace(one.facts, type="consent", action="unfollow", rule=why)
        await vault.log.append(Intent(one.pod, facts, now, write=write))
