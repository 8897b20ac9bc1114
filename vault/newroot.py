"""A new root: everything that hangs under RK hangs under a fresh one, which every unlocker's public key gets.

Passkeys that are not at hand keep working, for sealing to a public key needs no secret. One transaction: until it is
durable the old root holds, and after a crash the whole is simply done again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from keys.context import ctx
from keys.errors import SwappedKey
from keys.keyring import Keyring
from keys.secret import CompartmentKey, ManagedRoot, Private, Root, Share
from keys.tree import unwrap, wrap
from keys.unlock import lock
from vault.database import Tx
from vault.keyring import Change
from vault.log.entry import Facts, Intent
from vault.pod import child
from vault.shares import Drop
from vault.tables import Compartment, RootWrap, Unlocker
from vault.unlocked import Unlocked, commit, identity, opened
from vault.vault import PodFacts, Vault

CHILDREN: tuple[tuple[str, type[Private] | type[ManagedRoot]], ...] = (
    ("identity", Private),
    ("log", Private),
    ("mk", ManagedRoot),
)


class Carried(Protocol):
    """What the floor above keeps under RK: sessions. This one goes on, the others end."""

    def drops(self) -> tuple[Drop, ...]:
        """The shares of what ends."""

    def write(self, tx: Tx, rk: Root, share: Share, dropped: tuple[Drop, ...]) -> None:
        """Put the new root under this session's secret and share, end the others: those of `dropped`, or Stale."""


@dataclass(frozen=True)
class _Rows:
    """What is written: the wraps under the new root, by place."""

    roots: dict[str, bytes]
    compartments: dict[tuple[bytes, int], bytes]
    unlockers: dict[bytes, bytes]

    def write(self, tx: Tx, pod: bytes) -> None:
        for name, wrapped in self.roots.items():
            tx.change(RootWrap, {"pod": pod, "parent": "rk", "child": name}, wrapped=wrapped)
        for (cid, generation), wrapped in self.compartments.items():
            tx.change(Compartment, {"id": cid, "generation": generation, "pod": pod}, wrapped=wrapped)
        for unlocker, sealed in self.unlockers.items():
            tx.change(Unlocker, {"id": unlocker, "pod": pod}, sealed=sealed)


async def renew(vault: Vault, session: Unlocked, now: datetime, carried: Carried) -> None:
    """Make a new RK and move everything to it. Raises Denied if the session ended, SwappedKey."""
    pod = session.pod
    async with opened(vault, session, Facts("key event", "open root", rule="new root"), now) as (old, share):
        with Root.fresh() as new, identity(vault, pod, old) as signer:

            def intent(change: Change) -> Intent:
                rows, drops = _rows(vault, pod, old, new), carried.drops()

                def write(tx: Tx) -> None:
                    change(tx)
                    rows.write(tx, pod.id)
                    carried.write(tx, new, share, drops)

                facts = Facts("key event", "new root", rule="session", count=len(rows.unlockers), keyring=change.digest)
                return Intent(pod.id, facts, now, (session.guard,), write=write, drops=drops)

            await commit(vault, pod, signer, _same, intent)


def _same(ring: Keyring) -> Keyring:
    """A new version of the keyring marks the change; a change of anything under RK in between is noticed by it."""
    return ring


def _rows(vault: Vault, pod: PodFacts, old: Root, new: Root) -> _Rows:
    roots, compartments = {}, {}
    for name, kind in CHILDREN:
        with child(vault, pod, old, name, kind) as secret:
            roots[name] = wrap(new, ctx("root", pod.id, "rk", name), secret)
    for row in vault.db.read.find(Compartment, pod=pod.id, custody="sealed"):
        context = ctx("ck", pod.id, "sealed", row.id, row.generation)
        with unwrap(old, context, row.wrapped, CompartmentKey) as key:
            compartments[(row.id, row.generation)] = wrap(new, context, key)
    return _Rows(roots, compartments, _unlockers(vault, pod, new))


def _unlockers(vault: Vault, pod: PodFacts, new: Root) -> dict[bytes, bytes]:
    """The new root for every way in that the keyring names; what is stored must say the same."""
    known = vault.keyring(pod).unlockers
    stored = {row.id: (row.kind, row.public) for row in vault.db.read.find(Unlocker, pod=pod.id)}
    if stored != dict(known):
        raise SwappedKey(f"the ways into pod {pod.id.hex()} are not as its keyring says")
    return {uid: lock(public, pod.id, uid, kind, new) for uid, (kind, public) in known.items()}
