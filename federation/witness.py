"""The rules of a witness (C2SP tlog-witness, add-checkpoint): when it cosigns a log's checkpoint, and when not.

It cosigns a checkpoint only if its log is known and signed it, and if the tree of the checkpoint that it cosigned last
is the beginning of the new one. So two trees that differ are never both cosigned under one name, whoever asks.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from federation.policy import log_key
from keys.errors import Damaged
from keys.merkle import EMPTY, verify_consistency
from keys.note import Checkpoint, open_note, read_checkpoint, read_vkey, signature_line, split, unbase64

LARGEST = 256 * 1024  # bytes of a request: 63 hashes and a checkpoint with a hundred signatures fit
_PROOF = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


class Refused(Exception):
    """The witness does not cosign: `status` as the specification gives it, `body` and `media` of the answer."""

    code = "witness_refused"

    def __init__(self, status: int, body: str, media: str = "text/plain; charset=utf-8") -> None:
        super().__init__(body)
        self.status, self.body, self.media = status, body + "\n", media


@dataclass(frozen=True)
class Head:
    """The tree that a witness cosigned last under a name; without one, the empty tree."""

    size: int = 0
    root: bytes = EMPTY


@dataclass(frozen=True)
class Submission:
    """A well-formed request whose checkpoint a trusted key of its log signed; `note` has one line of that key."""

    old: int
    proof: tuple[bytes, ...]
    text: str
    note: str
    head: Checkpoint


def read_submission(body: bytes, logs: Collection[str]) -> Submission:
    """Read the body of add-checkpoint. Raises Refused: 400 malformed, 404 unknown log, 403 not signed by it."""
    try:
        old, proof, note = _parts(body.decode())
        text, lines = split(note)
        head = read_checkpoint(text)
    except (Damaged, UnicodeDecodeError) as error:
        raise Refused(400, f"malformed: {error}") from None
    keys = log_key(logs, head.origin)
    if not keys:
        raise Refused(404, "this log is not known here")
    try:
        open_note(note, keys)
    except Damaged as error:
        raise Refused(403, f"the checkpoint is not the log's: {error}") from None
    if old > head.size:
        raise Refused(400, "the old size is beyond the checkpoint")
    known = {(key.name, key.key_id): key for key in map(read_vkey, keys)}
    kept = {at: signature_line(known[at], one.signature) for one in lines if (at := (one.name, one.key_id)) in known}
    return Submission(old, proof, text, text + "\n" + "".join(kept.values()), head)


def judge(asked: Submission, last: Head) -> None:
    """Decide over a submission, with the head that the witness cosigned last. Raises Refused: 409 or 422."""
    if asked.old != last.size:
        raise Refused(409, str(last.size), "text/x.tlog.size")
    if asked.head.size == 0 and asked.head.root != EMPTY:
        raise Refused(422, "the empty tree has another root")
    try:
        verify_consistency(asked.old, asked.head.size, asked.proof, last.root, asked.head.root)
    except Damaged as error:
        raise Refused(422, f"not consistent with what was cosigned before: {error}") from None


def _parts(text: str) -> tuple[int, tuple[bytes, ...], str]:
    """Old size, proof and checkpoint of a request body. Raises Damaged."""
    above, gap, note = text.partition("\n\n")
    first, *lines = above.split("\n")
    old = _OLD.fullmatch(first)
    if old is None or not gap or len(lines) > _PROOF:
        raise Damaged("no line with the old size, no empty line, or too long a proof")
    proof = tuple(unbase64(line) for line in lines)
    if any(len(step) != 32 for step in proof):
        raise Damaged("a hash has 32 bytes")
    return int(old[1]), proof, note
