"""The list a citizen sees: best first, more than one medium and house, each with its reasons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from recommender.candidates import candidates
from recommender.catalogue import Catalogue, Entry
from recommender.explain import Reason, Table, reasons
from recommender.profile import Profile
from recommender.rank import Model

WINDOW = 6


@dataclass(frozen=True)
class Suggestion:
    """`rank` is the place among all candidates by score, from 1; the list's own order may differ for variety."""

    item: Entry
    medium: str
    score: float
    rank: int
    slot: str
    reasons: tuple[Reason, ...]


def suggest(profile: Profile, catalogue: Catalogue, model: Model, k: int, today: date) -> list[Suggestion]:
    """At most `k` suggestions; each six hold at least two media and two institutions where the catalogue allows."""
    rows = candidates(profile, catalogue, today)
    if not rows or k < 1:
        return []
    table = Table(profile, catalogue, model, rows)
    order = sorted(range(len(rows)), key=lambda n: (-table.scores[n], n))
    chosen = varied(order, k, [catalogue.entries[n] for n in rows])
    return [
        Suggestion(
            item=(entry := catalogue.entries[rows[n]]),
            medium=entry.medium,
            score=float(table.scores[n]),
            rank=table.rank(n),
            slot="sure",
            reasons=why,
        )
        for n, why in zip(chosen, reasons(table, chosen), strict=True)
    ]


def varied(order: Sequence[int], k: int, entries: Sequence[Entry]) -> list[int]:
    """The first `k` of `order`, where the last place of every six goes to another medium or house if need be."""
    left, chosen = list(order), list[int]()
    while left and len(chosen) < k:
        window = chosen[len(chosen) - len(chosen) % WINDOW :]
        pick = left[0]
        if len(window) >= min(WINDOW, k) - 2:
            pick = _other(left, window, entries, lambda e: e.medium)
        if pick == left[0] and len(window) >= min(WINDOW, k) - 1:
            pick = _other(left, window, entries, lambda e: e.institution)
        left.remove(pick)
        chosen.append(pick)
    return chosen


def _other(left: Sequence[int], window: Sequence[int], entries: Sequence[Entry], trait: Callable[[Entry], str]) -> int:
    """The best one left that brings a second value of the trait into a window that has but one; else the best."""
    there = {trait(entries[n]) for n in window}
    if len(there) != 1:
        return left[0]
    return next((n for n in left if trait(entries[n]) not in there), left[0])
