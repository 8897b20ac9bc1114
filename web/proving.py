"""Asking for a fresh proof on a page: what the browser asks a passkey for, and whether what a form brings holds.

And what follows from one that shut others out: this browser's cookie is another one, since theirs may be a copy of it.
"""

from contextlib import suppress

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from consent.accounts import passkeys, people, proof, sessions
from consent.accounts.passkeys import Answer, Purpose
from consent.accounts.people import AccountFacts
from consent.accounts.proof import Proof
from consent.accounts.sessions import SessionFacts
from vault.errors import Denied
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


async def renewed(request: Request, answer: RedirectResponse) -> RedirectResponse:
    """The same answer, with a new cookie: who copied the one of this request is out. If it ended, nothing happens."""
    house = guard.house_of(request)
    session = guard.again(request)
    if session is not None:
        with suppress(Denied):
            cookie = await sessions.renew(house.vault, session, house.clock())
            guard.set_cookie(answer, house.base, guard.SESSION, cookie)
    return answer
