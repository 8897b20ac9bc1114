"""Taking away: everything in the pod, or the recovery kit, as a file in the age format that other programs open."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from consent import takeaway
from consent.accounts.people import FEWEST_LETTERS, LONGEST
from consent.accounts.sessions import SessionFacts
from keys.age import Writer
from web import guard
from web.pages.taking import TakeAwayPage
from web.pages.views import render

router = APIRouter()
AGE: Final = "application/age"
# Stretching takes 128 MiB a file: one at a time, so that many cannot exhaust the server.
_ONE_AT_A_TIME: Final = asyncio.Semaphore(1)


@router.get("/me/take-away", include_in_schema=False)
async def show(request: Request) -> HTMLResponse:
    """The page: choose a passphrase for the file."""
    return _page(await guard.required(request, "citizen"), TakeAwayPage(FEWEST_LETTERS))


@router.post("/me/take-away", include_in_schema=False)
async def take(request: Request) -> Response:
    """Everything in the pod (`what=data`) or the recovery kit (`what=kit`), locked with the passphrase of the form."""
    session, fields = await guard.written(request, "citizen")
    phrase, what = str(fields.get("passphrase", "")), str(fields.get("what", ""))
    if what not in ("data", "kit"):
        raise HTTPException(400, "bad-choice")
    if not FEWEST_LETTERS <= len(phrase) <= LONGEST or phrase != fields.get("again"):
        return _page(session, TakeAwayPage(FEWEST_LETTERS, failed=True), 400)
    house = guard.house_of(request)
    async with _ONE_AT_A_TIME:
        writer = await asyncio.to_thread(Writer, passphrase=phrase)
    if what == "kit":
        made = await takeaway.recovery_kit(house.vault, session, house.clock())
        return Response(writer.head + writer.add(made) + writer.end(), headers=_headers("kluis-herstel.age"))
    tar = await takeaway.everything(house.vault, session, house.clock())
    return StreamingResponse(_locked(writer, tar), headers=_headers("kluis.tar.age"))


async def _locked(writer: Writer, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The file as it is made; if it breaks off its last chunk is missing, and no program takes it for whole."""
    yield writer.head
    async for piece in pieces:
        if ready := writer.add(piece):
            yield ready
    yield writer.end()


def _page(session: SessionFacts, page: TakeAwayPage, status: int = 200) -> HTMLResponse:
    text = render("take-away", page, person=session.name, role=session.role, csrf=session.csrf)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


def _headers(name: str) -> dict[str, str]:
    return {"content-type": AGE, "content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
