"""Answers of the pods: plain values, their headers, and the problem behind every error (RFC 9110, RFC 9457, Fetch).

A pod's content is somebody else's: it runs in no origin of ours (`sandbox`), is never cached by others, and any web app
may read the answer. No cookie is ever read on this face, so no origin gains anything by being let in.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from consent import assurance
from consent.call import Denial
from consent.errors import ConsentError
from keys.errors import KeysError
from vault.errors import VaultError
from vault.solid.fields import is_token, split
from vault.solid.ldp import BadMedia
from vault.solid.patch import BadPatch, Unmet
from vault.solid.paths import BadPath
from vault.solid.rdf import BadRdf
from web import problems
from web.middleware import TooLarge
from web.patience import TooSlow

Known = (VaultError, ConsentError, KeysError, TooLarge, TooSlow)
PROTECTED = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept, Authorization, Origin",
    "X-Content-Type-Options": "nosniff",
}
_SENT = (
    "Accept, Authorization, Content-Type, DPoP, If-Match, If-None-Match, If-Range, Kluis-Purpose, Link, Prefer, Range, "
    "Slug"
)
_SHOWN = (
    "Accept-Patch, Accept-Post, Accept-Put, Accept-Ranges, Allow, Content-Range, Content-Type, DPoP-Nonce, ETag, "
    "Kluis-Entry, Kluis-Receipt, Last-Modified, Link, Location, Preference-Applied, WAC-Allow, WWW-Authenticate"
)
_COSTS = {"too_large": 413, "too_costly": 413, "busy": 503}
_PATHS = {"too_long": 414, "too_deep": 414, "outside": 404, "no_slash": 404}


@dataclass(frozen=True)
class Reply:
    """One answer: status, headers of its own, body; of a long one its pieces. `length` is that of either, if not None.

    Whoever drops a reply with pieces before all were sent must close them, and then call `dropped`: pieces that were
    never begun close nothing.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    pieces: AsyncGenerator[bytes, None] | None = None
    length: int | None = None
    dropped: Callable[[], Awaitable[None]] | None = None


def problem(status: int, kind: str, title: str, headers: Mapping[str, str] | None = None, **more: object) -> Reply:
    """An RFC 9457 body with a stable type; a reason or line in `more`."""
    told = {"type": problems.URN + kind, "title": title, "status": status}
    body = orjson.dumps(told | {name: value for name, value in more.items() if value is not None})
    return Reply(status, {"Content-Type": "application/problem+json", **(headers or {})}, body)


def denied(denial: Denial, base: str) -> Reply:
    """No access, the same whether anything is there or not; the hint comes from the public registry."""
    status = {"unauthenticated": 401, "forbidden": 403}.get(denial.code) or problems.OAUTH.get(denial.code, 403)
    more = {"authorization_details": [dict(denial.hint)]} if denial.hint else {}
    return problem(status, denial.code, "No access", challenge(status, denial.code, base), **more)


def failed(error: Exception, base: str) -> Reply:
    """The answer to an error of the floors below."""
    if isinstance(error, BadPath):
        status = _PATHS.get(error.reason, 400)
        return problem(status, "bad-path", "This address names nothing here", reason=error.reason)
    if isinstance(error, BadRdf):
        status = _COSTS.get(error.reason, 400)
        title, detail = "This is not the RDF it says it is", error.detail or None
        return problem(status, "bad-rdf", title, reason=error.reason, detail=detail, line=error.line)
    if isinstance(error, (BadPatch, Unmet)):
        status, kind, title = problems.find(error)
        return problem(status, kind, title, reason=error.reason, detail=getattr(error, "detail", "") or None)
    if isinstance(error, BadMedia):
        return problem(400, "bad-media", "A body needs a usable Content-Type", reason=error.reason)
    status, kind, title = problems.find(error)
    reason = getattr(error, "reason", "")
    if isinstance(error, TooSlow):
        return problem(status, kind, title, {"Connection": "close"})
    if reason in problems.REASONS:
        status, kind = problems.REASONS[reason]
    return problem(status, kind, title, challenge(status, kind, base))


def challenge(status: int, code: str, base: str) -> dict[str, str]:
    """What a client must show (RFC 9449 7.1, Solid-OIDC `as_uri`); 403 for too little is named as well (RFC 9396), with
    the proof that its citizen must show where that is what is missing (RFC 9470 3).
    """
    named = code in problems.OAUTH
    if status != 401 and not (status == 403 and named):
        return {}
    error = f', error="{code}"' if named else ""
    if code == "insufficient_user_authentication":
        error += "".join(f', {name}="{value}"' for name, value in assurance.wanted().items())
    return {"WWW-Authenticate": f'DPoP algs="ES256 EdDSA RS256", realm="{base}", as_uri="{base}"{error}'}


def cors(origin: str | None, asked: str | None, allowed: Iterable[str]) -> dict[str, str]:
    """The cross-origin headers of any answer (Solid `server-cors`); `asked` are headers that a preflight names."""
    wanted = [name.strip() for name in split(asked or "", ",")]
    return {
        "Access-Control-Allow-Origin": origin or "*",
        "Access-Control-Allow-Headers": ", ".join([_SENT, *(name for name in wanted[:50] if is_token(name))]),
        "Access-Control-Allow-Methods": ", ".join(allowed),
        "Access-Control-Expose-Headers": _SHOWN,
        "Access-Control-Max-Age": "7200",
    }


def nothing() -> Reply:
    """404, for somebody who is allowed to know."""
    return problem(404, "not-found", "Nothing here")
