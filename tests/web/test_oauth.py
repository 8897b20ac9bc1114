"""The whole conversation of an app, a browser and a citizen over HTTP."""

import re
from collections.abc import AsyncIterator
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from fastapi import FastAPI

from consent import clients, gate, solid
from consent.accounts import people, sessions
from consent.accounts.people import Enrolled, Newcomer, enroll, found_office
from consent.oauth.clients import ASSERTION_TYPE
from keys.text import b64
from tests.conftest import BASE, Clock
from tests.consent import sample
from vault import store
from vault.vault import Vault
from web import problems
from web.routes import access, accounts, consents, data, oauth, registration

SAME = {"sec-fetch-site": "same-origin"}
HTML = {"accept": "text/html"}


class App:
    """A well-behaved app with one key pair and one DPoP key."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock) -> None:
        self.http, self.clock, self.number = http, clock, 0

    def proof(self, path: str, method: str = "POST", **more: Any) -> dict[str, str]:
        self.number += 1
        at = int(self.clock().timestamp())
        claims = {"jti": f"p{self.number}", "htm": method, "htu": BASE + path, "iat": at, **more}
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": sample.public(sample.PROOF_KEY)}
        return {"dpop": sample.compact(header, claims, sample.PROOF_KEY)}

    def own(self, **form: str) -> dict[str, str]:
        self.number += 1
        at = int(self.clock().timestamp())
        assertion = sample.assertion(jti=f"a{self.number}", iat=at, exp=at + 60)
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion, **form}

    async def push(self, drop: str = "", proof: bool = True, **changes: Any) -> httpx.Response:
        form = self.own(
            response_type="code",
            redirect_uri=sample.RETURN,
            code_challenge=sample.CHALLENGE,
            code_challenge_method="S256",
            state="x" * 300,
            authorization_details=orjson.dumps([sample.detail()]).decode(),
        )
        form = sample.without({**form, **changes}, drop)
        return await self.http.post("/oauth/par", data=form, headers=self.proof("/oauth/par") if proof else {})

    async def redeem(self, code: str, **changes: str) -> httpx.Response:
        form = self.own(grant_type="authorization_code", code=code, redirect_uri=sample.RETURN,
                        code_verifier=sample.VERIFIER)  # fmt: skip
        return await self.http.post("/oauth/token", data={**form, **changes}, headers=self.proof("/oauth/token"))


class Browser:
    """An's browser; `page` is the last consent page."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def log_in(self, user: str, secret: str) -> None:
        token = re.search(r'name="csrf" value="([^"]+)"', (await self.http.get("/login")).text)
        assert token is not None
        fields = {"user": user, "passphrase": secret, "csrf": token[1]}
        assert (await self.http.post("/login", data=fields, headers=SAME)).status_code == 303

    async def open(self, pushed: httpx.Response) -> httpx.Response:
        query = {"client_id": "cultuurgids", "request_uri": pushed.json()["request_uri"]}
        return await self.http.get("/oauth/authorize", params=query, headers=HTML)

    async def press(
        self, page: httpx.Response, decision: str, data: tuple[str, ...] = (), **more: str
    ) -> httpx.Response:
        hidden: dict[str, Any] = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
        fields = hidden | {"decision": decision, "data": list(data)} | more
        return await self.http.post("/oauth/authorize", data=fields, headers=SAME | HTML)


@pytest.fixture
async def an(vault: Vault, clock: Clock) -> Enrolled:
    clock.now = sample.NOW
    await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    made = await enroll(vault, "an", "An Peeters", "citizen", "an", None, clock(), demo=True)
    await clients.register(vault, sample.APP, clock())
    return made


@pytest.fixture
def house(vault: Vault, clock: Clock, tmp_path: Any) -> FastAPI:
    made = FastAPI()
    settings = SimpleNamespace(data=tmp_path)
    outgoing = SimpleNamespace(tries=lambda _: 0)
    made.state.house = SimpleNamespace(vault=vault, clock=clock, base=BASE, settings=settings, outgoing=outgoing)
    for module in (access, accounts, consents, data, oauth, registration):
        made.include_router(module.router)
    problems.install(made)
    return made


@pytest.fixture
async def app(house: FastAPI, an: Enrolled, clock: Clock) -> AsyncIterator[App]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url=BASE) as http:
        yield App(http, clock)


@pytest.fixture
async def stranger(house: FastAPI, an: Enrolled) -> AsyncIterator[Browser]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url=BASE) as http:
        yield Browser(http)


@pytest.fixture
async def browser(stranger: Browser, an: Enrolled, vault: Vault, clock: Clock) -> Browser:
    await stranger.log_in("an", an.codes[0])
    cookie = stranger.http.cookies["kluis"]
    session = sessions.find(vault, cookie, clock())
    assert session is not None
    for path, record in (
        ("/interests/a.jsonld", {"@type": "pd:Interest", "schema:about": ["jazz"], "schema:name": "geheim"}),
        ("/person/a.jsonld", {"@type": "pd:PostalCode", "schema:postalCode": "2018"}),
    ):
        permit, _ = gate.own(session, path.split("/")[1], "write", path)
        await store.write(vault, permit, path, "application/ld+json", orjson.dumps(record), clock())
    return stranger


def answer(response: httpx.Response) -> dict[str, str]:
    """What the app finds in its redirect."""
    assert response.status_code == 303, response.text
    assert response.headers["location"].startswith(sample.RETURN + "?")
    return {name: value[0] for name, value in parse_qs(urlsplit(response.headers["location"]).query).items()}


async def test_an_app_asks_an_allows_and_the_app_gets_what_she_allowed(app: App, browser: Browser) -> None:
    pushed = await app.push()
    assert (pushed.status_code, pushed.headers["cache-control"]) == (201, "no-store")
    page = await browser.open(pushed)
    assert page.status_code == 200
    assert all(
        word in page.text for word in ("Cultuurgids", "jazz", "Activiteiten voorstellen", 'id="allow"', 'id="deny"')
    )
    assert "geheim" not in page.text
    assert "2018" not in page.text
    assert "form-action 'self' http://127.0.0.1:8401" in page.headers["content-security-policy"]
    said = answer(await browser.press(page, "allow", ("pd:PostalCode#postal_district",), duration="P1M"))
    assert (said["state"], said["iss"]) == ("x" * 300, BASE)
    token = await app.redeem(said["code"])
    assert token.status_code == 200, token.text
    body = token.json()
    assert (body["token_type"], body["expires_in"]) == ("DPoP", 300)
    given = body["authorization_details"][0]
    assert [row["category"] for row in given["datatypes"]] == ["pd:Interest", "pd:PostalCode"]
    assert given["expires"].startswith("2026-12-21")


async def test_the_page_presses_nothing_for_her(app: App, browser: Browser) -> None:
    page = await browser.open(await app.push())
    assert "checked" not in page.text
    assert "autofocus" not in page.text
    again = await browser.press(page, "none")
    assert again.status_code == 200
    assert "nog niets beslist" in again.text
    said = answer(await browser.press(again, "allow"))
    body = (await app.redeem(said["code"])).json()
    assert [row["category"] for row in body["authorization_details"][0]["datatypes"]] == ["pd:Interest"]
    assert body["authorization_details"][0]["expires"].startswith("2026-11-28")


async def test_a_refusal_goes_back_with_iss_and_state_and_the_request_is_over(app: App, browser: Browser) -> None:
    pushed = await app.push()
    said = answer(await browser.press(await browser.open(pushed), "deny"))
    assert said == {"error": "access_denied", "state": "x" * 300, "iss": BASE}
    assert (await browser.open(pushed)).status_code == 400


async def test_who_is_not_logged_in_logs_in_first_and_finds_the_request_again(
    app: App, stranger: Browser, an: Enrolled, clock: Clock
) -> None:
    pushed = await app.push()
    sent = await stranger.open(pushed)
    assert sent.status_code == 303
    there = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]
    assert there.startswith("/oauth/authorize?")
    clock.forward(seconds=300)
    await stranger.log_in("an", an.codes[0])
    assert (await stranger.http.get(there, headers=HTML)).status_code == 200


async def test_a_request_belongs_to_the_session_that_opened_it_first(
    app: App, browser: Browser, house: FastAPI, an: Enrolled
) -> None:
    pushed = await app.push()
    page = await browser.open(pushed)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house), base_url=BASE) as http:
        other = Browser(http)
        await other.log_in("an", an.codes[0])
        assert (await other.open(pushed)).status_code == 400
        own = await other.open(await app.push())
        token = re.search(r'name="csrf" value="([^"]+)"', own.text)
        assert token is not None
        stolen = await other.press(page, "allow", csrf=token[1])
        assert stolen.status_code == 400


async def test_a_request_for_the_pod_of_somebody_else_is_denied(app: App, browser: Browser) -> None:
    detail = sample.detail(locations=[f"{BASE}/pods/youssef/"])
    pushed = await app.push(authorization_details=orjson.dumps([detail]).decode())
    assert answer(await browser.open(pushed))["error"] == "access_denied"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "client_id=cultuurgids&request_uri=urn:ietf:params:oauth:request_uri:AAAAAAAAAAAAAAAAAAAAAA",
        "client_id=nobody&request_uri=urn:ietf:params:oauth:request_uri:AAAAAAAAAAAAAAAAAAAAAA",
        "client_id=cultuurgids&response_type=code&redirect_uri=https://evil.example/",
        "client_id=cultuurgids&client_id=x&request_uri=y",
        "client_id=cultuurgids&request_uri=urn:ietf:params:oauth:request_uri:AAAAAAAAAAAAAAAAAAAAAB",
    ],
)
async def test_a_request_we_do_not_know_ends_on_our_own_page(browser: Browser, query: str) -> None:
    page = await browser.http.get(f"/oauth/authorize?{query}", headers=HTML)
    assert page.status_code == 400
    assert "location" not in page.headers
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"drop": "code_challenge"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"request_uri": "urn:x"}, "invalid_request"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"proof": False}, "invalid_dpop_proof"),
        ({"client_assertion": "x.y.z"}, "invalid_client"),
    ],
)
async def test_a_faulty_push_is_refused(app: App, changes: dict[str, Any], code: str) -> None:
    refused = await app.push(**changes)
    assert refused.json()["error"] == code
    assert refused.status_code == (401 if code == "invalid_client" else 400)


async def test_a_form_without_its_token_or_from_another_site_decides_nothing(app: App, browser: Browser) -> None:
    page = await browser.open(await app.push())
    assert (await browser.press(page, "allow", csrf="x")).status_code == 403
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
    crossed = await browser.http.post(
        "/oauth/authorize", data=hidden | {"decision": "allow"}, headers={"sec-fetch-site": "cross-site"}
    )
    assert crossed.status_code == 403
    assert (await browser.http.get("/api/grants")).json() == {"grants": []}


async def test_a_row_that_was_never_asked_for_is_not_given(app: App, browser: Browser) -> None:
    page = await browser.open(await app.push())
    assert (await browser.press(page, "allow", ("kluis:Card",))).status_code == 400
    assert (await browser.press(page, "allow", duration="P1Y")).status_code == 400


async def test_a_withdrawal_over_http_leaves_zero_keys_and_shows_it(app: App, browser: Browser) -> None:
    said = answer(await browser.press(await browser.open(await app.push()), "allow"))
    token = (await app.redeem(said["code"])).json()
    grant = (await browser.http.get("/api/grants")).json()["grants"][0]
    assert (grant["id"], grant["state"], grant["keys"] > 0) == (token["grant_id"], "live", True)
    page = await browser.http.get("/me/access", headers=HTML)
    assert f'id="withdraw-{grant["id"]}"' in page.text
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert csrf is not None
    refused = await browser.http.post(f"/api/grants/{grant['id']}/withdraw", headers=SAME)
    assert refused.status_code == 403
    done = await browser.http.post(f"/me/access/{grant['id']}/withdraw", data={"csrf": csrf[1]}, headers=SAME)
    assert done.status_code == 303
    assert "Cultuurgids" in (await browser.http.get(done.headers["location"], headers=HTML)).text
    after = (await browser.http.get(f"/api/grants/{grant['id']}")).json()
    assert (after["state"], after["keys"]) == ("withdrawn", 0)
    assert [step["state"] for step in after["events"]] == ["requested", "shown", "given", "withdrawn"]
    again = await app.http.post(
        "/oauth/token",
        data=app.own(grant_type="refresh_token", refresh_token=token["refresh_token"]),
        headers=app.proof("/oauth/token"),
    )
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


async def test_pages_and_receipts_of_a_citizen(app: App, browser: Browser) -> None:
    answer(await browser.press(await browser.open(await app.push()), "allow"))
    for path in ("/me", "/me/access", "/me/data"):
        page = await browser.http.get(path, headers=HTML)
        assert page.status_code == 200, page.text
    kept = (await browser.http.get("/api/receipts")).json()["receipts"]
    assert len(kept) == 1
    saved = await browser.http.get(f"/api/receipts/{kept[0]['id']}")
    assert saved.text == kept[0]["receipt"]
    shown = await browser.http.get(f"/me/receipts/{kept[0]['id']}", headers=HTML)
    assert "Je interesses" in shown.text
    assert (await browser.http.get("/api/receipts/AAAAAAAAAAAAAAAAAAAAAA")).status_code == 404
    assert (await app.http.get("/api/grants")).status_code == 401


async def test_a_token_is_introspected_and_revoked_by_its_own_app_only(app: App, browser: Browser) -> None:
    said = answer(await browser.press(await browser.open(await app.push()), "allow"))
    token = (await app.redeem(said["code"])).json()
    path = f"/oauth/grants/{token['grant_id']}"
    ath = solid_hash(token["access_token"])
    shown = {"authorization": f"DPoP {token['access_token']}"}
    grant = await app.http.get(path, headers=app.proof(path, "GET", ath=ath) | shown)
    assert (grant.status_code, grant.json()["state"]) == (200, "live")
    other = "/oauth/grants/AAAAAAAAAAAAAAAAAAAAAA"
    assert (await app.http.get(other, headers=app.proof(other, "GET", ath=ath) | shown)).status_code == 404
    told = await app.http.post("/oauth/introspect", data=app.own(token=token["access_token"]))
    assert told.json()["active"] is True
    assert (await app.http.post("/oauth/introspect", data={"token": token["access_token"]})).status_code == 401
    assert (await app.http.post("/oauth/revoke", data=app.own(token="unknown"))).status_code == 200
    assert (await app.http.delete(path, headers=app.proof(path, "DELETE", ath=ath) | shown)).status_code == 204
    gone = await app.http.get(path, headers=app.proof(path, "GET", ath=ath) | shown)
    assert (gone.status_code, gone.json()["error"]) == (401, "invalid_token")
    told = await app.http.post("/oauth/introspect", data=app.own(token=token["access_token"]))
    assert told.json() == {"active": False}


def solid_hash(token: str) -> str:
    return b64(sha256(token.encode()).digest())


async def test_client_credentials_of_a_person_give_a_bound_jwt(app: App, vault: Vault, clock: Clock) -> None:
    pod, account = vault.pod("an"), people.find(vault, "an")
    assert pod is not None
    assert account is not None
    made = await solid.credentials(vault, pod, account.webid, "Laptop", clock())
    basic = httpx.BasicAuth(made.client_id, made.client_secret)
    form = {"grant_type": "client_credentials", "scope": "webid"}
    done = await app.http.post("/oauth/token", data=form, headers=app.proof("/oauth/token"), auth=basic)
    assert done.status_code == 200, done.text
    assert done.json()["scope"] == "webid"
    wrong = httpx.BasicAuth(made.client_id, "wrong")
    refused = await app.http.post("/oauth/token", data=form, headers=app.proof("/oauth/token"), auth=wrong)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic")
    assert (await app.http.post("/oauth/token", data=form, auth=basic)).status_code == 400


async def test_a_development_client_registers_itself_in_a_demo(app: App) -> None:
    metadata = {
        "client_name": "Proefapp",
        "controller": "https://proef.example/",
        "redirect_uris": ["http://127.0.0.1:9999/back"],
        "jwks": {"keys": [sample.public(sample.APP_KEY)]},
        "purposes": [
            {
                "code": "dpv:ProvideEventRecommendations",
                "text": {"nl": "Iets voorstellen."},
                "categories": ["pd:Interest"],
            }
        ],
    }
    done = await app.http.post("/oauth/register", json=metadata)
    assert done.status_code == 201, done.text
    assert done.json()["purposes"][0]["version"] == "2026-11-21"
    for bad in (
        {},
        metadata | {"redirect_uris": ["https://evil.example/#x"]},
        metadata | {"client_name": "\u202ekwaad" * 40},
    ):
        refused = await app.http.post("/oauth/register", json=bad)
        assert refused.status_code == 400
    assert (await app.http.post("/oauth/register", content=b"{")).status_code == 400


async def test_the_documents_name_this_server_and_its_key(app: App) -> None:
    for name in ("oauth-authorization-server", "openid-configuration"):
        told = (await app.http.get(f"/.well-known/{name}")).json()
        assert told["issuer"] == BASE
    assert (await app.http.get("/.well-known/oauth-protected-resource")).json()["resource"] == BASE
    key = (await app.http.get("/oauth/jwks")).json()["keys"][0]
    assert "d" not in key


@pytest.mark.parametrize("body", [b"\xff=x", b"a=1&a=2", b"grant_type=password", b"", b"&&&", b"x" * 70_000])
async def test_a_malformed_token_request_is_never_a_server_error(app: App, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"} | app.proof("/oauth/token")
    refused = await app.http.post("/oauth/token", content=body, headers=headers)
    assert 400 <= refused.status_code < 500
