"""The life of a grant as a list of steps that only grows (consent.md, Objects): the proof GDPR 7(1) asks for.

A step that the table of `consent.states` does not allow is refused in the unit that would have written it. Nothing
here is removed by a withdrawal.
"""

from dataclasses import dataclass
from typing import Any, Final

from consent import columns, states
from consent.errors import BadChoice
from consent.tables import GrantEvent
from vault.database import Tx
from vault.errors import Conflict
from vault.vault import PodFacts, Vault

STEPS: Final = "SELECT state FROM grantevent WHERE grant = :grant AND pod = :pod ORDER BY id"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: when (ms), which DPV state, and its details, such as the hash of the notice that was shown."""

    at: int
    state: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A step of some grant or request of a pod."""

    grant: bytes
    step: Step


def note(tx: Tx, pod: PodFacts, grant: bytes, at: int, state: str, detail: dict[str, Any]) -> None:
    """Add a step inside a unit of the writer.

    Raises BadChoice for a step that there is not, Conflict("state") for one that cannot follow those there are.
    """
    if state not in states.TABLE:
        raise BadChoice(f"no such step of a grant: {state}")
    before = [row[0] for row in tx.run(STEPS, grant=grant, pod=pod.id)]
    if states.after([*before, state]) is None:
        raise Conflict("state")
    sealed = columns.put(pod.control, "grantevent", _row(grant, at), detail, state)
    tx.add(GrantEvent(grant=grant, pod=pod.id, at=at, state=state, sealed=sealed))


def history(vault: Vault, pod: PodFacts, grant: bytes) -> list[Step]:
    """All steps of a grant of this pod, oldest first; each is bound to its grant, moment and state."""
    rows = vault.db.read.find(GrantEvent, order_by="id", grant=grant, pod=pod.id)
    return [_step(pod, row) for row in rows]


def of_kind(vault: Vault, pod: PodFacts, *kinds: str) -> list[Said]:
    """All steps of these kinds in a pod, oldest first."""
    found = [row for kind in kinds for row in vault.db.read.find(GrantEvent, pod=pod.id, state=kind)]
    return [Said(row.grant, _step(pod, row)) for row in sorted(found, key=lambda row: row.id or 0)]


def _step(pod: PodFacts, row: GrantEvent) -> Step:
    detail = columns.take(pod.control, "grantevent", _row(row.grant, row.at), row.sealed, row.state)
    return Step(row.at, row.state, detail)


def _row(grant: bytes, at: int) -> bytes:
    return grant + at.to_bytes(8, "big")
