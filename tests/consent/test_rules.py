"""The rules of consent.md's list that terms and registrations alone can keep: U9, U20, and the caps of a grant."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent import schema
from consent.errors import OAuthError
from consent.oauth.registration import check_client
from consent.purposes import LEGAL_BASES
from consent.request import choose, offers
from tests.consent import sample
from tests.consent.city import City
from vault.errors import Denied

MINE = "/interests/a.jsonld"


def test_u9_the_shortest_duration_is_the_default_and_none_is_longer_than_twelve_months() -> None:
    terms = sample.terms(expires="2027-11-21T12:00:00Z")
    offered = offers(terms, sample.NOW)
    assert [one.until for one in offered] == sorted(one.until for one in offered)
    assert choose(terms, set(), None, sample.NOW).expires == offered[0].until
    longest = int((sample.NOW + timedelta(days=365)).timestamp() * 1000)
    assert all(one.until <= longest for one in offered)
    with pytest.raises(OAuthError, match="invalid_authorization_details"):
        sample.terms(expires="2027-11-21T12:00:01Z")


def test_u20_an_app_has_at_most_seven_purposes() -> None:
    one = sample.APP.purposes[0]
    seven = tuple(replace(one, version=f"v{number}") for number in range(7))
    assert len(check_client(replace(sample.APP, purposes=seven)).purposes) == 7
    with pytest.raises(OAuthError, match="seven"):
        check_client(replace(sample.APP, purposes=(*seven, replace(one, version="v8"))))


def test_u20_legitimate_interest_is_no_ground_that_an_app_can_name() -> None:
    assert not any(basis.startswith("eu-gdpr:A6-1-f") for basis in LEGAL_BASES)
    with pytest.raises(OAuthError, match="legal_basis"):
        schema.check(sample.detail(legal_basis="eu-gdpr:A6-1-f"))


async def test_a_grant_is_used_a_day_as_often_as_it_says_and_the_next_day_again(city: City) -> None:
    asked = await city.ask(recurrence={"mode": "ongoing", "max_per_day": 2}, expires="2027-05-01T00:00:00Z")
    _, code = await city.allow(asked=asked)
    tokens = await city.redeem(code)
    for _ in range(2):
        await city.read(tokens["access_token"], MINE)
    with pytest.raises(Denied, match="day_cap"):
        await city.read(tokens["access_token"], MINE)
    city.clock.forward(days=1)
    access = (await city.renew(tokens["refresh_token"]))["access_token"]
    assert (await city.read(access, MINE))["schema:about"] == ["jazz"]
