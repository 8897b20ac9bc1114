"""What the pages about leaving show: erasing one's pod, and what is said once there is nothing left."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErasePage:
    """`/me/erase`. `pod`: the random id that a form sent twice is recognised by; `confirm`: what the browser asks a
    passkey for, as JSON, "" without one; `failed`: the proof did not hold.
    """

    pod: str
    count: int
    apps: int
    confirm: str = ""
    failed: bool = False


@dataclass(frozen=True)
class GonePage:
    """`/goodbye`, without a word about whose pod it was. `entry`: the line of everybody's log that says that one was
    erased, None if this browser did not hear it.
    """

    entry: int | None = None
