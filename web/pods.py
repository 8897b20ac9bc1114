"""The pods: one raw ASGI app, routed on the raw path, since a decoded one would make `a%2Fb` equal `a/b`.

Every request goes the same way: name -> modes needed -> gate -> door. The gate and the door write the log; what is
decided here never opens anything. Cookies are not read. Permission is asked before anything that depends on whether
the target exists, so that without it every name answers alike.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from vault.solid import ldp, paths
from web import podread, podwrite
from web.middleware import App, Receive, Scope, Send
from web.podcall import Asked, Gone
from web.replies import PROTECTED, Known, Reply, cors, failed, problem

if TYPE_CHECKING:
    from web.app import House

LARGEST = 16 * 1024 * 1024
ACTIONS: dict[str, Callable[[Asked], Awaitable[Reply]]] = {
    "GET": podread.get,
    "HEAD": podread.get,
    "PUT": podwrite.put,
    "POST": podwrite.post,
    "DELETE": podwrite.delete,
}
_log = logging.getLogger("kluis.pods")


def create(house: "House", largest: int = LARGEST) -> App:
    """The app that answers under `/pods/`; bodies of more than `largest` bytes get 413."""
    host = house.base.split("://", 1)[1].encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        method: str = scope["method"]
        headers: list[tuple[bytes, bytes]] = list(scope["headers"])
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        try:
            if [value.lower() for name, value in headers if name == b"host"] != [host]:
                reply = problem(421, "misdirected", "This server answers under another name", {"Connection": "close"})
            else:
                reply = await _answer(Asked(house, method, paths.parse(raw), raw, headers, receive, largest))
        except Gone:
            return
        except Known as error:
            reply = failed(error, house.base)
        except Exception as error:  # noqa: BLE001 -- the last line: nobody is shown a trace, which may hold personal data
            _log.error("a pod request failed: %s", type(error).__name__)
            reply = problem(500, "internal", "Something went wrong here")
        origin, wanted = (_first(headers, name) for name in (b"origin", b"access-control-request-headers"))
        await _send(reply, {**PROTECTED, **cors(origin, wanted, ACTIONS)}, send, silent=method == "HEAD")

    return app


async def _answer(asked: Asked) -> Reply:
    """The answer with the headers that follow from the name alone, on errors too."""
    try:
        reply = await _route(asked)
    except Known as error:
        reply = failed(error, asked.house.base)
    named = {
        "Allow": ", ".join(ldp.methods(asked.target)),
        "Link": ", ".join(ldp.links(asked.root, asked.target, asked.owner)),
        **ldp.accepts(asked.target),
    }
    return replace(reply, headers={**named, **reply.headers})


async def _route(asked: Asked) -> Reply:
    if asked.method not in ldp.methods(asked.target):
        return problem(405, "method", "This method is not for this resource")
    if asked.method == "OPTIONS":
        return Reply(204)
    if asked.target.kind == "description":
        return await podread.description(asked)
    if asked.target.kind != "resource":
        return await (podread.auxiliary(asked) if asked.method in ("GET", "HEAD") else podwrite.acl(asked))
    return await ACTIONS[asked.method](asked)


def _first(headers: list[tuple[bytes, bytes]], name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in headers if key == name), None)


async def _send(reply: Reply, dressing: dict[str, str], send: Send, *, silent: bool) -> None:
    """Put an answer on the wire; `silent` for HEAD, which says how long the body would be."""
    headers = {**dressing, **reply.headers}
    if reply.status not in (204, 304):
        headers["Content-Length"] = str(len(reply.body))
    wire = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": wire})
    await send({"type": "http.response.body", "body": b"" if silent else reply.body})
