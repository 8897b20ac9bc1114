"""Sealing: C2SP chunked-encryption (https://c2sp.org/chunked-encryption) behind one version byte.

    envelope = 0x01 | salt (24) | commitment (32) | chunks of 16 KiB, each with a tag of 16 bytes

instantiated with HKDF-Expand-SHA256 and AEAD_AES_256_GCM. There is no choice of algorithm. The last chunk is always
shorter than 16 KiB (and may be empty), which is how cutting and lengthening are noticed (section "Message chunking").
Opening is another module (`keys.unseal`), so that an import contract can guard it.

Log records are sealed otherwise, many under one key that is used for nothing else (docs/decisions/0016):

    record envelope = 0x02 | nonce (12, random) | AES-256-GCM of the record, with its context as associated data
"""

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from keys.errors import Damaged, Misuse, UnknownVersion
from keys.secret import Buffer, Secret, fresh_bytes, wipe

VERSION = b"\x01"
SALT = 24
TAG = 16
CHUNK = 16 * 1024
HEAD = 1 + SALT + 32  # version byte, salt, commitment
SEGMENT = 16 * CHUNK  # what is opened at once of a long message
MANY = b"\x02"
NONCE = 12
MOST = 2**24  # seals under one key: two of them share a nonce with a chance below 2**-49

_HASH = SHA256()
_LABEL = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"


def seal(key: Secret, context: bytes, plaintext: Buffer) -> bytes:
    """Seal bytes under a key and a context; the envelope is 57 bytes and 16 per chunk longer."""
    salt = fresh_bytes(SALT)
    block = schedule(key, salt, context)
    cipher, nonce = cipher_and_nonce(block)
    chunks = [VERSION, salt, bytes(block[44:])]
    wipe(block)
    view = memoryview(plaintext)
    for number in range(len(view) // CHUNK + 1):
        chunk = view[number * CHUNK : (number + 1) * CHUNK]
        chunks.append(cipher.encrypt(chunk_nonce(nonce, number), chunk, None))
    return b"".join(chunks)


class Sealer:
    """Seals many things under one key, each for its own context: no derivation and no set-up for each."""

    __slots__ = ("_cipher", "left")

    def __init__(self, key: Secret) -> None:
        """Take a key that is used for nothing else; `left` counts how often it may still be used."""
        self._cipher, self.left = AESGCM(key.view()), MOST

    def seal(self, context: bytes, plaintext: Buffer) -> bytes:
        """Seal bytes for a context, 29 bytes longer. Raises Misuse once the key was used as often as it may."""
        if not self.left:
            raise Misuse("this key was used as often as it may")
        self.left -= 1
        nonce = fresh_bytes(NONCE)
        return b"".join((MANY, nonce, self._cipher.encrypt(nonce, plaintext, context)))


class SegmentSealer:
    """Seals one long message piece by piece: the same envelope as `seal`, cut into segments of 16 chunks.

    `head` is what comes before the chunks; the segments in their order, joined, are the rest.
    """

    __slots__ = ("_at", "_cipher", "_nonce", "head")

    def __init__(self, key: Secret, context: bytes) -> None:
        """Take a key that is used for this one message and nothing else."""
        salt = fresh_bytes(SALT)
        block = schedule(key, salt, context)
        self._cipher, self._nonce = cipher_and_nonce(block)
        self.head, self._at = VERSION + salt + bytes(block[44:]), 0
        wipe(block)

    def seal(self, plaintext: Buffer) -> bytes:
        """Seal the next segment: SEGMENT bytes, and fewer (or none) for the last one. Raises Misuse after the last."""
        view = memoryview(plaintext)
        if self._at < 0 or len(view) > SEGMENT:
            raise Misuse("the message has ended, or its segment is too long")
        last = len(view) < SEGMENT
        pieces = [view[at : at + CHUNK] for at in range(0, len(view) + last, CHUNK)]
        sealed = [
            self._cipher.encrypt(chunk_nonce(self._nonce, self._at + number), piece, None)
            for number, piece in enumerate(pieces)
        ]
        self._at = -1 if last else self._at + len(pieces)
        return b"".join(sealed)


def sealed_size(size: int) -> int:
    """How long the envelope of `size` bytes is."""
    return HEAD + size + TAG * (size // CHUNK + 1)


def plain_size(envelope: Buffer) -> int:
    """How many bytes an envelope holds, from its form alone. Raises UnknownVersion, Damaged for no such form."""
    view = memoryview(envelope)
    if view[:1] != VERSION:
        raise UnknownVersion("unknown envelope version")
    chunks = (len(view) - HEAD) // (CHUNK + TAG) + 1
    size = len(view) - HEAD - TAG * chunks
    if size < 0 or size // CHUNK + 1 != chunks:
        raise Damaged("not an envelope")
    return size


def schedule(key: Secret, salt: Buffer, context: bytes) -> bytearray:
    """Derive key (32), base nonce (12) and commitment (32) of one message (section "Key derivation").

    The caller owns and wipes the buffer.
    """
    block = bytearray(76)
    HKDFExpand(_HASH, 76, b"".join((_LABEL, salt, context))).derive_into(key.view(), block)
    return block


def cipher_and_nonce(block: bytearray) -> tuple[AESGCM, int]:
    """Take the cipher and the base nonce (as an integer) out of a schedule."""
    return AESGCM(memoryview(block)[:32]), int.from_bytes(block[32:44], "big")


def chunk_nonce(base: int, number: int) -> bytes:
    """Base nonce XOR chunk number, 12 bytes big-endian (section "AEAD usage")."""
    return (base ^ number).to_bytes(12, "big")
