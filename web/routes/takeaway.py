"""Taking away: everything in the pod, or the recovery kit, as a file in the age format that other programs open.

The kit is the root itself, good for as long as the locks are: it asks for a fresh proof, so that who got hold of a
session does not get hold of the vault. And bringing such a file back, into whatever pod its citizen is in now.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from consent import bringback, takeaway
from consent.accounts.people import FEWEST_LETTERS, LONGEST
from consent.accounts.sessions import SessionFacts
from keys import age
from keys.age import Writer
from keys.errors import Damaged, UnknownVersion, WrongSecret
from vault.errors import BadTakeAway
from vault.unpack import TakeAway, unpack
from web import guard, proving
from web.pages.taking import Brought, TakeAwayPage
from web.pages.views import render

router = APIRouter()
AGE: Final = "application/age"
MOST_WORK: Final = 18  # log2 of scrypt's cost of a file that is brought back: 256 MiB, twice what we write
# Stretching takes 128 MiB a file: one at a time, so that many cannot exhaust the server.
_ONE_AT_A_TIME: Final = asyncio.Semaphore(1)


@router.get("/me/take-away", include_in_schema=False)
async def show(request: Request) -> HTMLResponse:
    """The page: choose a passphrase for the file."""
    return _page(request, await guard.required(request, "citizen"), TakeAwayPage(FEWEST_LETTERS))


@router.post("/me/take-away", include_in_schema=False)
async def take(request: Request) -> Response:
    """Everything in the pod (`what=data`, or `solid` for another Solid server) or the recovery kit
    (`what=kit`), locked with the passphrase of the form.

    The kit after a fresh proof only.
    """
    session, fields = await guard.written(request, "citizen")
    phrase, what = str(fields.get("passphrase", "")), str(fields.get("what", ""))
    if what not in ("data", "solid", "kit"):
        raise HTTPException(400, "bad-choice")
    if not FEWEST_LETTERS <= len(phrase) <= LONGEST or phrase != fields.get("again"):
        return _page(request, session, TakeAwayPage(FEWEST_LETTERS, failed=True), 400)
    if what == "kit" and not await proving.confirmed(request, session, fields):
        return _page(request, session, TakeAwayPage(FEWEST_LETTERS, unproven=True), 403)
    house = guard.house_of(request)
    async with _ONE_AT_A_TIME:
        writer = await asyncio.to_thread(Writer, passphrase=phrase)
    if what == "kit":
        made = await takeaway.recovery_kit(house.vault, session, house.clock())
        return Response(writer.head + writer.add(made) + writer.end(), headers=_headers("kluis-herstel.age"))
    tar = await takeaway.everything(house.vault, session, house.clock(), "css" if what == "solid" else "kluis")
    return StreamingResponse(_locked(writer, tar), headers=_headers("kluis.tar.age"))


@router.post("/me/take-away/back", include_in_schema=False)
async def bring(request: Request) -> Response:
    """Bring a file back: what is not there yet is stored, and the page tells what was left out. Bad file: nothing."""
    session, fields = await guard.uploaded(request, "citizen")
    try:
        file, phrase = fields.get("file"), str(fields.get("passphrase", ""))[:LONGEST]
        data = b"" if file is None or isinstance(file, str) else await file.read()
    finally:
        await fields.close()
    try:
        async with _ONE_AT_A_TIME:
            found = await asyncio.to_thread(_opened, data, phrase)
    except WrongSecret:
        return _page(request, session, TakeAwayPage(FEWEST_LETTERS, refused="secret"), 400)
    except (BadTakeAway, Damaged, UnknownVersion) as bad:
        return _page(request, session, TakeAwayPage(FEWEST_LETTERS, refused="file", why=str(bad)), 422)
    house = guard.house_of(request)
    done = await bringback.back(house.vault, session, found, house.clock())
    return _page(request, session, TakeAwayPage(FEWEST_LETTERS, brought=Brought(done.stored, done.left, found.pod)))


def _opened(file: bytes, phrase: str) -> TakeAway:
    return unpack(age.unlock(file, passphrase=phrase, most=MOST_WORK))


async def _locked(writer: Writer, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The file as it is made; if it breaks off its last chunk is missing, and no program takes it for whole."""
    yield writer.head
    async for piece in pieces:
        if ready := writer.add(piece):
            yield ready
    yield writer.end()


def _page(request: Request, session: SessionFacts, page: TakeAwayPage, status: int = 200) -> HTMLResponse:
    shown = replace(page, confirm=proving.asked(request, session))
    text = render("take-away", shown, person=session.name, user=session.user, role=session.role, csrf=session.csrf)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


def _headers(name: str) -> dict[str, str]:
    return {"content-type": AGE, "content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
