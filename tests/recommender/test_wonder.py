"""The list builder: a list without repeats, leaps as the dial says and never side by side, variety without noise."""

from itertools import pairwise

import numpy as np
import pytest

from recommender.wonder import BRIDGE, LEAP, SURE, Balance, Candidates, build, share, slots

PLAIN = Balance()


def some(rng: np.random.Generator, count: int, genres: int = 6) -> Candidates:
    traits = rng.random((count, genres)) * (rng.random((count, genres)) < 0.4)
    taste = rng.random(genres)
    masks = (rng.random(count) < 0.3, rng.random(count) < 0.2)
    return Candidates(rng.normal(size=count), *masks, traits, taste / taste.sum() if genres else taste)


@pytest.mark.parametrize("dial", range(4))
@pytest.mark.parametrize("seed", range(25))
def test_a_list_is_a_permutation_with_no_two_leaps_in_a_row(seed, dial):
    rng = np.random.default_rng(seed)
    told = some(rng, int(rng.integers(0, 80)), int(rng.integers(0, 8)))
    count = int(rng.integers(0, 60))
    places = build(told, count, dial, Balance(*rng.random(2) * (rng.random(2) < 0.7)))
    assert len(places) == min(count, len(told.scores))
    assert len({p.candidate for p in places}) == len(places)
    leaps = [n for n, p in enumerate(places) if p.slot == LEAP]
    assert all(b - a > 1 for a, b in pairwise(leaps))
    assert all(told.outside[places[n].candidate] for n in leaps)
    assert all(told.scores[places[n].candidate] >= np.median(told.scores) for n in leaps)
    assert all(told.bridges[p.candidate] for p in places if p.slot == BRIDGE)
    for start in range(0, len(places), 10):
        assert sum(p.slot == LEAP for p in places[start : start + 10]) <= dial


def test_dial_0_has_no_leaps_and_without_balance_is_the_order_of_the_scores():
    told = some(np.random.default_rng(1), 50)
    places = build(told, 50, 0, PLAIN)
    assert {p.slot for p in places} == {SURE}
    assert [p.candidate for p in places] == np.argsort(-told.scores, kind="stable").tolist()


@pytest.mark.parametrize("dial", range(4))
def test_the_dial_gives_that_many_leaps_in_every_ten_places(dial):
    planned = slots(30, dial)
    assert [planned[n : n + 10].count(LEAP) for n in (0, 10, 20)] == [dial] * 3
    assert LEAP not in {planned[0], planned[9]}
    with pytest.raises(ValueError, match="dial"):
        slots(10, 4)


def test_a_leap_below_the_floor_is_not_taken():
    outside = np.arange(20) >= 15
    told = Candidates(-np.arange(20.0), outside, np.zeros(20, dtype=bool), np.zeros((20, 0)), np.zeros(0))
    assert {p.slot for p in build(told, 10, 3, PLAIN)} == {SURE}


def test_diversity_puts_things_unlike_each_other_first_and_calibration_follows_her_own_mix():
    traits = np.repeat(np.eye(2), 10, axis=0)
    scores = np.concatenate([np.full(10, 1.0), np.full(10, 0.9)]) - np.arange(20) * 1e-3
    none = np.zeros(20, dtype=bool)
    taste = share(np.eye(2)[[0, 0, 0, 1]])

    def of_the_second(balance: Balance) -> int:
        told = Candidates(scores, none, none, traits, taste)
        return sum(traits[p.candidate, 1] > 0 for p in build(told, 8, 0, balance))

    assert of_the_second(PLAIN) == 0
    assert 0 < of_the_second(Balance(diversity=1.0)) < of_the_second(Balance(diversity=20.0))
    assert 0 < of_the_second(Balance(calibration=20.0)) < 4
