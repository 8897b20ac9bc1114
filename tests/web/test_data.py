"""The citizen's own look at what lies in her pod: titles through the door, page by page, each look in her log."""

import re

import pytest

from tests.house import Household
from vault.tables import Body, Resource
from web.routes import data as page


async def look(house: Household, path: str) -> str:
    answer = await house.http.get(path, headers={"cookie": f"kluis={house.cookie}"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.text


def titles(shown: str) -> list[str]:
    return re.findall(r'<li><h2 class="kick">([^<]+)</h2>', shown)


async def test_every_compartment_has_a_name_of_its_own(house: Household) -> None:
    await house.jwt()
    shown = await look(house, "/me/data")
    names = re.findall(r'<h2 class="kick"><svg.*?</svg> ([^<]+)</h2>', shown)
    assert {"Je openbare map en je profiel", "Je instellingen", "Je postvak", "Je interesses"} <= set(names)
    assert len(names) == len(set(names))


async def test_the_titles_are_shown_and_the_look_stands_in_the_log_as_her_own(house: Household) -> None:
    shown = await look(house, "/me/data/loans")
    assert titles(shown) == ["Tin Pan"] and "1 oktober 2026" in shown and "jouw lezing" in shown
    line = house.told()[-1]
    assert (line["type"], line["action"], line["rule"], line["category"]) == (
        "access", "read", "session", "kluis:LibraryLoan",
    )  # fmt: skip
    assert (line["count"], line["note"]) == (1, "titles")
    assert "De titels tonen op je eigen pagina" in await look(house, "/me/log")


async def test_counting_opens_nothing_and_leaves_no_line(house: Household) -> None:
    before = len(house.told())
    await look(house, "/me/data")
    assert len(house.told()) == before


async def test_a_thing_without_a_title_is_called_by_what_it_tells_or_by_its_path(house: Household) -> None:
    await house.keep("/settings/een%20lijst.jsonld", [1, 2])
    assert titles(await look(house, "/me/data/person")) == ["2018"]
    assert titles(await look(house, "/me/data/settings"))[0] == "settings/een lijst.jsonld"


async def test_many_records_come_page_by_page_newest_first_and_each_line_counts_its_own_page(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "SHOWN", 2)
    for number in range(4):
        await house.keep(f"/loans/{number}.jsonld", {"@type": "kluis:LibraryLoan", "schema:name": f"Boek {number}"})
    first = await look(house, "/me/data/loans")
    assert titles(first) == ["Boek 3", "Boek 2"] and "5 stuks" in first
    assert 'href="/me/data/loans?page=2"' in first and "Nieuwere" not in first
    assert titles(await look(house, "/me/data/loans?page=2")) == ["Boek 1", "Boek 0"]
    last = await look(house, "/me/data/loans?page=3")
    assert titles(last) == ["Tin Pan"] and "Oudere" not in last
    assert [line["count"] for line in house.told()[-3:]] == [2, 2, 1]


async def test_what_does_not_open_is_said_and_hides_nothing_else(house: Household) -> None:
    await house.keep("/loans/b.jsonld", {"@type": "kluis:LibraryLoan", "schema:name": "Boek"})
    rid = house.session.pod.resource("/loans/a.jsonld")
    body = house.vault.db.read.find(Body, id=rid)[0]
    await house.vault.db.write(lambda tx: tx.change(Body, {"id": rid}, data=body.data[:-1] + b"x"))
    shown = await look(house, "/me/data/loans")
    assert titles(shown) == ["Boek"] and "1 stuk gaat niet open" in shown
    assert house.vault.db.read.get(Resource, rid) is not None


@pytest.mark.parametrize("place", ["nergens", "loans?page=99", "dpo", "%2e%2e"])
async def test_a_compartment_that_is_not_there_is_not_found_and_leaves_no_line(house: Household, place: str) -> None:
    before = len(house.told())
    answer = await house.http.get(f"/me/data/{place}", headers={"cookie": f"kluis={house.cookie}"})
    assert answer.status_code == 404 and len(house.told()) == before


async def test_an_empty_compartment_offers_nothing_to_open(house: Household) -> None:
    shown = await look(house, "/me/data")
    assert 'href="/me/data/loans"' in shown and 'href="/me/data/inbox"' not in shown
