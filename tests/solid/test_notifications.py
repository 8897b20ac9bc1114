"""The Solid Notifications Protocol: where to subscribe, who may, what is told, and when it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import orjson
import pytest

from tests.federation.sink import reply, sink
from tests.house import Household
from tests.solid.channels import CONTEXT, NOTIFY, TOPIC, heard, predicate, services, socket, subscribe
from tests.solid.client import JSON_LD, POD, STORAGE_DESCRIPTION, TURTLE, Agent, acl, graph, links
from tests.solid.requirements import shows

NEWER = "https://www.w3.org/ns/solid/notifications-context/v1"
SOCKET, HOOK, STREAM = "WebSocketChannel2023", "WebhookChannel2023", "StreamingHTTPChannel2023"


@asynccontextmanager
async def knocking(house: Household) -> AsyncIterator[None]:
    """While what waits for webhooks goes out."""
    house.house.channels.listen()
    work = asyncio.create_task(house.house.knocking.run(house.house))
    try:
        await asyncio.sleep(0)
        yield
    finally:
        work.cancel()
        await asyncio.wait([work])


async def changed(an: Agent, number: int = 1) -> None:
    assert (await an("PUT", TOPIC, f"<> <urn:e:n> {number} .", TURTLE)).status_code in (201, 204)


@shows("server-notifications-protocol-resource-server")
async def test_every_resource_leads_to_where_one_subscribes(an: Agent) -> None:
    await changed(an)
    for path in ("public/", TOPIC):
        (there,) = links(await an("HEAD", path), STORAGE_DESCRIPTION)
        assert list(graph(await an("GET", there)).objects(predicate=predicate("subscription")))


@shows("server-notifications-protocol-subscription-server")
async def test_a_subscription_gives_a_channel_of_the_kind_asked_for(an: Agent) -> None:
    await changed(an)
    made = await subscribe(an, SOCKET)
    assert made.status_code in (200, 201), made.text
    told = made.json()
    assert (told["type"].rpartition("#")[2], told["topic"]) == (SOCKET, TOPIC)
    assert told["id"] and told["receiveFrom"].startswith(("ws://", "wss://"))


@shows("server-notifications-protocol-notification-sender")
async def test_what_happens_is_told_on_the_channel(an: Agent) -> None:
    await changed(an)
    async with socket(an.house, (await subscribe(an, SOCKET)).json()["receiveFrom"]) as got:
        await changed(an, 2)
        assert (await heard(got))["object"] == TOPIC


@shows("notifications-description")
async def test_the_description_names_each_service_with_its_kind_and_features(anybody: Agent) -> None:
    found = await services(anybody)
    assert {SOCKET, HOOK, STREAM} <= set(found)
    (there,) = links(await anybody("HEAD", "public/"), STORAGE_DESCRIPTION)
    answer = await anybody("GET", there, accept=JSON_LD)
    assert answer.headers["content-type"] == JSON_LD
    features = set(graph(answer).objects(predicate=predicate("feature")))
    assert {NOTIFY + name for name in ("state", "endAt")} <= {str(one) for one in features}


@shows("notifications-subscription-methods")
async def test_a_service_answers_get_head_options_and_post(an: Agent) -> None:
    await changed(an)
    for there in set((await services(an)).values()):
        for method in ("GET", "HEAD", "OPTIONS"):
            assert (await an(method, there)).status_code in (200, 204), (method, there)
        assert (await an("PUT", there, "{}", JSON_LD)).status_code == 405
        assert (await an("POST", there, "{}", JSON_LD)).status_code == 422


@shows("notifications-json-ld")
async def test_subscriptions_are_json_ld_both_ways(an: Agent) -> None:
    await changed(an)
    made = await subscribe(an, SOCKET)
    assert made.headers["content-type"].startswith(JSON_LD)
    assert {*CONTEXT, NEWER} & set(made.json()["@context"])
    there = (await services(an))[SOCKET]
    said = {"@context": CONTEXT, "type": NOTIFY + SOCKET, "topic": TOPIC}
    assert (await an("POST", there, json.dumps(said), TURTLE)).status_code == 415


@shows("notifications-unsupported-profile")
async def test_a_profile_that_is_not_understood_is_415(an: Agent) -> None:
    there = (await services(an))[SOCKET]
    said = json.dumps({"@context": CONTEXT, "type": NOTIFY + SOCKET, "topic": TOPIC})
    assert (await an("POST", there, said, JSON_LD + '; profile="urn:e:unknown"')).status_code == 415


@shows("notifications-bad-instruction")
async def test_an_instruction_that_cannot_be_followed_is_422(an: Agent) -> None:
    await changed(an)
    there = (await services(an))[SOCKET]
    good = {"@context": CONTEXT, "type": NOTIFY + SOCKET, "topic": TOPIC}
    for change in ({"@context": ["urn:e:unknown"]}, {"type": "urn:e:Channel"}, {"topic": None}, {"topic": 7},
                   {"topic": [TOPIC, TOPIC]}, {"endAt": "soon"}):  # fmt: skip
        said = {name: value for name, value in (good | change).items() if value is not None}
        assert (await an("POST", there, json.dumps(said), JSON_LD)).status_code == 422, change
    for broken in ("", "{", "[]", "7"):
        assert (await an("POST", there, broken, JSON_LD)).status_code in (400, 422), broken


@shows("notifications-authorization")
async def test_a_channel_is_for_who_may_read_its_topic(an: Agent, anybody: Agent, bram: Agent) -> None:
    await an("PUT", "settings/a", "<> <urn:e:n> 1 .", TURTLE)
    for topic in (POD + "settings/a", POD + "settings/nothing"):
        assert (await subscribe(anybody, SOCKET, topic)).status_code == 401
        assert (await subscribe(bram, SOCKET, topic)).status_code == 403
    assert (await subscribe(an, SOCKET, POD + "settings/a")).status_code in (200, 201)
    assert (await subscribe(an, SOCKET, "https://other.example/a")).status_code in (403, 422)


@shows("notifications-message")
async def test_messages_are_activities_that_name_object_target_state_and_time(an: Agent) -> None:
    await an("PUT", "public/box/", media=TURTLE)
    async with socket(an.house, (await subscribe(an, SOCKET, POD + "public/box/")).json()["receiveFrom"]) as box:
        await an("PUT", "public/box/a", "<> <urn:e:n> 1 .", TURTLE)
        added = await heard(box)
        await an("DELETE", "public/box/a")
        removed = await heard(box)
    kinds = [{one["type"]} if isinstance(one["type"], str) else set(one["type"]) for one in (added, removed)]
    assert kinds == [{"Add"}, {"Remove"}]
    assert all(
        (one["object"], one["target"]) == (POD + "public/box/a", POD + "public/box/") for one in (added, removed)
    )
    await changed(an)
    async with socket(an.house, (await subscribe(an, SOCKET)).json()["receiveFrom"]) as topic:
        await changed(an, 2)
        updated = await heard(topic)
        await an("DELETE", TOPIC)
        deleted = await heard(topic)
    assert (updated["type"], deleted["type"]) == ("Update", "Delete")
    assert updated["published"] and updated["state"] and updated["id"]
    assert "https://www.w3.org/ns/activitystreams" in updated["@context"]


@shows("notifications-websocket-channel-2023")
async def test_a_websocket_tells_and_its_address_opens_nothing_else(an: Agent) -> None:
    await changed(an)
    address = (await subscribe(an, SOCKET)).json()["receiveFrom"]
    async with socket(an.house, address) as got:
        await changed(an, 2)
        assert (await heard(got))["type"] == "Update"
    with pytest.raises(AssertionError):
        async with socket(an.house, address[:-3] + "AAA"):
            pass


@pytest.mark.enable_socket
@shows("notifications-webhook-channel-2023")
async def test_a_webhook_gets_a_signed_message(an: Agent) -> None:
    came: list[str] = []
    await changed(an)
    async with sink(lambda path: (came.append(path), reply(status="204 No Content"))[1]) as site:
        made = await subscribe(an, HOOK, sendTo=site.origin + "/hook")
        assert made.status_code in (200, 201), made.text
        assert made.json()["sendTo"] == site.origin + "/hook"
        async with knocking(an.house):
            await changed(an, 2)
            for _ in range(50):
                if came:
                    break
                await asyncio.sleep(0.1)
        assert came == ["/hook"]


@shows("notifications-streaming-http-channel-2023")
async def test_a_stream_is_named_by_link_and_subscribable(an: Agent) -> None:
    await changed(an)
    made = await subscribe(an, STREAM)
    assert made.status_code in (200, 201), made.text
    assert made.json()["receiveFrom"].startswith("http")


@shows("notifications-features")
async def test_a_channel_ends_when_it_was_asked_to(an: Agent) -> None:
    await changed(an)
    end = an.house.clock() + timedelta(minutes=5)
    made = await subscribe(an, SOCKET, endAt=end.isoformat().replace("+00:00", "Z"))
    assert made.status_code in (200, 201), made.text
    assert made.json()["endAt"][:16] == end.isoformat()[:16]
    an.house.clock.forward(minutes=6)
    with pytest.raises(AssertionError):
        async with socket(an.house, made.json()["receiveFrom"]):
            pass


@shows("notifications-revocation")
async def test_a_channel_ends_when_its_reader_may_no_longer_read(an: Agent, bram: Agent) -> None:
    await changed(an)
    made = await subscribe(bram, SOCKET)
    async with socket(an.house, made.json()["receiveFrom"]) as got:
        await an("PUT", "public/.acl", acl("public/"), TURTLE)
        await changed(an, 2)
        assert await heard(got) == {}
    assert orjson.loads(made.content)["topic"] == TOPIC
