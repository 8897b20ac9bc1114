"""Receipts of apps: what an app needs to prove an entry about itself to anybody, and nothing about other readers.

Kept only where the app asked for it, or where the entry is about a consent it was given. What an app asked for is
sealed under a key that went out with the answer and that the server forgot: whoever steals the database with all keys
of the server learns nothing from it. A consent's is under the pod's control key, like the consent itself, for the app
made no call that could bring it a key. Both go with the pod. What an app has fetched it keeps: that still verifies
after an erasure.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from keys.errors import Damaged
from keys.note import proof
from keys.secret import SIZE, ControlKey, ReceiptKey
from keys.state import open_column, seal_column
from vault.database import Tx
from vault.errors import NotFound
from vault.log.entry import PodRecord
from vault.tables import AppReceipt, Entry

if TYPE_CHECKING:
    from vault.vault import Vault

NAME = "appreceipt"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one entry: its index in the whole log, and nonce, salted hash of the rest, and the app's part."""

    index: int
    opening: bytes

    @property
    def told(self) -> dict[str, Any]:
        """What the app may see of the entry."""
        told: dict[str, Any] = orjson.loads(self.opening[64:])
        return told


def keep(
    tx: Tx, control: ControlKey, place: tuple[int, bytes, bytes], record: PodRecord, key: bytes | bool
) -> None:  # fmt: skip
    """Keep the app's part of a record, inside the unit that writes it; `place`: index and id of the entry, its pod.

    `key`: the app's own (32 bytes), or True for the control key.
    """
    index, entry, pod = place
    with ReceiptKey(key) if isinstance(key, bytes) else nullcontext(control) as under:
        sealed = seal_column(under, NAME, entry, "sealed", record.app_nonce + record.rest + record.app)
    tx.add(AppReceipt(idx=index, entry=entry, pod=pod, sealed=sealed))


def find(vault: "Vault", client: str, index: int, key: bytes) -> Kept:
    """What is kept of an entry for this very app, with the key it got; b"" for a consent.

    Raises NotFound, the same for others' entries, for a wrong key and for none.
    """
    row = vault.db.read.get(AppReceipt, index)
    kept = _open(vault, row, key) if row else None
    if kept is None or kept.told["client"] != client:
        raise NotFound("no receipt for this app")
    return kept


def of_grant(vault: "Vault", pod: bytes, client: str, grant: str) -> list[Kept]:
    """What is kept for this app of consents under one grant (its shown id) of a pod, oldest first.

    Every receipt of the pod is tried for it: no row says in clear which grant it is about, and those that an app asked
    for open for that app alone.
    """
    found = [_open(vault, row, b"") for row in vault.db.read.find(AppReceipt, order_by="idx", pod=pod)]
    return [kept for kept in found if kept and (kept.told["client"], kept.told.get("grant")) == (client, grant)]


def issue(vault: "Vault", kept: Kept) -> str | None:
    """The receipt (C2SP tlog-proof), None while the entry's checkpoint is not published yet.

    Its extra data: nonce, hash of the rest, DPO commitment (32 bytes each), and the app's part as RFC 8785 JSON. From
    these anybody recomputes the 66 bytes of the entry.
    """
    ledger = vault.log.shards.at(kept.index)
    position = kept.index - ledger.first
    if position >= ledger.size:
        return None
    leaf = vault.db.read.get(Entry, kept.index)
    if leaf is None:
        raise NotFound("no such entry")
    extra = kept.opening[:64] + leaf.leaf[34:] + kept.opening[64:]
    return proof(position, ledger.inclusion(position), ledger.note, extra)


def _open(vault: "Vault", row: AppReceipt, key: bytes) -> Kept | None:
    pod = vault.pod_by_id(row.pod)
    if pod is None or len(key) not in (0, SIZE):
        return None
    try:
        with ReceiptKey(key) if key else nullcontext(pod.control) as under:
            return Kept(row.idx, open_column(under, NAME, row.entry, "sealed", row.sealed))
    except Damaged:  # under another key than this one
        return None
