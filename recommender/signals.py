"""What the ranker sees of (person, item). Every signal belongs to one consent category and says which it needs.

A signal whose categories are not all open is missing (NaN). Everything is computed for one person from her own rows
and the public item model, so no list depends on who else asks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.history import LIKED, Past
from recommender.itemmodel import ItemModel
from recommender.shelf import Shelf

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]

PUBLIC, LOANS, RATINGS, TIMES, MAKERS, YEARS, GENRES = "", "loans", "ratings", "times", "makers", "years", "genres"

GROUPS: dict[str, tuple[str, ...]] = {
    PUBLIC: ("log_popularity", "late", "stars", "liked"),
    LOANS: (
        *("ease", "ease_place", "walk", "walk_place", "near", "near_place"),
        *("kin1", "kin3", "walk1", "near1", "count", "fame_gap", "fame_spread"),
    ),
    RATINGS: (
        *("ease_rated", "ease_rated_recent", "ease_rated_recent_place", "ease_rated_recent_part"),
        *("near_rated", "near_rated_place", "near_rated_part", "walk_rated", "leniency", "maker_stars", "series_stars"),
    ),
    TIMES: (
        *("ease_recent", "ease_recent_place", "walk_recent", "near_recent", "near_short", "after"),
        *("fame_gap_now", "last1", "last3", "last10", "session"),
    ),
    MAKERS: (*("maker_count", "maker_part", "maker_age", "series_count", "series_age", "series_gap", "series_number"),),
    YEARS: ("year", "year_gap", "year_gap_now"),
    GENRES: ("genre", "genre_now"),
}
NAMES = tuple(name for names in GROUPS.values() for name in names)
GROUP_OF = tuple(group for group, names in GROUPS.items() for _ in names)
QUOTAS = {"ease_rated_recent": 200, "ease_recent": 100, "near_rated": 100, "near_recent": 120, "near_short": 60,
          "ease": 80, "near": 80, "walk_rated": 120, "walk_recent": 80, "walk": 80, "after": 40}  # fmt: skip
"""How many of the best by each score become candidates."""
FADING, NEXT, SHORT, NOW = 0.8, 0.8, 0.7, 0.9
NEVER = 999.0


@dataclass(frozen=True)
class Person:
    """A past with the scores that need every item: by name, shape (items,)."""

    past: Past
    scores: dict[str, Floats]


def person(past: Past, model: ItemModel) -> Person:
    """Score every item of the model for one past."""
    one, recent = np.ones(len(past.items)), (1 + past.age) ** -FADING
    weights, rated = {"": one}, {"": one}
    if past.timed:
        weights["_recent"] = recent
    if past.stars is not None:
        rated["_rated"] = past.stars / 2.5 - 1
    if past.timed and past.stars is not None:
        rated["_rated_recent"] = recent * past.liking
    found = _weighed({f"ease{name}": line for name, line in (rated | weights).items()}, model.alike[past.items])
    if model.walk is not None:
        walks = {f"walk{name}": line for name, line in weights.items()}
        if "_rated_recent" in rated:
            walks["walk_rated"] = rated["_rated_recent"]
        found |= _weighed(walks, model.walk[past.items])
    return Person(past, found | _order(past, model, weights, rated))


def _order(past: Past, model: ItemModel, weights: dict[str, Floats], rated: dict[str, Floats]) -> dict[str, Floats]:
    """Scores from what stood close in the histories of contributors."""
    found = dict[str, Floats]()
    if model.near is not None:
        close = {f"near{name}": line for name, line in weights.items()}
        if past.timed:
            close["near_short"] = SHORT**past.age
        if "_rated_recent" in rated:
            close["near_rated"] = rated["_rated_recent"]
        found |= _weighed(close, model.near[past.items])
    if past.timed and model.after is not None:
        found |= _weighed({"after": NEXT**past.age}, model.after[past.items])
    return found


def _weighed(weights: dict[str, Floats], rows: NDArray[np.float32]) -> dict[str, Floats]:
    scores = np.array(list(weights.values()), dtype=np.float32) @ rows
    return {name: np.asarray(line, dtype=np.float64) for name, line in zip(weights, scores, strict=True)}


def candidates(who: Person, model: ItemModel, shelf: Shelf, count: int) -> Whole:
    """At most `count` items that are not hers: the best by each score, then her makers', then what many have read."""
    size = len(model.popularity)
    fame = model.popularity / (model.popularity.max() or 1.0)
    first = 3 - fame
    makers = np.unique(shelf.maker[who.past.items])
    hers = np.isin(shelf.maker, makers[makers >= 0])
    first[hers] = 1 + 0.2 * (1 - fame[hers])
    for name, scores in who.scores.items():
        quota = min(QUOTAS.get(name, 0), size)
        if quota and len(who.past.items):
            open_ = scores.copy()
            open_[who.past.items] = -np.inf
            best = _top(open_, quota)
            first[best] = np.minimum(first[best], np.arange(quota) / quota)
    first[who.past.items] = np.inf
    chosen = _top(-first, min(count, size))
    reachable: Whole = chosen[np.isfinite(first[chosen])]
    return reachable


def _top(scores: Floats, count: int) -> Whole:
    """Positions of the `count` highest, best first; the order of the catalogue settles ties."""
    if count >= len(scores):
        whole: Whole = np.argsort(-scores, kind="stable")
        return whole
    edge = np.partition(scores, len(scores) - count)[len(scores) - count]
    sure = np.flatnonzero(scores > edge)
    level = np.flatnonzero(scores == edge)[: count - len(sure)]
    found = np.sort(np.concatenate([sure, level]))
    order: Whole = np.argsort(-scores[found], kind="stable")
    ordered: Whole = found[order]
    return ordered


def table(who: Person, items: Whole, model: ItemModel, shelf: Shelf) -> Floats:
    """The signals of some items, shape (len(items), len(NAMES)), columns in the order of NAMES."""
    past = who.past
    told = {name: scores[items] for name, scores in who.scores.items()}
    for name in ("ease", "walk", "near", "ease_recent", "ease_rated_recent", "near_rated"):
        if name in told:
            told[f"{name}_place"] = _place(told[name])
    for name in ("ease_rated_recent", "near_rated"):
        if name in told:
            told[f"{name}_part"] = told[name] / max(1e-6, float(told[name].max(initial=0)))
    told |= _fame(past, items, model) | _kin(past, items, model)
    if len(past.items):
        told |= _makers(past, items, shelf) | _years(past, items, shelf) | _genres(past, items, shelf)
    out = np.full((len(items), len(NAMES)), np.nan)
    for n, name in enumerate(NAMES):
        if name in told:
            out[:, n] = told[name]
    return out


def _place(scores: Floats) -> Floats:
    place = np.empty(len(scores))
    place[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return place


def _now(past: Past) -> Floats:
    weights = NOW**past.age
    return np.asarray(weights / weights.sum())


def _fame(past: Past, items: Whole, model: ItemModel) -> dict[str, Floats]:
    own, count = model.popularity[items], len(items)
    told = {"log_popularity": own, "count": np.full(count, float(len(past.items)))}
    if len(past.items):
        hers = model.popularity[past.items]
        told |= {"fame_gap": own - hers.mean(), "fame_spread": np.full(count, hers.std())}
        if past.stars is not None:
            told["leniency"] = np.full(count, float((past.stars >= LIKED).mean()))
        if past.timed:
            told["fame_gap_now"] = own - float(hers @ _now(past))
    facts = {"late": model.late, "stars": model.stars, "liked": model.liked}
    return told | {name: values[items] for name, values in facts.items() if values is not None}


def _kin(past: Past, items: Whole, model: ItemModel) -> dict[str, Floats]:
    """The nearest of her own things to each item."""
    if not len(past.items):
        return {}
    near = model.alike[np.ix_(past.items, items)]
    kin = np.sort(np.partition(near, max(0, len(near) - 3), axis=0)[-3:], axis=0)
    told = {"kin1": kin[-1], "kin3": kin.sum(axis=0)}
    if model.walk is not None:
        told["walk1"] = model.walk[np.ix_(past.items, items)].max(axis=0)
        newest = past.items[-6:]
        if past.timed:
            told["session"] = np.full(len(items), float(model.walk[np.ix_(newest, newest)].mean()))
    if model.near is not None:
        told["near1"] = model.near[np.ix_(past.items, items)].max(axis=0)
    if past.timed and model.near is not None:
        last = model.near[np.ix_(past.items[-10:], items)]
        told |= {"last1": last[-1], "last3": last[-3:].sum(axis=0), "last10": last.max(axis=0)}
    return {name: np.asarray(values, dtype=np.float64) for name, values in told.items()}


def _makers(past: Past, items: Whole, shelf: Shelf) -> dict[str, Floats]:
    told = dict[str, Floats]()
    for kind, names in (("maker", shelf.maker), ("series", shelf.series)):
        if names.max(initial=-1) < 0:
            continue
        same = (names[past.items][:, None] == names[items][None]) & (names[items] >= 0)[None]
        count = same.sum(axis=0).astype(float)
        met = count > 0
        told[f"{kind}_count"] = count
        if past.timed:
            told[f"{kind}_age"] = np.where(met, np.where(same, past.age[:, None], NEVER).min(axis=0), np.nan)
        if past.stars is not None:
            told[f"{kind}_stars"] = np.where(
                met, (past.stars - past.stars.mean()) @ same / np.maximum(count, 1), np.nan
            )
        if kind == "maker":
            told["maker_part"] = count / shelf.output[items]
        else:
            read = np.where(same, shelf.number[past.items][:, None], -NEVER)
            told["series_gap"] = np.where(met, shelf.number[items] - read.max(axis=0), np.nan)
            told["series_number"] = shelf.number[items]
    return told


def _years(past: Past, items: Whole, shelf: Shelf) -> dict[str, Floats]:
    hers, told = shelf.year[past.items], {"year": shelf.year[items]}
    seen = ~np.isnan(hers)
    if seen.any():
        told["year_gap"] = told["year"] - float(np.median(hers[seen]))
        if past.timed:
            now = _now(past)[seen]
            told["year_gap_now"] = told["year"] - float(hers[seen] @ now) / max(1e-12, float(now.sum()))
    return told


def _genres(past: Past, items: Whole, shelf: Shelf) -> dict[str, Floats]:
    if not shelf.genres.shape[1]:
        return {}
    unit = shelf.unit
    hers, own = unit[past.items], unit[items]
    told = {"genre": own @ hers.mean(axis=0)}
    if past.timed:
        told["genre_now"] = own @ (_now(past) @ hers)
    return told
