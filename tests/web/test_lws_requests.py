"""Access requests: all that a pushed request shows, word for word or not at all, and nothing given by them."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from consent import asks, clients, waiting
from consent.schema import RAR_TYPE
from consent.tables import ClientRow
from keys.sign import new_es256
from tests.conftest import BASE, Clock
from tests.consent import sample
from tests.house import ALL_INTERESTS, Household, household
from tests.web.lws_app import (
    ASKED,
    BAD,
    END,
    LD,
    POD,
    PURPOSE,
    ask,
    decide,
    hers,
    limit,
    listed,
    mine,
    policy,
    pushed,
    state,
    wish,
)
from vault.solid import lws
from vault.vault import Vault


@pytest.fixture
async def house(vault: Vault, clock: Clock, tmp_path: Path) -> AsyncIterator[Household]:
    """A house that speaks it."""
    async with household(vault, clock, tmp_path, lws=True) as furnished:
        yield furnished


# ---------------------------------------------------------------- access requests


async def test_an_access_request_waits_on_her_list_and_gives_nothing_until_she_allows_it_on_her_own_page(
    house: Household,
) -> None:
    before = state(house)
    made = await ask(house)
    assert made.status_code == 201 and made.headers["location"] == made.json()["id"]
    assert state(house) == before
    line = house.told()[-1]
    assert (line["type"], line["action"], line["rule"], line["client"]) == ("consent", "ask", "client", "cultuurgids")
    page = (await hers(house, "/me/requests")).text
    assert "1 aanvraag wacht" in page and "Nieuw." in page and "Uitgesteld" not in page
    (own,) = (await hers(house, "/api/lws/requests")).json()["items"]
    assert own["id"] == made.json()["id"] and own["access"] == made.json()["access"]
    back = await decide(house, "allow")
    assert (
        back.status_code == 303
        and back.headers["location"].startswith(sample.RETURN)
        and "code=" in back.headers["location"]
    )
    assert await listed(house) == []
    code = re.search(r"code=([^&]+)", back.headers["location"])
    assert code is not None
    told = await house._redeem(code[1])
    (detail,) = told["authorization_details"]
    assert (detail["actions"], [row["category"] for row in detail["datatypes"]]) == (["read"], ["pd:Interest"])
    assert (await mine(house, "GET", made.json()["id"])).status_code == 404


async def test_a_request_is_shown_and_taken_back_by_the_key_it_was_made_with_alone(house: Household) -> None:
    there = (await ask(house)).json()["id"]
    for key, wanted in ((new_es256(), 404), (sample.PROOF_KEY, 200)):
        assert (await mine(house, "GET", there, key)).status_code == wanted
    assert (await house.http.get(there)).status_code == 400
    assert (await mine(house, "DELETE", there, new_es256())).status_code == 404
    assert len(await listed(house)) == 1
    path = there.removeprefix(BASE)
    proof = {"dpop": house.proof("DELETE", path)}
    assert (await house.http.delete(path, headers=proof)).status_code == 204
    assert await listed(house) == []
    assert (await mine(house, "GET", there)).status_code == 404
    assert (await mine(house, "DELETE", f"{BASE}/lws/requests/!")).status_code == 404


async def test_an_ordinary_pushed_request_is_not_to_be_had_here(house: Household) -> None:
    own = pushed(house) | {"authorization_details": orjson.dumps([sample.detail()]).decode()}
    sent = await house.http.post("/oauth/par", data=own, headers={"dpop": house.proof("POST", "/oauth/par")})
    handle = sent.json()["request_uri"].rpartition(":")[2]
    assert (await mine(house, "GET", f"{BASE}{ASKED}{handle}")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "proof", "error", "status"),
    [
        ({"client_assertion": None}, True, "invalid_client", 401),
        ({"client_assertion": sample.assertion(key=new_es256())}, True, "invalid_client", 401),
        ({"client_assertion": sample.assertion(aud=BASE + ASKED)}, True, "invalid_client", 401),
        ({"client_id": "other"}, True, "invalid_client", 401),
        ({}, False, "invalid_dpop_proof", 400),
        ({"dpop_jkt": "another"}, True, "invalid_dpop_proof", 400),
        ({"code_challenge": None}, True, "invalid_request", 400),
        ({"code_challenge_method": "plain"}, True, "invalid_request", 400),
        ({"redirect_uri": "https://evil.example/"}, True, "invalid_request", 400),
        ({"response_type": "token"}, True, "unsupported_response_type", 400),
    ],
)
async def test_what_the_pushed_request_demands_of_a_client_is_demanded_here_too(
    house: Household, changes: dict[str, Any], proof: bool, error: str, status: int
) -> None:
    refused = await ask(house, wish(house, pushed(house, **changes)), proof=proof)
    assert (refused.status_code, refused.json()["error"]) == (status, error)
    assert await listed(house) == []


async def test_neither_an_assertion_nor_a_proof_counts_twice(house: Household) -> None:
    said = wish(house)
    assert (await ask(house, said)).status_code == 201
    assert (await ask(house, said)).json()["error"] == "invalid_client"
    shown = LD | {"dpop": house.proof("POST", ASKED)}
    assert (await house.http.post(ASKED, content=orjson.dumps(wish(house)), headers=shown)).status_code == 201
    again = await house.http.post(ASKED, content=orjson.dumps(wish(house)), headers=shown)
    assert again.json()["error"] == "invalid_dpop_proof"


async def test_a_plain_solid_client_asks_nobody_for_grants(house: Household) -> None:
    await house.jwt()
    own = {name: value for name, value in pushed(house).items() if not name.startswith("client_")}
    basic = httpx.BasicAuth(house.secrets["id"], house.secrets["secret"])
    headers = LD | {"dpop": house.proof("POST", ASKED)}
    sent = await house.http.post(ASKED, content=orjson.dumps(wish(house, own)), headers=headers, auth=basic)
    assert sent.status_code in (400, 422)
    assert house.vault.db.read.run("SELECT count(*) FROM pushed") == [(0,)]


async def test_what_cannot_be_asked_word_for_word_is_422_with_the_reason_and_asked_of_nobody(house: Household) -> None:
    for attack, changes in BAD.items():
        refused = await ask(house, wish(house) | changes)
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:kluis:problem:bad-access"), attack
        assert refused.json()["detail"], attack
    assert await listed(house) == [] and house.vault.db.read.run("SELECT count(*) FROM pushed") == [(0,)]
    assert (await ask(house)).status_code == 201


@pytest.mark.parametrize("extra", ["authorization_details", "request_uri", "grant_id", "grant_management_action"])
async def test_no_other_parameter_of_a_pushed_request_comes_in_by_this_door(house: Household, extra: str) -> None:
    refused = await ask(house, wish(house, pushed(house, **{extra: "x"})))
    assert refused.status_code == 422


@pytest.mark.parametrize(("body", "media", "status"), [
    (b"{", lws.MEDIA, 422), (b"[]", lws.MEDIA, 422), (b"[" * 5000, lws.MEDIA, 422), (b"{}", "application/json", 415),
    (b"{}", "", 415), (b" " * 70_000, lws.MEDIA, 413)])  # fmt: skip
async def test_a_body_that_is_no_access_request_gets_its_error(
    house: Household, body: bytes, media: str, status: int
) -> None:
    answer = await house.http.post(ASKED, content=body, headers={"content-type": media})
    assert answer.status_code == status


async def test_single_resources_and_every_action_are_asked_for_word_for_word(house: Household) -> None:
    places = [f"{POD}interests/a.jsonld", f"{POD}interests/b.jsonld"]
    one = policy(action=["read", "create", "modify", "delete"], target={"type": "DataResource", "value": places})
    made = await ask(house, wish(house, access=[one]))
    (said,) = made.json()["access"]
    assert (said["action"], said["target"]["value"]) == (one["action"], places)
    assert said["constraint"][:2] == [limit("purpose", PURPOSE), limit("dateTime", END)]
    assert said[RAR_TYPE]["datatypes"][0]["resources"] == places
    assert said[RAR_TYPE]["actions"] == ["read", "append", "write", "delete"]


# ---------------------------------------------------------------- no nagging


async def refuse(house: Household) -> None:
    """She refuses the same, asked for in the ordinary way."""
    now, details = house.clock(), sample.detail(datatypes=[ALL_INTERESTS])
    own = pushed(house) | {"authorization_details": orjson.dumps([details]).decode()}
    sent = await house.http.post("/oauth/par", data=own, headers={"dpop": house.proof("POST", "/oauth/par")})
    handle = sent.json()["request_uri"].rpartition(":")[2]
    other = asks.find(house.vault, handle, "cultuurgids", now)
    await asks.show(house.vault, house.session, other, {"hash": "h", "language": "nl", "version": "1"}, now)
    await asks.refuse(house.vault, house.session, asks.find(house.vault, handle, "cultuurgids", now), now)


async def test_what_she_refused_is_not_laid_before_her_again_and_the_app_learns_nothing(house: Household) -> None:
    await refuse(house)
    before = len(house.told())
    again = await ask(house)
    assert await listed(house) == [] and len(house.told()) == before
    assert (again.status_code, again.json()["storage"]) == (201, POD)
    assert (await mine(house, "GET", again.json()["id"])).status_code == 200
    led = await hers(
        house, f"/oauth/authorize?client_id=cultuurgids&request_uri={again.json()['urn:kluis:lws:request_uri']}"
    )
    assert "error=access_denied" in led.headers["location"]


async def test_an_app_lays_one_request_before_her_in_thirty_days_even_if_it_sends_many_at_once(
    house: Household, clock: Clock
) -> None:
    sent = await asyncio.gather(*(ask(house) for _ in range(8)))
    assert {one.status_code for one in sent} == {201}
    assert len(await listed(house)) == 1
    for days, laid in ((2, 0), (29, 1)):
        clock.forward(days=days)
        assert (await ask(house)).status_code == 201
        assert len(waiting.of_citizen(house.vault, house.session, clock())) == laid


async def test_a_request_on_her_list_goes_when_she_refuses_the_same_elsewhere(house: Household) -> None:
    await ask(house)
    (laid,) = waiting.of_citizen(house.vault, house.session, house.clock())
    await refuse(house)
    assert await listed(house) == []
    assert await waiting.barred(house.vault, house.session, laid.asked, house.clock())


async def test_an_app_that_nobody_reviewed_lays_nothing_before_anybody(house: Household) -> None:
    unverified = replace(sample.APP, trust="unverified")
    await house.vault.db.write(lambda tx: tx.remove(ClientRow, id="cultuurgids"))
    await house.vault.db.write(lambda tx: clients.put(house.vault, tx, unverified))
    before = len(house.told())
    assert (await ask(house)).status_code == 201
    assert await listed(house) == [] and len(house.told()) == before


async def test_a_storage_that_is_not_there_gets_the_same_answer(house: Household) -> None:
    one = policy(target={"type": "StorageResource", "value": [f"{BASE}/pods/nobody/interests/"]})
    there, nowhere = await ask(house), await ask(house, wish(house, access=[one], storage=f"{BASE}/pods/nobody/"))
    assert (there.status_code, there.json().keys()) == (nowhere.status_code, nowhere.json().keys())
    assert (await mine(house, "GET", nowhere.json()["id"])).status_code == 200


async def test_another_citizen_cannot_decide_a_request_for_ans_storage(house: Household) -> None:
    from consent.accounts import passphrase
    from consent.accounts.people import enroll

    made = await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    bo = await passphrase.login(house.vault, "bo", made.codes[0], house.clock())
    assert bo is not None
    uri = (await ask(house)).json()["urn:kluis:lws:request_uri"]
    own = {"cookie": f"kluis={bo[0]}", "accept": "text/html"}
    led = await house.http.get("/oauth/authorize", params={"client_id": "cultuurgids", "request_uri": uri}, headers=own)
    assert led.status_code == 303 and "error=access_denied" in led.headers["location"]
    assert len(await listed(house)) == 1
    assert (await house.http.get("/api/lws/requests", headers=own)).json()["items"] == []
