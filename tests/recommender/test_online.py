"""Slots, paths, wishes, weather, DNA: what a citizen sees beside the order of a list, and why each is so."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from recommender.catalogue import BOOK, WORK, Catalogue, Entry
from recommender.facts import CITY, HOURS
from recommender.profile import INTERESTS, LOANS, POSTAL, TICKETS, Profile, profile
from recommender.shown import bubble
from recommender.simulate import across, live
from recommender.suggest import suggest
from recommender.table import Table
from recommender.taste import dna, entropy, used
from recommender.train import simulated
from recommender.wishes import Wishes, traits
from recommender.wonder import BRIDGE, LEAP, SURE
from tests.recommender.conftest import NOW

TODAY = NOW.date()


def listed(small, known, wishes=None, k=12, rain=None):
    return suggest(known, small.catalogue, small.model, k, TODAY, wishes, rain)


def test_a_list_has_sure_places_bridges_and_leaps_as_the_dial_says(small):
    for dial in range(4):
        found = [listed(small, small.profile(n), Wishes(dial=dial), 10) for n in range(len(small.people))]
        leaps = [sum(s.slot == LEAP for s in ten) for ten in found]
        assert max(leaps) <= dial and (not dial or np.mean(leaps) > dial / 2)
        assert any(s.slot == BRIDGE for ten in found for s in ten) is (dial > 0)
        assert all(a.slot != LEAP or b.slot != LEAP for ten in found for a, b in pairwise(ten))


def test_a_bridge_has_a_trait_of_hers_in_a_medium_or_house_she_has_not_used(small):
    seen = 0
    for number in range(len(small.people)):
        known = small.profile(number)
        media, houses = used(known, small.catalogue)
        for s in (s for s in listed(small, known, Wishes(dial=3), 30) if s.slot == BRIDGE):
            seen += 1
            assert s.path.trait in s.item.topics and s.path.trait in s.path.evidence.topics
            assert s.path.evidence in known.traces[s.path.category]
            fresh = s.item.medium not in media
            assert fresh or small.catalogue.number(s.item.institution) not in houses
            assert s.path.new == ("medium" if fresh else "house")
    assert seen


def test_the_path_of_a_leap_goes_from_her_record_over_a_thing_that_joins_both_to_the_new(small):
    seen = 0
    for number in range(len(small.people)):
        known = small.profile(number)
        for s in (s for s in listed(small, known, Wishes(dial=3), 30) if s.slot == LEAP):
            assert s.unexpected >= 0.5
            if s.path is not None and s.path.via is not None:
                seen += 1
                assert s.path.trait in s.path.evidence.topics and s.path.evidence in known.traces[s.path.category]
                assert {s.path.trait, s.path.to} <= set(s.path.via.topics) and s.path.to in s.item.topics
    assert seen


def test_nothing_known_gives_no_bridge_and_no_leap_and_no_reason(small):
    found = listed(small, Profile({}), Wishes(dial=3))
    assert found and all(s.slot == SURE and not s.reasons and s.path is None for s in found)


def test_a_counterfactual_is_what_the_list_without_that_category_really_says(small):
    for number in range(3):
        records = small.records(number)
        full = profile(records, small.catalogue)
        table = Table(full, small.catalogue, small.model, range(len(small.catalogue.entries)), TODAY)
        for closed in (LOANS, INTERESTS, TICKETS, POSTAL):
            less = profile({c: r for c, r in records.items() if c != closed}, small.catalogue)
            anew = Table(less, small.catalogue, small.model, table.rows, TODAY)
            assert np.allclose(table.closed(closed), anew.scores, atol=1e-9, rtol=0)


def test_taking_a_score_apart_loses_nothing_and_ranking_without_a_record_is_exact(small):
    known = small.profile()
    rows = range(len(small.catalogue.entries))
    table = Table(known, small.catalogue, small.model, rows, TODAY)
    whole = small.model.score(table.features)
    assert np.allclose(table.scores - whole, (table.scores - whole)[0], atol=1e-9, rtol=0)
    for category in (LOANS, INTERESTS, TICKETS):
        for n, trace in enumerate(known.traces[category]):
            anew = Table(known.without(trace.id), small.catalogue, small.model, rows, TODAY)
            assert np.array_equal(table.without(category, [n])[0], anew.scores)


def test_what_she_put_away_never_wants_or_closed_is_not_shown(small):
    known = small.profile()
    first = listed(small, known)
    gone = Wishes(hidden=frozenset({first[0].item.id}), media=frozenset({first[1].medium}))
    assert not {s.item.id for s in listed(small, known, gone, 50)} & gone.hidden
    assert not {s.medium for s in listed(small, known, gone, 50)} & gone.media
    topic = first[0].item.topics[0]
    never = Wishes(never=frozenset({f"topic:{topic}"}))
    assert all(topic not in s.item.topics for s in listed(small, known, never, 50))


def test_less_like_this_puts_a_trait_lower_and_more_higher(small):
    known = small.profile()
    item = listed(small, known)[3].item
    named = traits(item.medium, item.institution, item.maker, item.topics)[-1]

    def mean_rank(wishes):
        rows = range(len(small.catalogue.entries))
        table = Table(known, small.catalogue, small.model, rows, TODAY, wishes)
        return np.mean([table.rank(n) for n in rows if named in table.traits[n]])

    plain = mean_rank(Wishes())
    assert mean_rank(Wishes(less=frozenset({named}))) > plain > mean_rank(Wishes(more=frozenset({named})))
    assert mean_rank(Wishes(less=frozenset({named}), more=frozenset({named}))) == plain


def test_likely_rain_puts_what_is_soon_and_outdoors_lower_and_nothing_else(small):
    known, catalogue = small.profile(), small.catalogue
    rows = range(len(catalogue.entries))
    dry, wet = (Table(known, catalogue, small.model, rows, TODAY, rain=rain) for rain in (None, 1.0))
    soon = catalogue.facts.start - TODAY.toordinal() <= 3
    exposed = soon & (catalogue.facts.outdoor > 0)
    assert (catalogue.facts.outdoor > 0).any()
    assert (wet.scores[exposed] < dry.scores[exposed]).all()
    assert (wet.scores[~exposed] == dry.scores[~exposed]).all()


def test_an_event_at_an_hour_nobody_would_believe_is_not_suggested(small):
    night = datetime(2026, 11, 25, 1, 15, tzinfo=CITY).isoformat()
    odd = Entry("odd", "Jazz in de nacht", "concert", "Trix", "", night, night[:10], 2026, ("jazz",))
    fine = replace(odd, id="fine", start=datetime(2026, 11, 25, 20, tzinfo=CITY).isoformat())
    catalogue = Catalogue([*small.catalogue.entries, odd, fine])
    jazz = profile({INTERESTS: [{"@id": "/i", "schema:about": ["jazz"]}]}, catalogue)
    found = {s.item.id for s in suggest(jazz, catalogue, small.model, 50, TODAY)}
    assert "odd" not in found and "fine" in found


def test_the_made_up_city_has_no_event_in_the_night_in_winter_or_summer():
    from recommender import generator

    for now in (NOW, NOW + timedelta(days=210)):
        for event in generator.city(now, np.random.default_rng(3)).events:
            start = datetime.fromisoformat(event["startDate"]).astimezone(CITY)
            assert 10 <= start.hour <= 21 and start.minute == 0
    assert all(first >= 7 for first, _ in HOURS.values())


def test_an_event_imported_a_minute_ago_can_be_suggested_at_once_by_its_letters_alone(small):
    event = {"@id": "https://x.example/new", "schema:name": "Sneeuwlandschappen", "kluis:type": "Concert",
             "schema:startDate": "2026-11-24T20:00:00+01:00", "schema:about": ["zwmmn"]}  # fmt: skip
    grown = small.catalogue.with_events([event])
    loans = [{"@id": f"/l/{n}", "schema:name": "Sneeuwlandschap"} for n in range(4)]
    known = profile({LOANS: loans}, grown)
    rows = range(len(grown.entries))
    table = Table(known, grown, small.model, rows, TODAY)
    place = grown.index["https://x.example/new"]
    assert table.basis[LOANS].relations[3, place].min() > 0
    assert table.parts[LOANS][place] >= np.median(table.parts[LOANS])
    assert any(s.item.id == event["@id"] for s in suggest(known, grown, small.model, len(rows), TODAY))


def test_near_by_counts_only_where_she_let_her_district_be_known(small):
    records = small.records()
    known = profile(records, small.catalogue)
    del records[POSTAL]
    closed = profile(records, small.catalogue)
    assert known.district and closed.district is None
    rows = range(len(small.catalogue.entries))
    table = Table(closed, small.catalogue, small.model, rows, TODAY)
    assert not table.parts[POSTAL].any()


def test_every_trait_of_her_dna_is_shown_by_records_of_hers(small):
    known = small.profile()
    found = dna(known, small.catalogue, Wishes(less=frozenset({"topic:jazz"})))
    assert found and [t.share for t in found] == sorted((t.share for t in found), reverse=True)
    for trait in found:
        assert trait.evidence
        for category, trace in trait.evidence:
            assert trace in known.traces[category] and trait.name.removeprefix("topic:") in trace.topics
    assert dna(Profile({}), small.catalogue, Wishes()) == ()


def test_a_bubble_is_measured_in_bits(small):
    books = [e.id for e in small.catalogue.entries if e.medium == BOOK][:4]
    works = [e.id for e in small.catalogue.entries if e.medium == WORK][:4]
    told = bubble(small.catalogue, [*books, *works], ["unknown"])
    assert told["shown"]["media"] == 1.0 and told["opened"] == {"count": 0, "subjects": 0.0, "media": 0.0}
    assert entropy(["a", "a"]) == 0 and entropy(list("abcd")) == 2


def test_books_alone_say_what_to_go_out_to_better_than_chance_in_the_simulation(small):
    cases = [simulated(citizen, small.town, small.catalogue) for citizen in small.people]
    ours, chance = across(small.model, cases, small.catalogue, TODAY)
    assert ours > chance


def test_a_narrow_citizen_does_not_end_in_a_narrower_list(small):
    heart = [e for e in small.catalogue.entries if e.medium == BOOK and "thriller" in e.topics][:3]
    start = profile({LOANS: [{"@id": e.id, "schema:name": e.title} for e in heart]}, small.catalogue)
    rounds = live(start, small.catalogue, small.model, TODAY, Wishes(dial=1), 6)
    assert len(rounds) == 6 and all(r.media > 0 and r.opened for r in rounds)


@pytest.mark.parametrize("text", ["", "niet", "2026-13-01T10:00:00+01:00"])
def test_a_moment_that_cannot_be_read_is_no_moment(text):
    catalogue = Catalogue([Entry("x", "x", "concert", "", "", text, "", 0, ())])
    assert np.isnan(catalogue.facts.start[0]) and catalogue.facts.plausible[0] == 1
