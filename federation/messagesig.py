"""HTTP message signatures (RFC 9421) and content digests (RFC 9530) on what this server sends: ES256 and no other."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

from keys.sign import sign_es256

COVERED: Final = ("@method", "@target-uri", "content-type", "content-digest")
LASTS: Final = 300  # seconds


def signed(key: Mapping[str, str], url: str, body: bytes, media: str, now: datetime) -> dict[str, str]:
    """The headers that sign a POST of `body` to `url` under a private JWK for ES256, named by its `kid`.

    Covered are method, address, type and digest of the body (RFC 9421 2.5, 3.1, 3.3.4). Raises Misuse for a bad key.
    """
    digest = f"sha-256=:{b64encode(sha256(body).digest()).decode()}:"
    at = int(now.timestamp())
    parameters = (
        "(" + " ".join(f'"{name}"' for name in COVERED) + ")"
        f';created={at};expires={at + LASTS};keyid="{key["kid"]}";alg="ecdsa-p256-sha256"'
    )
    lines = [
        '"@method": POST',
        f'"@target-uri": {target(url)}',
        f'"content-type": {media}',
        f'"content-digest": {digest}',
        f'"@signature-params": {parameters}',
    ]
    signature = b64encode(sign_es256(dict(key), "\n".join(lines).encode())).decode()
    return {"content-digest": digest, "signature-input": f"sig={parameters}", "signature": f"sig=:{signature}:"}


def target(url: str) -> str:
    """The address as a receiver sees it: with a path, however short (RFC 9421 2.2.2)."""
    parts = urlsplit(url)
    return parts._replace(path=parts.path or "/").geturl()
