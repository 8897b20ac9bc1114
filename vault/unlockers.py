"""The ways into a pod's root, as the server knows them: trying them (entry, shares, derive, compare; keys.md),
adding one, and taking one away for good.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from keys.keyring import Keyring
from keys.secret import Root, Seed, Share
from keys.unlock import lock, unlock, unlocker_pair
from vault.database import Tx
from vault.errors import Conflict, Denied, TooFewUnlockers
from vault.keyring import Change
from vault.log.entry import Appended, Facts, Intent
from vault.pod import FEWEST_UNLOCKERS, NewUnlocker
from vault.shares import Drop, Want
from vault.tables import Unlocker
from vault.unlocked import Unlocked, commit, identity, root
from vault.vault import PodFacts, Vault

WAY_OUT = "a pod keeps at least two ways in: add a recovery code first, then take this one away"
Also = Callable[[Tx], None]


def nothing(_: Tx) -> None:
    """Write nothing else."""


def unlockers(vault: Vault, pod: bytes, tx: Tx | None = None) -> list[Unlocker]:
    """Every unlocker of a pod, read inside a unit if one is given: kind, parameters and public key, never a secret."""
    return (tx or vault.db.read).find(Unlocker, pod=pod)


async def add(vault: Vault, session: Unlocked, new: NewUnlocker, now: datetime, also: Also = nothing) -> None:
    """Add a way in: share, row, keyring and what `also` writes, in one transaction. The caller wipes the seed.

    Raises Denied if the session ended.
    """
    pod, asked = session.pod, Facts("key event", "open root", rule="add unlocker")
    with Share.fresh() as share:
        _, public = unlocker_pair(new.seed, share, pod.id, new.id, new.kind)
        async with root(vault, session, asked, now) as rk:
            sealed = lock(public, pod.id, new.id, new.kind, rk)
            row = Unlocker(id=new.id, pod=pod.id, kind=new.kind, params=new.params, public=public, sealed=sealed)

            def write(tx: Tx, ring: Change) -> None:
                ring(tx)
                tx.add(row)
                also(tx)

            facts = Facts("key event", "add unlocker", rule="session", note=new.kind)
            shares = ((Want("unlock", new.id), share),)
            with identity(vault, pod, rk) as signer:
                known = partial(_with, new.id, (new.kind, public))
                await commit(vault, pod, signer, known, partial(_intent, session, facts, now, write, shares, ()))


async def remove(vault: Vault, session: Unlocked, unlocker: bytes, now: datetime, also: Also = nothing) -> None:
    """Take a way in away, and its share for good: from then on its secret opens nothing, in no copy.

    Raises TooFewUnlockers if fewer than two would be left, Denied if the session ended or there is no such way in.
    """
    pod, asked = session.pod, Facts("key event", "open root", rule="remove unlocker")
    _enough(vault, pod, unlocker)

    def write(tx: Tx, ring: Change) -> None:
        ring(tx)
        if tx.remove(Unlocker, id=unlocker, pod=pod.id) != 1:
            raise Conflict("gone")
        if len(tx.find(Unlocker, pod=pod.id)) < FEWEST_UNLOCKERS:
            raise Conflict("too_few_unlockers")
        also(tx)

    facts, drops = Facts("key event", "remove unlocker", rule="session"), (Drop("unlock", unlocker),)
    try:
        async with root(vault, session, asked, now) as rk:
            with identity(vault, pod, rk) as signer:
                less = partial(_without, unlocker)
                await commit(vault, pod, signer, less, partial(_intent, session, facts, now, write, (), drops))
    except Denied as refused:
        if refused.reason == "too_few_unlockers":
            raise TooFewUnlockers(WAY_OUT) from refused
        raise


def _enough(vault: Vault, pod: PodFacts, unlocker: bytes) -> None:
    """Refuse early what the transaction would refuse, so that nothing is opened for it."""
    mine = {row.id for row in unlockers(vault, pod.id)}
    if unlocker not in mine:
        raise Denied("gone")
    if len(mine) <= FEWEST_UNLOCKERS:
        raise TooFewUnlockers(WAY_OUT)


def _with(unlocker: bytes, known: tuple[str, bytes], ring: Keyring) -> Keyring:
    return replace(ring, unlockers={**ring.unlockers, unlocker: known})


def _without(unlocker: bytes, ring: Keyring) -> Keyring:
    return replace(ring, unlockers={uid: known for uid, known in ring.unlockers.items() if uid != unlocker})


def _intent(
    session: Unlocked,
    facts: Facts,
    now: datetime,
    write: Callable[[Tx, Change], None],
    shares: tuple[tuple[Want, Share], ...],
    drops: tuple[Drop, ...],
    ring: Change,
) -> Intent:
    told = replace(facts, keyring=ring.digest)
    return Intent(
        session.pod.id, told, now, (session.guard,), write=lambda tx: write(tx, ring), new_shares=shares, drops=drops
    )


async def open_root(
    vault: Vault, pod: PodFacts, seeds: Mapping[bytes, Seed], now: datetime, facts: Facts
) -> Root | None:
    """Try seeds on the unlockers with these ids; None if none fits. The caller wipes seeds and root.

    One entry however many are tried, none included: the public size of the log must not tell how many ways into her
    pod a person has.
    """
    rows = [row for row in unlockers(vault, pod.id) if row.id in seeds]
    done = await vault.log.append(Intent(pod.id, facts, now, wants=tuple(Want("unlock", row.id) for row in rows)))
    if not isinstance(done, Appended):
        return None
    for row in rows:
        share = done.shares.get(Want("unlock", row.id))
        if share is not None:
            with share:
                root = unlock(seeds[row.id], share, pod.id, row.id, row.kind, row.public, row.sealed)
            if root is not None:
                return root
    return None
