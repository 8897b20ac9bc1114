"""Where people land who have no pod and no totals: a page that says what their role can do here today, and where."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from web import guard, own
from web.pages.desk import DESKS

router = APIRouter(include_in_schema=False)


@router.get("/dev")
async def developer(request: Request) -> HTMLResponse:
    """For who makes apps."""
    return await _desk(request, "developer")


@router.get("/insight")
async def institution(request: Request) -> HTMLResponse:
    """For who organises culture."""
    return await _desk(request, "institution")


@router.get("/desk")
async def operator(request: Request) -> HTMLResponse:
    """For who runs the server."""
    return await _desk(request, "operator")


async def _desk(request: Request, role: str) -> HTMLResponse:
    session = await guard.required(request, role)
    return own.page("desk", DESKS[role], session)
