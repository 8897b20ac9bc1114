"""A passkey device in software, after WebAuthn level 3, that can also be told to misbehave. Nothing of Kluis in it."""

import base64
import hmac
import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

ORIGIN = "http://localhost:8400"
PRESENT, VERIFIED, ATTESTED = 1, 4, 64


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Device:
    """One passkey. Attributes that a test changes are lies the device or its browser tells from then on."""

    origin: str = ORIGIN
    rp_id: str = "localhost"
    flags: int = PRESENT | VERIFIED
    cross_origin: bool = False
    fmt: str = "none"
    statement: dict[str, Any] = field(default_factory=dict)
    vouched: bool = False  # its maker signs for it, as FIDO U2F keys do (WebAuthn 8.6)
    count: int = 0
    step: int = 1
    prf: bool = True
    user: bytes = b""
    id: bytes = field(default_factory=lambda: os.urandom(32))
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: str, **lies: Any) -> tuple[str, str]:
        """Make the passkey: the credential as JSON, and what PRF gives."""
        told = json.loads(options)
        assert told["authenticatorSelection"]["userVerification"] == "required"
        assert told["authenticatorSelection"]["residentKey"] == "required"
        self.user = unb64(told["user"]["id"])
        named = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(self._cose())
        data = self._data(self.flags | ATTESTED) + named
        client = self._client("webauthn.create", told["challenge"])
        statement = self._attested(sha256(client).digest()) if self.vouched else self.statement
        made = cbor2.dumps({"fmt": self.fmt, "attStmt": statement, "authData": data})
        said = {"clientDataJSON": b64(client), "attestationObject": b64(made)} | lies
        return self._credential(said), self._prf(told)

    def get(self, options: str, **lies: Any) -> tuple[str, str]:
        """Answer with the passkey."""
        told = json.loads(options)
        assert told["userVerification"] == "required"
        data, client = self._data(self.flags), self._client("webauthn.get", told["challenge"])
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        said = {
            "clientDataJSON": b64(client),
            "authenticatorData": b64(data),
            "signature": b64(signature),
            "userHandle": b64(self.user),
        } | lies
        return self._credential(said), self._prf(told)

    def _credential(self, said: dict[str, Any]) -> str:
        return json.dumps({"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": said})

    def _data(self, flags: int) -> bytes:
        self.count += self.step
        return sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        told = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return json.dumps(told).encode()

    def _prf(self, told: dict[str, Any]) -> str:
        salt = unb64(told["extensions"]["prf"]["eval"]["first"])
        return b64(hmac.digest(self.secret, b"WebAuthn PRF\0" + salt, "sha256")) if self.prf else ""

    def _attested(self, client: bytes) -> dict[str, Any]:
        maker, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "M")])
        start = datetime(2026, 1, 1, tzinfo=UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(maker.public_key())
        dated = made.serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=9999))
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        said = b"\0" + sha256(self.rp_id.encode()).digest() + client + self.id + point
        certificate = dated.sign(maker, hashes.SHA256()).public_bytes(Encoding.DER)
        return {"sig": maker.sign(said, ec.ECDSA(hashes.SHA256())), "x5c": [certificate]}

    def _cose(self) -> dict[int, Any]:
        point = self.key.public_key().public_numbers()
        return {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
