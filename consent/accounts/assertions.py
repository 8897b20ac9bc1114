"""A passkey's answer tried on an account: rate limit, one use of the challenge, signature, count, then the order of
every unlocker: entry `unlock`, share, derive, compare (keys.md).

The login page asks for "any passkey of this house", so it tells nobody who has an account. An answer that belongs to
nobody costs what a wrong one costs.
"""

from datetime import datetime

from consent.accounts import passkeys, sessions, tries, ways
from consent.accounts.passkeys import Answer, Challenge, Purpose
from consent.accounts.passphrase import try_ways
from consent.accounts.people import AccountFacts, Way, by_id
from consent.accounts.sessions import SessionFacts
from consent.errors import BadCeremony
from keys.secret import Root
from keys.text import b64
from vault.errors import Conflict
from vault.log.append import see
from vault.vault import Vault


async def login(
    vault: Vault, answer: Answer, browser: bytes, now: datetime, device: str = ""
) -> tuple[str, SessionFacts] | None:
    """Open a session: the cookie's text and the facts, or None, whatever the reason was.

    `browser`: what the challenge of the login page was bound to; `device`: our words for it. Tries are
    counted per account as the passkey names it, apart from those with a passphrase: neither makes the other rest.
    """
    named = passkeys.account_of(answer)
    mac = tries.counted(vault, "passkey", b64(named))
    account, purpose = by_id(vault, named), Purpose("login", browser)
    if not await tries.spend(vault, mac, now):
        await tries.turned_away(vault, account.pod if account else vault.office, "login", now)
        return None
    if account is None:
        await _nobody(vault, answer, purpose, now)
        return None
    root = await tried(vault, account, answer, purpose, now)
    if root is None:
        return None
    with root:
        opened = await sessions.open(vault, account, root, now, "passkey", device)
    await tries.forgive(vault, mac)
    return opened


async def tried(
    vault: Vault, account: AccountFacts, answer: Answer, purpose: Purpose, now: datetime, action: str = "login"
) -> Root | None:
    """RK through one of the account's passkeys, or None with two entries in the pod's log that say why not.

    The caller has counted the try and wipes the root; `action` is the word for the log.
    """
    try:
        way = await _verified(vault, account, answer, purpose, now)
        seed = answer.seed()
    except BadCeremony as refusal:
        await tries.refused(vault, account.pod, action, refusal.rule, now, account.agent)
        return None
    return await try_ways(vault, account, "passkey", {way.id: seed}, now, action)


async def spent(vault: Vault, answer: Answer, purpose: Purpose, now: datetime) -> Challenge:
    """The challenge of an answer, used up for good before anything else is looked at. Raises BadCeremony."""
    asked = passkeys.answered(answer, purpose, now)
    try:
        await vault.db.write(lambda tx: see(tx, asked.nonce, asked.until), entering=True)
    except Conflict:
        raise BadCeremony("replay") from None
    return asked


async def _verified(vault: Vault, account: AccountFacts, answer: Answer, purpose: Purpose, now: datetime) -> Way:
    asked = await spent(vault, answer, purpose, now)
    named = passkeys.credential_of(answer)
    way = next((way for way in account.ways if way.passkey and way.passkey.credential == named), None)
    if way is None or way.passkey is None:
        raise BadCeremony("unknown_passkey")
    await ways.count(vault, account.id, way.id, passkeys.used(vault.base, answer, asked, way.passkey))
    return way


async def _nobody(vault: Vault, answer: Answer, purpose: Purpose, now: datetime) -> None:
    """Look at an answer that belongs to nobody as at any other; both entries stand in the office's log."""
    try:
        passkeys.used(vault.base, answer, await spent(vault, answer, purpose, now), passkeys.NOBODY)
        rule = "unknown_passkey"
    except BadCeremony as refusal:
        rule = "unknown_passkey" if refusal.rule == "not_verified" else refusal.rule
    await tries.refused(vault, vault.office, purpose.name, rule, now)
