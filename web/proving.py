"""Asking for a fresh proof on a page: what the browser asks a passkey for, and whether what a form brings holds."""

from fastapi import Request
from starlette.datastructures import FormData

from consent.accounts import passkeys, people, proof
from consent.accounts.passkeys import Answer, Purpose
from consent.accounts.people import AccountFacts
from consent.accounts.proof import Proof
from consent.accounts.sessions import SessionFacts
from web import guard


async def confirmed(request: Request, session: SessionFacts, fields: FormData) -> bool:
    """Whether the form brings a proof that holds right now; a failed one is counted and in the log."""
    house, given = guard.house_of(request), answer(fields)
    shown = Proof(answer=given) if given.credential else Proof(str(fields.get("proof", "")))
    return await proof.confirm(house.vault, session, shown, house.clock())


def answer(fields: FormData, prefix: str = "") -> Answer:
    """A passkey's answer as the page's script put it in the form; empty without one."""
    return Answer(str(fields.get(f"{prefix}credential", "")), str(fields.get(f"{prefix}prf", "")))


def asked(request: Request, session: SessionFacts, account: AccountFacts | None = None) -> str:
    """What the browser asks a passkey for to confirm, as JSON; "" for somebody without a passkey."""
    house = guard.house_of(request)
    account = account or people.by_id(house.vault, session.account)
    if account is None or not account.ways_of("passkey"):
        return ""
    challenge = passkeys.challenge(Purpose(proof.CONFIRM, session.handle), house.clock())
    return passkeys.request_options(house.base, account, challenge)
