"""The rows "token forgery", "DPoP" and "OAuth" of reliability.md, one test per row."""

import asyncio
import base64
import hmac
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
import pytest

from keys.sign import new_es256
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.consent.attacks.party import HTML, Party, asking, nothing_gained, on_our_page, refused
from tests.consent.attacks.test_c_solid import metadata
from tests.federation.sink import sink
from tests.house import INTERESTS, Household
from tests.log.reopened import reopened

PROOFS = "tests/consent/attacks/test_a_proofs.py::test_"
RACES = "tests/consent/attacks/test_c_solid.py::test_"
LOGIN = "tests/web/solidlogin/test_attacks.py::test_"
REGISTER = "tests/web/solidlogin/test_registration.py::test_"
NINETEEN = (
    "two_proofs_are_refused", "a_malformed_proof_is_refused", "a_proof_without_typ_is_refused",
    "a_proof_without_alg_is_refused", "a_proof_without_jwk_is_refused", "a_proof_without_jti_is_refused",
    "a_proof_without_htm_is_refused", "a_proof_without_htu_is_refused", "a_proof_without_iat_is_refused",
    "a_proof_without_ath_is_refused", "a_proof_of_another_typ_is_refused", "a_proof_under_alg_none_is_refused",
    "a_proof_under_an_hmac_is_refused", "a_proof_with_a_bad_signature_is_refused",
    "a_proof_that_shows_its_private_key_is_refused", "a_proof_for_another_method_is_refused",
    "a_proof_for_another_address_is_refused", "a_proof_an_hour_old_is_refused", "a_proof_an_hour_ahead_is_refused",
    "a_proof_for_another_token_is_refused", "a_proof_by_another_key_is_refused",
)  # fmt: skip
TABLE = {
    "token forgery, none: 401": "test_a_token_under_alg_none_is_401",
    "token forgery, empty: 401": "test_an_empty_token_is_401",
    "token forgery, HS256 with the public key: 401": "test_a_token_under_hs256_with_the_public_key_is_401",
    "token forgery, kid as path: 401": "test_a_token_whose_kid_is_a_path_is_401",
    "token forgery, kid as SQL: 401": "test_a_token_whose_kid_is_sql_is_401",
    "token forgery, jwk in the header: 401": "test_a_token_that_brings_its_jwk_is_401",
    "token forgery, jku: 401, no fetch": "test_a_token_with_a_jku_is_401_and_nothing_is_fetched",
    "token forgery, x5u: 401, no fetch": "test_a_token_with_an_x5u_is_401_and_nothing_is_fetched",
    "token forgery, crit: 401": "test_a_token_with_crit_is_401",
    "token forgery, b64: 401": "test_a_token_with_b64_is_401",
    "token forgery, foreign issuer: 401": "test_a_token_of_a_foreign_issuer_is_401",
    "token forgery, claims changed: 401": "test_a_token_whose_claims_were_changed_is_401",
    "DPoP, wrong in 19 ways: 401": " ".join(PROOFS + one for one in NINETEEN),
    "DPoP, replay: 401": PROOFS + "a_proof_shown_again_is_refused",
    "DPoP, replay in its whole window and after a start": "tests/web/test_replays.py::"
    "test_a_copy_is_refused_for_the_whole_window_whatever_the_clockwork_forgets",
    "DPoP, 32-way race: at most one 200": "test_one_proof_raced_by_thirty_two_has_at_most_one_winner",
    "OAuth, flow downgrades at PAR": "test_a_downgraded_flow_is_refused_at_par",
    "OAuth, flow downgrades at the token endpoint": "test_a_downgraded_flow_is_refused_at_the_token_endpoint",
    "OAuth, flow downgrades at the front": LOGIN
    + "a_front_channel_request_for_more_than_a_login_is_refused_to_the_app",
    "OAuth, redirect_uri forms": "test_no_form_of_a_redirect_uri_but_the_registered_one_is_taken",
    "OAuth, redirect_uri changed at the token endpoint": "test_a_code_under_another_redirect_uri_is_invalid_grant",
    "OAuth, redirect_uri forms at registration": "tests/consent/test_clients.py::test_unsafe_redirects_are_refused",
    "OAuth, registration tricks": "test_nobody_registers_more_than_is_hers_to_say "
    + REGISTER + "what_may_not_be_registered_is_named "
    + REGISTER + "a_client_reads_changes_and_deletes_itself_with_its_own_token_alone",
    "OAuth, code race: at most one winner": "test_one_code_raced_by_sixteen_has_at_most_one_winner",
    "OAuth, refresh race: one proof, one winner": "test_one_refresh_request_raced_by_sixteen_has_at_most_one_winner",
    "OAuth, replay after restart": "test_proof_assertion_code_and_request_are_used_up_after_a_restart_too",
    "OAuth, duplicate parameters: 400 invalid_request": "test_a_parameter_that_comes_twice_is_invalid_request",
    "OAuth, duplicate parameters at the front: error page": "test_a_parameter_that_comes_twice_in_front_stays_here",
    "OAuth, widening of details": RACES + "wider_details_at_the_token_endpoint",
    "OAuth, widening of scope": RACES + "a_wider_scope_at_a_refresh_is_invalid_scope",
}  # fmt: skip
MANAGED = "/pods/an/settings/"


@pytest.fixture
def app(house: Household) -> Party:
    return Party(house)


# ---------------------------------------------------------------- forged access tokens


async def forged(
    house: Household, head: dict[str, Any], key: Any = None, tail: str | None = None, **claims: Any
) -> bool:
    """Whether An's own token, with header and claims changed and signed anew, is 401 everywhere and opens nothing.

    `key`: who signs, a thief if nobody is named; `tail`: a signature in place of one.
    """
    true = await house.jwt()
    assert (await house.call("GET", MANAGED, true)).status_code == 200
    first, body = (orjson.loads(base64.urlsafe_b64decode(part + "==")) for part in true.split(".")[:2])
    made = sample.compact(first | head, body | claims, key or new_es256())
    if tail is not None:
        made = f"{made.rpartition('.')[0]}.{tail}"
    with nothing_gained(house):
        for path in (MANAGED, "/pods/an/interests/a.jsonld", "/api/records?category=pd:Interest"):
            answer = await house.call("GET", path, made)
            assert answer.status_code == 401, (path, answer.text)
            assert "contains" not in answer.text
    return True


async def test_a_token_under_alg_none_is_401(house: Household) -> None:
    for alg in ("none", "None", "NONE"):
        assert await forged(house, {"alg": alg}, tail="")
        assert await forged(house, {"alg": alg})


@pytest.mark.parametrize("shown", ["DPoP ", "DPoP", "", "DPoP kat1_", "DPoP ..", "DPoP ey", "DPoP  "])
async def test_an_empty_token_is_401(house: Household, shown: str) -> None:
    with nothing_gained(house):
        for path in (MANAGED, "/api/records?category=pd:Interest"):
            headers = {"authorization": shown, "dpop": house.proof("GET", path)}
            assert (await house.http.get(path, headers=headers)).status_code == 401


async def test_a_token_under_hs256_with_the_public_key_is_401(house: Household) -> None:
    public, true = house.vault.issuer_public, await house.jwt()
    body = true.split(".")[1]
    for secret in (orjson.dumps(public), public["x"].encode(), base64.urlsafe_b64decode(public["x"] + "==")):
        head = b64(orjson.dumps({"typ": "at+jwt", "alg": "HS256", "kid": public["kid"]}))
        made = f"{head}.{body}.{b64(hmac.digest(secret, f'{head}.{body}'.encode(), 'sha256'))}"
        with nothing_gained(house):
            assert (await house.call("GET", MANAGED, made)).status_code == 401


async def test_a_token_whose_kid_is_a_path_is_401(house: Household) -> None:
    for kid in ("../../../../dev/null", "/dev/null", "file:///dev/null"):
        assert await forged(house, {"kid": kid})
        assert await forged(house, {"kid": kid}, tail="")


async def test_a_token_whose_kid_is_sql_is_401(house: Household) -> None:
    for kid in ("' OR 1=1 --", "x' UNION SELECT '{}' --", "\0", 7, None, ["x"]):
        assert await forged(house, {"kid": kid})


async def test_a_token_that_brings_its_jwk_is_401(house: Household) -> None:
    thief = new_es256()
    assert await forged(house, {"jwk": sample.public(thief)}, thief)
    assert await forged(house, {"jwk": sample.public(thief), "kid": thief["kid"]}, thief)


@pytest.mark.enable_socket
async def test_a_token_with_a_jku_is_401_and_nothing_is_fetched(house: Household) -> None:
    async with sink() as inner:
        assert await forged(house, {"jku": inner.origin + "/jwks"})
        assert inner.connections == 0


@pytest.mark.enable_socket
async def test_a_token_with_an_x5u_is_401_and_nothing_is_fetched(house: Household) -> None:
    async with sink() as inner:
        assert await forged(house, {"x5u": inner.origin + "/cert", "x5c": ["AAAA"]})
        assert inner.connections == 0


async def test_a_token_with_crit_is_401(house: Household) -> None:
    """Signed by our own key, so that nothing but the extension can be what is refused."""
    for crit in (["exp"], ["b64"], [], "exp"):
        assert await forged(house, {"crit": crit}, house.house.issuer_key)


async def test_a_token_with_b64_is_401(house: Household) -> None:
    assert await forged(house, {"b64": False, "crit": ["b64"]}, house.house.issuer_key)
    assert await forged(house, {"b64": True}, house.house.issuer_key)


async def test_a_token_of_a_foreign_issuer_is_401(house: Household) -> None:
    for iss in ("https://evil.example", BASE + "/", BASE.upper(), ""):
        assert await forged(house, {}, house.house.issuer_key, iss=iss)
    assert await forged(house, {}, iss="https://evil.example")


async def test_a_token_whose_claims_were_changed_is_401(house: Household) -> None:
    _, _, tail = (await house.jwt()).split(".")
    assert await forged(house, {}, tail=tail, webid=f"{BASE}/pods/bo/profile/card#me")
    assert await forged(house, {}, tail=tail, exp=2**40)
    for wrong in ({"aud": "other"}, {"exp": 0}, {"epoch": "1"}, {"cnf": {}}, {"cnf": {"jkt": "x"}}, {"grant_id": 7}):
        assert await forged(house, {}, house.house.issuer_key, **wrong)
    assert await forged(house, {"typ": "JWT"}, house.house.issuer_key)  # an ID token is no access token


# ---------------------------------------------------------------- proofs


async def test_one_proof_raced_by_thirty_two_has_at_most_one_winner(house: Household) -> None:
    token = (await house.grant(INTERESTS)).access
    for path in ("/api/records?category=pd:Interest", "/pods/an/interests/a.jsonld"):
        same = house.shown("GET", path, token)
        tried = await asyncio.gather(*(house.http.get(path, headers=same) for _ in range(32)))
        assert sorted({one.status_code for one in tried}) == [200, 401]
        assert sum(one.status_code == 200 for one in tried) == 1
        assert sum("jazz" in one.text for one in tried) == 1


# ---------------------------------------------------------------- OAuth


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_type": "none"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"code_challenge_method": "S512"}, "invalid_request"),
        ({"authorization_details": None}, "invalid_authorization_details"),
        ({"client_assertion_type": None}, "invalid_client"),
        ({"client_assertion": None}, "invalid_client"),
    ],
)
async def test_a_downgraded_flow_is_refused_at_par(app: Party, changes: dict[str, str | None], code: str) -> None:
    with nothing_gained(app.house):
        assert refused(await app.push(**changes), code, 401 if code == "invalid_client" else 400)


@pytest.mark.parametrize(
    "kind", ["password", "implicit", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code", "x", None]
)
async def test_a_downgraded_flow_is_refused_at_the_token_endpoint(app: Party, kind: str | None) -> None:
    code = await app.code()
    with nothing_gained(app.house):
        answer = await app.redeem(code, grant_type=kind, username="an", password=app.house.codes[0])
        assert answer.json()["error"] in ("unsupported_grant_type", "unauthorized_client", "invalid_request")
        assert refused(answer, answer.json()["error"])


FORMS = ("{uri}/", "{uri}?x=1", "{uri}#x", "{uri}/../x", "{uri}%2f", "{uri}\\@evil.example", " {uri}",
         "{uri}.evil.example",         "http://127.0.0.1:8401@evil.example/back", "http://127.0.0.1:8402/back", "http://localhost:8401/back",
         "https://127.0.0.1:8401/back", "//127.0.0.1:8401/back", "javascript:alert(1)", "HTTP://127.0.0.1:8401/BACK",
         "http://2130706433:8401/back", "http://127.1:8401/back", "{uri} {uri}")  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
async def test_no_form_of_a_redirect_uri_but_the_registered_one_is_taken(app: Party, form: str) -> None:
    with nothing_gained(app.house):
        answer = await app.push(redirect_uri=form.format(uri=sample.RETURN))
        assert refused(answer, "invalid_request")
        assert "evil" not in answer.text


@pytest.mark.parametrize("uri", ["https://evil.example/", sample.RETURN + "/", "", None])
async def test_a_code_under_another_redirect_uri_is_invalid_grant(app: Party, uri: str | None) -> None:
    code = await app.code()
    with nothing_gained(app.house):
        assert refused(await app.redeem(code, redirect_uri=uri), "invalid_grant")


async def test_nobody_registers_more_than_is_hers_to_say(house: Household) -> None:
    wish = {"redirect_uris": ["http://localhost:3000/back"], "client_name": "Notities"}
    more = {"client_id": "cultuurgids", "client_secret": "x", "trust": "city", "kind": "rar",
            "webid": house.session.webid, "registration_access_token": "x",
            "secret_hash": "x", "public": False}  # fmt: skip
    made = await house.http.post("/oauth/register", json=wish | more)
    assert made.status_code == 201
    told = made.json()
    assert told["client_id"] != "cultuurgids"
    assert told["token_endpoint_auth_method"] == "none"
    assert not {"client_secret", "trust", "webid"} & {name for name, value in told.items() if value == more.get(name)}
    for body in (metadata("Voorstellen", trust="city"), metadata("Voorstellen", kind="solid"), wish | {"purposes": []}):
        stranger = await house.http.post("/oauth/register", json=body)
        assert refused(stranger, "invalid_client", 401)


async def test_one_code_raced_by_sixteen_has_at_most_one_winner(app: Party) -> None:
    code = await app.code()
    tried = await asyncio.gather(*(app.redeem(code) for _ in range(16)))
    winners = [one for one in tried if one.status_code == 200]
    assert len(winners) <= 1
    assert all(refused(one, "invalid_grant") for one in tried if one.status_code != 200)
    for one in winners:  # a code shown twice ends what it gave
        assert await app.dead(one.json()["access_token"])
        assert refused(await app.refresh(one.json()["refresh_token"]), "invalid_grant")


async def test_one_refresh_request_raced_by_sixteen_has_at_most_one_winner(app: Party) -> None:
    got = await app.allowed()
    own, proof = app.assertion(), {"dpop": app.house.proof("POST", "/oauth/token")}
    same = [app.refresh(got["refresh_token"], proof, assertion=own) for _ in range(16)]
    tried = await asyncio.gather(*same)
    assert sum(one.status_code == 200 for one in tried) == 1
    codes = {one.json()["error"] for one in tried if one.status_code != 200}
    assert codes <= {"invalid_dpop_proof", "invalid_client"}
    assert (await app.refresh(got["refresh_token"])).status_code == 200


async def test_proof_assertion_code_and_request_are_used_up_after_a_restart_too(app: Party, tmp_path: Path) -> None:
    house, pushed = app.house, await app.push()
    code = (await app.press(await app.open(pushed))).headers["location"].partition("code=")[2].partition("&")[0]
    own, proof = app.assertion(), {"dpop": house.proof("POST", "/oauth/token")}
    got = (await app.redeem(code, proof, assertion=own)).json()
    shown = house.shown("GET", "/api/records?category=pd:Interest", got["access_token"])
    assert (await house.http.get("/api/records?category=pd:Interest", headers=shown)).status_code == 200
    house.vault.close()
    async with reopened(house, tmp_path) as anew:
        again = Party(anew)
        assert (await anew.http.get("/api/records?category=pd:Interest", headers=shown)).status_code == 401
        assert refused(await again.refresh(got["refresh_token"], proof), "invalid_dpop_proof")
        assert refused(await again.refresh(got["refresh_token"], assertion=own), "invalid_client", 401)
        assert on_our_page(await again.open(pushed), "invalid_request_uri")
        assert (await again.read(got["access_token"])).status_code == 200
        assert refused(await again.redeem(code), "invalid_grant")
        assert await again.dead(got["access_token"])


async def test_a_parameter_that_comes_twice_is_invalid_request(app: Party) -> None:
    for path in ("/oauth/par", "/oauth/token", "/oauth/introspect", "/oauth/revoke"):
        own = {"client_assertion_type": sample.ASSERTION_TYPE, "client_assertion": app.assertion(), "token": "x",
               "grant_type": "refresh_token", "refresh_token": "x"} | asking()  # fmt: skip
        for name in own:
            body = urlencode([*own.items(), (name, own[name])])
            headers = {"dpop": app.house.proof("POST", path), "content-type": "application/x-www-form-urlencoded"}
            with nothing_gained(app.house):
                assert refused(await app.house.http.post(path, content=body, headers=headers), "invalid_request")


async def test_a_parameter_that_comes_twice_in_front_stays_here(app: Party) -> None:
    uri = (await app.push()).json()["request_uri"]
    own = HTML | {"cookie": f"kluis={app.house.cookie}"}
    for name, value in (
        ("client_id", "cultuurgids"),
        ("client_id", "x"),
        ("request_uri", uri),
        ("request_uri", "urn:x"),
    ):
        query = httpx.QueryParams({"client_id": "cultuurgids", "request_uri": uri}).add(name, value)
        with nothing_gained(app.house):
            answer = await app.house.http.get("/oauth/authorize", params=query, headers=own)
            assert on_our_page(answer, "invalid_request")
