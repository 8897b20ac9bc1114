"""The made-up city is the same every time, and its files pass the same doors as real ones."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from recommender import generator
from recommender.books import books
from recommender.sources.intake import read

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_the_same_seed_gives_the_same_city_byte_for_byte():
    def made():
        rng = np.random.default_rng(5)
        town = generator.city(NOW, rng)
        people = generator.population(5, rng, town, NOW)
        return generator.uitdatabank_page(town), [generator.loans_file(p) for p in people], people

    assert made() == made()


def test_the_city_has_twelve_houses_three_hundred_books_and_two_hundred_coming_events():
    town = generator.city(NOW, np.random.default_rng(1))
    assert (len(town.institutions), len(town.books), len(town.events)) == (12, 300, 200)
    assert len({b.id for b in books()}) == len({b.title for b in books()}) == 300
    starts = [datetime.fromisoformat(e["startDate"]) for e in town.events]
    assert min(starts) > NOW and max(starts) < NOW + timedelta(weeks=11)


def test_its_files_come_in_without_a_reject():
    rng = np.random.default_rng(2)
    town = generator.city(NOW, rng)
    events = read("uitdatabank", generator.uitdatabank_page(town))
    assert (len(events.records), events.rejects) == (200, [])
    [citizen] = generator.population(1, rng, town, NOW)
    loans = read("mijnbib", generator.loans_file(citizen))
    assert (len(loans.records), loans.rejects) == (len(citizen.loans), [])
    assert all(item.body["schema:about"] for item in loans.records)


def test_tastes_show_in_loans_tickets_and_interests_alike():
    rng = np.random.default_rng(3)
    town = generator.city(NOW, rng)
    people = generator.population(40, rng, town, NOW)

    def shared(one, other):
        mine = {t for loan in one.loans for t in loan.book.topics}
        return len(mine & {t for ticket in generator.tickets(other, town) for t in ticket["schema:about"]})

    own = np.mean([shared(p, p) for p in people])
    others = np.mean([shared(p, q) for p, q in pairwise(people)])
    assert own > 1.15 * others
