"""What is done around suggestions: by An, and by an app under its own grant; one function an act."""

from typing import Any

import httpx
import orjson

from tests.house import Granted
from tests.log.acts import ONGOING, Act, ok
from tests.log.stage import SAME, Stage

DERIVED = {"category": "kluis:Derived", "necessity": "required"}
OUTCOME = {"events": [{"id": "x", "what": "opened"}]}
FORM = {"fields": [{"name": "zip", "wants": "postal-code"}]}


async def hers(stage: Stage, method: str, path: str, body: Any = None) -> httpx.Response:
    """An's browser, on a page of ours that speaks JSON."""
    session = stage.house.session
    own = SAME | {"cookie": f"kluis={stage.house.cookie}", "kluis-form": session.csrf}
    answer = await stage.house.http.request(method, path, headers=own, json=body)
    stage.house.http.cookies.clear()
    return answer


async def app_sends(stage: Stage, held: Granted, path: str, body: Any = None, method: str = "POST") -> httpx.Response:
    json = {"content-type": "application/json"}
    content = None if body is None else orjson.dumps(body)
    return await stage.house.call(method, path, held.access, json, content)


def an_sends(method: str, path: str, body: Any = None, status: int = 200, wished: tuple[str, ...] = ()) -> Act:
    """An calls, after she turned these kinds on."""

    async def act(stage: Stage) -> None:
        for kind in wished:
            await ok(stage.mine("POST", "/me/suggestions/kind", name=kind, on="yes"), 303)
        await stage.begin()
        await ok(hers(stage, method, path, body), status)

    return act


def app_asks(path: str, body: Any = None, status: int = 200, method: str = "POST", may: str = "recommend") -> Act:
    """An app calls under a grant with this action on her suggestions."""

    async def act(stage: Stage) -> None:
        held = await stage.house.grant(DERIVED, actions=[may], **ONGOING)
        await stage.begin()
        await ok(app_sends(stage, held, path, body, method), status)

    return act


async def _waits(stage: Stage) -> tuple[Granted, str]:
    held = await stage.house.grant(DERIVED, actions=["recommend"], **ONGOING)
    begun = await ok(app_sends(stage, held, "/api/suggest/fill", FORM), 201)
    return held, str(begun.json()["pick"])


def sees_form(*wished: str) -> Act:
    """An looks at a form of an app that waits for her."""

    async def act(stage: Stage) -> None:
        for kind in wished:
            await ok(stage.mine("POST", "/me/suggestions/kind", name=kind, on="yes"), 303)
        _, pick = await _waits(stage)
        await stage.begin()
        await ok(stage.mine("GET", f"/me/fill/{pick}"))

    return act


async def picks(stage: Stage) -> None:
    await ok(stage.mine("POST", "/me/suggestions/kind", name="fill", on="yes"), 303)
    _, pick = await _waits(stage)
    await stage.begin()
    await ok(stage.mine("POST", f"/me/fill/{pick}", **{"field-0": "0"}), 303)


async def takes(stage: Stage) -> None:
    await ok(stage.mine("POST", "/me/suggestions/kind", name="fill", on="yes"), 303)
    held, pick = await _waits(stage)
    await ok(stage.mine("POST", f"/me/fill/{pick}", **{"field-0": "0"}), 303)
    await stage.begin()
    taken = await ok(app_sends(stage, held, f"/api/suggest/fill/{pick}"))
    assert taken.json() == {"picked": True, "fields": {"zip": "2018"}}


async def deletes(stage: Stage) -> None:
    made = await ok(hers(stage, "POST", "/api/feedback", OUTCOME), 201)
    await stage.begin()
    await ok(hers(stage, "POST", f"/api/feedback/{made.json()['id']}/delete", {}))


async def looks_at_outcomes(stage: Stage) -> None:
    await ok(hers(stage, "POST", "/api/feedback", OUTCOME), 201)
    await stage.begin()
    await ok(hers(stage, "GET", "/api/feedback"))


async def starts_anew(stage: Stage) -> None:
    await ok(stage.mine("POST", "/me/suggestions/dial", dial="3"), 303)
    await stage.begin()
    await ok(stage.mine("POST", "/me/suggestions/reset"), 303)


async def wants_surprise(stage: Stage) -> None:
    """It is due; the recommender is away, so there is none."""
    await ok(stage.mine("POST", "/me/suggestions/weekly", **{"most": "1", "from": "00:00", "until": "00:00"}), 303)
    await stage.begin()
    assert (await ok(hers(stage, "POST", "/api/suggestions/surprise", {}))).json() == {"notice": None}
