"""Following a log whose key was replaced: from a key that somebody trusts to those it handed over to.

Read from the statements in the log itself; each is signed by the key that handed over. A hand-over counts only if it
stands in the log, and from there on only the key it names signs: a head that holds it is signed by that key or by a
later one. Whoever steals a key that was replaced can sign nothing any more that a follower believes.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from keys.errors import Damaged, KeysError
from keys.merkle import leaf_hash, verify_inclusion
from keys.note import Checkpoint, Proof, open_note, read_checkpoint, read_proof, read_vkey, vkey
from keys.sign import verify

STATEMENT = b"\1\2"
TYPE = "kluis/log-key/v1"
PATH = "/log/handovers"


@dataclass(frozen=True)
class Heir:
    """A key in its turn (public, 32 bytes); its certificate is the entry at `place` in the tree of `origin`, "" for
    the one that was trusted to begin with.
    """

    public: bytes
    origin: str = ""
    place: int = -1

    def under(self, head: Checkpoint) -> bool:
        """Whether the tree of a head comes after the certificate: half-years have names in their order."""
        return (self.origin, self.place) < (head.origin, head.size)


def is_hand(leaf: bytes) -> bool:
    """Whether an entry may be a statement by which a key handed over."""
    return leaf[:2] == STATEMENT and TYPE.encode() in leaf


def followed(key: str, leaves: Iterable[bytes]) -> Iterator[str]:
    """The key (C2SP vkey) and all that it handed over to, one after the other, under the same name."""
    name, public = read_vkey(key).name, read_vkey(key).public
    yield key
    for leaf in leaves:
        if is_hand(leaf) and (heir := heir_of(leaf[2:], name.partition("/log/")[0], public)):
            public = heir
            yield vkey(name, heir)


def heir_of(body: bytes, host: str, public: bytes) -> bytes | None:
    """The key that this one certified for this log; None if the statement is another's, or not signed by it."""
    try:
        told: dict[str, Any] = json.loads(body)
        signature = _raw(told.pop("signature"))
        if told["type"] != TYPE or told["host"] != host or _raw(told["from"]) != public:
            return None
        verify(public, rfc8785.dumps(told), signature)
        heir = _raw(told["to"])
    except (KeysError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return heir if len(heir) == 32 else None


def heirs(key: str, proofs: Sequence[str]) -> list[Heir]:
    """The key and all that it handed over to, from proofs (C2SP tlog-proof) with the statement as extra data.

    Proofs of what came before the key are passed over. Raises Damaged if a certificate is not in a tree that the key
    it names, or a later one, signed.
    """
    name, found, held = read_vkey(key).name, [Heir(read_vkey(key).public)], list[Proof]()
    host = name.partition("/log/")[0]
    for proof in map(read_proof, proofs):
        if heir := heir_of(proof.extra, host, found[-1].public):
            found.append(Heir(heir, proof.note.partition("\n")[0], proof.place))
            held.append(proof)
    for number, proof in enumerate(held, 1):
        head, _ = signed(proof.note, found[number:])
        if head.origin.partition("/log/")[0] != host:
            raise Damaged("a hand-over stands in another log")
        verify_inclusion(leaf_hash(STATEMENT + proof.extra), proof.place, head.size, proof.path, head.root)
    return found


def signed(note: str, found: Sequence[Heir]) -> tuple[Checkpoint, Heir]:
    """The head that a note tells, and who signed it: a key whose turn it was. Raises Damaged."""
    origin = note.partition("\n")[0]
    for heir, after in zip(found, [*found[1:], None], strict=True):
        try:
            head = read_checkpoint(open_note(note, [vkey(origin, heir.public)])[0])
        except KeysError:
            continue
        if after is not None and after.under(head):
            raise Damaged("its key had handed over to another before")
        return head, heir
    raise Damaged("no known key has signed this note")


def giver_of(body: bytes) -> bytes:
    """The key that a statement says it comes from; b"" if it says none."""
    try:
        return _raw(json.loads(body)["from"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return b""


def _raw(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
