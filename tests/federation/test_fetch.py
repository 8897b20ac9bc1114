"""The fetcher takes only a little, waits only a little, remembers for a while and asks once."""

import asyncio
import gzip
import time
from datetime import timedelta

import pytest

from federation.errors import BadAnswer, FederationError, Unreachable
from federation.fetch import Document, Fetcher
from tests.federation.fetching import NOW, QUICK, TURTLE, failure, ours, run
from tests.federation.sink import reply, sink

pytestmark = pytest.mark.enable_socket

BAD = {
    "big": (reply(b"x" * 65_537), "too_large"),
    "gzip": (reply(gzip.compress(b"x" * 10_000_000), Content_Encoding="gzip"), "encoding"),
    "unknown encoding": (reply(b"x", Content_Encoding="br"), "encoding"),
    "gone": (reply(status="410 Gone"), "status"),
    "partial": (reply(b"x", status="206 Partial Content"), "status"),
    "chunked": (
        reply(b"10000\r\n" + b"x" * 0x10000 + b"\r\n1\r\nx\r\n0\r\n\r\n", Transfer_Encoding="chunked"),
        "too_large",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_an_answer_that_we_do_not_take_is_refused(name: str) -> None:
    async def story() -> FederationError:
        async with sink(lambda _: BAD[name][0]) as found:
            return await failure(ours(found).get(found.origin + "/", TURTLE, NOW))

    error = run(story())
    assert (type(error), error.reason) == (BadAnswer, BAD[name][1])


def test_an_answer_of_exactly_the_limit_is_taken() -> None:
    async def story() -> Document:
        async with sink(lambda _: reply(b"x" * 65_536)) as found:
            return await ours(found).get(found.origin + "/", TURTLE, NOW)  # type: ignore[no-any-return]

    assert len(run(story()).body) == 65_536


BROKEN = {
    "nothing": b"",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx",
    "noise": b"no http",
    "busy": reply(status="503 x"),
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 90_000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_peer_is_unreachable(name: str) -> None:
    async def story() -> FederationError:
        async with sink(lambda _: BROKEN[name]) as found:
            return await failure(ours(found).get(found.origin + "/", TURTLE, NOW))

    assert isinstance(run(story()), Unreachable)


def test_a_slow_body_ends_at_the_total_time() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def story() -> FederationError:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            return await failure(Fetcher(own=frozenset({origin}), limits=QUICK).get(origin + "/", TURTLE, NOW))

    started = time.monotonic()
    error = run(story())
    assert (type(error), error.reason) == (Unreachable, "timeout")
    assert time.monotonic() - started < 2


def test_a_thousand_parallel_calls_are_one_fetch() -> None:
    async def story() -> None:
        async with sink() as found:
            found.hold = 0.05
            fetcher = ours(found)
            documents = await asyncio.gather(*(fetcher.get(found.origin + "/", TURTLE, NOW) for _ in range(1000)))
            assert {d.body for d in documents} == {b"inner"}
            assert found.connections == 1

    run(story())


def test_a_caller_that_leaves_does_not_end_the_shared_fetch() -> None:
    async def story() -> None:
        async with sink() as found:
            found.hold = 0.1
            fetcher = ours(found)
            first = asyncio.create_task(fetcher.get(found.origin + "/", TURTLE, NOW))
            await asyncio.sleep(0.03)
            second = asyncio.create_task(fetcher.get(found.origin + "/", TURTLE, NOW))
            await asyncio.sleep(0)
            first.cancel()
            assert (await second).body == b"inner"
            assert found.connections == 1

    run(story())


def test_an_answer_is_kept_five_minutes_or_as_short_as_asked() -> None:
    async def story() -> None:
        async with sink() as found:
            fetcher, url = ours(found), found.origin + "/"
            steps = [(0, None, 1), (299, None, 1), (299, 60, 2), (598, None, 2), (600, None, 3)]
            for seconds, max_age, connections in steps:
                age = timedelta(seconds=max_age) if max_age else None
                await fetcher.get(url, TURTLE, NOW + timedelta(seconds=seconds), age)
                assert found.connections == connections

    run(story())


def test_a_dead_peer_is_answered_for_by_its_last_copy_for_an_hour() -> None:
    async def story() -> None:
        async with sink() as found:
            fetcher, url = ours(found), found.origin + "/"
            await fetcher.get(url, TURTLE, NOW)
            found.answer = lambda _: reply(status="500 x")
            assert (await fetcher.get(url, TURTLE, NOW + timedelta(minutes=6))).body == b"inner"
            assert (await fetcher.get(url, TURTLE, NOW + timedelta(minutes=59))).body == b"inner"
            assert isinstance(await failure(fetcher.get(url, TURTLE, NOW + timedelta(minutes=61))), Unreachable)

    run(story())


def test_a_document_that_was_taken_away_is_not_answered_from_a_copy() -> None:
    async def story() -> None:
        async with sink() as found:
            fetcher, url = ours(found), found.origin + "/"
            await fetcher.get(url, TURTLE, NOW)
            found.answer = lambda _: reply(status="404 Not Found")
            assert isinstance(await failure(fetcher.get(url, TURTLE, NOW + timedelta(minutes=6))), BadAnswer)

    run(story())


def test_a_failed_peer_is_left_alone_for_thirty_seconds() -> None:
    async def story() -> None:
        async with sink(lambda _: reply(status="500 x")) as found:
            fetcher, url = ours(found), found.origin + "/"
            for seconds, connections in [(0, 1), (29, 1), (30, 2), (31, 2)]:
                await failure(fetcher.get(url, TURTLE, NOW + timedelta(seconds=seconds)))
                assert found.connections == connections

    run(story())


def test_no_more_than_a_few_hundred_answers_are_kept() -> None:
    async def story() -> None:
        async with sink() as found:
            fetcher = ours(found)
            for number in range(300):
                await fetcher.get(f"{found.origin}/{number}", TURTLE, NOW)
            assert len(fetcher._kept) == 256

    run(story())


def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    async def story() -> bytes:
        async with sink() as found:
            return (await ours(found).get(found.origin + "/", TURTLE, NOW)).body  # type: ignore[no-any-return]

    assert run(story()) == b"inner"
