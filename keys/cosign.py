"""Cosignatures of witnesses: C2SP tlog-cosignature (https://c2sp.org/tlog-cosignature), the Ed25519 form (type 0x04).

A cosignature says: at this moment, the largest tree I have seen of the log of this name has this root, and it begins
with every tree of it that I saw before. ML-DSA-44 cosignatures (type 0x06) are skipped as signatures of unknown keys.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import NamedTuple

from keys.errors import Damaged, Misuse
from keys.note import (
    COSIGNATURE,
    ED25519,
    Line,
    Verifier,
    read_checkpoint,
    read_lines,
    read_vkey,
    signature_line,
    split,
    unbase64,
    vkey,
)
from keys.secret import Private
from keys.sign import sign, signer_public, verify

_PRIVATE = "PRIVATE+KEY+"
_TIME = 8  # bytes of the moment before the signature
_LATEST = 2**63 - 1


class Cosigned(NamedTuple):
    """One good cosignature: the witness's vkey, the moment it states (POSIX seconds), its line with the newline."""

    vkey: str
    at: int
    line: str


def witness_vkey(name: str, private: Private) -> str:
    """Write the verifier key of a witness. Raises Misuse for a name that no signature line can have."""
    return vkey(name, signer_public(private), COSIGNATURE)


def write_key(name: str, private: Private) -> str:
    """Write a witness's private key as one line, the form that the Go note tools keep keys in. A secret."""
    known = Verifier(read_vkey(witness_vkey(name, private)).name, ED25519, signer_public(private))
    return f"{_PRIVATE}{name}+{known.key_id.hex()}+{b64encode(bytes([ED25519]) + bytes(private.view())).decode()}\n"


def read_key(text: str) -> tuple[str, Private]:
    """Read what `write_key` wrote: name and private key. Raises Misuse."""
    name, _, rest = text.removeprefix(_PRIVATE).partition("+")
    try:
        raw = unbase64(rest.partition("+")[2].rstrip("\n"))
    except Damaged as error:
        raise Misuse("not the private key of a witness") from error
    if len(raw) != 33 or write_key(name, private := Private(raw[1:])) != text:
        raise Misuse("not the private key of a witness")
    return name, private


def cosign(text: str, name: str, private: Private, at: int) -> str:
    """Make the signature line of a witness over a checkpoint's text at `at` (POSIX seconds). Raises Misuse, Damaged."""
    if not 0 < at <= _LATEST:
        raise Misuse("a cosignature states a moment after 1970")
    read_checkpoint(text)
    key = read_vkey(witness_vkey(name, private))
    return signature_line(key, at.to_bytes(_TIME, "big") + sign(private, _message(text, at)))


def cosignatures(note: str, vkeys: Sequence[str]) -> list[Cosigned]:
    """The good cosignatures of known witnesses under a checkpoint, the latest of each witness, in the order of `vkeys`.

    Raises Damaged if the note is malformed or a known witness's line does not verify; Misuse for a wrong vkey.
    """
    text, lines = split(note)
    return check_lines(text, lines, vkeys)


def read_answer(text: str, answer: str, vkeys: Sequence[str]) -> list[Cosigned]:
    """The same from what a witness answered (tlog-witness, add-checkpoint): signature lines alone. Raises Damaged."""
    return check_lines(text, read_lines(answer), vkeys)


def check_lines(text: str, lines: Sequence[Line], vkeys: Sequence[str]) -> list[Cosigned]:
    """Check the lines of known witnesses over a checkpoint's text; others are skipped. Raises Damaged, Misuse."""
    witnesses = [(written, _witness(written)) for written in vkeys]
    keys = {(key.name, key.key_id): (written, key) for written, key in witnesses}
    found: dict[str, Cosigned] = {}
    for line in lines:
        if known := keys.get((line.name, line.key_id)):
            at = _checked(text, line, known[1])
            if known[0] not in found or at > found[known[0]].at:
                found[known[0]] = Cosigned(known[0], at, signature_line(known[1], line.signature))
    return [found[written] for written in vkeys if written in found]


def _witness(written: str) -> Verifier:
    key = read_vkey(written)
    if key.kind != COSIGNATURE:
        raise Misuse("not the verifier key of a witness")
    return key


def _checked(text: str, line: Line, key: Verifier) -> int:
    """The moment that a good cosignature states. Raises Damaged."""
    if len(line.signature) != _TIME + 64:
        raise Damaged("not a cosignature")
    at = int.from_bytes(line.signature[:_TIME], "big")
    if not 0 < at <= _LATEST:
        raise Damaged("a cosignature states a moment after 1970")
    verify(key.public, _message(text, at), line.signature[_TIME:])
    return at


def _message(text: str, at: int) -> bytes:
    """What is signed (section "Ed25519 signed message")."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()
