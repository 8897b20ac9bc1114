"""Training on the generator's simulated citizens, measured on citizens held back, against popularity."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import blake2b
from time import process_time

import lightgbm
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from recommender import generator
from recommender.additive import total
from recommender.catalogue import BOOK, Catalogue, book_entry, work_entry
from recommender.features import COLUMNS, MONOTONE, NAMES, PUBLIC, features
from recommender.kin import Kin
from recommender.profile import INTERESTS, LOANS, POSTAL, TICKETS, Profile, profile
from recommender.rank import Model
from recommender.sources.uitdatabank import read as read_events

Matrix = NDArray[np.float64]
K = 20
ROUNDS = 160
SAMPLED = 150
DROPOUT = 0.15
FORGOTTEN = 0.1
PARAMETERS = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 30,
    "learning_rate": 0.08,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.8,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


@dataclass(frozen=True)
class Case:
    """One citizen: what is known of her, and the entries she chose afterwards."""

    name: str
    known: Profile
    later: frozenset[int]


@dataclass(frozen=True)
class Trained:
    """The model and its figures: NDCG@20 over the whole catalogue on held-back citizens, CPU seconds of training."""

    model: Model
    ndcg: float
    popularity_ndcg: float
    seconds: float

    @property
    def gain(self) -> float:
        """How much better than popularity; .3 is 30 %."""
        return self.ndcg / self.popularity_ndcg - 1


def train(now: datetime, rng: Generator, people: int = 500, held_back: float = 0.2) -> Trained:
    """Train on simulated citizens. The same `rng` state and `now` give the same model, bit for bit.

    The model learns with the popularity of books only: events are new every day, so nobody has met them yet.
    Plain popularity, which it is measured against, may know both.
    """
    begun = process_time()
    town = generator.city(now, rng)
    catalogue = city_catalogue(town)
    cases = [simulated(c, town, catalogue) for c in generator.population(people, rng, town, now)]
    cut = int(people * (1 - held_back))
    counts = _popularity(cases[:cut], catalogue)
    popularity = {e.id: counts[e.id] for e in catalogue.entries if e.medium == BOOK}
    booster = fit(cases[:cut], catalogue, popularity, now.date())
    model = Model(booster, popularity, {"trained": now.isoformat(), "people": cut, "data": "simulated"})
    seconds = process_time() - begun
    ndcg, plain = measure(model, cases[cut:], catalogue, counts, now.date())
    card = {**model.card, "ndcg20": round(ndcg, 4), "popularity_ndcg20": round(plain, 4), "cpu_seconds": round(seconds)}
    return Trained(Model(booster, popularity, card), ndcg, plain, seconds)


def city_catalogue(town: generator.City) -> Catalogue:
    """The city's books, works and events as a catalogue, the events through the same import as real ones."""
    shelf = Catalogue([*map(book_entry, town.books), *map(work_entry, town.works)])
    return shelf.with_events(item.body for item in read_events(list(town.events)).records)


def simulated(citizen: generator.Citizen, town: generator.City, catalogue: Catalogue) -> Case:
    """The first four fifths of loans and tickets are known; the rest, and what she saw in museums, came later."""
    loans = [{"@id": loan.book.id, "schema:name": loan.book.title, "schema:author": loan.book.author}
             for loan in citizen.loans]  # fmt: skip
    tickets = [t | {"@id": t["kluis:event"]} for t in generator.tickets(citizen, town)]
    interests = [i | {"@id": i["schema:name"]} for i in generator.interests(citizen)]
    here = [{"kluis:value": citizen.district}]
    whole = profile({LOANS: loans, INTERESTS: interests, TICKETS: tickets, POSTAL: here}, catalogue)
    known = replace(whole, traces={c: t if c == INTERESTS else t[: len(t) * 4 // 5] for c, t in whole.traces.items()})
    met = frozenset(catalogue.index[work] for work in citizen.works)
    return Case(f"citizen {citizen.number}", known, (whole.owned - known.owned) | met)


def _popularity(cases: Sequence[Case], catalogue: Catalogue) -> dict[str, float]:
    counts = Counter(n for case in cases for n in case.known.owned)
    return {entry.id: float(counts[n]) for n, entry in enumerate(catalogue.entries)}


def fit(
    cases: Sequence[Case], catalogue: Catalogue, popularity: Mapping[str, float], today: date, kin: Kin | None = None
) -> lightgbm.Booster:
    """Trees from cases, each of which looks into one consent category at most (so they can be taken apart).

    Every draw comes from a citizen's own name: who else is there changes nothing of what is drawn for her.
    """
    tables, labels = [], []
    for case in cases:
        rng = np.random.default_rng(int.from_bytes(blake2b(case.name.encode(), digest_size=8).digest()))
        rows, label = _sample(case, len(catalogue.entries), rng)
        tables.append(_dropped(features(case.known, catalogue, rows, popularity, today, kin), rng))
        labels.append(label)
    group = [len(label) for label in labels]
    data = lightgbm.Dataset(np.vstack(tables), np.concatenate(labels), group=group, feature_name=_plain_names())
    alone = [list(range(c.start, c.stop)) for c in COLUMNS.values()]
    rules = {"seed": 7, "monotone_constraints": list(MONOTONE), "interaction_constraints": alone}
    return lightgbm.train(PARAMETERS | rules, data, ROUNDS)


def _plain_names() -> list[str]:
    """Feature names without the colons that LightGBM's text format does not take."""
    return [name.replace(":", ".") for name in NAMES]


def _sample(case: Case, size: int, rng: Generator) -> tuple[list[int], Matrix]:
    """What came later, and a sample of what did not, as rows with labels 1 and 0."""
    rest = np.array([n for n in range(size) if n not in case.later and n not in case.known.owned])
    rows = sorted([*case.later, *(int(n) for n in rng.choice(rest, min(SAMPLED, len(rest)), replace=False))])
    return rows, np.array([float(n in case.later) for n in rows])


def _dropped(table: Matrix, rng: Generator) -> Matrix:
    """Close each category now and then, and forget popularity of a tenth of the books, so the model knows both."""
    for group, columns in COLUMNS.items():
        if group != PUBLIC and rng.random() < DROPOUT:
            table[:, columns] = np.nan
    table[rng.random(len(table)) < FORGOTTEN, NAMES.index("log_popularity")] = np.nan
    return table


def measure(
    model: Model, cases: Sequence[Case], catalogue: Catalogue, counts: Mapping[str, float], today: date
) -> tuple[float, float]:
    """Mean NDCG@20 of the model and of popularity, over the whole catalogue without what is already hers."""
    ours, plain = [], []
    for case in cases:
        rows = [n for n in range(len(catalogue.entries)) if n not in case.known.owned]
        relevant = np.array([n in case.later for n in rows])
        table = features(case.known, catalogue, rows, model.popularity, today, model.kin)
        score = total(model.trees.parts(table))
        popular = np.array([counts[catalogue.entries[n].id] for n in rows])
        ours.append(ndcg(relevant[np.argsort(-score, kind="stable")]))
        plain.append(ndcg(relevant[np.argsort(-popular, kind="stable")]))
    return float(np.mean(ours)), float(np.mean(plain))


def ndcg(relevant: NDArray[np.bool_], k: int = K) -> float:
    """NDCG at `k` of one ranked list of hits and misses; 0 where nothing is relevant."""
    discount = 1 / np.log2(np.arange(2, k + 2))
    best = discount[: min(k, int(relevant.sum()))].sum()
    return float((relevant[:k] * discount[: len(relevant[:k])]).sum() / best) if best else 0.0
