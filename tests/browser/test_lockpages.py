"""New locks, less for an app, and erasing everything, each end to end in a real browser, with scripts and without."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.entering import log_in, window
from tests.browser.test_unlockers import Device, add_passkey
from tests.browser.town import Person, Town

BOTH = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


def confirm(page: Page, form: str, proof: str) -> None:
    """Fill in the proof of a form and press its button."""
    page.fill(f"#{form}-form [name=proof]", proof)
    page.click(f"#{form}-form button.main")


@BOTH
def test_new_locks_end_the_lost_phones_session_and_keep_this_one(
    chromium: Browser, town: Town, citizen: Person, scripts: bool
) -> None:
    with window(chromium, scripts=scripts) as phone, window(chromium, scripts=scripts) as page:
        log_in(phone, town, citizen)
        log_in(page, town, citizen)
        page.goto(town.base + "/me/security")
        expect(page.locator("section[aria-labelledby=sessies]")).to_contain_text("Een ander toestel")
        page.click("text=Nieuwe sloten maken")
        confirm(page, "locks", "niet de goede zin")
        expect(page.locator("[role=alert]:visible")).to_contain_text("Er is niets veranderd")
        confirm(page, "locks", citizen.passphrase)
        expect(page.locator("[role=status]")).to_contain_text("Al je sloten zijn nieuw")
        expect(page.locator("section[aria-labelledby=sessies]")).not_to_contain_text("Een ander toestel")
        page.click("text=Bekijk de regel in je logboek")
        expect(page.locator(page.url[page.url.index("#") :])).to_contain_text("vernieuwde je hoofdsleutel")
        phone.goto(town.base + "/me")
        assert "/login" in phone.url
        log_in(phone, town, citizen)


@BOTH
def test_a_folder_is_sealed_from_the_page_about_security(
    chromium: Browser, town: Town, citizen: Person, scripts: bool
) -> None:
    with window(chromium, scripts=scripts) as page:
        log_in(page, town, citizen)
        page.goto(town.base + "/me/security")
        page.click("a:has-text('Verzegelen: Je instellingen')")
        expect(page.locator("main")).to_contain_text("Oude kopieën van de server houden de oude manier nog")
        confirm(page, "room", citizen.passphrase)
        expect(page.locator("[role=status]")).to_contain_text("Die map is verzegeld")
        expect(page.locator("a:has-text('Teruggeven: Je instellingen')")).to_be_visible()


@BOTH
def test_an_app_gets_less_freezes_goes_on_and_stops_in_one_press_each(
    chromium: Browser, town: Town, citizen: Person, scripts: bool
) -> None:
    town.furnish(citizen)
    with window(chromium, scripts=scripts) as page:
        log_in(page, town, citizen)
        page.click("nav a:has-text('Toegang')")
        stop, restrict, less = (page.locator(f"[id^={kind}-]") for kind in ("withdraw", "restrict", "less"))
        boxes = [one.bounding_box() for one in (stop, restrict, less)]
        assert len({(round(box["width"]), round(box["height"])) for box in boxes if box}) == 1
        less.click()
        expect(page.locator("[name=drop]:checked, [name=until]:checked")).to_have_count(0)
        page.click("#less")
        expect(page.locator("[role=alert]:visible")).to_contain_text("Je koos niets")
        page.get_by_role("switch", name="Je leningen in de bibliotheek").check()
        page.get_by_label("1 week").check()
        page.click("#less")
        expect(page.locator("[role=status]")).to_contain_text("Cultuurgids ziet nu minder")
        expect(page.locator(".app")).not_to_contain_text("leningen")
        expect(page.locator(".app")).to_contain_text("Je interesses")
        restrict.click()
        expect(page.locator("[role=status]")).to_contain_text("Cultuurgids is bevroren")
        restrict.click()
        expect(page.locator("[role=status]")).to_contain_text("mag weer verder")
        stop.click()
        expect(page.locator("[role=status]")).to_contain_text("De toegang van Cultuurgids is gestopt")
        page.click("text=Bekijk het bewijs")
        expect(page.locator("main")).to_contain_text("Cultuurgids")


@BOTH
def test_erasing_asks_for_a_proof_ends_on_a_goodbye_and_the_back_button_says_the_same(
    chromium: Browser, town: Town, citizen: Person, scripts: bool
) -> None:
    town.furnish(citizen)
    with window(chromium, scripts=scripts) as page:
        log_in(page, town, citizen)
        if scripts:  # leaves the seal of the log behind in this browser, beside her name
            page.goto(town.base + "/me/log")
            page.click("#verify-log")
            expect(page.locator("#log-ok")).to_be_visible()
            assert citizen.user in page.evaluate("Object.keys(localStorage).join()").lower()
        page.goto(town.base + "/me/security")
        page.click("text=Wis je hele kluis")
        confirm(page, "erase", "niet de goede zin")
        expect(page.locator("[role=alert]:visible")).to_contain_text("Er is niets gewist")
        confirm(page, "erase", citizen.code)
        page.wait_for_url("**/goodbye")
        expect(page.locator("h1")).to_have_text("De kluis is gewist")
        assert citizen.user.lower() not in page.content().lower()
        assert page.evaluate("localStorage.length") == 0
        page.go_back()
        expect(page.locator("h1")).to_have_text("De kluis is gewist")
        page.goto(town.base + "/login")
        page.fill("#user", citizen.user)
        page.fill("#passphrase", citizen.passphrase)
        page.click("#login-form button")
        expect(page.locator("[role=alert]:visible")).to_contain_text("Dat lukte niet")


def test_a_passkey_is_proof_enough_for_new_locks_and_for_erasing(
    chromium: Browser, town: Town, citizen: Person
) -> None:
    with window(chromium, scripts=True) as page:
        Device(page)
        log_in(page, town, citizen)
        add_passkey(page, town, citizen.passphrase)
        for form, there in (("locks", "/me/security/locks"), ("erase", "/me/erase")):
            page.goto(town.base + there)
            page.click(f"#{form}-form button[value=passkey]")
            page.wait_for_url("**/goodbye" if form == "erase" else "**/me/security?done=locks")
