"""The first time in a pod that came from another server: an invitation code, and from then on ways in of her own."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from consent.accounts import invited, sessions
from consent.accounts.people import FEWEST_LETTERS
from consent.errors import BadName
from web import guard, seats
from web.pages.entry import CodePage, InvitationPage
from web.pages.views import render

router = APIRouter(include_in_schema=False)
NO_STORE = {"Cache-Control": "no-store"}


@router.get("/login/invitation")
async def show(request: Request, user: str = "") -> HTMLResponse:
    """The form: her name, the code she was given, a passphrase of her own."""
    return _form(request, user)


@router.post("/login/invitation")
async def accept(request: Request) -> Response:
    """Let her in, set her passphrase, end the invitation, and show her recovery code: the only answer that holds it."""
    guard.demand_same_origin(request)
    fields = await guard.form(request)
    if not guard.login_form_fits(request, str(fields.get(guard.TOKEN_FIELD, ""))):
        raise HTTPException(403, "form-token")
    house = guard.house_of(request)
    user, code, phrase = (str(fields.get(name, "")) for name in ("user", "code", "passphrase"))
    if phrase != fields.get("again"):
        return _form(request, user, "phrase")
    try:
        done = await invited.accept(house.vault, user, code, phrase, house.clock(), seats.of(request))
    except BadName:
        return _form(request, user, "phrase")
    if done is None:
        return _form(request, user, "code")
    if (before := await guard.current(request)) is not None:
        await sessions.end(house.vault, before, house.clock())
    who = done.session
    text = render(
        "code", CodePage(done.code, house.clock()), person=who.name, user=who.user, role=who.role, csrf=who.csrf
    )
    response = HTMLResponse(text, headers=NO_STORE)
    guard.set_cookie(response, house.base, guard.SESSION, done.cookie)
    guard.drop_cookie(response, house.base, guard.FORM)
    return response


def _form(request: Request, user: str, failed: str = "") -> HTMLResponse:
    house, (cookie, token) = guard.house_of(request), guard.login_form()
    page = InvitationPage(user, FEWEST_LETTERS, failed)
    response = HTMLResponse(render("invitation", page, csrf=token), 400 if failed else 200, headers=NO_STORE)
    guard.set_cookie(response, house.base, guard.FORM, cookie)
    return response
