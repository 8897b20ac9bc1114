"""Published vectors against our own functions where one exposes the primitive, else the primitive as we call it.

The whole of each file that fits our use: a nonce of 96 bits, a tag of 128, keys of 256, Ed25519, P-256 with SHA-256.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keys.dropbox import _SUITE, public_of
from keys.errors import KeysError
from keys.secret import Private, Secret, hkdf
from keys.sign import sign, signer_public, verify, verify_jws
from keys.text import b64
from keys.unseal import unseal
from tests.keys import vectors
from tests.keys.vectors import unhex
from tests.proof import figure, proving

HELD: Counter[str] = Counter()
BROKEN: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def _counted() -> Any:
    """In a proof: how many cases there were and how many did not hold."""
    yield
    figure("K6a", len(BROKEN), sum(HELD.values()) + len(BROKEN))


def every(name: str, fewest: int, cases: list[bool]) -> None:
    """All cases of a file must hold, and there must be as many as we know of: an empty loop proves nothing."""
    HELD[name] += sum(cases)
    BROKEN.extend([name] * (len(cases) - sum(cases)))
    assert len(cases) >= fewest and all(cases), f"{name}: {sum(cases)} of {len(cases)}"


def opens(opening: Callable[[], bytes], expected: bytes | None) -> bool:
    """Whether it opens to what is expected, None meaning that it must not open."""
    try:
        return opening() == expected
    except (InvalidTag, KeysError):
        return expected is None


def verifies(check: Callable[[], None]) -> bool:
    try:
        check()
    except KeysError:
        return False
    return True


def test_the_vectors_are_those_of_the_library_we_run() -> None:
    assert version("cryptography_vectors") == version("cryptography")


def into(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    """As `keys.unseal` opens a chunk: straight into a buffer, the nonce 12 bytes."""
    out = bytearray(len(sealed) - 16)
    AESGCM(memoryview(bytearray(key))).decrypt_into(nonce, sealed, aad or None, out)
    return bytes(out)


def test_aes_256_gcm() -> None:
    cases = []
    for case in vectors.gcm("gcmDecrypt256.rsp"):
        key, iv, sealed, aad, tag, plain = unhex(case, "key", "iv", "ct", "aad", "tag", "pt")
        cases.append(opens(lambda: into(key, iv, sealed + tag, aad), None if "result" in case else plain))  # noqa: B023
    for case in vectors.gcm("gcmEncryptExtIV256.rsp"):
        key, iv, sealed, aad, tag, plain = unhex(case, "key", "iv", "ct", "aad", "tag", "pt")
        cases.append(AESGCM(key).encrypt(iv, plain, aad or None) == sealed + tag)
    every("AES-256-GCM", 750, cases)


def test_chunked_encryption_through_our_own_unseal() -> None:
    cases = []
    for case in vectors.chunked():
        key, context, envelope = bytes.fromhex(case["key"]), case["context"].encode(), b"\x01" + case["sealed"]
        try:
            opened = unseal(Secret(key), context, envelope)
            good = case["expect"] == "success" and hashlib.sha256(opened).hexdigest() == case["payload_sha256"]
        except KeysError:
            good = case["expect"] == "failure"
        cases.append(good)
    every("chunked-encryption", 32, cases)


def test_hkdf_sha256() -> None:
    cases = []
    for name in ("KDF/rfc-5869-HKDF-SHA256.txt", "KDF/hkdf-generated.txt"):
        for _, case in vectors.blocks(name):
            if "okm" not in case:
                continue
            material, salt, info, expected = unhex(case, "ikm", "salt", "info", "okm")
            cases.append(HKDF(SHA256(), int(case["l"]), salt or bytes(32), info).derive(material) == expected)
            if not salt:  # our own function has this salt and 32 bytes of output
                cases.append(bytes(hkdf(material, info)) == expected[:32])
    every("HKDF-SHA256", 6, cases)


def test_x25519() -> None:
    cases = []
    for _, case in vectors.blocks("asymmetric/X25519/rfc7748.txt"):
        if "input_scalar" in case:
            scalar, point, expected = unhex(case, "input_scalar", "input_u", "output_u")
            private = X25519PrivateKey.from_private_bytes(scalar)
            cases.append(private.exchange(X25519PublicKey.from_public_bytes(point)) == expected)
    cases += [public_of(Private(bytes.fromhex(case["skRm"]))).hex() == case["pkRm"] for case, _ in vectors.hpke()]
    every("X25519", 3, cases)


def test_ed25519_through_our_own_functions() -> None:
    cases = []
    for line in (vectors.FOLDER / "asymmetric/Ed25519/sign.input").read_text().splitlines():
        key, public, message, signed = (bytes.fromhex(part) for part in line.split(":")[:4])
        private, signature = Private(key[:32]), signed[:64]
        good = signer_public(private) == public and sign(private, message) == signature
        cases.append(good and verifies(lambda: verify(public, message, signature)))  # noqa: B023
        bad = bytes([signature[0] ^ 1]) + signature[1:]
        cases.append(not verifies(lambda: verify(public, message, bad)))  # noqa: B023
    every("Ed25519", 2048, cases)


def test_es256_through_our_own_verification() -> None:
    cases = []
    for name in ("SigVer.rsp", "SigGen.rsp"):
        for section, case in vectors.blocks(f"asymmetric/ECDSA/FIPS_186-3/{name}"):
            if section != "[P-256,SHA-256]" or "msg" not in case:
                continue
            message, x, y, r, s = unhex(case, "msg", "qx", "qy", "r", "s")
            jwk = {"kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y)}
            good = verifies(lambda: verify_jws("ES256", jwk, message, r + s))  # noqa: B023
            cases.append(good is not case.get("result", "P").startswith("F"))
    every("ES256", 30, cases)


def test_hpke() -> None:
    """The vectors have associated data; the library takes it, under a private name, on the path our suite runs on."""
    cases = []
    for case, letter in vectors.hpke():
        info, private = bytes.fromhex(case["info"]), X25519PrivateKey.from_private_bytes(bytes.fromhex(case["skRm"]))
        sealed, aad = bytes.fromhex(case["enc"] + letter["ct"]), bytes.fromhex(letter["aad"])
        opened = openssl.hpke._decrypt_with_aad(_SUITE, sealed, private, info=info, aad=aad)
        cases += [opened.hex() == letter["pt"]]
        cases += [opens(lambda: _SUITE.decrypt(sealed, private, info=info), None)]  # noqa: B023
    every("HPKE", 2, cases)


def test_argon2id() -> None:
    cases = []
    for _, case in vectors.blocks("KDF/argon2id.txt"):
        if "output" not in case:
            continue
        secret, phrase, salt, extra, expected = unhex(case, "secret", "pass", "salt", "ad", "output")
        costs = {"iterations": int(case["iter"]), "lanes": int(case["lanes"]), "memory_cost": int(case["memcost"])}
        argon = Argon2id(salt=salt, length=int(case["length"]), **costs, ad=extra or None, secret=secret or None)
        out = bytearray(len(expected))
        argon.derive_into(bytearray(phrase), out)  # type: ignore[arg-type]
        cases.append(bytes(out) == expected)
    every("Argon2id", 2, cases)


def test_scrypt_and_chacha20_poly1305_of_the_age_format() -> None:
    cases = []
    for _, case in vectors.blocks("KDF/scrypt.txt"):
        small = int(case["n"]) < 1 << 20 or proving()  # the largest takes 1 GiB
        if "derived_key" in case and (case["r"], case["p"]) == ("8", "1") and small:
            made = Scrypt(salt=case["salt"].encode(), length=int(case["length"]), n=int(case["n"]), r=8, p=1)
            cases.append(made.derive(case["password"].encode()).hex() == case["derived_key"])
    names = ("key", "nonce", "in", "ad", "ct", "tag"), ("key", "iv", "plaintext", "aad", "ciphertext", "tag")
    for file, columns in zip(("boringssl.txt", "openssl.txt"), names, strict=True):
        for _, case in vectors.blocks(f"ciphers/ChaCha20Poly1305/{file}"):
            if columns[1] in case and len(case[columns[1]]) == 24:
                key, iv, plain, aad, sealed, tag = unhex(case, *columns)
                expected = None if "result" in case else plain
                cases.append(opens(lambda: ChaCha20Poly1305(key).decrypt(iv, sealed + tag, aad or None), expected))  # noqa: B023
                cases.append(
                    (ChaCha20Poly1305(key).encrypt(iv, plain, aad or None) == sealed + tag) is (expected is not None)
                )
    every("scrypt and ChaCha20-Poly1305", 20, cases)
