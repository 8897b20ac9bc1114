"""What the tests of notifications share: a real server on a port of its own, subscriptions, sockets, and streams."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.conftest import BASE
from tests.house import Household
from tests.web.pushing import until
from web.app import _server, create

SOCKET = "/notifications/WebSocketChannel2023/"
HOOK = "/notifications/WebhookChannel2023/"
STREAM = "/notifications/StreamingHTTPChannel2023/"
CONTEXT = "https://www.w3.org/ns/solid/notifications-context/v1"
LD = {"content-type": "application/ld+json"}
TEXT = {"content-type": "text/plain"}
OPEN = (
    b"@prefix acl: <http://www.w3.org/ns/auth/acl#>. <#o> a acl:Authorization; acl:agent <%s/pods/an/profile/card#me>;"
    b" acl:accessTo <./>; acl:default <./>; acl:mode acl:Read, acl:Write, acl:Control ." % BASE.encode()
)


@dataclass
class Served:
    """A house on a port."""

    house: Household
    port: int

    async def ask(self, path: str, token: str = "", **said: Any) -> httpx.Response:
        """Ask a subscription service."""
        body = {"@context": [CONTEXT], "type": path.split("/")[2]} | said
        return await self.house.call("POST", path, token, LD, json.dumps(body).encode())

    @contextlib.asynccontextmanager
    async def socket(self, topic: str, token: str = "", **said: Any) -> AsyncIterator[ClientConnection]:
        """Subscribe to a path of a pod, and listen."""
        answer = await self.ask(SOCKET, token, topic=BASE + topic, **said)
        assert answer.status_code == 200, answer.text
        async with self.connect(answer.json()["receiveFrom"]) as found:
            yield found

    def connect(self, there: str) -> connect:
        """A WebSocket to an address of the house."""
        assert there.startswith("ws://localhost:8400/notifications/socket/")
        return connect(there, host="127.0.0.1", port=self.port, close_timeout=2)

    @contextlib.asynccontextmanager
    async def stream(self, topic: str, token: str = "") -> AsyncIterator[httpx.Response]:
        """Follow a path of a pod as a stream."""
        path = f"/notifications/stream?topic={quote(BASE + topic, safe='')}"
        headers = {"host": "localhost:8400"} | (self.house.shown("GET", path, token) if token else {})
        http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=10)
        async with http, http.stream("GET", path, headers=headers) as answer:
            yield answer


@contextlib.asynccontextmanager
async def served(house: Household) -> AsyncIterator[Served]:
    """The house on a port of its own."""
    server = _server(create(house.house, clockwork=False), house.house, host="127.0.0.1", port=0)
    work = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield Served(house, server.servers[0].sockets[0].getsockname()[1])
    finally:
        house.house.channels.end_all()
        server.should_exit = True
        await work


async def heard(socket: ClientConnection, many: int = 1) -> list[dict[str, Any]]:
    """The next messages."""
    return [json.loads(await asyncio.wait_for(socket.recv(), 5)) for _ in range(many)]


async def silent(socket: ClientConnection, seconds: float = 0.3) -> bool:
    """Whether nothing comes."""
    try:
        await asyncio.wait_for(socket.recv(), seconds)
    except TimeoutError:
        return True
    return False


async def lines(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """The messages of a stream."""
    async for line in answer.aiter_lines():
        if line:
            yield json.loads(line)


async def put(house: Household, path: str, token: str, body: bytes = b"dag") -> httpx.Response:
    """Store a text."""
    answer = await house.call("PUT", path, token, TEXT, body)
    assert answer.status_code in (201, 204), answer.text
    return answer
