"""StreamingHTTPChannel2023: a stream that is found from the topic itself, read like a read, and ended like one."""

import asyncio
import json

import httpx
import pytest

from tests.conftest import BASE
from tests.house import ALL_INTERESTS, Household
from tests.log.acts import ONGOING
from tests.web.notifications.listening import CONTEXT, LD, OPEN, SOCKET, STREAM, lines, put, served

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(60)]
NOTE = "/pods/an/notes/a.txt"


async def test_the_stream_is_linked_from_its_topic_and_tells_one_message_a_line(house: Household) -> None:
    token = await house.jwt()
    answer = await put(house, NOTE, token)
    link = (await house.call("GET", NOTE, token)).headers["link"]
    address = f"<{BASE}/notifications/stream?topic=http%3A%2F%2Flocalhost%3A8400%2Fpods%2Fan%2Fnotes%2Fa.txt>"
    assert f'{address}; rel="http://www.w3.org/ns/solid/terms#updatesViaStreamingHttp2023"' in link
    async with served(house) as there, there.stream(NOTE, token) as stream:
        assert stream.status_code == 200 and stream.headers["content-type"].startswith("application/ld+json")
        answer = await put(house, NOTE, token, b"anders")
        told = await asyncio.wait_for(anext(lines(stream)), 5)
        assert (told["type"], told["state"]) == ("Update", answer.headers["etag"])


async def test_a_stream_ends_whole_when_its_grant_does(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, **ONGOING)
    async with served(house) as there, there.stream("/pods/an/interests/", granted.access) as stream:
        await house.withdraw(granted)
        await house.keep("/interests/b.jsonld", {})
        assert [one async for one in lines(stream)] == []  # and no error: the body was ended properly


async def test_a_stream_outlives_its_token_and_not_its_client(house: Household) -> None:
    token = await house.jwt()
    async with served(house) as there:
        async with there.stream(NOTE, token) as stream:
            house.clock.forward(minutes=6)
            house.house.channels.tick()
            await put(house, NOTE, await house.jwt())
            assert (await asyncio.wait_for(anext(lines(stream)), 5))["type"] == "Create"
        for _ in range(200):
            if not house.house.channels.count(house.session.pod.id):
                break
            await asyncio.sleep(0.01)
        assert house.house.channels.count(house.session.pod.id) == 0


async def test_a_stream_is_for_who_may_read(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, **ONGOING)
    async with served(house) as there:
        for path, token, status in ((NOTE, "", 401), ("/pods/an/loans/", granted.access, 403)):
            async with there.stream(path, token) as stream:
                assert stream.status_code == status


async def test_a_stream_that_was_subscribed_to_is_claimed_once(house: Household) -> None:
    token = await house.jwt()
    async with served(house) as there:
        address = (await there.ask(STREAM, token, topic=BASE + NOTE)).json()["receiveFrom"].removeprefix(BASE)
        http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{there.port}", headers={"host": "localhost:8400"})
        async with http, http.stream("GET", address) as stream:
            assert (await http.get(address)).status_code == 404
            await put(house, NOTE, token)
            assert (await asyncio.wait_for(anext(lines(stream)), 5))["type"] == "Create"


async def test_a_stopping_server_ends_every_stream(house: Household) -> None:
    token = await house.jwt()
    async with served(house) as there, there.stream(NOTE, token) as stream:
        house.house.channels.end_all()
        assert json.dumps([one async for one in lines(stream)]) == "[]"


async def test_the_secret_of_a_socket_is_used_up_where_it_is_shown_as_a_stream(house: Household) -> None:
    async with served(house) as there:
        answer = await there.ask(SOCKET, await house.jwt(), topic=BASE + "/pods/an/notes/")
        secret = answer.json()["receiveFrom"].rpartition("/")[2]
        assert (await house.http.get(f"/notifications/streams/{secret}")).status_code == 404
        assert house.house.channels.count(house.session.pod.id) == 0


async def test_an_origin_that_a_list_keeps_to_follows_by_it_too(house: Household) -> None:
    token, page = await house.jwt(), "https://page.example"
    said = OPEN + b" <#p> a acl:Authorization; acl:agentClass <http://xmlns.com/foaf/0.1/Agent>; acl:mode acl:Read; "
    said += b"acl:accessTo <./>; acl:default <./>; acl:origin <https://page.example> ."
    listed = await house.call("PUT", "/pods/an/settings/.acl", token, {"content-type": "text/turtle"}, said)
    assert listed.status_code == 204, listed.text
    async with served(house):
        body = json.dumps({"@context": [CONTEXT], "type": SOCKET.split("/")[2], "topic": BASE + "/pods/an/settings/"})
        for origin, status in ((page, 200), ("https://other.example", 401)):
            sent = LD | {"origin": origin}
            assert (await house.http.post(SOCKET, content=body, headers=sent)).status_code == status
