"""A pod in which every value is marked, and random requests for it: what may come out can be said without asking Kluis.

Every text is found nowhere else in the pod, so whatever comes out of a response names the field it came from.
"""

import random
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from consent.oauth.clients import Client, Registration
from tests.consent import sample

TODAY: Final = date(2026, 11, 21)
"""The day on which the clock of these tests stands still."""
WINDOWS: Final = {"P30D": TODAY - timedelta(days=30), "P6M": date(2026, 5, 21), "P1Y": date(2025, 11, 21)}
SINCE: Final = {"2026-01-01": date(2026, 1, 1), "2026-09-30": date(2026, 9, 30)}
PLACES: Final = {
    "kluis:LibraryLoan": "loans", "pd:Interest": "interests", "kluis:Ticket": "tickets", "kluis:Card": "card",
    "kluis:SocialTariff": "tariff", "pd:PostalCode": "person", "pd:Age": "age", "kluis:Derived": "derived",
}  # fmt: skip
DATED: Final = ("kluis:LibraryLoan", "kluis:Ticket")
WHEN = ("schema:name", "schema:about", "schema:startTime", "schema:endTime", "kluis:source")
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "kluis:LibraryLoan": (*WHEN, "schema:author", "schema:additionalType", "kluis:branch", "kluis:item"),
    "pd:Interest": ("schema:about", "schema:name", "kluis:source"),
    "kluis:Ticket": (*WHEN, "schema:location", "kluis:event"),
    "kluis:Card": ("schema:name", "schema:identifier", "kluis:points", "kluis:source"),
    "kluis:SocialTariff": ("kluis:entitled", "schema:validThrough"),
    "pd:PostalCode": ("schema:postalCode", "kluis:source"),
    "pd:Age": ("schema:birthDate", "kluis:source"),
    "kluis:Derived": ("schema:name", "schema:about"),
}
STRANGE = ("https://schema.org/name", "kluis:note", "schema:isbn", "@included", "@reverse", "schema:about ", "name")
"""Properties that records have and no grant names; some look like fields."""
DERIVED: Final = {
    "kluis:LibraryLoan": ("interest_topics_k10",), "pd:Interest": ("interest_topics_k10",),
    "kluis:Ticket": ("interest_topics_k10",), "pd:PostalCode": ("postal_district", "is_resident"),
    "pd:Age": ("age_over_18", "age_over_13", "age_band"),
}  # fmt: skip
PURPOSES: Final = ("dpv:ServiceProvision", "dpv:ProvideEventRecommendations", "dpv:ServicePersonalisation")
VERSION = "2026-11-01"
APP: Final[Client] = replace(
    sample.APP,
    purposes=tuple(Registration(code, VERSION, sample.TEXT, tuple(PLACES), "city") for code in PURPOSES),
)


@dataclass(frozen=True)
class Record:
    """One marked record; `marks` says of each value which property it stands under, `@id` for its name."""

    category: str
    path: str
    body: dict[str, Any]
    marks: dict[str, str]
    day: date | None

    @property
    def topics(self) -> list[str]:
        return list(self.body.get("schema:about", []))


class Pod:
    """The marked records of a pod."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.number = chance, 0
        self.records = [self._record(curie, n) for curie in PLACES for n in range(9 if curie in DATED else 3)]

    def of(self, curie: str) -> list[Record]:
        return [one for one in self.records if one.category == curie]

    def _mark(self) -> str:
        self.number += 1
        return f"q{self.number:06x}z"

    def _record(self, curie: str, number: int) -> Record:
        path = f"/{PLACES[curie]}/{self._mark()}.jsonld"
        marks = {path.split("/")[2].partition(".")[0]: "@id"}
        body: dict[str, Any] = {"@type": curie}
        for name in (*FIELDS[curie], *self.chance.sample(STRANGE, 4)):
            body[name] = self._value(curie, name, marks)
        day = self._day(number) if curie in DATED else None
        if day is not None:
            body["schema:startTime"] = day.isoformat()
        elif "schema:startTime" in body:
            del body["schema:startTime"]
        return Record(curie, path, body, marks, day)

    def _value(self, curie: str, name: str, marks: dict[str, str]) -> Any:
        """A marked value of some form; topics are shared within a category, so that some are frequent."""
        if name == "schema:postalCode":
            return "2018"
        if name == "schema:birthDate":
            return "1984-03-17"
        if name in ("schema:startTime", "schema:endTime"):
            return "2026-10-01"
        mark = self._mark()
        marks[mark] = name
        if name == "schema:about":
            shared = [f"{PLACES[curie]}{n}w" for n in self.chance.sample(range(8), 3)]
            marks.update(dict.fromkeys(shared, name))
            return [*shared, mark]
        forms = [mark, [mark], {"@value": mark}, {"schema:name": mark, "schema:about": f"{mark} {mark}"}]
        return self.chance.choice(forms)

    def _day(self, number: int) -> date | None:
        """Dates on both sides of every limit, on the limits too, and none at all."""
        limits = [*WINDOWS.values(), *SINCE.values(), TODAY]
        near = [limit + timedelta(days=self.chance.choice((-1, 0, 1))) for limit in limits]
        return None if number == 0 else self.chance.choice([*near, TODAY - timedelta(days=self.chance.randint(0, 700))])


@dataclass(frozen=True)
class Request:
    """What an app asks at random and which optional rows are ticked: `rows` is what was granted, as it was asked."""

    rows: list[dict[str, Any]]
    asked: list[dict[str, Any]]
    actions: list[str]
    purpose: str


def some(pod: Pod, chance: random.Random, base: str) -> Request:
    """A random request; it may be one that the registries do not allow, which is for the caller to try."""
    purpose, rows = chance.choice(PURPOSES), list[dict[str, Any]]()
    for curie in chance.sample([name for name in PLACES if name != "kluis:SocialTariff"], chance.randint(1, 4)):
        limit = chance.choice([{}, {"window": chance.choice(list(WINDOWS))}, {"since": chance.choice(list(SINCE))},
                               {"since": "grant"}]) if curie in DATED else {}  # fmt: skip
        whole = chance.choice(["all", "fields", "fields", "two", "resources", "derived", "derived"])
        rows += _rows(pod, chance, base, curie, whole, limit)
    rows = [row | {"necessity": chance.choice(["required", "optional"])} for row in rows]
    if not any(row["necessity"] == "required" for row in rows):
        rows[0]["necessity"] = "required"
    granted = [row for row in rows if row["necessity"] == "required" or chance.random() < 0.5]
    actions = chance.choice([["read"], ["read"], ["read", "derive"], ["derive"]])
    return Request(granted, rows, actions, purpose)


def _rows(
    pod: Pod, chance: random.Random, base: str, curie: str, form: str, limit: dict[str, Any]
) -> list[dict[str, Any]]:
    row = {"category": curie, **limit}
    names = chance.sample(FIELDS[curie], chance.randint(1, len(FIELDS[curie])))
    if form == "derived" and curie in DERIVED:
        return [{"category": curie, "derived": chance.choice(DERIVED[curie]), **_only(limit, "window")}]
    if form == "resources":
        some = chance.sample(pod.of(curie), chance.randint(1, 2))
        fields = {"fields": names} if chance.random() < 0.5 else {}
        return [row | fields | {"resources": [f"{base}/pods/an{one.path}" for one in some]}]
    if form == "two" and len(names) > 1:
        return [row | {"fields": names[:1]}, row | {"fields": names[1:]}]
    return [row] if form == "all" else [row | {"fields": names}]


def _only(limit: dict[str, Any], name: str) -> dict[str, Any]:
    return {name: limit[name]} if name in limit else {}
