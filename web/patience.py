"""How long we wait for a client: for the next bytes of its body, and for it to take the next bytes of an answer.

A body must bring something every `wait` seconds and, once it takes longer than that, `FLOOR` bytes a second on average.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
FLOOR: Final = 1024


class TooSlow(Exception):
    """A client let us wait too long."""

    code = "too_slow"


def patient(receive: Receive, wait: float) -> Receive:
    """The same body, but one that comes too slowly raises TooSlow; what comes after it (a leaving client) may not."""
    loop = asyncio.get_running_loop()
    begun, seen, whole = loop.time(), 0, False

    async def bounded() -> Message:
        nonlocal seen, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout(wait):
                message = await receive()
        except TimeoutError:
            raise TooSlow("nothing came for too long") from None
        seen += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if not whole and loop.time() - begun > wait and seen < FLOOR * (loop.time() - begun):
            raise TooSlow("too little came for too long")
        return message

    return bounded


def prompt(send: Send, wait: float) -> Send:
    """The same way out, but a client that does not take what it asked for raises TooSlow."""

    async def bounded(message: Message) -> None:
        try:
            async with asyncio.timeout(wait):
                await send(message)
        except TimeoutError:
            raise TooSlow("the client takes nothing") from None

    return bounded
