"""Attack list B (consent.md 6; RFC 9700): what is tried between browser, app and server, one test per row."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from consent import clients, grants
from recommender.agent import Agent
from recommender.errors import NoGrant
from recommender.wallet import Wallet, prepare
from tests.conftest import BASE
from tests.consent import sample
from tests.house import Household
from tests.recommender.vault_standin import BASE as ITS_VAULT, REGISTRATION, Vault as StandIn
from tests.web import tariff
from tests.web.tariff import CARD, POOL, Pool
from tests.web.test_accounts import log_in
from web.demoapp import DemoApp, Refused

ORDINARY = {"legal_basis": "eu-gdpr:A6-1-a-explicit-consent"}
EVIL = "https://evil.example"
NEVER_AN_ISSUER = [EVIL, "", BASE + "/", BASE + ".evil.example", BASE.upper(), "http://127.0.0.1:8400"]


async def pool(house: Household) -> Pool:
    await clients.register(house.vault, POOL, house.clock())
    return Pool(house)


# ------------------------------------------------------------ mix-up (RFC 9700 4.4, RFC 9207)


@pytest.mark.parametrize("iss", NEVER_AN_ISSUER)
async def test_mix_up_a_wrong_or_missing_iss_makes_the_recommender_abort_before_it_sends_the_code(
    tmp_path: Path, iss: str
) -> None:
    vault = StandIn(prepare(tmp_path / "r", REGISTRATION), set(), {})
    vault.now = sample.NOW
    agent = Agent(Wallet(tmp_path / "r"), httpx.AsyncClient(transport=httpx.MockTransport(vault)))
    await agent.authorize("an", sample.NOW)
    with pytest.raises(NoGrant):
        await agent.granted("good", vault.pushed.state, iss, sample.NOW)
    assert "POST /oauth/token" not in vault.seen
    with pytest.raises(NoGrant):  # and the state is used up: the right answer comes too late
        await agent.granted("good", vault.pushed.state, ITS_VAULT, sample.NOW)


@pytest.mark.parametrize("iss", NEVER_AN_ISSUER)
async def test_mix_up_a_wrong_or_missing_iss_makes_the_demo_app_abort(house: Household, iss: str) -> None:
    sent: list[str] = []

    async def watched(request: httpx.Request) -> None:
        sent.append(request.url.path)

    told = {"client_id": "cultuurgids", "redirect_uri": sample.RETURN, "controller": sample.APP.controller,
            "purposes": [sample.DETAIL["purpose"]]}  # fmt: skip
    app = DemoApp(BASE, told, sample.APP_KEY, house.clock, httpx.ASGITransport(house.app))
    app._http.event_hooks = {"request": [watched], "response": []}
    await app.ask()
    (state,) = app._visits
    with pytest.raises(Refused):
        await app.redeem(state, iss, "a-code")
    assert sent == ["/oauth/par"]


async def test_every_answer_to_an_app_names_its_issuer_denials_included(house: Household) -> None:
    asking = await pool(house)
    for decision in ("allow", "deny"):
        pressed = await asking.press(await asking.open(await asking.push(CARD, **ORDINARY)), decision)
        said = parse_qs(urlsplit(pressed.headers["location"]).query)
        assert said["iss"] == [BASE] and said["state"] == ["s"], decision


# ------------------------------------------------------------ open redirects (RFC 9700 4.11)


@pytest.mark.parametrize(
    "query",
    [
        "client_id=zwembad&redirect_uri=https://evil.example/&response_type=code",
        "client_id=nobody&request_uri=urn:ietf:params:oauth:request_uri:AAAAAAAAAAAAAAAAAAAAAA&redirect_uri=https://evil.example/",
        "client_id=zwembad&request_uri=https://evil.example/request.jwt",
        "client_id=zwembad&client_id=evil&request_uri=urn:x",
        "client_id=https://evil.example/&redirect_uri=https://evil.example/&error=access_denied&state=x",
        "request_uri=urn:x&redirect_uri=//evil.example",
        "redirect_uri=https://evil.example/%0d%0aLocation:https://evil.example/",
    ],
)
async def test_open_redirect_no_error_sends_the_browser_to_an_address_from_the_query(
    house: Household, query: str
) -> None:
    await pool(house)
    for cookie in (f"kluis={house.cookie}", ""):
        answer = await house.http.get(f"/oauth/authorize?{query}", headers={"cookie": cookie, "accept": "text/html"})
        assert answer.status_code == 400, answer.text
        assert "location" not in answer.headers and "evil.example" not in answer.headers["content-security-policy"]


async def test_open_redirect_a_request_that_was_pushed_goes_back_to_the_registered_address_and_no_other(
    house: Household,
) -> None:
    asking = await pool(house)
    page = await asking.open(await asking.push(CARD, **ORDINARY))
    pressed = await asking.press(page, "deny", redirect_uri=EVIL, next=EVIL, state="changed", iss=EVIL)
    assert pressed.status_code == 303 and pressed.headers["location"].startswith(sample.RETURN + "?")
    assert "evil" not in pressed.headers["location"] and "changed" not in pressed.headers["location"]
    refused = await house.http.post("/oauth/par", headers={"dpop": house.proof("POST", "/oauth/par")}, data=asking.own(
        response_type="code", redirect_uri=EVIL, code_challenge=sample.CHALLENGE, code_challenge_method="S256",
        authorization_details="[]"))  # fmt: skip
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


async def test_307_the_login_and_the_decision_answer_with_303_so_that_no_form_is_sent_on(house: Household) -> None:
    asking = await pool(house)
    page = await asking.open(await asking.push(CARD, **ORDINARY))
    assert (await asking.press(page, "deny")).status_code == 303
    assert (await log_in(house.http, "an", house.codes[1], next="/me/log")).status_code == 303
    assert (await log_in(house.http, "an", "niet de goede zin")).status_code == 303


# ------------------------------------------------------------ forged and framed decisions (RFC 9700 4.7, 4.16)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"sec-fetch-site": "cross-site"}, None),
        ({"origin": EVIL}, None),
        ({"origin": "null"}, None),
        ({"sec-fetch-site": "same-origin"}, "x"),
        ({"sec-fetch-site": "same-origin"}, ""),
    ],
)
async def test_csrf_on_the_consent_post_decides_nothing(
    house: Household, headers: dict[str, str], token: str | None
) -> None:
    asking = await pool(house)
    page = await asking.open(await asking.push(CARD, **ORDINARY))
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    for decision in ("allow", "deny"):
        fields = hidden | {"decision": decision} | ({} if token is None else {"csrf": token})
        forged = await house.http.post("/oauth/authorize", data=fields,
                                       headers=headers | {"cookie": f"kluis={house.cookie}"})  # fmt: skip
        assert forged.status_code == 403
    assert grants.listing(house.vault, house.session.pod) == []
    assert (await asking.press(page, "allow")).status_code == 303, "the request still waits for her own answer"


async def test_clickjacking_the_consent_page_can_be_framed_by_nobody(house: Household) -> None:
    asking = await pool(house)
    page = await asking.open(await asking.push(CARD, **ORDINARY))
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["cross-origin-opener-policy"] == "same-origin"


async def test_referrer_leak_neither_the_request_nor_the_code_is_told_to_anybody(house: Household) -> None:
    asking = await pool(house)
    page = await asking.open(await asking.push(CARD, **ORDINARY))
    pressed = await asking.press(page, "allow")
    for answer in (page, pressed, await house.http.get("/login")):
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r'(?:src|href)="(?:https?:)?//(?!localhost:8400)', page.text)


# ------------------------------------------------------------ PKCE and codes (RFC 9700 4.5, 4.8)


@pytest.mark.parametrize(
    ("changes", "drop"),
    [
        ({}, "code_challenge"),
        ({"code_challenge_method": "plain"}, ""),
        ({}, "code_challenge_method"),
        ({"code_challenge": ""}, ""),
    ],
)
async def test_pkce_downgrade_a_request_without_s256_is_not_taken(
    house: Household, changes: dict[str, str], drop: str
) -> None:
    asking = await pool(house)
    form = asking.own(response_type="code", redirect_uri=sample.RETURN, code_challenge=sample.CHALLENGE,
                      code_challenge_method="S256", authorization_details="[]") | changes  # fmt: skip
    pushed = await house.http.post("/oauth/par", data=sample.without(form, drop),
                                   headers={"dpop": house.proof("POST", "/oauth/par")})  # fmt: skip
    assert (pushed.status_code, pushed.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("verifier", [None, "", "b" * 43, sample.CHALLENGE])
async def test_pkce_downgrade_a_code_without_its_verifier_is_worth_nothing(
    house: Household, verifier: str | None
) -> None:
    asking = await pool(house)
    pressed = await asking.press(await asking.open(await asking.push(CARD, **ORDINARY)))
    answer = await redeemed(house, asking, pressed, code_verifier=verifier)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_code_injection_a_code_of_one_app_is_worth_nothing_to_another(house: Household) -> None:
    asking = await pool(house)
    other = replace(POOL, client_id="andere", name="Andere")
    await clients.register(house.vault, other, house.clock())
    pressed = await asking.press(await asking.open(await asking.push(CARD, **ORDINARY)))
    answer = await redeemed(house, Pool(house, other), pressed)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert house.told()[-1]["rule"] == "other client"


async def test_code_injection_a_code_under_another_key_is_worth_nothing(house: Household) -> None:
    asking = await pool(house)
    pressed = await asking.press(await asking.open(await asking.push(CARD, **ORDINARY)))
    thief = {"dpop": house.proof("POST", "/oauth/token", key=sample.new_es256())}
    answer = await redeemed(house, asking, pressed, headers=thief)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert house.told()[-1]["rule"] == "other key"


async def test_code_injection_a_code_shown_twice_ends_what_the_first_one_gave(house: Household) -> None:
    asking = await pool(house)
    pressed = await asking.press(await asking.open(await asking.push(CARD, **ORDINARY)))
    token = (await redeemed(house, asking, pressed)).json()
    again = await redeemed(house, asking, pressed)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    dead = await house.call("GET", "/api/records?category=kluis:Card", token["access_token"])
    assert dead.status_code == 401


async def redeemed(
    house: Household, asking: Pool, pressed: httpx.Response, headers: dict[str, str] | None = None,
    **changes: str | None,
) -> httpx.Response:  # fmt: skip
    """The code of an answer at the token endpoint, as one app or another shows it."""
    code = parse_qs(urlsplit(pressed.headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": sample.RETURN,
            "code_verifier": sample.VERIFIER} | changes  # fmt: skip
    fields = asking.own(**{name: value for name, value in form.items() if value is not None})
    proof = headers or {"dpop": house.proof("POST", "/oauth/token")}
    return await house.http.post("/oauth/token", data=fields, headers=proof)


async def test_a_session_of_somebody_else_cannot_finish_a_request_that_another_browser_opened(
    house: Household,
) -> None:
    asking = await pool(house)
    pushed = await asking.push(CARD, **ORDINARY)
    page = await asking.open(pushed)
    assert (await log_in(house.http, "dpo", house.officer)).status_code == 303
    other = house.http.cookies["kluis"]
    house.http.cookies.clear()
    refused = await asking.open(pushed, other)
    assert refused.status_code == 303 and "error=access_denied" in refused.headers["location"]
    assert (await asking.press(page, "allow")).status_code == 303
    assert tariff.POOL.client_id == grants.listing(house.vault, house.session.pod)[0].terms.client
