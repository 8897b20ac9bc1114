"""What the consent page says: who asks, in the registries' words, and the values the app would really get."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any, Final

from consent import answers, events, minimise, period
from consent.amend import Change
from consent.asks import Asked
from consent.categories import CATEGORIES, describe
from consent.changes import proposed
from consent.oauth.clients import Client
from consent.oauth.par import Pushed
from consent.oauth.registration import clean_text, shown_host
from consent.purposes import PURPOSES
from consent.request import offers
from consent.terms import Datum, Terms
from keys.text import canonical
from web.pages.consenting import Choice, ConsentPage, DataRow
from web.pages.dutch import day, listed

VERSION: Final = "5"
"""Of the consent page; raised whenever its words or order change, so that an old notice can be rebuilt."""
SHOWN: Final = 6
LONGEST: Final = 120
"""Most characters of one value of a preview; another app may have written it."""
DEEPEST: Final = 8
ADDRESS: Final = ("http://", "https://")
DATE: Final = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d[\d:.]*(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
FRAME: Final = frozenset({"kluis:asOf", "kluis:source"})
"""Fields that go along but say nothing about the citizen."""

BASES: Final[Mapping[str, str]] = {
    "eu-gdpr:A6-1-a-explicit-consent": "jouw uitdrukkelijke toestemming",
    "eu-gdpr:A6-1-a-non-explicit-consent": "jouw toestemming",
    "eu-gdpr:A6-1-b": "een afspraak met jou",
    "eu-gdpr:A6-1-c": "een wet die dit oplegt",
    "eu-gdpr:A6-1-e": "een taak van algemeen belang",
    "eu-gdpr:A9-2-a": "jouw uitdrukkelijke toestemming voor gevoelige gegevens",
}
COUNTRIES: Final[Mapping[str, str]] = {
    "BE": "In België.",
    "NL": "In Nederland.",
    "FR": "In Frankrijk.",
    "DE": "In Duitsland.",
    "LU": "In Luxemburg.",
    "IE": "In Ierland.",
}
EEA: Final = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO"
NEARBY: Final = "In een ander land van de Europese Unie of daarmee verbonden."
ELSEWHERE: Final = "In een land buiten de Europese Unie."
NO_HOST: Final = "een onbekend adres"
COPIES: Final[Mapping[str, str]] = {
    "none": "De app bewaart geen kopie.",
    "cache": "De app bewaart even een kopie.",
    "durable": "De app bewaart een kopie.",
}
ROLES: Final[Mapping[str, str]] = {
    "processor": "werkt voor de app",
    "third_party": "een andere dienst",
    "joint_controller": "beslist mee",
}
DOING: Final[Mapping[str, str]] = {
    "read": "lezen",
    "recommend": "voorstellen maken",
    "derive": "antwoorden krijgen",
    "append": "iets toevoegen",
    "write": "iets veranderen",
    "delete": "iets wissen",
}
AUTOMATED: Final[Mapping[str, str]] = {
    "none": "Nee.",
    "profiling": "Nee, maar de app maakt wel een profiel van je.",
    "solely_automated": "Ja, zonder dat een mens meekijkt.",
}
LENGTHS: Final[Mapping[str, str]] = {
    "P7D": "1 week",
    "P1M": "1 maand",
    "P3M": "3 maanden",
    "P6M": "6 maanden",
    "P1Y": "1 jaar",
}


def page(
    asked: Asked,
    client: Client,
    sources: Mapping[str, list[dict[str, Any]]],
    now: datetime,
    *,
    undecided: bool = False,
    change: Change | None = None,
) -> ConsentPage:
    """The page for a request; `sources` holds the citizen's records per category, opened in her session. `change`: what
    the request would make of a grant that she gave before.
    """
    terms = asked.terms if change is None else change.after
    version = () if change is None else (("version", str(change.version)),)
    return ConsentPage(
        app=client.name,
        controller=host(client.controller),
        domain=f"keert terug naar {host(asked.said.redirect_uri)}",
        trusted=client.trust == "city",
        purpose=purpose(terms, client),
        words="" if client.trust == "city" else terms.purpose_text["nl"],
        legal_basis=BASES[terms.legal_basis],
        data=tuple(_rows(terms, change, sources, now)),
        durations=_durations(terms, now),
        storage=_storage(terms),
        retention=_retention(terms),
        recipients=tuple(f"{host(r['id'])} ({ROLES[r['role']]})" for r in terms.recipients),
        undecided=undecided,
        hidden=(("client_id", client.client_id), ("request_uri", asked.request_uri), *version),
        doing=tuple(DOING[action] for action in terms.actions),
        limits=_limits(terms),
        automated=AUTOMATED[terms.automated],
        until=None if change is None else datetime.fromtimestamp(change.before.expires / 1000, UTC),
        changed=() if change is None else change.facts,
    )


def notice(shown: ConsentPage) -> dict[str, str]:
    """What is kept as proof of what was shown: hash of the notice without values and form fields, language, version."""
    plain = asdict(shown)
    for name in ("hidden", "undecided", "action"):
        del plain[name]
    for row in plain["data"]:
        del row["preview"]
    plain["until"] = None if shown.until is None else shown.until.isoformat()
    return {"hash": sha256(canonical(_lists(plain))).hexdigest(), "language": "nl", "version": VERSION}


def kept(shown: ConsentPage, client: Client, change: Change | None) -> dict[str, Any]:
    """What the step `shown` keeps: the notice, and what it takes beside the request to make it again (`rebuilt`)."""
    before = None if change is None else change.before.to_json()
    return {**notice(shown), "name": client.name, "trust": client.trust, "before": before}


def rebuilt(requested: Mapping[str, Any], shown: events.Step) -> ConsentPage:
    """The page as it was shown, without the values, from the two steps that the books keep of it (GDPR 7(1)).

    Its notice has the hash that was kept, as long as the page has still the version it had then.
    """
    terms, detail = Terms.from_json(requested["terms"]), shown.detail
    client = Client(terms.client, detail["name"], terms.controller, trust=detail["trust"])
    said = Pushed(terms.client, requested["redirect_uri"], "", "", terms, action=requested["action"])
    change = None
    if detail["before"] is not None:
        before = Terms.from_json(detail["before"])
        change = Change(before, proposed(before, terms, said.action), 0)
    now = datetime.fromtimestamp(shown.at / 1000, UTC)
    return page(Asked(b"", said, shown.at, shown.at), client, {}, now, change=change)


def host(uri: str) -> str:
    """The host of an app's address, and nothing else of it."""
    return shown_host(uri) or NO_HOST


def purpose(terms: Terms, client: Client | None) -> str:
    """Why, in words that somebody answers for: those the city reviewed, our own, or the registry's; never an app's."""
    reviewed = terms.kind == "solid" or (client is not None and client.trust == "city")
    return terms.purpose_text["nl"] if reviewed else PURPOSES[terms.purpose_code].label["nl"]


def words(datum: Datum) -> str:
    """What a row covers, in the registry's words."""
    return describe(datum.category, datum.fields, datum.derived)[0]


def limit(datum: Datum, given: date | None = None) -> str:
    """What of a row an app gets: fields, pieces, how far back; "" for all of it.

    `given` is the day of the decision (UTC), None while it is not taken.
    """
    detail = describe(datum.category, datum.fields, None)[1]
    told = [f"Alleen: {detail}"] if datum.fields else []
    if datum.resources:
        count = len(datum.resources)
        told.append(f"Alleen {count} {'stuk' if count == 1 else 'stukken'}.")
    if datum.since == "grant":
        told.append(f"Alleen wat er {'vanaf nu' if given is None else f'sinds {day(given)}'} bij komt.")
    elif datum.since is not None:
        told.append(f"Alleen van {day(date.fromisoformat(datum.since))} en later.")
    if datum.window is not None:
        told.append(f"Alleen de laatste {_counted(datum.window)}.")
    return " ".join(told)


def label(curie: str) -> str:
    """What a category is called, in the registry's words."""
    return CATEGORIES[curie].label["nl"] if curie in CATEGORIES else curie


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lists(one) for name, one in value.items()}
    return [_lists(one) for one in value] if isinstance(value, list | tuple) else value


def _rows(
    terms: Terms, change: Change | None, sources: Mapping[str, list[dict[str, Any]]], now: datetime
) -> Iterable[DataRow]:
    if change is None:
        return (_row(datum, sources, now) for datum in terms.data)
    return (replace(_row(one.datum, sources, now), mark=one.mark) for one in change.rows)


def _limits(terms: Terms) -> str:
    """How often, in words."""
    often = [f"{terms.max_uses} keer" if terms.max_uses and terms.mode != "once" else "",
             f"{terms.max_per_day} keer per dag" if terms.max_per_day else ""]  # fmt: skip
    said = listed([one for one in often if one])
    return f"Hoogstens {said}." if said else ""


def _row(datum: Datum, sources: Mapping[str, list[dict[str, Any]]], now: datetime) -> DataRow:
    label, detail = describe(datum.category, datum.fields, datum.derived)
    whole = "" if datum.derived or datum.fields else detail
    needed = "Nodig voor dit doel." if datum.necessity == "required" else ""
    return DataRow(
        key=datum.key,
        label=label,
        why=" ".join(part for part in (needed, whole, limit(datum)) if part),
        required=datum.necessity == "required",
        preview=_preview(datum, sources.get(datum.category, []), now),
        left_out=detail if datum.derived else "",
        special=datum.special,
        because=datum.because,
    )


def _preview(datum: Datum, records: list[dict[str, Any]], now: datetime) -> tuple[str, ...]:
    """The values themselves: of the answer, or of the records as the app would get them."""
    if datum.derived:
        answer = answers.worked_out(datum, records, now)
        return _values([{name: value for name, value in answer.items() if name != "schema:name"}])
    kept = [minimise.limit(one, datum, int(now.timestamp() * 1000), now) for one in records]
    return _values([one for one in kept if one is not None])


def _values(records: list[dict[str, Any]]) -> tuple[str, ...]:
    told = dict.fromkeys(
        text
        for record in records
        for name, value in record.items()
        if name[:1] != "@" and name not in FRAME
        for text in texts(value)
    )
    found = [text for text in told if not text.startswith(ADDRESS)] or list(told)  # an address says little to people
    more = len(found) - SHOWN
    some = tuple(found[:SHOWN])
    return (*some, f"en nog {more} {'waarde' if more == 1 else 'waarden'}") if more > 0 else some


def texts(value: Any, left: int = DEEPEST) -> list[str]:
    """The texts in a value on one line each, cut at LONGEST; what lies deeper than DEEPEST is not shown."""
    if value is None or left == 0:
        return []
    if isinstance(value, dict):
        value = [one for name, one in value.items() if name[:1] != "@"]
    if isinstance(value, list):
        return [text for one in value for text in texts(one, left - 1)]
    text = _dated({True: "ja", False: "nee"}[value] if isinstance(value, bool) else str(value))
    return [text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"]


def _dated(text: str) -> str:
    """One line of text; an ISO date as people write it, in city time."""
    line = clean_text(text)
    try:
        at = datetime.fromisoformat(line) if DATE.fullmatch(line) else None
        return line if at is None else day(at if at.tzinfo else at.date())
    except (ValueError, OverflowError):
        return line


def _durations(terms: Terms, now: datetime) -> tuple[Choice, ...]:
    if terms.mode == "session":
        return (Choice("asked", "deze aanmelding, hoogstens 8 uur"),)
    return tuple(Choice(offer.code, length(terms, offer.code, offer.until)) for offer in offers(terms, now))


def length(terms: Terms, code: str, until: int) -> str:
    """A duration that is offered, as a person reads it; `until` in ms."""
    told = LENGTHS.get(code) or f"tot {day(datetime.fromtimestamp(until / 1000, UTC))}"
    return f"één keer, binnen {told}" if terms.mode == "once" and code in LENGTHS else told


def _storage(terms: Terms) -> str:
    told = terms.storage or {}
    country = told.get("country", "")
    abroad = (NEARBY if country in EEA.split() else ELSEWHERE) if country else "Dat zegt de app niet."
    where = COUNTRIES.get(country, abroad)
    return " ".join(part for part in (where, COPIES.get(told.get("copy", ""), "")) if part)


def _retention(terms: Terms) -> str:
    said = _counted(terms.retention)
    return f"De app wist alles na {said}." if said else "De app wist alles meteen na gebruik."


def _counted(duration: str) -> str:
    """An ISO 8601 duration in months and days, "" for none."""
    length = period.read(duration)
    months, days = length.months, length.rest.days
    parts = [f"{months} {'maand' if months == 1 else 'maanden'}" if months else "", f"{days} dagen" if days else ""]
    return listed([part for part in parts if part]) if months or days else ""
