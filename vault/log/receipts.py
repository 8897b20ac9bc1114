"""Receipts of apps: what an app needs to prove an entry about itself to anybody, and nothing about other readers.

Kept only where the app asked for it, or where the entry is a consent given to it; sealed under the pod's control key,
so that it goes with the pod. What an app has fetched it keeps: that still verifies after an erasure.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from keys.note import proof
from keys.secret import ControlKey
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


def keep(tx: Tx, control: ControlKey, place: tuple[int, bytes, bytes], record: PodRecord) -> None:
    """Keep the app's part of a record, inside the unit that writes it; `place`: index and id of the entry, its pod."""
    index, entry, pod = place
    sealed = seal_column(control, NAME, entry, "sealed", record.app_nonce + record.rest + record.app)
    tx.add(AppReceipt(idx=index, entry=entry, pod=pod, sealed=sealed))


def find(vault: "Vault", client: str, index: int) -> Kept:
    """What is kept of an entry for this very app. Raises NotFound, the same for others' entries and for none."""
    row = vault.db.read.get(AppReceipt, index)
    kept = _open(vault, row) if row else None
    if kept is None or kept.told["client"] != client:
        raise NotFound("no receipt for this app")
    return kept


def of_grant(vault: "Vault", pod: bytes, client: str, grant: str) -> list[Kept]:
    """What is kept for this app of entries under one grant (its shown id) of a pod, oldest first.

    Every receipt of the pod is opened for it: no row says in clear which grant it is about.
    """
    found = [_open(vault, row) for row in vault.db.read.find(AppReceipt, order_by="idx", pod=pod)]
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


def _open(vault: "Vault", row: AppReceipt) -> Kept | None:
    pod = vault.pod_by_id(row.pod)
    return Kept(row.idx, open_column(pod.control, NAME, row.entry, "sealed", row.sealed)) if pod else None
