import json
from dataclasses import replace
from datetime import timedelta

import pytest
from joserfc import jws as joserfc_jws, jwt as joserfc_jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from consent.errors import OAUTH_CODES, OAuthError
from consent.oauth.tokens import SolidToken, make_token, verify_token
from consent.receipts import Notice, digest, issue, open_receipt, receipt
from consent.request import choose
from keys.sign import new_es256
from keys.text import canonical
from tests.consent.sample import BASE, JKT, NOW, compact, public, terms

KEY = new_es256()
JWKS = [public(new_es256()), public(KEY)]
AT = int(NOW.timestamp())
TOKEN = SolidToken(BASE, f"{BASE}/pods/an/profile/card#me", "app", AT, AT + 300, JKT, "j", "g" * 22, 3)


def refused(text, now=NOW, issuer=BASE, jwks=JWKS):
    with pytest.raises(OAuthError) as caught:
        verify_token(text, jwks, issuer, now)
    return caught.value.code == "invalid_token"


def test_a_token_of_ours_is_read_back_by_us_and_by_another_library():
    text = make_token(TOKEN, KEY)
    assert verify_token(text, JWKS, BASE, NOW) == TOKEN
    other = joserfc_jwt.decode(text, ECKey.import_key(public(KEY)), algorithms=["ES256"])
    assert other.header["typ"] == "at+jwt"
    assert other.claims["cnf"] == {"jkt": JKT}
    assert other.claims["webid"] == TOKEN.webid
    assert other.claims["aud"] == "solid"


def test_a_token_lives_five_minutes_and_its_end_is_past_it():
    text = make_token(TOKEN, KEY)
    assert verify_token(text, JWKS, BASE, NOW + timedelta(seconds=299))
    assert refused(text, now=NOW + timedelta(seconds=300))
    with pytest.raises(ValueError, match="300"):
        make_token(replace(TOKEN, exp=AT + 301), KEY)


def test_a_token_of_another_issuer_key_or_type_is_refused():
    text = make_token(TOKEN, KEY)
    assert refused(text, issuer="https://other.example")
    assert refused(text, jwks=JWKS[:1])
    assert refused(make_token(TOKEN, {**new_es256(), "kid": KEY["kid"]}))
    claims = json.loads(joserfc_jws.deserialize_compact(text, ECKey.import_key(public(KEY)), ["ES256"]).payload)
    assert refused(compact({"alg": "ES256", "kid": KEY["kid"], "typ": "JWT"}, claims, KEY))
    assert refused(compact({"alg": "none", "kid": KEY["kid"], "typ": "at+jwt"}, claims, KEY))
    for change in ({"aud": "other"}, {"exp": "late"}, {"cnf": {}}, {"cnf": 1}, {"epoch": True}, {"webid": None}):
        assert refused(compact({"alg": "ES256", "kid": KEY["kid"], "typ": "at+jwt"}, {**claims, **change}, KEY))
    for garbage in ("", "a.b.c", "é.é.é", text[:-2], text + ".x"):
        assert refused(garbage)


def test_a_receipt_is_verified_by_another_library_and_says_what_was_given():
    given = choose(terms(), set(), "P1M", NOW)
    sealed = issue(KEY, given, "g" * 22, "given", NOW, Notice("d" * 43))
    other = joserfc_jws.deserialize_compact(sealed.jws, ECKey.import_key(public(KEY)), algorithms=["ES256"])
    assert other.payload == canonical(dict(sealed.document))
    assert open_receipt(sealed.jws, public(KEY)) == sealed.document
    (processing,) = sealed.document["pii_processing"]
    assert processing["purpose_type"] == "dpv:ProvideEventRecommendations"
    assert [row["pii_type"] for row in processing["pii_information"]] == ["pd:Interest"]
    assert sealed.document["event"]["event_state"] == "dpv:ConsentGiven"
    assert sealed.document["event"]["event_time"] == "2026-11-21T12:00:00.000Z"


def test_a_changed_receipt_or_another_kind_of_text_never_opens():
    sealed = issue(KEY, terms(), "g" * 22, "withdrawn", NOW)
    with pytest.raises(OAuthError):
        open_receipt(sealed.jws, public(new_es256()))
    with pytest.raises(OAuthError):
        open_receipt(make_token(TOKEN, KEY), public(KEY))
    head, _, mac = sealed.jws.split(".")
    forged = issue(new_es256(), terms(), "h" * 22, "withdrawn", NOW).jws.split(".")[1]
    with pytest.raises(BadSignatureError):
        joserfc_jws.deserialize_compact(f"{head}.{forged}.{mac}", ECKey.import_key(public(KEY)), algorithms=["ES256"])
    with pytest.raises(OAuthError):
        open_receipt(f"{head}.{forged}.{mac}", public(KEY))


def test_both_copies_of_a_receipt_have_one_digest():
    one, two = (receipt(terms(), "g" * 22, "given", NOW) for _ in range(2))
    assert digest(one) == digest(json.loads(json.dumps(two)))
    assert digest(one) != digest(receipt(terms(), "g" * 22, "withdrawn", NOW))


def test_a_receipt_holds_terms_and_never_resources_by_name():
    row = {"category": "kluis:LibraryLoan", "necessity": "required"}
    secret = f"{BASE}/pods/an/loans/het-verdriet.jsonld"
    made = receipt(terms(datatypes=[{**row, "resources": [secret]}]), "g" * 22, "given", NOW)
    assert "verdriet" not in json.dumps(made)


def test_errors_have_registered_codes_only():
    with pytest.raises(ValueError, match="not an OAuth error code"):
        OAuthError("made_up", "x")
    assert all(OAuthError(code, "x").code == code for code in OAUTH_CODES)
