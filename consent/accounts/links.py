"""One-time login links of the demo city: each opens one account once, with the demo's own unlocker."""

from collections.abc import Mapping
from datetime import datetime

from consent.accounts import sessions
from consent.accounts.passphrase import try_ways
from consent.accounts.people import AccountFacts, by_id
from consent.accounts.sessions import SessionFacts
from consent.tables import Link
from keys.errors import WrongSecret
from keys.grants import auth_hash, matches, new_token, read_token
from keys.secret import Seed
from keys.text import b64, unb64
from vault import gates
from vault.vault import Vault


async def new_link(vault: Vault, account: bytes, until: datetime) -> str:
    """Make a link's token; it opens nothing without the demo's unlocker file."""
    token = new_token("kln")
    row = Link(handle=token.handle, auth=auth_hash(token.secret), account=account, expires=gates.ms(until))
    await vault.db.write(lambda tx: tx.add(row))
    return token.text


async def follow(
    vault: Vault, text: str, demo_keys: Mapping[str, str], now: datetime, device: str = ""
) -> tuple[str, SessionFacts] | None:
    """Use a link up and open a session; None for a used, expired or unknown one.

    `demo_keys`: account id -> 32 bytes, both base64url, as the demo's file holds them.
    """
    account = await _use(vault, text, now)
    if account is None or b64(account.id) not in demo_keys:
        return None
    with Seed(unb64(demo_keys[b64(account.id)])) as secret:
        seeds = {way: Seed(secret.view()) for way in account.ways_of("demo")}
    root = await try_ways(vault, account, "demo", seeds, now)
    if root is None:
        return None
    with root:
        return await sessions.open(vault, account, root, now, "demo", device)


async def _use(vault: Vault, text: str, now: datetime) -> AccountFacts | None:
    try:
        token = read_token(text)
    except WrongSecret:
        return None
    row = vault.db.read.get(Link, token.handle)
    if token.kind != "kln" or row is None or not matches(token.secret, row.auth) or gates.ms(now) >= row.expires:
        return None
    spent = await vault.db.write(lambda tx: tx.change(Link, {"handle": token.handle, "used": False}, used=True))
    return by_id(vault, row.account) if spent == 1 else None
