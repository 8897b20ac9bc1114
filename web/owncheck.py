"""The check of one's own log without JavaScript: done here, off the loop, against the published seal.

The same rules as static/verify.js, except that nothing is remembered from last time. Lines newer than the seal wait for
the next one, which comes on its clock; a check never makes one.
"""

import json
from hashlib import sha256

from keys.errors import Damaged
from keys.merkle import leaf_hash, verify_inclusion, verify_together
from keys.note import open_note, read_checkpoint
from keys.secret import Private
from keys.text import b64
from vault.log import slots, views
from vault.log.device import NEWEST
from vault.log.epochs import Proven
from vault.log.tiles import Ledger
from vault.log.views import Line, Own
from vault.vault import PodFacts, Vault
from vault.versions import rolled_back
from web import verify
from web.pages.logbook import Verdict

EDITED = "Deze regel is veranderd nadat hij geschreven was."
MISSING = "Deze regel ontbreekt."
CHAIN = "Deze regel past niet bij de regel ervoor."
OUTSIDE = "Deze regel staat niet zo in het groot logboek."
SUMMED = "Een samenvatting van alle kluizen zegt iets anders over je logboek."
STALE = "Wat er in je kluis ligt, is niet wat hier het laatst is opgeschreven."


class _Wrong(Exception):
    """The first thing that is not right; `line` is None for the log as a whole."""

    def __init__(self, line: int | None, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


def check(vault: Vault, pod: PodFacts, log: Private) -> Verdict:
    """The verdict on all lines of a pod and on what they say is stored. For a thread of its own."""
    shards = vault.log.shards
    seals = [(ledger, *ledger.shown) for ledger in shards.all]
    published = sum(size for _, size, _, _ in seals)
    with vault.db.reading() as tx:
        own = Own(views.lines(vault, pod, log, tx=tx), views.head(tx, pod))
        stale = rolled_back(tx, pod.id, own.lines)
    try:
        _chain(own)
        inside = sum(_inside(own.lines, *seal) for seal in seals)
        for proven in vault.epochs.asked(pod.id, [NEWEST], published):
            _summed(own.lines, proven)
        if stale:
            raise _Wrong(stale[0].seq or None, STALE)
    except _Wrong as wrong:
        return Verdict(ok=False, checked=0, line=wrong.line, reason=wrong.reason)
    return Verdict(ok=True, checked=inside, waiting=len(own.lines) - inside)


def _chain(own: Own) -> None:
    """Every line opens, is the one committed to, and follows the one before; none is cut off at either end."""
    due, prev = 1, b""
    for line in own.lines:
        if line.broken:
            raise _Wrong(line.seq, EDITED)
        if line.seq != due or line.told["seq"] != due:
            raise _Wrong(due, MISSING)
        if line.record is not None:  # of one whose month ended only its place in the chain is left
            _linked(line, b64(prev))
        due, prev = due + 1, sha256(line.leaf[2:34]).digest()
    if own.head.seq != due - 1 or own.head.digest != prev or not own.lines:
        raise _Wrong(due, MISSING)


def _linked(line: Line, prev: str) -> None:
    told = line.told
    if verify.committed(line.nonce, json.loads(line.record or "")) != line.leaf[2:34]:
        raise _Wrong(line.seq, EDITED)
    if line.seq == 1 and told["action"] != "create pod":
        raise _Wrong(1, MISSING)
    if told["prev"] != prev:
        raise _Wrong(line.seq, CHAIN)


def _inside(lines: list[Line], ledger: Ledger, size: int, note: str, key: str) -> int:
    """How many lines are in the published tree of a half-year: all of them that are older than its seal."""
    found = [line for line in lines if ledger.first <= line.index < ledger.first + size]
    if not found:
        return 0
    text, _ = open_note(note, [key])
    root = read_checkpoint(text).root
    leaves = [(line.index - ledger.first, leaf_hash(line.leaf)) for line in found]
    try:
        verify_together(leaves, size, ledger.tree.together([place for place, _ in leaves], size), root)
    except Damaged:
        for line, (place, digest) in zip(found, leaves, strict=True):
            _one_inside(line, digest, place, size, ledger, root)
    return len(found)


def _one_inside(line: Line, digest: bytes, place: int, size: int, ledger: Ledger, root: bytes) -> None:
    try:
        verify_inclusion(digest, place, size, ledger.tree.inclusion(place, size), root)
    except Damaged:
        raise _Wrong(line.seq, OUTSIDE) from None


def _summed(lines: list[Line], proven: Proven) -> None:
    """The newest summary holds exactly the lines that are older than it, in the slot that the first line names."""
    try:
        summary = slots.read(proven.body)
        if summary is None or lines[0].told.get("slot", proven.slot) != proven.slot:
            raise Damaged("another statement or slot")
        older = [line for line in lines if line.index < summary.entries]
        state = slots.state(len(older), sha256(older[-1].leaf[2:34]).digest()) if older else slots.NOBODY
        slots.verify(summary, proven.slot, proven.salt, state, proven.path)
    except Damaged:
        raise _Wrong(None, SUMMED) from None
