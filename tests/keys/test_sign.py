import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from keys import sign as signing
from keys.errors import Damaged, Misuse
from keys.secret import Private
from keys.sign import new_es256, new_signer, sign, sign_es256, signer_public, thumbprint, verify, verify_jws
from keys.text import b64, unb64

# RFC 7515 appendix A.3 and RFC 8037 appendix A.
ES256_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
ES256_INPUT = (
    b"eyJhbGciOiJFUzI1NiJ9."
    b"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
ES256_SIGNATURE = unb64("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
EDDSA_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
EDDSA_INPUT = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
EDDSA_SIGNATURE = unb64("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
RSA_KEY_OF_RFC_7638 = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


def rsa_key(bits, exponent=65537):
    private = rsa.generate_private_key(exponent, bits)
    numbers = private.public_key().public_numbers()
    size = (bits + 7) // 8
    return private, {
        "kty": "RSA",
        "n": b64(numbers.n.to_bytes(size, "big")),
        "e": b64(exponent.to_bytes(3, "big").lstrip(b"\0")),
    }


RSA_PRIVATE, RSA_KEY = rsa_key(2048)
RSA_SIGNATURE = RSA_PRIVATE.sign(b"input", padding.PKCS1v15(), SHA256())


def test_an_ed25519_signature_verifies_and_is_the_one_of_rfc_8032():
    private = Private(unb64("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    assert b64(signer_public(private)) == EDDSA_KEY["x"]
    assert sign(private, EDDSA_INPUT) == EDDSA_SIGNATURE
    verify(signer_public(private), EDDSA_INPUT, EDDSA_SIGNATURE)


def test_none_of_300_changed_ed25519_signatures_verifies():
    private = new_signer()
    public, data = signer_public(private), b"the head of a log"
    good = sign(private, data)
    dice = random.Random(8032)
    for _ in range(300):
        bit = dice.randrange(512)
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        cut = good[: dice.randrange(64)]
        for attempt in ((public, data, bytes(flipped)), (public, data, cut), (public, data + b".", good)):
            with pytest.raises(Damaged):
                verify(*attempt)
    for public in (b"", bytes(31), signer_public(new_signer())):
        with pytest.raises(Damaged):
            verify(public, data, good)


def test_the_signatures_of_the_specifications_verify():
    verify_jws("ES256", ES256_KEY, ES256_INPUT, ES256_SIGNATURE)
    verify_jws("EdDSA", EDDSA_KEY, EDDSA_INPUT, EDDSA_SIGNATURE)
    verify_jws("RS256", RSA_KEY, b"input", RSA_SIGNATURE)


CASES = [
    ("ES256", ES256_KEY, ES256_INPUT, ES256_SIGNATURE),
    ("EdDSA", EDDSA_KEY, EDDSA_INPUT, EDDSA_SIGNATURE),
    ("RS256", RSA_KEY, b"input", RSA_SIGNATURE),
]


@pytest.mark.parametrize(("alg", "key", "data", "signature"), CASES, ids=["ES256", "EdDSA", "RS256"])
def test_no_changed_signature_or_input_of_a_jws_verifies(alg, key, data, signature):
    dice = random.Random(7515)
    for _ in range(300):
        at = dice.randrange(len(signature))
        flipped = signature[:at] + bytes([signature[at] ^ 1 << dice.randrange(8)]) + signature[at + 1 :]
        with pytest.raises(Damaged):
            verify_jws(alg, key, data, flipped)
    for other in (b"", signature[:-1], signature + b"\0", bytes(len(signature)), b"\xff" * len(signature)):
        with pytest.raises(Damaged):
            verify_jws(alg, key, data, other)
    with pytest.raises(Damaged):
        verify_jws(alg, key, data + b" ", signature)


@pytest.mark.parametrize(("alg", "key", "data", "signature"), CASES, ids=["ES256", "EdDSA", "RS256"])
def test_an_algorithm_that_is_not_the_keys_is_refused(alg, key, data, signature):
    for other in (
        "none",
        "None",
        "",
        "HS256",
        "PS256",
        "ES384",
        "ES256K",
        "RS512",
        "Ed25519",
        "ES256",
        "EdDSA",
        "RS256",
    ):
        if other != alg:
            with pytest.raises(Damaged):
                verify_jws(other, key, data, signature)
    for member in ({"alg": "PS256"}, {"use": "enc"}, {"alg": "none"}):
        with pytest.raises(Damaged):
            verify_jws(alg, {**key, **member}, data, signature)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_key_with_a_private_member_is_refused(member):
    for alg, key, data, signature in CASES:
        with pytest.raises(Damaged):
            verify_jws(alg, {**key, member: "AQ"}, data, signature)


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "oct"},
        {"kty": None},
        {"kty": ["EC"]},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"x": None},
        {"x": 7},
        {"x": ""},
        {"x": "AA"},
        {"x": ES256_KEY["y"]},
        {"x": ES256_KEY["x"] + "="},
        {"x": "AA" + ES256_KEY["x"]},
        {"x": ES256_KEY["x"][:-1] + "V"},
        {"y": "!" * 43},
    ],
    ids=str,
)
def test_a_malformed_key_or_a_point_off_the_curve_is_refused(change):
    with pytest.raises(Damaged):
        verify_jws("ES256", {**ES256_KEY, **change}, ES256_INPUT, ES256_SIGNATURE)


@pytest.mark.parametrize(("bits", "exponent"), [(1024, 65537), (2048, 3)], ids=["1024 bits", "exponent 3"])
def test_a_weak_rsa_key_is_refused(bits, exponent):
    private, key = rsa_key(bits, exponent)
    with pytest.raises(Damaged):
        verify_jws("RS256", key, b"input", private.sign(b"input", padding.PKCS1v15(), SHA256()))


def test_a_padded_rsa_pss_signature_is_refused():
    pss = RSA_PRIVATE.sign(b"input", padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
    with pytest.raises(Damaged):
        verify_jws("RS256", RSA_KEY, b"input", pss)


def test_a_der_signature_is_no_es256_signature():
    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "x": b64(point.x.to_bytes(32, "big")), "y": b64(point.y.to_bytes(32, "big"))}
    with pytest.raises(Damaged):
        verify_jws("ES256", jwk, b"input", key.sign(b"input", ec.ECDSA(SHA256())))


def test_every_check_is_counted_also_a_failed_one():
    before = signing.verifications
    verify_jws("ES256", ES256_KEY, ES256_INPUT, ES256_SIGNATURE)
    with pytest.raises(Damaged):
        verify_jws("ES256", ES256_KEY, ES256_INPUT, bytes(64))
    assert signing.verifications == before + 2


def test_the_thumbprints_of_the_specifications_come_out():
    assert thumbprint(RSA_KEY_OF_RFC_7638) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert thumbprint(EDDSA_KEY) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    with pytest.raises(Damaged):
        thumbprint({"kty": "EC", "crv": "P-256", "x": "AA"})


def test_a_new_es256_key_signs_what_its_public_half_verifies():
    private = new_es256()
    public = {name: private[name] for name in private if name != "d"}
    assert private["kid"] == thumbprint(public)
    signature = sign_es256(private, b"data")
    assert len(signature) == 64
    verify_jws("ES256", public, b"data", signature)
    with pytest.raises(Misuse):
        sign_es256(public, b"data")
    with pytest.raises(Misuse):
        sign_es256({**private, "d": new_es256()["d"]}, b"data")
