"""A person's own ways in: adding one, taking one away. The vault keeps the locks, her account which are hers."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from consent import columns
from consent.accounts.sessions import SessionFacts
from consent.tables import Account
from keys.text import b64
from vault import gates, unlockers
from vault.database import Tx
from vault.errors import Conflict
from vault.pod import FEWEST_UNLOCKERS, NewUnlocker
from vault.vault import Vault

Ways = list[dict[str, Any]]


async def add(vault: Vault, session: SessionFacts, new: NewUnlocker, now: datetime) -> None:
    """Add a way in to this person's pod and account. The caller wipes the seed. Raises Denied."""
    line = {"id": b64(new.id), "kind": new.kind, "added": gates.ms(now)}
    await unlockers.add(vault, session, new, now, _account(vault, session.account, lambda ways: [*ways, line]))


async def remove(vault: Vault, session: SessionFacts, unlocker: bytes, now: datetime) -> None:
    """Take one of this person's ways in away, with its share: its secret opens nothing any more, in no copy.

    For a changed passphrase add the new one first. Raises TooFewUnlockers, which names the way out, or Denied("gone")
    for a way in that is not hers.
    """
    await unlockers.remove(vault, session, unlocker, now, _account(vault, session.account, _without(b64(unlocker))))


def _without(unlocker: str) -> Callable[[Ways], Ways]:
    def less(ways: Ways) -> Ways:
        left = [way for way in ways if way["id"] != unlocker]
        if len(left) == len(ways):
            raise Conflict("gone")
        if len(left) < FEWEST_UNLOCKERS:
            raise Conflict("too_few_unlockers")
        return left

    return less


def _account(vault: Vault, account: bytes, change: Callable[[Ways], Ways]) -> Callable[[Tx], None]:
    """The part of a unit that changes which ways in are this person's."""

    def write(tx: Tx) -> None:
        row = tx.get(Account, account)
        if row is None:
            raise Conflict("gone")
        told = columns.take(vault.state, "account", account, row.sealed)
        sealed = columns.put(vault.state, "account", account, told | {"ways": change(told["ways"])})
        tx.change(Account, {"id": account}, sealed=sealed)

    return write
