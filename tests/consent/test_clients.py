import base64
from dataclasses import replace

import pytest

from consent.errors import OAuthError
from consent.oauth.clients import Client, Registration, check_assertion
from consent.oauth.registration import check_client, clean_name, safe_redirect, shown_host
from consent.oauth.server import authenticate, claimed
from keys.sign import new_es256
from tests.consent.sample import (
    APP,
    APP_KEY,
    BASE,
    CREDENTIAL,
    NOW,
    OTHER_APP,
    SECRET,
    TEXT,
    assertion,
    public,
    token_request,
)

AT = int(NOW.timestamp())


def refused(request, client=APP, code="invalid_client"):
    with pytest.raises(OAuthError) as caught:
        authenticate(request, client, NOW)
    return caught.value.code == code


def basic(user=CREDENTIAL.client_id, secret=SECRET):
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()


def test_a_client_proves_itself_by_its_key():
    done = authenticate(token_request(), APP, NOW)
    assert (done.client, done.method) == (APP, "private_key_jwt")
    assert done.assertion is not None
    assert done.assertion.until > (AT + 60) * 1000
    assert claimed(token_request()) == "cultuurgids"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": f"{BASE}/oauth/token"},
        {"aud": f"{BASE}/oauth/par"},
        {"aud": f"{BASE}/"},
        {"aud": [BASE]},
        {"aud": None},
        {"exp": AT - 300},
        {"exp": AT},
        {"exp": AT + 86400},
        {"exp": "soon"},
        {"iat": AT + 61},
        {"nbf": AT + 61},
        {"nbf": "now"},
        {"iss": "someone"},
        {"jti": ""},
        {"jti": 5},
    ],
)
def test_a_faulty_assertion_is_refused(changes):
    assert refused(token_request(assert_=assertion(**changes)))


@pytest.mark.parametrize("claim", ["sub", "iss", "aud", "exp", "jti"])
def test_an_assertion_without_a_claim_is_refused(claim):
    assert refused(token_request(assert_=assertion(drop=claim)))


@pytest.mark.parametrize("changes", [{"iat": AT + 8}, {"nbf": AT + 10}, {"extra": 1}])
def test_a_clock_a_few_seconds_ahead_is_accepted(changes):
    assert authenticate(token_request(assert_=assertion(**changes)), APP, NOW)


@pytest.mark.parametrize(
    "header", [{"alg": "RS256"}, {"alg": "none"}, {"alg": "HS256"}, {"alg": 7}, {"kid": "unknown"}]
)
def test_other_algorithms_and_unknown_keys_are_refused(header):
    assert refused(token_request(assert_=assertion(header=header)))


def test_an_assertion_by_another_key_is_refused():
    stranger = {**new_es256(), "kid": APP_KEY["kid"]}
    assert refused(token_request(assert_=assertion(key=stranger)))


def test_the_same_assertion_has_the_same_name_and_another_one_has_not():
    first = check_assertion(assertion(), APP, BASE, NOW)
    assert first.jti_hash == check_assertion(assertion(), APP, BASE, NOW).jti_hash
    assert first.jti_hash != check_assertion(assertion(jti="two"), APP, BASE, NOW).jti_hash


def test_a_form_that_names_another_client_is_refused():
    assert refused(token_request(client_id="other"))
    assert refused(token_request(), client=OTHER_APP)
    assert refused(token_request(), client=None)


def test_no_authentication_and_two_at_once_are_refused():
    assert refused(token_request(drop="client_assertion"))
    assert refused(token_request(client_assertion_type="password"))
    both = replace(token_request(), headers={"authorization": basic()})
    assert refused(both, client=CREDENTIAL)


def test_a_credential_proves_itself_by_its_secret_and_only_by_it():
    assert authenticate(token_request(basic=basic()), CREDENTIAL, NOW).method == "client_secret_basic"
    for wrong in (basic(secret="y" * 43), basic(secret=""), basic(user="other"), "Basic é", "Basic !!", "Basic eA=="):
        assert refused(token_request(basic=wrong), client=CREDENTIAL)
    assert refused(token_request(basic=basic(user=APP.client_id)), client=APP)


def test_a_client_survives_storage_and_keeps_its_digest():
    stored = Client.from_json(APP.to_json())
    assert stored == APP
    assert stored.digest() == APP.digest()
    assert Client.from_json(CREDENTIAL.to_json()) == CREDENTIAL
    assert "x" * 43 not in repr(CREDENTIAL.to_json())


@pytest.mark.parametrize("change", [{"name": "Other"}, {"redirect_uris": ("https://evil.example/",)}, {"purposes": ()}])
def test_whatever_a_citizen_decided_about_changes_the_digest(change):
    assert replace(APP, **change).digest() != APP.digest()


def test_names_that_mix_look_alike_scripts_are_refused():
    with pytest.raises(OAuthError, match="mixes"):
        clean_name("Stаd Antwerpen")  # the second letter is Cyrillic
    assert clean_name("Антверпен") == "Антверпен"


def test_direction_and_invisible_characters_are_dropped():
    assert clean_name("Cul\u200btuur\u202egids\u2066\ufeff") == "Cultuurgids"
    with pytest.raises(OAuthError):
        clean_name("\u200b\u202e")


def test_international_hosts_are_shown_in_ascii():
    assert shown_host("https://stаd.example/").startswith("xn--")


@pytest.mark.parametrize("uri", ["https://a.example/b", "http://127.0.0.1:8401/back", "http://[::1]:9/x"])
def test_safe_redirects_are_accepted(uri):
    assert safe_redirect(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "http://a.example/b",
        "https://a.example/b#c",
        "https://user@a.example/",
        "javascript:alert(1)",
        "https:///b",
        "/back",
        "https://a.example\\@b.example/",
        "http://127.0.0.1.evil.example/",
        "https://win,een,prijs!/",
        "https://[x",
    ],
)
def test_unsafe_redirects_are_refused(uri):
    with pytest.raises(OAuthError) as caught:
        check_client(replace(APP, redirect_uris=(uri,)))
    assert caught.value.code == "invalid_redirect_uri"


@pytest.mark.parametrize(
    "change",
    [
        {"jwks": ()},
        {"jwks": (APP_KEY,)},
        {"jwks": ({"kty": "oct", "k": "AAAA"},)},
        {"jwks": ({"kty": "EC"},)},
        {"purposes": ()},
        {"purposes": APP.purposes * 8},
        {"controller": "stad"},
        {"controller": "http://["},
        {"controller": "urn:stad:gratis-prijs"},
        {"controller": "https://gratis prijs/"},
        {"controller": "https://gratis,prijs!/"},
        {"controller": "https://a.example/" + "x" * 300},
        {"purposes": (Registration("dpv:ProvideEventRecommendations", "1", {**TEXT, "n\n": "x"}, ("pd:Interest",)),)},
        {"purposes": (Registration("dpv:ProvideEventRecommendations", "1 2", TEXT, ("pd:Interest",)),)},
        {"purposes": (Registration("dpv:ProvideEventRecommendations", "1" * 41, TEXT, ("pd:Interest",)),)},
        {"purposes": (Registration("dpv:WorldDomination", "1", TEXT, ("pd:Interest",)),)},
        {"purposes": (Registration("dpv:TargetedAdvertising", "1", TEXT, ("kluis:LibraryLoan",)),)},
        {"purposes": (Registration("dpv:ProvideEventRecommendations", "1", TEXT, ("kluis:Nothing",)),)},
        {"purposes": (Registration("dpv:ProvideEventRecommendations", "1", {"en": "x"}, ("pd:Interest",)),)},
        {"purposes": (Registration("dpv:ProvideEventRecommendations", "1", {"nl": "x" * 301}, ("pd:Interest",)),)},
        {"purposes": (Registration("dpv:ProvideEventRecommendations", "1", {"nl": "Grаtis"}, ("pd:Interest",)),)},
    ],
)
def test_an_app_that_cannot_be_shown_honestly_is_not_registered(change):
    with pytest.raises(OAuthError) as caught:
        check_client(replace(APP, **change))
    assert caught.value.code == "invalid_client_metadata"


@pytest.mark.parametrize("asked", [(), ("kluis:Nothing",), ("kluis:SocialTariff", "pd:Interest")])
def test_whoever_names_a_wrong_category_reads_which_ones_the_purpose_may_have(asked):
    wrong = replace(APP, purposes=(Registration("dpv:ProvideEventRecommendations", "1", TEXT, asked),))
    with pytest.raises(OAuthError) as caught:
        check_client(wrong)
    told = caught.value.description
    assert "pd:Interest" in told and "kluis:LibraryLoan" in told and "SocialTariff" not in told


def test_an_honest_app_is_registered_as_it_is():
    assert check_client(APP) == APP
    assert check_client(replace(APP, jwks=(public(new_es256()),)))


GOOD = public(APP_KEY)


@pytest.mark.parametrize(
    "key",
    [
        {**GOOD, "x": GOOD["y"], "y": GOOD["x"]},
        {**GOOD, "x": "AAAA"},
        {**GOOD, "x": GOOD["x"] + "="},
        {**GOOD, "x": "é" * 43},
        {**GOOD, "crv": "P-384"},
        {**GOOD, "use": "enc"},
        {**GOOD, "alg": "RS256"},
        {**GOOD, "d": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "OKP", "crv": "X25519", "x": GOOD["x"]},
        {},
    ],
)
def test_an_app_whose_keys_cannot_be_used_is_not_registered(key):
    with pytest.raises(OAuthError) as caught:
        check_client(replace(APP, jwks=(GOOD, key)))
    assert caught.value.code == "invalid_client_metadata"


def test_a_key_that_can_be_used_is_registered():
    ed25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert check_client(replace(APP, jwks=(GOOD, ed25519))).jwks == (GOOD, ed25519)


@pytest.mark.parametrize("name", ["\ud800", "a\0b", "cultuurgids\n"])
def test_an_assertion_in_a_name_that_no_client_can_have_is_refused_before_any_look_up(name):
    with pytest.raises(OAuthError) as caught:
        claimed(token_request(assert_=assertion(sub=name, iss=name)))
    assert caught.value.code == "invalid_client"
