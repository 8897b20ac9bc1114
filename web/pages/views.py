"""What each page shows, and the one place that turns it into HTML.

A page is a frozen dataclass: the routes fill it, the template of the same name reads it as `page`, and nothing else
reaches the template but the frame (who is logged in, the form token). Jinja2 escapes all text; a misspelt name raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from web.pages import dutch
from web.pages.dutch import local
from web.pages.entry import CodePage, LoginPage, SecurityPage
from web.pages.taking import TakeAwayPage

HERE = Path(__file__).parent
STATIC = HERE / "static"
APP_WORDS_CAP = 200  # most characters of an app's own words that a consent page repeats


@dataclass(frozen=True)
class HomePage:
    """`/`: what Kluis is. `size`: entries in the log of everybody."""

    origin: str
    size: int


@dataclass(frozen=True)
class DataRow:
    """One datum of a request. `label`, `why` and `left_out` are registry words; `preview`: the values the app would
    get. `key` is the value of its check box; a required row has none and comes with the decision.
    """

    key: str
    label: str
    why: str
    required: bool
    preview: tuple[str, ...] = ()
    left_out: str = ""
    special: bool = False


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

    @property
    def quoted(self) -> str:
        """The app's own words on one line, cut at APP_WORDS_CAP characters."""
        words = " ".join(self.words.split())
        return words if len(words) <= APP_WORDS_CAP else words[: APP_WORDS_CAP - 1].rstrip() + "…"


@dataclass(frozen=True)
class ReceiptPage:
    """The proof of one decision. `given` and `withheld`: registry words; `digest`: of the canonical receipt."""

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


@dataclass(frozen=True)
class Reading:
    """An app that read today, and what: registry words."""

    app: str
    what: tuple[str, ...]


@dataclass(frozen=True)
class Drawer:
    """One data family of the pod and how many live grants reach it."""

    label: str
    apps: int
    records: int


@dataclass(frozen=True)
class StartPage:
    """`/me`. `surprise`: title of a personal suggestion, "" for none; `lines`: this pod's lines in the log."""

    name: str
    today: tuple[Reading, ...]
    grants: int
    drawers: tuple[Drawer, ...]
    lines: int
    surprise: str = ""


@dataclass(frozen=True)
class Compartment:
    """One compartment: registry label, family, container path in the pod, resources in it, apps that may read it."""

    label: str
    family: str
    path: str
    sealed: bool
    count: int
    apps: tuple[str, ...] = ()


@dataclass(frozen=True)
class DataPage:
    """`/me/data`."""

    compartments: tuple[Compartment, ...]
    pod: str


@dataclass(frozen=True)
class GrantCard:
    """One live grant. `sees`: registry words of what it covers; `reads`: how often it read, `last_read`: when last.
    `receipt`: id of its proof, "" for none.
    """

    id: str
    app: str
    controller: str
    purpose: str
    legal_basis: str
    sees: tuple[str, ...]
    until: datetime
    reads: int
    last_read: datetime | None = None
    trusted: bool = False
    ending: bool = False
    receipt: str = ""


@dataclass(frozen=True)
class EndedGrant:
    """A grant that gives nothing any more. `state`: withdrawn, expired, used_up or invalidated."""

    app: str
    purpose: str
    state: str
    at: datetime
    reads: int
    receipt: str = ""


@dataclass(frozen=True)
class AccessPage:
    """`/me/access`. `stopped`: the app whose grant was withdrawn a moment ago, "" for none."""

    grants: tuple[GrantCard, ...]
    ended: tuple[EndedGrant, ...] = ()
    stopped: str = ""


@dataclass(frozen=True)
class LogLine:
    """One line of the pod's log: `seq` counts in this pod, `index` in the log of everybody; `outcome`: served, unknown,
    refused, or words to show as they are.
    """

    seq: int
    index: int
    at: datetime
    who: str
    what: str
    why: str
    basis: str
    allowed: bool
    outcome: str
    count: int = 1


@dataclass(frozen=True)
class Verdict:
    """The server's own check of a pod's lines. `line`: seq of the first line that fails (None: the log as a whole)."""

    ok: bool
    checked: int
    line: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class LogPage:
    """`/me/log`: lines newest first. `older`: local address of the next page, "" at the end."""

    lines: tuple[LogLine, ...]
    origin: str
    size: int
    verdict: Verdict | None = None
    older: str = ""

    @property
    def days(self) -> list[tuple[date, list[LogLine]]]:
        """The lines per city day, in the order given."""
        return [(day_, list(lines)) for day_, lines in groupby(self.lines, key=lambda line: local(line.at).date())]


@dataclass(frozen=True)
class Reason:
    """Why a suggestion is there. `items`: the citizen's own things it rests on; none: it rests on nothing personal."""

    text: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """One card. `slot`: sure, bridge or leap; `when` or `note` says when ("nu in het rek")."""

    medium: str
    title: str
    institution: str
    slot: str
    reasons: tuple[Reason, ...]
    when: datetime | None = None
    note: str = ""


@dataclass(frozen=True)
class Plain:
    """One line of the list that uses no personal data."""

    medium: str
    title: str
    institution: str
    when: datetime | None = None
    note: str = ""


@dataclass(frozen=True)
class SuggestionsPage:
    """`/me/suggestions`. `granted`: the recommender has a live grant; `sources`: registry words of what it may read;
    `awake`: it answered (else the plain list stands alone and says so).
    """

    granted: bool
    plain: tuple[Plain, ...]
    suggestions: tuple[Suggestion, ...] = ()
    sources: tuple[str, ...] = ()
    awake: bool = True


@dataclass(frozen=True)
class TotalRow:
    """One cell of the DPO's table. `allowed`: the decision of the counted entries."""

    app: str
    purpose: str
    category: str
    action: str
    allowed: bool
    count: int


@dataclass(frozen=True)
class WatchPart:
    """How the log stands with its witnesses: `cosigning` of `names`, `needed` of them make a quorum.

    `alarm`: `quorum`, `rollback` or `fork`, "" for none; `since` when, `held` if no data goes out meanwhile.
    """

    names: tuple[str, ...]
    needed: int
    cosigning: int
    alarm: str = ""
    since: datetime | None = None
    held: bool = False


@dataclass(frozen=True)
class DpoPage:
    """`/dpo`: totals, no person. `opened`: DPO commitments recomputed for these totals, of `entries` in the log."""

    rows: tuple[TotalRow, ...]
    since: datetime
    until: datetime
    entries: int
    opened: int
    checkpoint: str = "/log/checkpoint"
    watch: WatchPart | None = None


@dataclass(frozen=True)
class TransparencyPage:
    """`/transparency`: all that a stranger needs to check the log. `checkpoint`: the signed note, as served."""

    base: str
    origin: str
    vkey: str
    size: int
    checkpoint: str
    watch: WatchPart | None = None


@dataclass(frozen=True)
class ErrorPage:
    """Any failure a person sees: what happened, what to do now. `code`: the stable problem code."""

    status: int
    title: str
    happened: str
    todo: str
    code: str = ""


PAGES: dict[str, type] = {
    "home": HomePage,
    "login": LoginPage,
    "consent": ConsentPage,
    "receipt": ReceiptPage,
    "start": StartPage,
    "data": DataPage,
    "access": AccessPage,
    "log": LogPage,
    "suggestions": SuggestionsPage,
    "dpo": DpoPage,
    "transparency": TransparencyPage,
    "security": SecurityPage,
    "take-away": TakeAwayPage,
    "code": CodePage,
    "error": ErrorPage,
}
"""Template name (without .html) -> the only context it accepts."""

_JINJA = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_JINJA.filters |= {f.__name__: f for f in (dutch.cell, dutch.clock, dutch.day, dutch.iso, dutch.listed, dutch.number)}
_JINJA.globals.update(vars(_JINJA.get_template("parts.html").module))


def render(name: str, page: object, *, person: str = "", role: str = "", csrf: str = "") -> str:
    """The HTML document of page `name` (a key of PAGES); TypeError when `page` is not that page's dataclass.

    `person`: who is logged in, "" for nobody; `role`: citizen or dpo; `csrf`: the form token every form sends back.
    """
    if not isinstance(page, PAGES[name]):
        raise TypeError(f"page {name!r} takes {PAGES[name].__name__}, not {type(page).__name__}")
    return _JINJA.get_template(f"{name}.html").render(page=page, name=name, person=person, role=role, csrf=csrf)
