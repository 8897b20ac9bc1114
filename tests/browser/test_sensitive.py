"""The card of sensitive data in a real browser: a tick, a touch of the passkey, and the app gets its code."""

import re

from playwright.sync_api import Browser, expect

from tests.browser.entering import log_in, window
from tests.browser.test_unlockers import Device, add_passkey
from tests.browser.town import Person, Town
from tests.consent import sample
from tests.web.tariff import CARD, POOL, ROW, detail


def test_a_tick_and_a_touch_give_the_app_its_code_and_enter_or_a_missing_tick_give_nothing(
    chromium: Browser, town: Town, citizen: Person
) -> None:
    with window(chromium, scripts=True) as page:
        page.context.route(re.compile(re.escape(sample.RETURN)), lambda route: route.fulfill(body="terug"))
        device = Device(page)
        log_in(page, town, citizen)
        add_passkey(page, town, citizen.passphrase)
        page.goto(town.ask(POOL, detail(ROW)))
        assert page.locator(":checked").count() == 0 and page.locator("#allow:focus").count() == 0
        page.click("#allow")
        expect(page.locator("[data-test=not-proven]")).to_contain_text("vinkte het gevoelige gegeven niet aan")
        page.check("[data-explicit]")
        device.unverified()
        page.click("#allow")
        expect(page.locator("[data-stopped]:visible")).to_contain_text("Er is niets beslist")
        page.goto(town.ask(POOL, detail(ROW, retention="P1D")))
        page.click("#deny")
        page.wait_for_url(re.compile(r"error=access_denied"))


def test_a_touch_of_the_passkey_finishes_the_decision(chromium: Browser, town: Town, citizen: Person) -> None:
    with window(chromium, scripts=True) as page:
        page.context.route(re.compile(re.escape(sample.RETURN)), lambda route: route.fulfill(body="terug"))
        Device(page)
        log_in(page, town, citizen)
        add_passkey(page, town, citizen.passphrase)
        page.goto(town.ask(POOL, detail(ROW, CARD)))
        page.check("[data-explicit]")
        page.click("#allow")
        page.wait_for_url(re.compile(r"/back\?code="))
        assert "credential" not in page.url and "prf" not in page.url


def test_without_scripts_or_without_a_passkey_the_page_says_what_is_needed_and_refusing_works(
    chromium: Browser, town: Town, citizen: Person
) -> None:
    with window(chromium, scripts=False) as page:
        page.context.route(re.compile(re.escape(sample.RETURN)), lambda route: route.fulfill(body="terug"))
        log_in(page, town, citizen)
        page.goto(town.ask(POOL, detail(ROW)))
        expect(page.locator("#no-passkey")).to_contain_text("Hiervoor heb je een passkey nodig")
        assert page.locator("#allow").count() == 0
        page.click("#deny")
        page.wait_for_url(re.compile(r"error=access_denied"))
