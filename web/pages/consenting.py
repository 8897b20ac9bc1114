"""What the pages about one decision show: the consent page, and the receipt after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

APP_WORDS_CAP: Final = 200  # most characters of an app's own words that a consent page repeats


@dataclass(frozen=True)
class DataRow:
    """One datum of a request. `label`, `why` and `left_out` are registry words; `preview`: the values the app would
    get. `key` is the value of its check box; a required row has none and comes with the decision. `because`: the app's
    registered reason for more than its purpose usually needs, quoted. `mark`: what a change does to it, "" for nothing.
    """

    key: str
    label: str
    why: str
    required: bool
    preview: tuple[str, ...] = ()
    left_out: str = ""
    special: bool = False
    because: str = ""
    mark: Literal["", "added", "removed", "changed", "same"] = ""

    @property
    def open(self) -> bool:
        """Whether there is something to decide about it."""
        return not self.required and self.mark not in ("same", "removed")


@dataclass(frozen=True)
class Choice:
    """One radio button: what the form sends and what a person reads."""

    value: str
    label: str


@dataclass(frozen=True)
class ConsentPage:
    """The consent page (consent.md U1-U20): one form, one purpose, one decision.

    `purpose`: the registered text. `hidden`: names and values that come back with the form (request_uri, client_id).
    `durations`: shortest first; choosing none means the first. `undecided`: a person pressed Enter, nothing is decided.
    `doing`, `limits`, `automated`: what the app may do, how often, and whether a computer decides. `until`: how long
    the grant lasts that this would change, None for a new one; `changed`: the places of the page where it changes.
    """

    app: str
    controller: str
    domain: str
    trusted: bool
    purpose: str
    legal_basis: str
    data: tuple[DataRow, ...]
    durations: tuple[Choice, ...]
    storage: str
    retention: str
    recipients: tuple[str, ...] = ()
    words: str = ""
    hidden: tuple[tuple[str, str], ...] = ()
    action: str = "/oauth/authorize"
    contact: str = ""
    undecided: bool = False
    doing: tuple[str, ...] = ()
    limits: str = ""
    automated: str = ""
    until: datetime | None = None
    changed: tuple[str, ...] = ()

    @property
    def quoted(self) -> str:
        """The app's own words on one line, cut at APP_WORDS_CAP characters."""
        words = " ".join(self.words.split())
        return words if len(words) <= APP_WORDS_CAP else words[: APP_WORDS_CAP - 1].rstrip() + "…"


GIVING: Final = frozenset({"given", "renewed", "amended"})
# What was decided, as a sentence about {app}, and what its proof is called.
STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "given": ("Je gaf toestemming aan {app}", "Bewijs van toestemming"),
    "renewed": ("Je gaf opnieuw toestemming aan {app}", "Bewijs van toestemming"),
    "amended": ("Je veranderde wat {app} mag", "Bewijs van verandering"),
    "withdrawn": ("Je stopte de toegang van {app}", "Bewijs dat je stopte"),
    "objected": ("Je maakte bezwaar tegen {app}", "Bewijs van bezwaar"),
    "ended": ("{app} gaf de toegang terug", "Bewijs van het einde"),
    "expired": ("De toegang van {app} liep af", "Bewijs van het einde"),
    "used_up": ("De toegang van {app} is opgebruikt", "Bewijs van het einde"),
    "invalidated": ("De stad stopte de toegang van {app}", "Bewijs van het einde"),
}


@dataclass(frozen=True)
class ReceiptPage:
    """The proof of one decision. `given` and `withheld`: registry words; `digest`: of the canonical receipt; `step`:
    key of STEPS, what was decided.
    """

    id: str
    app: str
    controller: str
    purpose: str
    legal_basis: str
    at: datetime
    until: datetime
    given: tuple[str, ...]
    digest: str
    withheld: tuple[str, ...] = ()
    step: str = "given"

    @property
    def title(self) -> str:
        """What this proves, as a sentence."""
        return STEPS[self.step][0].format(app=self.app)

    @property
    def kind(self) -> str:
        """What this is, for above the facts."""
        return STEPS[self.step][1]

    @property
    def stands(self) -> bool:
        """Whether it says what the app may read since then; else what it could read until then."""
        return self.step in GIVING
