"""How many lines of a pod's log are not shown: what its chain counts against the lines that are there.

Nothing is ever withheld here (docs/decisions/0015): the number is worked out each time so that it can be checked, from
the number of the newest line, the chain of the lines, and what the newest summary of all pods counted.
"""

from dataclasses import dataclass
from typing import Any

from vault.database import Tx
from vault.log.retention import ended
from vault.log.views import ENDED, Line, head
from vault.vault import PodFacts

THERE = """
SELECT count(*), count(*) FILTER (WHERE k.id IS NULL AND r.idx < :before), count(*) FILTER (WHERE k.id IS NULL)
FROM record r JOIN entry e ON e.idx = r.idx LEFT JOIN recordkey k ON k.id = r.key WHERE r.pod = :pod
"""


@dataclass(frozen=True, slots=True)
class Count:
    """Lines `written` for a pod; of these `there`, of which `ended` (their month is over) and `shut` do not open."""

    written: int
    there: int
    ended: int
    shut: int

    @property
    def withheld(self) -> int:
        """Lines that were written and are not shown."""
        return self.written - self.there

    @property
    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {"written": self.written, "withheld": self.withheld, "ended": self.ended, "unreadable": self.shut}


class Seen:
    """Counts lines while they are opened, from number `since` on: those that do not open are then known exactly."""

    def __init__(self, newest: int, since: int = 0) -> None:
        self._written, self._there, self._ended, self._shut = max(0, newest + 1 - max(since, 1)), 0, 0, 0

    def add(self, line: Line) -> Line:
        """Take in one more line, and give it back."""
        self._there += 1
        self._ended += line.record is None and line.outcome == ENDED
        self._shut += line.broken
        return line

    @property
    def count(self) -> Count:
        """What was counted up to here."""
        return Count(self._written, self._there, self._ended, self._shut)


def counted(tx: Tx, pod: PodFacts) -> Count:
    """Counted without opening a line, for a page of a long log: `shut` are those whose key is gone before its time."""
    over = ended(tx)
    there, ends, keyless = tx.run(THERE, pod=pod.id, before=over.before if over else 0)[0]
    return Count(head(tx, pod).seq, there, ends, keyless - ends)
