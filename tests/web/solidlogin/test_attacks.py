"""Attacks on the login of Solid apps, one test per attack: an app that is not who it says, changes, or leads inward."""

import re
from typing import Any

import httpx
import orjson
import pytest

from consent import grants
from consent.accounts import passphrase
from consent.accounts.people import enroll
from consent.errors import OAuthError
from consent.oauth import front
from consent.oauth.documents import CONTEXT, read_document
from federation.fetch import Fetcher
from tests.federation.sink import reply, sink
from tests.federation.test_ssrf import SPELLED
from tests.proof import figure
from tests.web.solidlogin.app import BASE, SolidApp, answer, claims

pytestmark = pytest.mark.enable_socket
EVIL = "https://evil.example"


def refused(response: httpx.Response, code: str = "invalid_client") -> bool:
    """400 on a page of ours that names the code, and nobody is sent anywhere."""
    return response.status_code == 400 and code in response.text and "location" not in response.headers


# ---------------------------------------------------------------- C1: app impersonation by its document

IMPERSONATIONS: dict[str, dict[str, Any]] = {
    "about another client": {"client_id": "https://bank.example/id.jsonld"},
    "returns to another site": {"redirect_uris": [EVIL + "/back"]},
    "one of many returns to another site": {"redirect_uris": ["{back}", EVIL + "/back"]},
    "returns to another port": {"redirect_uris": ["http://localhost:1/back"]},
    "returns to an address in an address": {"redirect_uris": ["http://{back}"]},
    "leaves to another site": {"post_logout_redirect_uris": [EVIL]},
    "relative logo": {"logo_uri": "/logo.svg"},
    "logo in a script": {"logo_uri": "javascript:alert(1)"},
    "no address to return to": {"redirect_uris": None},
    "fragment": {"redirect_uris": ["{back}#x"]},
    "no context": {"@context": None},
    "another context": {"@context": "https://evil.example/context"},
    "keeps a secret": {"token_endpoint_auth_method": "client_secret_basic"},
    "no codes": {"grant_types": ["implicit"]},
    "implicit": {"response_types": ["token"]},
    "name is no text": {"client_name": ["Bank"]},
    "name without letters": {"client_name": "\u202e\u200b"},
    "too many addresses": {"redirect_uris": ["{back}"] * 17},
}


@pytest.mark.parametrize("attack", IMPERSONATIONS)
async def test_app_impersonation_by_its_document_is_refused(app: SolidApp, attack: str) -> None:
    filled = orjson.loads(orjson.dumps(IMPERSONATIONS[attack]).decode().replace("{back}", app.back))
    app.describe(**filled)
    assert refused(await app.ask())


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a":' * 40 + b"1" + b"}" * 40, b"\xff", b'"x"'])
async def test_a_document_that_is_no_plain_json_object_is_refused(app: SolidApp, body: bytes) -> None:
    app.site.answer = lambda _: reply(body, Content_Type="application/ld+json")
    assert refused(await app.ask())


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "text/plain"])
async def test_a_page_or_picture_at_the_client_id_is_no_document(app: SolidApp, kind: str) -> None:
    app.site.answer = lambda _: reply(orjson.dumps(app.document), Content_Type=kind)
    assert refused(await app.ask())


async def test_an_open_redirect_on_an_apps_site_speaks_for_nobody(app: SolidApp) -> None:
    lured = app.site.origin + "/go?to=evil"
    said = {"@context": CONTEXT, "client_id": lured, "client_name": "Bank", "redirect_uris": [app.back]}
    async with sink(lambda _: reply(orjson.dumps(said), Content_Type="application/ld+json")) as evil:
        app.site.answer = lambda _: reply(status="302 Found", Location=evil.origin + "/id.jsonld")
        assert refused(await app.ask(client_id=lured))


async def test_the_page_shows_the_apps_own_site_and_that_nobody_checked_it(app: SolidApp) -> None:
    app.describe(client_name="Stad Antwerpen")
    page = await app.ask()
    assert "Niet nagekeken door de stad" in page.text
    assert "Stad Antwerpen, van localhost" in page.text
    assert f"form-action 'self' {app.site.origin};" in page.headers["content-security-policy"]
    assert "<img" not in page.text


async def test_in_production_a_document_on_this_machine_or_without_https_is_refused() -> None:
    said = {"@context": CONTEXT}
    for place in ("http://localhost:3000", "http://127.0.0.1", "http://app.example"):
        url = place + "/id.jsonld"
        body = orjson.dumps(said | {"client_id": url, "redirect_uris": [place + "/back"]})
        with pytest.raises(OAuthError, match="https"):
            read_document(url, body, development=False)


# ---------------------------------------------------------------- C2: the document is swapped after consent


@pytest.mark.parametrize("change", [{"client_name": "Bank"}, {"redirect_uris": ["{back}", "{back}/2"]}])
async def test_doc_swapped_after_consent_the_refresh_is_invalid_grant_and_she_is_asked_again(
    app: SolidApp, change: dict[str, Any]
) -> None:
    got = await app.allowed()
    app.describe(**orjson.loads(orjson.dumps(change).decode().replace("{back}", app.back)))
    app.house.clock.forward(minutes=6)
    again = await app.refresh(got["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert app.house.told()[-1]["rule"] == "client changed"
    assert answer(await app.ask(prompt="none"))["error"] == "consent_required"
    assert (await app.ask(prompt=None)).status_code == 200


async def test_doc_swapped_between_the_page_and_the_code_the_code_gives_nothing(app: SolidApp) -> None:
    said = answer(await app.press(await app.ask()))
    app.describe(client_name="Bank")
    app.house.clock.forward(seconds=59)
    vars(app.house.house).pop("fetcher")  # as if the copy we had of it were too old
    assert (await app.redeem(said["code"])).json()["error"] == "invalid_grant"


async def test_a_document_that_changed_in_nothing_she_saw_changes_nothing(app: SolidApp) -> None:
    got = await app.allowed()
    app.describe(contacts=["mailto:x@example.org"])
    app.house.clock.forward(minutes=6)
    assert (await app.refresh(got["refresh_token"])).status_code == 200


async def test_an_app_whose_site_is_away_goes_on_for_an_hour_and_is_then_told_to_wait(app: SolidApp) -> None:
    got = await app.allowed()
    app.site.answer = lambda _: reply(status="500 Away")
    app.house.clock.forward(minutes=30)
    assert (await app.refresh(got["refresh_token"])).status_code == 200
    app.house.clock.forward(minutes=40)
    late = await app.refresh(got["refresh_token"])
    assert (late.status_code, late.json()["error"]) == (503, "temporarily_unavailable")


# ---------------------------------------------------------------- C3: SSRF by client id, logo, keys


async def test_ssrf_by_client_id_makes_no_connection_to_an_inner_address(app: SolidApp) -> None:
    house = app.house.house
    async with sink() as inner:
        vars(house)["fetcher"] = Fetcher(ports=frozenset({443, inner.port}))  # as in production: no loopback
        for spelled in SPELLED:
            url = spelled.format(port=inner.port)
            if url.startswith(("http:", "https:")):
                assert refused(await app.ask(client_id=url)), spelled
            elif url:
                assert refused(await app.ask(client_id=url), "invalid_request"), spelled
        assert inner.connections == 0


async def test_ssrf_by_client_id_tells_nobody_which_inner_names_there_are(app: SolidApp) -> None:
    vars(app.house.house)["fetcher"] = Fetcher()
    headers, said = {"accept": "application/json"}, set()
    for host in ("localhost", "no-such-name.invalid", "169.254.169.254"):
        query = app.params(client_id=f"https://{host}/id.jsonld")
        answered = await app.house.http.get("/oauth/authorize", params=query, headers=headers)
        said.add((answered.status_code, answered.text))
    assert len(said) == 1


async def test_o52_no_attack_on_the_login_gets_an_app_a_code_or_a_connection(app: SolidApp) -> None:
    won, tried, house = [], 0, app.house.house
    own = vars(house).setdefault("fetcher", house.fetcher)
    async with sink() as inner:
        vars(house)["fetcher"] = Fetcher(ports=frozenset({443, inner.port}))
        for spelled in filter(None, SPELLED):
            await app.ask(client_id=spelled.format(port=inner.port))
            won, tried = won + ["connection"] * inner.connections, tried + 1
    vars(house)["fetcher"] = own
    for name, changes in PAGE.items():
        filled = {one: value and value.replace("{back}", app.back) for one, value in changes.items()}
        won, tried = won + [name] * (not refused(await app.ask(**filled), "invalid_request")), tried + 1
    for name, (asked, code) in BACK.items():
        won, tried = won + [name] * (answer(await app.ask(**asked)).get("error") != code), tried + 1
    for name, said in IMPERSONATIONS.items():
        app.describe(**orjson.loads(orjson.dumps(said).decode().replace("{back}", app.back)))
        app.house.clock.forward(seconds=61)  # the copy that we had is too old to ask anybody by
        won, tried = won + [name] * (not refused(await app.ask())), tried + 1
    figure("O52", len(won), tried)
    assert won == []


async def test_ssrf_by_a_documents_other_addresses_nothing_of_it_is_fetched(app: SolidApp) -> None:
    async with sink() as inner:
        there = inner.origin + "/x"
        app.describe(logo_uri=there, jwks_uri=there, client_uri=there, policy_uri=there, tos_uri=there,
                     sector_identifier_uri=there, initiate_login_uri=there)  # fmt: skip
        await app.allowed()
        assert inner.connections == 0


async def test_a_flood_of_token_requests_makes_no_fetch(app: SolidApp) -> None:
    before = app.site.connections
    for form in ({"grant_type": "refresh_token", "refresh_token": "krt1_x.y"}, {"grant_type": "authorization_code"}):
        assert (await app.token(None, **form)).status_code in (400, 401)
    assert app.site.connections == before


async def test_a_document_without_end_costs_64_kib(app: SolidApp) -> None:
    app.site.answer = lambda _: reply(b" " * 70_000 + b"{}", Content_Type="application/json")
    assert refused(await app.ask())


# ---------------------------------------------------------------- C5: names that look alike

NAMES = {
    "homograph": ("st\u0430d Antwerpen", None),  # a Cyrillic letter among Latin ones
    "direction": ("Notities\u202e nekkeurteg", "Notities nekkeurteg"),
    "zero width": ("No\u200btities", "Notities"),
    "isolate": ("\u2066Notities\u2069", "Notities"),
    "markup": ("<b>Notities</b>", "&lt;b&gt;Notities&lt;/b&gt;"),
}


@pytest.mark.parametrize("attack", NAMES)
async def test_idn_homograph_and_direction_tricks_in_a_name_are_refused_or_shown_plainly(
    app: SolidApp, attack: str
) -> None:
    name, shown = NAMES[attack]
    app.describe(client_name=name)
    page = await app.ask()
    assert refused(page) if shown is None else f"<strong>{shown}</strong>" in page.text


def test_idn_homograph_in_a_host_is_refused_or_shown_in_ascii() -> None:
    url = "https://st\u0430d.example/id.jsonld"
    with pytest.raises(OAuthError):
        read_document(url, b"{}", development=False)
    spelled = "https://xn--std-7cd.example/id.jsonld"
    said = {"@context": CONTEXT, "client_id": spelled, "redirect_uris": ["https://xn--std-7cd.example/back"]}
    client = read_document(spelled, orjson.dumps(said), development=False)
    assert (client.name, client.controller) == ("xn--std-7cd.example", "https://xn--std-7cd.example/")


# ---------------------------------------------------------------- A: front-channel parameters

PAGE = {
    "unregistered redirect": {"redirect_uri": EVIL},
    "no redirect": {"redirect_uri": None},
    "redirect with more behind it": {"redirect_uri": "{back}/x"},
    "no client": {"client_id": None},
    "a client that must push": {"client_id": "cultuurgids"},
    "a client nobody knows": {"client_id": "nobody"},
}


@pytest.mark.parametrize("attack", PAGE)
async def test_a_front_channel_request_that_names_no_app_and_address_stays_on_our_page(
    app: SolidApp, attack: str
) -> None:
    changes = {name: value and value.replace("{back}", app.back) for name, value in PAGE[attack].items()}
    assert refused(await app.ask(**changes), "invalid_request")


BACK = {
    "no pkce": ({"code_challenge": None}, "invalid_request"),
    "plain pkce": ({"code_challenge_method": "plain"}, "invalid_request"),
    "unnamed pkce": ({"code_challenge_method": None}, "invalid_request"),
    "short challenge": ({"code_challenge": "x"}, "invalid_request"),
    "token": ({"response_type": "token"}, "unsupported_response_type"),
    "hybrid": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "no response type": ({"response_type": None}, "unsupported_response_type"),
    "fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "request object": ({"request": "x.y.z"}, "request_not_supported"),
    "registration": ({"registration": "{}"}, "registration_not_supported"),
    "rich request": ({"authorization_details": "[]"}, "invalid_request"),
    "more scope": ({"scope": "openid webid email"}, "invalid_scope"),
    "less scope": ({"scope": "openid"}, "invalid_scope"),
    "no scope": ({"scope": None}, "invalid_scope"),
    "other resource": ({"resource": "https://other.example/"}, "invalid_target"),
    "odd prompt": ({"prompt": "create"}, "invalid_request"),
    "odd age": ({"max_age": "-1"}, "invalid_request"),
    "huge age": ({"max_age": "9" * 5000}, "invalid_request"),
}


@pytest.mark.parametrize("attack", BACK)
async def test_a_front_channel_request_for_more_than_a_login_is_refused_to_the_app(app: SolidApp, attack: str) -> None:
    changes, code = BACK[attack]
    said = answer(await app.ask(**changes))
    assert (said["error"], said["state"], said["iss"], said["to"]) == (code, "s", BASE, app.back)


@pytest.mark.parametrize("attack", BACK)
async def test_open_redirect_by_a_faulty_request_leads_a_stranger_nowhere(app: SolidApp, attack: str) -> None:
    changes, code = BACK[attack]
    assert refused(await app.ask(cookie="", **changes), code)


async def test_a_parameter_that_comes_twice_stays_on_our_page(app: SolidApp) -> None:
    query = httpx.QueryParams(app.params()).add("redirect_uri", EVIL)
    page = await app.house.http.get("/oauth/authorize", params=query, headers={"accept": "text/html"})
    assert refused(page, "invalid_request")


async def test_another_sites_post_and_another_sessions_request_give_nothing(app: SolidApp) -> None:
    page = await app.ask()
    hidden: dict[str, Any] = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
    cookie = {"cookie": f"kluis={app.house.cookie}", "accept": "text/html"}
    for changes, headers in (
        ({}, {"sec-fetch-site": "cross-site"}),
        ({"csrf": "x"}, {"sec-fetch-site": "same-origin"}),
    ):
        sent = await app.house.http.post(
            "/oauth/authorize", data=hidden | {"decision": "allow"} | changes, headers=cookie | headers
        )
        assert sent.status_code == 403
    vault, clock = app.house.vault, app.house.clock
    bo = await enroll(vault, "bo", "Bo", "citizen", "bo", None, clock())
    opened = await passphrase.login(vault, "bo", bo.codes[0], clock())
    assert opened is not None
    his = {"cookie": f"kluis={opened[0]}", "accept": "text/html", "sec-fetch-site": "same-origin"}
    form = hidden | {"csrf": opened[1].csrf, "decision": "allow"}
    assert refused(await app.house.http.post("/oauth/authorize", data=form, headers=his), "invalid_request_uri")
    assert grants.listing(vault, app.house.session.pod) == grants.listing(vault, opened[1].pod) == []


async def test_cross_pod_a_login_at_one_pod_opens_no_other(app: SolidApp) -> None:
    await enroll(app.house.vault, "bo", "Bo", "citizen", "bo", None, app.house.clock())
    near = await app.allowed(["/"], ["read", "write", "control"])
    assert (await app.call("GET", "/pods/bo/public/", near["access_token"])).status_code == 403
    far = await app.allowed([], [], elsewhere="yes")
    assert (await app.call("GET", "/pods/bo/public/", far["access_token"])).status_code == 200
    assert (await app.call("GET", "/pods/bo/settings/", far["access_token"])).status_code == 403
    assert (await app.call("GET", "/pods/an/settings/", far["access_token"])).status_code == 403


async def test_a_proof_may_lack_the_hash_of_its_token_but_not_show_a_wrong_one(app: SolidApp) -> None:
    got = await app.allowed()
    token, path = got["access_token"], "/pods/an/public/"
    for ath, status in ((None, 200), ("x", 401)):
        shown = {"authorization": f"DPoP {token}", "dpop": app.house.proof("GET", path, token, key=app.key, ath=ath)}
        assert (await app.house.http.get(path, headers=shown)).status_code == status
    other = {"authorization": f"DPoP {token}", "dpop": app.house.proof("GET", path, token, ath=None)}
    assert (await app.house.http.get(path, headers=other)).status_code == 401


async def test_an_id_token_opens_nothing_and_an_access_token_is_no_hint(app: SolidApp) -> None:
    got = await app.allowed()
    assert (await app.call("GET", "/pods/an/public/", got["id_token"])).status_code == 401
    assert answer(await app.ask(prompt="none", id_token_hint=got["access_token"]))["error"] == "invalid_request"
    assert claims(got["id_token"])["aud"] == [app.client_id, "solid"]
    assert {"openid", "webid", "offline_access"} == front.SCOPES


async def test_no_app_has_the_vault_itself_as_its_site(app: SolidApp) -> None:
    """Whoever keeps a page in a pod here would else ask under the vault's own address."""
    back = BASE + "/pods/an/public/back"
    wish = {"redirect_uris": [back], "client_name": "Kluis"}
    made = (await app.house.http.post("/oauth/register", json=wish)).json()
    asked = await app.ask(client_id=made["client_id"], redirect_uri=back)
    assert asked.status_code == 400 and "decision" not in asked.text
