"""Who may go where: every page and API with a role behind it, asked by everybody there is."""

import pytest

from consent.accounts import passphrase, sessions
from consent.accounts.people import enroll
from consent.accounts.roles import ROLES, Role
from tests.conftest import Clock
from tests.house import Household
from tests.web.test_accounts import log_in
from web.pages.desk import HOME

PHRASE = "zeven groene fietsen"
# address: the roles that get 200. Everybody else who is logged in gets 403, a stranger the login or 401.
PLACES: dict[str, set[Role]] = {
    "/me": {"citizen"},
    "/me/access": {"citizen"},
    "/me/data": {"citizen"},
    "/me/log": set(ROLES),
    "/me/suggestions": {"citizen"},
    "/me/take-away": {"citizen"},
    "/me/erase": {"citizen"},
    "/me/security/locks": {"citizen"},
    "/me/security": set(ROLES),
    "/dev": {"developer"},
    "/dpo": {"dpo"},
    "/insight": {"institution"},
    "/desk": {"operator"},
    "/api/dpo/totals": {"dpo"},
}


async def enter(house: Household, role: Role) -> str:
    """The cookie of somebody in this role."""
    if role == "citizen":
        return house.cookie
    if role == "dpo":
        opened = await passphrase.login(house.vault, "dpo", house.officer, house.clock())
    else:
        await enroll(house.vault, role, role.title(), role, None, PHRASE, house.clock())
        opened = await passphrase.login(house.vault, role, PHRASE, house.clock())
    assert opened is not None
    return opened[0]


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_gets_its_own_places_and_403_at_everybody_elses(house: Household, role: Role) -> None:
    cookie = await enter(house, role)
    for address, allowed in PLACES.items():
        answer = await house.http.get(address, headers={"cookie": f"kluis={cookie}", "accept": "text/html"})
        assert answer.status_code == (200 if role in allowed else 403), (role, address)


async def test_a_stranger_gets_none_of_them(house: Household) -> None:
    for address in PLACES:
        answer = await house.http.get(address)
        wanted = (401, "") if address.startswith("/api/") else (303, f"/login?next={address.replace('/', '%2F')}")
        assert (answer.status_code, answer.headers.get("location", "")) == wanted


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_lands_after_its_login_on_a_page_that_has_something_for_it(
    house: Household, role: Role
) -> None:
    await enter(house, role)
    user, secret = {"citizen": ("an", house.codes[1]), "dpo": ("dpo", house.officer)}.get(role, (role, PHRASE))
    done = await log_in(house.http, user, secret)
    landed = done.headers["location"]
    assert done.status_code == 303 and landed in (HOME[role], "/me/security?recovered=1")
    page = await house.http.get(HOME[role], headers={"accept": "text/html"})
    assert page.status_code == 200 and "<h1" in page.text and "href=" in page.text


@pytest.mark.parametrize("role", [role for role in ROLES if role != "citizen"])
async def test_staff_decide_about_nobodys_data(house: Household, role: Role) -> None:
    """A request that a citizen was asked, opened by somebody who has no data: the app hears access_denied."""
    from tests.web import tariff

    pool = await tariff.pool(house)
    pushed = await pool.push(tariff.CARD, legal_basis="eu-gdpr:A6-1-a-explicit-consent")
    shown = await pool.open(pushed, await enter(house, role))
    assert shown.status_code == 303 and "error=access_denied" in shown.headers["location"]


async def test_a_form_cannot_give_anybody_another_role_or_another_pod(house: Household) -> None:
    """Fields that no form of ours has are nobody's business: at the login and at every change of one's ways in."""
    await enroll(house.vault, "devi", "Devi", "developer", None, PHRASE, house.clock())
    more = {
        "role": "dpo",
        "pod": "an",
        "account": "an",
        "kind": "office",
        "webid": f"{house.vault.base}/pods/an/",
        "id": "x",
    }
    done = await log_in(house.http, "devi", PHRASE, **more)
    assert done.headers["location"] == "/dev"
    session = sessions.find(house.vault, house.http.cookies["kluis"], house.clock())
    assert session is not None and (session.role, session.pod.kind, session.webid) == ("developer", "desk", "")
    fields = more | {"csrf": session.csrf, "proof": PHRASE, "passphrase": PHRASE + "!", "again": PHRASE + "!"}
    same = {"sec-fetch-site": "same-origin"}
    changed = await house.http.post("/me/security/passphrase", data=fields, headers=same)
    assert changed.headers["location"] == "/me/security?done=passphrase"
    after = sessions.find(house.vault, house.http.cookies["kluis"], house.clock())
    assert after is not None and (after.role, after.pod.id) == ("developer", session.pod.id)
    assert (await house.http.get("/dpo")).status_code == 403
    body = {"client_name": "Proef", "trust": "city", "kind": "source", "role": "dpo", "webid": "x"}
    told = await house.http.post("/oauth/register", json=body, headers=same | {"kluis-form": after.csrf})
    assert told.status_code == 400


async def test_her_sessions_are_listed_with_device_way_and_last_use_and_one_that_she_ends_is_dead_at_once(
    house: Household, clock: Clock
) -> None:
    phone = {"user-agent": "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"}
    house.http.headers.update(phone)
    assert (await log_in(house.http, "an", house.codes[1])).status_code == 303
    stolen = house.http.cookies["kluis"]
    house.http.cookies.clear()
    clock.forward(minutes=5)
    listed = (await house.http.get("/me/security", headers={"cookie": f"kluis={house.cookie}"})).text
    assert "Chrome op Android" in listed and "Mozilla" not in listed and "Geopend met: herstelcode" in listed
    assert listed.count("Laatst gebruikt") == 2 and listed.count("Dit toestel") == 1
    handle = stolen.removeprefix("kss1_").partition(".")[0]
    ended = await house.press(f"/me/sessions/{handle}/end")
    assert ended.status_code == 303
    after = await house.http.get("/me", headers={"cookie": f"kluis={stolen}"})
    assert after.headers["location"].startswith("/login")
    assert (await house.http.get("/me", headers={"cookie": f"kluis={house.cookie}"})).status_code == 200


async def test_nobody_ends_the_session_of_somebody_else(house: Household) -> None:
    officer = await enter(house, "dpo")
    handle = officer.removeprefix("kss1_").partition(".")[0]
    assert (await house.press(f"/me/sessions/{handle}/end")).status_code == 404
    assert (await house.http.get("/dpo", headers={"cookie": f"kluis={officer}"})).status_code == 200


async def test_a_login_never_takes_a_session_that_somebody_else_put_in_the_browser(house: Household) -> None:
    """Session fixation: the cookie is another one after each login, and the one before is dead."""
    planted = house.cookie
    house.http.cookies.set("kluis", planted, domain="localhost.local")
    assert (await log_in(house.http, "dpo", house.officer)).status_code == 303
    fresh = house.http.cookies["kluis"]
    assert fresh != planted
    house.http.cookies.clear()
    assert sessions.find(house.vault, planted, house.clock()) is None
    assert (await house.http.get("/dpo", headers={"cookie": f"kluis={fresh}"})).status_code == 200
