"""What the recommender knows of one citizen during one call: the records of the categories her grant opens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from recommender.catalogue import Catalogue
from recommender.letters import letters

LOANS, INTERESTS, TICKETS = "kluis:LibraryLoan", "pd:Interest", "kluis:Ticket"
POSTAL = "pd:PostalCode"
RECORDS = (LOANS, INTERESTS, TICKETS)
CATEGORIES = (*RECORDS, POSTAL)


@dataclass(frozen=True)
class Trace:
    """One record of hers: its @id, what to call it, its subjects, maker or place, and the catalogue's entry of it.

    `vector` is the unit vector of its subjects, `made` the catalogue's number of its maker or place.
    """

    id: str
    title: str
    topics: tuple[str, ...]
    maker: str
    entry: int | None
    vector: NDArray[np.float64] = field(compare=False, repr=False)
    made: int = -1


@dataclass(frozen=True)
class Profile:
    """Traces by category. A category that is not a key is closed; an empty one is open and holds nothing.

    `district` is the postal district she lives in: None where that is closed, "" where it is not known.
    """

    traces: Mapping[str, tuple[Trace, ...]]
    district: str | None = None

    @property
    def owned(self) -> frozenset[int]:
        """Catalogue entries she has already borrowed or holds a ticket for."""
        return frozenset(t.entry for part in self.traces.values() for t in part if t.entry is not None)

    @property
    def vectors(self) -> NDArray[np.float64]:
        """The subjects of all her traces, shape (traces, subjects); (0, 0) where she has none."""
        rows = [t.vector for part in self.traces.values() for t in part]
        return np.array(rows) if rows else np.zeros((0, 0))

    @cached_property
    def spelling(self) -> dict[str, sp.csr_matrix]:
        """Letter vectors of her traces by category, shape (traces, letters.WIDTH)."""
        return {c: letters([f"{t.title} {t.maker}" for t in part]) for c, part in self.traces.items() if part}

    def without(self, *records: str) -> "Profile":
        """The same profile had these records never been there."""
        kept = {c: tuple(t for t in part if t.id not in records) for c, part in self.traces.items()}
        return replace(self, traces=kept)


def profile(records: Mapping[str, Sequence[Mapping[str, Any]]], catalogue: Catalogue) -> Profile:
    """Build a profile from JSON-LD records by open category; only the categories known here are used."""
    traces = {c: tuple(_trace(r, c, catalogue) for r in records[c]) for c in RECORDS if c in records}
    told = [_words(record.get("kluis:value")) for record in records.get(POSTAL, ())]
    return Profile(traces, (told or [""])[-1] if POSTAL in records else None)


def _trace(record: Mapping[str, Any], category: str, catalogue: Catalogue) -> Trace:
    name = _words(record.get("schema:name"))
    entry = None
    if category != INTERESTS:
        entry = catalogue.find(_words(record.get("kluis:event")), name)
    about = record.get("schema:about")
    topics = tuple(_words(t) for t in about) if isinstance(about, list) else (_words(about),)
    topics = tuple(t for t in topics if t) or (catalogue.entries[entry].topics if entry is not None else ())
    maker = _words(record.get("schema:location" if category == TICKETS else "schema:author"))
    title, vector, made = name or ", ".join(topics), catalogue.vector(topics), catalogue.number(maker)
    return Trace(_words(record.get("@id")), title, topics, maker, entry, vector, made)


def _words(value: Any) -> str:
    """A JSON-LD value as plain text: a string, `{"@value"}`, `{"@id"}` or the first of a list; else ""."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("@value") or value.get("@id") or ""
    return value if isinstance(value, str) else ""
