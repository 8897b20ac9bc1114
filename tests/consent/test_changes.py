"""What a new version would change: marked row by row, never wider than what is shown, never another purpose."""

from dataclasses import replace
from typing import Any

import pytest

from consent import changes
from consent.errors import OAuthError
from consent.terms import Terms
from tests.consent import sample

ABOUT = {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"}
DISTRICT = {"category": "pd:PostalCode", "derived": "postal_district", "necessity": "optional"}
LOANS = {"category": "kluis:LibraryLoan", "necessity": "optional"}
YEAR = {**LOANS, "window": "P1Y"}


def terms(*rows: dict[str, Any], **more: Any) -> Terms:
    return sample.terms(datatypes=list(rows), **more)


def marks(before: Terms, after: Terms) -> dict[str, str]:
    return {row.datum.key: row.mark for row in changes.rows(before, after)}


def test_replacing_marks_what_goes_and_what_comes_and_nothing_else() -> None:
    before, asked = terms(ABOUT, DISTRICT), terms(ABOUT, LOANS)
    after = changes.proposed(before, asked, "replace")
    found = {"pd:Interest#schema:about": "same", "kluis:LibraryLoan": "added"}
    assert marks(before, after) == {**found, "pd:PostalCode#postal_district": "removed"}
    assert changes.facts(before, after) == ()


def test_merging_removes_nothing() -> None:
    before = terms(ABOUT, DISTRICT)
    after = changes.proposed(before, terms(LOANS), "merge")
    found = {"pd:Interest#schema:about": "same", "kluis:LibraryLoan": "added"}
    assert marks(before, after) == {**found, "pd:PostalCode#postal_district": "same"}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"retention": "P30D"}, "where"),
        ({"expires": "2027-06-01T00:00:00Z"}, "how-long"),
        ({"recurrence": {"mode": "ongoing", "max_per_day": 99}}, "how-long"),
        ({"recipients": []}, "who-else"),
        ({"automated_decision": "solely_automated"}, "automated"),
        ({"actions": ["read", "derive"]}, "doing"),
    ],
)
def test_every_other_part_of_the_agreement_that_changes_is_marked(change: dict[str, Any], place: str) -> None:
    before = terms(ABOUT)
    assert changes.facts(before, changes.proposed(before, terms(ABOUT, **change), "replace")) == (place,)


@pytest.mark.parametrize("action", ["merge", "replace"])
@pytest.mark.parametrize("other", [{"purpose_code": "dpv:TargetedAdvertising"}, {"controller": "https://x.example/"},
                                   {"legal_basis": "eu-gdpr:A6-1-e"}, {"pod": "bo"}])  # fmt: skip
def test_another_purpose_is_another_grant(action: Any, other: dict[str, Any]) -> None:
    with pytest.raises(OAuthError, match="invalid_authorization_details"):
        changes.proposed(terms(ABOUT), replace(terms(ABOUT), **other), action)


def test_merging_never_changes_the_words_of_the_purpose() -> None:
    other = replace(terms(ABOUT), purpose_text={"nl": "Iets anders."})
    with pytest.raises(OAuthError, match="invalid_authorization_details"):
        changes.proposed(terms(ABOUT), other, "merge")
    assert changes.facts(terms(ABOUT), changes.proposed(terms(ABOUT), other, "replace")) == ("why",)


def test_merging_rows_that_contradict_each_other_is_refused() -> None:
    wider = {"category": "kluis:LibraryLoan", "fields": ["schema:name"], "necessity": "optional"}
    with pytest.raises(OAuthError, match="invalid_authorization_details"):
        changes.proposed(terms(ABOUT, YEAR), terms(wider), "merge")


def test_an_optional_row_comes_only_if_it_is_ticked_and_what_stays_needs_no_tick() -> None:
    before, now = terms(ABOUT, DISTRICT), sample.NOW
    after = changes.proposed(before, terms(LOANS), "merge")
    plain = changes.decided(before, after, "merge", set(), "asked", now)
    assert {d.key for d in plain.data} == {d.key for d in before.data}
    ticked = changes.decided(before, after, "merge", {"kluis:LibraryLoan"}, "asked", now)
    assert {d.key for d in ticked.data} == {*(d.key for d in before.data), "kluis:LibraryLoan"}
    assert [d.necessity for d in plain.data if d.derived] == ["optional"]


def test_a_wider_window_that_is_not_ticked_is_not_gained() -> None:
    before, wider = terms(ABOUT, YEAR), {**LOANS, "window": "P5Y"}
    merged = changes.proposed(before, terms(ABOUT, wider), "merge")
    assert marks(before, merged)["kluis:LibraryLoan"] == "changed"
    kept = changes.decided(before, merged, "merge", set(), "asked", sample.NOW)
    assert {d.key: d.window for d in kept.data}["kluis:LibraryLoan"] == "P1Y"
    replaced = changes.decided(before, merged, "replace", set(), "asked", sample.NOW)
    assert "kluis:LibraryLoan" not in {d.key for d in replaced.data}


def test_only_another_end_is_a_renewal() -> None:
    before = terms(ABOUT)
    assert changes.step(before, replace(before, expires=before.expires + 1)) == "renewed"
    assert changes.step(before, replace(before, expires=before.expires + 1, retention="P1D")) == "amended"
    assert changes.step(before, terms(ABOUT, LOANS)) == "amended"
