import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from authlib.oauth2.rfc6749 import AuthorizationServer

from consent.errors import CodeReused, OAuthError
from consent.oauth.server import CodeFacts, RefreshFacts, decide_token
from keys.text import b64
from tests.consent.sample import (
    APP,
    APP_KEY,
    CHALLENGE,
    CREDENTIAL,
    JKT,
    NOW,
    OTHER_APP,
    PROOF,
    RETURN,
    SECRET,
    VERIFIER,
    assertion,
    token_request,
)

HANDLE = b"h" * 16
CODE = CodeFacts(HANDLE, "cultuurgids", RETURN, CHALLENGE, JKT, int(NOW.timestamp() * 1000) + 60_000)
REFRESH = RefreshFacts(HANDLE, "cultuurgids", JKT, int(NOW.timestamp() * 1000) + 1)
SHOWN = f"kac1_{b64(HANDLE)}.{'s' * 43}"
EXCHANGE = {
    "grant_type": "authorization_code",
    "code": SHOWN,
    "redirect_uri": RETURN,
    "code_verifier": VERIFIER,
}
BASIC = "Basic " + base64.b64encode(f"{CREDENTIAL.client_id}:{SECRET}".encode()).decode()
OTHER = assertion(iss="other", sub="other")


def exchange(code=CODE, client=APP, proof=PROOF, now=NOW, drop="", assert_=None, **form):
    return decide_token(token_request(drop, assert_=assert_, **{**EXCHANGE, **form}), client, code, None, proof, now)


def refresh(known=REFRESH, client=APP, proof=PROOF, assert_=None, **form):
    request = token_request(grant_type="refresh_token", refresh_token=f"krt1_{b64(HANDLE)}.{'s' * 43}", assert_=assert_)
    return decide_token(replace(request, form={**request.form, **form}), client, None, known, proof, NOW)


def refused(step, expected="invalid_grant", **rest):
    with pytest.raises(OAuthError) as caught:
        step(**rest)
    return caught.value.code == expected


def test_a_code_gives_a_token_once_everything_fits():
    done = exchange()
    assert (done.kind, done.include_refresh) == ("code", True)
    assert done.authenticated.assertion is not None


@pytest.mark.parametrize("verifier", ["b" * 43, "short", "a" * 42 + "!", "a" * 129])
def test_a_wrong_verifier_is_refused(verifier):
    assert refused(exchange, code_verifier=verifier)


def test_a_missing_verifier_is_refused():
    assert refused(exchange, drop="code_verifier")


def test_a_code_is_bound_to_its_redirect_uri():
    assert refused(exchange, redirect_uri=f"{RETURN}/")
    assert refused(exchange, drop="redirect_uri")


def test_a_code_works_for_its_own_client_only():
    assert refused(exchange, client=OTHER_APP, assert_=OTHER)


def test_a_code_works_with_its_own_key_only():
    assert refused(exchange, proof=replace(PROOF, jkt="another"))


def test_a_request_without_a_proof_is_refused():
    with pytest.raises(OAuthError) as caught:
        decide_token(token_request(**EXCHANGE), APP, CODE, None, None, NOW)
    assert caught.value.code == "invalid_dpop_proof"


def test_a_code_lives_sixty_seconds_and_not_one_more():
    assert exchange(now=NOW + timedelta(seconds=59), assert_=None)
    late = assertion(exp=int(NOW.timestamp()) + 600)
    assert refused(exchange, now=NOW + timedelta(seconds=60), assert_=late)


@pytest.mark.parametrize(("client", "shown"), [(APP, None), (OTHER_APP, OTHER)])
def test_a_code_shown_again_is_told_apart_so_that_what_it_gave_is_revoked(client, shown):
    used = replace(CODE, used=True)
    with pytest.raises(CodeReused) as caught:
        exchange(code=used, client=client, assert_=shown)
    assert caught.value.code == "invalid_grant"


def test_an_unknown_code_is_refused_after_the_client_proved_itself():
    assert refused(exchange, code=None)
    assert refused(exchange, "invalid_client", code=None, assert_=assertion(key={**APP_KEY, "kid": "none"}))
    assert refused(exchange, "invalid_request", drop="code")


def test_a_refresh_token_gives_one_more_access_token_and_no_new_refresh_token():
    done = refresh()
    assert (done.kind, done.include_refresh) == ("refresh", False)


def test_a_refresh_token_of_another_client_or_key_or_time_is_refused():
    assert refused(refresh, client=OTHER_APP, assert_=OTHER)
    assert refused(refresh, proof=replace(PROOF, jkt="another"))
    assert refused(refresh, known=replace(REFRESH, expires=int(NOW.timestamp() * 1000)))
    assert refused(refresh, known=None)


def test_nothing_wider_can_be_asked_at_the_token_endpoint():
    assert refused(refresh, "invalid_authorization_details", authorization_details="[]")
    assert refused(exchange, "invalid_authorization_details", authorization_details="[]")
    assert refused(refresh, "invalid_scope", scope="webid")


@pytest.mark.parametrize("kind", ["password", "urn:ietf:params:oauth:grant-type:token-exchange", ""])
def test_other_grant_types_do_not_exist(kind):
    assert refused(exchange, "unsupported_grant_type", grant_type=kind)


def credentials(client=CREDENTIAL, **form):
    request = token_request(basic=BASIC, grant_type="client_credentials", **form)
    return decide_token(request, client, None, None, PROOF, NOW)


def test_a_credential_of_a_person_gives_a_webid_token():
    done = credentials(scope="webid")
    assert (done.kind, done.scope, done.include_refresh) == ("client_credentials", "webid", False)
    assert credentials().scope == "webid"


def test_a_credential_cannot_ask_for_other_scopes_and_an_app_cannot_use_it():
    assert refused(credentials, "invalid_scope", scope="everything")
    assert refused(credentials, "unauthorized_client", client=replace(CREDENTIAL, webid=""))
    assert refused(exchange, "unauthorized_client", grant_type="client_credentials")


def test_authlib_never_sees_a_secret(monkeypatch):
    seen = []
    original = AuthorizationServer.create_token_response

    def watch(self, request=None):
        plain = self.create_oauth2_request(request)
        seen.append(repr((vars(plain), plain.form, plain.payload.data, plain.headers)))
        return original(self, request)

    monkeypatch.setattr(AuthorizationServer, "create_token_response", watch)
    exchange()
    refresh()
    credentials()
    assert len(seen) == 3
    assert all("s" * 43 not in text and SECRET not in text and "client_assertion'" not in text for text in seen)
