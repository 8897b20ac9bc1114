"""Opening what `keys.seal` sealed. Guarded: outside this floor only the door may import this module."""

import hmac
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.errors import Damaged, UnknownVersion
from keys.seal import (
    CHUNK,
    HEAD,
    MANY,
    NONCE,
    SALT,
    SEGMENT,
    TAG,
    VERSION,
    chunk_nonce,
    cipher_and_nonce,
    schedule,
)
from keys.secret import Buffer, Secret, wipe

K = TypeVar("K", bound=Secret)

_SEALED_CHUNK = CHUNK + TAG


def unseal(key: Secret, context: bytes, envelope: Buffer) -> bytes:
    """Open an envelope whole: nothing comes back before every chunk, and that the last one is last, is verified.

    Raises UnknownVersion for another version byte, Damaged for everything that does not open.
    """
    return bytes(_open(key, context, envelope))


def unseal_secret(key: Secret, context: bytes, envelope: Buffer, kind: type[K]) -> K:
    """Open an envelope that holds a secret, straight into memory that can be wiped."""
    opened = _open(key, context, envelope)
    if len(opened) != 32:
        raise Damaged("the envelope holds no secret")
    return kind.adopt(opened)


def unseal_record(key: Secret, context: bytes, envelope: Buffer) -> bytes:
    """Open what a `keys.seal.Sealer` sealed. Raises UnknownVersion, Damaged as `unseal` does."""
    if envelope[:1] != MANY:
        raise UnknownVersion("unknown version of a record envelope")
    nonce, sealed = envelope[1 : 1 + NONCE], envelope[1 + NONCE :]
    try:
        return AESGCM(key.view()).decrypt(nonce, sealed, context)
    except (InvalidTag, ValueError) as error:  # ValueError: cut within the nonce
        raise Damaged("altered, or of another key or context") from error


class SegmentOpener:
    """Opens any segment of a long message (`keys.seal.SegmentSealer`) by itself.

    The place of a segment and the length of the whole are verified with every chunk, so nothing can be cut off, put in
    another order or taken from another message. `size` must come from a place that is itself authenticated.
    """

    __slots__ = ("_block", "_size")

    def __init__(self, key: Secret, context: bytes, head: Buffer, size: int) -> None:
        """Raises UnknownVersion, or Damaged for another key or context."""
        if head[:1] != VERSION:
            raise UnknownVersion("unknown envelope version")
        self._block, self._size = schedule(key, head[1 : 1 + SALT], context), size
        if len(head) != HEAD or not hmac.compare_digest(head[1 + SALT :], self._block[44:]):
            self.wipe()
            raise Damaged("another key, context or salt")

    def open(self, number: int, sealed: Buffer) -> bytes:
        """Open segment `number`, from 0. Raises Damaged."""
        size = min(SEGMENT, self._size - number * SEGMENT)
        chunks = SEGMENT // CHUNK if size == SEGMENT else size // CHUNK + 1
        if size < 0 or len(sealed) != size + TAG * chunks:
            raise Damaged("cut or lengthened")
        cipher, nonce = cipher_and_nonce(self._block)
        view, first = memoryview(sealed), number * (SEGMENT // CHUNK)
        try:
            return b"".join(
                cipher.decrypt(chunk_nonce(nonce, first + n), view[n * _SEALED_CHUNK : (n + 1) * _SEALED_CHUNK], None)
                for n in range(chunks)
            )
        except InvalidTag as error:
            raise Damaged("a chunk does not verify") from error

    def wipe(self) -> None:
        """Forget the key."""
        wipe(self._block)


def _open(key: Secret, context: bytes, envelope: Buffer) -> bytearray:
    if envelope[:1] != VERSION:
        raise UnknownVersion("unknown envelope version")
    size = _plain_size(len(envelope) - HEAD)
    block = schedule(key, envelope[1 : 1 + SALT], context)
    try:
        if not hmac.compare_digest(envelope[1 + SALT : HEAD], block[44:]):
            raise Damaged("another key, context or salt")
        return _decrypt(block, memoryview(envelope)[HEAD:], size)
    finally:
        wipe(block)


def _plain_size(sealed: int) -> int:
    """Length of the plaintext, or Damaged if no plaintext gives this length: the last chunk must be a short one."""
    full, last = divmod(sealed, _SEALED_CHUNK)
    if sealed < 0 or last < TAG:
        raise Damaged("cut or lengthened")
    return full * CHUNK + last - TAG


def _decrypt(block: bytearray, chunks: memoryview, size: int) -> bytearray:
    out = bytearray(size)
    try:
        if size < CHUNK:  # every key and most labels: one short chunk, number 0
            AESGCM(memoryview(block)[:32]).decrypt_into(block[32:44], chunks, None, out)
            return out
        cipher, nonce = cipher_and_nonce(block)
        into = memoryview(out)
        for number in range(size // CHUNK + 1):
            chunk = chunks[number * _SEALED_CHUNK : (number + 1) * _SEALED_CHUNK]
            part = into[number * CHUNK : (number + 1) * CHUNK]
            cipher.decrypt_into(chunk_nonce(nonce, number), chunk, None, part)
    except InvalidTag as error:
        raise Damaged("a chunk does not verify") from error
    return out
