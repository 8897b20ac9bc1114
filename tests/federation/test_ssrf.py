"""The fetcher cannot be led to an inner address: not by spelling, name, redirect or certificate."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from federation import fetch
from federation.addresses import is_global
from federation.errors import FederationError, NotAllowed, Unreachable
from federation.fetch import Document, Fetcher
from tests.federation.fetching import NOW, QUICK, TURTLE, failure, ours, run
from tests.federation.sink import reply, sink

pytestmark = pytest.mark.enable_socket
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
