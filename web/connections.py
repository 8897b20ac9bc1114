"""Connections that send no request: uvicorn waits for headers for ever, so each of them gets a deadline here.

At most WAITING connections may be without a complete request; one more, and the one that waited longest is closed.
"""

import asyncio
from collections import OrderedDict
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

WAITING: Final = 1024


def guarded(seconds: float, most: int = WAITING) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, with `seconds` for the headers of a request since the connection or its first byte."""
    waiting: OrderedDict[Guarded, asyncio.TimerHandle] = OrderedDict()

    class Guarded(HttpToolsProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.begin()

        def connection_lost(self, exc: Exception | None) -> None:
            self.end()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            cycle: RequestResponseCycle | None = self.cycle
            if self not in waiting and (cycle is None or cycle.response_complete):
                self.begin()  # the first bytes of a next request
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self.end()
            super().on_headers_complete()

        def begin(self) -> None:
            waiting[self] = self.loop.call_later(seconds, self.drop)
            if len(waiting) > most:
                next(iter(waiting)).drop()

        def end(self) -> None:
            if (timer := waiting.pop(self, None)) is not None:
                timer.cancel()

        def drop(self) -> None:
            self.end()
            self.transport.abort()

    return Guarded
