"""Passkey, passphrase and recovery code, each end to end in a real browser with a virtual authenticator (keys.md, K8).

Nothing is replaced but the finger: Chromium's own WebAuthn, PRF and content security policy; a server process; plain
forms. Every test has a citizen of its own.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import PASSED
from tests.browser.town import Person, Town
from tests.proof import figure

NEW_PHRASE = "paarse olifant leest strips"
FLOWS: set[str] = set()


@pytest.fixture(autouse=True)
def _counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every flow that passed counts, once; the last count written down is the one of all."""
    yield
    if request.node.stash.get(PASSED, False):
        FLOWS.add(request.node.name)
    if PASSED in request.node.stash:
        figure("K8", len(FLOWS), len(FLOWS))


class Device:
    """A virtual authenticator plugged into a page: answers at once, with the person verified."""

    def __init__(self, page: Page, *, prf: bool = True) -> None:
        self.cdp = page.context.new_cdp_session(page)
        self.cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
            "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True, "hasPrf": prf,
        }  # fmt: skip
        self.id = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    @property
    def credentials(self) -> list[dict[str, Any]]:
        """What the device holds."""
        told: list[dict[str, Any]] = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})[
            "credentials"
        ]
        return told

    def rewind(self, count: int) -> None:
        """Set the use count of its only passkey, as a copy of the device would."""
        (one,) = self.credentials
        self.cdp.send("WebAuthn.removeCredential", {"authenticatorId": self.id, "credentialId": one["credentialId"]})
        self.cdp.send("WebAuthn.addCredential", {"authenticatorId": self.id, "credential": one | {"signCount": count}})

    def unplug(self) -> None:
        """Take the device away."""
        self.cdp.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self.id})

    def unverified(self) -> None:
        """The person's finger is not the one it knows."""
        self.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": False})


@pytest.fixture
def page(window: BrowserContext, town: Town) -> Page:
    """A page that fails the test when the content security policy or a script complains."""
    opened = window.new_page()
    opened.set_default_timeout(15_000)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    opened.faults = faults  # type: ignore[attr-defined]
    return opened


def log_in(page: Page, town: Town, user: str, passphrase: str) -> None:
    page.goto(town.base + "/login")
    page.fill("#user", user)
    page.fill("#passphrase", passphrase)
    page.click("#login-form button")
    page.wait_for_load_state()


def log_out(page: Page) -> None:
    page.click("footer button:has-text('Afmelden')")


def open_security(page: Page, town: Town) -> None:
    page.goto(town.base + "/me/security")


def add_passkey(page: Page, town: Town, proof: str) -> None:
    open_security(page, town)
    page.click("#passkey > summary")
    page.fill("#proof-passkey", proof)
    page.click("#passkey-form button.main")
    page.wait_for_url(re.compile(r"/me/security\?"))


def ways(page: Page) -> list[str]:
    return page.locator("section[aria-labelledby=sleutels] h3").all_inner_texts()


def way(page: Page, label: str) -> Locator:
    """The line of the newest way in of this kind."""
    return page.locator("section[aria-labelledby=sleutels] li", has=page.locator("h3", has_text=label)).last


def new_code(page: Page, town: Town, proof: str) -> str:
    open_security(page, town)
    page.click("#herstelcode > summary")
    page.fill("#proof-code", proof)
    page.click("#code-form button.main")
    code = page.locator("#code").inner_text()
    page.click("text=Ik heb ze bewaard")
    return code


def test_a_passkey_is_made_opens_the_vault_and_is_taken_away(page: Page, town: Town, citizen: Person) -> None:
    who, device = citizen, Device(page)
    log_in(page, town, who.user, who.passphrase)
    add_passkey(page, town, who.passphrase)
    expect(page.locator("[role=status]")).to_contain_text("Je passkey is klaar")
    assert ways(page).count("Passkey") == 1
    assert [one["isResidentCredential"] for one in device.credentials] == [True]
    log_out(page)

    page.goto(town.base + "/login")
    page.click("#passkey-form button")
    page.wait_for_url("**/me")
    assert page.locator("h1").count() == 1
    assert "prf" not in page.url

    open_security(page, town)
    item = way(page, "Passkey")
    item.locator("summary").click()
    item.locator("button[value=passkey]").click()
    expect(page.locator("[role=status]")).to_contain_text("Weggehaald")
    assert "Passkey" not in ways(page)
    log_out(page)
    page.goto(town.base + "/login")
    page.click("#passkey-form button")
    expect(page.locator("[role=alert]:visible")).to_contain_text("Deze passkey opende je kluis niet")
    assert page.faults == []  # type: ignore[attr-defined]


def test_a_second_passkey_on_another_device_opens_the_same_vault(page: Page, town: Town, citizen: Person) -> None:
    who, phone = citizen, Device(page)
    log_in(page, town, who.user, who.passphrase)
    add_passkey(page, town, who.passphrase)
    phone.unplug()
    laptop = Device(page)
    add_passkey(page, town, who.passphrase)
    assert (len(laptop.credentials), ways(page).count("Passkey")) == (1, 2)
    log_out(page)
    page.goto(town.base + "/login")
    page.click("#passkey-form button")
    page.wait_for_url("**/me")
    open_security(page, town)
    assert ways(page).count("Passkey") == 2
    assert page.faults == []  # type: ignore[attr-defined]


def test_who_lost_her_passphrase_comes_in_with_her_code_and_chooses_a_new_one(
    page: Page, town: Town, citizen: Person
) -> None:
    who = citizen
    log_in(page, town, who.user, who.passphrase)
    code = new_code(page, town, who.passphrase)
    assert len(code) == 44
    log_out(page)
    page.goto(town.base + "/login")
    page.click("text=Gebruik je herstelcode")
    page.fill("#user", who.user)
    page.fill("#passphrase", code.lower().replace("-", " "))
    page.click("#login-form button")
    expect(page.locator("#recovered")).to_be_visible()
    page.fill("#new-phrase", NEW_PHRASE)
    page.fill("#new-phrase-2", NEW_PHRASE)
    page.fill("#proof-phrase", code)
    page.click("#phrase-form button.main")
    expect(page.locator("[role=status]")).to_contain_text("Je nieuwe wachtzin werkt")
    log_out(page)
    log_in(page, town, who.user, who.passphrase)
    expect(page.locator("[role=alert]:visible")).to_contain_text("Dat lukte niet")
    log_in(page, town, who.user, NEW_PHRASE)
    page.wait_for_url("**/me")
    assert page.faults == []  # type: ignore[attr-defined]


def test_a_device_without_prf_is_refused_with_the_way_out_and_the_way_out_works(
    page: Page, town: Town, citizen: Person
) -> None:
    who, _ = citizen, Device(page, prf=False)
    log_in(page, town, who.user, who.passphrase)
    add_passkey(page, town, who.passphrase)
    trouble = page.locator("[role=alert]:visible")
    expect(trouble).to_contain_text("Met dit toestel kan je geen passkey maken")
    expect(trouble).to_contain_text("Kies hieronder een wachtzin en maak een herstelcode")
    assert "Passkey" not in ways(page)
    expect(page.locator("#new-phrase")).to_be_visible()
    page.fill("#proof-code", who.passphrase)
    page.click("#code-form button.main")
    assert len(page.locator("#code").inner_text()) == 44
    assert page.faults == []  # type: ignore[attr-defined]


def test_the_last_two_ways_in_stay_and_the_page_says_what_to_do_first(page: Page, town: Town, citizen: Person) -> None:
    log_in(page, town, citizen.user, citizen.passphrase)
    code = new_code(page, town, citizen.passphrase)
    hers = way(page, "Wachtzin").locator("form")
    there = str(hers.get_attribute("action"))
    way(page, "Herstelcode").locator("summary").click()
    way(page, "Herstelcode").locator("[name=proof]").fill(citizen.passphrase)
    way(page, "Herstelcode").locator("button.main").click()
    expect(page.locator("[role=status]")).to_contain_text("Weggehaald")
    expect(page.locator("section[aria-labelledby=sleutels]")).to_contain_text("voeg dan eerst een andere toe")
    assert page.locator("form[action$=remove]").count() == 0

    csrf = page.locator("[name=csrf]").first.input_value()  # with the way in, the session got a new cookie
    sent = {"csrf": csrf, "proof": citizen.passphrase}
    answer = page.request.post(town.base + there, form=sent, headers={"origin": town.base})
    assert "Dat kan nog niet" in answer.text()
    assert "Voeg eerst een andere toe" in answer.text()
    open_security(page, town)
    assert ways(page) == ["Wachtzin", "Herstelcode"]
    log_out(page)
    log_in(page, town, citizen.user, code)
    expect(page.locator("[role=alert]:visible")).to_contain_text("Dat lukte niet")
    log_in(page, town, citizen.user, citizen.code)
    page.wait_for_url("**/me/security?recovered=1")


def test_a_copied_or_unverified_passkey_opens_nothing(page: Page, town: Town, citizen: Person) -> None:
    who, device = citizen, Device(page)
    log_in(page, town, who.user, who.passphrase)
    add_passkey(page, town, who.passphrase)
    expect(page.locator("[role=status]")).to_contain_text("Je passkey is klaar")
    log_out(page)
    device.rewind(0)
    page.goto(town.base + "/login")
    page.click("#passkey-form button")
    expect(page.locator("[role=alert]:visible")).to_contain_text("Deze passkey opende je kluis niet")
    device.unverified()
    page.click("#passkey-form button")
    expect(page.locator("#passkey-form [data-stopped]")).to_be_visible()
    log_in(page, town, who.user, who.passphrase)
    page.goto(town.base + "/me/log")
    expect(page.locator("main")).to_contain_text("met een kopie van je passkey")


def test_without_javascript_the_passphrase_form_works_and_no_dead_button_shows(
    chromium: Browser, town: Town, citizen: Person
) -> None:
    who = citizen
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(town.base + "/login")
    assert not page.locator("#passkey-form").is_visible()
    log_in(page, town, who.user, who.passphrase)
    page.wait_for_url("**/me")
    code = new_code(page, town, who.passphrase)
    assert len(code) == 44
    assert page.locator("button[value=passkey]:visible").count() == 0
    context.close()
