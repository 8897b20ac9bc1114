"""The outermost layer, in pure ASGI: the Host we answer to, and the headers every answer of the front door carries.

Pods have a face of their own (`web.pods`) and are handed over before anything else looks at the request.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from web.cors import CORS, is_open
from web.patience import patient, prompt

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger("kluis.front")
BODY_LIMIT = 17 * 1024 * 1024
PAGE_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"interest-cohort=()",
}
_CORS = {name.encode(): value.encode() for name, value in CORS.items()}


def policy(base: str, form_action: str = "") -> bytes:
    """The content security policy of a page (pages.md); `form_action` adds the one origin its form may end at."""
    return (
        f"default-src 'none'; script-src {base}/static/; style-src {base}/static/; img-src 'self'; connect-src 'self'; "
        f"form-action 'self' {form_action}".rstrip()
        + "; manifest-src 'self'; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ).encode()


class Front:
    """Routes pods to their own app and everything else to the pages, after checking Host (421) and size (413).

    Clients get `wait` seconds for their next bytes (`web.patience`). `methods` says what the pages take at a path.

    It is also the last line: an error that nobody below understood becomes a problem and one word in the server's log.
    """

    def __init__(
        self,
        pages: App,
        pods: App,
        base: str,
        sockets: App | None = None,
        *,
        methods: Callable[[Scope], str] = lambda _: "",
        operator: bool = False,
        wait: float = 30,
    ) -> None:
        self.pages, self.pods, self.sockets, self.operator = pages, pods, sockets or pages, operator
        self.base, self.wait, self.methods = base, wait, methods
        self.host = base.split("://", 1)[1].encode()
        self.headers = {**PAGE_HEADERS, b"content-security-policy": policy(base)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever goes wrong; an answer that was begun already is broken off."""
        if scope["type"] == "websocket":
            await self.sockets(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.pages(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._answer(scope, patient(receive, self.wait), prompt(watched, self.wait))
        except Exception as error:  # noqa: BLE001 -- the last line: nobody is shown a trace, which may hold personal data
            _log.error("a request failed: %s", type(error).__name__)
            if not begun:
                await refuse(send, 500, b"internal")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or scope["path"].encode()
        if scope["method"] in {"CONNECT", "TRACE"}:  # nothing here; what follows on the connection is not believed
            await refuse(send, 405, b"method", (b"allow", b"GET, HEAD, OPTIONS"))
            return
        if raw.startswith(b"/pods/"):
            await self.pods(scope, receive, send)
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if not self.operator and hosts != [self.host]:
            await refuse(send, 421, b"misdirected")
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or len(length) > 18 or int(length) > BODY_LIMIT:
            await refuse(send, 413, b"too-large")
            return
        if raw == b"*" and scope["method"] == "OPTIONS":  # the server as a whole (RFC 9110 9.3.7)
            await _preflight(send)
            return
        scope.setdefault("state", {})["operator"] = self.operator
        shared = _CORS if is_open(scope["path"]) else {}
        if shared and scope["method"] == "OPTIONS":
            await _preflight(send, self.methods(scope))
            return
        await self.pages(scope, _bounded(receive), self._dressed(send, {**self.headers, **shared}))

    def _dressed(self, send: Send, headers: Mapping[bytes, bytes]) -> Send:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                extra = [(name, value) for name, value in headers.items() if name not in present]
                if b"cache-control" not in present:
                    extra.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        return dressed


async def _preflight(send: Send, allow: str = "") -> None:
    """What a browser asks before it lets a script of another origin send its token (Fetch, CORS preflight)."""
    headers = [*_CORS.items(), (b"access-control-max-age", b"7200"), (b"cache-control", b"no-store")]
    headers += [(b"allow", allow.encode())] if allow else []
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


class TooLarge(Exception):
    """A body without a stated length went past the limit."""

    code = "too_large"


def _bounded(receive: Receive) -> Receive:
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BODY_LIMIT:
            raise TooLarge("the body is too large")
        return message

    return bounded


async def refuse(send: Send, status: int, kind: bytes, *more: tuple[bytes, bytes]) -> None:
    """Answer with a bare problem (RFC 9457) and close."""
    body = b'{"type":"urn:kluis:problem:%s","status":%d,"title":"%s"}' % (kind, status, kind)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"connection", b"close"),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
