"""The ways into a pod's root, as the server knows them: trying them (entry, shares, derive, compare; keys.md),
adding one, and taking one away for good.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from keys.secret import Root, Seed, Share
from keys.unlock import lock, unlock, unlocker_pair
from vault.database import Tx
from vault.errors import Conflict, Denied, TooFewUnlockers
from vault.log.entry import Appended, Facts, Intent
from vault.pod import FEWEST_UNLOCKERS, NewUnlocker
from vault.shares import Drop, Want
from vault.tables import Unlocker
from vault.unlocked import Unlocked, root
from vault.vault import PodFacts, Vault

WAY_OUT = "a pod keeps at least two ways in: add a recovery code first, then take this one away"
Also = Callable[[Tx], None]


def unlockers(vault: Vault, pod: bytes) -> list[Unlocker]:
    """Every unlocker of a pod: kind, parameters and public key, never a secret."""
    return vault.db.read.find(Unlocker, pod=pod)


async def add(vault: Vault, session: Unlocked, new: NewUnlocker, now: datetime, also: Also | None = None) -> None:
    """Add a way in: its share, its row and what `also` writes, in one transaction. The caller wipes the seed.

    Raises Denied if the session ended.
    """
    pod, share = session.pod, Share.fresh()
    with share:
        async with root(vault, session, Facts("key event", "open root", rule="add unlocker"), now) as rk:
            _, public = unlocker_pair(new.seed, share, pod.id, new.id, new.kind)
            sealed = lock(public, pod.id, new.id, new.kind, rk)
        row = Unlocker(id=new.id, pod=pod.id, kind=new.kind, params=new.params, public=public, sealed=sealed)

        def write(tx: Tx) -> None:
            tx.add(row)
            if also is not None:
                also(tx)

        facts = Facts("key event", "add unlocker", rule="session", note=new.kind)
        shares = ((Want("unlock", new.id), share),)
        intent = Intent(pod.id, facts, now, (session.guard,), write=write, new_shares=shares)
        done = await vault.log.append(intent)
    if not isinstance(done, Appended):
        raise Denied(done.reason)


async def remove(vault: Vault, session: Unlocked, unlocker: bytes, now: datetime, also: Also | None = None) -> None:
    """Take a way in away, and its share for good: from then on its secret opens nothing, in no copy.

    Raises TooFewUnlockers if fewer than two would be left, Denied if the session ended or there is no such way in.
    """
    pod = session.pod

    def write(tx: Tx) -> None:
        if tx.get(Unlocker, unlocker) is None or tx.remove(Unlocker, id=unlocker, pod=pod.id) != 1:
            raise Conflict("gone")
        if len(tx.find(Unlocker, pod=pod.id)) < FEWEST_UNLOCKERS:
            raise Conflict("too_few_unlockers")
        if also is not None:
            also(tx)

    facts = Facts("key event", "remove unlocker", rule="session")
    intent = Intent(pod.id, facts, now, (session.guard,), write=write, drops=(Drop("unlock", unlocker),))
    done = await vault.log.append(intent)
    if isinstance(done, Appended):
        return
    if done.reason == "too_few_unlockers":
        raise TooFewUnlockers(WAY_OUT)
    raise Denied(done.reason)


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
            private, public = unlocker_pair(seeds[row.id], share, pod.id, row.id, row.kind)
            with private:
                if public == row.public:
                    return unlock(private, pod.id, row.id, row.kind, row.sealed)
    return None
