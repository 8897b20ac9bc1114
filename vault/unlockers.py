"""The ways into a pod's root, as the server knows them, and trying them: entry, shares, derive, compare (keys.md)."""

from collections.abc import Mapping
from datetime import datetime

from keys.secret import Root, Seed
from keys.unlock import unlock, unlocker_pair
from vault.log.entry import Appended, Facts, Intent
from vault.shares import Want
from vault.tables import Unlocker
from vault.vault import PodFacts, Vault


def unlockers(vault: Vault, pod: bytes) -> list[Unlocker]:
    """Every unlocker of a pod: kind, parameters and public key, never a secret."""
    return vault.db.read.find(Unlocker, pod=pod)


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
