"""O54: `@inrupt/solid-client-authn-browser`, unmodified, in Chromium: login, work, a silent reload, the end."""

import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson
import pytest

from consent.oauth.documents import CONTEXT
from tests.browser.conftest import chromium  # noqa: F401 -- a fixture
from tests.browser.town import Town
from tests.clients.solidlogin.node import workshop
from tests.clients.solidlogin.site import Site
from tests.proof import figure

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """An app that is one page, bundled by esbuild."""
    _, folder = workshop()
    tool = folder / "node_modules" / ".bin" / "esbuild"
    command = [tool, "browser-client.mjs", "--bundle", "--format=esm", "--outfile=bundle.js", "--log-level=error"]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    with Site() as made:
        made.pages["/app.js"] = (folder / "bundle.js").read_bytes()
        made.pages["/"] = b'<!doctype html><title>Notities</title><script type="module" src="/app.js"></script>'
        made.pages["/id.jsonld"] = orjson.dumps({
            "@context": [CONTEXT], "client_id": made.origin + "/id.jsonld", "client_name": "Notities",
            "redirect_uris": [made.origin + "/back"], "scope": "openid webid offline_access",
            "grant_types": ["refresh_token", "authorization_code"],
        })  # fmt: skip
        yield made


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator[Town]:  # noqa: F811
    running = Town(tmp_path_factory.mktemp("town"))
    yield running
    running.stop()


def test_o54_inrupts_browser_client_logs_in_works_comes_back_silently_and_is_stopped(
    town: Town,
    site: Site,
    chromium: "Browser",  # noqa: F811
) -> None:
    who = town.newcomer()
    pod, context = f"{town.base}/pods/{who.user}/", chromium.new_context()
    page = context.new_page()
    page.goto(site.origin + "/")
    page.evaluate("arrived")
    with page.expect_navigation(url=f"{town.base}/login**"):
        page.evaluate("([issuer, id]) => { enter(issuer, id) }", [town.base, site.origin + "/id.jsonld"])
    page.fill("#login-form [name=user]", who.user)
    page.fill("#login-form [name=passphrase]", who.passphrase)
    page.press("#login-form [name=passphrase]", "Enter")
    page.wait_for_selector("#allow")
    assert page.locator("input:checked").count() == 0
    page.check("input[name=data][value='/public/']")
    page.check("input[name=mode][value=read]")
    page.check("input[name=mode][value=write]")
    with page.expect_navigation(url=f"{site.origin}/**"):
        page.click("#allow")
    assert page.evaluate("arrived") == {"in": True, "webid": pod + "profile/card#me"}
    ask = "([method, url, body]) => ask(method, url, body)"
    assert page.evaluate(ask, ["PUT", pod + "public/n.txt", "hallo"])["status"] == 201
    assert page.evaluate(ask, ["GET", pod + "public/n.txt", None]) == {"status": 200, "text": "hallo"}
    for shut in ("settings/", "interests/"):
        assert page.evaluate(ask, ["GET", pod + shut, None])["status"] == 403
    page.goto(site.origin + "/")  # a reload: the client asks silently, and what she allowed still stands
    page.wait_for_url(f"{site.origin}/**")
    page.wait_for_function("window.arrived && window.arrived.then((it) => it.in)")
    assert page.evaluate(ask, ["GET", pod + "public/n.txt", None])["status"] == 200
    own = context.new_page()
    own.goto(town.base + "/me/access")
    own.locator("[id^=withdraw-]").first.click()
    own.wait_for_url("**stopped=**")
    late = [page.evaluate(ask, ["GET", pod + "public/n.txt", None])["status"] for _ in range(5)]
    assert late == [401] * 5
    figure("O54", 1)
    context.close()
