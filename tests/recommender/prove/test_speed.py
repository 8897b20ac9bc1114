"""How long training and one suggestion take on one core, and how much memory."""

import json
import os
import subprocess
import sys

import pytest

from tests.proof import figure, proving
from tests.recommender.prove.books import ONE, books

pytestmark = pytest.mark.skipif(not proving(), reason="measures time: runs in `make prove-recommender`")

PROGRAM = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from recommender.counts import count
from recommender.history import known, parted
from recommender.interactions import load
from recommender.itemmodel import item_model
from recommender.learn import CANDIDATES, learn, rank
from recommender.obvious import outside
from recommender.shelf import shelf
from recommender.signals import candidates, person, table
from recommender.wonder import Balance, Candidates, build, share

data = load(Path(sys.argv[1]))
spent = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
splits, begun = ("train", "valid"), spent()
whole, things = known(data, splits), shelf(data, ())
before, later = parted(whole, data, splits)
ranker = learn(item_model(count(before)), later, before, data.people, things, lambda *_: None)
model = item_model(count(whole))
trained = spent() - begun
fame = np.expm1(model.popularity)

def suggestion(number):
    past = whole.past(number)
    who = person(past, model)
    items = candidates(who, model, things, CANDIDATES)
    scores = rank(ranker, table(who, items, model, things))
    none = np.zeros(len(items), dtype=bool)
    genres = things.genres
    told = Candidates(scores, outside(past, items, fame, things), none, genres[items], share(genres[past.items]))
    return build(told, 20, 2, Balance(0.7, 0.5))

for number in range(100):
    suggestion(number)
taken = []
for number in range(int(sys.argv[2])):
    start = time.thread_time()
    suggestion(number % len(data.people))
    taken.append(time.thread_time() - start)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"trained": trained, "p99": float(np.percentile(taken, 99)) * 1000,
                  "p50": float(np.percentile(taken, 50)) * 1000, "memory": memory}))
"""


def test_training_takes_a_minute_of_one_core_and_a_suggestion_a_blink():
    data, _ = books()
    rounds = 1000
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(data), str(rounds)],
        check=True, capture_output=True, text=True, env=os.environ | ONE,
    )  # fmt: skip
    told = json.loads(done.stdout)
    figure("R7a", round(told["p99"], 2), rounds)
    figure("R7a-p50", round(told["p50"], 2), rounds)
    figure("R7b", round(told["trained"], 1))
    figure("R7-memory", told["memory"])
