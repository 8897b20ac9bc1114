"""Login of a plain Solid app: what An ticks is what it gets, in her pod and nowhere else, until she takes it back."""

import html
import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from consent import grants, narrowing
from keys.sign import new_es256
from keys.text import b64, unb64
from tests.web.solidlogin.app import BASE, SolidApp, answer, claims

pytestmark = pytest.mark.enable_socket
ANN = f"{BASE}/pods/an/profile/card#me"


async def put(app: SolidApp, path: str, token: str, body: bytes = b"x") -> int:
    done = await app.call("PUT", path, token, body, **{"content-type": "text/plain"})
    return done.status_code


async def test_the_app_gets_what_she_ticked_and_nothing_else(app: SolidApp) -> None:
    page = await app.ask()
    assert page.status_code == 200, page.text
    assert "Notities" in page.text
    assert all(f'id="{one}"' in page.text for one in ("allow", "deny"))
    said = answer(await app.press(page, "allow", ["/public/"], ["read", "write"]))
    assert (said["to"], said["state"], said["iss"]) == (app.back, "s", BASE)
    got = (await app.redeem(said["code"])).json()
    assert (got["token_type"], got["expires_in"]) == ("DPoP", 300)
    token = got["access_token"]
    assert await put(app, "/pods/an/public/a.txt", token) == 201
    assert (await app.call("GET", "/pods/an/public/a.txt", token)).text == "x"
    assert await put(app, "/pods/an/inbox/a.txt", token) == 403
    assert (await app.call("GET", "/pods/an/settings/", token)).status_code == 403
    assert (await app.call("GET", "/pods/an/interests/a.jsonld", token)).status_code == 403


async def test_the_tokens_say_who_for_which_app_and_which_key(app: SolidApp) -> None:
    got = await app.allowed()
    access, login = claims(got["access_token"]), claims(got["id_token"])
    assert (access["webid"], access["client_id"], access["iss"], access["aud"]) == (ANN, app.client_id, BASE, "solid")
    assert (login["webid"], login["sub"], login["azp"], login["nonce"]) == (ANN, ANN, app.client_id, "n")
    assert app.client_id in login["aud"]
    assert access["cnf"] == login["cnf"]
    assert access["exp"] - access["iat"] <= 300
    assert login["exp"] - login["iat"] <= 300
    assert access["grant_id"]
    assert login["auth_time"] == int(app.house.clock().timestamp())


async def test_withdrawal_bites_at_the_next_request_and_at_the_next_refresh(app: SolidApp) -> None:
    got = await app.allowed()
    assert (await app.call("GET", "/pods/an/public/", got["access_token"])).status_code == 200
    grant = claims(got["access_token"])["grant_id"]
    listed = await app.house.http.get("/me/access", headers={"cookie": f"kluis={app.house.cookie}"})
    assert f'id="withdraw-{grant}"' in listed.text
    assert "localhost" in listed.text
    assert (await app.house.press(f"/me/access/{grant}/withdraw")).status_code == 303
    assert (await app.call("GET", "/pods/an/public/", got["access_token"])).status_code == 401
    refused = await app.refresh(got["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


async def test_nothing_is_ticked_for_her_and_nothing_ticked_gives_her_name_alone(app: SolidApp) -> None:
    page = await app.ask()
    assert "checked" not in page.text
    assert "autofocus" not in page.text
    got = (await app.redeem(answer(await app.press(page, "allow"))["code"])).json()
    assert claims(got["id_token"])["webid"] == ANN
    assert (await app.call("GET", "/pods/an/settings/", got["access_token"])).status_code == 403
    assert await put(app, "/pods/an/public/a.txt", got["access_token"]) == 403
    terms = grants.listing(app.house.vault, app.house.session.pod)[0].terms
    assert (terms.containers, terms.modes, terms.elsewhere) == ((), (), False)
    assert terms.expires == int((app.house.clock() + timedelta(days=7)).timestamp() * 1000)


async def test_half_a_choice_and_enter_decide_nothing(app: SolidApp) -> None:
    page = await app.ask()
    for fields in ({"rooms": ["/public/"]}, {"modes": ["read"]}):
        again = await app.press(page, "allow", **fields)
        assert again.status_code == 200
        assert "nog niets beslist" in again.text
    assert "nog niets beslist" in (await app.press(page, "none")).text
    assert grants.listing(app.house.vault, app.house.session.pod) == []


async def test_what_was_not_on_the_page_cannot_be_given(app: SolidApp) -> None:
    page = await app.ask()
    for rooms, modes, more in (
        (["/interests/"], ["read"], {}),
        (["/public"], ["read"], {}),
        (["/public/"], ["own"], {}),
        (["/public/"], ["read"], {"duration": "P2Y"}),
    ):
        assert (await app.press(page, "allow", rooms, modes, **more)).status_code == 400
    assert grants.listing(app.house.vault, app.house.session.pod) == []


async def test_a_refusal_goes_back_and_the_request_is_over(app: SolidApp) -> None:
    page = await app.ask()
    assert answer(await app.press(page, "deny")) == {
        "error": "access_denied", "state": "s", "iss": BASE, "to": app.back}  # fmt: skip
    assert (await app.press(page, "allow")).status_code == 400
    assert (await app.ask()).status_code == 303  # the very same request: it was answered


JSON_LD = {"content-type": "application/ld+json"}


async def test_read_alone_writes_nothing_and_append_alone_reads_nothing(app: SolidApp) -> None:
    reader = (await app.allowed(["/settings/"], ["read"]))["access_token"]
    assert (await app.call("GET", "/pods/an/settings/", reader)).status_code == 200
    assert await put(app, "/pods/an/settings/a.txt", reader) == 403
    adder = (await app.allowed(["/inbox/"], ["append"]))["access_token"]
    assert (await app.call("GET", "/pods/an/inbox/", adder)).status_code == 403
    done = await app.call("POST", "/pods/an/inbox/", adder, b'{"urn:e:says": "x"}', **JSON_LD)
    assert done.status_code == 201


async def test_everything_managed_takes_in_what_is_made_later_and_nothing_sealed(app: SolidApp) -> None:
    token = (await app.allowed(["/"], ["read", "write"]))["access_token"]
    assert await put(app, "/pods/an/notes/a.txt", token) == 201
    assert (await app.call("GET", "/pods/an/loans/a.jsonld", token)).status_code == 403


async def test_a_new_choice_takes_the_place_of_the_old_one(app: SolidApp) -> None:
    first = await app.allowed(["/"], ["read", "write"])
    page = await app.ask(nonce="2")
    assert "komt in de plaats" in page.text
    second = (await app.redeem(answer(await app.press(page, "allow", ["/public/"], ["read"]))["code"])).json()
    assert (await app.call("GET", "/pods/an/public/", first["access_token"])).status_code == 401
    assert (await app.call("GET", "/pods/an/public/", second["access_token"])).status_code == 200
    assert (await app.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_new_choice_takes_the_place_of_what_she_froze_too(app: SolidApp) -> None:
    house = app.house
    old = unb64(claims((await app.allowed())["access_token"])["grant_id"])
    await narrowing.restrict(house.vault, house.session, old, house.clock(), on=True)
    assert answer(await app.ask(prompt="none", state="2"))["error"] == "consent_required"
    page = await app.ask(state="3")
    assert "Je gaf deze app al toegang" in page.text
    await app.press(page, "allow", ["/public/"], ["read"])
    assert not await narrowing.restrict(house.vault, house.session, old, house.clock(), on=False)
    found = {
        one.id == old: grants.state_at(one, house.clock()) for one in grants.listing(house.vault, house.session.pod)
    }
    assert found == {True: "withdrawn", False: "live"}


async def test_a_refresh_token_stays_is_bound_to_app_and_key_and_dies_after_a_fortnight_unused(app: SolidApp) -> None:
    got = await app.allowed(duration="P6M")
    app.house.clock.forward(days=13)
    more = await app.refresh(got["refresh_token"])
    assert more.status_code == 200
    assert "refresh_token" not in more.json()
    assert claims(more.json()["id_token"])["webid"] == ANN
    assert "nonce" not in claims(more.json()["id_token"])
    other_key = await app.refresh(got["refresh_token"], key=new_es256())
    other_app = await app.refresh(got["refresh_token"], client_id="https://other.example/id.jsonld")
    assert [one.json()["error"] for one in (other_key, other_app)] == ["invalid_grant"] * 2
    assert {line["rule"] for line in app.house.told() if line["type"] == "denial"} == {"other key", "other client"}
    app.house.clock.forward(days=14)
    assert (await app.refresh(got["refresh_token"])).json()["error"] == "invalid_grant"


async def test_without_offline_access_there_is_no_refresh_token(app: SolidApp) -> None:
    page = await app.ask(scope="openid webid")
    got = (await app.redeem(answer(await app.press(page))["code"])).json()
    assert "refresh_token" not in got
    assert got["scope"] == "openid webid"


async def test_an_app_that_said_it_stops_when_she_is_away_does_not_get_more_without_asking(app: SolidApp) -> None:
    page = await app.ask(scope="openid webid")
    assert "opnieuw bij jou melden" in page.text
    await app.press(page)
    assert answer(await app.ask(scope="openid webid", prompt="none", state="2"))["code"]
    assert answer(await app.ask(prompt="none", state="3"))["error"] == "consent_required"
    asked = await app.ask(prompt=None, state="4")
    assert asked.status_code == 200 and "mag verder werken" in asked.text
    code = answer(await app.press(asked))["code"]
    assert "refresh_token" in (await app.redeem(code)).json()
    assert answer(await app.ask(prompt="none", state="5"))["code"]


async def test_the_list_of_requests_leads_back_to_the_page_of_an_app_with_a_document(app: SolidApp) -> None:
    await app.ask()
    own = {"cookie": f"kluis={app.house.cookie}"}
    listed = (await app.house.http.get("/me/requests", headers=own)).text
    address = re.search(r'href="(/oauth/authorize[^"]+)"', listed)
    assert address is not None
    page = await app.house.http.get(html.unescape(address[1]), headers=own)
    assert page.status_code == 200 and 'id="deny"' in page.text


async def test_the_list_does_not_say_that_a_login_she_refused_is_not_asked_again(app: SolidApp) -> None:
    assert answer(await app.press(await app.ask(), "deny"))["error"] == "access_denied"
    assert (await app.ask(state="2")).status_code == 200
    listed = await app.house.http.get("/me/requests", headers={"cookie": f"kluis={app.house.cookie}"})
    assert "Niet voor" not in listed.text


async def test_a_code_works_once_in_a_minute_with_its_verifier_and_its_key(app: SolidApp) -> None:
    async def code(**more: str | None) -> str:
        return answer(await app.press(await app.ask(**more), "allow", ["/public/"], ["read"]))["code"]

    assert (await app.redeem(await code(state="1"), code_verifier="w" * 43)).json()["error"] == "invalid_grant"
    named = await code(state="2", dpop_jkt="A" * 43)
    assert (await app.redeem(named)).json()["error"] == "invalid_grant"
    late = await code(state="3")
    app.house.clock.forward(seconds=61)
    assert (await app.redeem(late)).json()["error"] == "invalid_grant"
    once = await code(state="4")
    got = (await app.redeem(once)).json()
    assert (await app.redeem(once)).json()["error"] == "invalid_grant"
    assert (await app.call("GET", "/pods/an/public/", got["access_token"])).status_code == 401


async def test_who_is_not_logged_in_logs_in_and_finds_the_request_again(app: SolidApp) -> None:
    state = "é " * 400
    sent = await app.ask(cookie="", state=state)
    assert sent.status_code == 303
    there = parse_qs(urlsplit(sent.headers["location"]).query)["next"][0]
    headers = {"accept": "text/html", "cookie": f"kluis={app.house.cookie}"}
    page = await app.house.http.get(there, headers=headers)
    assert page.status_code == 200
    assert answer(await app.press(page))["state"] == state


async def test_prompt_none_shows_nothing(app: SolidApp) -> None:
    assert answer(await app.ask(cookie="", prompt="none"))["error"] == "login_required"
    assert answer(await app.ask(prompt="none"))["error"] == "consent_required"
    first = await app.allowed()
    said = answer(await app.ask(prompt="none", nonce="2"))
    second = (await app.redeem(said["code"])).json()
    assert claims(second["id_token"])["nonce"] == "2"
    assert claims(second["access_token"])["grant_id"] == claims(first["access_token"])["grant_id"]
    app.house.clock.forward(minutes=10)
    assert answer(await app.ask(prompt="none", max_age="300"))["error"] == "login_required"
    hint = claims(first["id_token"])
    assert hint["webid"] == ANN
    assert answer(await app.ask(prompt="none", id_token_hint=first["id_token"]))["code"]
    assert answer(await app.ask(prompt="none", id_token_hint="x.y.z"))["error"] == "invalid_request"
    assert answer(await app.ask(prompt="none login"))["error"] == "invalid_request"


async def test_what_stands_is_not_asked_again_unless_the_app_wants_it_asked(app: SolidApp) -> None:
    await app.allowed()
    assert answer(await app.ask(prompt=None, state="2"))["code"]
    assert (await app.ask(prompt="consent", state="3")).status_code == 200


async def test_prompt_login_and_max_age_send_her_to_the_login_once(app: SolidApp) -> None:
    await app.allowed()
    app.house.clock.forward(minutes=10)
    for more in ({"prompt": "login"}, {"prompt": None, "max_age": "60"}, {"prompt": "select_account"}):
        sent = await app.ask(**more)
        assert sent.headers["location"].startswith("/login?next=")
        there = parse_qs(parse_qs(urlsplit(sent.headers["location"]).query)["next"][0].partition("?")[2])
        assert "prompt" not in there
        assert int(there["max_age"][0]) <= 300


async def test_the_citizens_log_and_receipt_tell_it_like_any_other_grant(app: SolidApp) -> None:
    got = await app.allowed()
    await app.call("GET", "/pods/an/public/", got["access_token"])
    grant = claims(got["access_token"])["grant_id"]
    mine = [line for line in app.house.told() if line.get("grant") == grant]
    assert [(line["type"], line["action"]) for line in mine] == [
        ("managed unlock", "sign"), ("consent", "give"), ("key event", "token"), ("access", "list")]  # fmt: skip
    kept = [one for one in grants.kept_receipts(app.house.vault, app.house.session.pod) if b64(one.grant) == grant]
    assert len(kept) == 1
    told = claims(kept[0].jws)
    assert told["privacy_notice"]["digest"]
    assert told["pii_processing"][0]["containers"] == ["/public/"]
    assert grants.load(app.house.vault, unb64(grant)) is not None


async def test_logging_out_of_an_app_ends_no_session_of_ours(app: SolidApp) -> None:
    got = await app.allowed()
    cookie = {"cookie": f"kluis={app.house.cookie}"}
    there = {"id_token_hint": got["id_token"], "post_logout_redirect_uri": app.site.origin + "/bye", "state": "z"}
    page = await app.house.http.get("/oauth/logout", params=there, headers=cookie)
    assert "Terug naar Notities" in page.text
    same = cookie | {"sec-fetch-site": "same-origin"}
    form = there | {"csrf": app.house.session.csrf}
    assert (await app.house.http.post("/oauth/logout", data=there, headers=same)).status_code == 403
    gone = await app.house.http.post("/oauth/logout", data=form | {"end": "no"}, headers=same)
    assert gone.headers["location"] == app.site.origin + "/bye?state=z"
    assert (await app.house.http.get("/me/access", headers=cookie)).status_code == 200
    gone = await app.house.http.post("/oauth/logout", data=form | {"end": "yes"}, headers=same)
    assert gone.headers["location"] == app.site.origin + "/bye?state=z"
    assert (await app.house.http.get("/me/access", headers=cookie)).status_code == 303
    straight = await app.house.http.get("/oauth/logout", params=there)
    assert straight.headers["location"] == app.site.origin + "/bye?state=z"


@pytest.mark.parametrize("wrong", [{"post_logout_redirect_uri": "https://evil.example/"}, {"id_token_hint": "x.y.z"}])
async def test_logging_out_leads_nowhere_that_the_app_did_not_register(app: SolidApp, wrong: dict[str, str]) -> None:
    got = await app.allowed()
    there = {"id_token_hint": got["id_token"], "post_logout_redirect_uri": app.site.origin + "/bye"} | wrong
    page = await app.house.http.get("/oauth/logout", params=there)
    assert page.status_code == 200
    form = there | {"csrf": app.house.session.csrf, "end": "no"}
    same = {"cookie": f"kluis={app.house.cookie}", "sec-fetch-site": "same-origin"}
    assert (await app.house.http.post("/oauth/logout", data=form, headers=same)).headers["location"] == "/me"
