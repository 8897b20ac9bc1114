"""How grants end: objection and invalidation stop like a withdrawal, and the wish that a copy goes is kept."""

from dataclasses import replace
from typing import Any

import pytest

from consent import endings, events, grants, narrowing
from consent.accounts import passphrase
from consent.accounts.sessions import SessionFacts
from consent.call import Denial
from consent.errors import BadChoice, OAuthError
from consent.receipts import open_receipt
from tests.consent.city import City
from vault.errors import Denied

PUBLIC_TASK = {"legal_basis": "eu-gdpr:A6-1-e"}
MINE = "/interests/a.jsonld"


async def granted(city: City, **changes: Any) -> tuple[bytes, dict[str, Any]]:
    grant, code = await city.allow(asked=await city.ask(**changes))
    return grant, await city.redeem(code)


async def officer(city: City) -> SessionFacts:
    """The DPO's officer, logged in."""
    opened = await passphrase.login(city.vault, "dpo", city.officer, city.now)
    assert opened is not None
    return opened[1]


async def stopped(city: City, tokens: dict[str, Any], grant: bytes) -> None:
    denied = await city.read(tokens["access_token"], MINE)
    assert isinstance(denied, Denial) and denied.code == "invalid_token"
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.renew(tokens["refresh_token"])
    assert grants.keys_left(city.vault, grant) == 0


def last(city: City, grant: bytes) -> events.Step:
    return events.history(city.vault, city.session.pod, grant)[-1]


@pytest.mark.parametrize("basis", ["eu-gdpr:A6-1-e", "eu-gdpr:A6-1-c"])
@pytest.mark.parametrize("objects", [True, False])
async def test_what_rests_on_no_consent_is_objected_to_and_stops_at_the_next_request(
    city: City, basis: str, objects: bool
) -> None:
    grant, tokens = await granted(city, legal_basis=basis)
    assert await endings.withdraw(city.vault, city.session, grant, city.now, objects=objects)
    found = grants.load(city.vault, grant)
    assert found is not None and found.state == "objected" and last(city, grant).state == "objected"
    await stopped(city, tokens, grant)
    assert ("consent", "object", "session") in city.told()


async def test_consent_is_withdrawn_unless_she_says_that_she_objects(city: City) -> None:
    first, _ = await granted(city)
    await endings.withdraw(city.vault, city.session, first, city.now)
    second, _ = await granted(city)
    await endings.withdraw(city.vault, city.session, second, city.now, objects=True)
    assert (last(city, first).state, last(city, second).state) == ("withdrawn", "objected")


@pytest.mark.parametrize("erase", [True, False])
async def test_her_wish_that_the_app_deletes_its_copy_is_kept_with_the_withdrawal(city: City, erase: bool) -> None:
    grant, _ = await granted(city)
    await endings.withdraw(city.vault, city.session, grant, city.now, erase=erase)
    steps = {step.state: step.detail for step in events.history(city.vault, city.session.pod, grant)}
    assert steps["withdrawn"].get("erase", False) is erase and ("delete_asked" in steps) is erase


async def test_the_dpo_ends_a_grant_that_was_never_valid_with_a_reason_that_its_citizen_reads(city: City) -> None:
    grant, tokens = await granted(city)
    dirk = await officer(city)
    assert await endings.invalidate(city.vault, dirk, grant, "  Een kind gaf dit. ", city.now)
    found = grants.load(city.vault, grant)
    assert found is not None and found.state == "invalidated"
    await stopped(city, tokens, grant)
    assert last(city, grant).detail["reason"] == "Een kind gaf dit."
    assert ("consent", "invalidate", "dpo") in city.told()
    assert await endings.invalidate(city.vault, dirk, grant, "Nog eens.", city.now)
    assert last(city, grant).detail["reason"] == "Een kind gaf dit."


async def test_only_the_dpo_invalidates_and_never_without_a_reason(city: City) -> None:
    grant, _ = await granted(city)
    with pytest.raises(Denied, match="role"):
        await endings.invalidate(city.vault, city.session, grant, "Omdat.", city.now)
    dirk = await officer(city)
    for reason in ("", "   ", "x" * 301):
        with pytest.raises(BadChoice):
            await endings.invalidate(city.vault, dirk, grant, reason, city.now)
    assert not await endings.invalidate(city.vault, dirk, bytes(16), "Omdat.", city.now)
    found = grants.load(city.vault, grant)
    assert found is not None and found.state == "live"


async def test_an_officer_whose_session_ended_invalidates_nothing(city: City) -> None:
    grant, _ = await granted(city)
    dirk = await officer(city)
    city.clock.forward(hours=9)
    with pytest.raises(Denied):
        await endings.invalidate(city.vault, dirk, grant, "Omdat.", city.now)


@pytest.mark.parametrize("end", ["withdrawn", "objected", "invalidated", "ended", "expired"])
async def test_every_end_has_a_receipt_that_says_which(city: City, end: str) -> None:
    grant, _ = await granted(city)
    found = grants.load(city.vault, grant)
    assert found is not None
    if end in ("withdrawn", "objected"):
        await endings.withdraw(city.vault, city.session, grant, city.now, objects=end == "objected")
    elif end == "invalidated":
        await endings.invalidate(city.vault, await officer(city), grant, "Omdat.", city.now)
    elif end == "ended":
        await endings.revoke(city.vault, found, city.now)
    else:
        city.clock.now = city.clock.now.replace(year=2027, month=5, day=1, hour=0)
        assert await endings.sweep(city.vault, city.now) == 1  # exactly at its end
    kept = [one for one in grants.kept_receipts(city.vault, city.session.pod) if one.grant == grant]
    told = open_receipt(kept[-1].jws, city.vault.issuer_public)
    assert told["event"]["event_type"] == end and len(kept) == 2


async def test_a_frozen_grant_can_be_withdrawn_and_objected_to(city: City) -> None:
    for objects in (False, True):
        grant, tokens = await granted(city)
        await narrowing.restrict(city.vault, city.session, grant, city.now, on=True)
        assert await endings.withdraw(city.vault, city.session, grant, city.now, objects=objects)
        await stopped(city, tokens, grant)


async def test_at_its_very_end_a_grant_opens_nothing(city: City) -> None:
    grant, _ = await granted(city, expires="2026-11-21T12:05:00Z")
    other, tokens = await granted(city, expires="2026-11-21T12:03:00Z")
    city.clock.forward(minutes=3)
    denied = await city.read(tokens["access_token"], MINE)
    assert isinstance(denied, Denial) and denied.code == "invalid_token"
    states = [grants.state_at(found, city.now) for g in (grant, other) if (found := grants.load(city.vault, g))]
    assert states == ["live", "expired"]


async def test_an_objection_to_marketing_stops_every_marketing_of_whoever_stands_behind_it(city: City) -> None:
    async def given(purpose: str, **more: Any) -> tuple[bytes, str]:
        asked = await city.ask()
        terms = replace(asked.terms, purpose_code=purpose, **more)
        return await city.allow(asked=replace(asked, said=replace(asked.said, terms=terms)))

    first, _ = await given("dpv:PersonalisedAdvertising")
    second, code = await given("dpv:TargetedAdvertising")
    tokens = await city.redeem(code)
    frozen, _ = await given("dpv:Advertising", client="tweeling")
    await narrowing.restrict(city.vault, city.session, frozen, city.now, on=True)
    plain, (other, _) = await granted(city), await given("dpv:Marketing", client="x", controller="https://x.example/")
    assert await endings.withdraw(city.vault, city.session, first, city.now, objects=True)
    await stopped(city, tokens, second)
    states = {one.id: one.state for one in grants.listing(city.vault, city.session.pod)}
    assert {states[one] for one in (first, second, frozen)} == {"objected"}
    assert {states[one] for one in (plain[0], other)} == {"live"}
