"""Asking somebody who is logged in to show again who she is, before her ways in are changed.

A stolen cookie must not be enough to lock its owner out. The same unlockers, the same order and the same two entries
of a failure as at login; tries are counted apart, so that strangers at the login page cannot make them rest.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from consent.accounts import assertions, passphrase, sessions, tries
from consent.accounts.passkeys import Answer, Purpose
from consent.accounts.people import LONGEST, AccountFacts, by_id
from consent.accounts.seats import How
from consent.accounts.sessions import SessionFacts
from consent.accounts.turns import Turns
from keys.secret import Root
from keys.text import b64
from vault.vault import Vault

CONFIRM: Final = "confirm"
CONFIRMS: Final = Turns()


@dataclass(frozen=True, slots=True)
class Proof:
    """A passphrase or code as typed, or a passkey's answer."""

    text: str = field(default="", repr=False)
    answer: Answer | None = None

    @property
    def how(self) -> How:
        """With which kind of way in."""
        if self.answer is not None:
            return "passkey"
        return "recovery" if passphrase.is_code(self.text) else "passphrase"


async def confirm(
    vault: Vault, session: SessionFacts, proof: Proof, now: datetime, purpose: Purpose | None = None
) -> bool:
    """Whether this proof opens one of the person's own unlockers, right now; her session notes that she showed it.

    `purpose`: what a passkey's challenge was made for, if not for her session alone.
    """
    account, mac = by_id(vault, session.account), tries.counted(vault, CONFIRM, b64(session.account))
    long = len(proof.text) > LONGEST
    async with CONFIRMS.turn():
        if account is None or long or not await tries.spend(vault, mac, now):
            await tries.turned_away(vault, session.pod.id, CONFIRM, now, long=long)
            return False
        root = await _root(vault, account, purpose or Purpose(CONFIRM, session.handle), proof, now)
    if root is None:
        return False
    root.wipe()
    await tries.forgive(vault, mac)
    await sessions.proved(vault, session, proof.how, now)
    return True


async def _root(vault: Vault, account: AccountFacts, purpose: Purpose, proof: Proof, now: datetime) -> Root | None:
    if proof.answer is None:
        return await passphrase.known(vault, account, proof.text, now, CONFIRM)
    return await assertions.tried(vault, account, proof.answer, purpose, now, CONFIRM)
