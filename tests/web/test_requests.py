"""Requests that wait: on a list, each with its page; put off, refused, and not asked again before their time."""

import re
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest

from consent import again, endings, events, waiting
from consent.accounts import passphrase
from consent.again import Refused
from keys.text import b64, unb64
from tests.consent import sample
from tests.house import Household
from tests.web.test_managing import ABOUT, DISTRICT, LOANS, app, browser, details, said
from tests.web.test_oauth import SAME, App, Browser

__all__ = ["app", "browser"]
E_BASIS = "eu-gdpr:A6-1-e"


async def ask(app: App, *rows: dict[str, Any], **changes: Any) -> httpx.Response:
    return await app.push(authorization_details=details(*rows, **changes))


async def refuse(app: App, browser: Browser, *rows: dict[str, Any], **changes: Any) -> None:
    page = await browser.open(await ask(app, *rows, **changes))
    assert said(await browser.press(page, "deny"))["error"] == "access_denied"


async def listed(house: Household) -> str:
    return (await house.http.get("/me/requests")).text


def rules(house: Household) -> list[str]:
    return [line["rule"] for line in house.told() if line["type"] == "denial"]


async def test_an_opened_request_waits_on_the_list_until_it_is_decided(
    house: Household, app: App, browser: Browser
) -> None:
    page = await browser.open(await ask(app, ABOUT))
    shown = await listed(house)
    assert "1 aanvraag wacht" in shown and "Cultuurgids" in shown
    assert "1 aanvraag wacht" in (await house.http.get("/me")).text
    address = re.search(r'href="(/oauth/authorize[^"]+)"', shown)
    assert address and (await house.http.get(address[1].replace("&amp;", "&"))).status_code == 200
    await browser.press(page, "allow")
    assert "Er wacht geen enkele aanvraag" in await listed(house)


async def test_a_request_put_off_can_be_answered_from_another_session_of_hers(
    house: Household, app: App, browser: Browser
) -> None:
    pushed = await ask(app, ABOUT)
    put_off = await browser.press(await browser.open(pushed), "later")
    assert (put_off.status_code, put_off.headers["location"]) == (303, "/me/requests")
    assert "Uitgesteld" in await listed(house)
    house.clock.forward(hours=2)
    opened = await passphrase.login(house.vault, "an", house.codes[0], house.clock())
    assert opened is not None
    house.http.cookies.set("kluis", opened[0])
    page = await browser.open(pushed)
    assert page.status_code == 200 and "code" in said(await browser.press(page, "allow"))
    handle = pushed.json()["request_uri"].rpartition(":")[2]
    steps = [s.state for s in events.history(house.vault, house.session.pod, unb64(handle))]
    assert steps == ["requested", "shown", "deferred", "shown", "given"]


async def test_a_request_put_off_is_over_after_a_day(house: Household, app: App, browser: Browser) -> None:
    pushed = await ask(app, ABOUT)
    await browser.press(await browser.open(pushed), "later")
    house.clock.forward(days=1)
    opened = await passphrase.login(house.vault, "an", house.codes[0], house.clock())
    assert opened is not None
    house.http.cookies.set("kluis", opened[0])
    assert (await browser.open(pushed)).status_code == 400
    assert "Er wacht geen enkele aanvraag" in await listed(house)


async def test_u14_what_she_refused_is_not_shown_again_within_30_days(
    house: Household, app: App, browser: Browser
) -> None:
    await refuse(app, browser, ABOUT)
    again_asked = await ask(app, ABOUT, DISTRICT)
    assert again_asked.status_code == 201  # before somebody logs in the app learns nothing
    answer = await browser.open(again_asked)
    assert said(answer)["error"] == "access_denied" and said(answer)["iss"]
    assert rules(house) == ["asked_too_soon"]
    assert (await browser.open(again_asked)).status_code == 400  # the request is over


async def test_something_else_may_be_asked_meanwhile(house: Household, app: App, browser: Browser) -> None:
    await refuse(app, browser, ABOUT, LOANS)
    assert (await browser.open(await ask(app, DISTRICT))).status_code == 200
    assert (await browser.open(await ask(app, ABOUT))).status_code == 200  # less than what she refused


async def test_u20_another_ground_never_comes_instead_of_a_refused_consent(
    house: Household, app: App, browser: Browser
) -> None:
    await refuse(app, browser, ABOUT)
    answer = await browser.open(await ask(app, {**DISTRICT, "necessity": "required"}, legal_basis=E_BASIS))
    assert said(answer)["error"] == "access_denied" and rules(house) == ["no_fallback"]


async def test_she_may_change_her_mind(house: Household, app: App, browser: Browser) -> None:
    await refuse(app, browser, ABOUT)
    shown = await listed(house)
    action = re.search(r'action="(/me/requests/[^"]+/reopen)"', shown)
    assert action and "mag dit pas opnieuw vragen op" in shown
    done = await house.http.post(action[1], data={"csrf": house.session.csrf}, headers=SAME)
    assert done.status_code == 303
    assert "pas opnieuw vragen op" not in await listed(house)
    assert (await browser.open(await ask(app, ABOUT))).status_code == 200
    twice = await house.http.post(action[1], data={"csrf": house.session.csrf}, headers=SAME)
    assert twice.status_code == 404


async def test_the_list_is_hers_alone(house: Household) -> None:
    assert (await house.http.get("/me/requests")).status_code == 303
    assert (await house.http.post(f"/me/requests/{b64(bytes(16))}/reopen")).status_code == 303


def refused(days: int = 1, **more: Any) -> Refused:
    at = int(sample.NOW.timestamp() * 1000) - days * 86_400_000
    asked = sample.terms()
    said = {"client": asked.client, "purpose": asked.purpose_code, "categories": again.categories(asked),
            "basis": asked.legal_basis}  # fmt: skip
    return Refused(at, **{**said, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "why"),
    [
        (refused(), "asked_too_soon"),
        (refused(29), "asked_too_soon"),
        (refused(30), None),
        (refused(client="other"), None),
        (refused(purpose="dpv:ServiceProvision"), None),
        (refused(categories=frozenset({"pd:Interest"})), "asked_too_soon"),
        (refused(categories=frozenset({"kluis:Card"})), None),
        (refused(400, objected=True), "objected"),
    ],
)
def test_the_same_request_is_app_purpose_and_categories(before: Refused, why: str | None) -> None:
    assert again.barred([before], sample.terms(), sample.NOW) == why


def test_an_objection_to_marketing_is_absolute() -> None:
    marketing = refused(500, purpose="dpv:PersonalisedAdvertising", objected=True)
    other = replace(sample.terms(), purpose_code="dpv:TargetedAdvertising")
    assert again.barred([marketing], other, sample.NOW) == "objected"
    assert again.barred([marketing], sample.terms(), sample.NOW) is None
    twin = replace(other, client="tweeling")
    assert again.barred([replace(marketing, controller=twin.controller)], twin, sample.NOW) == "objected"
    assert again.barred([replace(marketing, controller="https://else.example/")], twin, sample.NOW) is None
    assert again.read(0, again.kept(other), objected=True).controller == other.controller
    assert orjson.loads(orjson.dumps(again.kept(other)))["purpose"] == "dpv:TargetedAdvertising"


async def test_an_app_that_she_lets_ask_on_a_page_of_ours_may_ask_but_not_what_she_objected_to(
    house: Household, app: App, browser: Browser
) -> None:
    await refuse(app, browser, ABOUT)
    await waiting.invited(house.vault, house.session, "other", house.clock())
    assert said(await browser.open(await ask(app, ABOUT)))["error"] == "access_denied"
    await waiting.invited(house.vault, house.session, "cultuurgids", house.clock())
    page = await browser.open(await ask(app, ABOUT))
    assert page.status_code == 200
    code = said(await browser.press(page, "allow"))["code"]
    granted = unb64((await app.redeem(code)).json()["grant_id"])
    await endings.withdraw(house.vault, house.session, granted, house.clock(), objects=True)
    await waiting.invited(house.vault, house.session, "cultuurgids", house.clock())
    assert said(await browser.open(await ask(app, ABOUT)))["error"] == "access_denied"
    assert rules(house) == ["asked_too_soon", "objected"]
