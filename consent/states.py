"""Which step may follow which in the life of a grant or request: a table, values in and values out.

Steps are those of DPV that consent.md lists, `ended` for a grant that its app gave back, and some of ours: `resumed`
ends a restriction, `reopened` lets an app ask again what the citizen refused or objected to. Four are about the app and
change no phase: it was told or could not be (`untold`), was asked to delete its copy, signed (`attested`) that it did.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

Phase = Literal["new", "asked", "deferred", "refused", "live", "restricted", "objected", "over"]

_OPEN: Final[tuple[Phase, ...]] = ("live", "restricted")


def _ends(phase: Phase) -> dict[Phase, Phase]:
    return dict.fromkeys(_OPEN, phase)


def _stays(*phases: Phase) -> dict[Phase, Phase]:
    return {phase: phase for phase in phases}


_CHANGED: Final[Mapping[Phase, Phase]] = {"live": "live", "restricted": "restricted", "asked": "over"}
"""A changed grant goes on as it stood; the request that asked for the change is over."""

TABLE: Final[Mapping[str, Mapping[Phase, Phase]]] = {
    "requested": {"new": "asked"},
    "shown": {"asked": "asked", "deferred": "asked"},
    "deferred": {"asked": "deferred", "deferred": "deferred"},
    "refused": {"asked": "refused", "deferred": "refused"},
    "reopened": {"refused": "over", "objected": "over"},
    "given": {"new": "live", "asked": "live"},
    "amended": _CHANGED,
    "renewed": _CHANGED,
    "restricted": {"live": "restricted"},
    "resumed": {"restricted": "live"},
    "objected": _ends("objected"),
    "withdrawn": _ends("over"),
    "ended": _ends("over"),
    "expired": _ends("over"),
    "used_up": _ends("over"),
    "invalidated": _ends("over"),
    "told": _stays("live", "restricted", "objected", "over"),
    "untold": _stays("live", "restricted", "objected", "over"),
    "delete_asked": _stays("objected", "over"),
    "attested": _stays("objected", "over"),
}
"""Step -> the phases in which it may be taken, each with the phase after it. What is not here may not happen."""


def after(steps: Iterable[str]) -> Phase | None:
    """The phase after these steps, oldest first; None if one of them could not be taken where it stands."""
    phase: Phase | None = "new"
    for step in steps:
        phase = TABLE.get(step, {}).get(phase) if phase is not None else None
    return phase
