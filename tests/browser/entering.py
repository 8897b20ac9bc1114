"""What browser tests of a citizen's pages share: a window with or without scripts, and logging in."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page

from tests.browser.town import Person, Town


@contextmanager
def window(chromium: Browser, *, scripts: bool) -> Iterator[Page]:
    """A page on a phone's width that collects what its content security policy or a script complains about."""
    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="nl-BE", java_script_enabled=scripts)
    page = context.new_page()
    page.set_default_timeout(15_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert faults == []


def log_in(page: Page, town: Town, who: Person) -> None:
    """Come in with the passphrase."""
    page.goto(town.base + "/login")
    page.fill("#user", who.user)
    page.fill("#passphrase", who.passphrase)
    page.click("#login-form button")
    page.wait_for_url("**/me")
