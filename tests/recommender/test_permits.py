"""Nobody borrows the recommender's tokens: a question about a citizen needs a permit of the gate, for it and once."""

import asyncio
from datetime import timedelta

import pytest

from keys.sign import new_es256
from recommender.ask import Desk
from recommender.profile import LOANS
from tests.recommender.conftest import NOW
from tests.recommender.test_agent import House


@pytest.fixture
async def house(tmp_path, small):
    house = House(tmp_path / "recommender", small)
    await house.grant()
    return house


LIST = {"ask": "suggest", "pod": "an", "k": 6}
OTHER = new_es256()
BAD = {
    "another pod": {"sub": "bo"},
    "another question": {"question": "x"},
    "another server": {"iss": "https://other.example"},
    "for another app": {"aud": "cultuurgids"},
    "run out": {"exp": int(NOW.timestamp())},
    "from before this process": {"at": int(NOW.timestamp() * 1000) - 1},
    "from the future": {"at": int(NOW.timestamp() * 1000) + 6000},
    "no jti": {"jti": 3},
    "a moment that is none": {"at": "now"},
    "another kind of token": {"typ": "at+jwt"},
    "another key of the same name": {"key": OTHER},
}


async def refused(house: House, question: dict) -> None:
    house.vault.seen.clear()
    told = await house.ask(**question)
    assert told["refused"] == "no permit", told
    assert not [path for path in house.vault.seen if "records" in path or "pods" in path]


@pytest.mark.parametrize("ask", ["suggest", "rank", "layout"])
async def test_without_a_permit_nothing_is_opened(house: House, ask: str) -> None:
    await refused(house, {"ask": ask, "pod": "an", "k": 3, "candidates": [], "actions": [], "n": 0})
    await refused(house, {"ask": ask, "pod": "an", "permit": "e30.e30.e30"})


@pytest.mark.parametrize("why", BAD)
async def test_a_permit_that_is_not_for_this_question_now_opens_nothing(house: House, why: str) -> None:
    changes = dict(BAD[why])
    if why == "another key of the same name":
        changes["key"] = {**OTHER, "kid": house.vault.issuer["kid"]}
    await refused(house, house.vault.permit(**LIST, changes=changes))


async def test_a_permit_is_good_once_even_for_two_at_the_same_time(house: House) -> None:
    question = house.vault.permit(**LIST)
    both = await asyncio.gather(house.ask(**question), house.ask(**question))
    assert sorted(next(iter(told)) for told in both) == ["refused", "suggestions"]
    await refused(house, question)


async def test_a_permit_for_one_question_does_not_carry_another(house: House) -> None:
    question = house.vault.permit(**LIST)
    await refused(house, question | {"k": 12})
    await refused(house, question | {"pod": "bo"})
    await refused(house, question | {"ask": "layout", "actions": []})


async def test_a_permit_of_before_a_restart_is_not_taken_again(house: House, small) -> None:
    question = house.vault.permit(**LIST)
    assert (await house.ask(**question))["suggestions"]
    house.desk = Desk(house.agent, small.catalogue, small.model, house.folder, NOW + timedelta(seconds=1))
    await refused(house, question)


async def test_an_answer_is_kept_under_its_state_alone(house: House) -> None:
    async def reads(state: str) -> int:
        house.vault.seen.clear()
        assert (await house.ask(**house.vault.permit(**LIST, changes={"state": state})))["suggestions"]
        return house.vault.seen.count("GET /api/records")

    assert [await reads("one"), await reads("one"), await reads("two"), await reads("")] == [3, 0, 3, 3]


async def test_an_app_sees_the_category_behind_a_reason_and_nothing_of_what_is_hers(house: House, small) -> None:
    house.vault.wishes = {"kinds": ["list", "rank"]}
    ids = [entry.id for entry in small.catalogue.entries[:40]]
    question = {"ask": "rank", "pod": "an", "candidates": ids, "n": 5}
    hers = await house.ask(**house.vault.permit(**question))
    apps = await house.ask(**house.vault.permit(**question, changes={"client": "cultuurgids"}))
    assert hers["order"] == apps["order"] and hers["read"] and apps["read"] == []
    assert {name for one in hers["reasons"].values() for why in one for name in why} >= {"evidence", "evidence_id"}
    assert {name for one in apps["reasons"].values() for why in one for name in why} == {"category", "share"}


@pytest.mark.parametrize("wished", [None, {"kinds": []}, {"kinds": ["list"]}, {"kinds": "damaged"}])
async def test_a_kind_that_she_did_not_turn_on_opens_none_of_her_data(house: House, wished) -> None:
    house.vault.wishes = wished
    for question in ({"ask": "rank", "candidates": ["x"], "n": 1}, {"ask": "layout", "actions": []}):
        house.vault.seen.clear()
        told = await house.ask(**house.vault.permit(pod="an", **question))
        assert told["refused"] == "no grant"
        assert "GET /api/records" not in house.vault.seen


async def test_an_app_gets_nothing_while_what_she_wishes_cannot_be_read(tmp_path, small) -> None:
    house = House(tmp_path / "r", small, ticked={LOANS})
    await house.grant()
    told = await house.ask(**house.vault.permit(**LIST, changes={"client": "cultuurgids"}))
    assert told["refused"] == "no grant" and "GET /api/records" not in house.vault.seen


async def test_a_category_she_closed_here_is_not_opened_and_gives_no_reason(house: House) -> None:
    before = await house.ask(**house.vault.permit(**LIST))
    house.vault.wishes = {"kinds": ["list"], "categories": [LOANS]}
    after = await house.ask(**house.vault.permit(**LIST, changes={"state": "after"}))
    assert {one["category"]: one["status"] for one in after["read"]}[LOANS] == "closed"
    why = {reason["category"] for one in after["suggestions"] for reason in one["reasons"]}
    assert LOANS in {reason["category"] for one in before["suggestions"] for reason in one["reasons"]}
    assert LOANS not in why


async def test_what_she_wants_less_of_comes_after_the_rest(house: House) -> None:
    before = (await house.ask(**house.vault.permit(**LIST)))["suggestions"]
    topic = before[0]["topics"][0]
    house.vault.wishes = {"kinds": ["list"], "less": [f"topic:{topic}"]}
    after = (await house.ask(**house.vault.permit(**LIST, changes={"state": "after"})))["suggestions"]
    assert [topic in one["topics"] for one in after] == sorted(topic in one["topics"] for one in after)
    assert after[0]["id"] != before[0]["id"]


async def test_what_she_never_wants_is_not_in_her_list(house: House) -> None:
    before = (await house.ask(**house.vault.permit(**LIST)))["suggestions"]
    gone, medium = before[0]["id"], before[1]["medium"]
    topic = next(t for one in before for t in one["topics"])
    house.vault.wishes = {"kinds": ["list"], "hidden": [gone], "media": [medium], "never": [f"topic:{topic}"]}
    after = (await house.ask(**house.vault.permit(**LIST, changes={"state": "after"})))["suggestions"]
    assert gone not in {one["id"] for one in after}
    assert medium not in {one["medium"] for one in after}
    assert all(topic not in one["topics"] for one in after)
