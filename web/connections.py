"""Connections that send no request: uvicorn waits for headers for ever, so each of them gets a deadline here.

At most `most` connections may be without a complete request; one more, and the one that waited longest is closed.
"""

import asyncio
from collections import OrderedDict
from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

WAITING: Final = 1024


class Guarded(HttpToolsProtocol):
    """One connection, with `seconds` for the headers of each request since it was made or since their first byte,
    and `patience` seconds to take what was sent.
    """

    seconds: ClassVar[float]
    patience: ClassVar[float]
    most: ClassVar[int]
    waiting: ClassVar[OrderedDict["Guarded", asyncio.TimerHandle]]
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a first request."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._end()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Something waits to be taken; closing waits for that too, so it gets a deadline."""
        super().pause_writing()
        self._taken()
        self._stuck = self.loop.call_later(self.patience, self.transport.abort)

    def resume_writing(self) -> None:
        """All of it was taken."""
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first ones of a next request have a deadline of their own."""
        cycle: RequestResponseCycle | None = self.cycle
        if self not in self.waiting and (cycle is None or cycle.response_complete):
            self._begin()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The request is there; from here on `web.patience` waits."""
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        self.waiting[self] = self.loop.call_later(self.seconds, self.drop)
        if len(self.waiting) > self.most:
            next(iter(self.waiting)).drop()

    def _end(self) -> None:
        if (timer := self.waiting.pop(self, None)) is not None:
            timer.cancel()

    def drop(self) -> None:
        """Close the connection at once."""
        self._end()
        self.transport.abort()


def guarded(seconds: float, patience: float, most: int = WAITING) -> type[Guarded]:
    """The protocol of one server."""
    bounds = {"seconds": seconds, "patience": patience, "most": most, "waiting": OrderedDict()}
    return type("Guarded", (Guarded,), bounds)
