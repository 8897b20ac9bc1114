"""An unlocked session as this floor sees it, and RK for the length of one block, behind an entry of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from typing import Protocol

from keys.secret import Private, Released, Root, derive
from keys.sign import signer_public
from keys.tree import unwrap
from vault import keyring
from vault.errors import Denied, Stale
from vault.keyring import Change, Edit
from vault.keysets import SessionKeys
from vault.log.entry import Appended, Facts, Guard, Intent, Refused
from vault.pod import child
from vault.shares import Want
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
async def opened(
    vault: Vault, session: Unlocked, facts: Facts, now: datetime, also: tuple[Want, ...] = ()
) -> AsyncIterator[tuple[Root, dict[Want, Released]]]:
    """The same, with the shares beside it that the entry released: the session's own and those of `also`."""
    want = session.keys.want(b"")
    done = await vault.log.append(Intent(session.pod.id, facts, now, guards=(session.guard,), wants=(want, *also)))
    if isinstance(done, Refused):
        raise Denied(done.reason)
    if done.missing:
        raise Denied("ended")
    with ExitStack() as held:
        for share in done.shares.values():
            held.enter_context(share)
        yield held.enter_context(reach(session.keys, done.shares[want])), done.shares


def identity(vault: Vault, pod: PodFacts, rk: Root) -> Private:
    """The private half of the pod's identity, which signs keyrings and grants. The caller wipes it."""
    found = child(vault, pod, rk, "identity", Private)
    assert isinstance(found, Private)  # noqa: S101 -- narrows the type that was asked for
    return found


async def commit(
    vault: Vault,
    pod: PodFacts,
    signer: Private,
    edit: Edit,
    intent: Callable[[Change], Intent],
    heir: Private | None = None,
) -> Appended:
    """Change the keyring together with what `intent` writes; another change that came between is taken along.

    The intent's `write` calls the change it is given; `heir` as in `keyring.change`. Raises Denied, "ended" when all
    locks were changed since the signer was opened.
    """
    for _ in range(TRIES):
        if vault.keyring(pod).identity != signer_public(signer):
            raise Denied("ended")
        try:
            done = await vault.log.append(intent(keyring.change(vault.db.read, pod.id, signer, edit, heir)))
        except Stale:
            continue
        if isinstance(done, Appended):
            return done
        raise Denied(done.reason)
    raise Stale(f"{TRIES} times somebody else was faster")
