"""What the vault tells the recommender is checked and obeyed: an end leaves nothing here, and it signs for that."""

from dataclasses import replace

import httpx
import pytest

from consent.jws import read
from keys.sign import new_es256
from recommender.contributor import GRANTS
from recommender.errors import Unreachable
from recommender.hearing import Hearing, listen
from recommender.profile import LOANS
from recommender.wallet import Wallet
from tests.recommender.conftest import NOW
from tests.recommender.test_agent import House
from tests.recommender.vault_standin import BASE, REGISTRATION

LIST = {"ask": "suggest", "pod": "an", "k": 6}


@pytest.fixture
async def house(tmp_path, small):
    house = House(tmp_path / "recommender", small)
    await house.grant()
    house.hearing = Hearing(house.agent, house.desk.drop)
    assert (await house.ask(**house.vault.permit(**LIST)))["suggestions"]
    assert house.desk.kept.holds("an")
    return house


@pytest.mark.parametrize("event", ["withdrawn", "objected", "expired", "used_up", "invalidated", "ended", "delete"])
async def test_an_end_forgets_the_tokens_and_everything_that_was_kept(house, event) -> None:
    house.vault.tell(event, "grant-1")
    assert await house.hearing.turn(NOW) == 1
    assert not house.desk.kept.holds("an")
    assert Wallet(house.folder).grant("an") is None


@pytest.mark.parametrize("event", ["corrected", "narrowed", "amended", "restricted", "resumed"])
async def test_a_change_drops_what_was_kept_and_the_grant_is_asked_for_anew(house, event) -> None:
    house.vault.tell(event, "grant-1")
    await house.hearing.turn(NOW)
    assert not house.desk.kept.holds("an")
    before = house.vault.live
    assert (await house.ask(**house.vault.permit(**LIST)))["suggestions"]
    assert house.vault.live == before + 1


async def test_asked_to_delete_it_signs_that_nothing_is_kept(house) -> None:
    house.vault.tell("delete", "grant-1", {"deadline": 0})
    await house.hearing.turn(NOW)
    (statement,) = house.vault.attested
    signed = read(statement)
    signed.verify(house.vault.client.jwks[0], frozenset({"ES256"}))
    assert dict(signed.claims) == {"iss": REGISTRATION.client_id, "aud": BASE, "sub": "grant-1",
                                   "deleted_at": int(NOW.timestamp())}  # fmt: skip


@pytest.mark.parametrize("event", ["withdrawn", "expired", "delete"])
async def test_the_end_of_the_grant_to_improve_deletes_the_copy_attests_it_and_leaves_the_suggestions(
    house, tmp_path, event
) -> None:
    given = Wallet(house.folder, GRANTS)
    given.keep("an", replace(house.agent.wallet.grant("an"), id="grant-2"))
    house.desk.copies.keep("an", {LOANS: []})
    hearing = Hearing(house.agent, house.desk.drop, (given, house.desk.copies))
    house.vault.tell(event, "grant-2")
    assert await hearing.turn(NOW) == 1
    assert house.desk.copies.pods == set() and Wallet(house.folder, GRANTS).grant("an") is None
    assert [read(one).claims["sub"] for one in house.vault.attested] == ["grant-2"]
    assert Wallet(house.folder).grant("an") and house.desk.kept.holds("an")


async def test_a_signal_is_confirmed_once_it_was_obeyed(house) -> None:
    house.vault.tell("withdrawn", "grant-1")
    assert [await house.hearing.turn(NOW), await house.hearing.turn(NOW)] == [1, 0]
    assert house.vault.waiting == {}


async def test_what_the_vault_did_not_sign_for_us_changes_nothing(house) -> None:
    house.vault.tell("withdrawn", "grant-1", aud="another-app")
    house.vault.tell("withdrawn", "another-grant")
    ours, house.vault.issuer = house.vault.issuer, {**new_es256(), "kid": house.vault.issuer["kid"]}
    house.vault.tell("withdrawn", "grant-1")
    house.vault.issuer = ours
    assert await house.hearing.turn(NOW) == 3
    assert Wallet(house.folder).grant("an") and house.desk.kept.holds("an")


async def test_a_vault_that_is_away_is_asked_again_and_bad_signals_end_nothing(house) -> None:
    house.vault.down = True
    with pytest.raises(Unreachable):
        await house.hearing.turn(NOW)
    pauses, told = [], []

    async def wait(seconds: float) -> None:
        pauses.append(seconds)
        house.vault.down = False
        if len(pauses) == 2:
            house.hearing._drop = None  # what cannot be obeyed
            house.vault.tell("withdrawn", "grant-1")
        if len(pauses) == 4:
            raise httpx.HTTPError("enough")

    with pytest.raises(httpx.HTTPError):
        await listen(house.hearing, lambda: NOW, wait, told.append)
    assert told == ["TypeError", "TypeError"] and house.vault.waiting
