"""A raw server on loopback that counts connections and answers with fixed bytes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Sink:
    """What came in: `connections` counts, `requests` holds heads. `answer` maps a path to the raw answer."""

    def __init__(self, answer: Callable[[str], bytes]) -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[str] = []
        self.port = 0
        self.hold = 0.0

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            self.requests.append(head)
            await asyncio.sleep(self.hold)
            writer.write(self.answer(head.split(" ")[1]))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


def reply(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """A raw HTTP answer; header names are written with `_` for `-`."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    if not {"Content_Length", "Transfer_Encoding"} & headers.keys():
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


@asynccontextmanager
async def sink(
    answer: Callable[[str], bytes] = lambda _: reply(b"inner", Content_Type="text/turtle"),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Sink]:
    """A running sink on 127.0.0.1 (and ::1 where the machine has it), the same port on both."""
    found = Sink(answer)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        six = [await asyncio.start_server(found.serve, "::1", found.port, ssl=tls)]
    except OSError:
        six = []
    try:
        yield found
    finally:
        for one in (server, *six):
            one.close()
