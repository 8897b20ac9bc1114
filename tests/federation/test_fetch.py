"""The guarded fetcher: never an inner address, never more than a little, never waiting long."""

import asyncio
import gzip
import ssl
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from federation import fetch
from federation.addresses import is_global
from federation.errors import BadAnswer, FederationError, NotAllowed, Unreachable
from federation.fetch import Document, Fetcher, Limits
from tests.federation.sink import Sink, reply, sink

pytestmark = pytest.mark.enable_socket
NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
QUICK = Limits(connect=0.3, total=0.6)
TURTLE = "text/turtle"


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


async def failure(work: Coroutine[Any, Any, Document]) -> FederationError:
    with pytest.raises(FederationError) as caught:
        await work
    return caught.value


def ours(found: Sink, **more: Any) -> Fetcher:
    """A fetcher for which the sink is the vault's own origin."""
    return Fetcher(own=frozenset({found.origin}), limits=more.pop("limits", QUICK), **more)


INNER = Path(__file__).with_name("ssrf_hosts.txt").read_text().split()
SPELLED = [f"https://{host}:{{port}}/latest/meta-data" for host in INNER] + [
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "https://example.org@127.0.0.1:{port}/",
    "https://example.org:x@localhost:{port}/",
    "https://127.0.0.1:{port}@localhost:{port}/",
    "https://127.0.0.1:{port}\\@example.org/",
    "https://\u2460\u2461\u2466.0.0.1:{port}/",
    "https://127\u30020\u30020\u30021:{port}/",
    "https://\uff11\uff12\uff17.0.0.1:{port}/",
    "https://127.0.0.1%00.example.org:{port}/",
    "https://%31%32%37.0.0.1:{port}/",
    "https://[fe80::1%25lo]:{port}/",
    "https://[::1%25lo]:{port}/",
    "//127.0.0.1:{port}/",
    "https:///127.0.0.1:{port}/",
    "https://:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/",
    "unix:///run/x.sock",
    "data:text/turtle,x",
    "https://127.0.0.1:22/",
    "https://127.0.0.1 :{port}/",
    " https://127.0.0.1:{port}/",
    "https://127.0.0.1\r\n:{port}/",
    "",
    "x" * 3000,
]


def test_a_hundred_spellings_of_an_inner_address_make_no_connection() -> None:
    async def story() -> None:
        async with sink() as inner:
            fetcher = Fetcher(ports=frozenset({443, inner.port}), limits=QUICK)
            for spelled in SPELLED:
                error = await failure(fetcher.get(spelled.format(port=inner.port), TURTLE, NOW))
                # A name that the resolver does not know is as good as a refusal; anything else must be one.
                assert isinstance(error, NotAllowed) or error.reason == "name", spelled
            assert inner.connections == 0
            assert (await ours(inner).get(inner.origin + "/", TURTLE, NOW)).body == b"inner"
            assert inner.connections == 1

    assert len(set(SPELLED)) >= 100
    run(story())


@pytest.mark.parametrize("host", ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2a00:1450::1", "2606:4700::1"])
def test_ordinary_addresses_are_global(host: str) -> None:
    assert is_global(host)


@pytest.mark.parametrize("text", ["", "localhost", "fe80::1%eth0", "2a00::1%1", "1.2", "::ffff:8.8.8.8", "64:ff9b::"])
def test_what_is_no_plain_global_address_is_not_global(text: str) -> None:
    assert not is_global(text)


def test_a_name_with_one_inner_address_among_many_is_refused() -> None:
    async def lookup(host: str, port: int) -> list[str]:
        return ["8.8.8.8", "127.0.0.1"]

    error = run(failure(Fetcher(lookup=lookup).get("https://two.example/", TURTLE, NOW)))
    assert (type(error), error.reason) == (NotAllowed, "address")


def test_a_name_is_resolved_once_and_the_connection_goes_to_that_address() -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["8.8.8.8"]

    async def story() -> None:
        async with sink() as inner:
            origin = f"http://rebind.invalid:{inner.port}"  # a name that no system resolver knows
            document = await Fetcher(own=frozenset({origin}), lookup=rebinding).get(origin + "/x", TURTLE, NOW)
            assert document.body == b"inner"
            assert f"Host: rebind.invalid:{inner.port}".lower() in inner.requests[0].lower()

    run(story())
    assert asked == ["rebind.invalid"]


def test_a_name_that_turns_inward_after_the_check_reaches_nothing() -> None:
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["2a0f:ffff::1"] if len(asked) == 1 else ["127.0.0.1"]  # global, but routed nowhere

    async def story() -> None:
        async with sink() as inner:
            fetcher = Fetcher(ports=frozenset({inner.port}), lookup=rebinding, limits=QUICK)
            error = await failure(fetcher.get(f"https://rebind.example:{inner.port}/", TURTLE, NOW))
            assert isinstance(error, Unreachable)
            assert inner.connections == 0

    run(story())
    assert len(asked) == 1


def test_a_connection_that_ends_elsewhere_than_asked_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting to 0.0.0.0 really reaches 127.0.0.1: with the first check blinded, the second one still holds."""
    monkeypatch.setattr(fetch, "is_loopback", lambda _: True)

    async def lookup(host: str, port: int) -> list[str]:
        return ["0.0.0.0"]

    async def story() -> FederationError:
        async with sink() as inner:
            error = await failure(ours(inner, lookup=lookup).get(inner.origin + "/", TURTLE, NOW))
            assert inner.connections == 1
            return error

    error = run(story())
    assert (type(error), error.reason) == (NotAllowed, "address")


REDIRECTS = {
    "http": ("http://127.0.0.1:{other}/", "scheme"),
    "https inner": ("https://127.0.0.1:{other}/", "address"),
    "metadata": ("https://169.254.169.254:{other}/latest", "address"),
    "mapped": ("https://[::ffff:127.0.0.1]:{other}/", "address"),
    "userinfo": ("https://x@127.0.0.1:{other}/", "userinfo"),
    "other port": ("https://127.0.0.1:22/", "port"),
    "scheme-less": ("//127.0.0.1:{other}/", "scheme"),
    "file": ("file:///etc/passwd", "url"),
    "nowhere": ("", "url"),
    "itself": ("/again", "redirects"),
}


@pytest.mark.parametrize("name", REDIRECTS)
def test_a_redirect_is_checked_like_the_first_address(name: str) -> None:
    location, reason = REDIRECTS[name]

    async def story() -> None:
        async with sink() as inner:
            to = location.format(other=inner.port)
            async with sink(lambda _: reply(status="302 Found", Location=to)) as door:
                fetcher = ours(door, ports=frozenset({443, inner.port}))
                error = await failure(fetcher.get(door.origin + "/", TURTLE, NOW))
                assert (type(error), error.reason) == (NotAllowed, reason)
                assert door.connections == (4 if name == "itself" else 1)
                assert inner.connections == 0

    run(story())


def test_three_redirects_are_followed() -> None:
    def answer(path: str) -> bytes:
        step = int(path[1:])
        if step == 3:
            return reply(b"end", Content_Type="text/turtle; x=y")
        return reply(status="303 x", Location=f"/{step + 1}")

    async def story() -> Document:
        async with sink(answer) as found:
            return await ours(found).get(found.origin + "/0", TURTLE, NOW)  # type: ignore[no-any-return]

    document = run(story())
    assert document.url.endswith("/3")
    assert (document.media, document.body) == ("text/turtle", b"end")


def test_a_stranger_cannot_send_us_to_our_own_origin(certificates: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = certificates

    async def lookup(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def story() -> FederationError:
        async with sink() as house, sink(tls=server) as stranger:
            stranger.answer = lambda _: reply(status="302 Found", Location=house.origin + "/")
            own, ports = frozenset({house.origin}), frozenset({stranger.port})
            fetcher = Stranger(own=own, ports=ports, lookup=lookup, trust=client, limits=QUICK)
            error = await failure(fetcher.get(f"https://localhost:{stranger.port}/", TURTLE, NOW))
            assert (stranger.connections, house.connections) == (1, 0)
            return error

    error = run(story())
    assert (type(error), error.reason) == (NotAllowed, "downgrade")


class Stranger(Fetcher):
    """A fetcher for which every looked-up address counts as checked, to play a stranger on loopback."""

    async def _addresses(self, url: Any) -> list[str]:
        return await self._lookup(url.host, 0)


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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server context with a certificate for `localhost`, and a client context that trusts exactly it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .sign(key, hashes.SHA256())
    )
    folder: Path = tmp_path_factory.mktemp("tls")
    pem = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(secret + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


def test_the_certificate_is_checked_against_the_name_not_the_address(
    certificates: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    server, client = certificates

    async def lookup(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def story() -> None:
        async with sink(tls=server) as found:
            right, wrong = f"https://localhost:{found.port}", f"https://other.example:{found.port}"
            fetcher = Fetcher(own=frozenset({right, wrong}), lookup=lookup, trust=client, limits=QUICK)
            assert (await fetcher.get(right + "/", TURTLE, NOW)).body == b"inner"
            assert isinstance(await failure(fetcher.get(wrong + "/", TURTLE, NOW)), Unreachable)
            assert len(found.requests) == 1

    run(story())
