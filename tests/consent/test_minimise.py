from datetime import UTC, date, datetime

import pytest
from hypothesis import given, strategies as st

from consent.categories import CATEGORIES
from consent.errors import UnknownCategory
from consent.minimise import answer, limit, opens_from, project, topics_k10, within
from consent.terms import Datum
from tests.consent.sample import NOW

LOAN = {
    "@context": {"schema": "https://schema.org/", "kluis": "urn:kluis:ns:"},
    "@id": "",
    "@type": "kluis:LibraryLoan",
    "schema:name": "Het verdriet van België",
    "schema:author": "Hugo Claus",
    "schema:startTime": "2026-09-12",
    "schema:about": ["geschiedenis", "jazz"],
    "kluis:branch": "Permeke",
}
GIVEN = datetime(2026, 10, 1, 9, 30, tzinfo=UTC)
NAMES = sorted(CATEGORIES["kluis:LibraryLoan"].fields)


@given(
    st.dictionaries(st.sampled_from([*NAMES, "@graph", "@included", "@reverse", "https://schema.org/name"]), st.text()),
    st.lists(st.sampled_from(NAMES), unique=True),
)
def test_no_field_outside_the_grant_ever_leaves(fields, granted):
    record = {**LOAN, **fields}
    left = project(record, granted)
    assert set(left) - {"@context", "@id", "@type"} <= set(granted)
    assert all(record[name] == value for name, value in left.items())
    assert all(name in left for name in granted if name in record)


def test_without_a_field_limit_the_record_stays_whole():
    assert project(LOAN, None) == LOAN


def test_the_narrower_of_window_and_since_counts():
    assert opens_from(Datum("kluis:LibraryLoan"), GIVEN, NOW) is None
    assert opens_from(Datum("kluis:LibraryLoan", window="P1Y"), GIVEN, NOW) == date(2025, 11, 21)
    assert opens_from(Datum("kluis:LibraryLoan", since="grant"), GIVEN, NOW) == date(2026, 10, 1)
    assert opens_from(Datum("kluis:LibraryLoan", since="2026-01-02"), GIVEN, NOW) == date(2026, 1, 2)
    assert opens_from(Datum("kluis:LibraryLoan", since="2026-01-02", window="P1M"), GIVEN, NOW) == date(2026, 10, 21)


@pytest.mark.parametrize(
    ("start", "inside"),
    [("2026-09-12", True), ("2026-09-11", False), ("2026-09-12T08:00:00Z", True), ("soon", False), (None, False)],
)
def test_a_record_outside_the_window_or_without_a_time_stays_closed(start, inside):
    assert within({**LOAN, "schema:startTime": start}, date(2026, 9, 12)) is inside
    assert within({**LOAN, "schema:startTime": start}, None)


def test_a_datum_opens_its_fields_of_records_within_its_time_and_nothing_else():
    datum = Datum("kluis:LibraryLoan", fields=("schema:about",), since="grant")
    september, october = (int(datetime(2026, month, 1, tzinfo=UTC).timestamp() * 1000) for month in (9, 10))
    opened = limit(LOAN, datum, september, NOW)
    assert opened is not None
    assert set(opened) == {"@context", "@id", "@type", "schema:about"}
    assert limit(LOAN, datum, october, NOW) is None
    assert limit([LOAN], datum, september, NOW) is None
    assert limit(LOAN, Datum("kluis:LibraryLoan"), october, NOW) == LOAN


def test_topics_are_the_ten_most_frequent_and_never_titles_or_dates():
    records = [{**LOAN, "schema:about": [f"t{n:02}" for n in range(k)]} for k in range(1, 15)]
    assert topics_k10(records) == [f"t{n:02}" for n in range(10)]
    assert topics_k10([LOAN, {**LOAN, "schema:about": "jazz"}]) == ["jazz", "geschiedenis"]
    odd = [{"schema:name": "poëzie"}, {"@id": "urn:t"}, 7, " ", None]
    assert topics_k10([{"schema:about": odd}]) == ["poëzie", "urn:t"]


@given(st.permutations([LOAN, {**LOAN, "schema:about": ["jazz"]}, {**LOAN, "schema:about": ["dans", "dans"]}]))
def test_topics_do_not_depend_on_the_order_of_records(records):
    assert topics_k10(records) == ["jazz", "dans", "geschiedenis"]


def test_an_answer_says_what_it_is_and_from_when_and_nothing_of_its_source():
    made = answer("interest_topics_k10", [LOAN], NOW)
    assert made["schema:about"] == ["geschiedenis", "jazz"]
    assert made["kluis:asOf"] == "2026-11-21T12:00:00Z"
    assert "verdriet" not in repr(made)
    assert "2026-09-12" not in repr(made)


@pytest.mark.parametrize(
    ("code", "district", "resident"),
    [("2018", "2000", True), ("2140", "2140", True), ("9000", "9xxx", False), (None, None, None)],
)
def test_a_place_is_told_as_a_district_or_as_yes_or_no(code, district, resident):
    records = [{"schema:postalCode": code}] if code else []
    assert answer("postal_district", records, NOW)["kluis:value"] == district
    assert answer("is_resident", records, NOW)["kluis:value"] is resident


def test_only_answers_of_the_fixed_menu_exist():
    with pytest.raises(UnknownCategory):
        answer("age_over_37", [], NOW)
    offered = {name for kind in CATEGORIES.values() for name in kind.answers}
    assert all(answer(name, [], NOW) for name in offered)
