"""Clients that let us wait, on real sockets against a live server: they cost a bounded time, others are served."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import uvicorn

from tests.house import Household
from web.app import _Server
from web.connections import Guarded, guarded
from web.middleware import App
from web.patience import TooSlow, patient, prompt

WAIT = 0.6
HOST = b"Host: localhost:8400\r\n"


@pytest.fixture
async def port(house: Household) -> AsyncIterator[int]:
    app: App = house.app
    app.wait = WAIT  # type: ignore[attr-defined]
    config = uvicorn.Config(app, http=guarded(WAIT, WAIT, most=20), port=0, log_level="error", lifespan="off")
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await task


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def said(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), 10 * WAIT)
    except ConnectionResetError:
        return b""


async def served(port: int) -> bool:
    async with connected(port) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        return (await said(reader)).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-A: b\r\nX-"])
async def test_headers_that_never_come_whole_end_the_connection(port: int, begun: bytes) -> None:
    async with connected(port) as (reader, writer):
        writer.write(begun)
        before = time.monotonic()
        assert await said(reader) == b""
        assert time.monotonic() - before < 5 * WAIT


async def test_headers_that_trickle_do_not_gain_time(port: int) -> None:
    async with connected(port) as (reader, writer):
        before = time.monotonic()
        reading = asyncio.create_task(said(reader))
        for letter in b"GET /" + b"x" * 60:
            if reading.done():
                break
            writer.write(bytes([letter]))
            await asyncio.sleep(WAIT / 6)
        assert await reading == b""
        assert time.monotonic() - before < 5 * WAIT


async def test_hundreds_of_silent_connections_leave_room_for_others(port: int) -> None:
    async with AsyncExitStack() as stack:
        silent = [await stack.enter_async_context(connected(port)) for _ in range(200)]
        assert await served(port)
        ended = [reader for reader, _ in silent if reader.at_eof() or reader.exception()]
        assert len(ended) >= 150  # closed at once, not after the wait


async def test_a_body_that_trickles_is_408_and_stores_nothing_while_others_are_served(
    house: Household, port: int
) -> None:
    token, path = await house.jwt(), "/pods/an/inbox/traag.bin"
    shown = house.shown("PUT", path, token) | {"content-type": "application/octet-stream", "content-length": "999999"}
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in shown.items())
    async with connected(port) as (reader, writer):
        writer.write(f"PUT {path} HTTP/1.1\r\n".encode() + HOST + head + b"\r\nx")
        reading = asyncio.create_task(said(reader))
        for _ in range(12):  # often enough, but too little
            if reading.done():
                break
            await asyncio.sleep(WAIT / 4)
            writer.write(b"y")
            assert await served(port)
        answer = await reading
    assert answer.startswith(b"HTTP/1.1 408") and b"urn:kluis:problem:too-slow" in answer, answer
    assert (await house.call("GET", path, token)).status_code == 404


async def test_a_body_that_stands_still_is_too_slow_and_one_that_ended_may_wait() -> None:
    held = asyncio.Event()

    async def receive() -> dict[str, object]:
        if held.is_set():
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}
        held.set()
        return {"type": "http.request", "body": b"x", "more_body": more}

    more = True
    bounded = patient(receive, 0.05)
    await bounded()
    with pytest.raises(TooSlow):
        await bounded()
    held.clear()
    more = False
    bounded = patient(receive, 0.05)
    await bounded()
    assert (await bounded())["type"] == "http.disconnect"


async def test_a_client_that_takes_nothing_is_too_slow() -> None:
    async def send(_: object) -> None:
        await asyncio.sleep(1)

    with pytest.raises(TooSlow):
        await prompt(send, 0.02)({"type": "http.response.body"})


@pytest.mark.parametrize("size", [40_000, 4_000_000])
async def test_an_answer_that_is_never_taken_ends_its_connection(
    house: Household, port: int, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """What was written and not taken is dropped too: closing alone would wait for its client for ever."""
    closed = asyncio.Event()
    lost = Guarded.connection_lost

    def seen(self: Guarded, exc: Exception | None) -> None:
        lost(self, exc)
        closed.set()

    token, path = await house.jwt(), "/pods/an/inbox/groot.bin"
    put = await house.call("PUT", path, token, {"content-type": "application/octet-stream"}, b"x" * size)
    assert put.status_code == 201
    monkeypatch.setattr(Guarded, "connection_lost", seen)
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(raw, ("127.0.0.1", port))
        for _ in range(1 if size > 1_000_000 else 60):
            shown = house.shown("GET", path, token)
            head = b"".join(f"{name}: {value}\r\n".encode() for name, value in shown.items())
            await loop.sock_sendall(raw, f"GET {path} HTTP/1.1\r\n".encode() + HOST + head + b"\r\n")
        assert await served(port)
        closed.clear()
        await asyncio.wait_for(closed.wait(), 10 * WAIT)
