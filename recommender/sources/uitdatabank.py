"""Events of UiTdatabank (Search and Entry API 3.0, JSON-LD shaped): one event, a list, or a page with `member`.

They go into the public catalogue. Hidden labels, creators and contacts are not taken over.
"""

import re
from typing import Any

from recommender.sources.document import Repeated, moment, normal, ordered, record, text
from recommender.sources.items import CONTEXT, FILE, Intake, Item, Refused, Reject, resource_name

CATEGORY = "kluis:Event"
CALENDARS = frozenset({"single", "multiple", "periodic", "permanent"})
PUBLIC = frozenset({"", "APPROVED", "READY_FOR_VALIDATION"})
HIDDEN = frozenset({"DRAFT", "DELETED", "REJECTED"})
DAYS = frozenset({"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"})
NOWHERE = "00000000-0000-0000-0000-000000000000"
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def read(document: Any, drafts: bool = False) -> Intake:
    """Catalogue events; drafts are rejected as such unless `drafts`."""
    if isinstance(document, Repeated):
        return Intake([], [Reject(FILE, f"key {document.key[:60]!r} stands twice")])
    events = document.get("member", [document]) if isinstance(document, dict) else document
    if not isinstance(events, list):
        return Intake([], [Reject(FILE, "not a UiTdatabank file: expected an event, a list or a page of events")])
    items, rejects = [], []
    for index, value in enumerate(events):
        try:
            items.append(_event(record(value), drafts))
        except Refused as why:
            rejects.append(Reject(index, str(why)))
    return Intake(items, rejects)


def _event(event: dict[str, Any], drafts: bool) -> Item:
    iri = text(event.get("@id"), "@id")
    if not iri:
        raise Refused("not a UiTdatabank event: no @id")
    if text(event.get("@type"), "@type") not in ("", "Event") or "/place/" in iri or "/organizers/" in iri:
        raise Refused("not an event but a place or an organizer")
    if not set(event) - {"@id", "@type", "@context"}:
        raise Refused("only a reference: ask the API with embed=true")
    _shown(event, drafts)
    language = text(event.get("mainLanguage"), "mainLanguage") or "nl"
    name = _localized(event.get("name"), "name", language)
    if not normal(name):
        raise Refused("no title")
    place_id, place, postcode = _place(event.get("location"), language)
    fields = {
        "schema:name": name,
        "schema:description": _localized(event.get("description"), "description", language, cut=True),
        **_calendar(event),
        "schema:location": place,
        "kluis:place": place_id,
        "schema:postalCode": postcode,
        **_terms(event),
        "schema:typicalAgeRange": text(event.get("typicalAgeRange"), "typicalAgeRange"),
        "kluis:source": "uitdatabank",
    }
    ident = f"uitdatabank:{iri.rstrip('/').rsplit('/', 1)[-1].casefold()}"
    body = {"@context": CONTEXT, "@id": iri, "@type": "schema:Event"} | {k: v for k, v in fields.items() if v}
    return Item(resource_name("uitdatabank", ident), CATEGORY, body, (ident,))


def _shown(event: dict[str, Any], drafts: bool) -> None:
    status = text(event.get("workflowStatus"), "workflowStatus")
    if status not in PUBLIC | HIDDEN:
        raise Refused(f"unknown workflowStatus {status[:40]!r}")
    if status in HIDDEN and not (drafts and status == "DRAFT"):
        raise Refused(f"not published: workflowStatus is {status}")
    state = event.get("status")
    if isinstance(state, dict) and state.get("type") == "Unavailable":
        raise Refused("cancelled: status is Unavailable")


def _localized(value: Any, field: str, language: str, cut: bool = False) -> str:
    """A plain string, or a map by language: Dutch, else the main language, else any."""
    if isinstance(value, dict):
        value = next((value[k] for k in ("nl", language, "en", *value) if value.get(k)), None)
    return text(value[:900] if cut and isinstance(value, str) else value, field)


def _calendar(event: dict[str, Any]) -> dict[str, Any]:
    start, end = moment(event.get("startDate"), "startDate"), moment(event.get("endDate"), "endDate")
    kind = text(event.get("calendarType"), "calendarType") or ("single" if start else "permanent")
    if kind not in CALENDARS:
        raise Refused(f"unknown calendarType {kind[:40]!r}")
    needed = {"periodic": (start, end), "single": (start,)}.get(kind, ())
    if not all(needed):
        raise Refused(f"broken calendar: {kind} without its dates")
    ordered(start, end, "the event")
    dates = _dates(event.get("subEvent")) if kind in ("multiple", "single") else []
    if kind == "multiple" and not dates:
        raise Refused("broken calendar: multiple without an available subEvent")
    _hours(event.get("openingHours"))
    return {
        "kluis:calendar": kind,
        "schema:startDate": start or (dates[0] if dates else ""),
        "schema:endDate": end,
        "kluis:dates": dates,
    }


def _dates(parts: Any) -> list[str]:
    """The starts of the sub-events that still take place, in order."""
    if parts is None:
        return []
    if not isinstance(parts, list):
        raise Refused("broken calendar: subEvent is not a list")
    starts = []
    for part in map(record, parts):
        start, end = moment(part.get("startDate"), "subEvent"), moment(part.get("endDate"), "subEvent")
        ordered(start, end, "a subEvent")
        state = part.get("status")
        if start and not (isinstance(state, dict) and state.get("type") == "Unavailable"):
            starts.append(start)
    return sorted(starts)


def _hours(rows: Any) -> None:
    if rows is None:
        return
    for row in rows if isinstance(rows, list) else [rows]:
        days = record(row).get("dayOfWeek")
        if not isinstance(days, list) or not all(isinstance(d, str) and d in DAYS for d in days):
            raise Refused("broken calendar: unknown dayOfWeek")
        if not all(_CLOCK.fullmatch(text(row.get(k), k)) for k in ("opens", "closes")):
            raise Refused("broken calendar: opening hours are not HH:MM")


def _place(location: Any, language: str) -> tuple[str, str, str]:
    """Place id, name and postcode; the all-zero id means "nowhere" (online or unknown)."""
    if isinstance(location, str):
        return "", text(location, "location"), ""
    if not isinstance(location, dict):
        return "", "", ""
    iri = text(location.get("@id"), "location")
    address = location.get("address")
    if isinstance(address, dict) and "postalCode" not in address:
        address = next((a for a in (address.get("nl"), address.get(language), *address.values()) if a), None)
    postcode = text(address.get("postalCode"), "postalCode") if isinstance(address, dict) else ""
    return "" if iri.endswith(NOWHERE) else iri, _localized(location.get("name"), "location", language), postcode


def _terms(event: dict[str, Any]) -> dict[str, Any]:
    terms, labels = event.get("terms"), event.get("labels")
    rows = [t for t in (terms if isinstance(terms, list) else []) if isinstance(t, dict)]
    of = {d: [text(t.get("label"), "term") for t in rows if t.get("domain") == d] for d in ("eventtype", "theme")}
    words = [text(w, "label") for w in (labels if isinstance(labels, list) else []) if isinstance(w, str)]
    topics = dict.fromkeys(w.casefold() for w in (*of["theme"], *words) if w)
    ids = [text(t.get("id"), "term") for t in rows]
    return {"schema:about": list(topics), "kluis:type": next(iter(of["eventtype"]), ""), "kluis:terms": ids}
