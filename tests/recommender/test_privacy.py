"""The public item model: what one person adds is bounded, drowned in noise, and gone when she goes."""

from dataclasses import fields, replace
from math import sqrt

import numpy as np
import pytest

from recommender.counts import Counts, count
from recommender.errors import Spent
from recommender.history import History, _history
from recommender.privacy import CLIP, DELTA, Spending, deviation, enough, private_counts, sensitivities, spend


def histories(rng: np.random.Generator, people: int = 12, items: int = 90) -> History:
    rows = [rng.permutation(items)[: int(rng.integers(1, 80))] for _ in range(people)]
    user = np.repeat(np.arange(people), [len(r) for r in rows])
    stars = rng.integers(1, 6, len(user)).astype(float)
    return _history(user, np.concatenate(rows), stars, True, people, items)


def tables(counts: Counts) -> dict[str, np.ndarray]:
    found = {f.name: getattr(counts, f.name) for f in fields(counts)}
    return {name: table for name, table in found.items() if table is not None}


def test_withdrawing_gives_bit_for_bit_the_counts_of_never_having_given():
    rng = np.random.default_rng(1)
    whole = histories(rng)
    gone = np.arange(12) != 4
    left = whole.of(gone)
    again = np.flatnonzero(whole.user != 4)
    shuffled = again[np.argsort(whole.user[again] * -1, kind="stable")]
    user = 11 - whole.user[shuffled]
    other = _history(user, whole.item[shuffled], whole.stars[shuffled], True, 12, whole.width)
    for name, table in tables(count(left)).items():
        assert table.tobytes() == tables(count(other))[name].tobytes(), name
        assert table.tobytes() != tables(count(whole))[name].tobytes(), name


@pytest.mark.parametrize("seed", range(5))
def test_nobody_changes_a_table_by_more_than_its_sensitivity(seed):
    whole = histories(np.random.default_rng(seed))
    kept = whole.rows(whole.last(CLIP))
    bounds = sensitivities()
    for person in range(12):
        with_, without = kept, kept.of(np.arange(12) != person)
        for name in bounds:
            plain = name == "together"
            a, b = (tables(count(replace(h, stars=None) if plain else h))[name] for h in (with_, without))
            change = (a - b).astype(float)
            if change.ndim == 2 and name != "after":
                change = np.triu(change, 1 if name == "near" else 0)
            assert sqrt(float(np.square(change).sum())) <= bounds[name] * 1.0001, name


@pytest.mark.parametrize(("epsilon", "known"), [(0.5, 8.0), (1.0, 4.2), (3.0, 1.544), (8.0, 0.67)])
def test_the_noise_is_what_the_analytic_mechanism_asks(epsilon, known):
    assert deviation(epsilon, DELTA) == pytest.approx(known, rel=0.08)
    assert deviation(epsilon, DELTA) < deviation(epsilon / 2, DELTA)


def test_noisy_counts_are_whole_alike_both_ways_and_the_same_for_the_same_seed():
    whole = histories(np.random.default_rng(2))
    found = [tables(private_counts(whole, 3.0, np.random.default_rng(7), scale=0.01)) for _ in range(2)]
    for name, table in found[0].items():
        assert np.array_equal(table, np.rint(table)) and (table >= 0).all(), name
        assert table.tobytes() == found[1][name].tobytes(), name
    assert "together" not in found[0]
    assert np.array_equal(found[0]["near"], found[0]["near"].T)
    loud = tables(private_counts(whole, 3.0, np.random.default_rng(7)))
    assert not np.array_equal(loud["near"], found[0]["near"])


def test_the_ledger_allows_one_release_a_month_within_the_budget_of_its_purpose():
    ledger = spend((), Spending("suggest", "2026-10", 3.0, DELTA), 7.0)
    ledger = spend(ledger, Spending("suggest", "2026-11", 3.0, DELTA), 7.0)
    with pytest.raises(Spent, match="2026-11"):
        spend(ledger, Spending("suggest", "2026-11", 0.1, DELTA), 7.0)
    with pytest.raises(Spent, match="budget"):
        spend(ledger, Spending("suggest", "2026-12", 3.0, DELTA), 7.0)
    assert len(spend(ledger, Spending("report", "2026-11", 3.0, DELTA), 7.0)) == 3


def test_few_contributors_give_no_model_of_what_people_did():
    assert not enough(1846) and enough(15_000)
