"""Suggestions in a citizen's life: true reasons, no bubble, nobody's data for a fresh account, and fast enough."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from recommender import generator
from recommender.catalogue import BOOK
from recommender.profile import LOANS, profile
from recommender.release import Terms, release
from recommender.simulate import across, live
from recommender.suggest import suggest
from recommender.train import simulated
from recommender.wishes import Wishes
from recommender.wonder import LEAP
from tests.proof import figure, proving, rounds
from tests.recommender.conftest import NOW
from tests.recommender.prove.books import ONE
from tests.recommender.test_agent import House
from tests.recommender.test_release import giving, text
from tests.recommender.test_suggest import rank_of

TODAY = NOW.date()


def people(small, count):
    return generator.population(count, np.random.default_rng(77), small.town, NOW)


def test_without_what_the_first_reason_names_a_suggestion_falls(small):
    fell = list[bool]()
    for citizen in people(small, rounds(3, "RO5")):
        known = simulated(citizen, small.town, small.catalogue).known
        for one in suggest(known, small.catalogue, small.model, 12, TODAY):
            for reason in one.reasons[:1]:
                named = (reason.evidence.id, *(t.id for t in reason.also))
                fell.append(rank_of(small, known.without(*named), one.item.id) > one.rank)
    figure("RO5", round(float(np.mean(fell)), 4), rounds(3, "RO5"))
    assert np.mean(fell) >= 0.95


def test_a_narrow_citizen_sees_no_narrower_a_list_after_fifty_rounds(small):
    """Least squares over the rounds: how many bits a round the subjects of a list gain (simulated)."""
    count, slopes, media = rounds(5, "RO4"), list[float](), list[float]()
    for topic in ("thriller", "kinderen", "oorlog"):
        heart = [e for e in small.catalogue.entries if e.medium == BOOK and topic in e.topics][:3]
        start = profile({LOANS: [{"@id": e.id, "schema:name": e.title} for e in heart]}, small.catalogue)
        found = live(start, small.catalogue, small.model, TODAY, Wishes(dial=1), count)
        slopes.append(float(np.polyfit(range(len(found)), [r.subjects for r in found], 1)[0]))
        media.append(min(r.media for r in found))
    figure("RO4", round(min(slopes), 4), count)
    figure("RO4-media", round(min(media), 3), count)
    assert min(media) > 0
    assert count < 50 or min(slopes) >= 0


def test_books_alone_say_what_to_go_out_to_in_the_simulation(small):
    cases = [simulated(citizen, small.town, small.catalogue) for citizen in people(small, rounds(6, "RO9"))]
    ours, chance = across(small.model, cases, small.catalogue, TODAY)
    figure("RO9", round(ours / chance, 2), len(cases))
    assert ours > chance


def test_leaps_come_and_each_six_is_mixed(small):
    unmixed, leaps, count = 0, 0, rounds(4, "RO6")
    for citizen in people(small, count):
        known = simulated(citizen, small.town, small.catalogue).known
        found = suggest(known, small.catalogue, small.model, 12, TODAY, Wishes(dial=2))
        leaps += any(s.slot == LEAP for s in found)
        for six in (found[:6], found[6:]):
            unmixed += len({s.medium for s in six}) < 2 or len({s.item.institution for s in six}) < 2
    figure("RO6", unmixed, count)
    figure("RO6-leaps", round(leaps / count, 3), count)
    assert unmixed == 0 and leaps


def test_withdrawing_gives_the_city_model_of_never_having_given(small):
    rng, differences, cases = np.random.default_rng(2), 0, rounds(1, "RO3")
    given, terms = giving(small, 40), Terms(b"s" * 32, fewest=30)
    for _ in range(cases):
        gone = f"pod{int(rng.integers(40))}"
        left = {pod: records for pod, records in given.items() if pod != gone}
        never = {pod: left[pod] for pod in rng.permutation(list(left)).tolist()}
        after, _ = release(left, small.catalogue, small.model, (), terms, NOW)
        world, _ = release(never, small.catalogue, small.model, (), terms, NOW)
        differences += text(after) != text(world)
    figure("RO3", differences, cases)
    assert differences == 0


async def test_a_fresh_account_has_nothing_read_and_nothing_suggested(small, tmp_path):
    house = House(tmp_path / "recommender", small)
    told = [await house.ask(ask=what, pod="an", k=12) for what in ("suggest", "dna")]
    reads = sum("/api/" in seen or "/pods/" in seen for seen in house.vault.seen)
    figure("RO7", reads + sum("suggestions" in one for one in told))
    assert reads == 0 and all(one.get("refused") for one in told)


PROGRAM = """
import json, resource, sys, time
from datetime import UTC, datetime
import numpy as np
from recommender import generator
from recommender.suggest import suggest
from recommender.train import city_catalogue, simulated, train
from recommender.wishes import Wishes
now = datetime(2026, 11, 21, 10, tzinfo=UTC)
model = train(now, np.random.default_rng(1), 500).model
town = generator.city(now, np.random.default_rng(1))
catalogue = city_catalogue(town)
cases = [simulated(c, town, catalogue) for c in generator.population(50, np.random.default_rng(9), town, now)]
def one(n):
    known = cases[n % 50].known
    known.__dict__.pop("spelling", None)
    return suggest(known, catalogue, model, 12, now.date(), Wishes(dial=n % 4))
for n in range(50):
    one(n)
taken = []
for n in range(int(sys.argv[1])):
    start = time.thread_time()
    one(n)
    taken.append((time.thread_time() - start) * 1000)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"p50": float(np.percentile(taken, 50)), "p99": float(np.percentile(taken, 99)), "memory": memory}))
"""


@pytest.mark.skipif(not proving(), reason="measures time: runs in `make prove-recommender`")
def test_a_suggestion_with_its_reasons_takes_a_blink():
    count = rounds(1, "RO8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(count)], check=True, capture_output=True, text=True, env=os.environ | ONE
    )
    told = json.loads(done.stdout)
    figure("RO8", round(told["p99"], 2), count)
    figure("RO8-p50", round(told["p50"], 2), count)
    figure("RO8-memory", told["memory"])
