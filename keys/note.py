"""Signed notes and checkpoints: C2SP signed-note (https://c2sp.org/signed-note) and tlog-checkpoint; and tlog-proof.

`open_note` takes Ed25519 signatures (type 0x01) only; signatures of other keys and types are skipped, as section
"Signatures" demands. Cosignatures of witnesses (type 0x04) are made and read in `keys.cosign`.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from keys.errors import Damaged, Misuse
from keys.secret import Private
from keys.sign import sign, signer_public, verify

_DASH = "\u2014 "
ED25519 = 0x01
COSIGNATURE = 0x04
_MOST = 100  # signatures in a note; the specification asks for at least 16
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


PROOF = "c2sp.org/tlog-proof@v1"


class Line(NamedTuple):
    """One signature line of a note: the key's name, its id (4 bytes), and what it made."""

    name: str
    key_id: bytes
    signature: bytes


class Verifier(NamedTuple):
    """A verifier key taken apart: name, type of signature (0x01 or 0x04), Ed25519 public key (32 bytes)."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """SHA-256(name | 0x0A | type | public)[:4] (section "Signatures")."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]


class Checkpoint(NamedTuple):
    """A log's tree head: its name, the number of leaves, the root hash (32 bytes)."""

    origin: str
    size: int
    root: bytes


class Proof(NamedTuple):
    """A proof that stands alone: an entry's place, its audit path, the signed checkpoint, and what lies beside it."""

    place: int
    path: list[bytes]
    note: str
    extra: bytes


def vkey(name: str, public: bytes, kind: int = ED25519) -> str:
    """Write a verifier key as `name+keyid+base64(type | public)`, the form that the Go and witness tools read."""
    key = Verifier(_named(name), kind, public)
    return f"{name}+{key.key_id.hex()}+{b64encode(bytes([kind]) + public).decode()}"


def read_vkey(key: str) -> Verifier:
    """Read what `vkey` wrote. Raises Misuse: keys come from our own settings, not from the note's sender."""
    name, _, rest = key.partition("+")
    try:
        raw = unbase64(rest.partition("+")[2])
    except Damaged as error:
        raise Misuse("not a verifier key") from error
    if raw[:1] not in (b"\x01", b"\x04") or len(raw) != 33 or vkey(name, raw[1:], raw[0]) != key:
        raise Misuse("not an Ed25519 verifier key")
    return Verifier(name, raw[0], raw[1:])


def signature_line(key: Verifier, signature: bytes) -> str:
    """Write one signature line (section "Format"), with its newline."""
    return f"{_DASH}{key.name} {b64encode(key.key_id + signature).decode()}\n"


def renamed(key: str, name: str) -> str:
    """Write the same verifier key for another name, as for the next shard of a log. Raises Misuse."""
    return vkey(name, read_vkey(key).public)


def sign_note(text: str, name: str, private: Private) -> str:
    """Sign a text that ends in a newline (sections "Format", "Ed25519 signatures"). Raises Misuse."""
    if not text.endswith("\n") or _CONTROL.search(text):
        raise Misuse("a note ends in a newline and has no control characters")
    key = Verifier(_named(name), ED25519, signer_public(private))
    return f"{text}\n{signature_line(key, sign(private, text.encode()))}"


def open_note(note: str, vkeys: list[str]) -> tuple[str, list[str]]:
    """Give the text of a note and the names, in order, of the known keys that signed it.

    Raises Damaged if none did, if a known key's signature does not verify, or if the note is malformed.
    """
    known = {(key.name, key.key_id): key.public for key in map(read_vkey, vkeys) if key.kind == ED25519}
    text, signatures = split(note)
    names: dict[str, None] = {}
    for line in signatures:
        if public := known.get((line.name, line.key_id)):
            verify(public, text.encode(), line.signature)
            names[line.name] = None
    if not names:
        raise Damaged("no known key has signed this note")
    return text, list(names)


def checkpoint(origin: str, size: int, root: bytes) -> str:
    """Write a checkpoint's text (tlog-checkpoint, section "Note text"); no extension lines. Raises Misuse."""
    if not origin or "\n" in origin or _CONTROL.search(origin) or size < 0 or len(root) != 32:
        raise Misuse("a checkpoint has an origin of one line, a size and a root of 32 bytes")
    return f"{origin}\n{size}\n{b64encode(root).decode()}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's text; extension lines are allowed and skipped. Raises Damaged."""
    origin, size, root, *rest = [*text.split("\n"), "", "", ""]
    if not text.endswith("\n") or not origin or not _SIZE.fullmatch(size) or "" in rest[:-4]:
        raise Damaged("not a checkpoint")
    digest = unbase64(root)
    if len(digest) != 32:
        raise Damaged("a root hash has 32 bytes")
    return Checkpoint(origin, int(size), digest)


def proof(place: int, path: Sequence[bytes], note: str, extra: bytes = b"") -> str:
    """Write a proof (https://c2sp.org/tlog-proof, section "Format"). The `extra` bytes are vouched for by nobody."""
    beside = [f"extra {b64encode(extra).decode()}"] if extra else []
    return "\n".join([PROOF, *beside, f"index {place}", *(b64encode(step).decode() for step in path), "", note])


def read_proof(text: str) -> Proof:
    """Read what `proof` writes; nothing in it is checked yet. Raises Damaged."""
    head, gap, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    extra = unbase64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else b""
    place = lines.pop(0).removeprefix("index ") if lines and lines[0].startswith("index ") else ""
    if first != PROOF or not gap or not _SIZE.fullmatch(place):
        raise Damaged("not a proof of a log")
    path = [unbase64(line) for line in lines]
    if any(len(step) != 32 for step in path):
        raise Damaged("a hash has 32 bytes")
    return Proof(int(place), path, note, extra)


def split(note: str) -> tuple[str, list[Line]]:
    """Split at the last empty line: the text with its newline, and the signature lines. Raises Damaged."""
    text, gap, block = note.rpartition("\n\n")
    if not gap or not block.endswith("\n") or _CONTROL.search(note):
        raise Damaged("not a signed note")
    return text + "\n", read_lines(block)


def read_lines(block: str) -> list[Line]:
    """Read signature lines, each with its newline; the signatures are not checked. Raises Damaged."""
    lines = block[:-1].split("\n")
    if not block.endswith("\n") or len(lines) > _MOST:
        raise Damaged("no signatures, or too many")
    return [_read_line(line) for line in lines]


def _read_line(line: str) -> Line:
    name, gap, encoded = line.removeprefix(_DASH).partition(" ")
    raw = unbase64(encoded)
    if not line.startswith(_DASH) or not gap or not _is_name(name) or len(raw) < 5:
        raise Damaged("not a signature line")
    return Line(name, raw[:4], raw[4:])


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() for letter in name)


def _named(name: str) -> str:
    if not _is_name(name) or _CONTROL.search(name):
        raise Misuse("a key name is not empty and has neither spaces nor a plus")
    return name


def unbase64(text: str) -> bytes:
    """Strict standard base64: one text per value. Raises Damaged."""
    try:
        data = b64decode(text, validate=True)
    except ValueError as error:
        raise Damaged("not base64") from error
    if b64encode(data).decode() != text:
        raise Damaged("not canonical base64")
    return data
