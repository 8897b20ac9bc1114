"""Login with a passphrase or a recovery code, in the order of keys.md: rate limit, entry `unlock`, share, derive,
compare. There is no verifier to steal, and an unknown name costs what a known one costs.
"""

import asyncio
import unicodedata
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from typing import Final

from consent.accounts import sessions, tries
from consent.accounts.people import LONGEST, AccountFacts, find, user_mac
from consent.accounts.seats import How, Seat
from consent.accounts.sessions import SessionFacts
from consent.accounts.turns import Turns
from keys.errors import KeysError, WrongSecret
from keys.secret import Root, Seed
from keys.text import b64
from keys.unlock import Stretch, read_code, stretch
from vault.errors import Denied, MissingKey
from vault.log.entry import Facts, Intent
from vault.pod import same_root
from vault.unlockers import open_root, unlockers
from vault.vault import Vault

NOWHERE: Final = Seat()
LOGINS: Final = Turns()
"""Apart from proving who one is in a session: a flood at the login page does not hold that up."""


async def login(
    vault: Vault, user: str, secret: str, now: datetime, seat: Seat = NOWHERE
) -> tuple[str, SessionFacts] | None:
    """Open a session: the cookie's text and the facts, or None, whatever the reason was.

    `secret` is a passphrase or a recovery code; a text that is no well-formed code is tried as a passphrase. Tries are
    counted per name and per address; codes, which nobody guesses, per name at one address, so that a stranger who
    makes a name rest does not take the owner's code away from her. Raises Busy if too many passphrases wait to be
    tried; Denied, "changed", if all locks were changed at that moment.
    """
    office = vault.office  # looked up for everybody: for nobody's name it is where the lines go
    account, long, code = find(vault, user), len(secret) > LONGEST, is_code(secret)
    mac = user_mac(vault, user)
    who = tries.counted(vault, "recovery", f"{b64(mac)} {seat.bucket}") if code else mac
    here = tries.counted(vault, "address", seat.bucket) if seat.bucket else None
    if here is not None and tries.rests(vault, here, now):  # whatever the name: no turn is taken, and nothing told
        await tries.turned_away(vault, account.pod if account else office, "login", now, long=long)
        return None
    async with nullcontext() if long or code else LOGINS.turn():
        if long or not await _may_try(vault, who, here, now):
            if not long and not code:  # a name that rests takes as long as one that does not
                (await _stretched(secret, Stretch.fresh())).wipe()
            await tries.turned_away(vault, account.pod if account else office, "login", now, long=long)
            return None
        root = await (_unknown(vault, office, secret, now) if account is None else known(vault, account, secret, now))
    if root is None or account is None:
        return None
    with root:
        how: How = "recovery" if code else "passphrase"
        opened = await sessions.open(vault, account, root, now, how, seat.device)
    await tries.forgive(vault, who)
    if here is not None:
        await tries.give_back(vault, here)
    return opened


def is_code(secret: str) -> bool:
    """Whether this is a well-formed recovery code, which is never tried as a passphrase."""
    code = _code(secret)
    if code is not None:
        code.wipe()
    return code is not None


async def known(vault: Vault, account: AccountFacts, secret: str, now: datetime, action: str = "login") -> Root | None:
    """Try a passphrase or code on an account; the caller has counted the try and wipes the root."""
    code = _code(secret)
    if code is not None:
        with code:
            seeds = {way: Seed(code.view()) for way in account.ways_of("recovery")}
        return await try_ways(vault, account, "recovery", seeds, now, action)
    mine = account.ways_of("passphrase")
    costs = {row.id: row.params for row in unlockers(vault, account.pod) if row.id in mine}
    if not costs:
        (await _stretched(secret, Stretch.fresh())).wipe()
    seeds = {way: await _stretched(secret, Stretch.read(params)) for way, params in costs.items()}
    return await try_ways(vault, account, "passphrase", seeds, now, action)


async def try_ways(
    vault: Vault, account: AccountFacts, kind: str, seeds: dict[bytes, Seed], now: datetime, action: str = "login"
) -> Root | None:
    """Try seeds on the account's unlockers of one kind; a failure leaves a denial in the pod's log.

    Wipes the seeds. The caller wipes the root. Raises keys.errors.Damaged or UnknownVersion if the right secret meets
    a wrap that does not open: nothing is opened, nothing is changed, and the denial names that as its reason. Raises
    Denied, "changed", if what it opened was replaced meanwhile.
    """
    pod = vault.pod_by_id(account.pod)
    if pod is None:
        raise MissingKey("an account names a pod that does not exist")
    denial = Facts("denial", action, "denied", "wrong_secret", agent=account.agent)
    try:
        root = await open_root(vault, pod, seeds, now, Facts("unlock", action, rule=kind, agent=account.agent))
        if root is not None and not same_root(vault.db.read, pod):  # all locks were changed at that moment
            root.wipe()
            await vault.log.append(Intent(pod.id, replace(denial, rule="changed"), now))
            raise Denied("changed")
    except KeysError:
        await vault.log.append(Intent(pod.id, Facts("denial", action, "denied", "damaged_item"), now))
        raise
    finally:
        for seed in seeds.values():
            seed.wipe()
    if root is None:
        await vault.log.append(Intent(pod.id, denial, now))
    return root


async def _may_try(vault: Vault, who: bytes, here: bytes | None, now: datetime) -> bool:
    """Count the try; False while the address or the name rests."""
    return (here is None or await tries.spend(vault, here, now, tries.FREE_HERE)) and await tries.spend(vault, who, now)


async def _unknown(vault: Vault, office: bytes, secret: str, now: datetime) -> None:
    """Spend the same time, reads and durable entries as on a wrong secret; both entries stand in the office's log."""
    code = _code(secret)
    seed = await _stretched(secret, Stretch.fresh()) if code is None else code
    seed.wipe()
    for _ in range(1 if code is not None else 2):  # where somebody who is known has her ways in looked up
        unlockers(vault, office)
    await tries.refused(vault, office, "login", "unknown_name", now)


async def _stretched(passphrase: str, costs: Stretch) -> Seed:
    return await asyncio.to_thread(stretch, passphrase, costs)


def _code(secret: str) -> Seed | None:
    """The seed of a well-formed recovery code, or None for anything else."""
    try:
        return read_code(unicodedata.normalize("NFKC", secret))
    except WrongSecret:
        return None
