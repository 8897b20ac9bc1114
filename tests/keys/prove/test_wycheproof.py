"""Wycheproof: the cases that broke other libraries, against our functions or the primitives as we call them.

The vectors come as a Go module, pinned by version and checksum; without Go or its proxy this says NOT RUN.
"""

import hmac
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys.errors import KeysError
from keys.sign import verify, verify_jws
from tests.proof import figure, proving

MODULE = "github.com/C2SP/wycheproof@v0.0.0-20250901140545-b51abcfb8daf"
SUM = "h1:5BKKVVVj676FUWirLcouEEL6GCYR9X0opkMlEUck8FY="
Case = dict[str, Any]
REFUSALS = (InvalidTag, KeysError, ValueError)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not proving():
        pytest.skip("runs in `make prove-keys`: the vectors come over the network")
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip("Go is not installed, so the vectors cannot be had")
    here = tmp_path_factory.mktemp("module")
    (here / "go.mod").write_text("module vectors\n")
    done = subprocess.run(
        [go, "mod", "download", "-json", MODULE], cwd=here, capture_output=True, check=False, timeout=300
    )
    told = json.loads(done.stdout or b"{}")
    if done.returncode or "Dir" not in told:
        pytest.skip(f"the Go module proxy does not give the vectors: {told.get('Error', done.stderr.decode())[:200]}")
    assert told["Sum"] == SUM
    return Path(told["Dir"]) / "testvectors_v1"


def aes_gcm(group: Case, case: Case) -> bool:
    key, iv, aad, sealed = unhex(case, "key", "iv", "aad", "ct", "tag")
    out = bytearray(len(sealed) - 16)
    AESGCM(key).decrypt_into(iv, sealed, aad or None, out)
    return out.hex() == str(case["msg"])


def chacha(group: Case, case: Case) -> bool:
    key, iv, aad, sealed = unhex(case, "key", "iv", "aad", "ct", "tag")
    return ChaCha20Poly1305(key).decrypt(iv, sealed, aad or None).hex() == case["msg"]


def hkdf(group: Case, case: Case) -> bool:
    material, salt, info = unhex(case, "ikm", "salt", "info")
    return HKDF(SHA256(), int(case["size"]), salt or None, info).derive(material).hex() == case["okm"]


def x25519(group: Case, case: Case) -> bool:
    private, public = unhex(case, "private", "public")
    point = X25519PublicKey.from_public_bytes(public)
    return X25519PrivateKey.from_private_bytes(private).exchange(point).hex() == case["shared"]


def ed25519(group: Case, case: Case) -> bool:
    message, signature = unhex(case, "msg", "sig")
    verify(bytes.fromhex(group["publicKey"]["pk"]), message, signature)
    jwk = {name: group["publicKeyJwk"][name] for name in ("kty", "crv", "x")}
    verify_jws("EdDSA", jwk, message, signature)
    return True


def es256(group: Case, case: Case) -> bool:
    message, signature = unhex(case, "msg", "sig")
    verify_jws("ES256", {name: group["publicKeyJwk"][name] for name in ("kty", "crv", "x", "y")}, message, signature)
    return True


def rs256(group: Case, case: Case) -> bool:
    message, signature = unhex(case, "msg", "sig")
    verify_jws("RS256", {name: group["keyJwk"][name] for name in ("kty", "n", "e")}, message, signature)
    return True


def hmac_sha256(group: Case, case: Case) -> bool:
    key, message, tag = unhex(case, "key", "msg", "tag")
    return hmac.compare_digest(hmac.digest(key, message, "sha256"), tag)


def _rsa(group: Case) -> bool:
    """We take one public exponent, 65537, and refuse all other keys before any signature."""
    return bool(group.get("keyJwk", {}).get("e") == "AQAB")


# File, which of its groups are our use, and how a case is tried: True or a refusal.
FILES: tuple[tuple[str, Callable[[Case], bool], Callable[[Case, Case], bool]], ...] = (
    ("aes_gcm", lambda g: (g["keySize"], g["ivSize"], g["tagSize"]) == (256, 96, 128), aes_gcm),
    ("chacha20_poly1305", lambda g: (g["keySize"], g["ivSize"], g["tagSize"]) == (256, 96, 128), chacha),
    ("hkdf_sha256", lambda _: True, hkdf),
    ("x25519", lambda _: True, x25519),
    ("ed25519", lambda _: True, ed25519),
    ("ecdsa_secp256r1_sha256_p1363", lambda g: "publicKeyJwk" in g, es256),
    ("rsa_signature_2048_sha256", _rsa, rs256),
    ("rsa_signature_3072_sha256", _rsa, rs256),
    ("rsa_signature_4096_sha256", _rsa, rs256),
    ("hmac_sha256", lambda g: g["tagSize"] == 256, hmac_sha256),
)


def test_every_case_that_fits_our_use_holds(folder: Path) -> None:
    tried, broken = 0, []
    for name, ours, attempt in FILES:
        before = tried
        for group, case in cases(folder / f"{name}_test.json", ours):
            tried += 1
            if not holds(group, case, attempt):
                broken.append((name, case["tcId"], case["comment"]))
        assert tried > before, f"no case of {name} fits"
    figure("K6b", len(broken), tried)
    assert broken == []


def cases(path: Path, ours: Callable[[Case], bool]) -> Iterator[tuple[Case, Case]]:
    for group in json.loads(path.read_text())["testGroups"]:
        if ours(group):
            yield from ((group, case) for case in group["tests"])


def holds(group: Case, case: Case, attempt: Callable[[Case, Case], bool]) -> bool:
    """Valid cases are taken, invalid ones refused; an acceptable one may be refused, but never gives another result."""
    try:
        good = attempt(group, case)
    except REFUSALS:
        return bool(case["result"] != "valid")
    return good if case["result"] in ("valid", "acceptable") else not good


def unhex(case: Case, *names: str) -> list[bytes]:
    """Fields as bytes; `ct` and `tag` in a row become one."""
    values = [bytes.fromhex(case[name]) for name in names]
    return [*values[:-2], values[-2] + values[-1]] if names[-2:] == ("ct", "tag") else values
