"""What is offered and what is refused: descriptions, instructions, formats, features, and how many."""

import json

import pytest

from consent import follow
from tests.conftest import BASE
from tests.house import ALL_INTERESTS, Household
from tests.log.acts import ONGOING
from tests.web.notifications.listening import CONTEXT, LD, SOCKET, heard, put, served
from vault.solid import notifications, rdf

NOTE = "/pods/an/notes/a.txt"
TOPIC = BASE + NOTE


@pytest.mark.parametrize("kind", notifications.TYPES)
async def test_a_service_says_what_it_offers_in_json_ld_and_turtle_alike(house: Household, kind: str) -> None:
    path = f"/notifications/{kind}/"
    said = await house.http.get(path)
    assert said.headers["content-type"] == "application/ld+json" and said.headers["access-control-allow-origin"] == "*"
    assert said.json()["channelType"] == kind and said.json()["id"] == BASE + path
    turtle = await house.http.get(path, headers={"accept": "text/turtle"})
    assert rdf.statements(turtle.content, rdf.TURTLE, BASE)
    assert (await house.http.head(path)).status_code == 200
    asked, refused = await house.http.options(path), await house.http.put(path, content=b"{}")
    assert (asked.status_code, refused.status_code) == (204, 405)
    assert asked.headers["allow"] == refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize(
    ("path", "methods"),
    [("gateway", "OPTIONS, POST"), ("ws", "OPTIONS, POST"), ("stream", "GET, OPTIONS"), ("streams/x", "GET, OPTIONS"),
     ("channels/x", "DELETE, OPTIONS")],
)  # fmt: skip
async def test_every_address_of_notifications_says_what_it_takes(house: Household, path: str, methods: str) -> None:
    for answer in (await house.http.options("/notifications/" + path), await house.http.put("/notifications/" + path)):
        assert answer.status_code in (204, 405)
        assert answer.headers["allow"] == methods
        assert answer.headers["access-control-allow-origin"] == "*"
    assert "allow" not in (await house.http.options("/notifications/nothing/x")).headers
    page = await house.http.put("/login")
    assert (page.status_code, page.headers["allow"]) == (405, "GET, POST")


async def test_a_storage_names_every_service(house: Household) -> None:
    said = await house.http.get("/pods/an/.well-known/solid")
    for kind in notifications.TYPES:
        assert f"<{BASE}/notifications/{kind}/>" in said.text or f"notifications/{kind}/" in said.text
    assert (await house.http.get("/pods/niemand/.well-known/solid")).text == said.text.replace("/an/", "/niemand/")


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"@context": ["https://evil.example/v1"]}, "context"), ({"@context": None}, "context"),
     ({"@context": [CONTEXT, "https://evil.example/v1"]}, "context"), ({"type": "LDNChannel2023"}, "type"),
     ({"topic": None}, "topic"), ({"topic": "https://elders.example/a"}, "topic"), ({"topic": TOPIC + ".acl"}, "topic"),
     ({"topic": TOPIC + "?a"}, "topic"), ({"topic": BASE + "/pods/an/../b"}, "topic"), ({"topic": 7}, "topic"),
     ({"topic": "http://[/"}, "topic"),
     ({"startAt": "morgen"}, "startAt"), ({"startAt": "2026-11-21T10:00:00"}, "startAt"),
     ({"endAt": "2020-01-01T00:00:00Z"}, "endAt"), ({"endAt": 5}, "endAt"), ({"rate": "PT"}, "rate"),
     ({"rate": "P2D"}, "rate"), ({"rate": "P"}, "rate"), ({"accept": "text/turtle"}, "accept"),
     ({"state": "x" * 201}, "state")],
)  # fmt: skip
async def test_an_instruction_that_cannot_be_followed_is_422_and_names_the_part(
    house: Household, change: dict[str, object], reason: str
) -> None:
    body = {"@context": [CONTEXT], "type": "WebSocketChannel2023", "topic": TOPIC} | change
    answer = await house.call("POST", SOCKET, await house.jwt(), LD, json.dumps(body).encode())
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:kluis:problem:bad-instruction"), answer.text
    assert reason in answer.json()["detail"]
    assert house.house.channels.count(house.session.pod.id) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 12_000, b'{"a":' * 2_000])
async def test_a_body_that_is_no_object_is_422(house: Household, body: bytes) -> None:
    assert (await house.call("POST", SOCKET, await house.jwt(), LD, body)).status_code == 422


async def test_formats_profiles_and_sizes_that_are_not_taken(house: Household) -> None:
    token = await house.jwt()
    for media in ("text/turtle", "", 'application/ld+json; profile="https://evil.example/"'):
        assert (await house.call("POST", SOCKET, token, {"content-type": media}, b"{}")).status_code == 415, media
    body = json.dumps({"@context": [CONTEXT], "type": "WebSocketChannel2023", "topic": TOPIC}).encode()
    media = f'application/ld+json; profile="{CONTEXT}"'
    assert (await house.call("POST", SOCKET, token, {"content-type": media}, body)).status_code == 200
    assert (await house.call("POST", SOCKET, token, LD, body + b" " * 17_000)).status_code == 413


@pytest.mark.enable_socket
async def test_a_start_an_end_a_rate_and_a_state(house: Household) -> None:
    token = await house.jwt()
    first = (await put(house, NOTE, token)).headers["etag"]
    async with served(house) as there:
        async with there.socket(NOTE, token, startAt="2026-11-21T10:05:00Z", endAt="2026-11-21T10:20:00Z") as socket:
            await put(house, NOTE, token, b"te vroeg")
            house.clock.forward(minutes=6)
            token = await house.jwt()
            answer = await put(house, NOTE, token, b"op tijd")
            assert [one["state"] for one in await heard(socket)] == [answer.headers["etag"]]
            house.clock.forward(minutes=15)
            house.house.channels.tick()
            assert house.house.channels.count(house.session.pod.id) == 0
        token = await house.jwt()
        async with there.socket(NOTE, token, rate="PT1S") as socket:
            await put(house, NOTE, token, b"1")
            await heard(socket)
            for text in (b"2", b"3", b"4"):
                answer = await put(house, NOTE, token, text)
            assert [one["state"] for one in await heard(socket)] == [answer.headers["etag"]]
        async with there.socket(NOTE, token, state=first) as socket:
            (told,) = await heard(socket)
            assert told["type"] == "Update" and told["object"] == TOPIC


async def test_one_grant_has_no_more_channels_than_the_limit_and_the_refusal_is_in_her_log(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "PER_GRANT", 2)
    granted = await house.grant(ALL_INTERESTS, **ONGOING)
    body = json.dumps({"@context": [CONTEXT], "type": "WebSocketChannel2023", "topic": BASE + "/pods/an/interests/"})
    got = [(await house.call("POST", SOCKET, granted.access, LD, body.encode())).status_code for _ in range(3)]
    assert got == [200, 200, 429]
    await house.quiet()
    assert [line["rule"] for line in house.told() if line["type"] == "denial"] == ["too_many_channels"]


async def test_inrupts_gateway_is_named_and_negotiates(house: Household) -> None:
    turtle = await house.http.get("/.well-known/solid", headers={"accept": "text/turtle"})
    assert f"<{BASE}/notifications/gateway>" in turtle.text
    said = (await house.http.get("/.well-known/solid", headers={"accept": "application/ld+json"})).json()
    assert said["http://www.w3.org/ns/solid/terms#notificationGateway"] == {"@id": f"{BASE}/notifications/gateway"}
    wish = {"protocols": ["ws"], "features": ["state"]}
    answer = await house.http.post("/notifications/gateway", json=wish)
    assert answer.json()["endpoint"] == f"{BASE}/notifications/ws" and answer.json()["protocol"] == "ws"
    for bad in ({"protocols": ["smtp"]}, [], {"protocols": 5}):
        assert (await house.http.post("/notifications/gateway", json=bad)).status_code == 422
