"""What the page of suggestions shows, out of what the recommender told and what she wishes: values in, values out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from math import log
from typing import Any, Final

from consent.categories import CATEGORIES
from recommender.wishes import Wishes, traits
from web.pages.suggesting import (
    Bubble,
    Opened,
    Plain,
    Reason,
    Suggestion,
    SuggestionsPage,
    Switch,
    Trait,
    Week,
    Wished,
)

SOURCES: Final = ("kluis:LibraryLoan", "pd:Interest", "kluis:Ticket")
MEDIA: Final[Mapping[str, str]] = {
    "book": "boek",
    "work": "kunstwerk",
    "concert": "concert",
    "exhibition": "tentoonstelling",
    "stage": "voorstelling",
    "film": "film",
    "talk": "lezing",
    "tour": "rondleiding",
    "event": "activiteit",
}
EVIDENCE: Final = 3
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "list": ("Tips", "Een lijst met activiteiten en boeken."),
    "rank": ("Volgorde", "Wat bij je past, komt bij een app hoger te staan."),
    "fill": ("Invullen", "Een formulier stelt je eigen gegevens voor. Jij kiest wat meegaat."),
    "layout": ("Knoppen", "Bij een app staat vooraan wat bij je past."),
}
WISHED: Final[Mapping[str, str]] = {"less": "Minder", "more": "Meer", "never": "Nooit"}
TRAITS: Final[Mapping[str, str]] = {"topic": "", "maker": "van ", "house": "bij ", "medium": ""}


def page(told: Mapping[str, Any], hers: Wishes, *, granted: bool, heeds: bool, done: str = "") -> SuggestionsPage:
    """The whole page. `told` is the recommender's answer, with `plain` and `awake`; without a grant no switches."""
    found = told.get("suggestions", [])
    read = [one for one in told.get("read", []) if one.get("status") == "read"]
    shown = SuggestionsPage(
        granted=granted,
        plain=tuple(map(plain, told.get("plain", []))),
        suggestions=tuple(map(suggestion, found)),
        sources=tuple(label(one["category"]) for one in read if one["category"] in SOURCES and one["count"]),
        awake=bool(told.get("awake")),
        on=hers.on("list"),
        heeds=heeds,
        done=done,
    )
    if not granted:
        return shown
    return SuggestionsPage(
        **vars(shown)
        | {
            "opened": tuple(Opened(label(one["category"]), one["count"], _index(one.get("entry"))) for one in read),
            "kinds": tuple(Switch(name, words[0], hers.on(name), words[1]) for name, words in KINDS.items()),
            "categories": tuple(Switch(one, label(one), hers.opens(one)) for one in SOURCES),
            "media": tuple(Switch(name, words.capitalize(), name not in hers.media) for name, words in MEDIA.items()),
            "dial": hers.dial,
            "week": Week(hers.weekly.most, f"{hers.weekly.quiet_from:%H:%M}", f"{hers.weekly.quiet_until:%H:%M}"),
            "wished": tuple(wished(hers)),
            "traits": tuple(_trait(one) for one in told.get("dna", []) if one.get("wish") not in ("less", "never")),
            "bubble": bubble(found),
        }
    )


def suggestion(one: Mapping[str, Any]) -> Suggestion:
    """One card of an answer."""
    named = traits("", "", one.get("maker") or "", one.get("topics") or [])
    return Suggestion(
        medium=MEDIA.get(one["medium"], one["medium"]),
        title=one["title"],
        institution=one.get("institution") or "",
        slot=one["slot"],
        reasons=tuple(_reason(reason) for reason in one["reasons"]),
        when=_when(one.get("start")),
        note="nu in het rek" if one["medium"] == "book" else "",
        id=one.get("id") or "",
        trait=_named(_carried(one, named)) if named else None,
        path=_path(one.get("path") or {}),
        aside=_aside(one, one.get("path") or {}),
    )


def plain(one: Mapping[str, Any]) -> Plain:
    """One line of the list for everybody."""
    medium = MEDIA.get(one["medium"], one["medium"])
    return Plain(medium, one["title"], one.get("institution") or "", _when(one.get("start")))


def wished(hers: Wishes) -> Iterable[Wished]:
    """Everything she wished of traits and things, each to be taken back."""
    for how, words in WISHED.items():
        for name in sorted(getattr(hers, how)):
            yield Wished("trait", name, f"{words}: {_named(name).label}")
    if hers.hidden:
        count = len(hers.hidden)
        for number, name in enumerate(sorted(hers.hidden), 1):
            yield Wished("hide", name, f"Weggelegd: tip {number} van {count}")


def bubble(found: Sequence[Mapping[str, Any]]) -> Bubble | None:
    """How evenly the list is spread over kinds and houses: entropy against that of an even spread (0 to 100)."""
    if not found:
        return None
    spread = Counter((one["medium"], one.get("institution")) for one in found)
    most = log(len(found)) if len(found) > 1 else 1.0
    entropy = -sum(n / len(found) * log(n / len(found)) for n in spread.values())
    media, houses = {one["medium"] for one in found}, {one.get("institution") for one in found}
    return Bubble(round(100 * entropy / most), len(media), len(houses), len(found))


def label(curie: str) -> str:
    """A category in the registry's own words."""
    kind = CATEGORIES.get(curie)
    return kind.label["nl"] if kind else curie


def _path(told: Mapping[str, Any]) -> tuple[str, ...]:
    """How a bridge or leap was found: from a thing of hers, over what they share, to where it is new for her."""
    trait, to = str(told.get("trait") or ""), str(told.get("to") or "")
    steps = (told.get("evidence"), _named(trait).label if trait else "", told.get("via"), MEDIA.get(to, to))
    return tuple(dict.fromkeys(str(step) for step in steps if step))


def _aside(one: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    """In a sentence or two: what of hers it starts from, and what is new in it; "" without a path."""
    if not told.get("trait"):
        return ""
    about, medium = _named(str(told["trait"])).label, MEDIA.get(one["medium"], one["medium"])
    begin = f"Een stap opzij: je hebt iets over {about}."
    if told.get("new") == "medium":
        return f"{begin} Dit gaat ook over {about}, maar het is een {medium}."
    if told.get("new") == "house" and one.get("institution"):
        return f"{begin} Dit gaat ook over {about}, maar het is bij {one['institution']}."
    if told.get("via") and told.get("to"):
        return f"{begin} “{told['via']}” gaat daarover en ook over {told['to']}. Dit gaat over {told['to']}."
    return f"{begin} Dit is iets heel anders."


def _reason(one: Mapping[str, Any]) -> Reason:
    evidence = one.get("evidence") or ""
    text = f"{label(one['category'])} ({round(100 * one['share'])} %)"
    return Reason(text, (evidence,) if evidence else (), _without(one))


def _without(one: Mapping[str, Any]) -> str:
    """What would be without the record, or without the whole category; "" where that would change nothing."""
    fall, closed = one.get("fall") or 0, one.get("rank_without")
    if one.get("evidence") and fall > 0:
        return f"Zonder dit stond het {'1 plaats' if fall == 1 else f'{fall} plaatsen'} lager."
    return f"Zonder deze bron stond het op plaats {closed}." if closed else ""


def _carried(one: Mapping[str, Any], named: Sequence[str]) -> str:
    """The trait that her own things carry, if one does: that is what "more" and "less" of this card mean."""
    hers = [f"topic:{topic.casefold()}" for reason in one["reasons"] for topic in reason.get("topics") or ()]
    return next((trait for trait in hers if trait in named), named[0])


def _named(name: str) -> Trait:
    kind, _, value = name.partition(":")
    words = MEDIA.get(value, value) if kind == "medium" else value
    return Trait(name, f"{TRAITS.get(kind, '')}{words}")


def _trait(one: Mapping[str, Any]) -> Trait:
    named, shown = _named(str(one.get("trait", ""))), one.get("evidence") or ()
    titles = (each["title"] if isinstance(each, dict) else each for each in shown)
    return Trait(named.name, named.label, tuple(dict.fromkeys(map(str, titles)))[:EVIDENCE])


def _index(entry: object) -> int | None:
    """The number of a line of her log, however it was told."""
    text = str(entry)
    return int(text) if text.isascii() and text.isdigit() else None


def _when(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
