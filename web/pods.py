"""The pods: one raw ASGI app, routed on the raw path, since a decoded one would make `a%2Fb` equal `a/b`.

Every request goes the same way: name -> modes needed -> gate -> door. The gate and the door write the log; what is
decided here never opens anything. Cookies are not read. Permission is asked before anything that depends on whether
the target exists, so that without it every name answers alike.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from vault.solid import access, ldp, lws, notifications, paths
from web import podpatch, podread, podwrite
from web.middleware import App, Receive, Scope, Send
from web.podcall import Asked, Gone
from web.replies import PROTECTED, Known, Reply, cors, failed, problem

if TYPE_CHECKING:
    from web.app import House

LARGEST = 1024**3
ACTIONS: dict[str, Callable[[Asked], Awaitable[Reply]]] = {
    "GET": podread.get,
    "HEAD": podread.get,
    "PUT": podwrite.put,
    "POST": podwrite.post,
    "PATCH": podpatch.patch,
    "DELETE": podwrite.delete,
}
_log = logging.getLogger("kluis.pods")


def create(house: "House", largest: int = LARGEST) -> App:
    """The app that answers under `/pods/`; bodies of more than `largest` bytes get 413."""
    host = house.base.split("://", 1)[1].encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        method: str = scope["method"]
        headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        query: bytes = scope.get("query_string", b"")
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        try:
            if [value.lower() for name, value in headers if name == b"host"] != [host]:
                reply = problem(421, "misdirected", "This server answers under another name", {"Connection": "close"})
            else:
                reply = await _answer(Asked(house, method, paths.parse(raw), raw, headers, receive, largest, query))
        except Gone:
            return
        except Known as error:
            reply = failed(error, house.base)
        except Exception as error:  # noqa: BLE001 -- the last line: nobody is shown a trace, which may hold personal data
            _log.error("a pod request failed: %s", type(error).__name__)
            reply = problem(500, "internal", "Something went wrong here")
        origin, wanted = (_first(headers, name) for name in (b"origin", b"access-control-request-headers"))
        sent = _sending(reply.pieces, receive) if reply.pieces and method != "HEAD" else None
        try:
            await _send(reply, {**PROTECTED, **cors(origin, wanted, ACTIONS)}, send, sent, silent=method == "HEAD")
        except Gone:
            return
        finally:
            await _drop(reply, sent)

    return app


async def _answer(asked: Asked) -> Reply:
    """The answer with the headers that follow from the name alone, on errors too."""
    try:
        reply = await _route(asked)
    except Known as error:
        reply = failed(error, asked.house.base)
    links = ldp.links(asked.root, asked.target, asked.owner)
    if asked.target.kind == "acl":
        links += access.links(asked.house.vault.access, asked.method)
    if asked.house.settings.lws:
        links.append(lws.link(asked.root))
    links += [*_followed(asked), *filter(None, [reply.headers.get("Link")])]
    named = {
        "Allow": ", ".join(ldp.methods(asked.target)),
        **ldp.accepts(asked.target),
    }
    return replace(reply, headers={**named, **reply.headers, "Link": ", ".join(links)})


def _followed(asked: Asked) -> list[str]:
    """Where to listen to what happens to a resource."""
    if asked.target.kind != "resource":
        return []
    return [notifications.link(asked.house.base, asked.root + asked.target.path)]


async def _route(asked: Asked) -> Reply:
    if asked.method not in ldp.methods(asked.target):
        return problem(405, "method", "This method is not for this resource")
    if (asked.text(b"content-encoding") or "identity").strip().lower() != "identity":
        return problem(415, "encoding", "A body is sent as it is, without a Content-Encoding", {"Accept-Encoding": ""})
    if asked.method == "OPTIONS":
        return Reply(204)
    if asked.target.kind == "description":
        return await podread.description(asked)
    if asked.target.kind == "acl":
        if asked.method == "PATCH":
            return await podpatch.acl(asked)
        return await (podread.auxiliary(asked) if asked.method in ("GET", "HEAD") else podwrite.acl(asked))
    return await ACTIONS[asked.method](asked)


def _first(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key == name), None)


async def _sending(pieces: AsyncGenerator[bytes, None], receive: Receive) -> AsyncGenerator[bytes, None]:
    """The pieces, until their client goes away: what nobody takes is not opened either."""
    gone = asyncio.create_task(_leaving(receive))
    try:
        async for piece in pieces:
            yield piece
            if gone.done():
                raise Gone
    finally:
        gone.cancel()


async def _drop(reply: Reply, sent: AsyncGenerator[bytes, None] | None) -> None:
    """Close what an answer was sent from, whether all of it was sent, some, or nothing."""
    for pieces in filter(None, (sent, reply.pieces)):
        await pieces.aclose()
    if reply.dropped:
        await reply.dropped()


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(
    reply: Reply, dressing: dict[str, str], send: Send, sent: AsyncGenerator[bytes, None] | None, *, silent: bool
) -> None:
    """Put an answer on the wire, its pieces if it has any; `silent` for HEAD, which says how long the body would be."""
    headers = {**dressing, **reply.headers}
    if reply.status not in (204, 304):
        headers["Content-Length"] = str(len(reply.body) if reply.length is None else reply.length)
    wire = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": wire})
    if sent is not None:
        async for piece in sent:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if silent else reply.body})
