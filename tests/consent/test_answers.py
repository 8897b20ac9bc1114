"""Answers instead of data: whoever may have an answer never gets a key to what it was worked out from."""

from typing import Any

import orjson
import pytest

from consent import gate, grants
from consent.call import Denial
from consent.categories import CATEGORIES
from consent.tables import GrantKeyRow
from consent.terms import Datum
from tests.consent.city import City
from vault import store
from vault.errors import Denied

ANSWERS = {name: kind.curie for kind in CATEGORIES.values() for name in kind.answers if kind.curie != "kluis:Ticket"}
EXPECTED = {
    "age_over_18": True,
    "age_over_13": True,
    "age_band": "25-44",
    "is_resident": True,
    "postal_district": "2000",
    "interest_topics_k10": ["jazz"],
}
ANSWERS["interest_topics_k10"] = "pd:Interest"


async def granted(city: City, name: str) -> tuple[bytes, str, Datum]:
    born = {"@type": "pd:Age", "schema:birthDate": "1990-05-06"}
    permit, _ = gate.own(city.session, "age", "write", "/age/a.jsonld")
    await store.write(city.vault, permit, "/age/a.jsonld", "application/ld+json", orjson.dumps(born), city.now)
    row: dict[str, Any] = {"category": ANSWERS[name], "derived": name, "necessity": "required"}
    asked = await city.ask(datatypes=[row], recurrence={"mode": "ongoing", "max_uses": 3})
    grant, code = await city.allow(asked=asked)
    token = (await city.redeem(code))["access_token"]
    return grant, token, Datum(ANSWERS[name], derived=name)


@pytest.mark.parametrize("name", sorted(EXPECTED))
async def test_an_answer_opens_itself_and_no_key_to_its_source(city: City, name: str) -> None:
    grant, token, datum = await granted(city, name)
    answers = city.session.pod.compartment("answers")
    held = city.vault.db.read.find(GrantKeyRow, grant=grant)
    assert {row.compartment for row in held} == {answers}
    assert {place for of, place in city.vault.keyring(city.session.pod).grants if of == grant} == {answers}
    assert city.vault.shares.count("grant", grant) == 1
    told = await city.read(token, datum.answer_path)
    assert told.get("kluis:value", told.get("schema:about")) == EXPECTED[name]
    assert told["kluis:asOf"] == "2026-11-21T12:00:00Z"
    source = CATEGORIES[ANSWERS[name]].container
    denied = await city.read(token, f"/{source}a.jsonld")
    assert isinstance(denied, Denial) and denied.code == "insufficient_authorization_details"


@pytest.mark.parametrize("name", sorted(EXPECTED))
async def test_no_other_answer_of_the_same_source_can_be_probed(city: City, name: str) -> None:
    _, token, _ = await granted(city, name)
    for other in EXPECTED.keys() - {name}:
        denied = await city.read(token, Datum(ANSWERS[other], derived=other).answer_path)
        assert isinstance(denied, Denial) and denied.code == "insufficient_authorization_details"


async def test_every_look_at_an_answer_is_counted_and_the_last_one_is_the_last(city: City) -> None:
    grant, token, datum = await granted(city, "age_over_18")
    for used in (1, 2, 3):
        await city.read(token, datum.answer_path)
        found = grants.load(city.vault, grant)
        assert found is not None and (found.uses, found.left) == (used, 3 - used)
    with pytest.raises(Denied, match="used_up"):
        await city.read(token, datum.answer_path)


async def test_a_stale_answer_says_from_when_it_is(city: City) -> None:
    _, token, datum = await granted(city, "is_resident")
    moved = {"@type": "pd:PostalCode", "schema:postalCode": "9000"}
    permit, _ = gate.own(city.session, "person", "write", "/person/a.jsonld")
    city.clock.forward(minutes=4)
    await store.write(city.vault, permit, "/person/a.jsonld", "application/ld+json", orjson.dumps(moved), city.now)
    told = await city.read(token, datum.answer_path)
    assert (told["kluis:value"], told["kluis:asOf"]) == (True, "2026-11-21T12:00:00Z")


async def test_what_one_app_may_know_of_everything_is_not_told_to_one_that_may_know_of_the_last_alone(
    city: City,
) -> None:
    old = {"@type": "kluis:LibraryLoan", "schema:about": ["vroeger"], "schema:startTime": "2020-01-01"}
    permit, _ = gate.own(city.session, "loans", "write", "/loans/old.jsonld")
    await store.write(city.vault, permit, "/loans/old.jsonld", "application/ld+json", orjson.dumps(old), city.now)
    row: dict[str, Any] = {"category": "kluis:LibraryLoan", "derived": "interest_topics_k10", "necessity": "required"}
    _, code = await city.allow(asked=await city.ask(datatypes=[row | {"since": "2026-01-01"}]))
    token = (await city.redeem(code))["access_token"]
    await city.allow(asked=await city.ask(datatypes=[row]))
    datum = Datum("kluis:LibraryLoan", derived="interest_topics_k10", since="2026-01-01")
    told = await city.read(token, datum.answer_path)
    assert "vroeger" not in told["schema:about"]
    whole = Datum("kluis:LibraryLoan", derived="interest_topics_k10")
    assert isinstance(await city.read(token, whole.answer_path), Denial)
