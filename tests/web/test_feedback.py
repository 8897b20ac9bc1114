"""What came of suggestions and what she wishes: hers to read, to change and to delete; an app gives and never gets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consent.accounts import passphrase
from consent.categories import CATEGORIES
from keys.text import b64
from recommender.wishes import BEGUN, Wishes
from tests.house import Household
from tests.recommender.conftest import Small, small  # noqa: F401 -- a fixture
from tests.web.advised import Advised, advised
from web import filling, suggested, wishing


@pytest.fixture
async def one(house: Household, small: Small, tmp_path: Path) -> AsyncIterator[Advised]:  # noqa: F811
    async with advised(house, small, tmp_path / "recommender") as made:
        yield made


async def wishes(one: Advised) -> Wishes:
    return await wishing.of(one.house.vault, one.house.session, one.house.clock())


# ------------------------------------------------------------ outcomes


async def test_outcomes_lie_sealed_in_her_pod_and_go_when_she_deletes_them(one: Advised) -> None:
    events = [{"id": "x", "what": "opened"}, {"id": "y", "what": "surprised"}]
    made = await one.hers("POST", "/api/feedback", {"events": events})
    assert made.status_code == 201
    (kept,) = (await one.hers("GET", "/api/feedback")).json()["feedback"]
    assert (kept["id"], kept["by"]) == (made.json()["id"], "citizen")
    assert [e["kluis:what"] for e in kept["events"]] == ["opened", "surprised"]
    for status in (200, 404):
        assert (await one.hers("POST", f"/api/feedback/{kept['id']}/delete", {})).status_code == status
    assert (await one.hers("GET", "/api/feedback")).json() == {"feedback": []}


async def test_an_app_gives_outcomes_under_a_grant_to_append_and_reads_none_back(one: Advised) -> None:
    granted = await one.app("append", "recommend")
    given = {"events": [{"id": "x", "what": "attended"}]}
    answer = await one.by_app(granted, "/api/feedback", given)
    assert answer.status_code == 201 and answer.headers["kluis-entry"]
    (kept,) = (await one.hers("GET", "/api/feedback")).json()["feedback"]
    assert kept["by"] == "cultuurgids"
    assert (await one.by_app(granted, "/api/feedback", method="GET")).status_code == 401
    assert (await one.by_app(granted, "/api/feedback", {"trait": "topic:jazz", "how": "more"})).status_code == 400
    assert await wishes(one) == BEGUN
    await one.house.withdraw(granted)
    assert (await one.by_app(granted, "/api/feedback", given)).status_code == 401


async def test_an_app_that_may_only_be_suggested_to_gives_no_outcomes(one: Advised) -> None:
    granted = await one.app("recommend")
    answer = await one.by_app(granted, "/api/feedback", {"events": [{"id": "x", "what": "shown"}]})
    assert answer.status_code == 403
    assert [x["rule"] for x in one.house.told() if x["type"] == "denial"] == ["action"]


@pytest.mark.parametrize(
    "body", [{"events": [{"id": "x", "what": "bought"}]}, {"events": [{"id": "", "what": "shown"}]}, {"how": "worse"},
             {"trait": "x" * 201}, {"events": [{"id": "x", "what": "shown", "why": "y"}]}],
)  # fmt: skip
async def test_bad_feedback_is_refused_and_changes_nothing(one: Advised, body: object) -> None:
    before = one.house.told()
    assert (await one.hers("POST", "/api/feedback", body)).status_code == 400
    assert one.house.told() == before


# ------------------------------------------------------------ wishes


async def test_a_trait_is_wished_and_undone(one: Advised) -> None:
    await one.hers("POST", "/api/feedback", {"trait": "topic:jazz", "how": "never"})
    assert (await wishes(one)).never == {"topic:jazz"}
    await one.hers("POST", "/api/feedback", {"trait": "topic:jazz", "how": "undo"})
    assert (await wishes(one)).never == frozenset()
    await one.hers("POST", "/api/feedback", {"events": [{"id": "x", "what": "dismissed"}]})
    assert (await wishes(one)).hidden == {"x"}


@pytest.mark.parametrize(
    ("step", "form"),
    [("kind", {"name": "spy", "on": "yes"}), ("category", {"name": "kluis:Nothing"}), ("dial", {"dial": "4"}),
     ("dial", {}), ("weekly", {"most": "8", "from": "20:00", "until": "09:00"}), ("medium", {"name": ""}),
     ("weekly", {"most": "1", "from": "25:00", "until": "x"}), ("trait", {"name": "topic:x", "how": "worse"}),
     ("hide", {}), ("nothing", {})],
)  # fmt: skip
async def test_a_form_of_no_page_of_ours_changes_nothing(one: Advised, step: str, form: dict[str, str]) -> None:
    assert (await one.hers("POST", f"/me/suggestions/{step}", **form)).status_code == 400
    assert await wishes(one) == BEGUN


async def test_every_decision_of_the_page_is_kept_sealed_and_the_next_leaves_the_others_alone(one: Advised) -> None:
    for step, form in (("kind", {"name": "rank", "on": "yes"}), ("medium", {"name": "film"}),
                       ("category", {"name": "pd:Interest"}), ("dial", {"dial": "3"}),
                       ("trait", {"name": "topic:jazz", "how": "more"}), ("hide", {"name": "x", "on": "yes"}),
                       ("weekly", {"most": "2", "from": "21:30", "until": "10:00"})):  # fmt: skip
        answer = await one.hers("POST", f"/me/suggestions/{step}", **form)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/me/suggestions?done={step}")
    hers = await wishes(one)
    assert (hers.kinds, hers.media, hers.categories, hers.dial) == ({"list", "rank"}, {"film"}, {"pd:Interest"}, 3)
    assert (hers.more, hers.hidden, hers.weekly.most) == ({"topic:jazz"}, {"x"}, 2)
    for name, on in (("film", "medium"), ("pd:Interest", "category")):
        await one.hers("POST", f"/me/suggestions/{on}", name=name, on="yes")
    await one.hers("POST", "/me/suggestions/hide", name="x", on="no")
    back = await wishes(one)
    assert (back.media, back.categories, back.hidden) == (frozenset(), frozenset(), frozenset())


async def test_a_reset_deletes_everything_that_suggestions_kept_of_her(one: Advised) -> None:
    await one.grant()
    assert (await one.hers("GET", "/api/suggestions")).json()["stored"] is True
    await one.turn_on("rank")
    await one.hers("POST", "/api/feedback", {"events": [{"id": "x", "what": "opened"}]})
    assert (await one.hers("POST", "/me/suggestions/reset")).status_code == 303
    assert (await one.hers("GET", "/api/feedback")).json() == {"feedback": []}
    hers = await wishes(one)
    assert hers.kinds == {"list"} and hers.since == "2026-11-21T10:00:00Z"


# ------------------------------------------------------------ input assistance

FORM = {"fields": [{"name": "zip", "wants": "postal-code"}, {"name": "likes", "wants": "kluis:interests"},
                   {"name": "card", "wants": "kluis:card"}]}  # fmt: skip


def test_no_field_can_want_a_special_category() -> None:
    assert not any(CATEGORIES[category].special for category, _ in filling.WANTS.values())
    assert all(member in CATEGORIES[category].fields for category, member in filling.WANTS.values())


async def begun(one: Advised) -> tuple[object, dict]:
    granted = await one.app("recommend")
    answer = await one.by_app(granted, "/api/suggest/fill", FORM)
    assert answer.status_code == 201, answer.text
    return granted, answer.json()


async def test_the_host_gets_what_she_picked_and_nothing_else_and_once(one: Advised) -> None:
    await one.turn_on("fill")
    granted, told = await begun(one)
    assert told["fields"] == ["zip", "likes"]  # the app is not registered for cards
    take = f"/api/suggest/fill/{told['pick']}"
    assert (await one.by_app(granted, take)).json() == {"picked": False, "fields": {}}
    page = await one.hers("GET", f"/me/fill/{told['pick']}")
    assert page.status_code == 200 and "2018" in page.text and "jazz" in page.text
    chosen = await one.hers("POST", f"/me/fill/{told['pick']}", **{"field-0": "0", "field-1": ""})
    assert chosen.status_code == 303
    assert (await one.hers("POST", f"/me/fill/{told['pick']}", **{"field-1": "0"})).status_code == 303  # too late
    first = await one.by_app(granted, take)
    assert first.json() == {"picked": True, "fields": {"zip": "2018"}} and first.headers["kluis-personalised"] == "yes"
    assert (await one.by_app(granted, take)).status_code == 404
    lines = [x["note"] for x in one.house.told() if x["action"] == "recommend"]
    assert lines == ["fill", "fill ", "fill postal-code", "fill "]
    assert "2018" not in str(one.house.told())
    assert "Jij gaf: je postcode" in (await one.hers("GET", "/me/log?app=cultuurgids")).text


async def test_while_filling_in_is_off_her_values_are_not_opened(one: Advised) -> None:
    _, told = await begun(one)
    before = len(one.house.told())
    page = await one.hers("GET", f"/me/fill/{told['pick']}")
    assert page.status_code == 200 and "2018" not in page.text and len(one.house.told()) == before
    await one.hers("POST", f"/me/fill/{told['pick']}", **{"field-0": "0"})
    assert one.house.house.filling.peek(told["pick"]).values is None


async def test_a_form_waits_ten_minutes_and_for_its_own_app_and_citizen_alone(one: Advised) -> None:
    await one.turn_on("fill")
    _, told = await begun(one)
    take = f"/api/suggest/fill/{told['pick']}"
    assert (await one.hers("POST", "/me/fill/" + b64(bytes(32)))).status_code == 404
    assert one.house.house.filling.find(told["pick"], b"another pod", one.house.clock()) is None
    assert (await one.house.http.post(take)).status_code == 401
    one.house.clock.forward(minutes=10)
    assert (await one.hers("GET", f"/me/fill/{told['pick']}")).status_code == 404


async def test_what_the_page_did_not_offer_cannot_be_slipped_in(one: Advised) -> None:
    await one.turn_on("fill")
    _, told = await begun(one)
    await one.hers("POST", f"/me/fill/{told['pick']}", **{"field-0": "7", "field-1": "-1", "field-2": "0", "zip": "1"})
    assert one.house.house.filling.peek(told["pick"]).values == {}


# ------------------------------------------------------------ the weekly surprise


async def test_a_surprise_comes_once_a_week_out_of_her_quiet_hours_with_a_notice_that_tells_nothing(
    one: Advised, monkeypatch: pytest.MonkeyPatch
) -> None:
    await one.grant()
    leap = {"id": "x", "slot": "leap", "title": "Iets heel anders"}

    async def listed(*_: object) -> dict:
        return {"suggestions": [{"id": "y", "slot": "sure"}, leap]}

    monkeypatch.setattr(suggested, "suggestions", listed)

    async def asked() -> dict:
        answer = await one.hers("POST", "/api/suggestions/surprise", {})
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert await asked() == {"notice": None}  # she did not ask for any
    await one.hers("POST", "/me/suggestions/weekly", **{"most": "1", "from": "10:00", "until": "12:00"})
    assert await asked() == {"notice": None}  # eleven o'clock in Brussels
    one.house.clock.forward(hours=2)
    again = await passphrase.login(one.house.vault, "an", one.house.codes[1], one.house.clock())
    one.house.cookie, one.house.session = again
    told = await asked()
    assert told["suggestion"] == leap and "anders" not in str(told["notice"])
    assert await asked() == {"notice": None}
