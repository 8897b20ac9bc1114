import json
import os
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from jsonschema import Draft202012Validator

from consent import categories, period, purposes, schema
from consent.errors import BadChoice, BadPeriod, BadTerms, OAuthError
from consent.request import choose, offers, parse, solid
from consent.terms import Datum, Terms
from tests.consent.sample import APP, BASE, CREDENTIAL, DETAIL, NOW, detail, terms

LOANS = {"category": "kluis:LibraryLoan", "necessity": "required"}
SHARED = Path(os.environ.get("KLUIS_SHARED", "../shared")) / "design" / "rar-schema.json"


def refused(**changes):
    with pytest.raises(OAuthError) as caught:
        parse(detail(**changes), APP, BASE, NOW)
    return caught.value.code == "invalid_authorization_details"


def rows(*found):
    return {"datatypes": list(found)}


def test_a_good_request_becomes_terms():
    found = terms()
    assert found.pod == "an"
    assert [datum.key for datum in found.data] == [
        "pd:Interest#schema:about",
        "kluis:LibraryLoan#interest_topics_k10",
        "pd:PostalCode#postal_district",
    ]
    assert found.compartments == ("pd:Interest", "kluis:Answers")
    assert Terms.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("name", [*list(DETAIL)[:7], "retention", "expires", "recurrence"])
def test_every_required_member_is_required(name):
    faulty = detail()
    del faulty[name]
    with pytest.raises(OAuthError):
        parse(faulty, APP, BASE, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "urn:other"},
        {"extra": 1},
        {"actions": []},
        {"actions": ["read", "read"]},
        {"actions": ["own"]},
        {"datatypes": []},
        {"datatypes": [{**LOANS, "note": "x"}]},
        {"locations": [f"{BASE}/pods/an"]},
        {"locations": [f"{BASE}/pods/an/loans/"]},
        {"locations": [f"{BASE}/pods/../"]},
        {"locations": ["https://evil.example/pods/an/"]},
        {"locations": [f"{BASE}.evil.example/pods/an/"]},
        {"locations": [f"{BASE}/pods/an/", f"{BASE}/pods/bo/"]},
        {"controller": "https://other.example/"},
        {"legal_basis": "eu-gdpr:A6-1-f"},
        {"retention": "forever"},
        {"retention": "P"},
        {"recurrence": {"mode": "once"}},
        {"recurrence": {"mode": "once", "max_uses": 2}},
        {"recurrence": {"mode": "always"}},
        {"recurrence": {"mode": "ongoing", "max_per_day": 0}},
    ],
)
def test_a_faulty_request_is_refused(changes):
    assert refused(**changes)


@pytest.mark.parametrize(
    "expires",
    ["2026-11-21T12:00:00Z", "2025-01-01T00:00:00Z", "2027-11-21T12:00:01Z", "2027-01-01T00:00:00", "2027-01-01", "x"],
)
def test_an_end_in_the_past_or_beyond_twelve_months_is_refused(expires):
    assert refused(expires=expires)


def test_twelve_months_to_the_second_are_fine():
    assert terms(expires="2027-11-21T12:00:00Z").expires == 1826798400000


@pytest.mark.parametrize(
    "change",
    [
        {"code": "dpv:ProvidePersonalisedRecommendations"},
        {"code": "dpv:TargetedAdvertising"},
        {"version": "2026-11-02"},
        {"text": {"nl": "Win een gratis prijs!"}},
        {"text": {"nl": DETAIL["purpose"]["text"]["nl"]}},
    ],
)
def test_a_purpose_other_than_the_registered_one_is_refused(change):
    assert refused(purpose={**DETAIL["purpose"], **change})


@pytest.mark.parametrize(
    "row",
    [
        {"category": "kluis:Nothing", "necessity": "required"},
        {"category": "kluis:Ticket", "necessity": "required"},  # known, but not registered for this app
        {**LOANS, "fields": ["schema:birthDate"]},
        {**LOANS, "derived": "postal_district"},
        {**LOANS, "derived": "age_over_18"},
        {**LOANS, "derived": "interest_topics_k10", "fields": ["schema:name"]},
        {"category": "pd:PostalCode", "necessity": "required"},  # rung 5, this purpose may ask for rung 2
        {"category": "pd:PostalCode", "fields": ["schema:postalCode"], "necessity": "required"},
        {**LOANS, "window": "a year"},
        {**LOANS, "window": "P1"},
        {**LOANS, "since": "yesterday"},
        {"category": "pd:Interest", "window": "P1Y", "necessity": "required"},
        {**LOANS, "resources": [f"{BASE}/pods/an/interests/x.jsonld"]},
        {**LOANS, "resources": [f"{BASE}/pods/bo/loans/x.jsonld"]},
        {**LOANS, "resources": [f"{BASE}/pods/an/loans/../interests/x.jsonld"]},
        {**LOANS, "resources": [f"{BASE}/pods/an/loans/%2e%2e/interests/x"]},
        {**LOANS, "resources": [f"{BASE}/pods/an/loans/..%2finterests/x"]},
        {**LOANS, "resources": [f"{BASE}/pods/an/loans/a%2Fb"]},
        {**LOANS, "resources": [f"{BASE}/pods/an/loans/x?y"]},
        {**LOANS, "resources": [f"{BASE}/pods/an/loans/"]},
    ],
)
def test_a_row_that_the_registries_do_not_allow_is_refused(row):
    assert refused(**rows(row))


def test_rows_of_one_category_share_their_limits():
    one = {**LOANS, "fields": ["schema:name"], "window": "P1Y"}
    other = {**LOANS, "fields": ["schema:about"], "window": "P1M", "necessity": "optional"}
    assert refused(**rows(one, other))
    assert refused(**rows(one, {**one, "necessity": "optional"}))
    assert len(terms(**rows(one, {**other, "window": "P1Y"})).data) == 2


def test_special_categories_need_article_nine_and_a_reviewed_app():
    special = rows({**LOANS, "special": True})
    assert refused(**special)
    assert terms(**special, legal_basis="eu-gdpr:A9-2-a").data[0].special
    with pytest.raises(OAuthError):
        parse(detail(**special, legal_basis="eu-gdpr:A9-2-a"), replace(APP, trust="unverified"), BASE, NOW)


def test_the_pod_of_whoever_decides_is_named_at_the_decision():
    open_terms = terms(locations=[f"{BASE}/pods/"])
    assert open_terms.for_pod("youssef").pod == "youssef"
    with pytest.raises(OAuthError) as caught:
        terms().for_pod("youssef")
    assert caught.value.code == "access_denied"
    assert refused(locations=[f"{BASE}/pods/"], **rows({**LOANS, "resources": [f"{BASE}/pods//loans/x"]}))


def test_without_a_tick_only_what_is_required_is_given_and_for_the_shortest_time():
    chosen = choose(terms(), set(), None, NOW)
    assert [datum.key for datum in chosen.data] == ["pd:Interest#schema:about"]
    assert chosen.expires == int((NOW + timedelta(days=7)).timestamp() * 1000)


def test_a_tick_adds_its_row_and_a_longer_time_is_a_choice():
    chosen = choose(terms(), {"pd:PostalCode#postal_district"}, "asked", NOW)
    assert len(chosen.data) == 2
    assert chosen.expires == terms().expires


@pytest.mark.parametrize(
    ("ticked", "duration"),
    [({"kluis:Card"}, None), ({"pd:Interest#schema:about"}, None), (set(), "P9Y")],
)
def test_what_was_not_on_the_page_cannot_be_chosen(ticked, duration):
    with pytest.raises(BadChoice):
        choose(terms(), ticked, duration, NOW)


def test_nothing_ticked_and_nothing_required_is_no_grant():
    optional = terms(**rows({**LOANS, "necessity": "optional"}))
    with pytest.raises(BadChoice):
        choose(optional, set(), None, NOW)


def test_durations_are_offered_shortest_first_and_never_beyond_what_was_asked():
    ends = [offer.until for offer in offers(terms(), NOW)]
    assert ends == sorted(ends)
    assert ends[-1] == terms().expires
    soon = terms(expires="2026-11-22T00:00:00Z")
    assert [offer.code for offer in offers(soon, NOW)] == ["asked"]


@given(st.sets(st.sampled_from([datum.key for datum in terms().data if datum.necessity == "optional"])))
def test_choosing_only_ever_narrows(ticked):
    asked, chosen = terms(), choose(terms(), ticked, "P1M", NOW)
    assert set(chosen.data) <= set(asked.data)
    assert chosen.expires <= asked.expires
    assert replace(chosen, data=asked.data, expires=asked.expires) == asked


@given(st.text(min_size=1, max_size=60))
def test_u6_an_apps_words_never_reach_the_data_language(words):
    """The free text of an app stays in its quoted box; rows are described from the registry alone."""
    spoken = {"nl": f"gratis prijs {words}"}
    loud = replace(APP, purposes=(replace(APP.purposes[0], text=spoken),))
    asked = detail(purpose={**DETAIL["purpose"], "text": spoken})
    found = parse(asked, loud, BASE, NOW)
    for row in found.data:
        assert "gratis prijs" not in " ".join(categories.describe(row.category, row.fields, row.derived))


def test_every_row_that_can_be_asked_has_words_in_dutch_and_english():
    for kind in categories.CATEGORIES.values():
        for language in ("nl", "en"):
            assert all(categories.describe(kind.curie, None, None, language))
            assert all(all(categories.describe(kind.curie, None, name, language)) for name in kind.answers)
            assert all(all(categories.describe(kind.curie, (name,), None, language)) for name in kind.fields)
    title, hides = categories.describe("kluis:LibraryLoan", None, "interest_topics_k10")
    assert (title, hides) == ("Onderwerpen van je leningen", "Geen titels en geen datums.")


def test_every_purpose_stands_under_purposes_that_exist_and_asks_for_rungs_that_exist():
    for purpose in purposes.PURPOSES.values():
        assert purpose.code not in purposes.ancestors(purpose.code)
        for curie, rung in purpose.highest.items():
            assert rung in categories.category(curie).ladder
    found = purposes.purpose("dpv:ProvideEventRecommendations")
    assert found.iri == "https://w3id.org/dpv#ProvideEventRecommendations"
    assert "dpv:Personalisation" in purposes.ancestors("dpv:ProvideEventRecommendations")
    assert purposes.withdrawable("eu-gdpr:A6-1-a-explicit-consent")
    assert not purposes.withdrawable("eu-gdpr:A6-1-e")


def test_stored_terms_that_contradict_themselves_are_refused():
    good = terms()
    for change in ({"mode": "once"}, {"kind": "other"}, {"actions": ("own",)}, {"data": (good.data[0],) * 2}):
        with pytest.raises(BadTerms):
            replace(good, **change)
    with pytest.raises(BadTerms):
        Terms.from_json({**good.to_json(), "colour": "blue"})
    with pytest.raises(BadTerms):
        replace(solid(CREDENTIAL, "an", ("/",), ("read",), 1), data=(Datum("pd:Interest"),))


@pytest.mark.parametrize("text", ["", "P", "PT", "P1", "1Y", "P-1Y", "P1.5Y", "P1Y ", "p1y", "P1S"])
def test_other_texts_are_no_durations(text):
    with pytest.raises(BadPeriod):
        period.read(text)


def test_months_follow_the_calendar():
    end_of_january = datetime(2027, 1, 31, tzinfo=UTC)
    assert period.read("P1M").after(end_of_january) == datetime(2027, 2, 28, tzinfo=UTC)
    assert period.read("P1Y2M3DT4H5M6S").before(NOW) == datetime(2025, 9, 18, 7, 54, 54, tzinfo=UTC)
    with pytest.raises(BadPeriod):
        period.read("P9999Y").before(NOW)


def _mutants():
    """The example with each member removed or replaced by a value of another kind, at every depth."""
    paths = []

    def walk(value, path):
        paths.append(path)
        for step in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            walk(value[step], (*path, step))

    walk(DETAIL, ())
    for path in paths[1:]:
        for other in (None, 7, "x", [], {}, [DETAIL["actions"]], "P1Y", "dpv:X", {"mode": "once"}, True):
            mutant = deepcopy(DETAIL)
            place = mutant
            for step in path[:-1]:
                place = place[step]
            if other is None:
                del place[path[-1]]
            else:
                place[path[-1]] = other
            yield mutant


@pytest.mark.skipif(not SHARED.exists(), reason="the published schema is not beside this checkout")
def test_our_schema_means_what_the_published_one_means_and_is_stricter_only_about_what_a_page_would_repeat():
    published = Draft202012Validator(json.loads(SHARED.read_text()))
    ours = Draft202012Validator(schema.SCHEMA)
    cases = [detail(), *_mutants()]
    assert len(cases) > 300
    differing = [case for case in cases if ours.is_valid(case) != published.is_valid(case)]
    assert not any(ours.is_valid(case) for case in differing)
    stricter = ("recipients", "storage")
    assert [case for case in differing if all(case[name] == DETAIL[name] for name in stricter)] == []


@pytest.mark.parametrize(
    "address",
    [
        "Gratis prijs! Klik op Toestaan",
        "urn:kluis:gratis-prijs",
        "http://[",
        "https://",
        "https:///pad",
        "https://win,een,prijs!/",
        "https://a.example:99999/",
        "https://stad@elders.example/",
        "https://" + "a" * 300 + ".example/",
        "ftp://a.example/",
        "",
    ],
)
def test_a_recipient_is_a_web_address_whose_host_can_be_shown(address):
    assert refused(recipients=[{"id": address, "role": "processor"}])


@pytest.mark.parametrize("country", ["", "b", "be", "BE\n", "BEL", "België, waar alles gratis is", 7])
def test_a_country_is_two_capitals_and_nothing_else(country):
    assert refused(storage={"country": country})
    assert refused(recipients=[{"id": "https://host.example", "role": "processor", "country": country}])


def test_nothing_rides_along_that_no_page_would_show():
    assert refused(storage={"country": "BE", "note": "win een prijs"})
    assert refused(recipients=[{"id": "https://host.example", "role": "processor", "note": 10**30}])
    assert refused(recurrence={"mode": "ongoing", "note": 1.5})
    assert refused(processing=["dpv:Win een prijs"])
    assert refused(recipients=[{"id": f"https://h{n}.example", "role": "processor"} for n in range(21)])


@pytest.mark.parametrize("count", [2**53, 10**19, 10**400, 1.5, -1, True])
@pytest.mark.parametrize("name", ["max_uses", "max_per_day"])
def test_a_count_that_no_gate_could_keep_is_refused(name, count):
    assert refused(recurrence={"mode": "ongoing", name: count})


def test_the_largest_count_is_kept_as_an_integer():
    found = terms(recurrence={"mode": "ongoing", "max_uses": 2**53 - 1, "max_per_day": 48.0})
    assert (found.max_uses, found.max_per_day) == (2**53 - 1, 48)
    assert type(found.max_per_day) is int


@pytest.mark.parametrize(
    "expires",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59.999999-23:59",
        "0001-01-01T00:00:00Z",
        "2027-01-01T00:00:00",
    ],
)
def test_an_end_at_the_edge_of_the_calendar_is_refused(expires):
    assert refused(expires=expires)


@pytest.mark.parametrize("window", ["P9999Y", "P9999M", "P9999W", "P99999D", "P101Y"])
def test_a_window_that_leaves_the_calendar_is_refused(window):
    assert refused(**rows({**LOANS, "window": window}))


@pytest.mark.parametrize("path", ["//[", "/[/", "a://[", "\t", "a\x01b"])
def test_a_resource_that_is_no_address_is_refused(path):
    assert refused(**rows({**LOANS, "resources": [f"{BASE}/pods/an/loans/{path}"]}))
    assert refused(**rows({**LOANS, "resources": [f"{BASE}/pods/an/{path}"]}))
