"""Linked Web Storage behind its setting: pages of containers, access requests that give nothing, grants that vanish."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from consent import asks, clients, odrl, waiting
from consent.oauth.clients import ASSERTION_TYPE
from consent.schema import RAR_TYPE
from consent.tables import Client as ClientRow
from keys.secret import fresh_bytes
from keys.sign import new_es256
from keys.text import b64
from tests.conftest import BASE, Clock
from tests.consent import sample
from tests.house import ALL_INTERESTS, Household, household
from vault.solid import lws
from vault.vault import Vault

POD = f"{BASE}/pods/an/"
ASKED = "/lws/requests/"
LD = {"content-type": lws.MEDIA}
SAME = {"sec-fetch-site": "same-origin"}
MORE = {"legal_basis": "eu-gdpr:A6-1-a-explicit-consent", "retention": "P0D", "recurrence": {"mode": "ongoing"}}
PURPOSE = "https://w3id.org/dpv#ProvideEventRecommendations"
END = "2027-05-01T00:00:00Z"


@pytest.fixture
async def house(vault: Vault, clock: Clock, tmp_path: Path) -> AsyncIterator[Household]:
    """A house that speaks it."""
    async with household(vault, clock, tmp_path, lws=True) as furnished:
        yield furnished


def limit(what: str, right: Any, operator: str = "") -> dict[str, Any]:
    return {"leftOperand": what, "operator": operator or odrl.OPERATORS.get(what, "eq"), "rightOperand": right}


def policy(**changes: Any) -> dict[str, Any]:
    whole = {
        "type": ["AccessPolicy"],
        "action": ["read"],
        "assignee": sample.APP.controller,
        "target": {"type": "StorageResource", "value": [f"{POD}interests/"]},
        "constraint": [limit("purpose", PURPOSE), limit("dateTime", END)],
        RAR_TYPE: MORE,
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def pushed(house: Household, **changes: Any) -> dict[str, Any]:
    at = int(house.clock().timestamp())
    own = sample.assertion(jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)
    whole = {
        "client_assertion_type": ASSERTION_TYPE, "client_assertion": own, "response_type": "code",
        "redirect_uri": sample.RETURN, "code_challenge": sample.CHALLENGE, "code_challenge_method": "S256",
        "state": "s",
    }  # fmt: skip
    return {name: value for name, value in (whole | changes).items() if value is not None}


def wish(house: Household, par: dict[str, Any] | None = None, access: Any = None, **changes: Any) -> dict[str, Any]:
    whole = {
        "@context": [lws.CONTEXT],
        "type": ["AccessRequest"],
        "storage": POD,
        "access": [policy()] if access is None else access,
        odrl.PAR: pushed(house) if par is None else par,
    }
    return whole | changes


async def ask(house: Household, said: dict[str, Any] | None = None, *, proof: bool = True) -> httpx.Response:
    body = orjson.dumps(wish(house) if said is None else said)
    shown = {"dpop": house.proof("POST", ASKED)} if proof else {}
    return await house.http.post(ASKED, content=body, headers=LD | shown)


async def mine(house: Household, method: str, place: str, key: Any = sample.PROOF_KEY) -> httpx.Response:
    """The app about a request of its own: with a proof and nothing else."""
    path = place.removeprefix(BASE)
    return await house.http.request(method, path, headers={"dpop": house.proof(method, path, key=key)})


async def hers(house: Household, path: str, **form: Any) -> httpx.Response:
    """An, in her browser."""
    headers = SAME | {"cookie": f"kluis={house.cookie}", "accept": "text/html"}
    if form:
        return await house.http.post(path, data={"csrf": house.session.csrf} | form, headers=headers)
    return await house.http.get(path, headers=headers)


async def listed(house: Household) -> list[str]:
    """The addresses of the consent pages on her list."""
    page = (await hers(house, "/me/requests")).text
    return [found.replace("&amp;", "&") for found in re.findall(r'href="(/oauth/authorize[^"]+)"', page)]


async def decide(house: Household, decision: str) -> httpx.Response:
    """She opens the first request on her list and presses a button."""
    page = await hers(house, (await listed(house))[0])
    assert page.status_code == 200
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
    return await hers(house, "/oauth/authorize", **(hidden | {"decision": decision}))


def state(house: Household) -> list[Any]:
    run = house.vault.db.read.run
    return [run("SELECT count(*) FROM gate"), run('SELECT count(*) FROM "grant"'), run("SELECT count(*) FROM token")]


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
    await house.keep("/interests/b.jsonld", {"@type": "pd:Interest", "schema:about": ["folk"]})
    await house.keep("/interests/c.jsonld", {"@type": "pd:Interest", "schema:about": ["blues"]})
    two = [f"{POD}interests/{name}.jsonld" for name in "ab"]
    held = await house.grant({**ALL_INTERESTS, "resources": two}, recurrence={"mode": "ongoing"})
    answer = await house.call("GET", "/pods/an/interests/", held.access, {"accept": lws.MEDIA})
    whole = await house.call("GET", "/pods/an/interests/", held.access)
    if answer.status_code == 200:
        assert answer.json()["totalItems"] == len(re.findall(r"ldp:contains|contains>", whole.text)) == 2
    else:  # single resources open no listing at all
        assert answer.status_code == whole.status_code == 403
    every = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    first = await house.call("GET", "/pods/an/interests/", every.access, {"accept": lws.MEDIA})
    assert first.json()["totalItems"] == 3
    await house.withdraw(every)
    following = relations(first)["next"].removeprefix(BASE)
    later = await house.call("GET", following, every.access, {"accept": lws.MEDIA})
    assert later.status_code == 401 and b"items" not in later.content
    assert (await house.http.get(following, headers={"accept": lws.MEDIA})).status_code == 401


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


BAD: dict[str, dict[str, Any]] = {
    "an action that is not known": {"access": [policy(action=["read", "archive"])]},
    "an action as a text": {"access": [policy(action="read")]},
    "no action": {"access": [policy(action=[])]},
    "a constraint that is not known": {
        "access": [policy(constraint=[limit("purpose", PURPOSE), limit("dateTime", END), limit("spatial", "BE")])]},
    "a media type": {"access": [policy(
        constraint=[limit("purpose", PURPOSE), limit("dateTime", END), limit("mediaType", "image/png")])]},
    "any of several purposes": {
        "access": [policy(constraint=[limit("purpose", [PURPOSE], "isAnyOf"), limit("dateTime", END)])]},
    "a beginning": {"access": [policy(constraint=[limit("purpose", PURPOSE), limit("dateTime", END, "gteq")])]},
    "two ends": {"access": [policy(
        constraint=[limit("purpose", PURPOSE), limit("dateTime", END), limit("dateTime", END)])]},
    "no end": {"access": [policy(constraint=[limit("purpose", PURPOSE)])]},
    "an end too far away": {"access": [policy(
        constraint=[limit("purpose", PURPOSE), limit("dateTime", "2036-05-01T00:00:00Z")])]},
    "another client": {"access": [policy(
        constraint=[limit("purpose", PURPOSE), limit("dateTime", END), limit("client", "other")])]},
    "a purpose that is not registered": {"access": [policy(
        constraint=[limit("purpose", "https://w3id.org/dpv#Marketing"), limit("dateTime", END)])]},
    "no constraint": {"access": [policy(constraint=None)]},
    "everybody": {"access": [policy(assignee="http://xmlns.com/foaf/0.1/Agent")]},
    "somebody else": {"access": [policy(assignee="https://other.example/")]},
    "no target": {"access": [policy(target=None)]},
    "the whole storage": {"access": [policy(target={"type": "StorageResource", "value": [POD]})]},
    "a listing alone": {"access": [policy(target={"type": "Container", "value": [f"{POD}interests/"]})]},
    "a container as a resource": {"access": [policy(target={"type": "DataResource", "value": [f"{POD}interests/"]})]},
    "a container below": {"access": [policy(target={"type": "StorageResource", "value": [f"{POD}interests/x/"]})]},
    "steps upwards": {"access": [policy(
        target={"type": "DataResource", "value": [f"{POD}interests/../loans/a.jsonld"]})]},
    "somebody else's storage": {"access": [policy(
        target={"type": "StorageResource", "value": [f"{BASE}/pods/bo/interests/"]})]},
    "a category that is not registered for the purpose": {"access": [policy(
        target={"type": "StorageResource", "value": [f"{POD}card/"]})]},
    "an address twice": {"access": [policy(
        target={"type": "StorageResource", "value": [f"{POD}interests/", f"{POD}interests/a.jsonld"]})]},
    "two policies": {"access": [policy(), policy()]},
    "a prohibition": {"access": [policy(prohibition=[])]},
    "a word that our detail does not have": {"access": [policy(**{RAR_TYPE: MORE | {"actions": ["delete"]}})]},
    "no legal basis": {"access": [policy(**{RAR_TYPE: {"retention": "P0D"}})]},
    "no words of ours": {"access": [policy(**{RAR_TYPE: None})]},
    "an inbox": {"inbox": "https://app.example/inbox/"},
    "another type": {"type": ["AccessGrant"]},
    "an unknown type": {"type": ["AccessRequest", "https://e.example/Order"]},
    "no context": {"@context": ["https://www.w3.org/ns/odrl.jsonld"]},
    "another server": {"storage": "https://other.example/pods/an/"},
    "the storage of whoever decides": {"storage": f"{BASE}/pods/"},
    "no storage": {"storage": 7},
}  # fmt: skip


@pytest.mark.parametrize("attack", BAD)
async def test_what_cannot_be_asked_word_for_word_is_422_with_the_reason_and_asked_of_nobody(
    house: Household, attack: str
) -> None:
    refused = await ask(house, wish(house) | BAD[attack])
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:kluis:problem:bad-access"), refused.text
    assert refused.json()["detail"]
    assert await listed(house) == [] and house.vault.db.read.run("SELECT count(*) FROM pushed") == [(0,)]


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
    one = policy(action=["read", "create"], target={"type": "DataResource", "value": places})
    made = await ask(house, wish(house, access=[one]))
    if made.status_code == 422:  # the registries may refuse writing here; then nothing is left of it
        one = policy(target={"type": "DataResource", "value": places})
        made = await ask(house, wish(house, access=[one]))
    (said,) = made.json()["access"]
    assert (said["action"], said["target"]["value"]) == (one["action"], places)
    assert said["constraint"][:2] == [limit("purpose", PURPOSE), limit("dateTime", END)]
    assert said[RAR_TYPE]["datatypes"][0]["resources"] == places


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
