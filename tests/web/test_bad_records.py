"""One bad record or one damaged row is its own problem: it never ends the answer for the others."""

import orjson
import pytest

from consent import answers, gate
from consent.tables import Grant
from keys.text import b64
from tests.house import ALL_INTERESTS, INTERESTS, Household
from vault import store

DERIVED = {"category": "kluis:Derived", "necessity": "required"}
DEEP = b'{"schema:about": ' + b"[" * 300 + b"]" * 300 + b"}"
NO_RECORDS = [
    pytest.param(b"[1, 2]", id="list"),
    pytest.param(b'"jazz"', id="text"),
    pytest.param(b"null", id="null"),
    pytest.param(b"{", id="half"),
    pytest.param(b"\xff\xfe", id="bytes"),
    pytest.param(DEEP, id="deep"),
]
LD = "application/ld+json"


async def lay(house: Household, path: str, media: str, body: bytes) -> None:
    """Put anything among An's records, as a careless writer of an earlier day could have."""
    permit, _ = gate.own(house.session, path.split("/")[1], "write", path)
    await store.write(house.vault, permit, path, media, body, house.clock())


@pytest.mark.parametrize("body", NO_RECORDS)
@pytest.mark.parametrize("media", [LD, "application/json"])
async def test_what_is_no_json_object_is_left_out_of_batch_listing_and_page(
    house: Household, body: bytes, media: str
) -> None:
    whole, narrow = await house.grant(ALL_INTERESTS), await house.grant(INTERESTS)
    await lay(house, "/interests/A.jsonld", media, body)
    await lay(house, "/interests/z.jsonld", media, body)
    for granted in (whole, narrow):
        batch = await house.call("GET", "/api/records?category=pd:Interest", granted.access)
        assert batch.status_code == 200
        graph = orjson.loads(batch.content)["@graph"]
        assert [one["@id"].rpartition("/")[2] for one in graph] == ["a.jsonld"]
        listed = await house.call("GET", "/pods/an/interests/", granted.access)
        assert listed.status_code == 200 and "a.jsonld" in listed.text
    read = await answers.records(house.vault, house.session, "pd:Interest", house.clock(), "preview")
    assert [one["schema:name"] for one in read] == ["geheim"]


@pytest.mark.parametrize("body", NO_RECORDS)
async def test_an_app_stores_only_json_objects_where_others_store_too(house: Household, body: bytes) -> None:
    granted = await house.grant(DERIVED, actions=["read", "write", "append"])
    for media in (LD, "application/json", "application/JSON; charset=utf-8"):
        put = await house.call("PUT", "/pods/an/derived/a.jsonld", granted.access, {"content-type": media}, body)
        assert (put.status_code, put.json()["type"]) == (422, "urn:kluis:problem:no-record")
    posted = await house.call("POST", "/pods/an/derived/", granted.access, {"content-type": LD}, body)
    assert posted.status_code == 422
    batch = await house.call("GET", "/api/records?category=kluis:Derived", granted.access)
    assert orjson.loads(batch.content)["@graph"] == []


@pytest.mark.parametrize("media", ["text/plain", "text/turtle", "application/octet-stream", "application/xml+json"])
async def test_an_app_stores_its_records_under_a_json_type(house: Household, media: str) -> None:
    granted = await house.grant(DERIVED, actions=["write"])
    body = b'{"@type": "kluis:Derived"}'
    put = await house.call("PUT", "/pods/an/derived/a", granted.access, {"content-type": media}, body)
    assert put.status_code == 422


async def test_a_good_record_of_an_app_is_stored_and_read_back(house: Household) -> None:
    granted = await house.grant(DERIVED, actions=["read", "write", "append"])
    body = b'{"@type": "urn:kluis:ns:Derived", "https://schema.org/name": "Tip"}'
    put = await house.call("PUT", "/pods/an/derived/a.jsonld", granted.access, {"content-type": LD}, body)
    assert put.status_code == 201, put.text
    batch = await house.call("GET", "/api/records?category=kluis:Derived", granted.access)
    assert [one["https://schema.org/name"] for one in orjson.loads(batch.content)["@graph"]] == ["Tip"]


async def test_a_damaged_grant_does_not_keep_the_others_from_being_seen_and_withdrawn(house: Household) -> None:
    damaged, sound = await house.grant(INTERESTS), await house.grant(ALL_INTERESTS)
    assert (await house.call("GET", "/api/records?category=pd:Interest", damaged.access)).status_code == 200
    await house.vault.db.write(lambda tx: tx.change(Grant, {"id": damaged.id}, sealed=b"\x01" + bytes(60)))
    own = {"cookie": f"kluis={house.cookie}", "accept": "text/html"}
    listed = await house.call("GET", "/api/grants", headers=own)
    assert listed.status_code == 200
    assert {one["id"]: one["state"] for one in listed.json()["grants"]} == {
        b64(damaged.id): "damaged",
        b64(sound.id): "live",
    }
    for path in ("/me", "/me/access", "/me/data"):
        assert (await house.call("GET", path, headers=own)).status_code == 200, path
    page = (await house.call("GET", "/me/access", headers=own)).text
    assert "Deze toestemming is beschadigd" in page
    assert "Las 1 keer" in page
    assert f"withdraw-{b64(damaged.id)}" not in page
    await house.withdraw(sound)
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", sound.access)).status_code == 401
