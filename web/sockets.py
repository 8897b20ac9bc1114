"""WebSocketChannel2023: the address that a subscription gave, once, until whoever connected leaves or may not stay.

The secret in the address is the only key; no cookie and no origin counts. What a client sends is read and thrown away,
and little of it: the server takes messages of at most 1 KiB (`web.app`), and 64 of them.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from web.channels import Channel
from web.middleware import App, Receive, Scope, Send

if TYPE_CHECKING:
    from web.app import House

PREFIX: Final = b"/notifications/socket/"
LARGEST: Final = 1024
TALK: Final = 64
CODES: Final = {"slow": 1013, "stopping": 1012, "ended": 1008, "refused": 1008, "log": 1011}


def create(house: "House") -> App:
    """The app that answers WebSockets: those of channels, and no others."""
    host = house.base.split("://", 1)[1].encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        named = [value.lower() for name, value in scope["headers"] if name == b"host"] == [host]
        secret = raw.removeprefix(PREFIX).decode("latin-1") if named and raw.startswith(PREFIX) else ""
        channel = house.channels.claim(secret)
        if channel is None:
            await send({"type": "websocket.close"})
            return
        try:
            await _serve(house, channel, receive, send)
        finally:
            house.channels.close(channel)

    return app


async def _serve(house: "House", channel: Channel, receive: Receive, send: Send) -> None:
    async def put(text: bytes) -> None:
        await send({"type": "websocket.send", "text": text.decode()})

    await send({"type": "websocket.accept"})
    telling = asyncio.create_task(house.channels.serve(channel, put))
    hearing = asyncio.create_task(_until_gone(receive))
    try:
        await asyncio.wait({telling, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (telling, hearing):
            task.cancel()
        await asyncio.gather(telling, hearing, return_exceptions=True)
    if hearing.cancelled() or not hearing.result():
        await send({"type": "websocket.close", "code": CODES.get(channel.over, 1000), "reason": channel.over})


async def _until_gone(receive: Receive) -> bool:
    """Read what the client says until it leaves; False if it talks too much."""
    for _ in range(TALK):
        if (await receive())["type"] == "websocket.disconnect":
            return True
    return False
