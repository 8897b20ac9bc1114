"""Who is asking: the session behind a request, and whether a write really comes from our own pages.

Cookies are read here and nowhere else. A write needs the session's form token and, from a browser, proof that one of
our pages sent it: `Sec-Fetch-Site: same-origin`, or `Origin` equal to our base where a client sends no Sec-Fetch-Site.
(A page under `Referrer-Policy: no-referrer` sends `Origin: null`, so Origin alone would shut out our own forms.)
"""

import hmac
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import parse_qsl, urlencode

from fastapi import HTTPException, Request, Response
from starlette.datastructures import FormData, UploadFile

from consent.accounts import sessions
from consent.accounts.sessions import SessionFacts
from keys.mark import check, mark
from keys.secret import fresh_bytes
from keys.text import b64, unb64
from vault.errors import LogUnavailable
from vault.log import tally

if TYPE_CHECKING:
    from web.app import House

SESSION: Final = "kluis"
FORM: Final = "kluis-form"
TOKEN_FIELD: Final = "csrf"
TOKEN_HEADER: Final = "kluis-form"
LARGEST_FORM: Final = 64 * 1024
_LOCAL: Final = re.compile(r"/(?!/)[!-\[\]-~]{0,8000}")
_LOGIN_FORM: Final = b"login form"


def house_of(request: Request) -> "House":
    """The running house: vault, clock, base and settings."""
    return cast("House", request.app.state.house)


async def current(request: Request) -> SessionFacts | None:
    """The live session of this request, or None. Looked up once per request."""
    if not hasattr(request.state, "session"):
        house, now = house_of(request), house_of(request).clock()
        text = request.cookies.get(cookie_name(house.base, SESSION))
        found = None if text is None else sessions.find(house.vault, text, now)
        if found is not None:
            await sessions.touch(house.vault, found, now)
        request.state.session = found
    return cast("SessionFacts | None", request.state.session)


def again(request: Request) -> SessionFacts | None:
    """The session of this request as it stands now, after something about it was changed."""
    house = house_of(request)
    text = request.cookies.get(cookie_name(house.base, SESSION))
    return None if text is None else sessions.find(house.vault, text, house.clock())


async def required(request: Request, role: str | None = None, *, opens: bool = False) -> SessionFacts:
    """The live session, of this role if one is given. Call it, do not `Depends` on it.

    Raises HTTPException: without a session 303 to the login page, or 401 under `/api`; with another role 403. Where the
    route `opens` something, both are counted in a log (`denied`).
    """
    session = await current(request)
    if session is None:
        if opens:
            with suppress(LogUnavailable):  # on a full disk too she is led to the login, from where she withdraws
                await denied(request, None, "unauthenticated")
        raise _login_first(request)
    if role is not None and session.role != role:
        if opens:
            await denied(request, session, "role")
        raise HTTPException(403, "role")
    return session


async def denied(request: Request, session: SessionFacts | None, reason: str, action: str = "") -> None:
    """Count a denial, in the pod of who asked, else in the office's log: a line a minute, however many there are."""
    house = house_of(request)
    done = action or ("read" if request.method in ("GET", "HEAD") else "write")
    pod = session.pod.id if session else house.vault.office
    await tally.add(house.vault.log, pod, reason, house.clock(), done)


async def written(request: Request, role: str | None = None, *, opens: bool = True) -> tuple[SessionFacts, FormData]:
    """The session and the small form of a write that our own page sent. Raises HTTPException 303, 401, 403 or 413."""
    session = await required(request, role, opens=opens)
    fields = await form(request)
    demand(request, session, str(fields.get(TOKEN_FIELD) or request.headers.get(TOKEN_HEADER, "")))
    return session, fields


async def uploaded(request: Request, role: str) -> tuple[SessionFacts, FormData]:
    """The session and the fields of a form that brings one file along, sent by our own page (RFC 7578).

    Raises HTTPException 303, 400 or 403, TooLarge. The caller closes the form.
    """
    session = await required(request, role, opens=True)
    fields = await request.form(max_files=1, max_fields=8)
    try:
        demand(request, session, str(fields.get(TOKEN_FIELD, "")))
    except HTTPException:
        await fields.close()
        raise
    return session, fields


def demand(request: Request, session: SessionFacts, token: str) -> None:
    """Refuse (HTTPException 403) a write that does not come from our own page with this session's form token."""
    demand_same_origin(request)
    if not hmac.compare_digest(token.encode(), session.csrf.encode()):
        raise HTTPException(403, "form-token")


def demand_same_origin(request: Request) -> None:
    """Refuse (HTTPException 403) what a browser sends on behalf of another site; a script sends Origin = base."""
    base, site = house_of(request).base, request.headers.get("sec-fetch-site")
    if site != "same-origin" and (site is not None or request.headers.get("origin", base) != base):
        raise HTTPException(403, "cross-site")


async def form(request: Request) -> FormData:
    """The fields of an urlencoded form of at most 64 KiB; any other body counts as no fields. HTTPException 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "too-large")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return FormData()
    fields: list[tuple[str, str | UploadFile]] = [*parse_qsl(body.decode(errors="replace"), keep_blank_values=True)]
    return FormData(fields)


def local(path: str | None, otherwise: str = "/me") -> str:
    """A path on this very server to go on to, or `otherwise`: never another site, however it is spelled."""
    return path if path is not None and _LOCAL.fullmatch(path) else otherwise


def login_form() -> tuple[str, str]:
    """A cookie and the form token that fits it, for people who have no session yet (signed double submit)."""
    nonce = fresh_bytes(16)
    return b64(nonce), b64(mark(_LOGIN_FORM, nonce))


def login_form_fits(request: Request, token: str) -> bool:
    """Whether a login form's token was made here for the cookie that came with it."""
    try:
        nonce = unb64(request.cookies.get(cookie_name(house_of(request).base, FORM), ""))
        return len(nonce) == 16 and check(unb64(token), _LOGIN_FORM, nonce)
    except ValueError:
        return False


def cookie_name(base: str, name: str) -> str:
    """`__Host-` where the base is https, so that no other host can set it; plain on a developer's localhost."""
    return f"__Host-{name}" if base.startswith("https:") else name


def set_cookie(response: Response, base: str, name: str, value: str, seconds: int | None = None) -> None:
    """Set one of our cookies: HttpOnly, SameSite=Lax, Secure with https, gone with the browser or after `seconds`."""
    secure = base.startswith("https:")
    response.set_cookie(cookie_name(base, name), value, seconds, path="/", httponly=True, samesite="lax", secure=secure)


def drop_cookie(response: Response, base: str, name: str) -> None:
    """Take one of our cookies back."""
    secure = base.startswith("https:")
    response.delete_cookie(cookie_name(base, name), path="/", httponly=True, samesite="lax", secure=secure)


def _login_first(request: Request) -> HTTPException:
    if request.url.path.startswith("/api/"):
        return HTTPException(401, "login-required", {"WWW-Authenticate": 'DPoP algs="ES256 EdDSA"'})
    query = f"?{request.url.query}" if request.url.query else ""
    there = local(request.url.path + query) if request.method == "GET" else "/me"
    return HTTPException(303, "login-required", {"Location": "/login?" + urlencode({"next": there})})
