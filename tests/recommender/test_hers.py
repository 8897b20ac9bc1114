"""Paths, evidence and her cultural DNA are told to herself; an app hears of the list, categories and shares alone."""

import pytest

from recommender.wishes import Wishes
from tests.recommender import test_agent
from tests.recommender.test_agent import House

house = test_agent.house
APP = {"client": "cultuurgids", "purpose": "p"}


async def test_her_dna_needs_a_permit_and_is_for_herself(house: House) -> None:
    await house.grant()
    assert (await house.ask(ask="dna", pod="an"))["refused"] == "no permit"
    assert (await house.put(ask="dna", pod="an", changes=APP))["refused"] == "no permit"
    assert not any("/api/records" in seen for seen in house.vault.seen)
    told = await house.put(ask="dna", pod="an", shown=[house.desk.catalogue.entries[0].id])
    assert told["traits"] and all(one["evidence"] for one in told["traits"])
    assert (told["bubble"]["shown"]["count"], told["bubble"]["opened"]["count"]) == (1, 0)


async def test_an_app_is_told_no_path_no_evidence_and_no_rank_without(house: House) -> None:
    await house.grant()
    house.vault.wishes = Wishes(kinds=frozenset({"list"}), dial=3).to_json()
    hers = await house.put(ask="suggest", pod="an", k=12)
    assert any(one["path"] for one in hers["suggestions"]) and hers["dna"]
    app = await house.put(ask="suggest", pod="an", k=12, changes=APP)
    assert app.keys() == {"suggestions", "stored"}
    assert not any({"path", "unexpected"} & one.keys() for one in app["suggestions"])
    assert {frozenset(why) for one in app["suggestions"] for why in one["reasons"]} == {
        frozenset({"category", "share"})
    }


@pytest.mark.parametrize("how", ["never", "hidden", "media"])
async def test_what_she_never_wants_is_in_no_list(house: House, how: str) -> None:
    await house.grant()
    first = (await house.put(ask="suggest", pod="an", k=12))["suggestions"][0]
    named = {"never": f"medium:{first['medium']}", "hidden": first["id"], "media": first["medium"]}[how]
    house.vault.wishes = Wishes(kinds=frozenset({"list"}), **{how: frozenset({named})}).to_json()
    found = (await house.put(ask="suggest", pod="an", k=12, changes={"state": "another"}))["suggestions"]
    assert found and first["id"] not in {one["id"] for one in found}
    if how != "hidden":
        assert first["medium"] not in {one["medium"] for one in found}
