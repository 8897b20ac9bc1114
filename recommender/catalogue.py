"""The public catalogue: what can be suggested, and its content features. It holds no personal data."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.books import Book
from recommender.errors import BadData
from recommender.facts import Facts, facts
from recommender.letters import letters
from recommender.sources.document import normal
from recommender.works import Work

LIBRARY = "Bibliotheek Permeke"
VERSION = 2
BOOK, WORK = "book", "work"
_OPEN_AIR = {"openlucht", "buiten", "wandeling", "park of tuin"}
_MEDIA = {
    "concert": "concert",
    "tentoonstelling": "exhibition",
    "theatervoorstelling": "stage",
    "dansvoorstelling": "stage",
    "film": "film",
    "lezing of congres": "talk",
    "begeleide rondleiding": "tour",
}

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Entry:
    """One thing to suggest. `maker` is an author, `start` ISO 8601 or "", `last` the day after which it is over.

    `terms` are taxonomy ids (type, theme, facility): they mean the same in every language. `outdoor`: in the open air.
    """

    id: str
    title: str
    medium: str
    institution: str
    maker: str
    start: str
    last: str
    year: int
    topics: tuple[str, ...]
    postcode: str = ""
    terms: tuple[str, ...] = ()
    outdoor: bool = False


class Catalogue:
    """Entries in a fixed order, with one unit topic vector each (rarer subjects weigh more)."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(entries)
        self.index = {entry.id: n for n, entry in enumerate(self.entries)}
        self.by_title = {normal(entry.title): n for n, entry in reversed(list(enumerate(self.entries)))}

    @cached_property
    def weights(self) -> dict[str, tuple[int, float]]:
        """Topic -> (column, inverse document frequency)."""
        count = Counter(t for entry in self.entries for t in entry.topics)
        return {t: (n, 1 + math.log(len(self.entries) / count[t])) for n, t in enumerate(sorted(count))}

    @cached_property
    def matrix(self) -> Vector:
        """Unit topic vectors, shape (entries, topics); zero rows where an entry has no topics."""
        rows = [self.vector(entry.topics) for entry in self.entries]
        return np.array(rows).reshape(len(rows), len(self.weights))

    @cached_property
    def facts(self) -> Facts:
        """When and where every entry is, as arrays."""
        return facts(self.entries)

    @cached_property
    def letters(self) -> sp.csr_matrix:
        """Unit letter vectors of title and maker, shape (entries, letters.WIDTH): all that is known of a new entry."""
        return letters([f"{entry.title} {entry.maker}" for entry in self.entries])

    @cached_property
    def names(self) -> dict[str, int]:
        """Makers and houses as numbers, without regard to the order of their parts: "Claus, Hugo" is "Hugo Claus"."""
        told = (name for entry in self.entries for name in (entry.maker, entry.institution) if name)
        return {name: n for n, name in enumerate(dict.fromkeys(map(unordered, told)))}

    @cached_property
    def _spelt(self) -> dict[str, int]:
        told = (name for entry in self.entries for name in (entry.maker, entry.institution) if name)
        return {name: self.names[unordered(name)] for name in told}

    @cached_property
    def makers(self) -> NDArray[np.int64]:
        """The number of each entry's maker, -1 where it has none."""
        return np.array([self.number(entry.maker) for entry in self.entries], dtype=np.int64)

    @cached_property
    def houses(self) -> NDArray[np.int64]:
        """The number of each entry's institution, -1 where it has none."""
        return np.array([self.number(entry.institution) for entry in self.entries], dtype=np.int64)

    def number(self, name: str) -> int:
        """The number of a maker or house, -1 for one that nothing here is by or in."""
        known = self._spelt.get(name)
        return self.names.get(unordered(name), -1) if known is None else known

    def vector(self, topics: Iterable[str]) -> Vector:
        """Unit vector of subject words; unknown words count for nothing."""
        row = np.zeros(len(self.weights))
        for topic in topics:
            if known := self.weights.get(topic.casefold()):
                row[known[0]] = known[1]
        length = float(np.linalg.norm(row))
        return row / length if length else row

    def find(self, iri: str, title: str) -> int | None:
        """Position of the entry with this id, else with this title."""
        return self.index.get(iri, self.by_title.get(normal(title)) if title else None)

    def with_events(self, bodies: Iterable[Mapping[str, Any]]) -> "Catalogue":
        """A new catalogue in which imported events are added or, by @id, replaced."""
        entries = {entry.id: entry for entry in self.entries}
        entries |= {entry.id: entry for entry in map(event_entry, bodies)}
        return Catalogue(entries.values())

    def save(self, path: Path) -> None:
        """Write as JSON; a reader sees the old file or the new one, never half of it."""
        rows = [asdict(entry) for entry in self.entries]
        part = path.with_suffix(".part")
        part.write_text(json.dumps({"version": VERSION, "entries": rows}, ensure_ascii=False), encoding="utf-8")
        part.replace(path)


def load(path: Path) -> Catalogue:
    """Read a saved catalogue. Raises BadData naming the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != VERSION:
            raise BadData(f"{path}: catalogue of version {content['version']}, expected {VERSION}")
        rows = content["entries"]
        return Catalogue(Entry(**r | {"topics": tuple(r["topics"]), "terms": tuple(r["terms"])}) for r in rows)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadData(f"{path}: not a catalogue ({error})") from error


def unordered(name: str) -> str:
    """A name with its parts in a fixed order."""
    return " ".join(sorted(normal(name).split()))


def book_entry(book: Book) -> Entry:
    """A book, always on the shelf."""
    return Entry(book.id, book.title, BOOK, LIBRARY, book.author, "", "", book.year, book.topics, "2060")


def work_entry(work: Work) -> Entry:
    """A work on show in a museum."""
    return Entry(work.id, work.title, WORK, work.house, work.maker, "", "", work.year, work.topics, work.postcode)


def event_entry(body: Mapping[str, Any]) -> Entry:
    """An event as the `uitdatabank` source writes it. Raises BadData where it is not one."""
    iri, name = body.get("@id"), body.get("schema:name")
    if not (isinstance(iri, str) and iri and isinstance(name, str) and name):
        raise BadData("an event without @id or name")
    start, place, about = body.get("schema:startDate"), body.get("schema:location"), body.get("schema:about")
    dates = [d for d in (body.get("kluis:dates") or [body.get("schema:endDate") or start]) if isinstance(d, str)]
    kind = str(body.get("kluis:type") or "").casefold()
    topics = tuple(t.casefold() for t in about if isinstance(t, str)) if isinstance(about, list) else ()
    terms, postcode = body.get("kluis:terms"), body.get("schema:postalCode")
    return Entry(
        id=iri,
        title=name,
        medium=_MEDIA.get(kind, "event"),
        institution=place if isinstance(place, str) else "",
        maker="",
        start=start if isinstance(start, str) else "",
        last=max(dates)[:10] if dates else "",
        year=int(start[:4]) if isinstance(start, str) and start[:4].isdigit() else 0,
        topics=topics,
        postcode=postcode if isinstance(postcode, str) else "",
        terms=tuple(t for t in terms if isinstance(t, str)) if isinstance(terms, list) else (),
        outdoor=bool(_OPEN_AIR.intersection((*topics, kind))),
    )
