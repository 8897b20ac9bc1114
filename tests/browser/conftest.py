"""Debian's Chromium, with no network but loopback, against a house that really serves."""

import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.town import Person, Town

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep beside a test whether its body passed."""
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """The browser, or a skip that says why. Per module: Playwright keeps a loop, which other tests must not meet."""
    if not CHROMIUM.exists():
        print(f"NOT RUN: {CHROMIUM} is not installed (apt-get install chromium)", file=sys.stderr)
        pytest.skip(f"{CHROMIUM} is not installed: passkeys cannot be shown in a real browser here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[Town]:
    """A house that serves until the last test of a module is done."""
    running = Town(tmp_path_factory.mktemp("town"))
    yield running
    running.stop()


@pytest.fixture
def citizen(town: Town) -> Person:
    """Somebody new with a passphrase and a recovery code."""
    return town.newcomer()


@pytest.fixture
def window(chromium: "Browser") -> Iterator["BrowserContext"]:
    """A browser window without history, on a phone's width."""
    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="nl-BE")
    yield context
    context.close()
