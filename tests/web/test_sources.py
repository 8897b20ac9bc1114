"""What a data source may do with its key, what stands in the citizen's log for it, and what it is told."""

import json
from typing import Any

import httpx
import pytest

from consent import deposits
from consent.jws import read
from keys.sign import new_es256
from tests.conftest import BASE
from tests.house import Household
from vault.log import tally
from web.app import create
from web.client import assertion

PATH = "/api/sources/mijnbib/deposits"
KEY = new_es256()
PUBLIC = {name: value for name, value in KEY.items() if name != "d"}


def loans(*numbers: str) -> bytes:
    rows = [
        {"title": f"Dune {number}", "loan_from": "2026-10-01", "loan_till": "2026-10-29", "author": "Herbert, Frank",
         "type": "Boek", "extendable": True, "extend_url": "", "extend_id": "", "branchname": "Permeke", "id": number,
         "url": "", "cover_url": "", "account_id": "9"}
        for number in numbers
    ]  # fmt: skip
    return json.dumps(rows).encode()


async def deliver(
    house: Household, body: bytes, signed: dict[str, Any], sent: dict[str, str] | None = None
) -> tuple[httpx.Response, str]:
    """Send a file under an assertion with the claims `signed` and the query `sent`."""
    await deposits.register(house.vault, "mijnbib", (PUBLIC,), house.clock())
    bearer = assertion(KEY, "source-mijnbib", BASE, body, house.clock(), **signed)
    query = {"pod": "an"} if sent is None else sent
    headers = {"authorization": f"Bearer {bearer}"}
    return await house.http.post(PATH, params=query, content=body, headers=headers), bearer


async def test_what_a_source_signed_stands_in_the_citizens_record_of_the_deposit(house: Household) -> None:
    answer, bearer = await deliver(house, loans("1", "2"), {"pod": "an"})
    assert answer.status_code == 200, answer.text
    line = house.told()[-1]
    assert (line["type"], line["client"], line["signature"]) == ("deposit", "source-mijnbib", bearer)
    kept = read(line["signature"])
    kept.verify(PUBLIC, frozenset({"ES256"}))  # the citizen can show it to anybody
    assert kept.claims["pod"] == "an"


@pytest.mark.parametrize(
    ("signed", "sent"),
    [
        ({}, {"pod": "an"}),
        ({"pod": "mia"}, {"pod": "an"}),
        ({"pod": "an"}, {}),
        ({"pod": "an"}, {"pod": "an", "patron": "9"}),
        ({"pod": "an", "patron": "9"}, {"pod": "an"}),
        ({"pod": "an", "patron": "9"}, {"pod": "an", "patron": "8"}),
        ({"pod": "an"}, {"pod": "an", "keep-good": "1"}),
        ({"pod": "an", "keep_good": True}, {"pod": "an"}),
        ({"pod": "an", "keep_good": 1}, {"pod": "an", "keep-good": "1"}),
        ({"pod": ["an"]}, {"pod": "an"}),
    ],
)
async def test_an_assertion_is_good_for_one_pod_one_person_and_one_way_of_storing(
    house: Household, signed: dict[str, Any], sent: dict[str, str]
) -> None:
    before = len(house.told())
    answer, _ = await deliver(house, loans("1"), signed, sent)
    assert answer.status_code == 401, answer.text
    assert len(house.told()) == before


async def test_a_source_signs_for_its_delivery_and_is_let_in(house: Household) -> None:
    signed = {"pod": "an", "patron": None, "keep_good": True}
    answer, _ = await deliver(house, loans("1"), signed, {"pod": "an", "keep-good": "1"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("path", "detail"), [(PATH, "no such pod"), (PATH.replace("mijnbib", "x"), "unknown source")])
async def test_a_refused_deposit_says_what_was_wrong(house: Household, path: str, detail: str) -> None:
    operator = httpx.ASGITransport(create(house.house, operator=True, clockwork=False))
    async with httpx.AsyncClient(transport=operator, base_url=BASE) as http:
        refused = await http.post(path, params={"pod": "nobody"}, content=loans("1"))
    told = refused.json()
    assert (refused.status_code, told["detail"], told["type"]) == (404, detail, "urn:kluis:problem:not-found")


async def test_a_source_is_not_told_whether_a_loan_was_there_already(house: Household) -> None:
    first, _ = await deliver(house, loans("1", "2"), {"pod": "an"})
    again, _ = await deliver(house, loans("1", "2"), {"pod": "an"})
    assert [{**answer.json(), "entries": len(answer.json()["entries"])} for answer in (first, again)] == [
        {"source": "mijnbib", "read": 2, "rejects": [], "stored": 2, "entries": 1}
    ] * 2


async def test_the_citizen_is_told_what_was_there_already(house: Household) -> None:
    await deliver(house, loans("1", "2"), {"pod": "an"})
    same = {"sec-fetch-site": "same-origin", "cookie": f"kluis={house.cookie}", "kluis-form": house.session.csrf}
    answer = await house.http.post(PATH, params={"pod": "an"}, content=loans("2", "3"), headers=same)
    assert (answer.status_code, answer.json()["stored"], answer.json()["duplicates"]) == (200, 1, 1), answer.text
    assert "signature" not in house.told()[-1]


async def test_the_citizen_reads_who_brought_a_file_and_who_was_refused(house: Household) -> None:
    cookie = {"cookie": f"kluis={house.cookie}", "kluis-form": house.session.csrf, "sec-fetch-site": "same-origin"}
    assert (await house.http.post(PATH, params={"pod": "an"}, content=loans("1"), headers=cookie)).status_code == 200
    assert house.told()[-1]["rule"] == "session"
    answer, _ = await deliver(house, loans("2"), {"pod": "mia"}, {"pod": "an"})
    assert answer.status_code == 401
    await tally.flush(house.vault.log, house.clock(), all_of_them=True)
    denied = house.told()[-1]
    assert [denied[name] for name in ("type", "action", "rule", "count")] == ["denial", "append", "invalid_client", 1]
    page = (await house.http.get("/me/log", headers=cookie)).text
    assert "wilde iets toevoegen aan iets in je kluis" in page and "met een handtekening die niet klopt" in page
    brought = page[: page.index("voegde iets toe aan")]
    assert brought.rindex("Jij") > brought.rindex("wilde iets toevoegen")
