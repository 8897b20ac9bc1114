"""What an app does to hear of changes, one step each, and the lines that it leaves."""

import asyncio
import json
from dataclasses import replace
from urllib.parse import quote

from tests.conftest import BASE
from tests.house import ALL_INTERESTS
from tests.log.acts import ONGOING, Act, ok
from tests.log.stage import Line, Stage
from tests.web.pushing import until
from vault.solid.notifications import CONTEXT

INTERESTS = "/pods/an/interests/"
LD = {"content-type": "application/ld+json"}
P = "dpv:ProvideEventRecommendations"
SILENT = {
    **dict.fromkeys(
        ["GET /.well-known/solid", "HEAD /.well-known/solid", "GET /notifications/{kind}/",
         "HEAD /notifications/{kind}/", "POST /notifications/gateway"],
        "the same for everybody: it knows no pod"),
    "GET /notifications/streams/{secret}": "what a subscription gave, whose line stands; each message leaves another",
}  # fmt: skip
FOLLOWS = Line("access", "follow", "allowed", "grant", "pd:Interest", P, "cultuurgids", granted=True, outcome="served")
NOTIFIED = replace(FOLLOWS, action="notify", count=1)
REFUSED = replace(FOLLOWS, type="denial", action="list", decision="denied", rule="category", outcome="unknown",
                  category="kluis:LibraryLoan")  # fmt: skip
NOBODY = Line("denial", "read", "denied", "unauthenticated", count=1)
WRITTEN = Line("access", "write", rule="session", category="pd:Interest", outcome="served", count=1)
ENDED = replace(FOLLOWS, type="consent", action="unfollow", rule="client", outcome="unknown")


def subscribes(path: str, topic: str = INTERESTS, status: int = 200) -> Act:
    """The app asks a subscription service for a channel."""

    async def act(stage: Stage) -> None:
        held = await stage.house.grant(ALL_INTERESTS, **ONGOING)
        said = {"@context": [CONTEXT], "type": path.split("/")[2], "topic": BASE + topic}
        await stage.begin()
        sent = stage.house.call("POST", path, held.access, LD, json.dumps(said).encode())
        await ok(sent, status)
        stage.house.house.channels.end_all()

    return act


def subscribes_without_token(path: str) -> Act:
    async def act(stage: Stage) -> None:
        said = {"@context": [CONTEXT], "type": path.split("/")[2], "topic": BASE + INTERESTS}
        await stage.begin()
        await ok(stage.house.call("POST", path, "", LD, json.dumps(said).encode()), 401)

    return act


async def listens(stage: Stage) -> None:
    """The app follows a stream while An writes something; then the server ends it."""
    house = stage.house
    held = await house.grant(ALL_INTERESTS, **ONGOING)
    path = f"/notifications/stream?topic={quote(BASE + INTERESTS, safe='')}"
    await stage.begin()
    asked = asyncio.create_task(house.call("GET", path, held.access))
    await until(lambda: house.house.channels.count(house.session.pod.id))
    await house.keep("/interests/followed.jsonld", {})
    await asyncio.sleep(0.5)
    house.house.channels.end_all()
    answer = await ok(asked)
    assert len([line for line in answer.text.splitlines() if line]) == 1


async def listens_without_token(stage: Stage) -> None:
    await stage.begin()
    path = f"/notifications/stream?topic={quote(BASE + INTERESTS, safe='')}"
    await ok(stage.house.http.get(path), 401)


async def stops(stage: Stage) -> None:
    """The app ends a webhook of its own."""
    house, path = stage.house, "/notifications/WebhookChannel2023/"
    held = await house.grant(ALL_INTERESTS, **ONGOING)
    said = {"@context": [CONTEXT], "type": "WebhookChannel2023", "topic": BASE + INTERESTS}
    body = json.dumps(said | {"sendTo": "https://app.example/hook"}).encode()
    made = await ok(house.call("POST", path, held.access, LD, body))
    await stage.begin()
    await ok(house.call("DELETE", made.json()["id"].removeprefix(BASE), held.access), 204)


async def stops_what_is_not_there(stage: Stage) -> None:
    held = await stage.house.grant(ALL_INTERESTS, **ONGOING)
    await stage.begin()
    await ok(stage.house.call("DELETE", "/notifications/channels/AAAAAAAAAAAAAAAAAAAAAA", held.access), 404)
    await ok(stage.house.call("DELETE", "/notifications/channels/!", held.access), 404)


LEAVES: dict[str, list[tuple[Act, list[Line]]]] = {
    "POST /notifications/{kind}/": [
        (subscribes("/notifications/WebSocketChannel2023/"), [FOLLOWS]),
        (subscribes("/notifications/StreamingHTTPChannel2023/", "/pods/an/loans/", 403), [REFUSED]),
        (subscribes_without_token("/notifications/WebSocketChannel2023/"), [NOBODY]),
    ],
    "DELETE /notifications/channels/{channel}": [(stops, [ENDED]), (stops_what_is_not_there, [])],
    "POST /notifications/ws": [(subscribes("/notifications/ws"), [FOLLOWS])],
    "GET /notifications/stream": [(listens, [FOLLOWS, WRITTEN, NOTIFIED]), (listens_without_token, [NOBODY])],
}
