"""Solid Notifications: what is offered, subscribing, the stream, and the gateway that Inrupt's client negotiates with.

A token with its proof counts, never a cookie; whoever may read a topic may follow it, behind a line in the log.
"""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Path, Query, Request, Response

from consent import follow, gate
from consent.call import Call, Denial
from consent.follow import Following
from keys.text import b64, unb64
from vault import store
from vault.solid import conditional, conneg, notifications, paths
from vault.solid.notifications import CONTEXT, HOOK, MEDIA, SOCKET, STREAM, BadInstruction, Wish
from vault.solid.paths import BadPath, Target
from vault.solid.rdf import TURTLE
from web import guard
from web.channels import Channel
from web.cors import CORS
from web.middleware import Receive, Scope, Send, TooLarge
from web.routes.records import denied
from web.visitors import announced

if TYPE_CHECKING:
    from web.app import House

router = APIRouter()
LARGEST: Final = 16 * 1024
BEAT: Final = 30.0  # seconds between two empty lines of a stream, by which a connection that died is noticed
Kind = Annotated[str, Path(pattern=f"^({'|'.join(notifications.TYPES)})$")]


@router.head("/.well-known/solid", include_in_schema=False)
@router.get("/.well-known/solid")
async def well_known(request: Request) -> Response:
    """Where this server's notifications are negotiated; no pod is named."""
    base = guard.house_of(request).base
    there = f"{base}/notifications/gateway"
    if _wants_turtle(request, TURTLE):
        return _text(f"<{base}/> <{notifications.SOLID}notificationGateway> <{there}> .\n".encode())
    said = {"@id": f"{base}/", notifications.SOLID + "notificationGateway": {"@id": there}}
    return _json(said)


@router.head("/notifications/{kind}/", include_in_schema=False)
@router.get("/notifications/{kind}/")
async def service(request: Request, kind: Kind) -> Response:
    """What one subscription service offers."""
    base = guard.house_of(request).base
    if _wants_turtle(request, MEDIA):
        return _text(notifications.turtle(base, kind))
    return _json({"@context": [CONTEXT], **notifications.service(base, kind)})


@router.post("/notifications/{kind}/")
async def subscribe(request: Request, kind: Kind) -> Response:
    """Make a channel. Answers with what was granted and where to listen (Notifications Protocol 5.2)."""
    notifications.refuse_format(request.headers.get("content-type"))
    body = await _body(request)
    notifications.refuse_type(body, kind)
    wish = notifications.instruction(body, kind)
    house = guard.house_of(request)
    if kind == HOOK and not house.knocking.courier.allows(wish.send_to):
        raise BadInstruction("sendTo")
    found = await _begin(request, wish)
    if isinstance(found, Response):
        return found
    there = f"{house.base}/notifications/channels/{b64(found.id)}"
    said: dict[str, Any] = {"@context": [CONTEXT], "id": there, "type": kind}
    return _json(said | {"topic": wish.topic} | _end_point(house, found) | wish.told)


@router.delete("/notifications/channels/{channel}")
async def stop(request: Request, channel: Annotated[str, Path(max_length=40)]) -> Response:
    """End a webhook, for who shows a token of the grant under which it was made. Others end with their connection."""
    house, now = guard.house_of(request), guard.house_of(request).clock()
    try:
        found = follow.hook(house.vault, unb64(channel))
    except ValueError:
        found = None
    pod = house.vault.pod_by_id(found.pod) if found else None
    if found is None or pod is None:
        return Response(status_code=404, headers=CORS)
    admitted = await gate.admit(house.vault, _call(request, Target(pod.name, found.path, False, "resource")), now)
    if isinstance(admitted, Denial):
        return denied(request, admitted)
    if found.guard is None or admitted.permit.guard is None or admitted.permit.guard.gate != found.guard.gate:
        return Response(status_code=404, headers=CORS)
    await follow.end_hook(house.vault, found, "client", now)
    return Response(status_code=204, headers=CORS)


def _end_point(house: "House", found: Following) -> dict[str, str]:
    """Where messages come from, or go to."""
    if found.wish.type == HOOK:
        return {"sendTo": found.wish.send_to, "sender": f"{house.base}/oauth/jwks"}
    secret = _offered(house, found)
    if found.wish.type == SOCKET:
        return {"receiveFrom": f"ws{house.base.removeprefix('http')}/notifications/socket/{secret}"}
    return {"receiveFrom": f"{house.base}/notifications/streams/{secret}"}


@router.post("/notifications/gateway")
async def gateway(request: Request) -> Response:
    """Inrupt's negotiation: which of the protocols that a client speaks it shall use, and where."""
    try:
        said = orjson.loads(await _body(request))
        wanted = said.get("protocols", said.get("type", []))
        spoken = {wanted} if isinstance(wanted, str) else {one for one in wanted if isinstance(one, str)}
    except (ValueError, TypeError, AttributeError):
        raise BadInstruction("syntax") from None
    if not spoken & {"ws", SOCKET}:
        raise BadInstruction("protocols")
    base = guard.house_of(request).base
    return _json(
        {"endpoint": f"{base}/notifications/ws", "protocol": "ws", "features": list(notifications.FEATURES)},
        "application/json",
    )


@router.post("/notifications/ws")
async def connection(request: Request) -> Response:
    """Where Inrupt's client asks for its WebSocket: as JSON without context."""
    notifications.refuse_format(request.headers.get("content-type"))
    found = await _begin(request, notifications.instruction(await _body(request), SOCKET, plain=True))
    if isinstance(found, Response):
        return found
    house = guard.house_of(request)
    there = f"ws{house.base.removeprefix('http')}/notifications/socket/{_offered(house, found)}"
    return _json({"endpoint": there, "protocol": "ws"}, "application/json")


@router.get("/notifications/stream")
async def stream(request: Request, topic: Annotated[str, Query(max_length=2048)]) -> Response:
    """A stream of what happens to a topic, from its own `updatesViaStreamingHttp2023` link: asked for like a read."""
    house = guard.house_of(request)
    found = await _begin(request, Wish(STREAM, topic))
    if isinstance(found, Response):
        return found
    return Stream(house, house.channels.open(found, _root(house, found)))


@router.get("/notifications/streams/{secret}")
async def claimed_stream(request: Request, secret: str) -> Response:
    """The stream that a subscription gave; the secret is good once, for a minute."""
    house = guard.house_of(request)
    channel = house.channels.claim(secret)
    if channel is not None and channel.wish.type != STREAM:
        house.channels.close(channel)  # its secret is used up, and nobody else could ever come for it
        channel = None
    if channel is None:
        return Response(status_code=404, headers=CORS)
    return Stream(house, channel)


class Stream(Response):
    """Messages as JSON-LD, one a line, for as long as the channel is open; an empty line now and then."""

    def __init__(self, house: "House", channel: Channel) -> None:
        super().__init__(media_type=MEDIA, headers=CORS | {"cache-control": "no-store", "x-accel-buffering": "no"})
        self._house, self._channel = house, channel
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI
        """Send until the client leaves or may listen no longer; then end the body properly."""

        async def put(text: bytes) -> None:
            await send({"type": "http.response.body", "body": text + b"\n", "more_body": True})

        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": b"\n", "more_body": True})
        telling = asyncio.create_task(self._house.channels.serve(self._channel, put))
        gone = asyncio.create_task(_gone(receive))
        try:
            while not (telling.done() or gone.done()):
                await asyncio.wait({telling, gone}, timeout=BEAT, return_when=asyncio.FIRST_COMPLETED)
                if not (telling.done() or gone.done()):
                    await put(b"")
        finally:
            for task in (telling, gone):
                task.cancel()
            await asyncio.gather(telling, gone, return_exceptions=True)
            self._house.channels.close(self._channel)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


# ---------------------------------------------------------------- one subscription


async def _begin(request: Request, wish: Wish) -> Following | Response:
    house, now = guard.house_of(request), guard.house_of(request).clock()
    target = _target(house, wish.topic)
    if wish.end is not None and wish.end <= now.timestamp() * 1000:
        raise BadInstruction("endAt")
    call, pod = await announced(house, _call(request, target)), house.vault.pod(target.pod)
    found = await follow.begin(house.vault, call, pod, wish, house.channels.count, now)
    return denied(request, found) if isinstance(found, Denial) else found


def _call(request: Request, target: Target) -> Call:
    headers = request.headers
    return Call(
        request.method,
        f"{guard.house_of(request).base}{request.url.path}",
        target.pod,
        target.path,
        tuple(value.encode("latin-1") for value in headers.getlist("authorization")),
        tuple(value.encode("latin-1") for value in headers.getlist("dpop")),
        headers.get("kluis-purpose"),
        origin=headers.get("origin"),
        follows=True,
    )


def _target(house: "House", topic: str) -> Target:
    """What a topic names. Raises BadInstruction("topic") unless it is a resource or container of a pod here."""
    parts = urlsplit(topic)
    if not topic.startswith(f"{house.base}/pods/") or parts.query or "?" in topic or "#" in topic:
        raise BadInstruction("topic")
    try:
        found = paths.parse(topic.removeprefix(house.base).encode())
    except BadPath:
        raise BadInstruction("topic") from None
    if found.kind != "resource":
        raise BadInstruction("topic")
    return found


def _offered(house: "House", found: Following) -> str:
    """The secret of the address to connect to; with feature `state` the first message says that something changed."""
    secret = house.channels.offer(found, _root(house, found))
    if found.wish.state and not found.path.endswith("/"):
        pod = house.vault.pod_by_id(found.pod)
        version = store.version_of(house.vault, pod, found.path) if pod else None
        seen = conditional.evaluate_write(found.wish.state, None, found.topic, version)
        if seen == "precondition_failed":
            house.channels.greet(secret)
    return secret


def _root(house: "House", found: Following) -> str:
    pod = house.vault.pod_by_id(found.pod)
    return f"{house.base}/pods/{pod.name if pod else ''}"


# ---------------------------------------------------------------- bodies in and out


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise TooLarge("a subscription has at most 16 KiB")
    return bytes(body)


def _wants_turtle(request: Request, stored: str) -> bool:
    return conneg.choose(request.headers.get("accept"), stored) == TURTLE


def _json(said: dict[str, Any], media: str = MEDIA) -> Response:
    return Response(orjson.dumps(said), media_type=media, headers=CORS | {"cache-control": "no-store"})


def _text(turtle: bytes) -> Response:
    return Response(turtle, media_type=TURTLE, headers=CORS | {"cache-control": "no-store"})
