"""Replacing the custody key: a new one in use, every managed root under it, the old one destroyed.

Each step is in the log before it is done, and each can be done again: a crash leaves two custody keys in the
custodian and some pods under either, and the next call goes on from there.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from keys.custody import KEY_ID, hang, reach
from vault.log.entry import Appended, Facts, Intent
from vault.shares import Want
from vault.tables import RootWrap
from vault.vault import Vault

UNDER = "SELECT pod FROM rootwrap WHERE parent = 'custody' AND substr(wrapped, 1, 16) <> :key ORDER BY pod"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What one call did: the key in use now, pods moved, pods left under another key, and the keys destroyed."""

    key: bytes
    moved: int
    left: int
    destroyed: tuple[bytes, ...]


async def rotate(vault: Vault, now: datetime) -> Rotation:
    """Replace the custody key, or finish a replacement that was broken off.

    A pod whose custody share is missing stays where it is, and then the old key stays too.
    """
    holder = vault.custodian
    if len(holder.custody_ids) == 1:
        await _told(vault, "new custody key", holder.custody_id, now)
        await asyncio.to_thread(holder.add)
    moved = [await _move(vault, pod, now) for pod in _elsewhere(vault)]
    left, gone = len(_elsewhere(vault)), holder.custody_ids[1:]
    for old in gone if not left else ():
        await _told(vault, "destroy custody key", old, now)
        await asyncio.to_thread(holder.destroy, old)
    return Rotation(holder.custody_id, sum(moved), left, () if left else gone)


async def _move(vault: Vault, pod: bytes, now: datetime) -> bool:
    want = Want("custody", pod)
    facts = Facts("managed unlock", "move to new custody key", rule="custody", digest=vault.custodian.custody_id.hex())
    done = await vault.log.append(Intent(pod, facts, now, wants=(want,)))
    row = vault.db.read.get(RootWrap, pod, "custody", "mk")
    if not isinstance(done, Appended) or want in done.missing or row is None:
        return False
    with done.shares[want] as share, reach(vault.custodian, pod, share, row.wrapped) as root:
        wrapped = hang(vault.custodian, pod, share, root)
    here = {"pod": pod, "parent": "custody", "child": "mk", "wrapped": row.wrapped}
    changed = await vault.db.write(lambda tx: tx.change(RootWrap, here, wrapped=wrapped))
    vault.log.served(done.index)
    return bool(changed)


def _elsewhere(vault: Vault) -> list[bytes]:
    """Pods whose managed root hangs under another custody key than the one in use."""
    return [row[0] for row in vault.db.read.run(UNDER, key=vault.custodian.custody_id[:KEY_ID])]


async def _told(vault: Vault, action: str, key: bytes, now: datetime) -> None:
    await vault.log.append(Intent(vault.office, Facts("key event", action, rule="admin", digest=key.hex()), now))
