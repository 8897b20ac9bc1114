"""Attack list A (consent.md 6; FAPI 2.0): what is tried at the authorization server, one test per row.

Proofs shown to the resource server stand in test_a_proofs.py.
"""

import pytest

from consent import clients
from keys.sign import new_es256
from tests.conftest import BASE
from tests.consent import sample
from tests.consent.attacks.party import Party, back, nothing_gained, on_our_page, refused
from tests.house import Household

HERE = "tests/consent/attacks/test_a_proofs.py::test_"
TABLE = {
    "PAR without PKCE: 400 invalid_request": "test_par_without_pkce_is_invalid_request",
    "PAR with plain PKCE: 400 invalid_request": "test_par_with_plain_pkce_is_invalid_request",
    "code without its verifier: 400 invalid_grant": "test_a_code_without_its_verifier_is_invalid_grant",
    "code with a wrong verifier: 400 invalid_grant": "test_a_code_with_a_wrong_verifier_is_invalid_grant",
    "front-channel parameters without PAR: error page": "test_front_channel_parameters_stay_on_our_error_page",
    "request_uri expired: invalid_request_uri": "test_a_request_uri_that_expired_is_invalid_request_uri",
    "request_uri reused after completion: invalid_request_uri": "test_a_request_uri_used_again_is_invalid_request_uri",
    "request_uri of another client: invalid_request_uri": "test_a_request_uri_of_another_client_is_invalid_request_uri",
    "request_uri inside a PAR body: 400 invalid_request": "test_a_request_uri_inside_a_par_body_is_invalid_request",
    "GET on PAR: 405": "test_get_on_par_is_405",
    "request_uri visited twice before the login: works": "test_a_request_uri_visited_twice_before_the_login_works",
    "redirect_uri missing: 400 invalid_request": "test_a_missing_redirect_uri_is_invalid_request",
    "redirect_uri unregistered: 400 invalid_request": "test_an_unregistered_redirect_uri_is_invalid_request",
    "response_type code id_token: unsupported": "test_response_type_code_id_token_is_unsupported_response_type",
    "response_type token: unsupported_response_type": "test_response_type_token_is_unsupported_response_type",
    "assertion for the token endpoint: invalid_client": "test_assertion_aud_token_endpoint_is_invalid_client",
    "assertion for the PAR endpoint: invalid_client": "test_assertion_aud_par_endpoint_is_invalid_client",
    "assertion with an array as aud: invalid_client": "test_assertion_aud_array_is_invalid_client",
    "assertion five minutes past: invalid_client": "test_assertion_exp_five_minutes_past_is_invalid_client",
    "assertion with iat in the future: invalid_client": "test_assertion_iat_over_a_minute_ahead_is_invalid_client",
    "assertion with nbf in the future: invalid_client": "test_assertion_nbf_over_a_minute_ahead_is_invalid_client",
    "assertion 8 to 10 s ahead: works": "test_assertion_eight_to_ten_seconds_ahead_works",
    "assertion without sub: invalid_client": "test_assertion_without_sub_is_invalid_client",
    "assertion under RS256: invalid_client": "test_assertion_rs256_is_invalid_client",
    "assertion replayed: invalid_client": "test_assertion_replayed_is_invalid_client",
    "code reused after 1 s": "test_a_code_reused_after_a_second_is_invalid_grant_and_ends_what_it_gave",
    "code reused after 60 s": "test_a_code_reused_after_a_minute_is_invalid_grant_and_ends_what_it_gave",
    "code reused by another client": "test_a_code_reused_by_another_client_is_invalid_grant_and_ends_what_it_gave",
    "token request without a proof: invalid_dpop_proof": "test_a_token_request_without_a_proof_is_invalid_dpop_proof",
    "proof by another key than dpop_jkt: invalid_dpop_proof": "test_a_proof_not_of_dpop_jkt_is_invalid_dpop_proof",
    "token request by another key than PAR's: invalid_grant": "test_a_code_under_another_key_is_invalid_grant",
    "long state and nonce: come back intact": "test_a_long_state_comes_back_intact_beside_a_long_nonce",
    "no state: works": "test_no_state_works_and_none_comes_back",
    "deny: access_denied with iss": "test_deny_is_access_denied_with_iss",
    "refresh by another client: invalid_grant": "test_a_refresh_token_of_another_client_is_invalid_grant",
    "refresh by another key: invalid_grant": "test_a_refresh_token_under_another_key_is_invalid_grant",
    "RS: two DPoP headers": HERE + "two_proofs_are_refused",
    "RS: two Authorization headers": HERE + "two_tokens_are_refused",
    "RS: malformed": HERE + "a_malformed_proof_is_refused",
    "RS: no typ": HERE + "a_proof_without_typ_is_refused",
    "RS: no alg": HERE + "a_proof_without_alg_is_refused",
    "RS: no jwk": HERE + "a_proof_without_jwk_is_refused",
    "RS: no jti": HERE + "a_proof_without_jti_is_refused",
    "RS: no htm": HERE + "a_proof_without_htm_is_refused",
    "RS: no htu": HERE + "a_proof_without_htu_is_refused",
    "RS: no iat": HERE + "a_proof_without_iat_is_refused",
    "RS: no ath": HERE + "a_proof_without_ath_is_refused",
    "RS: wrong typ": HERE + "a_proof_of_another_typ_is_refused",
    "RS: alg none": HERE + "a_proof_under_alg_none_is_refused",
    "RS: alg HS*": HERE + "a_proof_under_an_hmac_is_refused",
    "RS: bad signature": HERE + "a_proof_with_a_bad_signature_is_refused",
    "RS: private key in jwk": HERE + "a_proof_that_shows_its_private_key_is_refused",
    "RS: wrong htm": HERE + "a_proof_for_another_method_is_refused",
    "RS: other htu": HERE + "a_proof_for_another_address_is_refused",
    "RS: iat an hour old": HERE + "a_proof_an_hour_old_is_refused",
    "RS: iat an hour ahead": HERE + "a_proof_an_hour_ahead_is_refused",
    "RS: jti reused": HERE + "a_proof_shown_again_is_refused",
    "RS: wrong ath": HERE + "a_proof_for_another_token_is_refused",
    "RS: other key": HERE + "a_proof_by_another_key_is_refused",
    "RS: no proof": HERE + "a_token_without_a_proof_is_refused",
    "RS: Bearer scheme": HERE + "a_token_under_the_bearer_scheme_is_refused",
    "RS accepts htu with the query": HERE + "accepted_htu_with_the_query",
    "RS accepts htu without the query": HERE + "accepted_htu_without_the_query",
    "RS accepts htu in another case of the host": HERE + "accepted_htu_whose_host_is_in_capitals",
    "RS accepts htu with the default port": HERE + "accepted_htu_with_and_without_the_default_port",
    "RS accepts extra claims": HERE + "accepted_extra_claims",
    "RS accepts iat 10 s off": HERE + "accepted_iat_ten_seconds_off_either_way",
    "RS accepts the dpop scheme in any case": HERE + "accepted_scheme_in_any_case",
}
ENDPOINTS = ("/oauth/par", "/oauth/token", "/oauth/introspect", "/oauth/revoke")
OTHER_APP = sample.OTHER_APP


@pytest.fixture
def app(house: Household) -> Party:
    return Party(house)


async def other(app: Party) -> Party:
    """A second registered app, which uses the same proof key."""
    await clients.register(app.house.vault, OTHER_APP, app.house.clock())
    return Party(app.house, OTHER_APP)


# ---------------------------------------------------------------- PKCE


async def test_par_without_pkce_is_invalid_request(app: Party) -> None:
    with nothing_gained(app.house):
        assert refused(await app.push(code_challenge=None), "invalid_request")
        assert refused(await app.push(code_challenge=None, code_challenge_method=None), "invalid_request")


async def test_par_with_plain_pkce_is_invalid_request(app: Party) -> None:
    with nothing_gained(app.house):
        assert refused(await app.push(code_challenge_method="plain", code_challenge="v" * 43), "invalid_request")
        assert refused(await app.push(code_challenge_method=None), "invalid_request")  # which would mean plain


@pytest.mark.parametrize("verifier", [None, ""])
async def test_a_code_without_its_verifier_is_invalid_grant(app: Party, verifier: str | None) -> None:
    code = await app.code()
    with nothing_gained(app.house):
        assert refused(await app.redeem(code, code_verifier=verifier), "invalid_grant")


@pytest.mark.parametrize("verifier", ["b" * 43, sample.CHALLENGE, "short", "é" * 43])
async def test_a_code_with_a_wrong_verifier_is_invalid_grant(app: Party, verifier: str) -> None:
    code = await app.code()
    with nothing_gained(app.house):
        assert refused(await app.redeem(code, code_verifier=verifier), "invalid_grant")


# ---------------------------------------------------------------- requests


async def test_front_channel_parameters_stay_on_our_error_page(app: Party) -> None:
    query = {"client_id": "cultuurgids", "response_type": "code", "redirect_uri": sample.RETURN, "state": "s",
             "code_challenge": sample.CHALLENGE, "code_challenge_method": "S256", "scope": "openid webid"}  # fmt: skip
    own = {"cookie": f"kluis={app.house.cookie}", "accept": "text/html"}
    with nothing_gained(app.house):
        assert on_our_page(await app.house.http.get("/oauth/authorize", params=query, headers=own), "invalid_request")


async def test_a_request_uri_that_expired_is_invalid_request_uri(app: Party) -> None:
    pushed = await app.push()
    app.house.clock.forward(seconds=91)
    with nothing_gained(app.house):
        assert on_our_page(await app.open(pushed), "invalid_request_uri")


@pytest.mark.parametrize("decision", ["allow", "deny"])
async def test_a_request_uri_used_again_is_invalid_request_uri(app: Party, decision: str) -> None:
    pushed = await app.push()
    page = await app.open(pushed)
    assert back(await app.press(page, decision))["state"] == "s"
    with nothing_gained(app.house):
        assert on_our_page(await app.open(pushed), "invalid_request_uri")
        assert on_our_page(await app.press(page), "invalid_request_uri")


async def test_a_request_uri_of_another_client_is_invalid_request_uri(app: Party) -> None:
    pushed, thief = await app.push(), await other(app)
    with nothing_gained(app.house):
        assert on_our_page(await thief.open(pushed), "invalid_request_uri")


async def test_a_request_uri_inside_a_par_body_is_invalid_request(app: Party) -> None:
    earlier = (await app.push()).json()["request_uri"]
    with nothing_gained(app.house):
        for uri in (earlier, "urn:x", "https://evil.example/request.jwt"):
            assert refused(await app.push(request_uri=uri), "invalid_request")


async def test_get_on_par_is_405(app: Party) -> None:
    with nothing_gained(app.house):
        query = {"client_id": "cultuurgids", "response_type": "code"}
        answer = await app.house.http.get("/oauth/par", params=query, headers={"dpop": "x"})
        assert answer.status_code == 405


async def test_a_request_uri_visited_twice_before_the_login_works(app: Party) -> None:
    pushed = await app.push()
    for _ in range(2):  # a browser that looks ahead, a reload
        led = await app.open(pushed, cookie="")
        assert led.status_code == 303
        assert led.headers["location"].startswith("/login?")
    assert back(await app.press(await app.open(pushed)))["code"]


async def test_a_missing_redirect_uri_is_invalid_request(app: Party) -> None:
    with nothing_gained(app.house):
        assert refused(await app.push(redirect_uri=None), "invalid_request")


@pytest.mark.parametrize(
    "uri",
    ["https://evil.example/", sample.RETURN + "/", sample.RETURN + "?x=1", sample.RETURN.upper(), "//evil.example"],
)
async def test_an_unregistered_redirect_uri_is_invalid_request(app: Party, uri: str) -> None:
    with nothing_gained(app.house):
        assert refused(await app.push(redirect_uri=uri), "invalid_request")


async def test_response_type_code_id_token_is_unsupported_response_type(app: Party) -> None:
    with nothing_gained(app.house):
        assert refused(await app.push(response_type="code id_token"), "unsupported_response_type")


async def test_response_type_token_is_unsupported_response_type(app: Party) -> None:
    with nothing_gained(app.house):
        assert refused(await app.push(response_type="token"), "unsupported_response_type")


# ---------------------------------------------------------------- client assertions, at every endpoint that takes one


async def unproven(app: Party, **claims: object) -> bool:
    """Whether an assertion with these claims is refused everywhere, and nothing comes of it."""
    with nothing_gained(app.house):
        for path in ENDPOINTS:
            answer = await app.send(path, assertion=app.assertion(**claims), grant_type="authorization_code", token="x")
            assert refused(answer, "invalid_client", 401), path
    return True


async def test_assertion_aud_token_endpoint_is_invalid_client(app: Party) -> None:
    assert await unproven(app, aud=BASE + "/oauth/token")


async def test_assertion_aud_par_endpoint_is_invalid_client(app: Party) -> None:
    assert await unproven(app, aud=BASE + "/oauth/par")


async def test_assertion_aud_array_is_invalid_client(app: Party) -> None:
    assert await unproven(app, aud=[BASE])
    assert await unproven(app, aud=[BASE, "https://other.example"])


async def test_assertion_exp_five_minutes_past_is_invalid_client(app: Party) -> None:
    at = int(app.house.clock().timestamp())
    assert await unproven(app, exp=at - 300, iat=at - 360)


async def test_assertion_iat_over_a_minute_ahead_is_invalid_client(app: Party) -> None:
    assert await unproven(
        app, iat=int(app.house.clock().timestamp()) + 61, exp=int(app.house.clock().timestamp()) + 120
    )


async def test_assertion_nbf_over_a_minute_ahead_is_invalid_client(app: Party) -> None:
    assert await unproven(app, nbf=int(app.house.clock().timestamp()) + 61)


async def test_assertion_eight_to_ten_seconds_ahead_works(app: Party) -> None:
    at = int(app.house.clock().timestamp())
    for ahead in (8, 9, 10):
        own = app.assertion(iat=at + ahead, nbf=at + ahead)
        assert (await app.push(assertion=own)).status_code == 201


async def test_assertion_without_sub_is_invalid_client(app: Party) -> None:
    assert await unproven(app, sub=None)


async def test_assertion_rs256_is_invalid_client(app: Party) -> None:
    assert await unproven(app, header={"alg": "RS256"})
    assert await unproven(app, header={"alg": "PS256"})


async def test_assertion_replayed_is_invalid_client(app: Party) -> None:
    own = app.assertion()
    assert (await app.push(assertion=own)).status_code == 201
    code = await app.code()
    with nothing_gained(app.house):
        assert refused(await app.push(assertion=own), "invalid_client", 401)
        assert refused(await app.redeem(code, assertion=own), "invalid_client", 401)
        for path in ENDPOINTS[2:]:
            assert refused(await app.send(path, assertion=own, token="x"), "invalid_client", 401)


# ---------------------------------------------------------------- codes, keys, refresh tokens


async def reused(app: Party, who: Party, seconds: int) -> bool:
    """A code shown a second time: refused, and the tokens it gave are dead."""
    code = await app.code()
    got = (await app.redeem(code)).json()
    app.house.clock.forward(seconds=seconds)
    assert refused(await who.redeem(code), "invalid_grant")
    assert await app.dead(got["access_token"])
    assert refused(await app.refresh(got["refresh_token"]), "invalid_grant")
    return True


async def test_a_code_reused_after_a_second_is_invalid_grant_and_ends_what_it_gave(app: Party) -> None:
    assert await reused(app, app, 1)


async def test_a_code_reused_after_a_minute_is_invalid_grant_and_ends_what_it_gave(app: Party) -> None:
    assert await reused(app, app, 60)


async def test_a_code_reused_by_another_client_is_invalid_grant_and_ends_what_it_gave(app: Party) -> None:
    assert await reused(app, await other(app), 1)


async def test_a_token_request_without_a_proof_is_invalid_dpop_proof(app: Party) -> None:
    code = await app.code()
    with nothing_gained(app.house):
        assert refused(await app.redeem(code, headers={}), "invalid_dpop_proof")


async def test_a_proof_not_of_dpop_jkt_is_invalid_dpop_proof(app: Party) -> None:
    with nothing_gained(app.house):
        for jkt in ("x", sample.JKT[:-1], sample.JKT + "A", "é"):
            assert refused(await app.push(dpop_jkt=jkt), "invalid_dpop_proof")
        assert refused(await app.push(headers={}, dpop_jkt=sample.JKT), "invalid_dpop_proof")
    assert (await app.push(dpop_jkt=sample.JKT)).status_code == 201


async def test_a_code_under_another_key_is_invalid_grant(app: Party) -> None:
    code, thief = await app.code(), Party(app.house, key=new_es256())
    with nothing_gained(app.house):
        assert refused(await thief.redeem(code), "invalid_grant")
    assert app.house.told()[-1]["rule"] == "other key"


async def test_a_long_state_comes_back_intact_beside_a_long_nonce(app: Party) -> None:
    state = "".join(chr(33 + number % 94) for number in range(1000)) + "é€"
    pushed = await app.push(state=state, nonce="n" * 1000)
    assert pushed.status_code == 201
    assert back(await app.press(await app.open(pushed)))["state"] == state


async def test_no_state_works_and_none_comes_back(app: Party) -> None:
    said = back(await app.press(await app.open(await app.push(state=None))))
    assert said.keys() == {"code", "iss"}
    assert (await app.redeem(said["code"])).status_code == 200


async def test_deny_is_access_denied_with_iss(app: Party) -> None:
    pushed = await app.push()
    page = await app.open(pushed)
    with nothing_gained(app.house):
        assert back(await app.press(page, "deny")) == {"error": "access_denied", "iss": BASE, "state": "s"}


async def test_a_refresh_token_of_another_client_is_invalid_grant(app: Party) -> None:
    got, thief = await app.allowed(), await other(app)
    with nothing_gained(app.house):
        assert refused(await thief.refresh(got["refresh_token"]), "invalid_grant")
    assert app.house.told()[-1]["rule"] == "other client"
    assert (await app.refresh(got["refresh_token"])).status_code == 200


async def test_a_refresh_token_under_another_key_is_invalid_grant(app: Party) -> None:
    got, thief = await app.allowed(), Party(app.house, key=new_es256())
    with nothing_gained(app.house):
        assert refused(await thief.refresh(got["refresh_token"]), "invalid_grant")
    assert app.house.told()[-1]["rule"] == "other key"
    assert (await app.refresh(got["refresh_token"])).status_code == 200
