"""Logging in over HTTP: what a browser, a script and a thief get."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from consent.accounts import links
from consent.accounts.people import Enrolled, Newcomer, enroll, found_office
from keys.text import b64
from tests.conftest import BASE, Clock
from vault.vault import Vault
from web import guard, problems
from web.routes import accounts, dpo, security

RECOVERED = "/me/security?recovered=1"
SAME = {"sec-fetch-site": "same-origin"}
CROSS = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"origin": "https://evil.example"},
    {"origin": "http://127.0.0.1:8401"},
    {"origin": "null"},
]


@pytest.fixture
async def dirk(vault: Vault, clock: Clock) -> Enrolled:
    """The DPO."""
    return (await found_office(vault, [Newcomer("dpo", "Dirk")], clock()))[0]


@pytest.fixture
async def an(vault: Vault, clock: Clock, dirk: Enrolled) -> Enrolled:
    """A citizen, in a house that has its office."""
    return await enroll(vault, "an", "An", "citizen", "an", None, clock(), demo=True)


@pytest.fixture
def app(vault: Vault, clock: Clock, tmp_path: Path) -> FastAPI:
    made = FastAPI()
    made.state.house = SimpleNamespace(
        vault=vault, clock=clock, base=BASE, settings=SimpleNamespace(data=tmp_path), watching=None
    )
    made.include_router(accounts.router)
    made.include_router(dpo.router)
    made.include_router(security.router)
    problems.install(made)
    return made


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


def token(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


async def log_in(browser: httpx.AsyncClient, user: str, secret: str, **more: str) -> httpx.Response:
    page = await browser.get("/login")
    fields = {"user": user, "passphrase": secret, "csrf": token(page), "next": "/me"} | more
    return await browser.post("/login", data=fields, headers=SAME)


async def test_whoever_comes_in_with_a_recovery_code_is_led_to_a_new_passphrase(
    browser: httpx.AsyncClient, an: Enrolled, vault: Vault, clock: Clock
) -> None:
    phrase = "zeven groene fietsen"
    await enroll(vault, "bo", "Bo", "citizen", "bo", phrase, clock())
    assert (await log_in(browser, "bo", phrase)).headers["location"] == "/me"
    done = await log_in(browser, "an", an.codes[0])
    assert done.headers["location"] == RECOVERED
    assert "Je kwam binnen met je herstelcode" in (await browser.get(RECOVERED)).text
    assert (await log_in(browser, "an", an.codes[0], next="/me/log")).headers["location"] == "/me/log"


async def test_the_login_form_opens_a_session_and_goes_on_with_a_303(browser: httpx.AsyncClient, an: Enrolled) -> None:
    page = await browser.get("/login", params={"next": "/me/log?x=1"})
    assert 'id="login-form"' in page.text
    assert 'value="/me/log?x=1"' in page.text
    done = await log_in(browser, "an", an.codes[0], next="/me/log?x=1")
    assert (done.status_code, done.headers["location"]) == (303, "/me/log?x=1")
    security = await browser.get("/me/security")
    assert security.status_code == 200
    assert "Herstelcode" in security.text


async def test_a_script_that_sends_our_origin_or_no_browser_header_logs_in_too(
    browser: httpx.AsyncClient, an: Enrolled
) -> None:
    for headers in ({"origin": BASE}, {}):
        page = await browser.get("/login")
        fields = {"user": "an", "passphrase": an.codes[0], "csrf": token(page)}
        done = await browser.post("/login", data=fields, headers=headers)
        assert (done.status_code, done.headers["location"]) == (303, RECOVERED)


async def test_a_wrong_secret_and_an_unknown_name_get_the_same_answer(browser: httpx.AsyncClient, an: Enrolled) -> None:
    wrong = an.codes[0][:-1] + ("0" if an.codes[0][-1] != "0" else "1")
    answers = [await log_in(browser, user, wrong) for user in ("an", "nobody")]
    told = [(a.status_code, a.headers["location"], a.content, sorted(a.headers)) for a in answers]
    assert told[0] == told[1]
    assert told[0][:2] == (303, "/login?next=%2Fme&failed=1")
    assert guard.SESSION not in browser.cookies
    page = await browser.get(answers[0].headers["location"])
    assert 'role="alert"' in page.text


@pytest.mark.parametrize(
    "there",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "",
     "/me\r\nset-cookie: a=b", "me", "/\t/evil.example"],
)  # fmt: skip
async def test_next_never_leads_to_another_site(browser: httpx.AsyncClient, an: Enrolled, there: str) -> None:
    page = await browser.get("/login", params={"next": there})
    assert 'name="next" value="/me"' in page.text
    done = await log_in(browser, "an", an.codes[0], next=there)
    assert done.headers["location"] == RECOVERED


async def test_the_session_cookie_is_hidden_from_scripts_and_lax(browser: httpx.AsyncClient, an: Enrolled) -> None:
    done = await log_in(browser, "an", an.codes[0])
    (cookie,) = [c for c in done.headers.get_list("set-cookie") if c.startswith("kluis=")]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} == parts


async def test_under_https_every_cookie_is_host_bound_and_secure(app: FastAPI, vault: Vault, an: Enrolled) -> None:
    base = app.state.house.base = "https://kluis.example"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as browser:
        page = await browser.get("/login")
        done = await log_in(browser, "an", an.codes[0])
        set_cookies = page.headers.get_list("set-cookie") + done.headers.get_list("set-cookie")
        assert (await browser.get("/me/security")).status_code == 200
    assert len(set_cookies) == 3
    assert all(c.startswith("__Host-kluis") and "Secure" in c and "Domain" not in c for c in set_cookies)


@pytest.mark.parametrize("headers", CROSS)
async def test_another_site_cannot_log_somebody_in(
    browser: httpx.AsyncClient, an: Enrolled, headers: dict[str, str]
) -> None:
    fields = {"user": "an", "passphrase": an.codes[0], "csrf": token(await browser.get("/login"))}
    assert (await browser.post("/login", data=fields, headers=headers)).status_code == 403
    assert guard.SESSION not in browser.cookies


async def test_a_form_token_fits_only_the_cookie_it_was_made_for(browser: httpx.AsyncClient, an: Enrolled) -> None:
    foreign = token(await browser.get("/login"))
    browser.cookies.clear()
    await browser.get("/login")
    for text in (foreign, "", "x", "*", b64(b"x" * 32)):
        fields = {"user": "an", "passphrase": an.codes[0], "csrf": text}
        assert (await browser.post("/login", data=fields, headers=SAME)).status_code == 403
    browser.cookies.clear()
    fields = {"user": "an", "passphrase": an.codes[0], "csrf": foreign}
    assert (await browser.post("/login", data=fields, headers=SAME)).status_code == 403


async def test_a_form_of_more_than_64_kib_is_not_read(browser: httpx.AsyncClient, an: Enrolled) -> None:
    done = await browser.post("/login", data={"user": "x" * (guard.LARGEST_FORM + 1)}, headers=SAME)
    assert done.status_code == 413


async def test_a_write_needs_the_sessions_own_form_token(browser: httpx.AsyncClient, an: Enrolled) -> None:
    await log_in(browser, "an", an.codes[0])
    page = await browser.get("/me/security")
    before_login = token(await browser.get("/login"))
    for text in ("", "x", "\u00e9", before_login):
        assert (await browser.post("/logout", data={"csrf": text}, headers=SAME)).status_code == 403
    for headers in CROSS:
        assert (await browser.post("/logout", data={"csrf": token(page)}, headers=headers)).status_code == 403
    assert (await browser.get("/me/security")).status_code == 200
    done = await browser.post("/logout", data={"csrf": token(page)}, headers=SAME)
    assert (done.status_code, done.headers["location"]) == (303, "/")


async def test_after_logout_a_kept_cookie_opens_nothing(browser: httpx.AsyncClient, an: Enrolled) -> None:
    await log_in(browser, "an", an.codes[0])
    kept = browser.cookies[guard.SESSION]
    page = await browser.get("/me/security")
    await browser.post("/logout", headers=SAME | {guard.TOKEN_HEADER: token(page)})
    assert guard.SESSION not in browser.cookies
    browser.cookies.set(guard.SESSION, kept, domain="localhost.local")
    there = await browser.get("/me/security")
    assert (there.status_code, there.headers["location"]) == (303, "/login?next=%2Fme%2Fsecurity")


async def test_without_a_session_a_page_asks_to_log_in_and_an_api_says_401(
    browser: httpx.AsyncClient, an: Enrolled
) -> None:
    page = await browser.get("/me/security?a=b%20c")
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fme%2Fsecurity%3Fa%3Db%2520c")
    api = await browser.get("/api/dpo/totals")
    assert (api.status_code, api.headers["content-type"]) == (401, "application/problem+json")
    assert api.headers["www-authenticate"].startswith("DPoP")


async def test_logging_in_again_ends_the_session_this_browser_had(browser: httpx.AsyncClient, an: Enrolled) -> None:
    await log_in(browser, "an", an.codes[0])
    old = browser.cookies[guard.SESSION]
    await log_in(browser, "an", an.codes[1])
    new = browser.cookies[guard.SESSION]
    assert new != old
    browser.cookies.clear()
    assert (await browser.get("/me/security", headers={"cookie": f"{guard.SESSION}={old}"})).status_code == 303
    assert (await browser.get("/me/security", headers={"cookie": f"{guard.SESSION}={new}"})).status_code == 200


async def test_a_person_ends_her_other_session_by_its_handle(
    app: FastAPI, browser: httpx.AsyncClient, an: Enrolled
) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as phone:
        await log_in(phone, "an", an.codes[0])
        handle = phone.cookies[guard.SESSION].removeprefix("kss1_").partition(".")[0]
        await log_in(browser, "an", an.codes[1])
        fields = {"csrf": token(await browser.get("/me/security"))}
        for bad in ("x", b64(b"h" * 16), "%2e%2e"):
            assert (await browser.post(f"/me/sessions/{bad}/end", data=fields, headers=SAME)).status_code == 404
        done = await browser.post(f"/me/sessions/{handle}/end", data=fields, headers=SAME)
        assert (done.status_code, done.headers["location"]) == (303, "/me/security?done=ended")
        assert (await phone.get("/me/security")).status_code == 303


async def test_a_demo_link_works_once_and_only_in_a_demo(
    browser: httpx.AsyncClient, an: Enrolled, vault: Vault, clock: Clock, tmp_path: Path
) -> None:
    later = replace(clock).now
    clock.forward(seconds=-60)
    link = await links.new_link(vault, an.account, later)
    assert (await browser.get(f"/login/demo/{link}")).status_code == 404
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "unlockers.json").write_text(json.dumps({b64(an.account): an.demo}))
    first, second = [await browser.get(f"/login/demo/{link}") for _ in range(2)]
    assert first.headers["location"] == "/me"
    assert second.headers["location"] == "/login?failed=1&by=link"


async def test_the_dpo_sees_complete_totals_and_nobody_else_does(
    browser: httpx.AsyncClient, an: Enrolled, dirk: Enrolled
) -> None:
    await log_in(browser, "an", an.codes[0])
    assert [(await browser.get(path)).status_code for path in ("/api/dpo/totals", "/dpo")] == [403, 403]
    assert (await log_in(browser, "dpo", dirk.codes[0])).headers["location"] == RECOVERED
    told = (await browser.get("/api/dpo/totals")).json()
    assert told["opened"] == told["entries"] > 0
    assert told["damaged"] == []
    assert {field for row in told["rows"] for field in row} == {
        "client", "purpose", "legal_basis", "category", "action", "decision", "count", "entries",
    }  # fmt: skip
    assert "/pods/" not in json.dumps(told)
    assert (await browser.get("/dpo")).status_code == 200
