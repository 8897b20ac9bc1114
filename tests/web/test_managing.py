"""Grant management over HTTP: an app changes its own grant, on a screen that marks what changes, and no other."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest

from consent import amend, asks, clients, grants
from consent.oauth.management import SUPPORTED
from keys.text import b64
from tests.consent import sample
from tests.house import ALL_INTERESTS, Granted, Household
from tests.vault.test_at_rest import compartments, keys, rows, thief
from tests.vault.thief import secret_of
from tests.web.test_oauth import HTML, SAME, App, Browser

ABOUT = {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"}
DISTRICT = {"category": "pd:PostalCode", "derived": "postal_district", "necessity": "required"}
LOANS = {"category": "kluis:LibraryLoan", "necessity": "optional"}


@pytest.fixture
def app(house: Household) -> App:
    return App(house.http, house.clock)


@pytest.fixture
def browser(house: Household) -> Browser:
    house.http.cookies.set("kluis", house.cookie)
    return Browser(house.http)


def details(*rows: dict[str, Any], **changes: Any) -> str:
    return orjson.dumps([sample.detail(datatypes=list(rows), **changes)]).decode()


async def push(app: App, grant: str, action: str, *rows: dict[str, Any], **changes: Any) -> httpx.Response:
    return await app.push(
        grant_management_action=action, grant_id=grant, authorization_details=details(*rows, **changes)
    )


def said(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 303, response.text
    return {name: values[0] for name, values in parse_qs(urlsplit(response.headers["location"]).query).items()}


def marked(page: str) -> dict[str, str]:
    """What the page marks: rows by their key, other places by their name."""
    rows = {key: mark for mark, key in re.findall(r'data-mark="(\w+)" data-key="([^"]+)"', page)}
    return rows | dict(re.findall(r'data-test="([\w-]+)" data-mark="(\w+)"', page))


async def change_of(house: Household, pushed: httpx.Response) -> amend.Change:
    handle = pushed.json()["request_uri"].rpartition(":")[2]
    asked = asks.find(house.vault, handle, "cultuurgids", house.clock())
    found = amend.standing(house.vault, house.session, asked, house.clock())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("action", "rows", "more"),
    [
        ("replace", (ABOUT, LOANS), {}),
        ("merge", (LOANS,), {}),
        ("merge", (DISTRICT, LOANS), {"retention": "P30D", "recipients": []}),
        ("replace", (DISTRICT,), {"actions": ["read", "derive"], "recurrence": {"mode": "ongoing"}}),
        ("replace", (ABOUT, DISTRICT), {"expires": "2027-04-01T00:00:00Z"}),
        ("replace", (ABOUT, DISTRICT), {"automated_decision": "none", "storage": {"country": "NL"}}),
    ],
)
async def test_u12_the_screen_marks_exactly_what_the_model_says_changes(
    house: Household, app: App, browser: Browser, action: str, rows: Any, more: dict[str, Any]
) -> None:
    granted = await house.grant(ABOUT, DISTRICT)
    pushed = await push(app, b64(granted.id), action, *rows, **more)
    page = (await browser.open(pushed)).text
    change = await change_of(house, pushed)
    model = {row.datum.key: row.mark for row in change.rows if row.mark != "same"}
    assert marked(page) == model | dict.fromkeys(change.facts, "changed")
    assert "Enkel wat verandert, is gemerkt" in page and not re.search(r"<input[^>]*\bchecked", page)
    assert page.count("Blijft</p>") == sum(row.mark == "same" for row in change.rows)


async def test_an_allowed_change_gives_the_same_grant_in_a_new_version(
    house: Household, app: App, browser: Browser
) -> None:
    granted = await house.grant(ABOUT)
    page = await browser.open(await push(app, b64(granted.id), "merge", LOANS))
    code = said(await browser.press(page, "allow", ("kluis:LibraryLoan",)))["code"]
    told = (await app.redeem(code)).json()
    assert told["grant_id"] == b64(granted.id)
    categories = {row["category"] for row in told["authorization_details"][0]["datatypes"]}
    assert categories == {"pd:Interest", "kluis:LibraryLoan"}
    old = await house.call("GET", "/api/records?category=pd:Interest", granted.access)
    assert old.status_code == 401
    new = await house.call("GET", "/api/records?category=kluis:LibraryLoan", told["access_token"])
    assert new.status_code == 200 and "Tin Pan" in new.text


async def test_an_optional_row_that_is_not_ticked_is_not_merged_silently(
    house: Household, app: App, browser: Browser
) -> None:
    granted = await house.grant(ABOUT)
    page = await browser.open(await push(app, b64(granted.id), "merge", LOANS))
    await browser.press(page, "allow")
    found = grants.load(house.vault, granted.id)
    assert found is not None and [row.key for row in found.terms.data] == ["pd:Interest#schema:about"]


async def test_refusing_a_change_leaves_tokens_and_grant(house: Household, app: App, browser: Browser) -> None:
    granted = await house.grant(ABOUT)
    page = await browser.open(await push(app, b64(granted.id), "replace", LOANS))
    assert said(await browser.press(page, "deny"))["error"] == "access_denied"
    assert (await house.call("GET", "/api/records?category=pd:Interest", granted.access)).status_code == 200


async def test_a_screen_of_an_older_version_is_shown_again_and_decides_nothing(
    house: Household, app: App, browser: Browser
) -> None:
    granted = await house.grant(ABOUT, DISTRICT)
    page = await browser.open(await push(app, b64(granted.id), "merge", LOANS))
    fields = {"csrf": house.session.csrf, "drop": DISTRICT["category"] + "#postal_district", "version": "1"}
    path = f"/me/access/{b64(granted.id)}/less"
    assert (await house.http.post(path, data=fields, headers=SAME)).status_code == 303
    again = await browser.press(page, "allow", ("kluis:LibraryLoan",))
    assert again.status_code == 200 and 'name="version" value="2"' in again.text
    found = grants.load(house.vault, granted.id)
    assert found is not None and found.version == 2


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"grant_management_action": "merge"}, "invalid_request"),
        ({"grant_management_action": "create", "grant_id": "x"}, "invalid_request"),
        ({"grant_id": "x"}, "invalid_request"),
        ({"grant_management_action": "update", "grant_id": "x"}, "invalid_request"),
        ({"grant_management_action": "replace", "grant_id": "x"}, "invalid_grant_id"),
        ({"grant_management_action": "replace", "grant_id": b64(bytes(16))}, "invalid_grant_id"),
    ],
)
async def test_a_faulty_wish_is_refused_when_it_is_pushed(
    house: Household, app: App, form: dict[str, str], code: str
) -> None:
    answer = await app.push(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, code)


async def test_a_merge_into_another_purpose_is_refused(house: Household, app: App) -> None:
    granted = await house.grant(ABOUT)
    other = {"legal_basis": "eu-gdpr:A6-1-a-non-explicit-consent"}
    answer = await push(app, b64(granted.id), "merge", LOANS, **other)
    assert answer.json()["error"] == "invalid_authorization_details"
    assert [line["rule"] for line in house.told() if line["type"] == "denial"] == ["other purpose"]


async def strangers(house: Household, granted: Granted) -> dict[str, Any]:
    """The answers that another app gets about a grant, and about one that there is not."""
    await clients.register(house.vault, sample.OTHER_APP, house.clock())
    found = {}
    for name, grant in (("foreign", b64(granted.id)), ("unknown", b64(bytes(16)))):
        at = int(house.clock().timestamp())
        own = sample.assertion(iss="other", sub="other", jti=name, iat=at, exp=at + 60)
        form = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": own}  # fmt: skip
        answer = await house.http.post(f"/oauth/grants/{grant}", data=form)
        found[name] = (answer.status_code, answer.content)
    return found


async def test_only_its_app_learns_what_a_grant_is_also_after_it_ended(house: Household, app: App) -> None:
    granted = await house.grant(ALL_INTERESTS)
    path = f"/oauth/grants/{b64(granted.id)}"
    told = (await house.http.post(path, data=app.own())).json()
    assert (told["grant_id"], told["state"], told["version"]) == (b64(granted.id), "live", 1)
    assert told["authorization_details"][0]["datatypes"][0]["category"] == "pd:Interest"
    others = await strangers(house, granted)
    assert others["foreign"] == others["unknown"] and others["foreign"][0] == 404
    assert ("ask", "other client") in [(line["action"], line["rule"]) for line in house.told()]
    await house.withdraw(granted)
    assert (await house.http.post(path, data=app.own())).json()["state"] == "withdrawn"
    assert (await house.http.post(path)).status_code == 401


async def test_an_app_gives_its_grant_back_and_it_is_over_like_a_withdrawn_one(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    assert (await house.call("DELETE", f"/oauth/grants/{b64(granted.id)}", granted.access)).status_code == 204
    assert grants.keys_left(house.vault, granted.id) == 0
    assert (await house.call("GET", f"/oauth/grants/{b64(granted.id)}", granted.access)).status_code == 401


async def test_what_is_supported_stands_in_the_metadata(house: Household) -> None:
    told = (await house.http.get("/.well-known/oauth-authorization-server", headers=HTML)).json()
    assert told["grant_management_actions_supported"] == list(SUPPORTED)
    assert told["grant_management_action_required"] is False
    assert told["grant_management_endpoint"].endswith("/oauth/grants")


async def test_after_a_change_the_old_tokens_open_nothing_in_any_copy_of_the_database(
    house: Household, app: App, browser: Browser
) -> None:
    """The thief has the live shares, an old copy of the database and both of the app's old tokens."""
    granted = await house.grant(ALL_INTERESTS)
    await house.quiet()
    old = rows(house)
    page = await browser.open(await push(app, b64(granted.id), "merge", {**LOANS, "necessity": "required"}))
    new = (await app.redeem(said(await browser.press(page, "allow"))["code"])).json()["access_token"]
    await house.quiet()
    bearers = secret_of(granted.access), secret_of(granted.refresh)
    assert not keys(thief(house, *bearers), "sealed")
    assert not keys(thief(house, *bearers, then=old), "sealed")
    assert keys(thief(house, secret_of(new)), "sealed") == compartments(house, ("interests", "loans"))
