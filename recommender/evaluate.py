"""Ranked lists for an outside judge: read an interaction set, rank by a protocol, write a line per person.

*weak*: statistics and trees from everybody. *strong*: from contributors only; people who contribute nothing are
folded in with their own history. *cold*: items nobody has met, ranked by their wording alone.
A closed category is closed by the people who are asked: their rows lack it, and the trees are taught on rows that
lack it too; what contributors gave to the public item model stays. Test rows are never read here.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recommender import bar, cold
from recommender.counts import count
from recommender.errors import BadData
from recommender.history import History, Past, known, parted
from recommender.interactions import Interactions, load, most_met
from recommender.itemmodel import ItemModel, item_model
from recommender.learn import CANDIDATES, Ranker, Tell, learn, rank
from recommender.obvious import outside
from recommender.privacy import private_counts
from recommender.shelf import Shelf, shelf
from recommender.signals import candidates, person, table
from recommender.wonder import Balance, Candidates, build, share

PROTOCOLS = ("weak", "strong", "cold")
CLOSABLE = ("ratings", "times", "makers", "years", "genres")
MODELS = ("ranker", "bar")
LENGTH = 50
LIMIT = 6000
"""Items that take part in the statistics: the most met ones. Memory grows with its square (60 bytes a pair)."""
AS_IF = 110_000
"""Contributors whose noise a study of fewer people has (libraries of a province)."""
MOST_EPSILON = 100.0
BALANCES = (Balance(0.5, 0.0), Balance(0.6, 0.25), Balance(0.7, 0.5), Balance(0.7, 0.5))
"""What the list builder weighs at each place of the dial; chosen on validation rows."""

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Scored = tuple[Whole, Floats]


@dataclass(frozen=True)
class Asked:
    """What to make lists from: `model` ranker or bar, the dial (0 to 3 leaps in ten), what is closed, which splits are
    known, how many of each person's newest rows to hide (0 = none): a burst of shelving tells much of the next; and
    the epsilon of the item model's privacy (0 = none), its noise as small beside the counts as with `AS_IF` people.
    """

    protocol: str = "weak"
    close: frozenset[str] = frozenset()
    splits: tuple[str, ...] = ("train", "valid")
    model: str = "ranker"
    dial: int = 0
    hide: int = 0
    epsilon: float = 0.0


def evaluate(folder: Path, out: Path, asked: Asked, tell: Tell = lambda *_: None) -> int:
    """Write `u,i` lists (best first, `LENGTH` items) to `out`; returns how many people got one.

    `tell(stage, part)` is called now and then with the part (0 to 1) of a stage that is done. Raises BadData.
    """
    _sound(asked)
    tell("reading", 0.0)
    data = load(folder)
    if asked.protocol != "cold":
        data = most_met(data, asked.splits, LIMIT)
    ranking = _ranking(data, asked, tell)
    people = list(range(len(data.people)))
    if asked.protocol == "strong":
        people = np.flatnonzero(data.role == "strong_test").tolist()
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for n, number in enumerate(people):
            tell("lists", n / len(people))
            writer.writerow([data.people[number], " ".join(data.items[i] for i in ranking(number))])
    tell("lists", 1.0)
    return len(people)


def _sound(asked: Asked) -> None:
    if asked.protocol not in PROTOCOLS:
        raise BadData(f"unknown protocol {asked.protocol!r}")
    if asked.model not in MODELS:
        raise BadData(f"unknown model {asked.model!r}")
    for closed in sorted(asked.close - set(CLOSABLE)):
        raise BadData(f"cannot close {closed!r}")
    if asked.dial not in range(len(BALANCES)):
        raise BadData(f"the dial goes from 0 to {len(BALANCES) - 1}")
    if not 0 <= asked.epsilon <= MOST_EPSILON:
        raise BadData(f"epsilon: more than 0, at most {MOST_EPSILON:g}, or 0 for no noise")
    if asked.hide < 0:
        raise BadData("rows to hide: 0 or more")


def _needs(data: Interactions, *columns: str) -> None:
    missing = [c for c in columns if c not in data.columns]
    if missing:
        raise BadData(f"this protocol needs the column {missing[0]!r}, which the data set has not")


def _ranking(data: Interactions, asked: Asked, tell: Tell) -> Callable[[int], Iterator[int]]:
    """Of a person: her list, best first."""
    whole = known(data, asked.splits)
    given = whole
    if asked.protocol == "strong":
        _needs(data, "role")
        given = whole.of(data.role == "contributor")
    if asked.protocol == "cold":
        _needs(data, "cold", "title")
        given = whole.rows(~data.cold[whole.item])
    if not len(given.user):
        raise BadData("nobody has given any rows to learn from")
    lists = _Lists(data, asked, whole, given)
    scored = _cold(data, asked) if asked.protocol == "cold" else _warm(data, asked, lists, tell)
    return lambda number: lists.list(number, scored(lists.shown.past(number), lists.met(number)))


class _Lists:
    """What every protocol's lists share: what she has met, what she shows, and how a list is built from scores."""

    def __init__(self, data: Interactions, asked: Asked, whole: History, given: History) -> None:
        self._whole, self.given, self._asked = whole, given, asked
        self.shelf: Shelf = shelf(data, asked.close)
        shown = whole.rows(~whole.last(asked.hide)) if asked.hide else whole
        if asked.protocol == "cold":
            shown = shown.rows(~data.cold[shown.item])
        self.shown = shown.closed(asked.close)
        self.fame = np.bincount(given.item, minlength=given.width).astype(float)

    def met(self, number: int) -> Whole:
        return self._whole.past(number).items

    def list(self, number: int, scored: Scored) -> Iterator[int]:
        items, scores = scored
        if self._asked.model == "bar":
            order = np.argsort(-scores, kind="stable")[:LENGTH]
            yield from (int(n) for n in items[order])
            return
        past = self.shown.past(number)
        genres = self.shelf.genres
        told = Candidates(
            scores=scores,
            outside=outside(past, items, self.fame, self.shelf),
            bridges=np.zeros(len(items), dtype=bool),
            traits=genres[items] if len(past.items) else genres[items][:, :0],
            taste=share(genres[past.items]),
        )
        for place in build(told, LENGTH, self._asked.dial, BALANCES[self._asked.dial]):
            yield int(items[place.candidate])


def _cold(data: Interactions, asked: Asked) -> Callable[[Past, Whole], Scored]:
    makers = [""] * len(data.items) if "makers" in asked.close else [m.split(",")[0] for m in data.makers]
    alike, new = cold.likeness(list(data.titles), makers), np.flatnonzero(data.cold)

    def scored(past: Past, met: Whole) -> Scored:
        items = new[~np.isin(new, met)]
        return items, cold.cold_scores(past, alike)[items]

    return scored


def _warm(data: Interactions, asked: Asked, lists: _Lists, tell: Tell) -> Callable[[Past, Whole], Scored]:
    if asked.model == "bar":
        tell("adding up", 0.0)
        weights = bar.bar_weights(lists.given)
        fame = 1e-9 * lists.fame
        return lambda past, met: _open(np.arange(len(fame)), bar.bar_scores(past, weights) + fame, met)
    before, later = parted(lists.given, data, asked.splits)
    tell("adding up", 0.0)
    ranker = learn(_model(before, asked), later, before.closed(asked.close), data.people, lists.shelf, tell)
    tell("adding up", 0.5)
    model = _model(lists.given, asked)
    return lambda past, met: _ranked(past, met, model, ranker, lists.shelf)


def _model(history: History, asked: Asked) -> ItemModel:
    if not asked.epsilon:
        return item_model(count(history))
    people = len(list(history.people()))
    noise = np.random.default_rng(people)  # a study: a release draws its noise from secret randomness
    return item_model(private_counts(history, asked.epsilon, noise, scale=people / AS_IF))


def _ranked(past: Past, met: Whole, model: ItemModel, ranker: Ranker, known_items: Shelf) -> Scored:
    """The candidates of one past with their scores; somebody without a past gets what most people have met."""
    who = person(past, model)
    items = candidates(who, model, known_items, CANDIDATES + len(met) - len(past.items))
    if not len(past.items):
        return _open(items, model.popularity[items], met)
    items = items[~np.isin(items, met)]
    return items, rank(ranker, table(who, items, model, known_items))


def _open(items: Whole, scores: Floats, met: Whole) -> Scored:
    free = ~np.isin(items, met)
    return items[free], scores[free]
