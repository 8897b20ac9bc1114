"""Nobody who did not contribute is in the model, and who did is hard to tell from who did not."""

import numpy as np
import pytest

from recommender.counts import Counts, count
from recommender.history import History, known
from recommender.interactions import load
from recommender.itemmodel import item_model
from recommender.learn import CANDIDATES, learn, rank
from recommender.privacy import private_counts
from recommender.shelf import Shelf
from recommender.signals import candidates, person, table
from tests.proof import figure, proving, rounds
from tests.recommender.prove.books import books

PLANTED = 100


def town(rng: np.random.Generator, people: int, items: int) -> tuple[History, Shelf, np.ndarray]:
    """Readers of two circles; the last fifth contributes nothing."""
    own = [np.flatnonzero(np.arange(items) % 2 == u % 2) for u in range(people)]
    rows = [rng.choice(own[u], 24, replace=False) for u in range(people)]
    user, item = np.repeat(np.arange(people), 24), np.concatenate(rows)
    starts = np.arange(people + 1) * 24
    history = History(user, item, rng.integers(1, 6, len(user)).astype(float), True, starts, items)
    blank = np.full(items, -1)
    shelf = Shelf(blank, blank, np.full(items, np.nan), np.full(items, np.nan), np.zeros((items, 0)))
    return history, shelf, np.arange(people) < people * 4 // 5


def planted(history: History, giving: np.ndarray, rng: np.random.Generator) -> tuple[History, list[tuple[int, int]]]:
    """Pairs that no contributor has together, put in the histories of people who give nothing."""
    given = history.of(giving)
    rows = given.matrix(np.ones(len(given.user)))
    together = (rows.T @ rows).toarray()
    pairs = [tuple(int(n) for n in pair) for pair in np.argwhere(np.triu(together == 0, 1))]
    chosen = [pairs[n] for n in rng.choice(len(pairs), PLANTED, replace=False)]
    quiet = np.flatnonzero(~giving)
    item = history.item.copy()
    for n, pair in enumerate(chosen):
        start = history.starts[quiet[n % len(quiet)]] + 2 * (n // len(quiet))
        item[start : start + 2] = pair
    return History(history.user, item, history.stars, True, history.starts, history.width), chosen


def released(history: History, giving: np.ndarray, shelf: Shelf) -> tuple[bytes, list[bytes]]:
    """The bytes of everything a release holds, and the lists of the contributors."""
    given = history.of(giving)
    later = given.newest(0.2)
    before = given.rows(~later)
    names = [str(n) for n in range(len(history.starts) - 1)]
    ranker = learn(item_model(count(before)), given.rows(later), before, names, shelf, lambda *_: None)
    model = item_model(count(given))
    trees = ranker.model.booster.model_to_string() if ranker.model else ranker.score
    told = b"".join(np.asarray(table).tobytes() for table in vars(model).values()) + trees.encode()
    lists = []
    for number in np.flatnonzero(giving):
        who = person(given.past(int(number)), model)
        items = candidates(who, model, shelf, CANDIDATES)
        order = np.argsort(-rank(ranker, table(who, items, model, shelf)), kind="stable")
        lists.append(items[order].tobytes())
    return told, lists


def test_planted_co_loans_of_people_who_give_nothing_are_nowhere():
    rng = np.random.default_rng(5)
    history, shelf, giving = town(rng, 120, 160)
    changed, pairs = planted(history, giving, rng)
    told, lists = released(history, giving, shelf)
    again, after = released(changed, giving, shelf)
    model = item_model(count(changed.of(giving)))
    found = sum(model.walk[a, b] != 0 or model.walk[b, a] != 0 for a, b in pairs)
    found += PLANTED * (told != again) + sum(a != b for a, b in zip(lists, after, strict=True))
    assert item_model(count(changed)).walk[pairs[0]] != 0  # had they given, the pair would be there
    figure("R9a", int(found), PLANTED)
    assert found == 0


def test_withdrawing_gives_the_release_of_never_having_given():
    rng, differences, cases = np.random.default_rng(6), 0, rounds(2, "R10")
    for _ in range(cases):
        history, shelf, giving = town(rng, 60, 80)
        gone = giving & (np.arange(60) != int(rng.integers(0, 40)))
        never = history.of(gone)
        differences += released(history, gone, shelf) != released(never, gone, shelf)
        differences += released(history, giving, shelf)[0] == released(never, gone, shelf)[0]
    figure("R10", differences, cases)
    assert differences == 0


@pytest.mark.skipif(not proving(), reason="a model of the whole set: runs in `make prove-recommender`")
def test_who_contributed_is_hard_to_tell():
    """The attack: how well the released pairs of a person's own rows explain each other, members against others."""
    data, _ = books()
    loaded = load(data)
    whole = known(loaded, ("train", "valid"))
    giving = loaded.role == "contributor"
    given = whole.of(giving)
    plain = _auc(whole, giving, count(given))
    noisy = _auc(whole, giving, private_counts(given, 3.0, np.random.default_rng(9)))
    figure("R9b-plain", round(plain, 3))
    figure("R9b", round(noisy, 3))
    assert noisy < plain


def _auc(history: History, giving: np.ndarray, counts: Counts) -> float:
    """Area under the curve of the best of three attacks, each on pairs of a person's own rows."""
    model, best = item_model(counts), 0.5
    attacks = [np.asarray(model.alike, dtype=float)]
    if counts.near is not None:
        attacks.append(counts.near.astype(float))
    if model.near is not None:
        attacks.append(np.asarray(model.near, dtype=float))
    for released_table in attacks:
        scores = np.array([_own(released_table, history.past(n).items) for n in range(len(giving))])
        members, others = scores[giving], scores[~giving]
        wins = (members[:, None] > others[None]).mean() + 0.5 * (members[:, None] == others[None]).mean()
        best = max(best, float(wins), 1 - float(wins))
    return best


def _own(released_table: np.ndarray, items: np.ndarray) -> float:
    pairs = released_table[np.ix_(items, items)]
    return float((pairs.sum() - np.trace(pairs)) / max(1, len(items) * (len(items) - 1)))
