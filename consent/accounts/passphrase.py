"""Login with a passphrase or a recovery code, in the order of keys.md: rate limit, entry `unlock`, share, derive,
compare. There is no verifier to steal, and an unknown name costs what a known one costs.
"""

import asyncio
import unicodedata
from datetime import datetime
from typing import Final

from consent.accounts import sessions
from consent.accounts.people import LONGEST, AccountFacts, by_id, find, user_mac
from consent.accounts.sessions import SessionFacts
from consent.tables import Throttle
from keys.errors import WrongSecret
from keys.secret import Root, Seed
from keys.unlock import Stretch, read_code, stretch
from vault import gates
from vault.database import Tx
from vault.errors import MissingKey
from vault.log.entry import Facts, Intent
from vault.unlockers import open_root, unlockers
from vault.vault import Vault

FREE_TRIES: Final = 5
FIRST_PAUSE_MS: Final = 30_000
LONGEST_PAUSE_MS: Final = 3_600_000
FORGET_MS: Final = 86_400_000


async def login(vault: Vault, user: str, secret: str, now: datetime) -> tuple[str, SessionFacts] | None:
    """Open a session: the cookie's text and the facts, or None, whatever the reason was.

    `secret` is a passphrase or a recovery code; a text that is no well-formed code is tried as a passphrase.
    """
    mac, at = user_mac(vault, user), gates.ms(now)
    if len(secret) > LONGEST or not await vault.db.write(lambda tx: _spend(tx, mac, at)):
        return None
    account = find(vault, user)
    root = await (_unknown(vault, secret, now) if account is None else _known(vault, account, secret, now))
    if root is None or account is None:
        return None
    with root:
        await vault.db.write(lambda tx: tx.remove(Throttle, user_mac=mac))
        return await sessions.open(vault, account, root, now)


async def again(vault: Vault, session: SessionFacts, secret: str, now: datetime) -> Root | None:
    """Somebody who is logged in shows her passphrase or a recovery code once more, under the same rate limit.

    None if it is wrong. The caller wipes the root.
    """
    account = by_id(vault, session.account)
    mac, at = user_mac(vault, session.user), gates.ms(now)
    if account is None or len(secret) > LONGEST or not await vault.db.write(lambda tx: _spend(tx, mac, at)):
        return None
    root = await _known(vault, account, secret, now)
    if root is not None:
        await vault.db.write(lambda tx: tx.remove(Throttle, user_mac=mac))
    return root


async def try_ways(
    vault: Vault, account: AccountFacts, kind: str, seeds: dict[bytes, Seed], now: datetime
) -> Root | None:
    """Try seeds on the account's unlockers of one kind; a failure leaves a denial in the pod's log.

    Wipes the seeds. The caller wipes the root.
    """
    pod = vault.pod_by_id(account.pod)
    if pod is None:
        raise MissingKey("an account names a pod that does not exist")
    root = await open_root(vault, pod, seeds, now, Facts("unlock", "login", rule=kind, agent=account.agent))
    for seed in seeds.values():
        seed.wipe()
    if root is None:
        denial = Facts("denial", "login", "denied", "wrong_secret", agent=account.agent)
        await vault.log.append(Intent(pod.id, denial, now))
    return root


async def _known(vault: Vault, account: AccountFacts, secret: str, now: datetime) -> Root | None:
    code = _code(secret)
    if code is not None:
        with code:
            seeds = {way: Seed(code.view()) for way in account.ways_of("recovery")}
        return await try_ways(vault, account, "recovery", seeds, now)
    mine = account.ways_of("passphrase")
    costs = {row.id: row.params for row in unlockers(vault, account.pod) if row.id in mine}
    if not costs:
        (await _stretched(secret, Stretch.fresh())).wipe()
    seeds = {way: await _stretched(secret, Stretch.read(params)) for way, params in costs.items()}
    return await try_ways(vault, account, "passphrase", seeds, now)


async def _unknown(vault: Vault, secret: str, now: datetime) -> None:
    """Spend the same time and the same two durable entries as on a wrong secret; both stand in the office's log.

    The size of the log is public, so an entry fewer would tell whether a name exists.
    """
    code = _code(secret)
    seed = await _stretched(secret, Stretch.fresh()) if code is None else code
    seed.wipe()
    for kind in ("unlock", "denial"):
        facts = Facts(kind, "login", "denied", "unknown_name")
        await vault.log.append(Intent(vault.office, facts, now))


async def _stretched(passphrase: str, costs: Stretch) -> Seed:
    return await asyncio.to_thread(stretch, passphrase, costs)


def _code(secret: str) -> Seed | None:
    """The seed of a well-formed recovery code, or None for anything else."""
    try:
        return read_code(unicodedata.normalize("NFKC", secret))
    except WrongSecret:
        return None


def _spend(tx: Tx, mac: bytes, at: int) -> bool:
    """Count a try before it is made, so that tries at the same moment cannot all slip through; False while locked.

    A success takes the count back; a day without tries forgets it.
    """
    tx.run("DELETE FROM throttle WHERE until < :old", old=at - FORGET_MS)
    row = tx.get(Throttle, mac)
    if row is not None and at < row.until:
        return False
    tries = 1 if row is None else row.failures + 1
    tx.remove(Throttle, user_mac=mac)
    tx.add(Throttle(user_mac=mac, failures=tries, until=at + pause(tries)))
    return True


def pause(tries: int) -> int:
    """How long (ms) a name rests after this many failed tries in a row: nothing at first, then doubling to an hour."""
    over = tries - FREE_TRIES
    return 0 if over < 0 else min(FIRST_PAUSE_MS << min(over, 16), LONGEST_PAUSE_MS)
