"""Asking for a surer proof on the consent page: what the page shows for it, and whether what came back is enough.

For special categories (GDPR 9) a passkey answers a challenge that was made for this request, this session and the words
that were on the screen, within five minutes; a passphrase is not enough. For everything else whoever showed who she is
half an hour ago or more does so again, with whatever she has. Refusing and withdrawing never ask for anything.
"""

from typing import Final, Literal

from fastapi import Request
from starlette.datastructures import FormData

from consent import assurance, events, special
from consent.accounts import passkeys, people, proof
from consent.accounts.passkeys import Purpose
from consent.accounts.proof import Proof
from consent.accounts.sessions import SessionFacts
from consent.asks import Asked
from consent.assurance import Assurance
from consent.terms import Terms
from web import guard, proving
from web.pages.door import Door, Missing

CONSENT: Final = "consent"


def door(
    request: Request, session: SessionFacts, asked: Asked, terms: Terms, notice: str, failed: Missing | Literal[""]
) -> Door:
    """The part of the page of a request for `terms`; `notice` is the hash of what it shows beside it."""
    house, now = guard.house_of(request), guard.house_of(request).clock()
    marked, again = special.rows(terms.data), assurance.stale(session.began, now)
    options = ""
    if marked or again:
        account = people.by_id(house.vault, session.account)
        if account is not None and account.ways_of("passkey"):
            made = passkeys.challenge(_purpose(session, asked, notice), now)
            options = passkeys.request_options(house.base, account, made)
    needed = any(datum.necessity == "required" for datum in marked)
    return Door(options, needed, again, failed, session.user)


async def proven(
    request: Request, session: SessionFacts, asked: Asked, terms: Terms, form: FormData
) -> Assurance | Missing:
    """How sure we are of who allows `terms`, or what is missing. A proof that was shown is used up and in her log."""
    house, now = guard.house_of(request), guard.house_of(request).clock()
    marked, given = special.rows(terms.data), proving.answer(form)
    if not {datum.key for datum in marked} <= {str(key) for key in form.getlist("explicit")}:
        return "explicit"
    if marked and not given.credential:
        return "passkey"
    if not marked and not assurance.stale(session.began, now):
        return assurance.of(session.began)
    shown = Proof(answer=given) if given.credential else Proof(str(form.get("proof", "")))
    if shown.answer is None and not shown.text:
        return "again"
    purpose = _purpose(session, asked, _notice(request, session, asked))
    if not await proof.confirm(house.vault, session, shown, now, purpose):
        return "proof"
    return assurance.now_with(shown.how, now)


def _purpose(session: SessionFacts, asked: Asked, notice: str) -> Purpose:
    """A challenge for this request, in this session, under these words; each part but the last has a fixed length."""
    return Purpose(CONSENT, session.handle + asked.handle + notice.encode(), assurance.REQUEST_MS)


def _notice(request: Request, session: SessionFacts, asked: Asked) -> str:
    """The hash of what was last on her screen for this request."""
    history = events.history(guard.house_of(request).vault, session.pod, asked.handle)
    return next((str(step.detail["hash"]) for step in reversed(history) if step.state == "shown"), "")
