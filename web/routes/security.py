"""The page about a person's own ways in: what opens her vault, who is logged in, and changing it after a fresh proof.

Plain forms throughout; only a passkey needs the page's script, which fills hidden fields of the same forms. Every
change asks again for a passphrase, a code or a passkey: a session that somebody else got hold of changes nothing.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from consent import holdings
from consent.accounts import officers, passkeys, people, renewal, sessions, ways
from consent.accounts.passkeys import Purpose
from consent.accounts.people import FEWEST_LETTERS, LONGEST, AccountFacts
from consent.accounts.sessions import SessionFacts
from consent.errors import BadCeremony
from keys.text import b64, unb64
from vault.errors import Denied, TooFewUnlockers
from vault.log.search import last_new_root
from vault.log.views import BEYOND, Line
from vault.pod import FEWEST_UNLOCKERS
from vault.vault import Vault
from web import guard, own, proving
from web.pages.entry import WAYS, CodePage, LockChange, Room, SecurityPage, Session, Unlocker
from web.pages.views import render

router = APIRouter()

BLUNT: Final = " (werkt niet meer: haal weg en voeg een nieuwe toe)"
HERE: Final = "/me/security"
_SAID: Final[Mapping[str, str]] = {"gone": "gone", "too_many": "many", "exists": "passkey"}


@router.get(HERE, include_in_schema=False)
async def show_security(request: Request, done: str = "", failed: str = "", *, recovered: bool = False) -> HTMLResponse:
    """The ways into this person's vault and the sessions that are open."""
    session = await guard.required(request)
    house = guard.house_of(request)
    account = people.by_id(house.vault, session.account)
    listed = sessions.listing(house.vault, session.account, house.clock())
    asked = ("", "") if account is None else _asked(request, session, account)
    rooms, changed = await _rooms(request, session) if session.role == "citizen" else ((), None)
    page = SecurityPage(
        () if account is None else _ways(house.vault, account),
        tuple(
            Session(
                _at(one.created),
                _at(one.ends),
                one.handle == session.handle,
                b64(one.handle),
                _at(one.seen),
                one.device,
                WAYS[one.how],
            )
            for one in listed
        ),
        *asked,
        rooms,
        changed,
        has_phrase=account is not None and bool(account.ways_of("passphrase")),
        recovered=recovered,
        done=done,
        failed=failed,
        officers=tuple((one.user, one.name) for one in officers.others(house.vault, session)),
    )
    return _page("security", page, session)


@router.post("/me/security/passkeys", include_in_schema=False)
async def add_passkey(request: Request) -> RedirectResponse:
    """Add the passkey that the browser just made; a device that cannot hold a key is told the other ways."""
    session, fields = await guard.written(request)
    house, made = guard.house_of(request), proving.answer(fields, "new_")
    if made.credential and not made.prf:
        return _back(failed="prf")
    if not await proving.confirmed(request, session, fields):
        return _back(failed="proof")
    try:
        await renewal.add_passkey(house.vault, session, made, house.clock())
    except BadCeremony:
        return _back(failed="passkey")
    except Denied as refusal:
        return _refused(refusal)
    return _back(done="passkey")


@router.post("/me/security/passphrase", include_in_schema=False)
async def set_passphrase(request: Request) -> RedirectResponse:
    """Set or change the passphrase."""
    session, fields = await guard.written(request)
    house, phrase = guard.house_of(request), str(fields.get("passphrase", ""))
    if phrase != str(fields.get("again", "")) or not FEWEST_LETTERS <= len(phrase) <= LONGEST:
        return _back(failed="phrase")
    if not await proving.confirmed(request, session, fields):
        return _back(failed="proof")
    try:
        await renewal.set_passphrase(house.vault, session, phrase, house.clock())
    except Denied as refusal:
        return _refused(refusal)
    await _end_others(request, session, fields)
    return await proving.renewed(request, _back(done="passphrase"))


@router.post("/me/security/codes", include_in_schema=False)
async def add_code(request: Request) -> Response:
    """Make a recovery code and show it: the only answer that ever holds it, so it is no redirect."""
    session, fields = await guard.written(request)
    house = guard.house_of(request)
    if not await proving.confirmed(request, session, fields):
        return _back(failed="proof")
    try:
        code = await renewal.add_code(house.vault, session, house.clock())
    except Denied as refusal:
        return _refused(refusal)
    return _page("code", CodePage(code, house.clock()), session)


@router.post("/me/security/unlockers/{way}/remove", include_in_schema=False)
async def remove(request: Request, way: str) -> RedirectResponse:
    """Take one way in away; fewer than two are never left."""
    session, fields = await guard.written(request)
    house = guard.house_of(request)
    if not await proving.confirmed(request, session, fields):
        return _back(failed="proof")
    try:
        await ways.remove(house.vault, session, _id(way), house.clock())
    except TooFewUnlockers:
        return _back(failed="few")
    except Denied as refusal:
        return _refused(refusal)
    await _end_others(request, session, fields)
    return await proving.renewed(request, _back(done="removed"))


@router.post("/me/sessions/{handle}/end", include_in_schema=False)
async def end_session(request: Request, handle: str) -> RedirectResponse:
    """End another session of the same person, for instance on a lost phone."""
    session, _ = await guard.written(request)
    house = guard.house_of(request)
    if not await sessions.end_other(house.vault, session, _id(handle), house.clock()):
        raise HTTPException(404, "not-found")
    return _back(done="ended")


@router.post("/me/security/officers/remove", include_in_schema=False)
async def remove_officer(request: Request) -> RedirectResponse:
    """Take an officer who left out of the office; the office gets new locks."""
    session, fields = await guard.written(request, "dpo")
    house = guard.house_of(request)
    if not await proving.confirmed(request, session, fields):
        return _back(failed="proof")
    try:
        await officers.remove(house.vault, session, str(fields.get("officer", "")), house.clock())
    except TooFewUnlockers:
        return _back(failed="few")
    except Denied as refusal:
        return _refused(refusal)
    return await proving.renewed(request, _back(done="officer"))


def _asked(request: Request, session: SessionFacts, account: AccountFacts) -> tuple[str, str]:
    """What the browser asks for to make a passkey, and to confirm with one ("" without one)."""
    house = guard.house_of(request)
    add = passkeys.challenge(Purpose(renewal.ADD, session.handle), house.clock())
    return passkeys.creation_options(house.base, account, add), proving.asked(request, session, account)


async def _rooms(request: Request, session: SessionFacts) -> tuple[tuple[Room, ...], LockChange | None]:
    """What lies behind which kind of lock, and when the locks were last changed."""
    held = holdings.of_pod(guard.house_of(request).vault, session.pod)
    rooms = tuple(
        Room(own.room(one), one.container, sealed=one.custody == "sealed", changes=own.may_change(one)) for one in held
    )
    changed = await _new_root(request, session)
    return rooms, LockChange(own.moment(changed.told["time"]), changed.seq) if changed else None


async def _new_root(request: Request, session: SessionFacts) -> Line | None:
    """The newest line that says that all locks were changed; a long log is looked through a part at a time."""
    vault, below = guard.house_of(request).vault, BEYOND
    with sessions.log_private(session) as log:
        while True:
            found = await asyncio.to_thread(last_new_root, vault, session.pod, log, below)
            if found.below is None:
                return found.lines[0] if found.lines else None
            below = found.below


async def _end_others(request: Request, session: SessionFacts, fields: FormData) -> None:
    """End the person's other sessions unless she ticked that they stay: whoever stole one is out too."""
    house = guard.house_of(request)
    if fields.get("stay") is None:
        await sessions.end_others(house.vault, session, house.clock())


def _ways(vault: Vault, account: AccountFacts) -> tuple[Unlocker, ...]:
    """Every way in; one that may go has an id. A demo's key may always go: it never counts as a way in.

    One whose share was lost with the share store opens nothing any more, and says so.
    """
    spare = sum(way.kind not in ways.PASSING for way in account.ways) > FEWEST_UNLOCKERS
    return tuple(
        Unlocker(
            WAYS[way.kind] + ("" if vault.shares.count("unlock", way.id) else BLUNT),
            _at(way.added),
            b64(way.id) if spare or way.kind in ways.PASSING else "",
        )
        for way in account.ways
    )


def _refused(refusal: Denied) -> RedirectResponse:
    """Say what stood in the way, if it is something a person can do about; a session that ended logs in again."""
    said = _SAID.get(refusal.reason)
    return _back(failed=said) if said else RedirectResponse("/login", 303, headers={"Cache-Control": "no-store"})


def _back(**said: str) -> RedirectResponse:
    there = f"{HERE}?{urlencode(said)}" if said else HERE
    return RedirectResponse(there, 303, headers={"Cache-Control": "no-store"})


def _page(name: str, page: object, session: SessionFacts) -> HTMLResponse:
    text = render(name, page, person=session.name, user=session.user, role=session.role, csrf=session.csrf)
    return HTMLResponse(text, headers={"Cache-Control": "no-store"})


def _at(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC)


def _id(text: str) -> bytes:
    try:
        return unb64(text)
    except ValueError:
        raise HTTPException(404, "not-found") from None
