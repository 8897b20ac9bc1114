"""A made-up city for the demo and for training: real institutions and books, invented events and citizens.

Every citizen has latent tastes over subjects that show in loans, tickets and interests alike. Anything measured on
this city is *simulated* and must be called so. The same generator state gives the same city, byte for byte.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from recommender.books import Book, books
from recommender.facts import CITY, PLACES, kilometres
from recommender.sources.items import CONTEXT
from recommender.works import Work, works

WEEKS = 10
SOON_WEEKS = 4
NEAR_KM = 3.0
"""Wishes fade by e in so many weeks and kilometres."""
_TYPES = {
    "Concert": "0.50.4.0.0",
    "Tentoonstelling": "0.0.0.0.0",
    "Theatervoorstelling": "0.55.0.0.0",
    "Dansvoorstelling": "0.54.0.0.0",
    "Film": "0.50.6.0.0",
    "Lezing of congres": "0.3.1.0.0",
    "Begeleide rondleiding": "0.7.0.0.0",
}
_BEGINS = {"Concert": (19, 21), "Theatervoorstelling": (14, 21), "Dansvoorstelling": (19, 21), "Film": (14, 22),
           "Tentoonstelling": (10, 11), "Lezing of congres": (10, 21), "Begeleide rondleiding": (10, 17)}  # fmt: skip
"""Local hours at which something of each kind begins, the last one not included."""
SHOWN_DAYS = 60
OPEN_AIR = "openlucht"
_TITLES = {
    "Concert": "Concert: {0} en {1}",
    "Tentoonstelling": "{0} en {1} in beeld",
    "Theatervoorstelling": "Op de planken: {0} en {1}",
    "Dansvoorstelling": "Dansavond rond {0} en {1}",
    "Film": "Filmavond: {0} en {1}",
    "Lezing of congres": "Lezing over {0} en {1}",
    "Begeleide rondleiding": "Rondleiding: {0} en {1}",
}
_TASTES: tuple[tuple[str, ...], ...] = (
    ("jazz", "muziek", "pop", "rock"),
    ("klassiek", "opera", "muziek", "dans"),
    ("schilderkunst", "beeldhouwkunst", "fotografie"),
    ("architectuur", "design", "mode"),
    ("geschiedenis", "middeleeuwen", "oudheid"),
    ("oorlog", "politiek", "journalistiek"),
    ("sciencefiction", "techniek", "sterrenkunde", "wetenschap"),
    ("fantasy", "strips", "kinderen"),
    ("thriller", "recht", "psychologie"),
    ("reizen", "zee", "afrika", "azië", "latijns-amerika"),
    ("natuur", "dieren", "klimaat"),
    ("liefde", "familie", "poëzie", "taal"),
    ("theater", "film", "humor", "dans"),
    ("koken", "gezondheid", "sport"),
    ("antwerpen", "vlaanderen", "biografie"),
    ("filosofie", "religie", "maatschappij", "economie", "migratie"),
)


@dataclass(frozen=True)
class Institution:
    """A house of culture in Antwerp: public facts, and what it is made to programme here."""

    name: str
    street: str
    postcode: str
    types: tuple[str, ...]
    topics: tuple[str, ...]


INSTITUTIONS = tuple(
    Institution(name, street, postcode, tuple(types.split(", ")), tuple(topics.split()))
    for name, street, postcode, types, topics in (
        ("MAS", "Hanzestedenplaats 1", "2000", "Tentoonstelling, Begeleide rondleiding",
         "antwerpen zee geschiedenis afrika azië latijns-amerika reizen"),
        ("KMSKA", "Leopold de Waelplaats 1", "2000", "Tentoonstelling, Begeleide rondleiding",
         "schilderkunst beeldhouwkunst religie vlaanderen geschiedenis"),
        ("Museum Plantin-Moretus", "Vrijdagmarkt 22", "2000", "Tentoonstelling, Lezing of congres",
         "taal poëzie wetenschap geschiedenis antwerpen design"),
        ("FOMU", "Waalsekaai 47", "2000", "Tentoonstelling, Lezing of congres",
         "fotografie journalistiek film biografie migratie"),
        ("MoMu", "Nationalestraat 28", "2000", "Tentoonstelling, Begeleide rondleiding",
         "mode design maatschappij vlaanderen economie"),
        ("Red Star Line Museum", "Montevideostraat 3", "2000", "Tentoonstelling, Begeleide rondleiding",
         "migratie familie zee reizen geschiedenis oorlog"),
        ("DE SINGEL", "Desguinlei 25", "2018", "Concert, Dansvoorstelling, Theatervoorstelling",
         "klassiek opera muziek dans theater architectuur filosofie"),
        ("De Roma", "Turnhoutsebaan 327", "2140", "Concert, Film",
         "pop jazz film afrika latijns-amerika humor liefde"),
        ("Trix", "Noordersingel 28-30", "2140", "Concert", "rock pop jazz muziek techniek"),
        ("HETPALEIS", "Theaterplein 1", "2000", "Theatervoorstelling, Dansvoorstelling",
         "kinderen theater dans fantasy humor familie"),
        ("Bibliotheek Permeke", "De Coninckplein 26", "2060", "Lezing of congres, Film",
         "thriller sciencefiction strips fantasy psychologie politiek koken sterrenkunde recht oudheid gezondheid"),
        ("Middelheimmuseum", "Middelheimlaan 61", "2020", "Tentoonstelling, Begeleide rondleiding",
         "beeldhouwkunst natuur klimaat dieren architectuur sport middeleeuwen"),
    )
)  # fmt: skip


@dataclass(frozen=True)
class City:
    """The public side: houses, books, works in museums, and events as UiTdatabank JSON."""

    institutions: tuple[Institution, ...]
    books: tuple[Book, ...]
    events: tuple[dict[str, Any], ...]
    works: tuple[Work, ...] = ()


@dataclass(frozen=True)
class Loan:
    """One book taken home; both days included."""

    book: Book
    start: date
    end: date


@dataclass(frozen=True)
class Citizen:
    """An invented person: loans oldest first, `visits` the @id of events in the order the tickets were bought.

    `works` are the ids of what she went to see in museums, of which no pod keeps a record.
    """

    number: int
    interests: tuple[str, ...]
    loans: tuple[Loan, ...]
    visits: tuple[str, ...]
    works: tuple[str, ...] = ()
    district: str = ""


def city(now: datetime, rng: Generator, count: int = 200) -> City:
    """The city with `count` events in the weeks after `now` (aware)."""
    return City(INSTITUTIONS, books(), tuple(_event(n, now, rng) for n in range(count)), works())


def _event(number: int, now: datetime, rng: Generator) -> dict[str, Any]:
    house = INSTITUTIONS[number % len(INSTITUTIONS)]
    kind = house.types[int(rng.integers(len(house.types)))]
    first, second = (house.topics[i] for i in rng.choice(len(house.topics), 2, replace=False))
    title = _TITLES[kind].format(first, second)
    day = now + timedelta(days=1 + int(rng.integers(WEEKS * 7)))
    hour = int(rng.integers(*_BEGINS[kind]))
    start = day.astimezone(CITY).replace(hour=hour, minute=0, second=0, microsecond=0)
    show = kind == "Tentoonstelling"
    end = start.replace(hour=17) + timedelta(days=SHOWN_DAYS) if show else start + timedelta(hours=2)
    air = (OPEN_AIR,) if house.name == "Middelheimmuseum" and not show else ()
    return {
        "@id": f"https://uitdatabank.example/event/{uuid.UUID(bytes=rng.bytes(16), version=4)}",
        "@type": "Event",
        "mainLanguage": "nl",
        "name": {"nl": title[0].upper() + title[1:]},
        "calendarType": "periodic" if show else "single",
        "startDate": start.isoformat(),
        "endDate": end.isoformat(),
        "terms": [{"id": _TYPES[kind], "label": kind, "domain": "eventtype"}],
        "labels": [first, second, *air],
        "location": _location(house),
        "workflowStatus": "APPROVED",
    }


def _location(house: Institution) -> dict[str, Any]:
    place = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:kluis:house:{house.name}")
    address = {"addressCountry": "BE", "addressLocality": "Antwerpen", "postalCode": house.postcode}
    return {
        "@id": f"https://uitdatabank.example/place/{place}",
        "@type": "Place",
        "name": {"nl": house.name},
        "address": {"nl": address | {"streetAddress": house.street}},
    }


def population(n: int, rng: Generator, town: City, now: datetime) -> list[Citizen]:
    """`n` citizens with 14 to 40 loans over the last two years, 4 to 10 tickets and 3 to 5 interests.

    Of events they like what comes soon and is near best: that is what people say of themselves.
    """
    made: list[Book | Work] = [*town.books, *town.works]
    appeal = np.exp(rng.normal(0, 0.5, len(made) + len(town.events)))
    vocabulary = sorted({t for taste in _TASTES for t in taste})
    topics: list[tuple[str, ...]] = [thing.topics for thing in made] + [tuple(e["labels"]) for e in town.events]
    about = np.array([[t in row for t in vocabulary] for row in topics], dtype=float)
    about /= np.maximum(about.sum(1, keepdims=True), 1)
    world = _World(town, now, appeal, about, vocabulary, *_reach(town, now))
    return [_citizen(k, rng, world) for k in range(n)]


@dataclass(frozen=True)
class _World:
    """What every citizen chooses from: how appealing things are and what they are about, where and how soon."""

    town: City
    now: datetime
    appeal: NDArray[np.float64]
    about: NDArray[np.float64]
    vocabulary: Sequence[str]
    soon: NDArray[np.float64]
    north: NDArray[np.float64]
    east: NDArray[np.float64]


def _reach(town: City, now: datetime) -> tuple[NDArray[np.float64], ...]:
    starts = [datetime.fromisoformat(e["startDate"]) for e in town.events]
    codes = [e["location"]["address"]["nl"]["postalCode"] for e in town.events]
    soon = np.exp(-np.array([(start - now).days for start in starts]) / (7 * SOON_WEEKS))
    north, east = np.array([PLACES[code] for code in codes]).reshape(len(codes), 2).T
    return soon, north, east


def _citizen(number: int, rng: Generator, world: _World) -> Citizen:
    town, love = world.town, _tastes(rng, world.vocabulary)
    district = sorted(PLACES)[int(rng.integers(len(PLACES)))]
    wish = world.appeal * np.exp(8 * world.about @ love)
    parts = np.cumsum([len(town.books), len(town.works)])
    far = kilometres(district, world.north, world.east)
    wish[parts[1] :] *= world.soon * np.exp(-far / NEAR_KM)

    def chosen(least: int, most: int, part: slice) -> NDArray[np.int64]:
        weights = wish[part] / wish[part].sum()
        return rng.choice(len(weights), int(rng.integers(least, most)), replace=False, p=weights)

    read = chosen(14, 41, slice(parts[0]))
    viewed = chosen(0, 2, slice(parts[0], parts[1])) if town.works else ()
    seen = chosen(4, 11, slice(parts[1], None))
    said = rng.choice(len(love), int(rng.integers(3, 6)), replace=False, p=love / love.sum())
    starts = sorted(world.now.date() - timedelta(days=int(d)) for d in rng.integers(1, 730, len(read)))
    loans = (Loan(town.books[i], day, day + timedelta(days=28)) for i, day in zip(read, starts, strict=True))
    visits = tuple(str(town.events[i]["@id"]) for i in seen)
    met = tuple(town.works[i].id for i in viewed)
    return Citizen(number, tuple(world.vocabulary[i] for i in said), tuple(loans), visits, met, district)


def _tastes(rng: Generator, vocabulary: Sequence[str]) -> NDArray[np.float64]:
    """How much a citizen loves each subject: two or three tastes, jittered, largest 1, and a little of everything."""
    love = np.full(len(vocabulary), 0.01)
    for taste in rng.choice(len(_TASTES), int(rng.integers(2, 4)), replace=False):
        for topic in _TASTES[taste]:
            love[vocabulary.index(topic)] += rng.gamma(2.0, 0.5)
    return np.asarray(love / love.max())


def loans_file(citizen: Citizen) -> bytes:
    """Her loans as the library site's client writes them (the shape of `mijnbib`), as UTF-8 JSON."""
    rows = [
        {
            "title": loan.book.title,
            "loan_from": loan.start.isoformat(),
            "loan_till": loan.end.isoformat(),
            "author": loan.book.author,
            "type": "Boek",
            "extendable": True,
            "extend_url": "",
            "extend_id": "",
            "branchname": "Permeke",
            "id": loan.book.id.rsplit(":", 1)[1],
            "url": "",
            "cover_url": "",
            "account_id": str(citizen.number),
        }
        for loan in citizen.loans
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1).encode()


def interests(citizen: Citizen) -> list[dict[str, Any]]:
    """Her interests as JSON-LD bodies, one a subject."""
    context = CONTEXT | {"pd": "https://w3id.org/dpv/pd#"}
    return [
        {"@context": context, "@id": "", "@type": "pd:Interest", "schema:name": topic, "schema:about": [topic]}
        for topic in citizen.interests
    ]


def tickets(citizen: Citizen, town: City) -> list[dict[str, Any]]:
    """Her tickets as JSON-LD bodies, in the order bought."""
    events = {event["@id"]: event for event in town.events}
    return [
        {
            "@context": CONTEXT,
            "@id": "",
            "@type": "kluis:Ticket",
            "schema:name": events[visit]["name"]["nl"],
            "schema:startTime": events[visit]["startDate"],
            "schema:location": events[visit]["location"]["name"]["nl"],
            "schema:about": list(events[visit]["labels"]),
            "kluis:event": visit,
        }
        for visit in citizen.visits
    ]


def uitdatabank_page(town: City) -> bytes:
    """All events as one embedded search page, UTF-8 JSON."""
    page = {"@type": "PagedCollection", "itemsPerPage": len(town.events), "totalItems": len(town.events)}
    return json.dumps(page | {"member": list(town.events)}, ensure_ascii=False).encode()
