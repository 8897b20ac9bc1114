"""Check an app's receipt without the server: what it says stands in the log whose key the reader trusts already.

An independent reader, like `web.verify`: the form of a receipt is read here from what is published about it.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import rfc8785

from federation.heirs import PATH, giver_of, heirs, signed
from keys.errors import Damaged, KeysError
from keys.merkle import leaf_hash, verify_inclusion
from keys.note import Checkpoint, open_note, read_checkpoint, read_proof, read_vkey, renamed, vkey
from web.logread import Fetch, LogBroken
from web.verify import PARTS, POD_DOMAIN, read_log

HASHES = 96  # the nonce of the app's part, the salted hash of the rest, the DPO commitment


@dataclass(frozen=True)
class Shown:
    """What a receipt proves: the entry's place in its half-year, the size it was checked under, and the app's part."""

    origin: str
    index: int
    size: int
    told: dict[str, Any]


def check_receipt(text: str, key: str, fetch: Fetch | None = None) -> Shown:
    """Check a receipt under the log's verification key. Raises LogBroken if anything in it does not hold.

    With `fetch`, which reads public paths of the log, also one that was signed after the log's key was replaced, or
    before: a later key is followed through its certificates; what a key signed that was replaced since, the given one
    too, counts only if all of it is the beginning of the log as the given key, or its heirs, sign it today.
    """
    try:
        proof = read_proof(text)
        origin = proof.note.partition("\n")[0]
        if origin.rpartition("/")[0] != key.partition("+")[0].rpartition("/")[0]:
            raise LogBroken(f"the receipt is of another log, {origin[:80]!r}")
        head = _head(proof.note, renamed(key, origin), fetch)
        told = _told(proof.extra)
        verify_inclusion(leaf_hash(_entry(proof.extra)), proof.place, head.size, proof.path, head.root)
    except (KeysError, ValueError, RecursionError) as wrong:
        raise LogBroken(f"the receipt does not hold: {wrong}") from None
    return Shown(origin, proof.place, head.size, told)


def _head(note: str, key: str, fetch: Fetch | None) -> Checkpoint:
    """The head under a receipt. Raises LogBroken, KeysError or ValueError."""
    if fetch is None:
        try:
            return read_checkpoint(open_note(note, [key])[0])
        except Damaged as wrong:
            raise Damaged(f"{wrong}; with --base the log is asked whether its key was replaced") from None
    proofs = _proofs(fetch)
    if not _before(note, key, proofs):
        chain = heirs(key, proofs)
        told, signer = signed(note, chain)
        if signer is chain[-1]:
            return told
    log, head = read_log(fetch, key), read_checkpoint(note.rpartition("\n\n")[0] + "\n")
    shard = log.named(head.origin)
    if shard is None or head.size > shard.head.size or shard.root(head.size) != head.root:
        raise LogBroken("the receipt was signed by an earlier key, over another log than this one")
    return head


def _proofs(fetch: Fetch) -> list[str]:
    try:
        return [str(one) for one in json.loads(fetch(PATH))["hands"]]
    except (KeyError, TypeError, RecursionError):
        raise Damaged(f"{PATH} is not as it should be") from None


def _before(note: str, key: str, proofs: list[str]) -> bool:
    """Whether a key that the log names as an earlier one than ours signed the note, while its turn was."""
    givers = [giver_of(read_proof(one).extra) for one in proofs]
    own = read_vkey(key).public
    if own in givers[:1] or not givers:
        return False
    try:
        first = heirs(vkey(key.partition("+")[0], givers[0]), proofs)
        mine = next((at for at, heir in enumerate(first) if heir.public == own), 0)
        return signed(note, first)[1] in first[:mine]
    except Damaged:
        return False


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
