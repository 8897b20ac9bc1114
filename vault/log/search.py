"""Looking through one's own log, newest first: a page at a time, so that a long log is as quick as a short one.

Records are sealed, so what a filter asks is known only after opening: one answer opens at most SCAN of them and says
where to go on. A line that does not open is shown whatever the filter says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from keys.secret import Private
from vault.database import Tx
from vault.log import views
from vault.log.views import BEYOND, Line
from vault.tables import OldLog, PodHead
from vault.vault import PodFacts, Vault

SCAN: Final = 2_000
STEP: Final = 250


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: those before number `below`, and of these all that fit; "" and None ask nothing.

    app: a client id; kind: a type of entry; since, until: milliseconds, `until` not included.
    """

    below: int = BEYOND
    app: str = ""
    category: str = ""
    kind: str = ""
    denied: bool = False
    since: int | None = None
    until: int | None = None

    def fits(self, line: Line) -> bool:
        """Whether a line is asked for. One that is broken always is; of one whose month ended nothing is known."""
        if line.record is None:
            return line.broken or (self.app, self.category, self.kind, self.denied) == ("", "", "", False)
        told = line.told
        asked = {"client": self.app, "category": self.category, "type": self.kind}
        return all(told.get(name, "") == value for name, value in asked.items() if value) and (
            not self.denied or told["decision"] == "denied"
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Lines newest first; `below` is where to go on, None at the end."""

    lines: tuple[Line, ...]
    below: int | None


def search(vault: Vault, pod: PodFacts, log: Private, wanted: Wanted, most: int) -> Found:
    """At most so many lines that fit. Reads a connection of its own: fit for a thread."""
    with vault.db.reading() as tx:
        below = wanted.below
        if wanted.until is not None:
            below = min(below, _first_from(vault, pod, log, wanted.until, tx))
        hits: list[Line] = []
        begun = 0
        for line in _back(vault, pod, log, below, tx):
            if wanted.since is not None and _before(line, wanted.since):
                return Found(tuple(hits), None)
            if wanted.fits(line):
                hits.append(line)
            begun = begun or line.seq
            if len(hits) == most or line.seq <= begun - SCAN:
                return Found(tuple(hits), line.seq if line.seq > 1 else None)
        return Found(tuple(hits), None)


def last_new_root(vault: Vault, pod: PodFacts, log: Private, below: int) -> Found:
    """The newest line before a number that says that all locks were changed, among at most SCAN; for a thread.

    Most pods never changed them: then no line is opened.
    """
    with vault.db.reading() as tx:
        if not tx.find(OldLog, pod=pod.id):
            return Found((), None)
    found = search(vault, pod, log, Wanted(below, kind="key event"), SCAN)
    changed = tuple(line for line in found.lines if line.told.get("action") == "new root")[:1]
    return Found(changed, None if changed else found.below)


def _back(vault: Vault, pod: PodFacts, log: Private, below: int, tx: Tx) -> Iterator[Line]:
    """Lines before a number, newest first, opened a few at a time."""
    while step := views.back(vault, pod, log, below, STEP, tx):
        yield from step
        below = step[-1].seq


def _before(line: Line, at: int) -> bool:
    """Whether a line is older than a moment: those whose month ended are the oldest."""
    return not line.broken and (line.record is None or line.told["time"] < at)


def _first_from(vault: Vault, pod: PodFacts, log: Private, at: int, tx: Tx) -> int:
    """The number of the first line at or after a moment: times never fall along a chain."""
    head = tx.get(PodHead, pod.id)
    low, high = 1, (head.seq if head else 0) + 1
    while low < high:
        middle = (low + high) // 2
        line = next(iter(views.lines(vault, pod, log, middle, middle + 1, tx)), None)
        if line is not None and _before(line, at):
            low = middle + 1
        else:
            high = middle
    return low
