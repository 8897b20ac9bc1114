"""Second implementations of our formats, written from the specifications; they share no code with what they test."""

import hashlib
import hmac
from base64 import b64decode

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def expand(prk: bytes, info: bytes, size: int) -> bytes:
    """HKDF-Expand-SHA256, RFC 5869 section 2.3."""
    out, block, number = b"", b"", 1
    while len(out) < size:
        block = hmac.new(prk, block + info + bytes([number]), hashlib.sha256).digest()
        out += block
        number += 1
    return out[:size]


def extract(salt: bytes, material: bytes) -> bytes:
    """HKDF-Extract-SHA256, RFC 5869 section 2.2."""
    return hmac.new(salt, material, hashlib.sha256).digest()


def framed(*parts: bytes) -> bytes:
    """The context form: u32be length and bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def envelope(key: bytes, salt: bytes, context: bytes, plaintext: bytes) -> bytes:
    """C2SP chunked-encryption with AES-256-GCM behind the version byte."""
    keys = expand(key, b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00" + salt + context, 76)
    out = b"\x01" + salt + keys[44:]
    number = 0
    while True:
        chunk = plaintext[number * 16384 : number * 16384 + 16384]
        nonce = bytes(a ^ b for a, b in zip(keys[32:44], number.to_bytes(12, "big"), strict=True))
        out += AESGCM(keys[:32]).encrypt(nonce, chunk, b"")
        number += 1
        if len(chunk) < 16384:
            return out


def record_envelope(key: bytes, nonce: bytes, context: bytes, plaintext: bytes) -> bytes:
    """docs/decisions/0016."""
    return b"\x02" + nonce + AESGCM(key).encrypt(nonce, plaintext, context)


def open_letter(private: bytes, info: bytes, letter: bytes) -> bytes:
    """HPKE base mode, RFC 9180: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"

    def labelled_extract(name: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
        return extract(salt or bytes(32), b"HPKE-v1" + name + label + material)

    def labelled_expand(name: bytes, prk: bytes, label: bytes, data: bytes, size: int) -> bytes:
        return expand(prk, size.to_bytes(2, "big") + b"HPKE-v1" + name + label + data, size)

    enc, sealed = letter[1:33], letter[33:]
    own = X25519PrivateKey.from_private_bytes(private)
    shared = own.exchange(X25519PublicKey.from_public_bytes(enc))
    prk = labelled_extract(kem, b"", b"eae_prk", shared)
    secret = labelled_expand(kem, prk, b"shared_secret", enc + own.public_key().public_bytes_raw(), 32)
    schedule = (
        b"\x00" + labelled_extract(suite, b"", b"psk_id_hash", b"") + labelled_extract(suite, b"", b"info_hash", info)
    )
    prk = labelled_extract(suite, secret, b"secret", b"")
    key = labelled_expand(suite, prk, b"key", schedule, 32)
    nonce = labelled_expand(suite, prk, b"base_nonce", schedule, 12)
    return AESGCM(key).decrypt(nonce, sealed, b"")


def leaf(entry: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1 over leaf hashes, by its recursion."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    cut = _below(len(leaves))
    return hashlib.sha256(b"\x01" + tree_hash(leaves[:cut]) + tree_hash(leaves[cut:])).digest()


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    cut = _below(len(leaves))
    if index < cut:
        return [*path(index, leaves[:cut]), tree_hash(leaves[cut:])]
    return [*path(index - cut, leaves[cut:]), tree_hash(leaves[:cut])]


def subproof(old: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [tree_hash(leaves)]
    cut = _below(len(leaves))
    if old <= cut:
        return [*subproof(old, leaves[:cut], whole), tree_hash(leaves[cut:])]
    return [*subproof(old - cut, leaves[cut:], False), tree_hash(leaves[:cut])]


def _below(size: int) -> int:
    cut = 1
    while cut * 2 < size:
        cut *= 2
    return cut


def read_note(note: str) -> tuple[bytes, list[tuple[str, bytes, bytes]]]:
    """A signed note taken apart by hand: signed bytes, and (name, key id, signature) of each line."""
    data = note.encode()
    cut = data.rindex(b"\n\n")
    lines = []
    for line in data[cut + 2 :].splitlines():
        dash, name, encoded = line.split(b" ")
        assert dash == b"\xe2\x80\x94"
        raw = b64decode(encoded)
        lines.append((name.decode(), raw[:4], raw[4:]))
    return data[: cut + 1], lines


def write_letter(public: bytes, info: bytes, secret: bytes) -> bytes:
    """The sender's side of `open_letter` (RFC 9180 sections 4.1 and 5.1), behind the version byte."""
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"

    def labelled_extract(name: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
        return extract(salt or bytes(32), b"HPKE-v1" + name + label + material)

    def labelled_expand(name: bytes, prk: bytes, label: bytes, data: bytes, size: int) -> bytes:
        return expand(prk, size.to_bytes(2, "big") + b"HPKE-v1" + name + label + data, size)

    own = X25519PrivateKey.generate()
    enc = own.public_key().public_bytes_raw()
    prk = labelled_extract(kem, b"", b"eae_prk", own.exchange(X25519PublicKey.from_public_bytes(public)))
    shared = labelled_expand(kem, prk, b"shared_secret", enc + public, 32)
    info_hash = labelled_extract(suite, b"", b"info_hash", info)
    schedule = b"\x00" + labelled_extract(suite, b"", b"psk_id_hash", b"") + info_hash
    prk = labelled_extract(suite, shared, b"secret", b"")
    key = labelled_expand(suite, prk, b"key", schedule, 32)
    return b"\x01" + enc + AESGCM(key).encrypt(labelled_expand(suite, prk, b"base_nonce", schedule, 12), secret, b"")
