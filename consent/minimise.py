"""Less data: field filter, time limits and derived answers over JSON-LD records (dicts in the form the pod stores)."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from consent import period
from consent.errors import UnknownCategory
from consent.terms import Datum

Record = Mapping[str, Any]
CONTEXT: Final = {"schema": "https://schema.org/", "kluis": "urn:kluis:ns:"}
_FRAME: Final = frozenset({"@context", "@id", "@type"})
_MOST_TOPICS: Final = 10
BANDS: Final = (("0-12", 0), ("13-17", 13), ("18-24", 18), ("25-44", 25), ("45-64", 45), ("65+", 65))
"""Each band and the age it begins at."""
_DISTRICTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("2000", "2018", "2020", "2030", "2040", "2050", "2060"), "2000"),
    **{code: code for code in ("2100", "2140", "2150", "2170", "2180", "2600", "2610", "2660")},
}


def project(record: Record, fields: Collection[str] | None) -> dict[str, Any]:
    """The record with the granted top-level fields and its frame (``@context @id @type``); ``None`` = all fields.

    Names are compared as they stand: an alias or a full IRI of a field is not the field.
    """
    return {name: value for name, value in record.items() if fields is None or name in fields or name in _FRAME}


def limit(record: object, datum: Datum, given: int, now: datetime) -> dict[str, Any] | None:
    """What a datum opens of one record: its fields if the record lies within its time, else ``None``.

    ``given`` is when the grant was given (ms UTC). Anything but a JSON object opens nothing.
    """
    opens = opens_from(datum, datetime.fromtimestamp(given / 1000, UTC), now)
    if not isinstance(record, dict) or not within(record, opens):
        return None
    return project(record, datum.fields)


def opens_from(datum: Datum, given: datetime, now: datetime) -> date | None:
    """The earliest ``schema:startTime`` (a date, UTC) this datum opens; ``None`` = no limit.

    ``given`` is when the grant was given; of window and since the narrower one counts.
    """
    limits = []
    if datum.window is not None:
        limits.append(period.read(datum.window).before(now).astimezone(UTC).date())
    if datum.since is not None:
        limits.append(given.astimezone(UTC).date() if datum.since == "grant" else date.fromisoformat(datum.since))
    return max(limits, default=None)


def within(record: Record, opens: date | None) -> bool:
    """Whether a record's time lies within the limit; a record without a readable time never does."""
    if opens is None:
        return True
    try:
        return date.fromisoformat(str(record["schema:startTime"])[:10]) >= opens
    except (KeyError, ValueError):
        return False


def topics_k10(records: Iterable[Record]) -> list[str]:
    """At most 10 topics (``schema:about``), most frequent first, ties by name; each counts once per record."""
    counted: Counter[str] = Counter()
    for record in records:
        counted.update(set(_topics(record.get("schema:about"))))
    return [topic for topic, _ in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_TOPICS]]


def postal_district(records: Iterable[Record]) -> str | None:
    """The district of the last known postal code as its main code (``2018`` -> ``2000``); elsewhere the first digit."""
    code = _postal_code(records)
    return None if code is None else _DISTRICTS.get(code, f"{code[0]}xxx")


def is_resident(records: Iterable[Record]) -> bool | None:
    """Whether the postal code lies in the city; ``None`` if none is known."""
    code = _postal_code(records)
    return None if code is None else code in _DISTRICTS


def age_band(records: Iterable[Record], today: date) -> str | None:
    """The band of the last known age, ``None`` if none is known; the bands are the only ones there are."""
    age = _age(records, today)
    return None if age is None else next(name for name, first in reversed(BANDS) if age >= first)


def age_over(records: Iterable[Record], today: date, least: int) -> bool | None:
    """Whether somebody is at least this old, from her birthday on; ``None`` if no date of birth is known."""
    age = _age(records, today)
    return None if age is None else age >= least


_ANSWERS: Final[Mapping[str, tuple[str, Callable[[Iterable[Record], date], object]]]] = {
    "interest_topics_k10": ("schema:about", lambda records, _: topics_k10(records)),
    "postal_district": ("kluis:value", lambda records, _: postal_district(records)),
    "is_resident": ("kluis:value", lambda records, _: is_resident(records)),
    "age_over_18": ("kluis:value", lambda records, today: age_over(records, today, 18)),
    "age_over_13": ("kluis:value", lambda records, today: age_over(records, today, 13)),
    "age_band": ("kluis:value", age_band),
}
"""The whole menu: no app can ask for another age or another line on the map, and so none can find the exact value."""


def answer(name: str, records: Iterable[Record], now: datetime) -> dict[str, Any]:
    """The derived answer as a JSON-LD record for ``answers/``; it says from when it is (``kluis:asOf``).

    ``records`` are those of the source category, already within the datum's limits. An answer that cannot be
    worked out is ``None`` under its field. Raises ``UnknownCategory`` for a name that is not computed here.
    """
    if name not in _ANSWERS:
        raise UnknownCategory("not an answer that can be worked out")
    field, compute = _ANSWERS[name]
    as_of = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    frame = {"@context": CONTEXT, "@id": "", "@type": "kluis:Answer", "schema:name": name, "kluis:asOf": as_of}
    return {**frame, field: compute(records, now.astimezone(UTC).date())}


def _topics(about: object) -> Iterable[str]:
    for one in about if isinstance(about, list) else [about]:
        text = one.get("schema:name", one.get("@id")) if isinstance(one, dict) else one
        if isinstance(text, str) and text.strip():
            yield text.strip()


def _postal_code(records: Iterable[Record]) -> str | None:
    known = [str(r["schema:postalCode"]).strip() for r in records if r.get("schema:postalCode")]
    return known[-1] if known and known[-1] else None


def _age(records: Iterable[Record], today: date) -> int | None:
    """Whole years since the last known date of birth; a date that is none, or in the future, is not known."""
    known = [born for one in records if (born := _date(one.get("schema:birthDate"))) and born <= today]
    if not known:
        return None
    born = known[-1]
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
