"""What the pages of suggestions show: her list with its reasons, every switch, what Kluis thinks of her taste; and the
page on which she fills in a form of an app.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

DONE: Final[Mapping[str, str]] = {
    "kind": "Je keuze is bewaard. Ze telt vanaf de volgende suggestie.",
    "medium": "Je keuze is bewaard. Ze telt vanaf de volgende suggestie.",
    "category": "Je keuze is bewaard. Ze telt vanaf de volgende suggestie.",
    "dial": "Je keuze is bewaard. Ze telt vanaf de volgende suggestie.",
    "weekly": "Je keuze voor de verrassing van de week is bewaard.",
    "trait": "We onthouden wat je koos. Bij “Wat je zelf koos” kan je het terugdraaien.",
    "hide": "Dat is bewaard. Bij “Wat je zelf koos” kan je het terugdraaien.",
    "reset": "Alles is gewist wat de suggesties over je bewaarden. Je begint opnieuw.",
}


@dataclass(frozen=True)
class Reason:
    """Why a suggestion is there. `items`: the citizen's own things it rests on; none: it rests on nothing personal.
    `without`: what would be if they were not there.
    """

    text: str
    items: tuple[str, ...] = ()
    without: str = ""


@dataclass(frozen=True)
class Trait:
    """A trait by its name for programs (`topic:jazz`) and for people, and her own things that show it."""

    name: str
    label: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """One card. `slot`: sure, bridge or leap, `path` how a bridge or leap was found and `aside` that in
    a sentence; `when` or `note` says when.
    """

    medium: str
    title: str
    institution: str
    slot: str
    reasons: tuple[Reason, ...]
    when: datetime | None = None
    note: str = ""
    id: str = ""
    trait: Trait | None = None
    path: tuple[str, ...] = ()
    aside: str = ""


@dataclass(frozen=True)
class Plain:
    """One line of the list that uses no personal data."""

    medium: str
    title: str
    institution: str
    when: datetime | None = None
    note: str = ""


@dataclass(frozen=True)
class Switch:
    """Something she turns on or off, by a form of its own."""

    name: str
    label: str
    on: bool
    help: str = ""


@dataclass(frozen=True)
class Opened:
    """One category that was opened for this list, and how many things in it; `entry`: its line in her log, if told."""

    label: str
    count: int
    entry: int | None = None


@dataclass(frozen=True)
class Wished:
    """One wish of hers that she can take back: the form field `step`, its name, and in words what she wished."""

    step: str
    name: str
    text: str


@dataclass(frozen=True)
class Bubble:
    """How wide her list is: `percent` of the spread that is possible, over so many kinds and houses."""

    percent: int
    media: int
    houses: int
    of: int


@dataclass(frozen=True)
class Week:
    """The weekly surprise: at most `most` a week, quiet between two times of the day (HH:MM)."""

    most: int
    quiet_from: str
    quiet_until: str


@dataclass(frozen=True)
class SuggestionsPage:
    """`/me/suggestions`. `granted`: the recommender has a live grant; `sources`: registry words of what it may read;
    `awake`: it answered (else the plain list stands alone and says so); `on`: she has the list turned on. `heeds`:
    whether the grant lets the recommender read her wishes. The switches are empty where there is no grant.
    `gives`: her loans and tickets help to make the list for everybody.
    """

    granted: bool
    plain: tuple[Plain, ...]
    suggestions: tuple[Suggestion, ...] = ()
    sources: tuple[str, ...] = ()
    awake: bool = True
    on: bool = True
    heeds: bool = True
    opened: tuple[Opened, ...] = ()
    kinds: tuple[Switch, ...] = ()
    categories: tuple[Switch, ...] = ()
    media: tuple[Switch, ...] = ()
    dial: int = 1
    week: Week | None = None
    wished: tuple[Wished, ...] = ()
    traits: tuple[Trait, ...] = ()
    bubble: Bubble | None = None
    done: str = ""
    gives: bool = False

    @property
    def told(self) -> str:
        """What was just done, in words; "" for nothing."""
        return DONE.get(self.done, "")


@dataclass(frozen=True)
class FillField:
    """One field of a host's form: its name there, what it is in our words, and her values for it."""

    name: str
    label: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class FillPage:
    """`/me/fill/<handle>`: a form of `app` that waits. `picked`: names of the fields she gave, once `done`."""

    app: str
    handle: str
    fields: tuple[FillField, ...] = ()
    on: bool = True
    done: bool = False
    picked: tuple[str, ...] = ()
