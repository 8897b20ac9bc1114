"""New locks and other kinds of locks, on pages of the citizen's own: each after a fresh proof."""

from collections.abc import Awaitable
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from consent import holdings, locks
from consent.accounts.sessions import SessionFacts
from consent.holdings import Holding
from vault.errors import Conflict, Denied, Stale
from web import guard, own, proving
from web.pages.entry import LocksPage, Room, RoomPage

router = APIRouter(include_in_schema=False)

SECURITY: Final = "/me/security"
LOCKS: Final = f"{SECURITY}/locks"
_OTHER: Final = {"sealed": "managed", "managed": "sealed"}
_BUSY: Final = frozenset({"changed", "stale"})


@router.get(LOCKS)
async def show_locks(request: Request, failed: str = "") -> HTMLResponse:
    """What changing all locks does, when to do it, and the button."""
    session = await guard.required(request, "citizen")
    return own.page("locks", LocksPage(proving.asked(request, session), failed), session)


@router.post(LOCKS)
async def change_locks(request: Request) -> RedirectResponse:
    """Change all locks: every compartment and the root; all other sessions end, and this browser's cookie is new.

    Twice is as good as once.
    """
    session, fields = await guard.written(request, "citizen")
    house = guard.house_of(request)
    if not await proving.confirmed(request, session, fields):
        return _to(LOCKS, failed="proof")
    return await proving.renewed(
        request, await _done(locks.change_all(house.vault, session, house.clock()), LOCKS, "locks")
    )


@router.get("/me/security/rooms/{container}")
async def show_room(request: Request, container: str, failed: str = "") -> HTMLResponse:
    """What the other kind of lock means for one compartment."""
    session = await guard.required(request, "citizen")
    held = _hers(request, session, container)
    room = Room(own.room(held), held.container, sealed=held.custody == "sealed", changes=True)
    return own.page("room", RoomPage(proving.asked(request, session), failed, room), session)


@router.post("/me/security/rooms/{container}")
async def change_room(request: Request, container: str) -> RedirectResponse:
    """Seal a compartment (`custody=sealed`) or give it back to the server (`custody=managed`)."""
    session, fields = await guard.written(request, "citizen")
    held, wanted = _hers(request, session, container), str(fields.get("custody", ""))
    if wanted not in _OTHER:
        raise HTTPException(400, "bad-choice")
    here = f"{SECURITY}/rooms/{container}"
    if not await proving.confirmed(request, session, fields):
        return _to(here, failed="proof")
    if held.custody == wanted:  # the same form again
        return _to(SECURITY, done=wanted)
    house = guard.house_of(request)
    return await _done(locks.set_custody(house.vault, session, container, wanted, house.clock()), here, wanted)


def _hers(request: Request, session: SessionFacts, container: str) -> Holding:
    """A compartment of hers whose kind of lock she may choose. HTTPException 404 for any other."""
    held = holdings.of_pod(guard.house_of(request).vault, session.pod)
    found = next((one for one in held if one.container == container and own.may_change(one)), None)
    if found is None:
        raise HTTPException(404, "not_found")
    return found


async def _done(work: Awaitable[None], here: str, done: str) -> RedirectResponse:
    """Say that it is done, or that something else was changed meanwhile; a session that ended logs in again."""
    try:
        await work
    except (Denied, Conflict, Stale) as refused:
        busy = getattr(refused, "reason", "stale") in _BUSY
        return _to(here, failed="busy") if busy else _to("/login")
    return _to(SECURITY, done=done)


def _to(there: str, **said: str) -> RedirectResponse:
    return RedirectResponse(f"{there}?{urlencode(said)}" if said else there, 303, headers=own.NO_STORE)
