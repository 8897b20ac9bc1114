"""An unlocked session as this floor sees it, and RK for the length of one block, behind an entry of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from keys.secret import Root, Share, derive
from keys.tree import unwrap
from vault.errors import Denied
from vault.keysets import SessionKeys
from vault.log.entry import Facts, Guard, Intent, Refused
from vault.vault import PodFacts, Vault


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


def reach(keys: SessionKeys, share: Share) -> Root:
    """RK: the cookie's secret plus the share that a log entry released. The caller wipes it.

    Raises keys.errors.Damaged if secret, share and wrap do not belong together.
    """
    with derive(keys.secret, keys.context, share) as key:
        return unwrap(key, keys.context, keys.wrap, Root)


@asynccontextmanager
async def root(vault: Vault, session: Unlocked, facts: Facts, now: datetime) -> AsyncIterator[Root]:
    """RK inside the block, once the entry that says why is durable. Raises Denied if the session ended."""
    want = session.keys.want(b"")
    done = await vault.log.append(Intent(session.pod.id, facts, now, guards=(session.guard,), wants=(want,)))
    if isinstance(done, Refused):
        raise Denied(done.reason)
    if want in done.missing:
        raise Denied("ended")
    with done.shares[want] as share, reach(session.keys, share) as rk:
        yield rk
