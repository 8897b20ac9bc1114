"""The life of a grant in a real vault: given, used, refreshed, raced, taken back."""

import asyncio
from typing import Any

import pytest

from consent import endings, grants
from consent.call import Denial
from consent.errors import CodeReused, OAuthError
from consent.tables import GrantKeyRow, Token
from keys.text import b64
from tests.consent import sample
from tests.consent.city import LOAN_TOPICS, City
from vault.errors import Denied


async def test_a_given_grant_opens_what_it_covers_and_nothing_else(city: City) -> None:
    grant, code = await city.allow({LOAN_TOPICS})
    answer = await city.redeem(code)
    access = answer["access_token"]
    assert (await city.read(access, "/interests/a.jsonld"))["schema:about"] == ["jazz"]
    assert "schema:name" not in await city.read(access, "/interests/a.jsonld")
    assert (await city.read(access, "/answers/loans-interest_topics_k10-P1Y.jsonld"))["schema:about"] == ["strips"]
    for path in ("/loans/a.jsonld", "/person/a.jsonld", "/answers/person-postal_district.jsonld", "/tickets/"):
        denied = await city.read(access, path)
        assert isinstance(denied, Denial)
        assert denied.code == "insufficient_authorization_details"
    assert answer["grant_id"] == b64(grant)
    assert [row["category"] for row in answer["authorization_details"][0]["datatypes"]] == [
        "pd:Interest",
        "kluis:LibraryLoan",
    ]


async def test_a_derived_answer_gives_no_key_to_its_source(city: City) -> None:
    grant, _ = await city.allow({LOAN_TOPICS})
    keyed = {row.compartment for row in city.vault.db.read.find(GrantKeyRow, grant=grant)}
    pod = city.session.pod
    assert keyed == {pod.compartment("interests"), pod.compartment("answers")}


async def test_a_grant_that_only_writes_gets_no_key(city: City) -> None:
    asked = await city.ask(actions=["append"], datatypes=[{"category": "kluis:Derived", "necessity": "required"}])
    grant, _ = await city.allow(asked=asked)
    assert city.vault.db.read.find(GrantKeyRow, grant=grant) == []
    assert city.vault.shares.count("grant", grant) == 0


async def test_the_same_code_twice_has_one_winner_and_the_grant_ends(city: City) -> None:
    grant, code = await city.allow()
    done = await asyncio.gather(*(city.redeem(code) for _ in range(10)), return_exceptions=True)
    won = [one for one in done if isinstance(one, dict)]
    assert len(won) == 1
    assert all(isinstance(one, CodeReused | dict) or getattr(one, "code", "") == "invalid_grant" for one in done)
    assert grants.keys_left(city.vault, grant) == 0
    denied = await city.read(won[0]["access_token"], "/interests/a.jsonld")
    assert denied.code == "invalid_token"


async def test_a_code_that_comes_back_later_takes_its_tokens_down_whoever_shows_it(city: City) -> None:
    grant, code = await city.allow()
    answer = await city.redeem(code)
    city.clock.forward(seconds=120)
    with pytest.raises(CodeReused):
        await city.redeem(code, client="other")
    found = grants.load(city.vault, grant)
    assert found is not None
    assert found.state == "ended"
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.renew(answer["refresh_token"])


async def test_a_code_is_too_late_after_a_minute(city: City) -> None:
    _, code = await city.allow()
    city.clock.forward(seconds=60)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.redeem(code)


@pytest.mark.parametrize("wrong", [{"client": "other"}, {"key": sample.APP_KEY}, {"code_verifier": "b" * 43}])
async def test_a_code_of_another_client_or_key_is_refused_and_logged(city: City, wrong: dict[str, Any]) -> None:
    _, code = await city.allow()
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.redeem(code, **wrong)
    rules = {"client": "other client", "key": "other key", "code_verifier": "invalid_grant"}
    assert city.told()[-1] == ("denial", "token", rules[next(iter(wrong))])
    assert "access_token" in await city.redeem(code)


async def test_a_refresh_token_stays_and_belongs_to_its_client_and_key(city: City) -> None:
    _, code = await city.allow()
    refresh = (await city.redeem(code))["refresh_token"]
    for wrong in ({"client": "other"}, {"key": sample.APP_KEY}):
        with pytest.raises(OAuthError, match="invalid_grant"):
            await city.renew(refresh, **wrong)
    for _ in range(2):
        city.clock.forward(days=60)
        renewed = await city.renew(refresh)
        assert "refresh_token" not in renewed
        assert (await city.read(renewed["access_token"], "/interests/a.jsonld"))["schema:about"] == ["jazz"]
    city.clock.forward(days=90)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.renew(refresh)


async def test_a_withdrawal_leaves_no_key_and_bites_at_the_next_request(city: City) -> None:
    grant, code = await city.allow({LOAN_TOPICS})
    answer = await city.redeem(code)
    assert grants.keys_left(city.vault, grant) == 2 + 2 + 2
    assert await endings.withdraw(city.vault, city.session, grant, city.now)
    assert grants.keys_left(city.vault, grant) == 0
    denied = await city.read(answer["access_token"], "/interests/a.jsonld")
    assert denied.code == "invalid_token"
    assert city.told()[-1] == ("denial", "read", "withdrawn")
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.renew(answer["refresh_token"])
    assert await endings.withdraw(city.vault, city.session, grant, city.now)


async def test_a_withdrawal_beats_a_race_of_refreshes(city: City) -> None:
    grant, code = await city.allow()
    refresh = (await city.redeem(code))["refresh_token"]
    steps = [city.renew(refresh), endings.withdraw(city.vault, city.session, grant, city.now), city.renew(refresh)]
    done = await asyncio.gather(*steps, return_exceptions=True)
    assert grants.keys_left(city.vault, grant) == 0
    for one in done:
        if isinstance(one, dict):
            assert (await city.read(one["access_token"], "/interests/a.jsonld")).code == "invalid_token"


async def test_yesterdays_database_does_not_bring_a_withdrawn_grant_back(city: City) -> None:
    grant, code = await city.allow()
    access = (await city.redeem(code))["access_token"]
    assert (await city.read(access, "/interests/a.jsonld"))["schema:about"] == ["jazz"]
    read = city.vault.db.read
    wraps, keys = read.find(Token, grant=grant), read.find(GrantKeyRow, grant=grant)
    await endings.withdraw(city.vault, city.session, grant, city.now)

    def restore(tx: Any) -> None:
        tx.remove(Token, grant=grant)
        tx.run("UPDATE gate SET state = 'live', epoch = 1 WHERE id = :g", g=grant)
        for row in (*wraps, *keys):
            tx.add(row)

    await city.vault.db.write(restore)
    with pytest.raises(Denied, match="needs_renewal"):
        await city.read(access, "/interests/a.jsonld")
