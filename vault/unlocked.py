"""An unlocked session as this floor sees it, and RK for the length of one block, behind an entry of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from keys.secret import Private, Released, Root, derive
from keys.tree import unwrap
from vault import keyring
from vault.errors import Denied, Stale
from vault.keyring import Change, Edit
from vault.keysets import SessionKeys
from vault.log.entry import Appended, Facts, Guard, Intent, Refused
from vault.pod import child
from vault.vault import PodFacts, Vault

TRIES = 8


class Unlocked(Protocol):
    """A person's own session: her pod, the way to its root, and the gate that every entry of it passes."""

    @property
    def pod(self) -> PodFacts:
        """Whose pod."""

    @property
    def keys(self) -> SessionKeys:
        """The cookie's secret and the root wrapped under it."""

    @property
    def guard(self) -> Guard:
        """The session's gate."""


def reach(keys: SessionKeys, share: Released) -> Root:
    """RK: the cookie's secret plus the share that a log entry released. The caller wipes it.

    Raises keys.errors.Damaged if secret, share and wrap do not belong together.
    """
    with derive(keys.secret, keys.context, share) as key:
        return unwrap(key, keys.context, keys.wrap, Root)


@asynccontextmanager
async def root(vault: Vault, session: Unlocked, facts: Facts, now: datetime) -> AsyncIterator[Root]:
    """RK inside the block, once the entry that says why is durable. Raises Denied if the session ended."""
    async with opened(vault, session, facts, now) as (rk, _):
        yield rk


@asynccontextmanager
async def opened(vault: Vault, session: Unlocked, facts: Facts, now: datetime) -> AsyncIterator[tuple[Root, Released]]:
    """The same, with the session's share beside it, for what wraps a root under the session again."""
    want = session.keys.want(b"")
    done = await vault.log.append(Intent(session.pod.id, facts, now, guards=(session.guard,), wants=(want,)))
    if isinstance(done, Refused):
        raise Denied(done.reason)
    if want in done.missing:
        raise Denied("ended")
    with done.shares[want] as share, reach(session.keys, share) as rk:
        yield rk, share


def identity(vault: Vault, pod: PodFacts, rk: Root) -> Private:
    """The private half of the pod's identity, which signs keyrings and grants. The caller wipes it."""
    found = child(vault, pod, rk, "identity", Private)
    assert isinstance(found, Private)  # noqa: S101 -- narrows the type that was asked for
    return found


async def commit(
    vault: Vault, pod: PodFacts, signer: Private, edit: Edit, intent: Callable[[Change], Intent]
) -> Appended:
    """Change the keyring together with what `intent` writes; another change that came between is taken along.

    The intent's `write` calls the change it is given. Raises Denied.
    """
    for _ in range(TRIES):
        try:
            done = await vault.log.append(intent(keyring.change(vault.db.read, pod.id, signer, pod.identity, edit)))
        except Stale:
            continue
        if isinstance(done, Appended):
            return done
        raise Denied(done.reason)
    raise Stale(f"{TRIES} times somebody else was faster")
