"""The four kinds of suggestion over HTTP, with the recommender at work: what is off stays shut, what is on is hers."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.house import ALL_INTERESTS, Household
from tests.recommender.conftest import Small, small  # noqa: F401 -- a fixture
from tests.web.advised import Advised, advised


@pytest.fixture
async def one(house: Household, small: Small, tmp_path: Path) -> AsyncIterator[Advised]:  # noqa: F811
    async with advised(house, small, tmp_path / "recommender") as made:
        yield made


def ids(one: Advised, count: int = 30) -> list[str]:
    return [entry.id for entry in one.small.catalogue.entries[:count]]


async def everything(one: Advised) -> list[Any]:
    """Every kind, asked in An's own session."""
    return [
        await one.hers("GET", "/api/suggestions"),
        await one.hers("POST", "/api/suggest/rank", {"candidates": ids(one)}),
        await one.hers("POST", "/api/suggest/layout", {"actions": [{"id": "b"}, {"id": "a"}]}),
        await one.hers("POST", "/api/suggest/fill", {"fields": [{"name": "zip", "wants": "postal-code"}]}),
        await one.hers("GET", "/me/suggestions"),
    ]


# ------------------------------------------------------------ off


async def test_a_fresh_account_has_no_personal_suggestion_and_causes_no_personal_read(one: Advised) -> None:
    before = one.house.told()
    for answer in await everything(one):
        assert answer.status_code in (200, 201), answer.text
        assert "kluis-personalised" not in answer.headers
    assert one.house.told() == before


async def test_with_the_grant_the_list_is_on_and_the_other_three_kinds_stay_off(one: Advised) -> None:
    await one.grant()
    listed, rank, layout, fill, page = await everything(one)
    assert listed.headers["kluis-personalised"] == page.headers["kluis-personalised"] == "yes"
    assert len(listed.json()["suggestions"]) == 12
    assert [r.json()["personalised"] for r in (rank, layout, fill)] == [False] * 3
    assert rank.json()["order"] == ids(one) and layout.json()["order"] == ["b", "a"] and fill.json()["fields"] == []


@pytest.mark.parametrize("kind", ["list", "rank", "layout", "fill"])
async def test_each_kind_is_turned_on_and_off_by_itself(one: Advised, kind: str) -> None:
    await one.grant()
    await one.turn_on("rank", "layout", "fill")
    assert (await one.hers("POST", "/me/suggestions/kind", name=kind)).status_code == 303
    personal = ["kluis-personalised" in answer.headers for answer in (await everything(one))[:4]]
    assert personal == [name != kind for name in ("list", "rank", "layout", "fill")]


async def test_the_recommender_away_or_the_vault_without_its_grant_gives_what_everybody_gets(one: Advised) -> None:
    grant = await one.grant()
    await one.turn_on("rank", "layout")
    granted = await one.app("recommend")
    one.house.house.recommender.socket.rename(one.house.house.settings.data / "away")
    for away in (True, False):
        if not away:
            (one.house.house.settings.data / "away").rename(one.house.house.recommender.socket)
            answer = await one.hers("POST", f"/me/access/{_shown(grant)}/withdraw")
            assert answer.status_code == 303
        for answer in [*(await everything(one))[:3],
                       await one.by_app(granted, "/api/suggest/rank", {"candidates": ["b", "a"]}),
                       await one.by_app(granted, "/api/suggest/layout?action=b&action=a", method="GET")]:  # fmt: skip
            assert answer.status_code == 200 and "kluis-personalised" not in answer.headers
        assert answer.json()["order"] == ["b", "a"] and answer.json()["why"] in ("recommender_away", "no_grant")


def _shown(ident: bytes) -> str:
    from keys.text import b64

    return b64(ident)


# ------------------------------------------------------------ an app


async def test_an_app_is_suggested_to_under_its_own_grant_which_is_checked_and_logged_first(one: Advised) -> None:
    await one.grant()
    await one.turn_on("rank", "layout")
    granted = await one.app("recommend")
    answer = await one.by_app(granted, "/api/suggest/rank", {"candidates": [*ids(one), "?"], "n": 5})
    told = answer.json()
    assert answer.headers["kluis-personalised"] == "yes" and told["personalised"]
    assert sorted(told["order"]) == sorted([*ids(one), "?"]) and told["order"][-1] == "?" and told["order"] != ids(one)
    assert {name for why in told["reasons"].values() for one_ in why for name in one_} <= {"category", "share"}
    line = next(x for x in one.house.told() if x.get("client") == "cultuurgids" and x["action"] == "recommend")
    assert (line["category"], line["note"], line["decision"]) == ("kluis:Derived", "rank", "allowed")
    assert answer.headers["kluis-entry"] and answer.headers["access-control-allow-origin"] == "*"


async def test_an_app_without_the_action_gets_its_own_order_and_the_denial_is_in_her_log(one: Advised) -> None:
    await one.grant()
    await one.turn_on("rank")
    reader = await one.app("read")
    before = len(one.read())
    answer = await one.by_app(reader, "/api/suggest/rank", {"candidates": ["b", "a"]})
    assert answer.json() == {"order": ["b", "a"], "reasons": {}, "personalised": False,
                             "why": "insufficient_authorization_details"}  # fmt: skip
    (denial,) = [x for x in one.house.told() if x["type"] == "denial"]
    assert (denial["action"], denial["rule"], denial["client"]) == ("recommend", "action", "cultuurgids")
    assert len(one.read()) == before


async def test_a_grant_on_something_else_suggests_nothing(one: Advised) -> None:
    await one.grant()
    await one.turn_on("rank")
    other = await one.house.grant(ALL_INTERESTS, actions=["read", "recommend"])
    assert (await one.by_app(other, "/api/suggest/rank", {"candidates": ["b"]})).json()["personalised"] is False


async def test_a_withdrawn_app_is_suggested_to_no_more(one: Advised) -> None:
    await one.grant()
    await one.turn_on("rank")
    granted = await one.app("recommend")
    await one.house.withdraw(granted)
    answer = await one.by_app(granted, "/api/suggest/rank", {"candidates": ids(one)})
    assert answer.status_code == 200 and answer.json()["why"] == "invalid_token"


async def test_an_apps_list_names_nothing_of_hers(one: Advised) -> None:
    await one.grant()
    granted = await one.app("recommend")
    told = (await one.by_app(granted, "/api/suggestions", method="GET")).json()
    assert told["suggestions"] and not {"read", "dna"} & told.keys()
    assert {name for s in told["suggestions"] for why in s["reasons"] for name in why} <= {"category", "share"}


# ------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("path", "body"),
    [("rank", {}), ("rank", {"candidates": "x"}), ("rank", {"candidates": [""]}),
     ("rank", {"candidates": ["x"] * 1001}),
     ("rank", {"candidates": [], "n": 51}), ("rank", {"candidates": [], "spy": 1}), ("rank", []),
     ("layout", {"actions": [{}]}), ("layout", {"actions": [{"id": "a", "topics": "x"}]}),
     ("fill", {"fields": []}), ("fill", {"fields": [{"name": "x", "wants": "kluis:tariff"}]}),
     ("fill", {"fields": [{"name": "x", "wants": "cc-number"}]})],
)  # fmt: skip
async def test_bad_input_is_refused_with_a_problem_and_opens_nothing(one: Advised, path: str, body: Any) -> None:
    before = one.house.told()
    answer = await one.hers("POST", f"/api/suggest/{path}", body)
    assert answer.status_code == 400 and answer.json()["type"].endswith(":malformed")
    assert one.house.told() == before


async def test_without_credentials_or_from_another_site_nobody_is_answered(one: Advised) -> None:
    http, body = one.house.http, {"candidates": []}
    assert (await http.post("/api/suggest/rank", json=body)).status_code == 401
    cookie = {
        "cookie": f"kluis={one.house.cookie}",
        "sec-fetch-site": "cross-site",
        "kluis-form": one.house.session.csrf,
    }
    assert (await http.post("/api/suggest/rank", json=body, headers=cookie)).status_code == 403
    assert (await http.post("/api/suggest/rank", json=body, headers={"cookie": cookie["cookie"]})).status_code == 403


# ------------------------------------------------------------ what is kept, and what she changes


async def test_an_answer_is_kept_until_anything_it_rests_on_changes(one: Advised) -> None:
    grant = await one.grant()

    async def reads() -> int:
        before = len(one.read())
        assert (await one.hers("GET", "/api/suggestions")).json()["suggestions"]
        return len(one.read()) - before

    assert [await reads(), await reads()] == [4, 0]  # three categories, and what she wishes
    await one.house.keep("/loans/new.jsonld", {"@type": "kluis:LibraryLoan", "schema:name": "Nieuw"})
    assert [await reads(), await reads()] == [4, 0]
    await one.hers("POST", "/me/suggestions/dial", dial="3")
    assert [await reads(), await reads()] == [4, 0]
    await one.hers("POST", f"/me/access/{_shown(grant)}/restrict")
    answer = await one.hers("GET", "/api/suggestions")
    assert "suggestions" not in answer.json()


async def test_the_withdrawal_reaches_the_recommender_which_keeps_nothing(one: Advised) -> None:
    grant = await one.grant()
    assert (await one.hers("GET", "/api/suggestions")).json()["suggestions"]
    assert one.desk.kept.holds("an") and one.desk.agent.wallet.grant("an")
    await one.hers("POST", f"/me/access/{_shown(grant)}/withdraw")
    await one.hers("POST", f"/me/access/{_shown(grant)}/copy/delete")
    await one.hearing.turn(one.house.clock())
    assert not one.desk.kept.holds("an") and one.desk.agent.wallet.grant("an") is None
    assert [x["action"] for x in one.house.told()].count("attest deletion") == 1


async def test_closing_a_category_changes_the_next_list_its_reasons_and_what_is_read(one: Advised) -> None:
    await one.grant()
    before = (await one.hers("GET", "/api/suggestions")).json()
    assert (await one.hers("POST", "/me/suggestions/category", name="kluis:LibraryLoan")).status_code == 303
    count = len(one.read())
    after = (await one.hers("GET", "/api/suggestions")).json()
    assert [s["id"] for s in after["suggestions"]] != [s["id"] for s in before["suggestions"]]
    why = {reason["category"] for s in after["suggestions"] for reason in s["reasons"]}
    assert "kluis:LibraryLoan" in {r["category"] for s in before["suggestions"] for r in s["reasons"]}
    assert "kluis:LibraryLoan" not in why
    assert sorted(one.read()[count:]) == ["kluis:Derived", "kluis:Ticket", "pd:Interest"]
    assert sorted(r["category"] for r in after["read"] if r["status"] == "read") == sorted(one.read()[count:])
