"""The rules of a witness (C2SP tlog-witness, add-checkpoint): when it cosigns a log's checkpoint, and when not.

It cosigns a checkpoint only if its log is known and signed it, and if the tree of the checkpoint that it cosigned last
is the beginning of the new one. So two trees that differ are never both cosigned under one name, whoever asks.
"""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from federation.heirs import STATEMENT, Heir, heir_of, signed
from federation.policy import log_key
from keys.errors import Damaged
from keys.merkle import EMPTY, leaf_hash, verify_consistency, verify_inclusion
from keys.note import Checkpoint, read_checkpoint, read_proof, read_vkey, signature_line, split, unbase64, vkey

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
    """A well-formed request whose checkpoint a trusted key of its log signed; `note` has one line of that key.

    chain: the keys that led to the one that signed, from the one that was trusted to begin with.
    """

    old: int
    proof: tuple[bytes, ...]
    text: str
    note: str
    head: Checkpoint
    chain: tuple[Heir, ...]
    signer: Heir


Known = Callable[[str, bytes], list[Heir]]
"""Of a log's host and a key of it: the key and those it is known to have handed over to."""


def read_submission(body: bytes, logs: Collection[str], known: Known, hands: Collection[str] = ()) -> Submission:
    """Read the body of add-checkpoint. Raises Refused: 400 malformed, 404 unknown log, 403 not signed by it.

    `hands` are proofs (C2SP tlog-proof) of statements under this very checkpoint by which a key of the log handed over
    to the next: beyond the specification, so that a witness follows a log whose key was replaced.
    """
    try:
        old, proof, note = _parts(body.decode())
        text, lines = split(note)
        head = read_checkpoint(text)
    except (Damaged, UnicodeDecodeError) as error:
        raise Refused(400, f"malformed: {error}") from None
    keys = log_key(logs, head.origin)
    if not keys:
        raise Refused(404, "this log is not known here")
    chain, signer = _signer(note, head, [known(_host(head), read_vkey(key).public) for key in keys], hands)
    if old > head.size:
        raise Refused(400, "the old size is beyond the checkpoint")
    own = read_vkey(vkey(head.origin, signer.public))
    kept = next(one for one in lines if (one.name, one.key_id) == (own.name, own.key_id))
    return Submission(old, proof, text, f"{text}\n{signature_line(own, kept.signature)}", head, tuple(chain), signer)


def read_handover(body: bytes) -> tuple[bytes, list[str]]:
    """Read the body of add-handover: that of add-checkpoint, and proofs of hand-overs. Raises Refused, 400."""
    try:
        told = json.loads(body)
        submission, hands = told["submission"], told["hands"]
        if not isinstance(submission, str) or not all(isinstance(one, str) for one in hands):
            raise TypeError("not text")
        return submission.encode(), list(hands)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(400, f"malformed: {error}") from None


def _signer(
    note: str, head: Checkpoint, chains: list[list[Heir]], hands: Collection[str]
) -> tuple[list[Heir], Heir]:  # fmt: skip
    """The first chain of keys that leads to a signature of this note, and whose it is. Raises Refused, 403."""
    why: Exception = Damaged("no known key has signed this note")
    for chain in chains:
        try:
            longer = _longer(chain, head, hands)
            return longer, signed(note, longer)[1]
        except Damaged as error:
            why = error
    raise Refused(403, f"the checkpoint is not the log's: {why}")


def _longer(chain: list[Heir], head: Checkpoint, hands: Collection[str]) -> list[Heir]:
    """A chain with the keys that its last one handed over to, in statements under this head. Raises Damaged."""
    made = list(chain)
    for proof in map(read_proof, hands):
        if heir := heir_of(proof.extra, _host(head), made[-1].public):
            verify_inclusion(leaf_hash(STATEMENT + proof.extra), proof.place, head.size, proof.path, head.root)
            made.append(Heir(heir, head.origin, proof.place))
    return made


def _host(head: Checkpoint) -> str:
    return head.origin.partition("/log/")[0]


def judge(asked: Submission, last: Head) -> None:
    """Decide over a submission, with the head that the witness cosigned last. Raises Refused: 403, 409 or 422.

    A key that was replaced begins no tree, not even of a half-year before: whoever stole it could make one up.
    """
    if last.size == 0 and asked.signer is not asked.chain[-1]:
        raise Refused(403, "the checkpoint is not the log's: its key was replaced")
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
