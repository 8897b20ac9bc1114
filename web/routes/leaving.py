"""Erasing one's own pod on a page: what to take along first, what stays behind, a fresh proof, and a goodbye.

Afterwards the browser holds one thing: the number of a public line, for ten minutes, so that the back button and a form
sent twice say what happened instead of asking somebody to log in who can never do so again.
"""

import re
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from consent import erasure, holdings
from keys.text import b64
from vault.errors import Denied
from web import guard, own, proving
from web.pages.leaving import ErasePage, GonePage
from web.pages.views import render

router = APIRouter(include_in_schema=False)

HERE: Final = "/me/erase"
GOODBYE: Final = "/goodbye"
GONE: Final = "kluis-gone"
GONE_S: Final = 600
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


@router.get(HERE)
async def show(request: Request, *, failed: bool = False) -> Response:
    """What erasing means, and the form; in a browser that just did it, what happened."""
    if await guard.current(request) is None and _said(request) is not None:
        return _to(GOODBYE)
    session = await guard.required(request, "citizen")
    house = guard.house_of(request)
    told = ErasePage(
        pod=b64(session.pod.id),
        count=sum(held.count for held in holdings.of_pod(house.vault, session.pod)),
        apps=len(own.live(house.vault, session, house.clock())),
        confirm=proving.asked(request, session),
        failed=failed,
    )
    return own.page("erase", told, session)


@router.post(HERE)
async def erase(request: Request) -> Response:
    """Erase the pod of whoever shows once more who she is. The same form again says that it is done."""
    house = guard.house_of(request)
    if await guard.current(request) is None:
        guard.demand_same_origin(request)
        pod = own.ident(str((await guard.form(request)).get("pod", "")))
        if erasure.erased(house.vault, pod):
            return _gone(request, None)
        await guard.required(request)
    session, fields = await guard.written(request, "citizen")
    try:
        if await proving.confirmed(request, session, fields):
            return _gone(request, await erasure.by_citizen(house.vault, session, house.clock()))
    except Denied:  # the session, or the locks that she proved herself on, ended at that moment
        if not erasure.erased(house.vault, session.pod.id):
            return _to("/login")
    if erasure.erased(house.vault, session.pod.id):  # by the same form, a moment ago
        return _gone(request, None)
    return _to(f"{HERE}?failed=1")


@router.get(GOODBYE)
async def goodbye(request: Request) -> Response:
    """What happened and what stays behind, for a browser that just erased a pod; for any other the front page.

    What pages of this browser kept goes as well (it has her name in it): that is what the header asks for.
    """
    said = _said(request)
    if said is None:
        return _to("/")
    text = render("goodbye", GonePage(int(said) if _NUMBER.fullmatch(said) else None))
    return HTMLResponse(text, headers={**own.NO_STORE, "clear-site-data": '"storage"'})


def _said(request: Request) -> str | None:
    return request.cookies.get(guard.cookie_name(guard.house_of(request).base, GONE))


def _gone(request: Request, entry: int | None) -> RedirectResponse:
    base, answer = guard.house_of(request).base, _to(GOODBYE)
    guard.drop_cookie(answer, base, guard.SESSION)
    if entry is not None or _said(request) is None:
        guard.set_cookie(answer, base, GONE, "-" if entry is None else str(entry), GONE_S)
    return answer


def _to(there: str) -> RedirectResponse:
    return RedirectResponse(there, 303, headers=own.NO_STORE)
