"""From a WebID to its issuers and their keys."""

import asyncio
import json
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from federation import webid
from federation.errors import BadAnswer
from federation.fetch import Fetcher
from federation.webid import same_issuer
from tests.federation.sink import Sink, reply, sink

pytestmark = pytest.mark.enable_socket
NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
PROFILE = b"""@prefix solid: <http://www.w3.org/ns/solid/terms#>.
<#me> solid:oidcIssuer <https://idp.example>, <https://two.example/>, "https://literal.example".
<#other> solid:oidcIssuer <https://evil.example>.
<#me> solid:oidcIssuer <https://idp.example>."""


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def ours(found: Sink) -> Fetcher:
    return Fetcher(own=frozenset({found.origin}))


def test_a_webid_names_its_own_issuers_only() -> None:
    async def story() -> list[str]:
        async with sink(lambda _: reply(PROFILE, Content_Type="text/turtle; charset=utf-8")) as found:
            return await webid.issuers(ours(found), found.origin + "/card#me", NOW)

    assert run(story()) == ["https://idp.example", "https://two.example/"]


def test_a_json_ld_profile_is_read_the_same_way() -> None:
    body = b'{"@id": "#me", "http://www.w3.org/ns/solid/terms#oidcIssuer": {"@id": "https://idp.example"}}'

    async def story() -> bool:
        async with sink(lambda _: reply(body, Content_Type="application/ld+json")) as found:
            return await webid.speaks_for(ours(found), "https://IDP.example:443/", found.origin + "/card#me", NOW)

    assert run(story())


@pytest.mark.parametrize(
    ("body", "media", "reason"),
    [
        (PROFILE, "text/html", "media"),
        (b"<#me> a", "text/turtle", "form"),
        (b"[" * 60_000, "application/ld+json", "form"),
        (b'{"@context": "http://127.0.0.1:1/x"}', "application/ld+json", "form"),
    ],
)
def test_a_profile_that_is_no_rdf_names_nobody(body: bytes, media: str, reason: str) -> None:
    async def story() -> BadAnswer:
        async with sink(lambda _: reply(body, Content_Type=media)) as found:
            with pytest.raises(BadAnswer) as caught:
                await webid.issuers(ours(found), found.origin + "/card#me", NOW)
            return caught.value

    assert run(story()).reason == reason


def test_an_issuer_that_was_taken_out_is_gone_within_a_minute() -> None:
    async def story() -> None:
        async with sink(lambda _: reply(PROFILE, Content_Type="text/turtle")) as found:
            fetcher, me = ours(found), found.origin + "/card#me"
            assert await webid.speaks_for(fetcher, "https://two.example", me, NOW)
            found.answer = lambda _: reply(PROFILE.replace(b"two", b"three"), Content_Type="text/turtle")
            assert not await webid.speaks_for(fetcher, "https://two.example", me, NOW + timedelta(seconds=60))

    run(story())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://idp.example", "https://idp.example/", True),
        ("https://IDP.example", "HTTPS://idp.example:443", True),
        ("http://localhost:8400", "http://localhost:8400/", True),
        ("https://idp.example/a/", "https://idp.example/a", True),
        ("https://idp.example/a", "https://idp.example/A", False),
        ("https://idp.example", "http://idp.example", False),
        ("https://idp.example", "https://idp.example:8443", False),
        ("https://idp.example", "https://idp.example.evil", False),
        ("https://idp.example", "https://x@idp.example", False),
        ("https://idp.example", "https://idp.example/?a", False),
        ("https://idp.example:x", "https://idp.example:x", False),
        ("", "", False),
    ],
)
def test_two_spellings_of_one_issuer_are_one(one: str, other: str, same: bool) -> None:
    assert same_issuer(one, other) is same_issuer(other, one) is same


def issuer_of(found: Sink, keys: list[dict[str, str]], named: str | None = None) -> None:
    """Make the sink an issuer with these keys."""

    def answer(path: str) -> bytes:
        if path == "/.well-known/openid-configuration":
            said: dict[str, object] = {"issuer": named or found.origin + "/", "jwks_uri": found.origin + "/jwks"}
        else:
            said = {"keys": keys}
        return reply(json.dumps(said).encode())

    found.answer = answer


def test_an_issuers_keys_are_found_through_its_configuration() -> None:
    async def story() -> None:
        async with sink() as found:
            issuer_of(found, [{"kid": "a"}])
            assert await webid.keys(ours(found), found.origin, NOW) == [{"kid": "a"}]

    run(story())


def test_a_configuration_of_another_issuer_is_refused() -> None:
    async def story() -> str:
        async with sink() as found:
            issuer_of(found, [], named="https://idp.example")
            with pytest.raises(BadAnswer) as caught:
                await webid.keys(ours(found), found.origin, NOW)
            return caught.value.reason

    assert run(story()) == "issuer"


def test_an_unknown_key_makes_one_new_fetch_in_thirty_seconds() -> None:
    async def story() -> None:
        async with sink() as found:
            issuer_of(found, [{"kid": "old"}])
            fetcher = ours(found)
            await webid.keys(fetcher, found.origin, NOW, "old")
            issuer_of(found, [{"kid": "new"}])
            later = NOW + timedelta(seconds=31)
            assert await webid.keys(fetcher, found.origin, later, "new") == [{"kid": "new"}]
            before = found.connections
            for _ in range(50):
                await webid.keys(fetcher, found.origin, later, "never")
            assert found.connections == before

    run(story())


@pytest.mark.parametrize("body", [b"[]", b"nope", b"{}", b'{"keys": {}}', b'{"keys": [1]}', b'{"keys":' + b"[" * 30000])
def test_a_key_set_of_another_form_is_refused(body: bytes) -> None:
    async def story() -> str:
        async with sink() as found:
            issuer_of(found, [])
            configured = found.answer
            found.answer = lambda path: reply(body) if path == "/jwks" else configured(path)
            with pytest.raises(BadAnswer) as caught:
                await webid.keys(ours(found), found.origin, NOW)
            return caught.value.reason

    assert run(story()) == "form"
