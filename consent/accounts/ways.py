"""A person's own ways in: adding one, taking one away. The vault keeps the locks, her account which of them are hers.

Both change in one transaction. One-time links and demo keys never count as a way in.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from consent import columns
from consent.accounts.people import Passkey, Way
from consent.accounts.sessions import SessionFacts
from consent.errors import BadCeremony
from consent.tables import Account
from keys.text import b64
from vault import gates, unlockers
from vault.database import Tx
from vault.errors import Conflict
from vault.pod import FEWEST_UNLOCKERS, NewUnlocker
from vault.vault import Vault

MOST_WAYS: Final = 16
PASSING: Final = frozenset({"demo", "invitation"})
"""Kinds that never count as a way in: they end, or are not hers alone."""
Ways = list[dict[str, Any]]


async def add(
    vault: Vault, session: SessionFacts, new: NewUnlocker, now: datetime, passkey: Passkey | None = None
) -> None:
    """Add a way in to this person's pod and account. The caller wipes the seed.

    Raises Denied: "exists" for a passkey she has already, "too_many", or the reason why the session is over.
    """
    line = Way(new.id, new.kind, gates.ms(now), passkey).told
    await unlockers.add(vault, session, new, now, also=_account(vault, session.account, _with(line)))


async def remove(vault: Vault, session: SessionFacts, unlocker: bytes, now: datetime) -> None:
    """Take one of this person's ways in away, with its share: its secret opens nothing any more, in no copy.

    For a changed passphrase add the new one first. Raises TooFewUnlockers, which names the way out, or Denied("gone")
    for a way in that is not hers.
    """
    await unlockers.remove(
        vault, session, unlocker, now, also=_account(vault, session.account, _without(b64(unlocker)))
    )


async def count(vault: Vault, account: bytes, way: bytes, used: int) -> None:
    """Note how often a passkey says it was used. Raises BadCeremony("sign_count") if another answer was faster."""

    def noted(ways: Ways) -> Ways:
        for one in ways:
            if one["id"] == b64(way):
                if used and used <= one["passkey"]["count"]:
                    raise Conflict("sign_count")
                one["passkey"]["count"] = used
        return ways

    try:
        await vault.db.write(_account(vault, account, noted), entering=True)
    except Conflict:
        raise BadCeremony("sign_count") from None


def _with(line: dict[str, Any]) -> Callable[[Ways], Ways]:
    def more(ways: Ways) -> Ways:
        if len(ways) >= MOST_WAYS:
            raise Conflict("too_many")
        credential = line.get("passkey", {}).get("credential")
        if credential and credential in {way.get("passkey", {}).get("credential") for way in ways}:
            raise Conflict("exists")
        return [*ways, line]

    return more


def _without(unlocker: str) -> Callable[[Ways], Ways]:
    def less(ways: Ways) -> Ways:
        left = [way for way in ways if way["id"] != unlocker]
        if len(left) == len(ways):
            raise Conflict("gone")
        if sum(way["kind"] not in PASSING for way in left) < FEWEST_UNLOCKERS:
            raise Conflict("too_few_unlockers")
        return left

    return less


def _account(vault: Vault, account: bytes, change: Callable[[Ways], Ways]) -> Callable[[Tx], None]:
    """The part of a unit that changes which ways in are this person's: read and written by the writer, none is lost."""

    def write(tx: Tx) -> None:
        row = tx.get(Account, account)
        if row is None:
            raise Conflict("gone")
        told = columns.take(vault.state, "account", account, row.sealed)
        sealed = columns.put(vault.state, "account", account, told | {"ways": change(told["ways"])})
        tx.change(Account, {"id": account}, sealed=sealed)

    return write
