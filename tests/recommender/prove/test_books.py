"""What the ranker is worth on the set `books`, judged from outside, against a bar that is hard to beat."""

import pytest

from tests.proof import figure, proving
from tests.recommender.prove.books import Judged, judged

pytestmark = pytest.mark.skipif(not proving(), reason="minutes of training: runs in `make prove-recommender`")

BARE = [part for kind in ("ratings", "times", "makers", "years", "genres") for part in ("--close", kind)]
PRINTED = {"recall": 0.1341, "ndcg10": 0.1330, "ndcg20": 0.1366}


@pytest.fixture(scope="module")
def bar(tmp_path_factory) -> Judged:
    return judged(tmp_path_factory.mktemp("bar"), "--model", "bar")


def told(name: str, ours: Judged, bar: Judged, column: str = "ndcg20") -> float:
    """Write down how far above the bar, with the lower end of the paired interval."""
    gap, half = ours.above(bar, column)
    figure(f"{name}-gap", round(gap, 4))
    figure(f"{name}-gap-low", round(gap - half, 4))
    return gap - half


def test_the_bar_is_the_printed_one(bar):
    off = max(abs(bar.means[name] - value) for name, value in PRINTED.items())
    figure("R0", round(off, 4))
    assert off <= 0.002


def test_lists_beat_the_bar_and_are_varied_and_like_her_own_mix(bar, tmp_path):
    ours = judged(tmp_path)
    for name, column in (("R1", "ndcg20"), ("R3a", "ser"), ("R3b", "kl"), ("R3c", "ild")):
        figure(name, ours.means[column])
    figure("R1-serge", ours.means["serge"])
    assert told("R1", ours, bar) > 0


def test_with_leaps_the_lists_still_beat_the_bar_and_find_more_outside_the_obvious(bar, tmp_path):
    ours = judged(tmp_path, "--dial", "2")
    for name, column in (("R2a", "ndcg20"), ("R2b", "serge"), ("R2c", "ser"), ("R2d", "kl"), ("R2e", "ild")):
        figure(name, ours.means[column])
    assert told("R2a", ours, bar) > 0
    assert told("R2b", ours, bar, "serge") > 0 or ours.means["serge"] >= 0.062


def test_new_items_are_ranked_by_their_wording(tmp_path):
    figure("R4", judged(tmp_path, protocol="cold").means["ndcg20"])


def test_bare_loans_are_enough_for_a_good_list(tmp_path):
    figure("R5", judged(tmp_path, *BARE).means["ndcg20"])


def test_who_contributes_nothing_gets_lists_as_good_and_noise_costs_little(tmp_path):
    plain, noisy, bar = (tmp_path / name for name in ("plain", "noisy", "bar"))
    for folder in (plain, noisy, bar):
        folder.mkdir()
    ours = judged(plain, protocol="strong")
    figure("R1-strong", ours.means["ndcg20"])
    assert told("R1-strong", ours, judged(bar, "--model", "bar", protocol="strong")) > 0
    private = judged(noisy, "--epsilon", "3", protocol="strong")
    figure("R6", round(100 * (1 - private.means["ndcg20"] / ours.means["ndcg20"]), 2))


def test_without_the_last_rows_of_a_burst_the_bar_is_still_beaten(tmp_path):
    ours, bar = tmp_path / "ours", tmp_path / "bar"
    ours.mkdir()
    bar.mkdir()
    hidden = judged(ours, "--hide", "5")
    figure("R1-hidden", hidden.means["ndcg20"])
    assert told("R1-hidden", hidden, judged(bar, "--hide", "5", "--model", "bar")) > 0
