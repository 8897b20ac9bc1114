"""WebhookChannel2023: signed, at least once, never after the end, and never inward."""

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from keys.sign import verify_jws
from tests.conftest import BASE
from tests.house import ALL_INTERESTS, Granted, Household
from tests.log.acts import ONGOING
from tests.log.reopened import again
from tests.web.notifications.listening import HOOK, LD
from tests.web.pushing import until
from vault.tables import Hook, Knock

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]


@dataclass
class Receiver:
    """Somebody who is sent messages; answers as told, the last answer for ever."""

    answers: list[int]
    port: int = 0
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    begun: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hier?x=1"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.begun += 1
            await self.hold.wait()
            lines = head.split("\r\n")
            headers = {k.lower(): v for k, v in (one.split(": ", 1) for one in lines[1:] if one)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.got.append((lines[0], headers, body))
            status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.got]


@contextlib.asynccontextmanager
async def receiving(*answers: int) -> AsyncIterator[Receiver]:
    found = Receiver(list(answers) or [204])
    found.hold.set()
    server = await asyncio.start_server(found.take, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


@contextlib.asynccontextmanager
async def knocking(house: Household) -> AsyncIterator[None]:
    """What waits for webhooks goes out."""
    house.house.channels.listen()
    work = asyncio.create_task(house.house.knocking.run(house.house))
    try:
        await asyncio.sleep(0)
        yield
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def hooked(house: Household, token: str, url: str, topic: str = "/pods/an/interests/", **more: str) -> int:
    body = {"@context": ["https://www.w3.org/ns/solid/notifications-context/v1"], "type": "WebhookChannel2023"}
    said = json.dumps(body | {"topic": BASE + topic, "sendTo": url} | more).encode()
    return (await house.call("POST", HOOK, token, LD, said)).status_code


async def begun(house: Household, url: str) -> Granted:
    granted = await house.grant(ALL_INTERESTS, **ONGOING)
    assert await hooked(house, granted.access, url) == 200
    return granted


def left(house: Household) -> tuple[int, int]:
    read = house.vault.db.read
    return len(read.find(Hook)), len(read.find(Knock))


async def test_a_message_is_signed_so_that_anybody_can_check_it_with_the_published_key(house: Household) -> None:
    async with receiving() as there, knocking(house):
        await begun(house, there.url)
        await house.keep("/interests/b.jsonld", {"schema:name": "geheim"})
        await until(lambda: there.got)
        line, headers, body = there.got[0]
    assert line == "POST /hier?x=1 HTTP/1.1" and headers["content-type"] == "application/ld+json"
    told = json.loads(body)
    assert (told["type"], told["object"]) == ("Add", f"{BASE}/pods/an/interests/b.jsonld") and b"geheim" not in body
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert headers["content-digest"] == f"sha-256=:{digest}:"
    found = re.fullmatch(r"sig=(\((.*)\);created=\d+;expires=\d+;keyid=\"(.*)\";alg=\"ecdsa-p256-sha256\")",
                         headers["signature-input"])  # fmt: skip
    assert found is not None
    covered = {"@method": "POST", "@target-uri": there.url, **headers}
    base = [f'"{name}": {covered[name]}' for name in re.findall(r'"([^"]+)"', found[2])]
    base.append(f'"@signature-params": {found[1]}')
    jwks = (await house.http.get("/oauth/jwks")).json()["keys"]
    (key,) = [one for one in jwks if one["kid"] == found[3]]
    assert ECKey.import_key(key)
    signature = base64.b64decode(headers["signature"].removeprefix("sig=:").removesuffix(":"))
    verify_jws("ES256", key, "\n".join(base).encode(), signature)
    assert {"@method", "@target-uri", "content-digest"} <= set(re.findall(r'"([^"]+)"', found[2]))


async def test_what_a_receiver_did_not_take_comes_again_with_the_same_id_and_in_order(house: Household) -> None:
    async with receiving(500, 503, 204) as there, knocking(house):
        await begun(house, there.url)
        for name in "bcd":
            await house.keep(f"/interests/{name}.jsonld", {})
        for _ in range(20):
            house.clock.forward(seconds=10)
            await asyncio.sleep(0.3)
            if len(there.got) == 5:
                break
        told = there.told()
        assert [one["object"][-8:-7] for one in told] == ["b", "b", "b", "c", "d"]
        assert len({one["id"] for one in told}) == 3
        await until(lambda: left(house) == (1, 0))
        await house.quiet()
    lines = [line for line in house.told() if line["action"] == "notify"]
    assert len(lines) == 5 and {line["note"] for line in lines} == {"WebhookChannel2023"}


async def test_a_rate_spreads_messages_and_none_comes_before_the_start(house: Household) -> None:
    async with receiving() as there, knocking(house):
        granted = await house.grant(ALL_INTERESTS, **ONGOING)
        more = {"rate": "PT60S", "startAt": "2026-11-21T10:05:00Z"}
        assert await hooked(house, granted.access, there.url, **more) == 200
        await house.keep("/interests/b.jsonld", {})
        await until(lambda: left(house) == (1, 0))
        house.clock.forward(minutes=6)
        for name in "cd":
            await house.keep(f"/interests/{name}.jsonld", {})
        await until(lambda: there.got)
        await asyncio.sleep(0.7)
        assert [one["object"][-8:-7] for one in there.told()] == ["c"]
        house.clock.forward(seconds=61)
        await until(lambda: len(there.got) == 2)


async def test_what_happened_before_a_crash_is_told_after_the_start(house: Household, tmp_path: Path) -> None:
    async with receiving() as there:
        await begun(house, there.url)
        await house.keep("/interests/b.jsonld", {})
        assert left(house) == (1, 1)
        house.vault.close()
        vault = again(tmp_path, house)
        from web.app import House

        started = House(vault, house.house.settings, house.clock, house.house.recommender)
        started.channels.listen()
        work = asyncio.create_task(started.knocking.run(started))
        await until(lambda: there.got)
        await until(lambda: not vault.db.read.find(Knock))
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        vault.close()


async def _freeze(house: Household, granted: Granted) -> object:
    from keys.text import b64

    return await house.press(f"/me/access/{b64(granted.id)}/restrict")


@pytest.mark.parametrize("how", ["withdraw", "freeze"])
async def test_the_end_of_a_grant_takes_the_webhook_and_all_that_waits_with_it(house: Household, how: str) -> None:
    async with receiving() as there:
        granted = await begun(house, there.url)
        await house.keep("/interests/b.jsonld", {})
        await (house.withdraw(granted) if how == "withdraw" else _freeze(house, granted))
        assert left(house) == (0, 0)
        await house.keep("/interests/c.jsonld", {})
        assert left(house) == (0, 0)
        async with knocking(house):
            await asyncio.sleep(0.2)
        assert there.got == []


async def test_a_message_on_its_way_is_broken_off_by_the_withdrawal(house: Household) -> None:
    async with receiving() as there, knocking(house):
        there.hold.clear()  # it took the head and no more
        granted = await begun(house, there.url)
        await house.keep("/interests/b.jsonld", {})
        await until(lambda: there.begun)
        await house.withdraw(granted)
        lanes = house.house.knocking._lanes
        await until(lambda: all(lane.work is None or lane.work.done() for lane in lanes.values()))
        there.hold.set()
        await asyncio.sleep(0.2)
        assert there.begun == 1 and left(house) == (0, 0)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_receiver_that_says_three_times_that_it_is_not_there_is_left_alone(
    house: Household, status: int
) -> None:
    async with receiving(status) as there, knocking(house):
        await begun(house, there.url)
        await house.keep("/interests/b.jsonld", {})
        for _ in range(20):
            if left(house) == (0, 0):
                break
            house.clock.forward(seconds=20)
            await asyncio.sleep(0.3)
        assert len(there.got) == 3 and left(house) == (0, 0)
        await house.quiet()
    (line,) = [line for line in house.told() if line["action"] == "unfollow"]
    assert line["rule"] == "unwanted"


@pytest.mark.parametrize(
    "url",
    ["http://evil.example/x", "https://user@evil.example/x", "ftp://evil.example/", "file:///etc/passwd",
     "https://evil.example:22/x", "", "https://evil.example/#f", "http://169.254.169.254/latest"],
)  # fmt: skip
async def test_an_address_that_is_never_asked_is_422(house: Household, url: str) -> None:
    granted = await house.grant(ALL_INTERESTS, **ONGOING)
    assert await hooked(house, granted.access, url) == 422
    assert left(house) == (0, 0)


async def test_an_inner_address_gets_nothing_though_its_name_looks_like_any_other(house: Household) -> None:
    async def inner(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async with receiving() as there:
        granted = await house.grant(ALL_INTERESTS, **ONGOING)
        object.__setattr__(house.house.knocking.courier, "lookup", inner)
        assert await hooked(house, granted.access, "https://rebind.example/x") == 200
        async with knocking(house):
            await house.keep("/interests/b.jsonld", {})
            await asyncio.sleep(0.3)
        assert there.begun == 0 and left(house) == (1, 1)


async def test_nobody_gets_a_webhook_without_a_grant_that_could_end_it(house: Household) -> None:
    assert await hooked(house, "", "https://a.example/x", "/pods/an/public/") == 401


async def test_a_receiver_that_falls_too_far_behind_loses_its_channel_and_not_the_writer(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vault import hooks

    monkeypatch.setattr(hooks, "MOST", 3)
    await begun(house, "https://a.example/x")
    for number in range(5):
        await house.keep(f"/interests/{number}.jsonld", {})
    assert left(house) == (0, 0)
