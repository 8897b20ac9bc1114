"""Published test vectors of the primitives, read out of the package `cryptography_vectors` (of the same release)."""

import json
import zlib
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryptography_vectors

FOLDER = Path(cryptography_vectors.__file__).parent


def blocks(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The cases of a file of `name = value` lines: the section each stands in, and its values under lower case names.

    A case begins where a name comes again. FAIL alone on a line is a result.
    """
    section, case = "", dict[str, str]()
    for line in (FOLDER / name).read_text().splitlines():
        key, mark, value = line.replace("FAIL", "Result = F").partition("=") if line[:1] not in "#[" else ("", "", "")
        key = key.strip().lower()
        if case and (key in case or line.startswith("[")):
            yield section, case
            case = {}
        if line.startswith("["):
            section = line
        elif mark:
            case[key] = value.strip()
    yield section, case


def gcm(name: str) -> Iterator[dict[str, str]]:
    """The cases of a NIST GCM file with a nonce of 96 bits and a tag of 128, which is how we call it."""
    for _, case in blocks(f"ciphers/AES/GCM/{name}"):
        if len(case.get("iv", "")) == 24 and len(case.get("tag", "")) == 32:
            yield case


def unhex(case: dict[str, str], *names: str) -> list[bytes]:
    """Fields of a case as bytes; a missing one is empty. Text in quotes stands for itself."""
    values = [case.get(name, "") for name in names]
    return [value[1:-1].encode() if value.startswith('"') else bytes.fromhex(value) for value in values]


def hpke() -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """RFC 9180 vectors of our suite (X25519, HKDF-SHA256, AES-256-GCM, base mode): the set-up, and its first letter."""
    for case in json.loads((FOLDER / "HPKE/test-vectors.json").read_text()):
        if [case[name] for name in ("mode", "kem_id", "kdf_id", "aead_id")] == [0, 32, 1, 2]:
            yield case, case["encryptions"][0]


def chunked() -> Iterator[dict[str, Any]]:
    """C2SP chunked-encryption vectors with AES-256-GCM and keys of 32 bytes; `sealed` is the ciphertext."""
    for case in json.loads((FOLDER / "chunked-encryption/vectors.json").read_text())["vectors"]:
        if case["aead"] == "AEAD_AES_256_GCM" and len(case["key"]) == 64:
            sealed = b64decode(case["ciphertext"] or "")
            yield case | {"sealed": zlib.decompress(sealed, 47) if case.get("compressed") else sealed}
