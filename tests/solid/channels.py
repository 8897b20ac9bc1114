"""Subscribing to what happens in a pod, over HTTP and ASGI alone (Solid Notifications Protocol)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.house import Household
from tests.solid.client import JSON_LD, POD, STORAGE_DESCRIPTION, Agent, graph, links

NOTIFY = "http://www.w3.org/ns/solid/notifications#"
CONTEXT = ["https://www.w3.org/ns/solid/notification/v1"]
TOPIC = POD + "public/topic"


async def services(who: Agent) -> dict[str, str]:
    """The subscription services that the description of the storage names: the kind of channel, and where."""
    (there,) = links(await who("HEAD", "public/"), STORAGE_DESCRIPTION)
    found = {}
    for service, kind in graph(await who("GET", there)).subject_objects(predicate("channelType")):
        found[str(kind).removeprefix(NOTIFY)] = str(service)
    return found


def predicate(name: str) -> Any:
    """A term of the notifications vocabulary."""
    from rdflib import URIRef

    return URIRef(NOTIFY + name)


async def subscribe(who: Agent, kind: str, topic: str = TOPIC, **more: Any) -> httpx.Response:
    """Ask a service for a channel."""
    said = {"@context": CONTEXT, "type": f"{NOTIFY}{kind}", "topic": topic} | more
    return await who("POST", (await services(who))[kind], json.dumps(said), JSON_LD)


@asynccontextmanager
async def socket(house: Household, address: str) -> AsyncIterator["asyncio.Queue[dict[str, Any]]"]:
    """An open WebSocket at an address: every message that the house sends on it, the first after it was accepted."""
    parts, got, told = urlsplit(address), asyncio.Queue[dict[str, Any]](), asyncio.Queue[dict[str, Any]]()
    scope = {"type": "websocket", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": parts.scheme,
             "path": parts.path, "raw_path": parts.path.encode(), "query_string": parts.query.encode(),
             "root_path": "", "server": None, "client": ("127.0.0.1", 1), "subprotocols": [],
             "headers": [(b"host", parts.netloc.encode())]}  # fmt: skip
    told.put_nowait({"type": "websocket.connect"})

    async def send(message: Any) -> None:
        got.put_nowait(dict(message))

    running = asyncio.create_task(house.app(scope, told.get, send))
    try:
        first = await asyncio.wait_for(got.get(), 5)
        assert first["type"] == "websocket.accept", first
        yield got
    finally:
        told.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait([running], timeout=5)
        running.cancel()


async def heard(got: "asyncio.Queue[dict[str, Any]]", seconds: float = 5) -> dict[str, Any]:
    """The next message of a socket, as JSON; {} if it was closed."""
    message = await asyncio.wait_for(got.get(), seconds)
    return {} if message["type"] == "websocket.close" else dict(json.loads(message.get("text") or message["bytes"]))
