"""The life of a grant as a list of steps that only grows (consent.md, Objects): the proof GDPR 7(1) asks for.

States are those of DPV (requested, shown, given, refused, used_up, expired, withdrawn, invalidated, ended) and three
of ours for what DPV has no word for: narrowed, paused, resumed. Nothing here is removed by a withdrawal.
"""

from dataclasses import dataclass
from typing import Any, Final

from consent import columns
from consent.errors import BadChoice
from consent.tables import GrantEvent
from vault.database import Tx
from vault.vault import PodFacts, Vault

STATES: Final = frozenset(
    {"requested", "shown", "given", "refused", "used_up", "expired", "withdrawn", "invalidated", "ended"}
    | {"narrowed", "paused", "resumed"}
    | {"told", "untold", "delete_asked", "attested"}  # about the app: told of a step, and its copy
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: when (ms), which DPV state, and its details, such as the hash of the notice that was shown."""

    at: int
    state: str
    detail: dict[str, Any]


def note(tx: Tx, pod: PodFacts, grant: bytes, at: int, state: str, detail: dict[str, Any]) -> None:
    """Add a step inside a unit of the writer. Raises BadChoice for a state that there is not."""
    if state not in STATES:
        raise BadChoice(f"no such state of a grant: {state}")
    sealed = columns.put(pod.control, "grantevent", _row(grant, at), detail, state)
    tx.add(GrantEvent(grant=grant, pod=pod.id, at=at, state=state, sealed=sealed))


def history(vault: Vault, pod: PodFacts, grant: bytes) -> list[Step]:
    """All steps of a grant of this pod, oldest first; each is bound to its grant, moment and state."""
    rows = vault.db.read.find(GrantEvent, order_by="id", grant=grant, pod=pod.id)
    return [Step(r.at, r.state, _open(pod, r)) for r in rows]


def _open(pod: PodFacts, row: GrantEvent) -> dict[str, Any]:
    found: dict[str, Any] = columns.take(pod.control, "grantevent", _row(row.grant, row.at), row.sealed, row.state)
    return found


def _row(grant: bytes, at: int) -> bytes:
    return grant + at.to_bytes(8, "big")
