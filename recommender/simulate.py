"""Made-up citizens living with their suggestions: does a narrow taste stay narrow? Every figure is *simulated*."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from recommender.catalogue import BOOK, Catalogue, Entry
from recommender.profile import LOANS, Profile, Trace
from recommender.rank import Model
from recommender.suggest import Suggestion, suggest
from recommender.taste import entropy
from recommender.train import Case, ndcg
from recommender.wishes import Wishes

OPENED, SHUFFLED = 2, 100
"""How much of a list she opens: what is nearest to her narrow taste."""

OUT = Wishes(media=frozenset({BOOK}), dial=0)
"""Going out alone: no books."""


@dataclass(frozen=True)
class Round:
    """How wide one list was, in bits, over subjects and over media, and what she opened of it."""

    subjects: float
    media: float
    opened: tuple[str, ...]


def live(
    start: Profile, catalogue: Catalogue, model: Model, today: date, wishes: Wishes, count: int, k: int = 12
) -> list[Round]:
    """`count` rounds of a narrow citizen: she opens what is most like what she had first, and has it from then on."""
    known, heart, rounds = start, start.vectors.sum(axis=0), list[Round]()
    for _ in range(count):
        found = suggest(known, catalogue, model, k, today, wishes)
        if not found:
            break
        picked = sorted(found, key=lambda s: (-float(catalogue.vector(s.item.topics) @ heart), s.item.id))[:OPENED]
        rounds.append(_round(found, picked))
        hers = (*known.traces.get(LOANS, ()), *(_taken(s.item, catalogue) for s in picked))
        known = replace(known, traces={**known.traces, LOANS: hers})
    return rounds


def _round(found: list[Suggestion], picked: list[Suggestion]) -> Round:
    subjects = entropy([topic for s in found for topic in s.item.topics])
    return Round(subjects, entropy([s.medium for s in found]), tuple(s.item.id for s in picked))


def _taken(entry: Entry, catalogue: Catalogue) -> Trace:
    place, vector = catalogue.index[entry.id], catalogue.vector(entry.topics)
    return Trace(entry.id, entry.title, entry.topics, entry.maker, place, vector, catalogue.number(entry.maker))


def across(model: Model, cases: list[Case], catalogue: Catalogue, today: date) -> tuple[float, float]:
    """Mean NDCG@20 of events and works for citizens of whom only loans are known, and that of chance: what books say
    of going out.
    """
    ours, chance = [], []
    rng = np.random.default_rng(0)
    for case in cases:
        known = replace(case.known, traces={LOANS: case.known.traces[LOANS]}, district=None)
        later = {n for n in case.later if catalogue.entries[n].medium != BOOK}
        found = suggest(
            known, catalogue, model, len(catalogue.entries), today, Wishes(media=frozenset({"book"}), dial=0)
        )
        relevant = np.array([catalogue.index[s.item.id] in later for s in found])
        ours.append(ndcg(relevant))
        chance += [ndcg(rng.permutation(relevant)) for _ in range(SHUFFLED)]
    return float(np.mean(ours)), float(np.mean(chance))
