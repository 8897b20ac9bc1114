"""What outsiders get of the log's keys: each with its time, and a proof of every hand-over that stands alone."""

from dataclasses import dataclass
from typing import Any

from keys.note import proof, vkey
from keys.sign import signer_public
from keys.text import unb64
from vault.database import Database, Tx
from vault.log.handover import Hand, hands
from vault.log.shards import Shards
from vault.log.tiles import Ledger


@dataclass(frozen=True)
class Reign:
    """One key: the entries that only it signs for, [since, until), `until` None for the one in use.

    The certificate, by the key before it, is entry `since`, at a position in the tree of `origin`; `at` is its time
    (ms), 0 if it does not say. The first key has none.
    """

    vkey: str
    since: int
    until: int | None
    origin: str = ""
    position: int = 0
    at: int = 0

    @property
    def told(self) -> dict[str, Any]:
        """As JSON."""
        stands = {"origin": self.origin, "index": self.position, "at": self.at or None} if self.origin else None
        return {"vkey": self.vkey, "from": self.since, "until": self.until, "certificate": stands}


def reigns(db: Database, shards: Shards) -> list[Reign]:
    """Every key that signed a published head, oldest first. For a thread."""
    found, origin = _published(db, shards), shards.published.origin
    publics = [unb64(hand.told["from"]) for hand in found]
    last = unb64(found[-1].told["to"]) if found else _only(db, shards)
    ends = [*(hand.index for hand in found), None]
    first, *later = [*publics, last]
    made = [Reign(vkey(origin, first), 0, ends[0])]
    for hand, public, end in zip(found, later, ends[1:], strict=True):
        ledger = shards.at(hand.index)
        place = hand.index - ledger.first
        made.append(Reign(vkey(origin, public), hand.index, end, ledger.origin, place, hand.told.get("at", 0)))
    return made


def proofs(db: Database, shards: Shards) -> list[str]:
    """A proof of each published hand-over (C2SP tlog-proof), the statement as its extra data. For a thread."""
    with db.reading() as tx:
        return [told for ledger in shards.all for told in under(tx, ledger)]


def under(tx: Tx, ledger: Ledger) -> list[str]:
    """The same of those in one half-year, under the head that it shows now."""
    size, note, _ = ledger.shown
    places = ((hand.index - ledger.first, hand.leaf[2:]) for hand in hands(tx))
    return [proof(place, ledger.inclusion(place, size), note, body) for place, body in places if 0 <= place < size]


def _published(db: Database, shards: Shards) -> list[Hand]:
    with db.reading() as tx:
        found = hands(tx)
    return [hand for hand in found if hand.index - shards.at(hand.index).first < shards.at(hand.index).size]


def _only(db: Database, shards: Shards) -> bytes:
    """The one key there was as far as anybody can know: the next one may be certified already, unpublished."""
    with db.reading() as tx:
        found = hands(tx)
    return unb64(found[0].told["from"]) if found else signer_public(shards.keys.private)
