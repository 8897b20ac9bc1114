"""Suggestions come only from what is open, say why truthfully, and stand in more than one medium."""

import json

import numpy as np
import pytest

from recommender import rank
from recommender.candidates import candidates
from recommender.catalogue import Catalogue, Entry, book_entry, load
from recommender.errors import BadData
from recommender.features import COLUMNS, GROUPS, NAMES, features
from recommender.profile import CATEGORIES, INTERESTS, LOANS, TICKETS, Profile, profile
from recommender.suggest import suggest, varied
from recommender.table import Table
from recommender.train import ndcg, train
from recommender.wonder import SURE, Place
from tests.proof import figure
from tests.recommender.conftest import NOW

TODAY = NOW.date()
ABSENT = [n for n, name in enumerate(NAMES) if name.endswith("/kin")]
"""Missing without item statistics, whatever is open."""


def listed(small, known, k=12):
    return suggest(known, small.catalogue, small.model, k, TODAY)


def seen(suggestions):
    return [(s.item.id, s.rank, s.score, s.reasons) for s in suggestions]


def test_the_ranker_beats_popularity_by_far_on_citizens_held_back(small):
    figure("H4", round(small.trained.gain, 3))
    assert small.trained.gain >= 0.3


def test_training_twice_gives_the_same_model_bit_for_bit():
    texts = [train(NOW, np.random.default_rng(4), people=30).model.booster.model_to_string() for _ in range(2)]
    assert texts[0] == texts[1]


def test_every_reason_names_a_record_the_citizen_really_has(small):
    for number in range(len(small.people)):
        records = small.records(number)
        for suggestion in listed(small, small.profile(number)):
            for reason in suggestion.reasons:
                names = {r["@id"]: r["schema:name"] for r in records[reason.category]}
                assert names[reason.evidence.id] == reason.evidence.title
                akin = set(reason.evidence.topics) & set(suggestion.item.topics)
                assert akin or reason.evidence.maker


def rank_of(small, known, item):
    """The rank of an entry among the candidates of a profile, behind all where it is none."""
    rows, place = candidates(known, small.catalogue, TODAY), small.catalogue.index[item]
    table = Table(known, small.catalogue, small.model, rows, TODAY)
    return table.rank(rows.index(place)) if place in rows else len(rows) + 1


def test_without_the_named_record_the_suggestion_falls(small):
    fell = []
    for number in range(len(small.people)):
        known = small.profile(number)
        for suggestion in listed(small, known):
            for reason in suggestion.reasons[:1]:
                now = rank_of(
                    small, known.without(*(t.id for t in (reason.evidence, *reason.also))), suggestion.item.id
                )
                assert now > suggestion.rank or reason.fall == 0
                fell.append(now > suggestion.rank)
    assert len(fell) > 50
    assert np.mean(fell) >= 0.95


def test_a_closed_category_leaves_its_features_missing_and_gives_no_reason(small):
    for closed in CATEGORIES:
        records = {c: rows for c, rows in small.records().items() if c != closed}
        known = profile(records, small.catalogue)
        table = np.delete(features(known, small.catalogue, range(50), small.model.popularity, TODAY), ABSENT, axis=1)
        groups = np.delete(np.array(GROUPS), ABSENT)
        assert np.isnan(table[:, groups == closed]).all()
        assert not np.isnan(table[:, (groups != closed) & (groups != "")]).any()
        found = listed(small, known)
        assert found
        assert all(reason.category != closed for s in found for reason in s.reasons)


def test_whatever_stands_in_a_closed_category_changes_nothing(small):
    records = small.records()
    del records[LOANS]
    before = seen(listed(small, profile(records, small.catalogue)))
    records["kluis:Card"] = small.records(1)[LOANS]
    assert seen(listed(small, profile(records, small.catalogue))) == before


def test_an_open_but_empty_category_is_not_a_closed_one(small):
    records = small.records() | {TICKETS: []}
    table = features(profile(records, small.catalogue), small.catalogue, range(5), small.model.popularity, TODAY)
    assert (table[:, COLUMNS[TICKETS]][:, :-1] == 0).all()


def test_what_she_has_is_never_suggested_again(small):
    known = small.profile()
    titles = {t.title for c in (LOANS, TICKETS) for t in known.traces[c]}
    assert titles
    assert not titles & {s.item.id for s in listed(small, known, 500)}
    assert not known.owned & {small.catalogue.index[s.item.id] for s in listed(small, known, 500)}


def test_each_six_hold_two_media_and_two_houses(small):
    for number in range(len(small.people)):
        found = listed(small, small.profile(number))
        for six in (found[:6], found[6:]):
            assert len({s.medium for s in six}) >= 2
            assert len({s.item.institution for s in six}) >= 2


def test_variety_never_repeats_anything_and_brings_another_medium_and_house_into_six_that_are_alike():
    entries = [Entry(str(n), str(n), "book", "a", "", "", "", 0, ()) for n in range(9)]
    places = [Place(n, SURE) for n in range(8)]
    assert varied(places, np.arange(9), entries) == places
    entries[8] = Entry("8", "8", "film", "b", "", "", "", 0, ())
    found = varied(places, np.arange(9), entries)
    assert [p.candidate for p in found] == [0, 1, 2, 3, 4, 8, 6, 7]


def test_an_event_that_is_over_is_not_suggested(small):
    over = Entry("over", "Voorbij", "concert", "Trix", "", "2026-11-20", "2026-11-20", 2026, ("jazz",))
    catalogue = Catalogue([over, *(e for e in small.catalogue.entries if e.medium == "book")])
    jazz = profile({INTERESTS: [{"@id": "/i", "schema:about": ["jazz"]}]}, catalogue)
    assert "over" not in {s.item.id for s in suggest(jazz, catalogue, small.model, 500, TODAY)}


def test_an_unknown_subject_and_an_odd_record_are_harmless(small):
    odd = [{"@id": "/x"}, {"schema:about": 3}, {"schema:name": {"@value": "Kaas"}}, {"schema:about": ["zwmmn", None]}]
    known = profile({LOANS: odd, INTERESTS: odd, TICKETS: odd}, small.catalogue)
    assert len(listed(small, known)) == 12


def test_an_empty_catalogue_gives_an_empty_list(small):
    assert suggest(Profile({}), Catalogue([]), small.model, 5, TODAY) == []


def test_a_model_comes_back_from_its_files_with_the_same_scores(small, tmp_path):
    rank.save(small.model, tmp_path)
    table = features(small.profile(), small.catalogue, range(40), small.model.popularity, TODAY)
    again = rank.load(tmp_path)
    assert (again.score(table) == small.model.score(table)).all()
    assert json.loads((tmp_path / "card.json").read_text())["data"] == "simulated"


@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_a_model_that_cannot_be_used_is_named(small, tmp_path, damage):
    rank.save(small.model, tmp_path)
    if damage == "missing":
        (tmp_path / "model.txt").unlink()
    elif damage == "cut":
        (tmp_path / "card.json").write_text("{")
    else:
        (tmp_path / "card.json").write_text('{"features": ["x"], "popularity": {}}')
    with pytest.raises(BadData, match="kluis train"):
        rank.load(tmp_path)


def test_a_catalogue_comes_back_from_its_file_and_an_event_is_replaced_by_id(small, tmp_path):
    small.catalogue.save(tmp_path / "catalogue.json")
    assert load(tmp_path / "catalogue.json").entries == small.catalogue.entries
    first = small.town.events[0]
    changed = small.catalogue.with_events([{"@id": first["@id"], "schema:name": "Anders"}])
    assert len(changed.entries) == len(small.catalogue.entries)
    assert changed.entries[changed.index[first["@id"]]].title == "Anders"
    (tmp_path / "catalogue.json").write_text("[]")
    with pytest.raises(BadData, match="not a catalogue"):
        load(tmp_path / "catalogue.json")


def test_a_loan_is_recognised_by_its_title_whatever_its_spelling(small):
    shelf = Catalogue([book_entry(small.town.books[0])])
    title = small.town.books[0].title.upper() + "!"
    [trace] = profile({LOANS: [{"@id": "/l", "schema:name": title}]}, shelf).traces[LOANS]
    assert trace.entry == 0
    assert trace.topics == small.town.books[0].topics


def test_ndcg_is_one_for_a_perfect_list_and_zero_for_a_miss():
    assert ndcg(np.array([True, True, False])) == 1
    assert ndcg(np.zeros(30, dtype=bool)) == 0
    assert 0 < ndcg(np.array([False] * 19 + [True])) < ndcg(np.array([False, True])) < 1
