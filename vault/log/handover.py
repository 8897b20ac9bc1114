"""The log gets a new key: the old one certifies it in a statement, so that whoever trusts the old one can follow.

In one transaction the statement is written and the new key takes the old one's place; the next head is signed by it.
Heads that were published before keep their signatures.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from keys.errors import Damaged
from keys.note import open_note, vkey
from keys.secret import Private
from keys.sign import new_signer, sign, signer_public
from keys.state import seal_column
from keys.text import b64, canonical, unb64
from vault.database import Tx
from vault.errors import DamagedItem
from vault.gates import ms
from vault.tables import ControlKeyRow, Entry, Meta

if TYPE_CHECKING:
    from vault.vault import Vault

TYPE: Final = "kluis/log-key/v1"
NOTE = """
INSERT INTO meta (key, value) VALUES ('hands', :at) ON CONFLICT (key) DO UPDATE SET value = CAST(value || :at AS BLOB)
"""


@dataclass
class LogKeys:
    """The key that signs the log now, and the public keys that did so before, oldest first."""

    private: Private
    earlier: tuple[bytes, ...] = ()

    def signer(self, origin: str, note: str) -> str:
        """The verification key of one of them that signed a head of this shard. Raises Damaged if none did."""
        for public in (signer_public(self.private), *reversed(self.earlier)):
            try:
                open_note(note, [vkey(origin, public)])
            except Damaged:
                continue
            return vkey(origin, public)
        raise Damaged("no key of this log has signed this head")


@dataclass(frozen=True, slots=True)
class Hand:
    """The statement by which one key handed over to the next: its place in the whole log, and the entry."""

    index: int
    leaf: bytes

    @property
    def told(self) -> dict[str, Any]:
        """What it says: `from`, `to`, `host`, `signature`, and `at` (ms) if it is not an old one."""
        told: dict[str, Any] = json.loads(self.leaf[2:])
        return told


def hands(tx: Tx) -> list[Hand]:
    """Every hand-over, oldest first. Raises DamagedItem if one is gone."""
    row, found = tx.get(Meta, "hands"), []
    for at in range(0, len(row.value) if row else 0, 8):
        entry = tx.get(Entry, int.from_bytes(row.value[at : at + 8], "big")) if row else None
        if entry is None:
            raise DamagedItem("the statement by which the log's key was replaced is missing")
        found.append(Hand(entry.idx, entry.leaf))
    return found


def earlier(tx: Tx) -> tuple[bytes, ...]:
    """The public keys that signed this log before its present one."""
    return tuple(unb64(hand.told["from"]) for hand in hands(tx))


def certified(host: str, old: Private, new: bytes, now: datetime) -> bytes:
    """The statement (RFC 8785): `signature` is the old key's, over the same object without it; `at` is in ms."""
    told: dict[str, Any] = {"type": TYPE, "host": host, "at": ms(now), "from": b64(signer_public(old)), "to": b64(new)}
    return canonical({**told, "signature": b64(sign(old, canonical(told)))})


async def hand_over(vault: "Vault", now: datetime) -> str:
    """Replace the log's key and publish a head under the new one; return its verification key.

    A caller that goes away stops nothing: what began is done to its end, else the old key would sign on.
    """
    await asyncio.shield(_replaced(vault, now))
    await vault.publish()
    return vault.log.ledger.vkey


async def _replaced(vault: "Vault", now: datetime) -> None:
    """The statement, and the new key in the old one's place in the database and in memory."""
    keys, new = vault.log.shards.keys, new_signer()
    sealed = seal_column(vault.state, "controlkey", b"log", "sealed", bytes(new.view()))

    def write(tx: Tx, index: int) -> None:
        tx.change(ControlKeyRow, {"name": "log"}, sealed=sealed)
        tx.run(NOTE, at=index.to_bytes(8, "big"))

    async with vault.publishing:
        await vault.log.state(certified(vault.log.shards.host, keys.private, signer_public(new), now), now, write)
        keys.earlier, old, keys.private = (*keys.earlier, signer_public(keys.private)), keys.private, new
        old.wipe()
