"""Special categories need a passkey for that very request; ordinary consent needs a proof that is not old; refusing
and withdrawing need nothing.
"""

import re
from dataclasses import replace

import pytest

from consent import endings, grants, special
from consent.accounts import sessions
from consent.categories import CATEGORIES
from consent.errors import OAuthError
from consent.purposes import PURPOSES
from consent.request import parse
from keys.text import unb64
from recommender import profile
from tests.conftest import BASE, Clock
from tests.consent import sample
from tests.house import Household
from tests.web import tariff
from tests.web.pages_sample import CONSENT
from tests.web.tariff import CARD, POOL, RECORDS, ROW, TARIFF, detail, touched
from tests.web.test_pages import Document
from web.pages.door import Door
from web.pages.views import render

KEY = f"{TARIFF}#kluis:entitled"
OPTIONAL = ROW | {"necessity": "optional"}


async def test_a_special_category_is_given_with_a_tick_of_its_own_and_a_passkey_and_then_read(house: Household) -> None:
    pool, device = await tariff.pool(house), await tariff.passkey(house)
    page = await pool.open(await pool.push())
    assert 'data-test="special"' in page.text and 'data-test="what"' not in page.text
    assert f'name="explicit" value="{KEY}"' in page.text and "checked" not in page.text
    given = await pool.press(page, "allow", KEY, **touched(device, page))
    assert given.status_code == 303 and given.headers["location"].startswith(sample.RETURN)
    token = await pool.redeem(given)
    read = await house.call("GET", RECORDS, token["access_token"])
    assert read.status_code == 200 and read.json()["@graph"][0]["kluis:entitled"] is True
    told = (await house.http.post("/oauth/introspect", data=pool.own(token=token["access_token"]))).json()
    assert (told["acr"], told["auth_time"]) == ("phr", int(house.clock().timestamp()))
    kept = grants.load(house.vault, unb64(token["grant_id"]))
    assert kept is not None and (kept.terms.acr, kept.terms.auth_time) == ("phr", told["auth_time"] * 1000)


async def test_without_a_passkey_a_passphrase_is_not_enough_and_the_page_says_how_to_get_one(house: Household) -> None:
    pool = await tariff.pool(house)
    page = await pool.open(await pool.push())
    assert 'id="no-passkey"' in page.text and 'href="/me/security#passkey"' in page.text
    assert 'id="allow"' not in page.text and 'id="deny"' in page.text
    refused = await pool.press(page, "allow", KEY, proof=house.codes[0])
    assert refused.status_code == 200 and "Je toonde je passkey niet" in refused.text
    assert grants.listing(house.vault, house.session.pod) == []
    assert (await pool.press(page, "deny")).status_code == 303


async def test_without_javascript_the_page_says_that_a_passkey_needs_it_and_refusing_works(house: Household) -> None:
    pool = await tariff.pool(house)
    await tariff.passkey(house)
    page = await pool.open(await pool.push())
    assert "<noscript>" in page.text and "alleen als JavaScript aan staat" in page.text
    again = await pool.press(page, "allow", KEY)
    assert again.status_code == 200 and 'data-test="not-proven"' in again.text
    assert (await pool.press(again, "deny")).headers["location"].find("error=access_denied") > 0


async def test_a_passkey_without_the_tick_or_a_tick_without_the_passkey_gives_nothing(house: Household) -> None:
    pool, device = await tariff.pool(house), await tariff.passkey(house)
    page = await pool.open(await pool.push())
    untold = await pool.press(page, "allow", **touched(device, page))
    assert untold.status_code == 200 and "vinkte het gevoelige gegeven niet aan" in untold.text
    assert grants.listing(house.vault, house.session.pod) == []


async def test_a_touch_for_another_request_another_moment_or_used_before_counts_for_nothing(
    house: Household, clock: Clock
) -> None:
    pool, device = await tariff.pool(house), await tariff.passkey(house)
    other = await pool.open(await pool.push())
    page = await pool.open(await pool.push())
    late = touched(device, page)
    for fields in (touched(device, other), late | {"prf": ""}):
        refused = await pool.press(page, "allow", KEY, **fields)
        assert refused.status_code == 200 and "niet nagaan of jij het bent" in refused.text
    clock.forward(minutes=5)
    assert "niet nagaan" in (await pool.press(page, "allow", KEY, **late)).text
    assert grants.listing(house.vault, house.session.pod) == []
    fresh = await pool.open(await pool.push())
    once = touched(device, fresh)
    assert (await pool.press(fresh, "allow", KEY, **once)).status_code == 303
    assert len(grants.listing(house.vault, house.session.pod)) == 1
    last = await pool.open(await pool.push(ROW, retention="P1D"))
    assert "niet nagaan" in (await pool.press(last, "allow", KEY, **once)).text


async def test_a_device_that_did_not_verify_its_person_counts_for_nothing(house: Household) -> None:
    pool, device = await tariff.pool(house), await tariff.passkey(house)
    page = await pool.open(await pool.push())
    device.flags = 1  # somebody touched it, nobody looked who
    assert "niet nagaan" in (await pool.press(page, "allow", KEY, **touched(device, page))).text
    assert grants.listing(house.vault, house.session.pod) == []


async def test_an_optional_special_row_left_alone_needs_nothing(house: Household) -> None:
    pool = await tariff.pool(house)
    page = await pool.open(await pool.push(OPTIONAL, CARD))
    assert 'id="allow"' in page.text and 'data-test="what"' in page.text
    token = await pool.redeem(await pool.press(page))
    assert [row["category"] for row in token["authorization_details"][0]["datatypes"]] == ["kluis:Card"]
    assert (await house.call("GET", RECORDS, token["access_token"])).status_code == 403


async def test_a_grant_without_the_step_up_reads_nothing_special_and_is_told_what_is_missing(house: Household) -> None:
    """As for a category that became special after the grant was given: no page ever asked for the proof."""
    pool = await tariff.pool(house)
    page = await pool.open(await pool.push(CARD, legal_basis="eu-gdpr:A6-1-a-explicit-consent"))
    token = await pool.redeem(await pool.press(page))
    weak = await weakly_given(house, pool)
    for path in (RECORDS, "/pods/an/tariff/a.jsonld"):
        refused = await house.call("GET", path, weak)
        assert refused.status_code == 403, refused.text
        said = refused.headers["www-authenticate"]
        assert 'error="insufficient_user_authentication"' in said
        assert 'acr_values="phr"' in said and 'max_age="300"' in said
        assert refused.json()["type"].endswith("insufficient_user_authentication")
    assert house.told()[-1]["rule"] == "step_up"
    assert (await house.call("GET", "/api/records?category=kluis:Card", token["access_token"])).status_code == 200


async def test_an_app_that_asks_again_in_the_words_of_the_challenge_gets_what_it_lacked(house: Household) -> None:
    pool, device = await tariff.pool(house), await tariff.passkey(house)
    refused = await house.call("GET", RECORDS, await weakly_given(house, pool))
    wanted = dict(re.findall(r'(acr_values|max_age)="([^"]+)"', refused.headers["www-authenticate"]))
    page = await pool.open(await pool.push(more=wanted))
    token = await pool.redeem(await pool.press(page, "allow", KEY, **touched(device, page)))
    assert (await house.call("GET", RECORDS, token["access_token"])).status_code == 200


async def weakly_given(house: Household, pool: tariff.Pool) -> str:
    """A live token over the tariff whose grant rests on a login with a recovery code alone."""
    from consent import asks
    from consent.asks import Shown
    from consent.oauth.dpop import Proof
    from consent.oauth.par import Pushed
    from keys.secret import fresh_bytes
    from keys.text import b64

    now = house.clock()
    said = Pushed("zwembad", sample.RETURN, sample.CHALLENGE, sample.JKT, parse(detail(ROW), POOL, BASE, now))
    asked = await asks.push(house.vault, said, Shown(Proof(sample.JKT, fresh_bytes(32), 2**50), None), now)
    await asks.show(house.vault, house.session, asked, {"hash": "h", "language": "nl", "version": "1"}, now)
    asked = asks.find(house.vault, b64(asked.handle), "zwembad", now)
    weak = replace(asked.terms.for_pod("an"), acr="urn:kluis:acr:recovery-code", auth_time=int(now.timestamp() * 1000))
    code = await grants.give(house.vault, house.session, asked, weak, now)
    form = pool.own(grant_type="authorization_code", code=code, redirect_uri=sample.RETURN,
                    code_verifier=sample.VERIFIER)  # fmt: skip
    done = await house.http.post("/oauth/token", data=form, headers={"dpop": house.proof("POST", "/oauth/token")})
    return str(done.json()["access_token"])


async def test_ordinary_consent_long_after_the_login_asks_again_and_refusing_and_withdrawing_never_do(
    house: Household, clock: Clock
) -> None:
    pool = await tariff.pool(house)
    ordinary = {"legal_basis": "eu-gdpr:A6-1-a-explicit-consent"}
    for _ in range(3):  # she uses her vault all the while
        clock.forward(minutes=10)
        assert (await house.http.get("/me", headers={"cookie": f"kluis={house.cookie}"})).status_code == 200
    page = await pool.open(await pool.push(CARD, **ordinary))
    assert 'id="again"' in page.text and "Ben jij het nog?" in page.text
    for proof in ("", "niet de goede zin"):
        refused = await pool.press(page, "allow", proof=proof)
        assert refused.status_code == 200 and 'data-test="not-proven"' in refused.text
    token = await pool.redeem(await pool.press(page, "allow", proof=house.codes[1]))
    told = (await house.http.post("/oauth/introspect", data=pool.own(token=token["access_token"]))).json()
    assert (told["acr"], told["auth_time"]) == ("urn:kluis:acr:recovery-code", int(clock().timestamp()))
    after = await pool.open(await pool.push(CARD, retention="P1D", **ordinary))
    assert 'id="again"' not in after.text, "she has just shown who she is"
    clock.forward(minutes=14)
    await house.http.get("/me", headers={"cookie": f"kluis={house.cookie}"})
    clock.forward(minutes=14)
    await house.http.get("/me", headers={"cookie": f"kluis={house.cookie}"})
    clock.forward(minutes=3)
    assert 'id="again"' in (old := await pool.open(await pool.push(CARD, retention="P2D", **ordinary))).text
    assert (await pool.press(old, "deny")).status_code == 303
    session = sessions.find(house.vault, house.cookie, clock())
    assert session is not None
    assert await endings.withdraw(house.vault, session, unb64(token["grant_id"]), clock())


async def test_long_after_the_login_a_passkey_for_this_request_is_enough(house: Household, clock: Clock) -> None:
    pool, device = await tariff.pool(house), await tariff.passkey(house)
    for _ in range(3):
        clock.forward(minutes=10)
        await house.http.get("/me", headers={"cookie": f"kluis={house.cookie}"})
    page = await pool.open(await pool.push(CARD, legal_basis="eu-gdpr:A6-1-a-explicit-consent"))
    given = await pool.press(page, "allow", proof="", **touched(device, page))
    assert given.status_code == 303 and "code=" in given.headers["location"]


@pytest.mark.parametrize(
    ("changes", "client"),
    [
        ({"actions": ["read", "recommend"]}, POOL),
        ({"automated_decision": "profiling"}, POOL),
        ({"processing": ["dpv:Profiling"]}, POOL),
        ({}, replace(POOL, client_id=special.RECOMMENDER)),
        ({}, replace(POOL, trust="unverified")),
        ({"legal_basis": "eu-gdpr:A6-1-a-explicit-consent"}, POOL),
    ],
)
def test_who_recommends_profiles_or_is_not_reviewed_cannot_ask_for_a_special_category(changes, client) -> None:  # type: ignore[no-untyped-def]
    parse(detail(ROW), POOL, BASE, sample.NOW)
    with pytest.raises(OAuthError) as refused:
        parse(detail(ROW, **changes), client, BASE, sample.NOW)
    assert refused.value.code == "invalid_authorization_details"


def test_no_purpose_that_fits_something_to_a_person_may_ask_for_a_special_category_nor_is_one_read_to_suggest() -> None:
    marked = {curie for curie, kind in CATEGORIES.items() if kind.special}
    assert TARIFF in marked
    asking = {code for code, one in PURPOSES.items() if marked & set(one.highest)}
    assert asking == {"dpv:ServiceProvision", "dpv:RequestedServiceProvision"}
    assert not marked & set(profile.CATEGORIES)


async def test_a_grant_that_says_it_recommends_reads_nothing_special_even_if_it_was_signed(house: Household) -> None:
    from consent.decide import Ask, Refusal, decide

    good = parse(detail(ROW), POOL, BASE, sample.NOW)
    ask = Ask("read", TARIFF)
    assert not isinstance(decide(good, ask, sample.NOW), Refusal)
    for bad in (replace(good, actions=("read", "recommend")), replace(good, client=special.RECOMMENDER),
                replace(good, purpose_code="dpv:ProvideEventRecommendations")):  # fmt: skip
        assert isinstance(decide(bad, ask, sample.NOW), Refusal)


def test_the_page_with_everything_a_decision_may_need_is_whole_and_presses_nobody() -> None:
    """U1, U2 and U18 hold for the card of special categories and for the second proof too."""
    sensitive = replace(CONSENT, data=(replace(CONSENT.data[0], special=True), *CONSENT.data[1:]))
    document = Document(render("consent", sensitive, Door('{"challenge": "x"}', needed=True, again=True), csrf="tok"))
    ids = [one["id"] for one in document.find() if one.get("id")]
    assert len(ids) == len(set(ids)) and len(document.find("h1")) == 1
    assert not [one for one in document.find("input") if "checked" in one or "autofocus" in one]
    first, deny, allow, later = [one for one in document.find("button") if one.get("name") == "decision"]
    assert (first["value"], deny["id"], allow["id"], later["id"]) == ("none", "deny", "allow", "later")
    assert deny["class"] == allow["class"]
    shut = Document(render("consent", sensitive, Door(needed=True), csrf="tok"))
    assert not shut.find(id="allow") and shut.find(id="deny") and shut.find(id="no-passkey")


@pytest.mark.parametrize(("action", "field"), [("replace", "schema:name"), ("merge", "schema:identifier")])
async def test_a_change_beside_an_optional_special_row_that_stays_can_be_allowed(
    house: Household, action: str, field: str
) -> None:
    pool, device = await tariff.pool(house), await tariff.passkey(house)
    page = await pool.open(await pool.push(OPTIONAL, CARD))
    token = await pool.redeem(await pool.press(page, "allow", KEY, **touched(device, page)))
    wish = {"grant_management_action": action, "grant_id": token["grant_id"]}
    page = await pool.open(await pool.push(OPTIONAL, CARD | {"fields": [field]}, more=wish))
    assert "vinkte" in (await pool.press(page, "allow", **touched(device, page))).text
    page = await pool.open(await pool.push(OPTIONAL, CARD | {"fields": [field]}, more=wish))
    changed = await pool.redeem(await pool.press(page, "allow", KEY, **touched(device, page)))
    assert (await house.call("GET", RECORDS, changed["access_token"])).status_code == 200
