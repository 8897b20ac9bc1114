"""What the resource server's metadata and the named algorithms promise, held against answers (RFC 9728, RFC 8414)."""

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import httpx
import orjson
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from consent import clients
from consent.errors import OAuthError
from consent.oauth.clients import ASSERTION_TYPE
from keys.secret import fresh_bytes
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.consent.attacks.party import RECORDS, Party
from tests.house import INTERESTS, Household

# RFC 9864 renames EdDSA; clients still send the old name.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
MAKERS: dict[str, Any] = {
    "ES256": lambda: ECKey.generate_key("P-256"),
    "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
    "RS256": lambda: RSAKey.generate_key(2048),
    "PS256": lambda: RSAKey.generate_key(2048),
    "ES384": lambda: ECKey.generate_key("P-384"),
}
PATHS = ("/oauth/par", "/oauth/token", "/oauth/introspect", "/oauth/revoke")


async def told(house: Household, name: str = "oauth-authorization-server") -> dict[str, Any]:
    return dict((await house.http.get(f"/.well-known/{name}")).json())


def signed(alg: str, key: Any, head: dict[str, Any], house: Household, **claims: Any) -> str:
    at = int(house.clock().timestamp())
    said = {"jti": b64(fresh_bytes(12)), "iat": at} | claims
    return jws.serialize_compact({"alg": alg} | head, json.dumps(said), key, algorithms=[alg])


def proof(house: Household, alg: str, key: Any, method: str, path: str, token: str = "") -> dict[str, str]:
    ath = {"ath": b64(sha256(token.encode()).digest())} if token else {}
    head = {"typ": "dpop+jwt", "jwk": key.as_dict(private=False)}
    return {"dpop": signed(alg, key, head, house, htm=method, htu=BASE + path.partition("?")[0], **ath)}


@pytest.mark.parametrize("alg", MAKERS)
async def test_proofs_are_taken_under_exactly_the_algorithms_that_are_named(house: Household, alg: str) -> None:
    await house.jwt()
    named = (await told(house))["dpop_signing_alg_values_supported"]
    assert (await told(house, "oauth-protected-resource"))["dpop_signing_alg_values_supported"] == named
    key, form = MAKERS[alg](), {"grant_type": "client_credentials", "scope": "webid"}
    basic = httpx.BasicAuth(house.secrets["id"], house.secrets["secret"])
    shown = proof(house, alg, key, "POST", "/oauth/token")
    answer = await house.http.post("/oauth/token", data=form, headers=shown, auth=basic)
    if alg not in named:
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")
        return
    token, path = answer.json()["access_token"], "/pods/an/settings/"
    own = proof(house, alg, key, "GET", path, token) | {"authorization": f"DPoP {token}"}
    assert (await house.http.get(path, headers=own)).status_code == 200


@pytest.mark.parametrize("alg", MAKERS)
async def test_assertions_are_taken_under_exactly_the_algorithms_that_are_named(house: Household, alg: str) -> None:
    said, key = await told(house), MAKERS[alg]()
    of = {path: said[f"{name}_endpoint_auth_signing_alg_values_supported"]
          for path, name in zip(PATHS, ("token", "token", "introspection", "revocation"), strict=True)}  # fmt: skip
    public = {name: value for name, value in key.as_dict(private=False).items() if isinstance(value, str)}
    client = replace(sample.APP, client_id="signs", jwks=(public,))
    if not any(alg in named for named in of.values()):
        with pytest.raises(OAuthError, match="invalid_client_metadata"):
            await clients.register(house.vault, client, house.clock())
        return
    await clients.register(house.vault, client, house.clock())
    for path, named in of.items():
        at = int(house.clock().timestamp())
        own = signed(alg, key, {}, house, iss="signs", sub="signs", aud=BASE, exp=at + 60)
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": own, "token": "x", "grant_type": "x"}
        answer = await house.http.post(path, data=form, headers={"dpop": house.proof("POST", path)})
        known = answer.content == b"" or answer.json().get("error") != "invalid_client"
        assert known == (alg in named), (path, answer.text)


async def test_secrets_are_taken_where_they_are_named(house: Household) -> None:
    said, token = await told(house), await house.jwt()
    basic = httpx.BasicAuth(house.secrets["id"], house.secrets["secret"])
    for name in ("introspection", "revocation"):
        assert "client_secret_basic" in said[f"{name}_endpoint_auth_methods_supported"]
        path = said[f"{name}_endpoint"].removeprefix(BASE)
        assert (await house.http.post(path, data={"token": token}, auth=basic)).status_code == 200
        wrong = await house.http.post(path, data={"token": token}, auth=(house.secrets["id"], "x"))
        assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")


def algs(refused: httpx.Response) -> list[str]:
    """What a DPoP challenge names."""
    scheme, _, rest = refused.headers["www-authenticate"].partition(" ")
    assert scheme == "DPoP"
    return rest.partition('algs="')[2].partition('"')[0].split()


async def test_the_resource_names_its_issuer_and_takes_tokens_in_the_header_alone(house: Household) -> None:
    said, server = await told(house, "oauth-protected-resource"), await told(house)
    assert said["resource"] == BASE
    assert said["authorization_servers"] == [server["issuer"]]
    assert said["jwks_uri"] == server["jwks_uri"]
    assert said["bearer_methods_supported"] == ["header"]
    assert said["dpop_bound_access_tokens_required"] is True
    token = (await house.grant(INTERESTS)).access
    own = {"dpop": house.proof("GET", RECORDS, token)}
    assert (await house.http.get(f"{RECORDS}&access_token={token}", headers=own)).status_code == 401
    bearer = {"authorization": f"Bearer {token}"}
    pods, records = [await house.http.get(path, headers=bearer) for path in ("/pods/an/interests/a.jsonld", RECORDS)]
    assert (pods.status_code, records.status_code) == (401, 401)
    named = said["dpop_signing_alg_values_supported"]
    assert algs(pods) == named
    assert algs(records) == [alg for alg in named if alg != "RS256"]  # only grants of apps read here
    assert f'as_uri="{said["authorization_servers"][0]}"' in pods.headers["www-authenticate"]
    assert (await house.http.get(said["resource_documentation"].removeprefix(BASE))).status_code == 200


async def test_the_resource_names_the_details_and_scopes_that_are_taken(house: Household) -> None:
    said, server = await told(house, "oauth-protected-resource"), await told(house)
    assert said["authorization_details_types_supported"] == server["authorization_details_types_supported"]
    granted = await house.grant(INTERESTS)
    closed = await house.call("GET", "/api/records?category=kluis:LibraryLoan", granted.access)
    (needed,) = closed.json()["authorization_details"]
    assert [needed["type"]] == said["authorization_details_types_supported"]
    app = Party(house)
    other = orjson.dumps([sample.detail(type="urn:kluis:rar:pod-access:2")]).decode()
    assert (await app.push(authorization_details=other)).json()["error"] == "invalid_authorization_details"
    assert said["scopes_supported"] == ["webid"]
    await house.jwt()  # under that scope
    basic = httpx.BasicAuth(house.secrets["id"], house.secrets["secret"])
    form = {"grant_type": "client_credentials", "scope": "openid email"}
    proofs = {"dpop": house.proof("POST", "/oauth/token")}
    refused = await house.http.post("/oauth/token", data=form, headers=proofs, auth=basic)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
