"""Solid-OIDC: clients, WebIDs, tokens bound to a key, and what the resource server asks."""

import orjson
import pytest

from keys.sign import new_es256
from keys.text import unb64
from tests.conftest import BASE
from tests.house import Household
from tests.solid.client import ME, SOLID, Agent, objects
from tests.solid.requirements import shows
from tests.web.solidlogin.app import answer, claims, solid_app

pytestmark = pytest.mark.enable_socket
DISCOVERY = "/.well-known/openid-configuration"


@shows("oidc-client-id-document")
async def test_the_document_at_a_client_id_is_fetched_and_held_against_the_request(house: Household) -> None:
    async with solid_app(house) as app:
        got = await app.allowed()
        assert claims(got["access_token"])["client_id"] == app.client_id
        assert "Notities" in (await app.ask(state="other")).text
        elsewhere = await app.ask(redirect_uri=app.site.origin + "/other")
        assert elsewhere.status_code == 400
    async with solid_app(house) as other:
        other.describe(client_id="https://somebody.example/id")
        assert (await other.ask()).status_code == 400


@shows("oidc-dynamic-registration")
async def test_an_app_registers_itself_and_is_known_by_the_id_it_gets(house: Household) -> None:
    said = {"client_name": "Notities", "redirect_uris": ["https://app.example/back"], "scope": "openid webid",
            "token_endpoint_auth_method": "none", "application_type": "web"}  # fmt: skip
    made = await house.http.post("/oauth/register", content=orjson.dumps(said))
    assert made.status_code == 201, made.text
    assert made.json()["client_id"] and made.json()["redirect_uris"] == said["redirect_uris"]


@shows("oidc-webid-issuer")
async def test_a_profile_names_its_issuer_exactly_as_the_issuer_names_itself(anybody: Agent) -> None:
    issuers = objects(await anybody("GET", "profile/card"), ME, SOLID + "oidcIssuer")
    told = (await anybody("GET", DISCOVERY)).json()
    assert issuers == {told["issuer"]} == {BASE}


@shows("oidc-code-pkce-iss")
async def test_a_code_needs_its_verifier_and_comes_with_the_name_of_its_issuer(house: Household) -> None:
    async with solid_app(house) as app:
        assert "error=" in (await app.ask(code_challenge=None)).headers["location"]
        said = answer(await app.press(await app.ask(state="z"), "allow", ["/public/"], ["read"]))
        assert said["iss"] == BASE == (await house.http.get(DISCOVERY)).json()["issuer"]
        assert (await app.redeem(said["code"], code_verifier="w" * 43)).status_code == 400


@shows("oidc-dpop-id-token")
async def test_the_id_token_names_the_webid_the_audience_and_the_key(house: Household) -> None:
    async with solid_app(house) as app:
        got = await app.allowed()
        said = claims(got["id_token"])
        assert (said["webid"], said["iss"], said["azp"]) == (ME, BASE, app.client_id)
        assert isinstance(said["aud"], list) and app.client_id in said["aud"]
        assert said["iat"] <= int(house.clock().timestamp()) < said["exp"]
        assert len(unb64(said["cnf"]["jkt"])) == 32
        assert said["cnf"] == claims(got["access_token"])["cnf"]


@shows("oidc-resource-server")
async def test_a_token_is_good_with_a_fresh_proof_for_this_request_by_its_own_key(an: Agent, anybody: Agent) -> None:
    refused = await anybody("GET", "settings/")
    assert refused.status_code == 401
    assert (
        refused.headers["www-authenticate"].startswith("DPoP ")
        and f'as_uri="{BASE}"' in refused.headers["www-authenticate"]
    )
    house, path, at = an.house, "/pods/an/settings/", int(an.house.clock().timestamp())
    good = house.shown("GET", path, an.token)
    assert [(await house.http.get(path, headers=good)).status_code for _ in range(2)] == [200, 401]
    wrong = ({"htm": "PUT"}, {"htu": BASE + "/pods/an/"}, {"iat": at - 600}, {"iat": at + 600}, {"ath": "x"},
             {"jti": None}, {"key": new_es256()})  # fmt: skip
    for changes in wrong:
        shown = house.shown("GET", path, an.token, **changes)
        assert (await house.http.get(path, headers=shown)).status_code == 401, changes
    bearer = {"authorization": f"Bearer {an.token}"}
    assert (await house.http.get(path, headers=bearer)).status_code == 401
    cut = {"authorization": f"DPoP {an.token[:-4]}AAAA", "dpop": house.proof("GET", path, an.token[:-4] + "AAAA")}
    assert (await house.http.get(path, headers=cut)).status_code == 401


@shows("oidc-client-credentials")
async def test_client_credentials_speak_for_the_person_who_made_them(an: Agent) -> None:
    told = (await an.house.http.get(DISCOVERY)).json()
    assert "client_credentials" in told["grant_types_supported"]
    said = claims(an.token)
    assert (said["webid"], said["iss"]) == (ME, BASE)
    assert (await an("GET", "settings/")).status_code == 200
    house, path = an.house, "/pods/an/settings/"  # clients in the field leave `ath` out; a wrong one is never taken
    for ath, status in ((None, 200), ("x", 401)):
        shown = house.shown("GET", path, an.token, ath=ath)
        assert (await house.http.get(path, headers=shown)).status_code == status


@shows("oidc-conformance")
async def test_the_issuer_says_that_it_does_solid_oidc(house: Household) -> None:
    told = (await house.http.get(DISCOVERY)).json()
    assert told["solid_oidc_supported"] == "https://solidproject.org/TR/solid-oidc"
    assert "webid" in told["scopes_supported"] and "webid" in told["claims_supported"]


@shows("oidc-dpop-algs")
async def test_proofs_by_es256_and_rs256_are_taken_and_told(an: Agent, anybody: Agent) -> None:
    told = (await an.house.http.get(DISCOVERY)).json()["dpop_signing_alg_values_supported"]
    assert {"ES256", "RS256"} <= set(told)
    challenge = (await anybody("GET", "settings/")).headers["www-authenticate"]
    assert all(one in challenge for one in ("ES256", "RS256"))
