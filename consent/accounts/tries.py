"""Tries at opening an account: how often in a row, and what a failed one leaves in the log.

A try is counted before it is made, so that tries at the same moment cannot all slip through. Whatever was wrong, a
failed try adds exactly two entries: the size of the log is public and must not tell what somebody guessed right.
A try that is not made, because the name rests, is counted and becomes part of one entry a minute.
"""

from contextlib import suppress
from datetime import datetime
from typing import Final

from consent.tables import Throttle
from keys.state import lookup
from vault import gates
from vault.database import Tx
from vault.errors import LogUnavailable
from vault.log import tally
from vault.log.entry import Facts, Intent
from vault.vault import Vault

FREE_TRIES: Final = 5
FREE_HERE: Final = 60
"""Tries from one address before it rests: a library has many readers behind one."""
FIRST_PAUSE_MS: Final = 30_000
LONGEST_PAUSE_MS: Final = 3_600_000
FORGET_MS: Final = 86_400_000

ONE_LESS: Final = "UPDATE throttle SET failures = failures - 1 WHERE user_mac = :who AND failures > 0"


async def spend(vault: Vault, who: bytes, now: datetime, free: int = FREE_TRIES) -> bool:
    """Count a try of `who` (a keyed hash); False while it rests. A day without tries forgets it."""
    at = gates.ms(now)
    return await vault.db.write(lambda tx: _spend(tx, who, at, free), entering=True)


def rests(vault: Vault, who: bytes, now: datetime) -> bool:
    """Whether `who` (a keyed hash) rests, without counting a try."""
    row = vault.db.read.get(Throttle, who)
    return row is not None and gates.ms(now) < row.until


async def give_back(vault: Vault, who: bytes) -> None:
    """A success takes its own try back and no other: logging in oneself makes no room for guessing at others."""
    with suppress(LogUnavailable):  # a full disk shuts nobody out who is in
        await vault.db.write(lambda tx: tx.run(ONE_LESS, who=who), entering=True)


async def forgive(vault: Vault, who: bytes) -> None:
    """A success takes the count back; one that came in on a full disk is not shut out because it could not."""
    with suppress(LogUnavailable):
        await vault.db.write(lambda tx: tx.remove(Throttle, user_mac=who), entering=True)


def counted(vault: Vault, what: str, name: str) -> bytes:
    """The column under which tries at something other than a user name are counted."""
    return lookup(vault.state, what, name)


async def refused(vault: Vault, pod: bytes, action: str, rule: str, now: datetime, agent: str = "") -> None:
    """Write the two entries of a try that failed before any unlocker was tried; `rule` is the stable code of why."""
    for kind in ("unlock", "denial"):
        await vault.log.append(Intent(pod, Facts(kind, action, "denied", rule, agent=agent), now))


async def turned_away(vault: Vault, pod: bytes, action: str, now: datetime, *, long: bool = False) -> None:
    """Count a try that was not made, since its name rests or (`long`) the secret is longer than any can be.

    Summed per minute like every denial that nobody stands behind, so that a flood cannot fill the log.
    """
    await tally.add(vault.log, pod, "too_long" if long else "too_many_tries", now, action)


def pause(tries: int, free: int = FREE_TRIES) -> int:
    """How long (ms) a name rests after this many failed tries in a row: nothing at first, then doubling to an hour."""
    over = tries - free
    return 0 if over < 0 else min(FIRST_PAUSE_MS << min(over, 16), LONGEST_PAUSE_MS)


def _spend(tx: Tx, who: bytes, at: int, free: int) -> bool:
    tx.run("DELETE FROM throttle WHERE until < :old", old=at - FORGET_MS)
    row = tx.get(Throttle, who)
    if row is not None and at < row.until:
        return False
    tries = 1 if row is None else row.failures + 1
    tx.remove(Throttle, user_mac=who)
    tx.add(Throttle(user_mac=who, failures=tries, until=at + pause(tries, free)))
    return True
