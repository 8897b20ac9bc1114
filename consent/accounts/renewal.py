"""New ways in for somebody who has just proved who she is (`proof`): a passkey, a passphrase, a recovery code."""

from datetime import datetime

from consent.accounts import assertions, passkeys, ways
from consent.accounts.passkeys import Answer, Purpose
from consent.accounts.people import by_id, from_phrase
from consent.accounts.sessions import SessionFacts
from keys.unlock import new_code, read_code
from vault.pod import NewUnlocker
from vault.vault import Vault

ADD = "add"


async def add_passkey(vault: Vault, session: SessionFacts, answer: Answer, now: datetime) -> None:
    """Add the passkey that the browser just made; its challenge is used up whatever comes of it.

    Raises BadCeremony, "no_prf" for a device that cannot hold a key; Denied("exists") for one she has already.
    """
    asked = await assertions.spent(vault, answer, Purpose(ADD, session.handle), now)
    made = passkeys.registered(vault.base, answer, asked)
    with answer.seed() as seed:
        await ways.add(vault, session, NewUnlocker("passkey", "", seed), now, made)


async def set_passphrase(vault: Vault, session: SessionFacts, phrase: str, now: datetime) -> None:
    """Make this the person's passphrase; the one she had before goes, row and share. Raises BadName.

    The new one first: if we crash in between, both work.
    """
    new, account = await from_phrase(phrase), by_id(vault, session.account)
    with new.seed:
        await ways.add(vault, session, new, now)
    for old in account.ways_of("passphrase") if account else ():
        await ways.remove(vault, session, old, now)


async def add_code(vault: Vault, session: SessionFacts, now: datetime) -> str:
    """Make a further recovery code and return it: it is shown once and stored nowhere."""
    code = new_code()
    with read_code(code) as seed:
        await ways.add(vault, session, NewUnlocker("recovery", "", seed), now)
    return code
