"""Linked Web Storage behind its setting: documents, pages of containers, grants that vanish when they end."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest

from consent import odrl
from consent.schema import RAR_TYPE
from keys.text import b64
from tests.conftest import BASE, Clock
from tests.house import ALL_INTERESTS, Household, household
from tests.web.lws_app import ASKED, LD, POD, SAME, ask, hers, mine, state, wish
from vault.solid import lws
from vault.vault import Vault


@pytest.fixture
async def house(vault: Vault, clock: Clock, tmp_path: Path) -> AsyncIterator[Household]:
    """A house that speaks it."""
    async with household(vault, clock, tmp_path, lws=True) as furnished:
        yield furnished


# ---------------------------------------------------------------- the setting


@pytest.mark.parametrize("path", ["/.well-known/lws-configuration", ASKED, "/lws/grants/", "/lws/grants/x",
                                  "/lws/requests/x", "/api/lws/grants", "/api/lws/requests"])  # fmt: skip
async def test_without_the_setting_every_address_is_404_and_no_answer_of_a_pod_says_a_word_of_it(
    vault: Vault, clock: Clock, tmp_path: Path, path: str
) -> None:
    async with household(vault, clock, tmp_path) as house:
        for method in ("GET", "POST", "DELETE"):
            assert (await house.http.request(method, path)).status_code == 404
        for there in ("/pods/an/.well-known/solid", "/pods/an/profile/"):
            answer = await house.http.get(there, headers={"accept": f"{lws.MEDIA}, */*;q=0.1"})
            assert lws.NS not in answer.headers["link"] and "lws" not in answer.headers.get("content-type", "")


async def test_every_document_names_the_draft_and_none_claims_to_conform(house: Household) -> None:
    about = (await house.http.get("/.well-known/lws-configuration")).json()
    there = await house.http.get("/pods/an/.well-known/solid", headers={"accept": lws.MEDIA})
    page = await house.http.get("/pods/an/profile/", headers=await program(house) | {"accept": lws.MEDIA})
    made = await ask(house)
    for said in (about, there.json(), page.json(), made.json(), (await mine(house, "GET", made.json()["id"])).json()):
        assert said[lws.DRAFT] == lws.VERSION
        assert b"conformsTo" not in orjson.dumps(said)
    assert about["issuer"] == BASE and about["token_endpoint"] == f"{BASE}/oauth/token"
    assert "urn:ietf:params:oauth:grant-type:token-exchange" not in about["grant_types_supported"]


async def test_the_storage_description_names_the_storage_and_each_service_that_there_is(house: Household) -> None:
    answer = await house.http.get("/pods/an/.well-known/solid", headers={"accept": lws.MEDIA})
    said = answer.json()
    assert answer.headers["content-type"] == lws.MEDIA
    assert (said["id"], said["type"]) == (POD, "Storage")
    services = {one["type"]: one["serviceEndpoint"] for one in said["service"]}
    assert services["StorageDescription"] == f"{POD}.well-known/solid"
    assert f'<{services["StorageDescription"]}>; rel="{lws.NS}storageDescription"' in answer.headers["link"]
    for kind in ("AccessRequestService", "AccessGrantService"):
        assert (await house.http.get(services[kind])).status_code in (400, 401, 405)
    nobody = await house.http.get("/pods/nobody/.well-known/solid", headers={"accept": lws.MEDIA})
    assert nobody.text == answer.text.replace("/pods/an/", "/pods/nobody/")
    turtle = await house.http.get("/pods/an/.well-known/solid")
    assert turtle.headers["content-type"] == "text/turtle"


# ---------------------------------------------------------------- containers


async def program(house: Household, path: str = "/pods/an/profile/", method: str = "GET") -> dict[str, str]:
    return house.shown(method, path, await house.jwt())


def relations(answer: httpx.Response) -> dict[str, str]:
    return {relation: there for there, relation in re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers["link"])}


async def test_a_container_is_read_page_by_page_each_behind_its_own_line(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lws, "PAGE", 2)
    names = ["a.txt", "b%20b.txt", "c.txt", "d.txt", "e.txt"]
    for name in names:
        there = f"/pods/an/public/many/{name}"
        made = await house.call("PUT", there, await house.jwt(), {"content-type": "text/plain"}, b"xyz")
        assert made.status_code == 201
    there, seen, read = "/pods/an/public/many/", [], []
    before = len(house.told())
    first = there
    while there:
        answer = await house.call("GET", there, await house.jwt(), {"accept": lws.MEDIA})
        said, links = answer.json(), relations(answer)
        assert (said["type"], said["totalItems"], len(said["items"]) <= 2) == ("Container", 5, True)
        assert said["id"] == f"{POD}public/many/" and links["first"] == BASE + first
        seen += said["items"]
        read.append(answer)
        there = links.get("next", "").removeprefix(BASE)
    assert [one["id"] for one in seen] == [f"{POD}public/many/{name}" for name in names]
    assert {(one["type"], one["mediaType"], one["size"]) for one in seen} == {("DataResource", "text/plain", 3)}
    assert all(one["modified"].endswith("Z") for one in seen)
    assert relations(read[0])["last"] == str(read[2].url) and "prev" not in relations(read[0])
    assert relations(read[1])["prev"] == BASE + first and relations(read[2])["prev"] == str(read[1].url)
    assert sum(line["action"] == "list" for line in house.told()[before:]) == 3
    assert len({answer.headers["kluis-entry"] for answer in read}) == 3
    assert len({answer.headers["etag"] for answer in read}) == 3


async def test_a_short_container_has_no_pages_and_plain_clients_still_get_turtle(house: Household) -> None:
    token = await house.jwt()
    answer = await house.call("GET", "/pods/an/profile/", token, {"accept": lws.MEDIA})
    assert answer.headers["content-type"] == lws.MEDIA and "first" not in relations(answer)
    names = [one["id"].rpartition("/")[2] for one in answer.json()["items"]]
    assert "card" in names and names == sorted(names)
    root = (await house.call("GET", "/pods/an/", token, {"accept": lws.MEDIA})).json()
    assert {"id": f"{POD}profile/", "type": "Container"}.items() <= next(
        one for one in root["items"] if one["id"] == f"{POD}profile/"
    ).items()
    again = await house.call(
        "GET", "/pods/an/profile/", token, {"accept": lws.MEDIA, "if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304
    for accept in ("*/*", "text/turtle", f"{lws.MEDIA};q=0.5, text/turtle"):
        plain = await house.call("GET", "/pods/an/profile/", token, {"accept": accept})
        assert plain.headers["content-type"] == "text/turtle"


async def test_members_and_their_number_are_those_the_grant_covers_and_a_withdrawal_ends_it_between_two_pages(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lws, "PAGE", 1)
    old = {"@type": "kluis:LibraryLoan", "schema:name": "Oud", "schema:startTime": "2020-01-01"}
    await house.keep("/loans/old.jsonld", old)
    await house.keep("/interests/b.jsonld", {"@type": "pd:Interest", "schema:about": ["folk"]})
    await house.keep("/interests/c.jsonld", {"@type": "pd:Interest", "schema:about": ["blues"]})
    year = {"category": "kluis:LibraryLoan", "window": "P1Y", "necessity": "required"}
    held = await house.grant(year, recurrence={"mode": "ongoing"})
    shown = await house.call("GET", "/pods/an/loans/", held.access, {"accept": lws.MEDIA})
    assert (shown.json()["totalItems"], [one["id"] for one in shown.json()["items"]]) == (1, [f"{POD}loans/a.jsonld"])
    assert "first" not in relations(shown)
    past = await house.call("GET", "/pods/an/loans/?after=a.jsonld", held.access, {"accept": lws.MEDIA})
    assert (past.json()["totalItems"], past.json()["items"]) == (1, [])
    every = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    first = await house.call("GET", "/pods/an/interests/", every.access, {"accept": lws.MEDIA})
    assert first.json()["totalItems"] == 3
    await house.withdraw(every)
    following = relations(first)["next"].removeprefix(BASE)
    later = await house.call("GET", following, every.access, {"accept": lws.MEDIA})
    assert later.status_code == 401 and b"items" not in later.content
    assert (await house.http.get(following, headers={"accept": lws.MEDIA})).status_code == 401


# ---------------------------------------------------------------- access grants


async def test_a_grant_is_listed_to_its_citizen_and_its_app_as_an_agreement_and_gone_when_it_is_taken_back(
    house: Household,
) -> None:
    held = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    path = f"/lws/grants/{b64(held.id)}"
    shown = await house.call("GET", path, held.access)
    said = shown.json()
    assert said["id"] == BASE + path and "AccessGrant" in said["type"] and f"{odrl.ODRL}Agreement" in said["type"]
    assert said["access"][0]["target"]["value"] == [f"{POD}interests/"]
    (theirs,) = (await house.call("GET", "/lws/grants/", held.access)).json()["items"]
    (own,) = (await hers(house, "/api/lws/grants")).json()["items"]
    assert theirs["access"] == own["access"] == said["access"]
    await house.withdraw(held)
    for there in ("/lws/grants/", path):
        assert (await house.call("GET", there, held.access)).status_code == 401
    assert (await hers(house, "/api/lws/grants")).json()["items"] == []


async def test_an_app_gives_its_own_grant_back_and_never_another(house: Household) -> None:
    first = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    second = await house.grant(
        {"category": "kluis:LibraryLoan", "derived": "interest_topics_k10", "necessity": "required"})  # fmt: skip
    for method in ("GET", "DELETE"):
        assert (await house.call(method, f"/lws/grants/{b64(second.id)}", first.access)).status_code == 404
        assert (await house.http.request(method, f"/lws/grants/{b64(first.id)}")).status_code == 401
    assert (await house.call("DELETE", f"/lws/grants/{b64(first.id)}", first.access)).status_code == 204
    (left,) = (await hers(house, "/api/lws/grants")).json()["items"]
    assert left["access"][0]["target"]["value"][0].startswith(f"{POD}answers/")


async def test_nothing_posted_to_the_grants_gives_one(house: Household) -> None:
    before = state(house)
    held = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    given = state(house)
    assert given != before
    body = orjson.dumps(wish(house) | {"type": ["AccessGrant"]})
    for headers in (
        LD,
        LD | house.shown("POST", "/lws/grants/", held.access),
        LD | {"cookie": f"kluis={house.cookie}"},
    ):
        assert (await house.http.post("/lws/grants/", content=body, headers=headers)).status_code == 405
    assert state(house) == given


async def test_a_cookie_is_nothing_at_the_addresses_of_programs_and_a_token_nothing_at_hers(house: Household) -> None:
    held = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    own = SAME | {"cookie": f"kluis={house.cookie}"}
    for path in ("/lws/grants/", f"/lws/grants/{b64(held.id)}"):
        assert (await house.http.get(path, headers=own)).status_code == 401
    for path in ("/api/lws/grants", "/api/lws/requests"):
        assert (await house.call("GET", path, held.access)).status_code == 401
        officer = {"cookie": "kluis=x"}
        assert (await house.http.get(path, headers=officer)).status_code == 401


async def test_the_credentials_of_her_own_programs_are_agreements_in_the_drafts_words(house: Household) -> None:
    await house.jwt()
    (own,) = (await hers(house, "/api/lws/grants")).json()["items"]
    (said,) = own["access"]
    assert said["action"] == ["read", "create", "modify", "delete", "urn:kluis:action:control"]
    assert said["target"]["value"] == [POD] and RAR_TYPE not in said
