import json
from datetime import timedelta
from hashlib import sha256

import pytest
from joserfc import jws as joserfc_jws
from joserfc.jwk import OKPKey, RSAKey

from consent.errors import OAuthError
from consent.oauth.dpop import RAR_ALGS, SOLID_ALGS, check_proof, normal_url, shown_token
from keys import sign
from keys.sign import new_es256, thumbprint
from keys.text import b64, unb64
from tests.consent.sample import JKT, NOW, PROOF_KEY, compact, public, without

URL = "http://localhost:8400/pods/an/loans/x.jsonld"
TOKEN = b"kat1_handle.secret"
ATH = b64(sha256(TOKEN).digest())


def proof(drop="", drop_head="", key=PROOF_KEY, header=None, **changes):
    head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public(key), **(header or {})}
    claims = {"jti": "j1", "htm": "GET", "htu": URL, "iat": int(NOW.timestamp()), "ath": ATH, **changes}
    return compact(without(head, drop_head), without(claims, drop), key).encode()


def check(*values, jkt=JKT, now=NOW, algs=RAR_ALGS, url=URL):
    return check_proof(list(values), "GET", url, now, TOKEN, jkt, algs)


def refused(*values, **rest):
    with pytest.raises(OAuthError) as caught:
        check(*values, **rest)
    return caught.value.code == "invalid_dpop_proof"


def test_a_good_proof_names_its_key_and_what_to_remember():
    good = check(proof())
    assert good.jkt == JKT
    assert good.jti_hash == sha256(f"{JKT}|j1".encode()).digest()
    assert good.until >= (NOW.timestamp() + 60) * 1000


def test_no_proof_and_two_proofs_are_refused():
    assert refused()
    assert refused(proof(), proof(jti="j2"))


@pytest.mark.parametrize("garbage", [b"", b"a.b", b"....", b"\xff\xfe.a.b", b"e30.e30.", b"e30=.e30.AA", b"a" * 9000])
def test_a_malformed_proof_is_refused(garbage):
    assert refused(garbage)


@pytest.mark.parametrize("part", ["typ", "alg", "jwk"])
def test_a_proof_without_a_header_member_is_refused(part):
    assert refused(proof(drop_head=part))


@pytest.mark.parametrize("part", ["jti", "htm", "htu", "iat", "ath"])
def test_a_proof_without_a_claim_is_refused(part):
    assert refused(proof(drop=part))


@pytest.mark.parametrize(
    "header", [{"typ": "jwt"}, {"alg": "none"}, {"alg": "HS256"}, {"alg": "ES384"}, {"crit": ["x"]}]
)
def test_a_wrong_type_or_algorithm_is_refused(header):
    assert refused(proof(header=header))


def test_a_bad_signature_is_refused():
    head, body, mac = proof().split(b".")
    swapped = (b"A" if mac[:1] != b"A" else b"B") + mac[1:]
    assert refused(b".".join((head, body, swapped)))
    assert refused(b".".join((head, body, b"")))


def test_a_private_key_in_the_proof_is_refused():
    assert refused(proof(header={"jwk": PROOF_KEY}))


@pytest.mark.parametrize(
    "changes",
    [
        {"htm": "POST"},
        {"htm": "get"},
        {"htu": "http://localhost:8400/pods/an/loans/y.jsonld"},
        {"htu": "http://localhost:8400/pods/an/loans/x.jsonld/"},
        {"htu": "https://localhost:8400/pods/an/loans/x.jsonld"},
        {"htu": "http://localhost:8401/pods/an/loans/x.jsonld"},
        {"htu": "http://an@localhost:8400/pods/an/loans/x.jsonld"},
        {"htu": "/pods/an/loans/x.jsonld"},
        {"htu": "http://[broken"},
        {"htu": 7},
        {"ath": b64(sha256(b"another").digest())},
        {"ath": "é"},
        {"ath": None},
        {"jti": ""},
        {"jti": "j" * 300},
        {"jti": "a\u0000b"},
        {"jti": 7},
        {"iat": "now"},
        {"iat": True},
        {"iat": 10**400},
    ],
)
def test_a_proof_for_something_else_is_refused(changes):
    assert refused(proof(**changes))


@pytest.mark.parametrize("seconds", [-3600, -61, 61, 3600])
def test_an_old_or_early_proof_is_refused(seconds):
    assert refused(proof(iat=int(NOW.timestamp()) + seconds))


@pytest.mark.parametrize("seconds", [-10, 0, 10])
def test_a_proof_a_few_seconds_off_is_accepted(seconds):
    assert check(proof(iat=int(NOW.timestamp()) + seconds))


def test_a_proof_is_remembered_for_as_long_as_it_could_be_shown_again():
    early = check(proof(iat=int(NOW.timestamp()) + 60))
    last = NOW + timedelta(seconds=120)
    assert check(proof(iat=int(NOW.timestamp()) + 60), now=last)
    assert last.timestamp() * 1000 < early.until


def test_a_proof_by_another_key_is_refused_before_any_signature_is_checked():
    before = sign.verifications
    assert refused(proof(key=new_es256()))
    assert sign.verifications == before


def test_one_good_proof_costs_one_signature_check():
    before = sign.verifications
    check(proof())
    assert sign.verifications == before + 1


@pytest.mark.parametrize(
    "htu",
    [
        URL + "?a=b",
        URL + "#part",
        "HTTP://LocalHost:8400/pods/an/loans/x.jsonld",
        "http://localhost:8400/pods/%61n/loans/x.jsonld",
    ],
)
def test_other_spellings_of_the_same_address_are_accepted(htu):
    assert check(proof(htu=htu))
    assert check(proof(), url=URL + "?a=b")


def test_a_default_port_may_be_written_or_not():
    assert normal_url("https://kluis.example:443") == normal_url("https://KLUIS.example/")
    assert normal_url("http://a.example:80/b") == normal_url("http://a.example/b")
    assert normal_url("http://a.example/b%2fc") != normal_url("http://a.example/b/c")


def test_extra_claims_are_accepted():
    assert check(proof(colour="blue"))


def test_a_duplicate_member_is_refused():
    head, body, _ = proof().decode().split(".")
    twice = unb64(body).decode().replace('"htm": "GET"', '"htm": "POST", "htm": "GET"')
    signing_input = f"{head}.{b64(twice.encode())}"
    signed = f"{signing_input}.{b64(sign.sign_es256(PROOF_KEY, signing_input.encode()))}"
    assert json.loads(twice)["htm"] == "GET"
    assert refused(signed.encode())


def test_plain_solid_clients_may_use_rs256_and_apps_may_not():
    key = RSAKey.generate_key(2048)
    head = {"typ": "dpop+jwt", "alg": "RS256", "jwk": key.as_dict(private=False)}
    claims = {"jti": "j1", "htm": "GET", "htu": URL, "iat": int(NOW.timestamp()), "ath": ATH}
    shown = joserfc_jws.serialize_compact(head, json.dumps(claims), key, algorithms=["RS256"]).encode()
    jkt = thumbprint(key.as_dict(private=False))
    assert check(shown, jkt=jkt, algs=SOLID_ALGS).jkt == jkt
    assert refused(shown, jkt=jkt)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 renames it; clients still send the old name
def test_eddsa_proofs_of_another_implementation_are_accepted():
    key = OKPKey.generate_key("Ed25519")
    head = {"typ": "dpop+jwt", "alg": "EdDSA", "jwk": key.as_dict(private=False)}
    claims = {"jti": "j1", "htm": "GET", "htu": URL, "iat": int(NOW.timestamp()), "ath": ATH}
    shown = joserfc_jws.serialize_compact(head, json.dumps(claims), key, algorithms=["EdDSA"]).encode()
    assert check(shown, jkt=None).jkt == key.thumbprint()


@pytest.mark.parametrize("scheme", [b"DPoP", b"dpop", b"DPOP"])
def test_the_scheme_is_read_in_any_case(scheme):
    assert shown_token([scheme + b" " + TOKEN]) == TOKEN


@pytest.mark.parametrize("values", [[b"Bearer " + TOKEN], [b"DPoP"], [b"DPoP a b"], [b"DPoP a", b"DPoP a"], [b""]])
def test_every_other_way_to_show_a_token_is_refused(values):
    with pytest.raises(OAuthError, match="invalid_token"):
        shown_token(values)


def test_no_authorization_header_is_no_token():
    assert shown_token([]) is None
