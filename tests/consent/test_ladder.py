"""The minimisation ladder: the lowest rung is proposed, a higher one needs a reason that the city approved, and the
menu of answers is fixed, so that nobody finds an exact value by asking again and again.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from consent import categories, clients, minimise, purposes, schema
from consent.categories import CATEGORIES
from consent.errors import OAuthError, UnknownCategory
from consent.oauth.clients import Client, Justification
from consent.oauth.registration import check_client
from consent.request import parse
from consent.terms import Terms
from tests.consent import sample

EVENTS = "dpv:ProvideEventRecommendations"
POSTCODE = {"category": "pd:PostalCode", "fields": ["schema:postalCode"], "necessity": "optional"}
WHY = Justification("pd:PostalCode", 3, "Om de bus langs je straat te sturen.", "city")
TODAY = date(2026, 11, 21)
ANSWERS = {name: kind.curie for kind in CATEGORIES.values() for name in kind.answers}


def app(*justified: Justification, trust: Any = "city") -> Client:
    return replace(sample.APP, trust=trust, purposes=(replace(sample.APP.purposes[0], justified=justified),))


def asked(client: Client, *rows: dict[str, Any]) -> Terms:
    return parse(sample.detail(datatypes=list(rows)), client, sample.BASE, sample.NOW)


def test_a_higher_rung_without_a_reason_is_refused_and_the_lowest_is_proposed() -> None:
    with pytest.raises(OAuthError) as refused:
        asked(app(), POSTCODE)
    assert refused.value.code == "invalid_authorization_details"
    assert refused.value.detail == {"proposed": {"category": "pd:PostalCode", "derived": "is_resident"}}


def test_a_registered_reason_opens_the_rung_it_names_and_no_higher_one() -> None:
    terms = asked(app(WHY), POSTCODE)
    assert [row.because for row in terms.data] == ["Om de bus langs je straat te sturen."]
    assert Terms.from_json(terms.to_json()) == terms
    with pytest.raises(OAuthError, match="invalid_authorization_details"):
        asked(app(WHY), {"category": "pd:PostalCode", "necessity": "optional"})


def test_what_needs_no_reason_quotes_none() -> None:
    terms = asked(app(WHY), {"category": "pd:PostalCode", "derived": "postal_district", "necessity": "optional"})
    assert [row.because for row in terms.data] == [""]


@pytest.mark.parametrize(
    "bad",
    [
        replace(WHY, rung=2),
        replace(WHY, rung=6),
        replace(WHY, category="kluis:Card"),
        replace(WHY, text=""),
        replace(WHY, text="x" * 301),
        replace(WHY, text="pаypal"),
        replace(WHY, approved_by=""),
    ],
)
def test_a_reason_that_nobody_can_answer_for_is_not_registered(bad: Justification) -> None:
    with pytest.raises(OAuthError, match="invalid_client_metadata"):
        check_client(app(bad))


@pytest.mark.parametrize(("trust", "good"), [("city", True), ("unverified", False)])
def test_only_the_city_approves_a_reason(trust: Any, good: bool) -> None:
    told = {
        "client_name": "Bus", "controller": "https://stad.example/x", "redirect_uris": [sample.RETURN],
        "jwks": {"keys": [sample.public(sample.APP_KEY)]}, "token_endpoint_auth_method": "private_key_jwt",
        "purposes": [{"code": EVENTS, "text": {"nl": "x"}, "categories": ["pd:PostalCode"],
                      "justifications": [{"category": "pd:PostalCode", "rung": 3, "text": "Om te rijden."}]}],
    }  # fmt: skip
    client = clients.described(told, trust, sample.NOW)
    if good:
        assert check_client(client).purposes[0].justified[0].approved_by == "city"
        assert Client.from_json(check_client(client).to_json()) == check_client(client)
    else:
        with pytest.raises(OAuthError, match="approved"):
            check_client(client)


@pytest.mark.parametrize("code", sorted(purposes.PURPOSES))
def test_what_is_proposed_can_be_asked_and_is_the_least_there_is(code: str) -> None:
    for curie in CATEGORIES:
        least, top = purposes.lowest(code, curie), purposes.highest_rung(code, curie)
        assert (least is None) == (top is None)
        if least and "derived" in least:
            answers = categories.category(curie).answers
            assert answers[str(least["derived"])].rung == min(one.rung for one in answers.values())


# ---------------------------------------------------------------- the menu


def test_the_menu_of_answers_is_the_one_of_the_design_and_all_can_be_worked_out() -> None:
    assert set(ANSWERS) == set(schema.ANSWERS)
    for name in ANSWERS:
        assert minimise.answer(name, [], sample.NOW)["schema:name"] == name


@pytest.mark.parametrize("name", ["age_over_17", "age_over_21", "age", "lives_in_2018", "postal_code", ""])
def test_nothing_beside_the_menu_can_be_asked_or_worked_out(name: str) -> None:
    row = {"category": "pd:Age", "derived": name, "necessity": "required"}
    with pytest.raises(OAuthError, match="invalid_authorization_details"):
        asked(app(), row)
    with pytest.raises(UnknownCategory):
        minimise.answer(name, [], sample.NOW)


def test_all_age_answers_together_tell_no_more_than_a_band() -> None:
    """Binary search: over 200 birthdays the whole menu has as many outcomes as there are bands."""
    seen = set()
    for days in range(0, 100 * 365, 180):
        born = [{"schema:birthDate": (TODAY - timedelta(days=days)).isoformat()}]
        seen.add((minimise.age_over(born, TODAY, 13), minimise.age_over(born, TODAY, 18),
                  minimise.age_band(born, TODAY)))  # fmt: skip
    assert len(seen) == len(minimise.BANDS)


@pytest.mark.parametrize(
    ("born", "over", "band"),
    [
        ("2008-11-21", True, "18-24"),
        ("2008-11-22", False, "13-17"),
        ("2013-11-21", False, "13-17"),
        ("2013-11-22", False, "0-12"),
        ("1961-11-21", True, "65+"),
        ("1961-11-22", True, "45-64"),
        ("2027-01-01", None, None),
        ("gisteren", None, None),
        (19900101, None, None),
    ],
)
def test_an_age_counts_from_the_birthday_on(born: object, over: bool | None, band: str | None) -> None:
    records = [{"schema:birthDate": born}]
    assert (minimise.age_over(records, TODAY, 18), minimise.age_band(records, TODAY)) == (over, band)


@pytest.mark.parametrize("born", ["2008-02-29"])
def test_who_was_born_on_29_february_is_a_year_older_on_1_march(born: str) -> None:
    records = [{"schema:birthDate": born}]
    assert [minimise.age_over(records, day, 18) for day in (date(2026, 2, 28), date(2026, 3, 1))] == [False, True]


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_answer_says_from_when_it_is(name: str) -> None:
    early = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert minimise.answer(name, [], early)["kluis:asOf"] == "2026-01-02T03:04:05Z"


# ---------------------------------------------------------------- shapes


def test_a_shape_means_the_fields_it_has_now_and_nothing_that_comes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = CATEGORIES["kluis:LibraryLoan"]
    row = {"category": "kluis:LibraryLoan", "shape": kind.shape, "necessity": "required"}
    before = asked(app(), row)
    assert before.data[0].fields == tuple(kind.fields) and before.data[0].rung == 3
    newer = replace(kind, fields={**kind.fields, "kluis:fine": {"nl": "Boete", "en": "Fine"}})
    monkeypatch.setitem(CATEGORIES, "kluis:LibraryLoan", newer)  # type: ignore[arg-type]
    assert "kluis:fine" not in (Terms.from_json(before.to_json()).data[0].fields or ())
    assert newer.shape != kind.shape
    with pytest.raises(OAuthError, match="invalid_authorization_details"):
        asked(app(), row)
