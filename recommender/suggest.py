"""The list a citizen sees: what fits best, bridges and leaps, more than one medium and house, each with its reasons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from recommender.candidates import candidates
from recommender.catalogue import Catalogue, Entry
from recommender.explain import Reason, reasons
from recommender.path import Path, paths
from recommender.profile import Profile
from recommender.rank import Model
from recommender.table import Table
from recommender.unexpected import Surprise, surprise
from recommender.wishes import Wishes
from recommender.wonder import SURE, Balance, Candidates, Place, build

WINDOW = 6
BALANCE = Balance(diversity=0.3, calibration=0.2)


@dataclass(frozen=True)
class Suggestion:
    """`rank` is the place among all candidates by score, from 1; the list's own order may differ for variety.

    `unexpected` (0 to 1) times relevance is what makes a surprise pleasant; `path` is how a bridge or leap got here.
    """

    item: Entry
    medium: str
    score: float
    rank: int
    slot: str
    reasons: tuple[Reason, ...]
    unexpected: float
    path: Path | None


def suggest(
    profile: Profile,
    catalogue: Catalogue,
    model: Model,
    k: int,
    today: date,
    wishes: Wishes | None = None,
    rain: float | None = None,
) -> list[Suggestion]:
    """At most `k` suggestions; each six hold at least two media and two institutions where the catalogue allows.

    `rain` is how likely it is in the coming days, 0 to 1; None where nobody told.
    """
    wanted = wishes or Wishes()
    rows = candidates(profile, catalogue, today, wanted)
    if not rows or k < 1:
        return []
    table = Table(profile, catalogue, model, rows, today, wanted, rain)
    seen = surprise(profile, catalogue, rows, model.popularity)
    places = chosen(table, seen, k, wanted.dial)
    picked = [place.candidate for place in places]
    why = reasons(table, picked)
    ways = paths(table, places)
    return [
        Suggestion(
            item=(entry := catalogue.entries[rows[place.candidate]]),
            medium=entry.medium,
            score=float(table.scores[place.candidate]),
            rank=table.rank(place.candidate),
            slot=place.slot,
            reasons=because,
            unexpected=round(float(seen.unexpected[place.candidate]), 4),
            path=way,
        )
        for place, because, way in zip(places, why, ways, strict=True)
    ]


def chosen(table: Table, seen: Surprise, k: int, dial: int) -> list[Place]:
    """The places of the list: slots by the dial, then variety of media and houses in each six.

    A medium is a trait like a subject is: every medium is due its share, as her subjects are.
    """
    entries = [table.catalogue.entries[n] for n in table.rows]
    media = sorted({entry.medium for entry in entries})
    kinds = np.array([[entry.medium == medium for medium in media] for entry in entries], dtype=float)
    traits = np.hstack([table.catalogue.matrix[list(table.rows)], kinds])
    taste = np.concatenate([seen.taste, np.full(len(media), 1 / len(media))]) / (2 if seen.taste.any() else 1)
    places = build(Candidates(table.scores, seen.outside, seen.bridges, traits, taste), k, dial, BALANCE)
    return varied(places, np.argsort(-table.scores, kind="stable"), entries)


def varied(places: Sequence[Place], order: NDArray[np.int64], entries: Sequence[Entry]) -> list[Place]:
    """The same list where in each six the last `sure` place goes to another medium, and one to another house, if all
    six are alike; to the best of `order` that is not in the list.
    """
    found = list(places)
    for start in range(0, len(found), WINDOW):
        for trait in (_medium, _house):
            _mend(found, slice(start, start + WINDOW), order, entries, trait)
    return found


def _medium(entry: Entry) -> str:
    return entry.medium


def _house(entry: Entry) -> str:
    return entry.institution


def _mend(
    found: list[Place], part: slice, order: NDArray[np.int64], entries: Sequence[Entry], trait: Callable[[Entry], str]
) -> None:
    six = found[part]
    there = {trait(entries[p.candidate]) for p in six}
    last = next((n for n in reversed(range(len(six))) if six[n].slot == SURE), None)
    if len(there) != 1 or len(six) < 2 or last is None:
        return
    taken = {p.candidate for p in found}
    other = next((n for n in order.tolist() if n not in taken and trait(entries[n]) not in there), None)
    if other is not None:
        found[part.start + last] = replace(six[last], candidate=other)
