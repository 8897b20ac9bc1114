"""Everything at the top of a pod's keys made anew, as after a suspected take-over: RK and all that hangs under it.

New are RK, the managed root, the identity, the log key and the managed signing key. Every unlocker's public key gets
the new RK, so passkeys that are not at hand keep working. The old identity signs for the new one, whatever it had
signed is signed again, and the old log key lies sealed to the new one. One transaction: until it is durable all the
old holds, and after a crash the whole is simply done again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol, Self

from keys.context import ctx
from keys.custody import hang
from keys.dropbox import collect, deliver, pair, public_of
from keys.errors import SwappedKey
from keys.keyring import Keyring, succeed
from keys.secret import CompartmentKey, ManagedRoot, Private, Root, Share
from keys.sign import new_signer, signer_public
from keys.tree import unwrap, wrap
from keys.unlock import lock
from vault.database import Tx
from vault.errors import Stale
from vault.keyring import Change
from vault.log.entry import Facts, Intent
from vault.managed import signer
from vault.pod import child, log_key
from vault.shares import Drop, Want
from vault.tables import Compartment, OldLog, Pod, RootWrap, Unlocker
from vault.unlocked import Unlocked, commit, identity, opened
from vault.vault import PodFacts, Vault


@dataclass(frozen=True)
class Tops:
    """The five secrets everything of a pod hangs under; wiped when the block ends."""

    root: Root
    managed: ManagedRoot
    identity: Private
    log: Private
    msign: Private

    @classmethod
    def fresh(cls) -> Self:
        """New ones."""
        return cls(Root.fresh(), ManagedRoot.fresh(), new_signer(), pair()[0], new_signer())

    @classmethod
    def read(cls, vault: Vault, pod: PodFacts, root: Root) -> Self:
        """Those of a pod, from its root."""
        managed = child(vault, pod, root, "mk", ManagedRoot)
        assert isinstance(managed, ManagedRoot)  # noqa: S101 -- narrows the type that was asked for
        return cls(root, managed, identity(vault, pod, root), log_key(vault, pod, root), signer(vault, pod, managed))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for secret in (self.root, self.managed, self.identity, self.log, self.msign):
            secret.wipe()


class Carried(Protocol):
    """What the floor above keeps under these: sessions, and what the identity signed."""

    def drops(self) -> tuple[Drop, ...]:
        """The shares of the sessions that end."""

    def write(self, tx: Tx, new: Tops, share: Share, dropped: tuple[Drop, ...]) -> None:
        """Put root and log key under this session's secret and share, end the others: those of `dropped`, or Stale."""

    def sign_again(self, tx: Tx, old: Tops, new: Tops) -> None:
        """Sign what the old keys had signed with the new ones."""


@dataclass(frozen=True)
class _Rows:
    """What is written: the pod's facts, the wraps under what is new by place, and the log keys from before."""

    facts: PodFacts
    roots: dict[tuple[str, str], bytes]
    custody: bytes
    compartments: dict[tuple[bytes, int], bytes]
    unlockers: dict[bytes, bytes]
    logs: dict[bytes, bytes]

    def write(self, tx: Tx) -> None:
        """Store all of it. Raises Stale if the custody key was replaced meanwhile."""
        pod = self.facts.id
        if not tx.find(RootWrap, pod=pod, parent="custody", child="mk", wrapped=self.custody):
            raise Stale("the custody key was replaced meanwhile")
        sealed = self.facts.seal("pod", pod, "sealed", self.facts.told)
        tx.change(Pod, {"id": pod}, identity=self.facts.identity, box=self.facts.box, sealed=sealed)
        for (parent, name), wrapped in self.roots.items():
            tx.change(RootWrap, {"pod": pod, "parent": parent, "child": name}, wrapped=wrapped)
        for (cid, generation), wrapped in self.compartments.items():
            tx.change(Compartment, {"id": cid, "generation": generation, "pod": pod}, wrapped=wrapped)
        for unlocker, sealed in self.unlockers.items():
            tx.change(Unlocker, {"id": unlocker, "pod": pod}, sealed=sealed)
        tx.remove(OldLog, pod=pod)
        for public, sealed in self.logs.items():
            tx.add(OldLog(pod=pod, public=public, sealed=sealed))


async def renew(vault: Vault, session: Unlocked, now: datetime, carried: Carried) -> None:
    """Make everything new and move what hangs under it. Raises Denied if the session ended, SwappedKey."""
    pod, want = session.pod, Want("custody", session.pod.id)
    asked = Facts("key event", "open root", rule="new root")
    async with opened(vault, session, asked, now, (want,)) as (root, shares):
        with Tops.read(vault, pod, root) as old, Tops.fresh() as new:
            unit = partial(_intent, vault, session, now, carried, old, new, shares)
            await commit(vault, pod, old.identity, _heir(old, new), unit, heir=new.identity)
    vault.forget(pod)


def _heir(old: Tops, new: Tops) -> Callable[[Keyring], Keyring]:
    publics = signer_public(new.identity), public_of(new.log), signer_public(new.msign)
    return lambda ring: succeed(ring, old.identity, *publics)


def _intent(
    vault: Vault, session: Unlocked, now: datetime, carried: Carried, old: Tops, new: Tops,
    shares: Mapping[Want, Share], change: Change,
) -> Intent:  # fmt: skip
    pod = session.pod
    rows, drops = _rows(vault, pod, old, new, shares[Want("custody", pod.id)]), carried.drops()

    def write(tx: Tx) -> None:
        change(tx)
        rows.write(tx)
        carried.sign_again(tx, old, new)
        carried.write(tx, new, shares[session.keys.want(b"")], drops)
        vault.log.new_keys(pod.id)

    facts = Facts("key event", "new root", rule="session", count=len(rows.unlockers), keyring=change.digest)
    return Intent(pod.id, facts, now, (session.guard,), write=write, drops=drops)


def _rows(vault: Vault, pod: PodFacts, old: Tops, new: Tops, custody: Share) -> _Rows:
    hung = vault.db.read.get(RootWrap, pod.id, "custody", "mk")
    facts = replace(pod, identity=signer_public(new.identity), box=public_of(new.log))
    roots = {
        ("rk", "identity"): wrap(new.root, ctx("root", pod.id, "rk", "identity"), new.identity),
        ("rk", "log"): wrap(new.root, ctx("root", pod.id, "rk", "log"), new.log),
        ("rk", "mk"): wrap(new.root, ctx("root", pod.id, "rk", "mk"), new.managed),
        ("mk", "msign"): wrap(new.managed, ctx("root", pod.id, "mk", "msign"), new.msign),
        ("custody", "mk"): hang(vault.custodian, pod.id, custody, new.managed),
    }
    compartments = _compartments(vault, pod, old, new)
    return _Rows(facts, roots, hung.wrapped if hung else b"", compartments, _unlockers(vault, pod, new.root),
                 _logs(vault, pod, old, facts.box))  # fmt: skip


def _compartments(vault: Vault, pod: PodFacts, old: Tops, new: Tops) -> dict[tuple[bytes, int], bytes]:
    """Every generation's key under the new root of its custody."""
    made = {}
    for row in vault.db.read.find(Compartment, pod=pod.id):
        context = ctx("ck", pod.id, row.custody, row.id, row.generation)
        here, there = (old.root, new.root) if row.custody == "sealed" else (old.managed, new.managed)
        with unwrap(here, context, row.wrapped, CompartmentKey) as key:
            made[(row.id, row.generation)] = wrap(there, context, key)
    return made


def _logs(vault: Vault, pod: PodFacts, old: Tops, box: bytes) -> dict[bytes, bytes]:
    """Every log key there was, sealed to the new one: whoever holds that reads all of the log."""

    def sealed(public: bytes, private: Private) -> bytes:
        return deliver(box, ctx("old-log", pod.id, public), private)

    before = public_of(old.log)
    made = {before: sealed(before, old.log)}
    for row in vault.db.read.find(OldLog, pod=pod.id):
        with collect(old.log, ctx("old-log", pod.id, row.public), row.sealed, Private) as private:
            made[row.public] = sealed(row.public, private)
    return made


def _unlockers(vault: Vault, pod: PodFacts, new: Root) -> dict[bytes, bytes]:
    """The new root for every way in that the keyring names; what is stored must say the same."""
    known = vault.keyring(pod).unlockers
    stored = {row.id: (row.kind, row.public) for row in vault.db.read.find(Unlocker, pod=pod.id)}
    if stored != dict(known):
        raise SwappedKey(f"the ways into pod {pod.id.hex()} are not as its keyring says")
    return {uid: lock(public, pod.id, uid, kind, new) for uid, (kind, public) in known.items()}
