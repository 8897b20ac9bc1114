import json
from dataclasses import replace

import pytest

from consent.errors import OAuthError
from consent.oauth.metadata import authorization_server, openid_configuration, protected_resource
from consent.oauth.par import REQUEST_URI, Pushed, check_par, read_front, single
from consent.oauth.rar import granted, read_details
from consent.request import parse
from tests.consent.sample import APP, BASE, CHALLENGE, CREDENTIAL, JKT, NOW, PROOF, RETURN, detail, without

FORM = {
    "response_type": "code",
    "client_id": "cultuurgids",
    "redirect_uri": RETURN,
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
    "state": "s",
    "authorization_details": json.dumps([detail()]),
}
HANDLE = "A" * 22


def push(drop="", client=APP, **changes):
    return check_par(without({**FORM, **changes}, drop), client, PROOF, BASE, NOW)


def refused(code="invalid_request", **rest):
    with pytest.raises(OAuthError) as caught:
        push(**rest)
    return caught.value.code == code


def test_a_good_request_is_kept_with_its_key_and_terms():
    pushed = push()
    assert pushed.jkt == JKT
    assert pushed.terms.purpose_code == "dpv:ProvideEventRecommendations"
    assert Pushed.from_json(json.loads(json.dumps(pushed.to_json()))) == pushed


@pytest.mark.parametrize(
    "changes",
    [
        {"drop": "code_challenge"},
        {"drop": "code_challenge_method"},
        {"code_challenge_method": "plain"},
        {"code_challenge": "a" * 42},
        {"code_challenge": "a" * 44},
        {"drop": "redirect_uri"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": f"{RETURN}?x=1"},
        {"request_uri": REQUEST_URI + HANDLE},
        {"client_id": "other"},
        {"drop": "response_type"},
        {"response_mode": "fragment"},
    ],
)
def test_a_faulty_push_is_refused(changes):
    assert refused(**changes)


@pytest.mark.parametrize("kind", ["token", "code id_token", "none"])
def test_other_response_types_are_refused(kind):
    assert refused("unsupported_response_type", response_type=kind)


def test_a_push_is_bound_to_the_key_of_its_proof():
    assert push(dpop_jkt=JKT).jkt == JKT
    assert refused("invalid_dpop_proof", dpop_jkt="another")


def test_request_objects_other_resources_and_other_clients_are_refused():
    assert refused("request_not_supported", request="e30.e30.")
    assert refused("invalid_target", resource="https://elsewhere.example/")
    assert refused("invalid_target", resource=f"{BASE}.evil.example/")
    assert refused("unauthorized_client", client=CREDENTIAL)
    assert push(resource=f"{BASE}/pods/an/")


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1]", "no", "[" * 20_000, json.dumps([detail(), detail()]), "[NaN]"])
def test_exactly_one_detail_of_our_type_is_needed(text):
    with pytest.raises(OAuthError) as caught:
        read_details(text, APP, BASE, NOW)
    assert caught.value.code == "invalid_authorization_details"
    assert refused("invalid_authorization_details", drop="authorization_details")


def test_a_long_state_comes_back_intact_and_none_is_fine():
    assert push(state="s" * 4000, nonce="n" * 4000).state == "s" * 4000
    assert push(drop="state").state is None


def test_a_parameter_that_comes_twice_is_refused():
    with pytest.raises(OAuthError, match="twice"):
        single([("state", "a"), ("state", "b")])
    assert single([("resource", "a"), ("resource", "b"), ("scope", "")]) == {"resource": "a b"}


def test_the_front_channel_takes_a_pushed_request_and_nothing_else():
    front = [("client_id", "cultuurgids"), ("request_uri", REQUEST_URI + HANDLE)]
    assert read_front(front) == ("cultuurgids", HANDLE)
    with pytest.raises(OAuthError) as caught:
        read_front(list(FORM.items()))
    assert caught.value.code == "invalid_request"
    for uri in ("https://evil.example/x", REQUEST_URI, REQUEST_URI + "../x", REQUEST_URI + HANDLE + "A"):
        with pytest.raises(OAuthError) as caught:
            read_front([("client_id", "cultuurgids"), ("request_uri", uri)])
        assert caught.value.code == "invalid_request_uri"


def test_what_was_granted_is_told_in_the_form_it_was_asked():
    terms = parse(detail(), APP, BASE, NOW)
    (told,) = granted(terms, BASE)
    assert parse(told, APP, BASE, NOW) == terms
    (named,) = granted(replace(terms, pod="youssef"), BASE)
    assert named["locations"] == [f"{BASE}/pods/youssef/"]


def test_the_metadata_documents_agree_with_the_base_address():
    for document in (authorization_server(BASE), openid_configuration(BASE)):
        assert document["issuer"] == BASE
        assert document["code_challenge_methods_supported"] == ["S256"]
        assert all(url.startswith(BASE) for name, url in document.items() if name.endswith("_endpoint"))
    assert protected_resource(BASE)["authorization_servers"] == [BASE]
