"""Files that other programs open: the age format, v1 (https://c2sp.org/age), written and read.

Two ways to lock a file: a passphrase (scrypt) or a recipient `age1...` (X25519). The payload is ChaCha20-Poly1305 in
the STREAM form with chunks of 64 KiB, so it is written as it comes and never held whole. A file that was cut never
opens as a whole one: the last chunk is marked as last.
"""

import hmac
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keys import bech32
from keys.dropbox import public_of
from keys.errors import Damaged, UnknownVersion, WrongSecret
from keys.secret import Private, fresh_bytes, wipe

CHUNK: Final = 64 * 1024
WORK: Final = 17  # log2 of scrypt's cost for files that we write: 128 MiB
MOST_WORK: Final = 20  # of files that we read: 1 GiB; what `age` and its kin write by themselves stays below
_HEAD: Final = "age-encryption.org/v1"
_X25519: Final = b"age-encryption.org/v1/X25519"
_SCRYPT: Final = b"age-encryption.org/v1/scrypt"
_RECIPIENT, _IDENTITY = "age", "age-secret-key-"
_FIRST: Final = bytes(12)
_LARGEST_HEADER: Final = 64 * 1024
_LINE: Final = re.compile(r"-> [!-~]+(?: [!-~]+)*")
_DECIMAL: Final = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Stanza:
    """One way to the file's key: the words of its first line and its body."""

    words: tuple[str, ...]
    body: bytes

    @property
    def text(self) -> str:
        """As it stands in the header: the body wrapped at 64 columns, its last line shorter, maybe empty."""
        body = _b64(self.body)
        lines = [body[at : at + 64] for at in range(0, len(body) + 1, 64)]
        return "\n".join([f"-> {' '.join(self.words)}", *lines, ""])


class Writer:
    """Writes one file: `head`, then what `add` gives for each piece, then `end`. The caller keeps them in order."""

    def __init__(self, *, passphrase: str = "", recipient: str = "") -> None:
        """Lock a new file; with a passphrase this takes a third of a second. Raises WrongSecret for no recipient."""
        file_key, nonce = bytearray(fresh_bytes(16)), fresh_bytes(16)
        stanza = _to_passphrase(file_key, passphrase) if passphrase else _to_recipient(file_key, recipient)
        header = f"{_HEAD}\n{stanza.text}---"
        self.head = f"{header} {_b64(_mac(file_key, header))}\n".encode() + nonce
        self._cipher = ChaCha20Poly1305(_derive(file_key, nonce, b"payload"))
        self._number, self._held = 0, bytearray()
        wipe(file_key)

    def add(self, data: bytes) -> bytes:
        """Take in a piece and give what is ready; a full chunk waits until it is known not to be the last."""
        self._held += data
        out = []
        while len(self._held) > CHUNK:
            out.append(self._seal(bytes(self._held[:CHUNK]), last=False))
            del self._held[:CHUNK]
        return b"".join(out)

    def end(self) -> bytes:
        """Give the last chunk."""
        return self._seal(bytes(self._held), last=True)

    def _seal(self, chunk: bytes, *, last: bool) -> bytes:
        nonce = _nonce(self._number, last=last)
        self._number += 1
        return self._cipher.encrypt(nonce, chunk, None)


def lock(data: bytes, *, passphrase: str = "", recipient: str = "") -> bytes:
    """Write a whole file at once."""
    writer = Writer(passphrase=passphrase, recipient=recipient)
    return writer.head + writer.add(data) + writer.end()


def unlock(file: bytes, *, passphrase: str = "", identity: Private | None = None, most: int = MOST_WORK) -> bytes:
    """Open a whole file with a passphrase or an identity; `most` is the log2 of the work that is done for a passphrase.

    Raises UnknownVersion, Damaged for a file that is none or was altered or cut, WrongSecret if it is locked to
    another passphrase or recipient, or with more work than we do.
    """
    stanzas, header, mac, at = _header(file)
    file_key = bytearray(
        _by_passphrase(stanzas, passphrase, most) if identity is None else _by_identity(stanzas, identity)
    )
    try:
        if not hmac.compare_digest(_mac(file_key, header), mac):
            raise Damaged("the header was altered")
        return _payload(file_key, memoryview(file)[at:])
    finally:
        wipe(file_key)


def recipient_of(identity: Private) -> str:
    """The public text `age1...` of an identity."""
    return bech32.write(_RECIPIENT, public_of(identity))


def identity_text(identity: Private) -> str:
    """The secret text `AGE-SECRET-KEY-1...` of an identity; never store or log it."""
    return bech32.write(_IDENTITY, bytes(identity.view())).upper()


def read_identity(text: str) -> Private:
    """Read `AGE-SECRET-KEY-1...`. Raises WrongSecret."""
    return Private(bech32.read(_IDENTITY, text))


def _to_passphrase(file_key: bytearray, passphrase: str) -> Stanza:
    salt = fresh_bytes(16)
    key = _stretched(passphrase, salt, WORK)
    return Stanza(("scrypt", _b64(salt), str(WORK)), ChaCha20Poly1305(key).encrypt(_FIRST, bytes(file_key), None))


def _to_recipient(file_key: bytearray, recipient: str) -> Stanza:
    public = bech32.read(_RECIPIENT, recipient)
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    key = _agreed(ephemeral, public, share + public)
    return Stanza(("X25519", _b64(share)), ChaCha20Poly1305(key).encrypt(_FIRST, bytes(file_key), None))


def _by_passphrase(stanzas: list[Stanza], passphrase: str, most: int) -> bytes:
    if len(stanzas) != 1 or stanzas[0].words[0] != "scrypt":
        if any(stanza.words[0] == "scrypt" for stanza in stanzas):
            raise Damaged("a passphrase stands alone")
        raise WrongSecret("this file is not locked with a passphrase")
    words, body = stanzas[0].words, stanzas[0].body
    if len(words) != 3 or not _DECIMAL.fullmatch(words[2]) or len(body) != 32:
        raise Damaged("not a passphrase stanza")
    salt, work = _unb64(words[1], 16), int(words[2][:4])
    if work > most:
        raise WrongSecret(f"opening this file takes 2^{work} steps; we do at most 2^{most}")
    return _opened(_stretched(passphrase, salt, work), body)


def _by_identity(stanzas: list[Stanza], identity: Private) -> bytes:
    if any(stanza.words[0] == "scrypt" for stanza in stanzas):
        raise WrongSecret("this file is locked with a passphrase")
    public, private = public_of(identity), X25519PrivateKey.from_private_bytes(identity.view())
    for stanza in stanzas:
        if stanza.words[0] != "X25519":
            continue
        if len(stanza.words) != 2 or len(stanza.body) != 32:
            raise Damaged("not a recipient stanza")
        share = _unb64(stanza.words[1], 32)
        try:
            return _opened(_agreed(private, share, share + public), stanza.body)
        except WrongSecret:
            continue
    raise WrongSecret("this file is locked to another recipient")


def _opened(key: bytes, body: bytes) -> bytes:
    try:
        return ChaCha20Poly1305(key).decrypt(_FIRST, body, None)
    except InvalidTag as error:
        raise WrongSecret("this secret does not open the file") from error


def _payload(file_key: bytearray, sealed: memoryview) -> bytes:
    """Open the chunks behind the header. Only a whole payload is of one chunk that is empty."""
    if len(sealed) < 16 + 16:
        raise Damaged("the file was cut")
    cipher, chunks = ChaCha20Poly1305(_derive(file_key, bytes(sealed[:16]), b"payload")), sealed[16:]
    count = max(1, -(-len(chunks) // (CHUNK + 16)))
    out = bytearray()
    try:
        for number in range(count):
            chunk = chunks[number * (CHUNK + 16) : (number + 1) * (CHUNK + 16)]
            if number and len(chunk) <= 16:
                raise Damaged("an empty last chunk")
            out += cipher.decrypt(_nonce(number, last=number == count - 1), chunk, None)
    except InvalidTag as error:
        raise Damaged("a chunk does not verify, or the file was cut") from error
    return bytes(out)


def _header(file: bytes) -> tuple[list[Stanza], str, bytes, int]:
    """Take the header apart: its stanzas, its text up to the mark `---`, its MAC, and where the payload begins."""
    end = file.find(b"\n---", 0, _LARGEST_HEADER)
    stop = file.find(b"\n", end + 1)
    if not file.startswith(b"age-encryption.org/") or end < 0 or stop < 0:
        raise Damaged("not an age file")
    try:
        first, *lines = file[:end].decode("ascii").split("\n")
        mac = file[end + 4 : stop].decode("ascii")
    except UnicodeDecodeError as error:
        raise Damaged("not an age file") from error
    if first != _HEAD:
        raise UnknownVersion("unknown version of the age format")
    if not mac.startswith(" "):
        raise Damaged("not an age file")
    return _stanzas(lines), "\n".join([first, *lines, "---"]), _unb64(mac[1:], 32), stop + 1


def _stanzas(lines: list[str]) -> list[Stanza]:
    found: list[Stanza] = []
    at = 0
    while at < len(lines):
        if not _LINE.fullmatch(lines[at]):
            raise Damaged("not a stanza")
        words, body, at = tuple(lines[at][3:].split(" ")), "", at + 1
        while at < len(lines) and len(lines[at]) == 64:
            body, at = body + lines[at], at + 1
        if at == len(lines) or len(lines[at]) > 64:
            raise Damaged("a stanza does not end")
        found.append(Stanza(words, _unb64(body + lines[at])))
        at += 1
    if not found:
        raise Damaged("no stanza")
    return found


def _mac(file_key: bytearray, header: str) -> bytes:
    return hmac.digest(_derive(file_key, b"", b"header"), header.encode(), "sha256")


def _derive(material: bytes | bytearray, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt or None, info).derive(bytes(material))


def _agreed(private: X25519PrivateKey, public: bytes, salt: bytes) -> bytes:
    """The wrap key of X25519; a point that gives all zeros is refused by the library."""
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise Damaged("not a public key") from error
    return _derive(shared, salt, _X25519)


def _stretched(passphrase: str, salt: bytes, work: int) -> bytes:
    return Scrypt(salt=_SCRYPT + salt, length=32, n=1 << work, r=8, p=1).derive(passphrase.encode())


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _b64(data: bytes) -> str:
    return b64encode(data).decode().rstrip("=")


def _unb64(text: str, size: int | None = None) -> bytes:
    """Canonical base64 without padding, of `size` bytes if one is given. Raises Damaged."""
    try:
        data = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError as error:
        raise Damaged("not base64") from error
    if _b64(data) != text or (size is not None and len(data) != size):
        raise Damaged("not base64 in its one form")
    return data
