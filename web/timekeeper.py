"""The server's clock, held against the time that really passed: a jump ahead is not believed until somebody says so.

The log's time never goes back, so one moment of a clock that ran ahead would bind it until real time catches up
(docs/decisions/0019). While a jump is not believed, time goes on as it really passed, and no data is served.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

JUMP: Final = timedelta(minutes=10)
"""How far a clock may be put ahead while the server runs."""
OFF: Final = timedelta(days=3)
"""How long a server may have been off: nobody counted the time since the log's last entry."""
_log = logging.getLogger("kluis.clock")


def passed() -> float:
    """Seconds since the machine started, sleep included, whatever its clock is set to."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Timekeeper:
    """The clock of one house. Called from any thread."""

    def __init__(self, wall: Callable[[], datetime], passed: Callable[[], float], last: datetime | None) -> None:
        """Take the machine's clock, the seconds that passed, and the log's last moment, None for a new log."""
        self._wall, self._passed = wall, passed
        self._known = (last or wall(), passed(), OFF if last else JUMP)
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """Now: what the clock says, or, while it is not believed, the last moment known and what passed since."""
        (known, since, bound), reading, at = self._known, self._wall(), self._passed()
        expected = known + timedelta(seconds=at - since)
        ahead = reading - expected
        if ahead > bound:
            if not self._ahead:
                _log.error("the clock is %s ahead of the time that passed: no data is served", _spoken(ahead))
            self._ahead = ahead
            return expected
        self._ahead = timedelta()
        if reading >= known:
            self._known = reading, at, JUMP
        return reading

    def doubt(self) -> str:
        """Why the clock is not believed; "" if it is."""
        self()
        return (
            f"the clock is {_spoken(self._ahead)} ahead of the time that passed, see `kluis clock`"
            if self._ahead
            else ""
        )

    def accept(self) -> None:
        """Believe the clock as it stands now."""
        self._known, self._ahead = (self._wall(), self._passed(), JUMP), timedelta()

    @property
    def told(self) -> dict[str, Any]:
        """As JSON: the moment that is taken for now, what the clock says, and whether it is believed."""
        now = self()
        told = {"now": now.isoformat(timespec="seconds"), "clock": self._wall().isoformat(timespec="seconds")}
        return {**told, "believed": not self._ahead, "ahead_seconds": int(self._ahead.total_seconds())}


def _spoken(span: timedelta) -> str:
    return f"{span.days} days" if span.days > 1 else f"{int(span.total_seconds()) // 60} minutes"
