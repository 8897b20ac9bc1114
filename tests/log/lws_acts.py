"""What an app does by Linked Web Storage, one step each, and the lines that it leaves."""

from typing import Any

import orjson

from keys.text import b64
from tests.conftest import BASE
from tests.house import ALL_INTERESTS
from tests.log.acts import ONGOING, Act, ok
from tests.log.stage import Line, Stage
from tests.web.lws_app import LD, ask, mine, pushed, wish

P = "dpv:ProvideEventRecommendations"
SILENT = {
    "GET /.well-known/lws-configuration": "the same for everybody: it knows no pod",
    **dict.fromkeys(["GET /lws/grants/", "GET /lws/grants/{grant_id}"],
                    "the app's own terms; what lies in a pod stays shut"),
    **dict.fromkeys(["GET /api/lws/grants", "GET /api/lws/requests"],
                    "control data of the citizen herself, read in her session; what lies in a pod stays shut"),
}  # fmt: skip
LAID = Line("consent", "ask", rule="client", purpose=P, client="cultuurgids")
NO_CLIENT = Line("denial", "ask", "denied", "invalid_client", count=1, whose="office")
GIVEN_BACK = Line("consent", "revoke", rule="client", purpose=P, client="cultuurgids", granted=True)


async def asks(stage: Stage) -> None:
    """The app lays a request on An's list."""
    await stage.begin()
    await ok(ask(stage.house), 201)


async def asks_as_nobody(stage: Stage) -> None:
    house = stage.house
    await stage.begin()
    await ok(ask(house, wish(house, pushed(house, client_assertion="x.y.z"))), 401)


async def asks_for_what_nobody_can_give(stage: Stage) -> None:
    await stage.begin()
    await ok(ask(stage.house, wish(stage.house, storage="https://other.example/")), 422)


def about(method: str, status: int) -> Act:
    """The app looks at a request of its own, or takes it back."""

    async def act(stage: Stage) -> None:
        made: Any = (await ok(ask(stage.house), 201)).json()
        await stage.begin()
        await ok(mine(stage.house, method, made["id"]), status)

    return act


async def knows_no_such(stage: Stage) -> None:
    await stage.begin()
    await ok(mine(stage.house, "GET", f"{BASE}/lws/requests/AAAAAAAAAAAAAAAAAAAAAA"), 404)


async def cancels_no_such(stage: Stage) -> None:
    await stage.begin()
    await ok(mine(stage.house, "DELETE", f"{BASE}/lws/requests/!"), 404)


async def gives_back(stage: Stage) -> None:
    held = await stage.house.grant(ALL_INTERESTS, **ONGOING)
    await stage.begin()
    await ok(stage.house.call("DELETE", f"/lws/grants/{b64(held.id)}", held.access, LD, orjson.dumps({})), 204)


LEAVES: dict[str, list[tuple[Act, list[Line]]]] = {
    "POST /lws/requests/": [
        (asks, [LAID]),
        (asks, []),  # one in thirty days is on her list; the others touch no pod
        (asks_as_nobody, [NO_CLIENT]),
        (asks_for_what_nobody_can_give, []),
    ],
    "GET /lws/requests/{handle}": [(about("GET", 200), []), (knows_no_such, [])],
    "DELETE /lws/requests/{handle}": [(about("DELETE", 204), []), (cancels_no_such, [])],
    "DELETE /lws/grants/{grant_id}": [(gives_back, [GIVEN_BACK])],
}
