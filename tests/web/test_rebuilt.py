"""Proof of consent: the screen is made again from what the books keep, and every receipt holds outside of Kluis."""

import random
from typing import Any

import jwt
import orjson
import pytest

from consent import asks, events, grants, receipts
from consent.accounts import passphrase
from consent.terms import Terms
from keys.text import b64
from tests.house import ALL_INTERESTS, Household
from tests.web.test_managing import app, browser, details, push, said
from tests.web.test_oauth import SAME, App, Browser
from web import asking
from web.pages.views import render

__all__ = ["app", "browser"]
LOAN_FIELDS = ["schema:name", "schema:about", "schema:author", "schema:startTime", "kluis:branch"]


def some(chance: random.Random) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A request as some app might make it."""
    rows: list[dict[str, Any]] = [
        {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"},
        {"category": "pd:PostalCode", "derived": chance.choice(["is_resident", "postal_district"]),
         "necessity": chance.choice(["required", "optional"])},
        {"category": "kluis:LibraryLoan", "fields": chance.sample(LOAN_FIELDS, chance.randint(1, 5)),
         "necessity": "optional", **chance.choice([{}, {"window": "P6M"}, {"since": "2026-01-01"}])},
    ]  # fmt: skip
    more = {
        "expires": chance.choice(["2026-12-01T00:00:00Z", "2027-02-03T04:05:06Z", "2027-10-01T00:00:00Z"]),
        "retention": chance.choice(["P0D", "P30D", "P1Y"]),
        "storage": chance.choice([{"country": "BE"}, {"country": "US", "copy": "cache"}]),
        "recipients": chance.choice([[], [{"id": "https://host.example", "role": "processor", "country": "BE"}]]),
        "recurrence": chance.choice([{"mode": "ongoing"}, {"mode": "ongoing", "max_per_day": 9, "max_uses": 40}]),
        "automated_decision": chance.choice(["none", "profiling", "solely_automated"]),
    }
    return chance.sample(rows, chance.randint(1, 3)), more


def proof(house: Household, request: bytes) -> tuple[dict[str, Any], events.Step]:
    """What the books keep of a request and of the last time it was shown."""
    steps = events.history(house.vault, house.session.pod, request)
    return steps[0].detail, [step for step in steps if step.state == "shown"][-1]


async def test_the_consent_screen_is_rebuilt_from_its_notice_hash_for_20_random_grants(
    house: Household, app: App, browser: Browser
) -> None:
    chance, requests = random.Random(20), list[bytes]()
    for _ in range(20):
        rows, more = some(chance)
        pushed = await app.push(authorization_details=details(*rows, **more))
        shown = await browser.open(pushed)
        asked = asks.find(house.vault, pushed.json()["request_uri"].rpartition(":")[2], "cultuurgids", house.clock())
        if any(row["necessity"] == "required" for row in rows):
            assert "code" in said(await browser.press(shown, "allow"))
        requests.append(asked.handle)
        house.clock.forward(seconds=chance.randint(1, 60))
    house.clock.forward(days=400)
    for request in requests:
        requested, shown_step = proof(house, request)
        page = asking.rebuilt(requested, shown_step)
        assert asking.notice(page)["hash"] == shown_step.detail["hash"]
        assert (shown_step.detail["language"], shown_step.detail["version"]) == ("nl", asking.VERSION)
        html = render("consent", page)
        assert all(row.label in html for row in page.data) and page.purpose.rstrip(".") in html


async def test_the_screen_of_a_change_is_rebuilt_too_with_its_marks(
    house: Household, app: App, browser: Browser
) -> None:
    granted = await house.grant(ALL_INTERESTS)
    loans = {"category": "kluis:LibraryLoan", "necessity": "optional"}
    pushed = await push(app, b64(granted.id), "replace", loans, retention="P30D")
    await browser.open(pushed)
    asked = asks.find(house.vault, pushed.json()["request_uri"].rpartition(":")[2], "cultuurgids", house.clock())
    await house.withdraw(granted)
    page = asking.rebuilt(*proof(house, asked.handle))
    assert asking.notice(page)["hash"] == proof(house, asked.handle)[1].detail["hash"]
    assert {row.mark for row in page.data} == {"added", "removed"} and page.changed == ("where",)


async def test_another_word_on_the_screen_is_another_hash(house: Household, app: App, browser: Browser) -> None:
    pushed = await app.push(authorization_details=details(ALL_INTERESTS))
    await browser.open(pushed)
    asked = asks.find(house.vault, pushed.json()["request_uri"].rpartition(":")[2], "cultuurgids", house.clock())
    requested, shown = proof(house, asked.handle)
    terms = Terms.from_json(requested["terms"]).to_json() | {"retention": "P1D"}
    assert asking.notice(asking.rebuilt({**requested, "terms": terms}, shown))["hash"] != shown.detail["hash"]


async def lifecycle(house: Household, app: App, browser: Browser) -> bytes:
    """Given, changed, withdrawn."""
    granted = await house.grant(ALL_INTERESTS)
    loans = {"category": "kluis:LibraryLoan", "necessity": "required"}
    page = await browser.open(await push(app, b64(granted.id), "merge", loans))
    assert "code" in said(await browser.press(page, "allow"))
    await house.withdraw(granted)
    return granted.id


async def test_u10_a_grant_leaves_three_receipts_that_citizen_and_controller_hold_alike(
    house: Household, app: App, browser: Browser
) -> None:
    grant = await lifecycle(house, app, browser)
    mine = [one for one in (await house.http.get("/api/receipts")).json()["receipts"] if one["grant"] == b64(grant)]
    theirs = (await house.http.post("/api/log/receipts", data=app.own(grant=b64(grant)))).json()["consents"]
    assert [one["receipt"] for one in mine] == theirs and len(theirs) == 3
    noted = [step.detail.get("receipt") for step in events.history(house.vault, house.session.pod, grant)]
    opened = [receipts.open_receipt(one, house.vault.issuer_public) for one in theirs]
    digests = [receipts.digest(one) for one in opened]
    assert digests[:2] == [one for one in noted if one]
    assert set(digests) <= {line.get("digest") for line in house.told()}
    saved = await house.http.get(f"/api/receipts/{mine[0]['id']}")
    assert saved.headers["content-disposition"].startswith("attachment") and saved.text == theirs[0]


async def test_receipts_verify_with_a_library_that_is_not_ours(house: Household, app: App, browser: Browser) -> None:
    grant = await lifecycle(house, app, browser)
    keys = jwt.PyJWKSet.from_dict((await house.http.get("/oauth/jwks")).json())
    found = [one.jws for one in grants.kept_receipts(house.vault, house.session.pod) if one.grant == grant]
    states = []
    for text in found:
        key = keys[jwt.get_unverified_header(text)["kid"]]
        told = jwt.PyJWS().decode(text, key, algorithms=["ES256"])
        states.append(orjson.loads(told)["event"]["event_state"])
        head, body, signature = text.split(".")
        forged = f"{head}.{body[:-4]}AAAA.{signature}"
        with pytest.raises(jwt.InvalidSignatureError):
            jwt.PyJWS().decode(forged, key, algorithms=["ES256"])
    assert states == ["dpv:ConsentGiven", "dpv:RenewedConsentGiven", "dpv:ConsentWithdrawn"]


async def test_u13_the_page_of_who_has_access_says_what_stopping_means_and_takes_the_wish_that_a_copy_goes(
    house: Household,
) -> None:
    granted = await house.grant(ALL_INTERESTS)
    house.http.cookies.set("kluis", house.cookie)
    shown = (await house.http.get("/me/access")).text
    name = b64(granted.id)
    assert "Na stoppen leest de app niets meer. Wat ze al las, kan ze nog hebben." in shown
    assert f'type="checkbox" name="erase" value="1" form="stop-{name}">' in shown and f'id="stop-{name}"' in shown
    fields = {"csrf": house.session.csrf, "erase": "1"}
    done = await house.http.post(f"/me/access/{name}/withdraw", data=fields, headers=SAME)
    assert done.headers["location"] == f"/me/access?stopped={name}"
    ended, wished = events.history(house.vault, house.session.pod, granted.id)[-2:]
    assert (ended.state, ended.detail["erase"], wished.state) == ("withdrawn", True, "delete_asked")


async def test_what_rests_on_a_public_task_is_shown_as_objectable_and_not_withdrawable(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS, legal_basis="eu-gdpr:A6-1-e")
    house.http.cookies.set("kluis", house.cookie)
    shown = (await house.http.get("/me/access")).text
    assert "Bezwaar maken" in shown and "Toegang stoppen<" not in shown
    name = b64(granted.id)
    done = await house.http.post(f"/me/access/{name}/object", data={"csrf": house.session.csrf}, headers=SAME)
    assert done.headers["location"] == f"/me/access?objected={name}"
    told = (await house.http.get(done.headers["location"])).text
    assert "Je maakte bezwaar tegen Cultuurgids." in told and "Na je bezwaar gestopt" in told
    assert (await house.call("GET", "/api/records?category=pd:Interest", granted.access)).status_code == 401


async def test_u11_an_unused_grant_is_proposed_for_closing_on_both_pages(house: Household) -> None:
    await house.grant(ALL_INTERESTS)
    house.clock.forward(days=91)
    opened = await passphrase.login(house.vault, "an", house.codes[0], house.clock())
    assert opened is not None
    house.http.cookies.set("kluis", opened[0])
    assert "Kijk 1 toegang na" in (await house.http.get("/me")).text
    assert 'data-reminder="unused"' in (await house.http.get("/me/access")).text


async def test_the_dpo_invalidates_over_http_and_its_citizen_reads_why(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    path = f"/api/dpo/grants/{b64(granted.id)}/invalidate"
    house.http.cookies.set("kluis", house.cookie)
    mine = {"csrf": house.session.csrf, "reason": "x"}
    assert (await house.http.post(path, data=mine, headers=SAME)).status_code == 403
    opened = await passphrase.login(house.vault, "dpo", house.officer, house.clock())
    assert opened is not None
    house.http.cookies.set("kluis", opened[0])
    fields = {"csrf": opened[1].csrf, "reason": "De app loog over wie ze is."}
    assert (await house.http.post(path, data={**fields, "reason": ""}, headers=SAME)).status_code == 400
    assert (await house.http.post(path, data=fields, headers=SAME)).status_code == 204
    unknown = path.replace(b64(granted.id), b64(bytes(16)))
    assert (await house.http.post(unknown, data=fields, headers=SAME)).status_code == 404
    house.http.cookies.set("kluis", house.cookie)
    shown = (await house.http.get("/me/access")).text
    assert "Stopgezet door de stad" in shown and "De app loog over wie ze is." in shown
    assert (await house.call("GET", "/api/records?category=pd:Interest", granted.access)).status_code == 401
