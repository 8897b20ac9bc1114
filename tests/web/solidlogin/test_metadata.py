"""What the server says about itself is what it does: each field of both documents is held against an answer."""

import base64
from typing import Any

import httpx
import orjson
import pytest

from consent.oauth.clients import ASSERTION_TYPE
from keys.sign import verify_jws
from keys.text import b64, unb64
from tests.conftest import BASE
from tests.consent import sample
from tests.house import ALL_INTERESTS, Household
from tests.web.solidlogin.app import SolidApp, answer, claims

pytestmark = pytest.mark.enable_socket
DOCUMENTS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
HELD = {
    "issuer", "authorization_endpoint", "token_endpoint", "pushed_authorization_request_endpoint", "jwks_uri",
    "introspection_endpoint", "revocation_endpoint", "registration_endpoint", "grant_management_endpoint",
    "require_pushed_authorization_requests", "response_types_supported", "response_modes_supported",
    "grant_types_supported", "code_challenge_methods_supported", "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported", "revocation_endpoint_auth_methods_supported",
    "revocation_endpoint_auth_signing_alg_values_supported", "introspection_endpoint_auth_methods_supported",
    "introspection_endpoint_auth_signing_alg_values_supported", "introspection_signing_alg_values_supported",
    "client_id_metadata_document_supported", "dpop_signing_alg_values_supported",
    "authorization_details_types_supported", "authorization_response_iss_parameter_supported", "scopes_supported",
    "service_documentation", "ui_locales_supported", "acr_values_supported", "grant_management_actions_supported",
    "grant_management_action_required",
}  # fmt: skip
OPENID = {
    "subject_types_supported", "id_token_signing_alg_values_supported", "claims_supported", "claim_types_supported",
    "claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported",
    "prompt_values_supported", "end_session_endpoint", "solid_oidc_supported",
}  # fmt: skip


async def told(house: Household, path: str = DOCUMENTS[0]) -> dict[str, Any]:
    return dict((await house.http.get(path)).json())


async def test_every_field_is_one_that_these_tests_hold_against_behaviour(house: Household) -> None:
    openid, oauth = [await told(house, path) for path in DOCUMENTS]
    assert set(oauth) == HELD
    assert set(openid) == HELD | OPENID
    assert {name: openid[name] for name in oauth} == oauth
    assert openid["issuer"] == BASE


async def test_every_address_answers_and_programs_on_other_sites_may_call_what_is_theirs(house: Household) -> None:
    said = await told(house)
    for name, url in said.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert url.startswith(BASE + "/oauth/"), name
            path = url.removeprefix(BASE)
            tried = [(await house.http.request(method, path)).status_code for method in ("GET", "POST")]
            assert name == "grant_management_endpoint" or any(status != 404 for status in tried), name
    for path in (*DOCUMENTS, "/oauth/jwks", "/oauth/token", "/oauth/register", "/oauth/revoke"):
        asked = await house.http.options(path, headers={"origin": "https://app.example"})
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, "*")
        assert "DPoP" in asked.headers["access-control-allow-headers"]
    for path in ("/oauth/authorize", "/oauth/logout", "/login"):
        assert "access-control-allow-origin" not in (await house.http.get(path)).headers


async def test_tokens_are_signed_by_the_key_that_the_jwks_names(app: SolidApp) -> None:
    said, keys = await told(app.house), (await app.house.http.get("/oauth/jwks")).json()["keys"]
    assert all(key["kid"] and "d" not in key for key in keys)
    got = await app.allowed()
    for token in (got["access_token"], got["id_token"]):
        head, body, mark = token.split(".")
        header = orjson.loads(base64.urlsafe_b64decode(head + "=="))
        assert header["alg"] in said["id_token_signing_alg_values_supported"] == ["ES256"]
        (key,) = [one for one in keys if one["kid"] == header["kid"]]
        verify_jws("ES256", key, f"{head}.{body}".encode(), unb64(mark))
    assert set(claims(got["id_token"])) == set(said["claims_supported"])
    assert claims(got["id_token"])["sub"] == claims(got["id_token"])["webid"]  # subject type: public


async def test_what_is_supported_is_accepted_and_what_is_not_is_refused(app: SolidApp) -> None:
    said = await told(app.house)
    await app.allowed()
    for prompt in said["prompt_values_supported"]:
        assert (await app.ask(prompt=prompt, state=prompt)).status_code in (200, 303)
    assert said["client_id_metadata_document_supported"] is True  # every test of this folder logs in with one
    assert said["require_pushed_authorization_requests"] is False
    assert answer(await app.ask(prompt="none", scope=" ".join(said["scopes_supported"])))["iss"] == BASE
    for name in ("request_parameter_supported", "request_uri_parameter_supported", "claims_parameter_supported"):
        assert said[name] is False
    assert answer(await app.ask(request="x"))["error"] == "request_not_supported"
    assert (await app.ask(request_uri="https://app.example/r")).status_code == 400
    for method in ("plain", "S512"):
        assert method not in said["code_challenge_methods_supported"]
        assert answer(await app.ask(code_challenge_method=method))["error"] == "invalid_request"
    for mode in ("fragment", "form_post"):
        assert mode not in said["response_modes_supported"]
        assert answer(await app.ask(response_mode=mode))["error"] == "invalid_request"
    odd = await app.token(None, grant_type="password", username="an", password="x")
    assert odd.status_code in (400, 401)
    assert "password" not in said["grant_types_supported"]


def signed(house: Household, number: int) -> dict[str, str]:
    at = int(house.clock().timestamp())
    own = sample.assertion(jti=f"m{number}", iat=at, exp=at + 60)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": own}


async def test_introspection_is_signed_if_asked_so_and_for_who_proves_himself_alone(house: Household) -> None:
    said, granted = await told(house), await house.grant(ALL_INTERESTS)
    form = {"token": granted.access}
    asked = {"accept": "application/token-introspection+jwt"}
    answer = await house.http.post("/oauth/introspect", data=form | signed(house, 1), headers=asked)
    assert answer.headers["content-type"].startswith("application/token-introspection+jwt")
    head, body, mark = answer.text.split(".")
    header = orjson.loads(base64.urlsafe_b64decode(head + "=="))
    assert header["typ"] == "token-introspection+jwt"
    assert header["alg"] in said["introspection_signing_alg_values_supported"]
    verify_jws("ES256", house.vault.issuer_public, f"{head}.{body}".encode(), unb64(mark))
    told_so = claims(answer.text)
    assert (told_so["iss"], told_so["aud"]) == (BASE, "cultuurgids")
    plain = (await house.http.post("/oauth/introspect", data=form | signed(house, 2))).json()
    assert told_so["token_introspection"] == plain
    assert plain["grant_id"] == b64(granted.id)
    dead = {"token": "kat1_x.y"}
    signed_no = await house.http.post("/oauth/introspect", data=dead | signed(house, 3), headers=asked)
    assert claims(signed_no.text)["token_introspection"] == {"active": False}
    public = {"client_id": "cultuurgids"}
    refused = await house.http.post("/oauth/introspect", data=form | public)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert "none" not in said["introspection_endpoint_auth_methods_supported"]


async def test_a_public_app_gives_its_own_refresh_token_back_and_nobody_elses(app: SolidApp) -> None:
    got = await app.allowed()

    async def revoke(client: str) -> httpx.Response:
        form = {"client_id": client, "token": got["refresh_token"]}
        return await app.house.http.post("/oauth/revoke", data=form)

    assert "none" in (await told(app.house))["revocation_endpoint_auth_methods_supported"]
    assert (await revoke("https://other.example/id.jsonld")).status_code == 200
    assert (await app.refresh(got["refresh_token"])).status_code == 200
    assert (await revoke(app.client_id)).status_code == 200
    assert (await app.refresh(got["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await app.call("GET", "/pods/an/public/", got["access_token"])).status_code == 401
