"""What the server itself can reach of a pod: the managed root and the managed signing key, behind an entry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from keys.context import ctx
from keys.custody import reach
from keys.secret import ManagedRoot, Private
from keys.tree import unwrap
from vault.database import Tx
from vault.errors import Conflict, DamagedItem, Denied
from vault.log.entry import Appended, Facts, Guard, Intent
from vault.shares import Want
from vault.tables import Pod, RootWrap
from vault.vault import PodFacts, Vault


@asynccontextmanager
async def managed_root(
    vault: Vault,
    pod: PodFacts,
    facts: Facts,
    guards: tuple[Guard, ...],
    at: datetime,
    jti: bytes | None = None,
    jti_until: int = 0,
) -> AsyncIterator[ManagedRoot]:
    """MK inside the block, by the custodian and the custody share that the entry released. Raises Denied.

    `jti`, kept until `jti_until` (ms): the proof that asked for it, used up by the same entry.
    """
    want = Want("custody", pod.id)
    done = await vault.log.append(Intent(pod.id, facts, at, guards, jti, jti_until, wants=(want,)))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    row = vault.db.read.get(RootWrap, pod.id, "custody", "mk")
    if row is None or want in done.missing:
        raise DamagedItem(f"the managed root of pod {pod.id.hex()} is missing")
    with reach(vault.custodian, pod.id, done.shares[want], row.wrapped) as managed:
        yield managed


def unchanged(tx: Tx, pod: PodFacts) -> None:
    """Raise Conflict("changed") if all locks of the pod were changed since these facts were read.

    For a unit that stores what the managed signing key signed before.
    """
    if not tx.find(Pod, id=pod.id, identity=pod.identity):
        raise Conflict("changed")


def signer(vault: Vault, pod: PodFacts, managed: ManagedRoot) -> Private:
    """The managed signing key, which the pod's identity put on the keyring once. The caller wipes it."""
    row = vault.db.read.get(RootWrap, pod.id, "mk", "msign")
    if row is None:
        raise DamagedItem(f"the managed signing key of pod {pod.id.hex()} is missing")
    return unwrap(managed, ctx("root", pod.id, "mk", "msign"), row.wrapped, Private)
