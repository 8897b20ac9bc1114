"""Files of strangers: what is good comes in typed, everything else is named with its reason, nothing crashes."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from recommender.sources.intake import LIMIT, SOURCES, read

LOAN = {"title": "Jazz in twintig platen", "loan_from": "2026-09-12", "loan_till": "2026-10-10", "author": "Els"}
FOLIO = {"id": "l1", "userId": "u1", "itemId": "i1", "loanDate": "2026-09-12T10:00:00+02:00"}
EVENT = {
    "@id": "https://uitdatabank.example/event/e1",
    "name": {"nl": "Avondconcert"},
    "calendarType": "single",
    "startDate": "2026-12-01T20:00:00+01:00",
    "location": {"name": {"nl": "De Roma"}, "address": {"nl": {"postalCode": "2140"}}},
    "terms": [{"id": "0.50.4.0.0", "label": "Concert", "domain": "eventtype"}],
    "labels": ["Jazz"],
    "workflowStatus": "APPROVED",
}


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def reasons(source: str, data: bytes, **options: Any) -> list[str]:
    taken = read(source, data, **options)
    assert taken.records == []
    return [str(reject) for reject in taken.rejects]


def test_a_loan_keeps_its_facts_and_gains_subjects():
    [item] = read("mijnbib", text([LOAN])).records
    assert item.category == "kluis:LibraryLoan"
    assert item.body["schema:name"] == "Jazz in twintig platen"
    assert item.body["schema:startTime"] == "2026-09-12"
    assert item.body["schema:about"] == ["jazz"]


def test_the_same_loan_from_two_systems_shares_an_identity():
    [one] = read("mijnbib", text([LOAN])).records
    [other] = read("folio", text({"loans": [FOLIO]}), titles={"i1": "JAZZ in twintig  platen"}).records
    assert set(one.identity) & set(other.identity)
    assert one.name != other.name


def test_importing_twice_gives_the_same_names():
    assert read("mijnbib", text([LOAN])) == read("mijnbib", text([LOAN]))


def test_a_byte_order_mark_is_tolerated():
    assert len(read("mijnbib", b"\xef\xbb\xbf" + text([LOAN])).records) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"title": None}, "no title"),
        ({"title": "  "}, "no title"),
        ({"title": ["x"]}, "title is not text"),
        ({"title": "x" * 1001}, "longer than"),
        ({"title": "\ud800"}, "half a character"),
        ({"loan_from": "2026-02-30"}, "is not a date"),
        ({"loan_from": "12/09/2026"}, "is not a date"),
        ({"loan_from": "0001-01-01"}, "not a date of our time"),
        ({"loan_from": None}, "no loan_from"),
        ({"loan_till": "2026-09-01"}, "before it starts"),
    ],
)
def test_a_bad_loan_is_rejected_with_its_reason_and_the_good_one_stays(change, why):
    taken = read("mijnbib", text([LOAN | change, LOAN]))
    assert len(taken.records) == 1
    assert taken.rejects[0].index == 0
    assert why in taken.rejects[0].reason


def test_a_key_that_stands_twice_rejects_its_record_only():
    double = b'[{"title":"a","title":"b","loan_from":"2026-01-01"},' + text(LOAN) + b"]"
    taken = read("mijnbib", double)
    assert len(taken.records) == 1
    assert "stands twice" in taken.rejects[0].reason


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"{", "damaged JSON"),
        (b"\xff\xfe[\x00", "not UTF-8"),
        (b"[NaN]", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "damaged JSON"),
        (b" " * (LIMIT + 1), "larger than 16 MiB"),
        (b'{"a": 1}', "not a mijnbib file"),
        (b"[1]", "not an object"),
        (b'[{"x": 1}]', "not a mijnbib loan"),
    ],
)
def test_a_damaged_huge_or_foreign_file_is_rejected_with_its_reason(data, why):
    [reason] = reasons("mijnbib", data)
    assert why in reason


def test_an_unknown_source_is_named():
    assert "unknown source 'koha'" in reasons("koha", b"[]")[0]


def test_a_file_with_several_patrons_wants_one_named():
    loans = {"loans": [FOLIO, FOLIO | {"id": "l2", "userId": "u2"}]}
    assert "--patron" in reasons("folio", text(loans))[0]
    assert "u2" not in reasons("folio", text(loans))[0]
    [item] = read("folio", text(loans), "u2").records
    assert "folio-loan:l2" in item.identity
    assert "no loan of this patron" in reasons("folio", text(loans), patron="u3")[0]


def test_an_anonymised_loan_belongs_to_nobody():
    anonymous = {k: v for k, v in FOLIO.items() if k != "userId"}
    assert "anonymised" in reasons("folio", text({"loans": [anonymous]}))[0]


def test_a_time_without_a_zone_is_kept_as_a_local_date():
    [item] = read("folio", text({"loans": [FOLIO | {"loanDate": "2026-09-12T23:30:00"}]})).records
    assert item.body["schema:startTime"] == "2026-09-12"


def test_a_national_number_is_never_taken_over():
    loans = [FOLIO | {"borrower": {"inszNumber": "00000000097"}}]
    [item] = read("folio", text({"loans": loans})).records
    assert "00000000097" not in json.dumps(item.body)
    [other] = read("mijnbib", text([LOAN | {"inszNumber": "00000000097"}])).records
    assert "00000000097" not in json.dumps(other.body)


@pytest.mark.parametrize("shape", [EVENT, [EVENT], {"member": [EVENT], "totalItems": 1}])
def test_an_event_a_list_and_a_page_all_come_in(shape):
    [item] = read("uitdatabank", text(shape)).records
    assert item.body["schema:name"] == "Avondconcert"
    assert item.body["schema:location"] == "De Roma"
    assert item.body["schema:about"] == ["jazz"]
    assert item.body["kluis:type"] == "Concert"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"workflowStatus": "DRAFT"}, "workflowStatus is DRAFT"),
        ({"workflowStatus": "DELETED"}, "workflowStatus is DELETED"),
        ({"workflowStatus": "FUNNY"}, "unknown workflowStatus"),
        ({"status": {"type": "Unavailable"}}, "cancelled"),
        ({"calendarType": "yearly"}, "unknown calendarType"),
        ({"calendarType": "multiple"}, "broken calendar"),
        ({"calendarType": "periodic"}, "broken calendar"),
        ({"endDate": "2026-11-01T20:00:00+01:00"}, "before it starts"),
        ({"openingHours": [{"dayOfWeek": ["zondag"], "opens": "09:00", "closes": "10:00"}]}, "unknown dayOfWeek"),
        ({"openingHours": [{"dayOfWeek": ["sunday"], "opens": "25:00", "closes": "10:00"}]}, "not HH:MM"),
        ({"name": {}}, "no title"),
        ({"@type": "Place"}, "not an event"),
    ],
)
def test_a_bad_event_is_rejected_with_its_reason(change, why):
    assert why in reasons("uitdatabank", text(EVENT | change))[0]


def test_a_place_may_be_a_plain_string_and_nowhere_is_no_place():
    [plain] = read("uitdatabank", text(EVENT | {"location": "De Roma"})).records
    assert plain.body["schema:location"] == "De Roma"
    nil = {"@id": "https://x.example/place/00000000-0000-0000-0000-000000000000", "name": "Online"}
    [online] = read("uitdatabank", text(EVENT | {"location": nil})).records
    assert "kluis:place" not in online.body


def test_cancelled_days_of_a_series_are_left_out():
    days = [{"startDate": f"2026-12-0{n}T10:00:00+01:00", "endDate": f"2026-12-0{n}T11:00:00+01:00"} for n in (1, 2)]
    days[0]["status"] = {"type": "Unavailable"}
    [item] = read("uitdatabank", text(EVENT | {"calendarType": "multiple", "subEvent": days})).records
    assert item.body["kluis:dates"] == ["2026-12-02T10:00:00+01:00"]


def test_hidden_labels_and_creators_stay_out():
    [item] = read("uitdatabank", text(EVENT | {"hiddenLabels": ["geheim"], "creator": "Jane"})).records
    assert "geheim" not in json.dumps(item.body)
    assert "Jane" not in json.dumps(item.body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*LOAN, *FOLIO, *EVENT]), inner),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SOURCES), JSON, st.booleans())
def test_no_json_whatever_raises(source, value, drafts):
    for shape in (value, [value], {"loans": [value]}, {"member": [value]}):
        taken = read(source, json.dumps(shape).encode(), drafts=drafts)
        json.dumps([item.body for item in taken.records]).encode()
        assert all(reject.reason for reject in taken.rejects)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SOURCES), st.binary(max_size=200))
def test_no_bytes_whatever_raise(source, data):
    read(source, data)


def test_the_sample_files_are_read_or_refused_with_a_reason():
    shared = os.environ.get("KLUIS_SHARED")
    if not shared:
        pytest.skip("KLUIS_SHARED is not set: no sample files")
    folder = Path(shared) / "data" / "formats"
    assert len(read("mijnbib", (folder / "synthetic" / "mijnbib-loans.json").read_bytes()).records) == 1
    folio = (folder / "dev" / "folio-loans.json").read_bytes()
    assert len(read("folio", folio, "df7f4993-8c14-4a0f-ab63-93975ab01c76").records) == 1
    for path in folder.glob("dev/uitdatabank-event-*.json"):
        assert "DRAFT" in reasons("uitdatabank", path.read_bytes())[0]
        assert len(read("uitdatabank", path.read_bytes(), drafts=True).records) == 1
    for path in (p for p in folder.rglob("*") if p.is_file()):
        for source in SOURCES:
            taken = read(source, path.read_bytes())
            assert taken.records or taken.rejects
