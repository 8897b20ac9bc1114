"""The DPO's pages in words: totals by app and purpose, and what stands out, as plain Dutch sentences.

Values in, words out.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from consent import touched
from consent.anomalies import Anomaly, Rule
from consent.report import NOBODY, Filter, Overview, Row, Totals
from vault.log import uses
from web import telling
from web.pages import dutch
from web.pages.logbook import Option
from web.pages.overseeing import (
    DpoPage,
    Finding,
    TotalGroup,
    TotalPart,
    TotalsFilter,
    TouchedPage,
    TouchedRow,
    WatchPart,
)

MOST: Final = 1_000
"""Rows that a page shows of an answer; the file has them all."""
TITLES: Final[Mapping[Rule, str]] = {
    "night": "Veel gelezen in de nacht",
    "spike": "Plots veel meer dan anders",
    "drift": "Een nieuwe soort gegevens",
    "dormant": "Stille toestemmingen weer gebruikt",
    "denials": "Veel weigeringen",
}
SAID: Final[Mapping[Rule, str]] = {
    "night": "{app} las {value} stukken in de nacht van {on}. In andere nachten zijn dat er meestal {usual}.",
    "spike": "{app} deed {value} keer iets op {on}, in het uur vanaf {at} uur. Meestal is dat {usual} keer in een uur.",
    "drift": "{app} gebruikt sinds {on} ook: {what}. In de maand ervoor deed deze app dat niet. Regels: {value}.",
    "dormant": "Toestemmingen van {app} die meer dan 3 maanden stil lagen, zijn weer in gebruik: {value}.",
    "denials": "{app} werd {value} keer geweigerd op {on}, in het uur vanaf {at} uur. Meestal is dat {usual} keer.",
}


def groups(rows: Iterable[Row], names: Mapping[str, str]) -> tuple[TotalGroup, ...]:
    """The rows by app and then by purpose; what people and the vault did themselves comes last."""
    told = [telling.total(row, names) for row in sorted(rows, key=telling.order)]
    told.sort(key=lambda row: (row.app == telling.app("", names), row.app, row.purpose))
    return tuple(
        TotalGroup(app, tuple(TotalPart(why, tuple(part)) for why, part in groupby(those, lambda row: row.purpose)))
        for app, those in groupby(told, lambda row: row.app)
    )


def page(
    told: Overview, asked: Filter, names: Mapping[str, str], now: datetime, watch: WatchPart | None = None
) -> DpoPage:
    """The DPO's page. What can be asked for is what stands in the whole table."""
    part, whole = told.part, told.whole
    today = now.astimezone(UTC).date()
    return DpoPage(
        groups(part.rows, names),
        part.since,
        part.until,
        part.entries,
        part.opened,
        part.matched,
        TotalsFilter(asked.client, asked.purpose, asked.category, asked.decision, asked.since, asked.until),
        _options(whole, "client", lambda client: telling.app(client, names)),
        _options(whole, "purpose", lambda code: telling.purpose_words(code) or "Zonder doel"),
        _options(whole, "category", lambda curie: telling.category_words(curie) or "Geen gegevens"),
        tuple(Option(client, telling.app(client, names)) for client in sorted(names)),
        tuple(finding(one, names) for one in told.anomalies),
        watch=watch,
        today=today,
        oldest=today - timedelta(days=uses.KEPT_DAYS),
    )


def _options(whole: Totals, name: str, words: Any) -> tuple[Option, ...]:
    found = {getattr(row, name) for row in whole.rows}
    return tuple(sorted((Option(one or NOBODY, words(one)) for one in found), key=lambda one: one.label))


def finding(one: Anomaly, names: Mapping[str, str]) -> Finding:
    """One anomaly as a sentence; small counts stay hidden."""
    at = datetime.fromtimestamp((one.hour or 0) * 3600, UTC)
    text = SAID[one.rule].format(
        app=telling.app(one.client, names) if one.client else "Wie zonder app aanklopte",
        value=dutch.cell(one.value),
        usual=dutch.cell(one.usual),
        on=dutch.day(at),
        at=dutch.clock(at),
        what=telling.category_words(one.category) or one.category,
    )
    return Finding(TITLES[one.rule], text)


def anomaly(one: Anomaly, names: Mapping[str, str]) -> dict[str, Any]:
    """The same for machines: a count below five is null."""
    hour = None if one.hour is None else datetime.fromtimestamp(one.hour * 3600, UTC).isoformat()
    usual = one.usual if one.usual >= dutch.SMALLEST_CELL else None
    return {
        "rule": one.rule, "client": one.client, "hour": hour, "count": one.shown, "usual": usual,
        "category": one.category, "purpose": one.purpose, "text": finding(one, names).text,
    }  # fmt: skip


def answer(told: touched.Touched) -> TouchedPage:
    """Who was reached, as a page."""
    asked = told.question
    rows = tuple(
        TouchedRow(row.pod, row.first, row.last, row.count, tuple(map(_words, row.categories)), row.entry)
        for row in told.rows[:MOST]
    )
    return TouchedPage(
        told.name, asked.since, asked.until, asked.reason, asked.reference, rows, len(told.rows), told.unreadable
    )


def as_json(told: touched.Touched) -> dict[str, Any]:
    """Who was reached, for machines. `entry` of a pod is the place of the line in its own log that says so."""
    asked = told.question
    return {
        "app": asked.app, "name": told.name, "since": asked.since.isoformat(), "until": asked.until.isoformat(),
        "reason": asked.reason, "reference": asked.reference, "unreadable": told.unreadable, "entry": told.entry,
        "pods": [_pod(row) for row in told.rows],
    }  # fmt: skip


def _pod(row: touched.Reached) -> dict[str, Any]:
    return {
        "pod": row.pod, "first": row.first.isoformat(), "last": row.last.isoformat(), "count": row.count,
        "categories": list(row.categories), "entry": row.entry,
    }  # fmt: skip


def as_csv(told: touched.Touched) -> str:
    """Who was reached, as a file for a spreadsheet: names of pods and categories hold nothing that it would run."""
    lines = ["pod,first,last,count,categories,entry"]
    lines += [
        f"{row.pod},{row.first},{row.last},{row.count},{' '.join(row.categories)},{row.entry}" for row in told.rows
    ]
    return "\r\n".join(lines) + "\r\n"


def day(text: str) -> date | None:
    """A day as a form sends it; None for none and for what is no day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _words(curie: str) -> str:
    return telling.category_words(curie) or curie
