"""Check an app's receipt without the server: what it says stands in the log whose key the reader trusts already.

An independent reader, like `web.verify`: the form of a receipt is read here from what is published about it.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import rfc8785

from keys.errors import KeysError
from keys.merkle import leaf_hash, verify_inclusion
from keys.note import open_note, read_checkpoint, read_proof, renamed
from web.verify import PARTS, POD_DOMAIN, LogBroken

HASHES = 96  # the nonce of the app's part, the salted hash of the rest, the DPO commitment


@dataclass(frozen=True)
class Shown:
    """What a receipt proves: the entry's place in its half-year, the size it was checked under, and the app's part."""

    origin: str
    index: int
    size: int
    told: dict[str, Any]


def check_receipt(text: str, key: str) -> Shown:
    """Check a receipt under the log's verification key. Raises LogBroken if anything in it does not hold."""
    try:
        proof = read_proof(text)
        origin = proof.note.partition("\n")[0]
        if origin.rpartition("/")[0] != key.partition("+")[0].rpartition("/")[0]:
            raise LogBroken(f"the receipt is of another log, {origin[:80]!r}")
        head = read_checkpoint(open_note(proof.note, [renamed(key, origin)])[0])
        told = _told(proof.extra)
        verify_inclusion(leaf_hash(_entry(proof.extra)), proof.place, head.size, proof.path, head.root)
    except (KeysError, ValueError) as wrong:
        raise LogBroken(f"the receipt does not hold: {wrong}") from None
    return Shown(origin, proof.place, head.size, told)


def _told(extra: bytes) -> dict[str, Any]:
    if len(extra) <= HASHES:
        raise ValueError("it proves an entry and says nothing about it; only what an app was given is a receipt")
    told = json.loads(extra[HASHES:])
    if not isinstance(told, dict) or rfc8785.dumps(told) != extra[HASHES:]:
        raise ValueError("no receipt")
    return told


def _entry(extra: bytes) -> bytes:
    """The 66 bytes of the entry that these parts make up."""
    nonce, rest, dpo, app = extra[:32], extra[32:64], extra[64:HASHES], extra[HASHES:]
    shown = sha256(PARTS["app"] + nonce + app).digest()
    return b"\x01\x00" + sha256(POD_DOMAIN + shown + rest).digest() + dpo
