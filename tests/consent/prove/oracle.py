"""What a grant lets out of a marked pod, worked out from the request alone: no code of Kluis decides anything here.

Written from the design's words: categories, fields by name, resources by address, days counted by hand.
"""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

from tests.consent.prove.marked import PLACES, SINCE, TODAY, WINDOWS, Pod, Record, Request

FRAME = {"@context", "@id", "@type"}
MARK = re.compile(r"q[0-9a-f]{6}z|(?:loans|interests|tickets|derived)[0-9]w")
BORN, CODE = "1984-03-17", "2018"
ANSWERS: dict[str, Any] = {"postal_district": "2000", "is_resident": True, "age_over_18": True, "age_over_13": True,
                           "age_band": "25-44"}  # fmt: skip


def marks(text: str) -> set[str]:
    """Everything in a response that comes out of the pod's values, names of records included."""
    found = set(MARK.findall(text)) | ({BORN} if BORN in text else set())
    return found | ({CODE} if re.search(r'(?<![\d"-])"2018"', text) else set())


def first(row: dict[str, Any]) -> date | None:
    """The first day that a row lets out."""
    window, since = row.get("window"), row.get("since")
    if since == "grant":
        return date.max  # everything in this pod is older than any grant
    return WINDOWS[window] if window else SINCE[since] if since else None


def lets_out(row: dict[str, Any], record: Record, base: str) -> bool:
    """Whether a row that opens records opens anything of this one."""
    limit, named = first(row), row.get("resources")
    if row["category"] != record.category or "derived" in row:
        return False
    if named is not None and f"{base}/pods/an{record.path}" not in named:
        return False
    return limit is None or (record.day is not None and record.day >= limit)


def open_of(request: Request, record: Record, base: str) -> set[str] | None:
    """The top-level properties of a record that are let out, None if nothing of it is."""
    rows = [row for row in request.rows if lets_out(row, record, base)] if "read" in request.actions else []
    if not rows:
        return None
    whole = any("fields" not in row for row in rows)
    return set(record.body) | FRAME if whole else FRAME | {name for row in rows for name in row["fields"]}


def marks_of(request: Request, record: Record, base: str) -> set[str]:
    """The marks of a record that may come out."""
    names = open_of(request, record, base)
    if names is None:
        return set()
    found = {mark for mark, name in record.marks.items() if name in names | {"@id"}}
    found |= {CODE} if "schema:postalCode" in names and record.body.get("schema:postalCode") else set()
    return found | ({BORN} if "schema:birthDate" in names and record.body.get("schema:birthDate") else set())


def category_marks(request: Request, pod: Pod, curie: str, base: str) -> set[str]:
    """The marks of a whole category that may come out."""
    return {mark for record in pod.of(curie) for mark in marks_of(request, record, base)}


def answer(pod: Pod, row: dict[str, Any]) -> Any:
    """The derived answer of a granted row."""
    if row["derived"] != "interest_topics_k10":
        return ANSWERS[row["derived"]]
    limit = first(row)
    inside = [one for one in pod.of(row["category"]) if limit is None or (one.day is not None and one.day >= limit)]
    counted = Counter(topic for one in inside for topic in set(one.topics))
    return sorted(counted, key=lambda topic: (-counted[topic], topic))[:10]


def answers(request: Request, name: str) -> list[dict[str, Any]]:
    """The granted rows that promise this answer."""
    return [row for row in request.rows if row.get("derived") == name]


def stored(row: dict[str, Any]) -> str:
    """Where a derived answer lies in the pod."""
    return (
        "/answers/"
        + "-".join([PLACES[row["category"]], row["derived"], *([row["window"]] if "window" in row else [])])
        + ".jsonld"
    )


def keys(records: Iterable[dict[str, Any]]) -> set[str]:
    """The top-level properties of JSON-LD records."""
    return {name for record in records for name in record}


__all__ = ["TODAY", "answer", "answers", "category_marks", "keys", "marks", "marks_of", "open_of", "stored"]
