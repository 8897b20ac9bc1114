"""What is done around suggestions: by An, and by an app under its own grant; one function an act."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import orjson

from tests.house import Granted
from tests.log.acts import ONGOING, Act, ok, without_token
from tests.log.own_acts import presses
from tests.log.stage import SAME, Line, Stage

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


def leaves(
    own: Callable[..., Line], by_app: Callable[..., Line], anonymous: Callable[..., Line]
) -> dict[str, list[tuple[Act, list[Line]]]]:
    """What each route of suggestions leaves. The recommender is away in this house: it is all that the server does."""
    looked, wished = own("read", "kluis:Derived", 1), own("write", "kluis:Derived", 1)
    recommended = by_app("recommend", category="kluis:Derived", count=0)
    refused = replace(by_app("recommend", "denied", "action", category="kluis:Derived"), outcome="unknown")
    return {
        "GET /api/suggestions": [
            (an_sends("GET", "/api/suggestions"), []),
            (an_sends("GET", "/api/suggestions", wished=("list",)), [looked]),
            (app_asks("/api/suggestions", method="GET"), [recommended]),
            (app_asks("/api/suggestions", method="GET", may="read"), [refused]),
            (without_token("GET", "/api/suggestions"), [anonymous()])],
        "GET /me/suggestions": [
            (an_sends("GET", "/me/suggestions"), []),
            (an_sends("GET", "/me/suggestions", wished=("list",)), [looked])],
        "POST /api/suggestions/surprise": [
            (an_sends("POST", "/api/suggestions/surprise", {}), []),
            (wants_surprise, [looked, own("read", "kluis:Derived", 1)]),
            (without_token("POST", "/api/suggestions/surprise"), [anonymous("write")])],
        "POST /me/suggestions/{step}": [
            (presses("/me/suggestions/dial", dial="2"), [wished]),
            (presses("/me/suggestions/dial", dial="1"), [looked, wished]),
            (presses("/me/suggestions/dial", 400, dial="9"), []),
            (starts_anew, [own("read", "kluis:Derived", 1), own("delete", "kluis:Derived", 1), wished])],
        **{f"POST /api/suggest/{kind}": [
            (an_sends("POST", f"/api/suggest/{kind}", body), []),
            (app_asks(f"/api/suggest/{kind}", body), [recommended]),
            (app_asks(f"/api/suggest/{kind}", body, may="read"), [refused]),
            (without_token("POST", f"/api/suggest/{kind}", 400), [])]
           for kind, body in (("rank", {"candidates": ["x"]}), ("layout", {"actions": [{"id": "x"}]}))},
        "GET /api/suggest/layout": [
            (an_sends("GET", "/api/suggest/layout?action=x"), []),
            (app_asks("/api/suggest/layout?action=x", method="GET"), [recommended]),
            (without_token("GET", "/api/suggest/layout"), [anonymous()])],
        "POST /api/suggest/fill": [
            (app_asks("/api/suggest/fill", FORM, 201), [recommended]),
            (an_sends("POST", "/api/suggest/fill", FORM), []),
            (an_sends("POST", "/api/suggest/fill", FORM, wished=("fill",)), [
                looked, own("read", "pd:PostalCode", 1)])],
        "GET /me/fill/{pick}": [
            (sees_form(), []),
            (sees_form("fill"), [looked, own("read", "pd:PostalCode", 1)]),
            (without_token("GET", "/me/fill/x", 303), [anonymous()])],
        "POST /me/fill/{pick}": [
            (picks, [looked, own("read", "pd:PostalCode", 1)]),
            (without_token("POST", "/me/fill/x", 303), [anonymous("write")])],
        "POST /api/suggest/fill/{pick}": [
            (takes, [recommended]),
            (without_token("POST", "/api/suggest/fill/x"), [anonymous("write")])],
        "POST /api/feedback": [
            (an_sends("POST", "/api/feedback", OUTCOME, 201), [own("write", "kluis:Derived", 1)]),
            (app_asks("/api/feedback", OUTCOME, 201, may="append"), [
                by_app("append", category="kluis:Derived")]),
            (app_asks("/api/feedback", OUTCOME, 403), [
                by_app("append", "denied", "action", category="kluis:Derived")])],
        "GET /api/feedback": [
            (looks_at_outcomes, [own("read", "kluis:Derived", 1)]),
            (without_token("GET", "/api/feedback"), [anonymous()])],
        "POST /api/feedback/{ident}/delete": [
            (deletes, [own("delete", "kluis:Derived", 1)]),
            (without_token("POST", "/api/feedback/x/delete"), [anonymous("write")])],
    }  # fmt: skip
