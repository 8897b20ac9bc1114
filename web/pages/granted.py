"""What the pages about access show: every grant of the citizen, live, restricted or ended; and giving less of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from web.pages.consenting import Choice

_OVER: Final = "De app leest nu niets meer. Ze hoort ook niet meer wat er verandert."
# What was just done with {app}, and what that means.
DONE: Final[Mapping[str, tuple[str, str]]] = {
    "stopped": ("De toegang van {app} is gestopt.", _OVER),
    "restricted": ("{app} is bevroren.", "Ze leest en hoort niets, tot jij haar verder laat gaan. Er is niets gewist."),
    "resumed": ("{app} mag weer verder.", "Hieronder staat wat de app ziet en tot wanneer."),
    "objected": ("Je maakte bezwaar tegen {app}.", _OVER),
    "less": ("{app} ziet nu minder.", "Dat geldt meteen. Wat de app al gelezen had, kunnen we niet terughalen."),
    "asked": ("{app} kreeg de vraag om je kopie te wissen.", "Hieronder lees je of ze dat al bevestigde."),
}
REMINDED: Final[Mapping[str, str]] = {
    "unused": "De app las al 90 dagen niets. Heeft ze dit nog nodig? Je kan de toegang stoppen.",
    "ending": "Dit loopt binnenkort vanzelf af. Wil je dat niet? Dan moet de app het opnieuw vragen.",
    "periodic": "Je gaf dit al een tijd geleden. Klopt het nog voor jou?",
}
FAILED: Final[Mapping[str, tuple[str, str]]] = {
    "nothing": ("Je koos niets. Er is niets veranderd.", "Kruis aan wat weg mag, of kies een vroeger einde."),
    "all": ("Dan blijft er niets over. Er is niets veranderd.", "Wil je niets meer delen? Stop dan de toegang."),
}


@dataclass(frozen=True)
class Seen:
    """One row of a grant, in registry words. `limit`: what of it the app gets, "" for all; `key` names it in a form."""

    label: str
    limit: str = ""
    key: str = ""
    required: bool = False


@dataclass(frozen=True)
class GrantCard:
    """One grant that is live or restricted. `reads`: how often it read, `last_read`: when last; `less`: it can be
    narrowed. `receipt`: id of its proof, "" for none; `reminder`: key of REMINDED; `objects`: it rests on no consent,
    so that she objects to it; `marketing`: an objection is for good; `session`: it ends when she logs out, if not at
    `until` before that.
    """

    id: str
    app: str
    controller: str
    purpose: str
    legal_basis: str
    sees: tuple[Seen, ...]
    until: datetime
    reads: int
    last_read: datetime | None = None
    trusted: bool = False
    ending: bool = False
    receipt: str = ""
    restricted: bool = False
    less: bool = False
    reminder: str = ""
    objects: bool = False
    marketing: bool = False
    session: bool = False

    @property
    def reminded(self) -> str:
        """What there is to say about it now."""
        return REMINDED.get(self.reminder, "")


@dataclass(frozen=True)
class CopyPart:
    """What an app still holds after a grant. `state`: kept, overdue, deleted, or "" if nobody spoke of a copy; then
    when it must be gone, when she asked for it, when the app says it was. `told`: waiting or untold if the app does
    not know of everything, else ""; `may_ask`: she can ask now.
    """

    id: str
    state: str = ""
    deadline: datetime | None = None
    asked: datetime | None = None
    deleted: datetime | None = None
    told: str = ""
    may_ask: bool = False


@dataclass(frozen=True)
class EndedGrant:
    """A grant that gives nothing any more. `state`: withdrawn, objected, expired, used_up, ended or invalidated;
    `reason`: why the city ended it.
    """

    app: str
    purpose: str
    state: str
    at: datetime
    reads: int
    receipt: str = ""
    reason: str = ""
    copy: CopyPart | None = None


@dataclass(frozen=True)
class AccessPage:
    """`/me/access`. `done`: key of DONE for what was done a moment ago with the app `to`, "" for nothing; `receipt`: id
    of the proof of that, "" for none.
    """

    grants: tuple[GrantCard, ...]
    ended: tuple[EndedGrant, ...] = ()
    done: str = ""
    to: str = ""
    receipt: str = ""

    @property
    def news(self) -> tuple[str, str]:
        """What was done and what it means."""
        said, means = DONE[self.done]
        return said.format(app=self.to), means

    @property
    def restricted(self) -> int:
        """How many stand on restrict."""
        return sum(card.restricted for card in self.grants)


@dataclass(frozen=True)
class LessPage:
    """`/me/access/{grant}/less`. `ends`: sooner ends, soonest first; `version`: of the grant that is shown, so that a
    form sent twice is noticed; `failed`: key of FAILED.
    """

    id: str
    app: str
    purpose: str
    rows: tuple[Seen, ...]
    until: datetime
    ends: tuple[Choice, ...]
    version: int
    failed: str = ""

    @property
    def trouble(self) -> tuple[str, str]:
        """What went wrong and what to do now, both "" for nothing."""
        return FAILED.get(self.failed, ("", ""))
