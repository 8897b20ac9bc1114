"""Opening what `keys.seal` sealed. Guarded: outside this floor only the door may import this module."""

import hmac
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys.errors import Damaged, UnknownVersion
from keys.seal import CHUNK, HEAD, MANY, NONCE, SALT, TAG, VERSION, chunk_nonce, cipher_and_nonce, schedule
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
