"""Learning to rank: what people did later, from the signals of what they did before.

Statistics for training come from rows before the labels, so no signal knows its own answer. A tenth of the people is
held out: where the trees do not beat the best single score on them, that score ranks (small or odd sets).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from recommender.history import History
from recommender.itemmodel import ItemModel
from recommender.rank import Model
from recommender.shelf import Shelf
from recommender.signals import GROUP_OF, NAMES, QUOTAS, candidates, person, table

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]
Tell = Callable[[str, float], None]

CANDIDATES = 300
PEOPLE = 3000
HELD_OUT = 10
KEPT = 0.3
"""Share of the candidates nobody took that the trees see."""
ROUNDS = 250
K = 20
PARAMETERS = {
    "objective": "rank_xendcg",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.6,
    "lambda_l2": 5,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 7,
    "verbose": -1,
}


@dataclass(frozen=True)
class Ranker:
    """Trees over the signals, or where they did not help, the name of the one score to rank by; `card` says how
    many people taught it, and NDCG at 20 on those held out, of the trees and of that score.
    """

    model: Model | None
    score: str
    card: dict[str, Any]


@dataclass(frozen=True)
class Lesson:
    """One person's candidates with their signals, and which of them she took and liked later."""

    number: int
    items: Whole
    signals: NDArray[np.float32]
    label: NDArray[np.int8]
    wanted: int


def learn(model: ItemModel, later: History, shown: History, names: Sequence[str], shelf: Shelf, tell: Tell) -> Ranker:
    """Train on what each person did `later` than the rows in `shown`.

    `model` was made from contributors' rows of before; `shown` are the same rows as far as the people asked keep them
    open. `names` of people decide who is held out.
    """
    people = _chosen(list(shown.people()), names)
    lessons = list(_lessons(people, shown, later, model, shelf, tell))
    taught = [lesson for lesson in lessons if _seed(names[lesson.number]) % HELD_OUT]
    held = [lesson for lesson in lessons if not _seed(names[lesson.number]) % HELD_OUT]
    best = _best_score(lessons)
    if len(taught) < K:
        return Ranker(None, best, {"people": len(taught)})
    booster = _fit(taught, names)
    ours = _quality([(lesson, np.asarray(booster.predict(lesson.signals, num_threads=1))) for lesson in held])
    plain = _quality([(lesson, lesson.signals[:, NAMES.index(best)]) for lesson in held])
    card = {"people": len(taught), "held_out": len(held), "ndcg20": round(ours, 4), f"ndcg20_{best}": round(plain, 4)}
    trees = Model(booster, {}, card, NAMES, GROUP_OF)
    return Ranker(trees if ours >= plain else None, best, card)


def rank(ranker: Ranker, signals: Floats) -> Floats:
    """One score a row; higher is better."""
    if ranker.model is None:
        return np.nan_to_num(signals[:, NAMES.index(ranker.score)])
    return ranker.model.score(signals)


def _chosen(people: list[int], names: Sequence[str]) -> list[int]:
    """At most `PEOPLE`, in an order that depends on their own names only."""
    return sorted(people, key=lambda n: (_seed(names[n]), names[n]))[:PEOPLE]


def _seed(name: str) -> int:
    """A number of a person's own: no draw depends on who else is there."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())


def _lessons(
    people: list[int], before: History, later: History, model: ItemModel, shelf: Shelf, tell: Tell
) -> Iterator[Lesson]:
    liked = later.rows(later.liked())
    liked = liked if len(liked.user) else later
    for n, number in enumerate(people):
        tell("learning", n / len(people))
        wanted = liked.past(number).items
        if not len(wanted):
            continue
        who = person(before.past(number), model)
        items = candidates(who, model, shelf, CANDIDATES)
        label = np.isin(items, wanted).astype(np.int8)
        if label.any():
            yield Lesson(number, items, table(who, items, model, shelf).astype(np.float32), label, len(wanted))


def _fit(lessons: list[Lesson], names: Sequence[str]) -> lightgbm.Booster:
    kept = [_kept(lesson, names) for lesson in lessons]
    data = lightgbm.Dataset(
        np.vstack([lesson.signals[k] for lesson, k in zip(lessons, kept, strict=True)]),
        np.concatenate([lesson.label[k] for lesson, k in zip(lessons, kept, strict=True)]),
        group=[int(k.sum()) for k in kept],
        feature_name=list(NAMES),
    )
    return lightgbm.train(PARAMETERS, data, ROUNDS)


def _kept(lesson: Lesson, names: Sequence[str]) -> Mask:
    """All she took and a sample of the rest, drawn from a seed of her own."""
    drawn = np.random.default_rng(_seed(names[lesson.number])).random(len(lesson.items)) < KEPT
    return np.asarray((lesson.label > 0) | drawn)


def _best_score(lessons: list[Lesson]) -> str:
    columns = {name: NAMES.index(name) for name in (*QUOTAS, "log_popularity")}
    found = {
        name: _quality([(lesson, lesson.signals[:, column]) for lesson in lessons])
        for name, column in columns.items()
        if lessons and not np.isnan(lessons[0].signals[:, column]).all()
    }
    return max(found, key=lambda name: found[name], default="log_popularity")


def _quality(ranked: list[tuple[Lesson, NDArray[Any]]]) -> float:
    """Mean NDCG at 20 of lessons ranked by scores."""
    discount = 1 / np.log2(np.arange(2, K + 2))
    found = []
    for lesson, scores in ranked:
        hits = lesson.label[np.argsort(-np.nan_to_num(scores), kind="stable")[:K]]
        found.append(float(hits @ discount[: len(hits)]) / discount[: min(K, lesson.wanted)].sum())
    return float(np.mean(found)) if found else 0.0
