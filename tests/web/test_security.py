"""Changing one's ways in over HTTP: plain forms, a fresh proof each time, and what a thief of the session gets."""

import html
import json
import re
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI

from consent.accounts import passphrase, people, sessions
from consent.accounts.people import Enrolled, Newcomer, enroll, found_office
from keys.text import b64
from tests.conftest import BASE, Clock
from tests.consent.authenticator import Device
from vault.log import views
from vault.vault import Vault
from web import guard, problems
from web.pages.entry import FAILED
from web.routes import accounts, erasure, security

SAME = {"sec-fetch-site": "same-origin"}
PHRASE, NEXT = "zeven groene fietsen", "vier nieuwe gewone woorden"


@pytest.fixture
async def an(vault: Vault, clock: Clock) -> Enrolled:
    """A citizen with a passphrase and a recovery code, in a house that has its office."""
    await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    return await enroll(vault, "an", "An", "citizen", "an", PHRASE, clock())


@pytest.fixture
async def browser(vault: Vault, clock: Clock, an: Enrolled) -> AsyncIterator[httpx.AsyncClient]:
    """An's browser, logged in."""
    app = FastAPI()
    app.state.house = SimpleNamespace(vault=vault, clock=clock, base=BASE)
    app.include_router(accounts.router)
    app.include_router(security.router)
    app.include_router(erasure.router)
    problems.install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        assert (await log_in(client, PHRASE)).headers["location"] == "/me"
        yield client


def token(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def asked(page: httpx.Response, name: str) -> str:
    """The options that a page has ready for its script."""
    found = re.search(rf'data-{name}="([^"]+)"', page.text)
    assert found is not None
    return html.unescape(found[1])


async def log_in(browser: httpx.AsyncClient, secret: str, **more: str) -> httpx.Response:
    fields = {"user": "an", "passphrase": secret, "csrf": token(await browser.get("/login"))} | more
    return await browser.post("/login", data=fields, headers=SAME)


async def press(browser: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """Send one of the forms of the page."""
    page = await browser.get("/me/security")
    return await browser.post(f"/me/security/{path}", data={"csrf": token(page)} | fields, headers=SAME)


async def add_passkey(browser: httpx.AsyncClient, device: Device, proof: str = PHRASE) -> httpx.Response:
    page = await browser.get("/me/security")
    credential, prf = device.create(asked(page, "create"))
    return await press(browser, "passkeys", proof=proof, new_credential=credential, new_prf=prf)


async def enter(browser: httpx.AsyncClient, device: Device) -> httpx.Response:
    page = await browser.get("/login")
    credential, prf = device.get(asked(page, "ask"))
    fields = {"csrf": token(page), "next": "/me", "credential": credential, "prf": prf}
    return await browser.post("/login/passkey", data=fields, headers=SAME)


def kinds(vault: Vault, who: Enrolled) -> list[str]:
    account = people.by_id(vault, who.account)
    assert account is not None
    return [way.kind for way in account.ways]


async def test_a_passkey_is_added_and_logs_in(browser: httpx.AsyncClient, vault: Vault, an: Enrolled) -> None:
    device = Device()
    assert (await add_passkey(browser, device)).headers["location"] == "/me/security?done=passkey"
    assert kinds(vault, an) == ["passphrase", "recovery", "passkey"]
    browser.cookies.clear()
    done = await enter(browser, device)
    assert (done.status_code, done.headers["location"]) == (303, "/me")
    assert "Passkey" in (await browser.get("/me/security")).text


async def test_a_passkey_of_nobody_and_a_wrong_one_get_the_same_answer(browser: httpx.AsyncClient) -> None:
    device = Device()
    await add_passkey(browser, device)
    browser.cookies.clear()
    wrong, nobody = Device(user=device.user, id=device.id), Device(user=b"n" * 16)
    told = []
    for one in (wrong, nobody):
        answer = await enter(browser, one)
        told.append((answer.status_code, answer.headers["location"], answer.content, sorted(answer.headers)))
    assert told[0] == told[1]
    assert told[0][:2] == (303, "/login?next=%2Fme&failed=1&by=passkey")
    assert guard.SESSION not in browser.cookies
    assert "Deze passkey opende je kluis niet" in (await browser.get(told[0][1])).text


async def test_the_answer_of_one_browser_does_not_log_another_one_in(browser: httpx.AsyncClient) -> None:
    device = Device()
    await add_passkey(browser, device)
    browser.cookies.clear()
    stolen = device.get(asked(await browser.get("/login"), "ask"))
    browser.cookies.clear()
    fields = {"csrf": token(await browser.get("/login")), "credential": stolen[0], "prf": stolen[1]}
    answer = await browser.post("/login/passkey", data=fields, headers=SAME)
    assert "failed=1" in answer.headers["location"]
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert (await browser.post("/login/passkey", data=fields, headers=headers)).status_code == 403
    assert (await browser.post("/login/passkey", data=fields | {"csrf": "x"}, headers=SAME)).status_code == 403


@pytest.mark.parametrize("path", ["passkeys", "passphrase", "codes", "unlockers/{way}/remove"])
@pytest.mark.parametrize("proof", ["", "niet de goede zin", "ABCD-EFGH"])
async def test_a_session_alone_changes_nothing(
    browser: httpx.AsyncClient, vault: Vault, an: Enrolled, path: str, proof: str
) -> None:
    account = people.by_id(vault, an.account)
    assert account is not None
    page = await browser.get("/me/security")
    credential, prf = Device().create(asked(page, "create"))
    fields = {"new_credential": credential, "new_prf": prf, "passphrase": NEXT, "again": NEXT}
    answer = await press(browser, path.format(way=b64(account.ways[0].id)), proof=proof, **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/me/security?failed=proof")
    assert people.by_id(vault, an.account) == account
    assert "We konden niet nagaan of jij het bent" in (await browser.get("/me/security?failed=proof")).text


@pytest.mark.parametrize("path", ["passkeys", "passphrase", "codes", "unlockers/QUFBQUFBQUFBQUFBQUFBQQ/remove"])
async def test_every_change_needs_our_own_page_and_its_token(
    browser: httpx.AsyncClient, vault: Vault, an: Enrolled, path: str
) -> None:
    fields = {"proof": PHRASE, "passphrase": NEXT, "again": NEXT}
    own = {"csrf": token(await browser.get("/me/security"))}
    for data, headers in ((fields, SAME), (fields | own, {"sec-fetch-site": "cross-site"})):
        assert (await browser.post(f"/me/security/{path}", data=data, headers=headers)).status_code == 403
    browser.cookies.clear()
    answer = await browser.post(f"/me/security/{path}", data=fields | own, headers=SAME)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fme")
    assert kinds(vault, an) == ["passphrase", "recovery"]


async def test_a_new_passphrase_replaces_the_old_one(browser: httpx.AsyncClient, vault: Vault, an: Enrolled) -> None:
    done = await press(browser, "passphrase", passphrase=NEXT, again=NEXT, proof=an.codes[0])
    assert done.headers["location"] == "/me/security?done=passphrase"
    assert sorted(kinds(vault, an)) == ["passphrase", "recovery"]
    assert "failed=1" in (await log_in(browser, PHRASE)).headers["location"]
    assert (await log_in(browser, NEXT)).headers["location"] == "/me"


@pytest.mark.parametrize(
    ("first", "second"), [("kort", "kort"), (NEXT, NEXT + "!"), ("x" * 1025, "x" * 1025), ("", "")]
)
async def test_a_passphrase_that_cannot_be_is_told_so_and_the_old_one_stays(
    browser: httpx.AsyncClient, first: str, second: str
) -> None:
    done = await press(browser, "passphrase", passphrase=first, again=second, proof=PHRASE)
    assert done.headers["location"] == "/me/security?failed=phrase"
    assert (await log_in(browser, PHRASE)).headers["location"] == "/me"


async def test_a_new_code_is_shown_once_kept_by_no_cache_and_opens(browser: httpx.AsyncClient, an: Enrolled) -> None:
    page = await press(browser, "codes", proof=PHRASE)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    code = re.sub(r"<[^>]+>", "", page.text.split('id="code">')[1].split("</p>")[0])
    assert re.fullmatch(r"(\w{4}-){8}\w{4}", code)
    assert code[:4] not in (await browser.get("/me/security")).text
    for good in (code, an.codes[0]):
        assert (await log_in(browser, good)).headers["location"] == "/me/security?recovered=1"


@pytest.mark.parametrize("change", ["passphrase", "remove"])
@pytest.mark.parametrize("stay", [False, True], ids=["end", "stay"])
async def test_whoever_stole_a_session_is_out_when_a_way_in_changes_unless_she_says_otherwise(
    browser: httpx.AsyncClient, vault: Vault, an: Enrolled, clock: Clock, change: str, *, stay: bool
) -> None:
    await press(browser, "codes", proof=PHRASE)
    stolen = []
    for _ in range(2):
        opened = await passphrase.login(vault, "an", an.codes[0], clock())
        assert opened is not None
        stolen.append(opened)
    assert 'type="checkbox"' in (page := (await browser.get("/me/security")).text) and 'name="stay" value="1">' in page
    fields = {"proof": PHRASE} | ({"stay": "1"} if stay else {})
    copied = browser.cookies["kluis"]
    if change == "passphrase":
        done = await press(browser, "passphrase", passphrase=NEXT, again=NEXT, **fields)
    else:
        account = people.by_id(vault, an.account)
        assert account is not None
        done = await press(browser, f"unlockers/{b64(account.ways_of('recovery')[0])}/remove", **fields)
    assert done.headers["location"].startswith("/me/security?done=")
    left = [sessions.find(vault, cookie, clock()) is not None for cookie, _ in stolen]
    assert left == [stay, stay]
    assert sessions.find(vault, copied, clock()) is None  # and a copy of her own cookie is of no use
    assert [vault.shares.count("session", facts.handle) for _, facts in stolen] == [int(stay)] * 2
    assert (await browser.get("/me/security")).status_code == 200  # her own goes on
    with sessions.log_private(stolen[0][1]) as private:
        lines = [line.told["action"] for line in views.lines(vault, stolen[0][1].pod, private)]
    assert lines.count("logout elsewhere") == (0 if stay else 2)


async def test_fewer_than_two_ways_in_are_refused_with_the_way_out(
    browser: httpx.AsyncClient, vault: Vault, an: Enrolled
) -> None:
    account = people.by_id(vault, an.account)
    assert account is not None
    page = await browser.get("/me/security")
    assert "/remove" not in page.text
    for way in account.ways:
        answer = await press(browser, f"unlockers/{b64(way.id)}/remove", proof=PHRASE)
        assert answer.headers["location"] == "/me/security?failed=few"
    assert "Voeg eerst een andere toe" in (await browser.get("/me/security?failed=few")).text
    assert kinds(vault, an) == ["passphrase", "recovery"]


async def test_a_demos_key_does_not_count_as_a_way_in(browser: httpx.AsyncClient, vault: Vault, clock: Clock) -> None:
    made = await enroll(vault, "youssef", "Youssef", "citizen", "youssef", PHRASE, clock(), demo=True)
    await log_in(browser, PHRASE, user="youssef")
    account = people.by_id(vault, made.account)
    assert account is not None
    said = []
    for kind in ("recovery", "demo"):
        (way,) = account.ways_of(kind)
        answer = await press(browser, f"unlockers/{b64(way)}/remove", proof=PHRASE)
        said.append(answer.headers["location"])
    assert said == ["/me/security?failed=few", "/me/security?done=removed"]


async def test_nobody_takes_away_what_is_another_persons(
    browser: httpx.AsyncClient, vault: Vault, clock: Clock, an: Enrolled
) -> None:
    other = await enroll(vault, "mia", "Mia", "citizen", "mia", None, clock())
    account = people.by_id(vault, other.account)
    assert account is not None
    for way in (b64(account.ways[0].id), b64(b"x" * 16)):
        answer = await press(browser, f"unlockers/{way}/remove", proof=PHRASE)
        assert answer.headers["location"] == "/me/security?failed=gone"
    assert (await press(browser, "unlockers/x/remove", proof=PHRASE)).status_code == 404
    assert len(kinds(vault, other)) == 2


async def test_a_device_without_prf_is_refused_before_anything_is_tried(
    browser: httpx.AsyncClient, vault: Vault, an: Enrolled
) -> None:
    before = vault.log.ledger.tree.size
    assert (await add_passkey(browser, Device(prf=False))).headers["location"] == "/me/security?failed=prf"
    assert vault.log.ledger.tree.size == before
    page = (await browser.get("/me/security?failed=prf")).text
    assert FAILED["prf"][1] in page
    assert '<details id="wachtzin" open>' in page
    assert '<details id="herstelcode" open>' in page


async def test_a_bad_or_known_passkey_is_not_added_and_the_page_says_so(
    browser: httpx.AsyncClient, vault: Vault, an: Enrolled
) -> None:
    device = Device()
    await add_passkey(browser, device)
    for bad in (Device(origin="https://evil.example"), Device(rp_id="evil.example"), device):
        assert (await add_passkey(browser, bad)).headers["location"] == "/me/security?failed=passkey"
    assert kinds(vault, an).count("passkey") == 1


async def test_a_passkey_is_a_proof_too_and_good_for_one_change(
    browser: httpx.AsyncClient, vault: Vault, an: Enrolled
) -> None:
    device = Device()
    await add_passkey(browser, device)
    page = await browser.get("/me/security")
    credential, prf = device.get(asked(page, "confirm"))
    assert [one["id"] for one in json.loads(asked(page, "confirm"))["allowCredentials"]] == [b64(device.id)]
    fields = {"csrf": token(page), "credential": credential, "prf": prf, "passphrase": NEXT, "again": NEXT}
    done = await browser.post("/me/security/passphrase", data=fields, headers=SAME)
    again = await press(browser, "passphrase", **{name: value for name, value in fields.items() if name != "csrf"})
    said = [one.headers["location"] for one in (done, again)]
    assert said == ["/me/security?done=passphrase", "/me/security?failed=proof"]


async def test_a_passkey_is_enough_to_erase_ones_pod_and_a_wrong_one_erases_nothing(
    browser: httpx.AsyncClient, vault: Vault
) -> None:
    device = Device()
    await add_passkey(browser, device)

    async def erase(prf: str = "") -> httpx.Response:
        page = await browser.get("/me/security")
        credential, given = device.get(asked(page, "confirm"))
        fields = {"csrf": token(page), "credential": credential, "prf": prf or given}
        return await browser.post("/api/erase", data=fields, headers=SAME)

    refused = await erase(b64(bytes(32)))
    assert refused.status_code == 401 and vault.pod("an") is not None
    done = await erase()
    assert done.json() == {"entry": vault.log.ledger.tree.size - 1} and vault.pod("an") is None
    assert "kluis" not in browser.cookies


async def test_whoever_lost_her_passphrase_is_led_from_her_code_to_a_new_one(
    browser: httpx.AsyncClient, an: Enrolled
) -> None:
    browser.cookies.clear()
    page = await browser.get("/login?recover=1")
    assert "Herstelcode</label>" in page.text
    (there,) = re.findall(r'name="next" value="([^"]+)"', page.text)
    wrong = await log_in(browser, "ABCD", next=there, recover="1")
    assert wrong.headers["location"] == "/login?next=%2Fme%2Fsecurity%3Frecovered%3D1&failed=1&recover=1"
    done = await log_in(browser, an.codes[0], next=there, recover="1")
    assert done.headers["location"] == "/me/security?recovered=1"
    shown = (await browser.get("/me/security?recovered=1")).text
    assert "Je kwam binnen met je herstelcode" in shown
    assert '<details id="wachtzin" open>' in shown


async def test_a_session_that_ended_meanwhile_changes_nothing(
    browser: httpx.AsyncClient, vault: Vault, an: Enrolled, clock: Clock
) -> None:
    page = await browser.get("/me/security")
    clock.forward(minutes=16)
    fields = {"csrf": token(page), "proof": PHRASE}
    answer = await browser.post("/me/security/codes", data=fields, headers=SAME)
    assert answer.headers["location"].startswith("/login")
    assert kinds(vault, an) == ["passphrase", "recovery"]


@pytest.mark.parametrize("said", ["<script>", "x", "../", ""])
async def test_words_from_the_address_bar_never_reach_the_page(browser: httpx.AsyncClient, said: str) -> None:
    plain = await browser.get("/me/security")
    page = await browser.get("/me/security", params={"done": said, "failed": said})
    strip = re.compile(r'data-(create|confirm)="[^"]*"')
    assert strip.sub("", page.text) == strip.sub("", plain.text)
