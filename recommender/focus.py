"""Two kinds of suggestion inside a host's own screen: the order of its candidates, and of the actions it declared.

Both give back exactly what they were given, in another order: nothing is hidden, nothing is added.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.catalogue import Catalogue, Entry
from recommender.explain import Reason, reasons
from recommender.profile import Profile
from recommender.rank import Model
from recommender.table import Table
from recommender.wishes import Wishes, traits

ALIKE = 0.2
"""How near an action must be to something of hers to be put before what the host put first (cosine, 0 to 1)."""


@dataclass(frozen=True)
class Ranked:
    """The candidates in their new order, and why, by id, for the first few that are known."""

    order: tuple[str, ...]
    reasons: Mapping[str, tuple[Reason, ...]]


def ranked(
    profile: Profile, catalogue: Catalogue, model: Model, candidates: Sequence[str], n: int, wishes: Wishes
) -> Ranked:
    """The candidates by score, best first, with reasons for the first `n`.

    Those not in the catalogue keep their own order behind the others; what she never wants, or put away, comes last of
    those known. A candidate given twice stands there twice.
    """
    known = [one for one in candidates if one in catalogue.index]
    ids = list(dict.fromkeys(known))
    if not ids:
        return Ranked(tuple(candidates), {})
    table = Table(profile, catalogue, model, [catalogue.index[one] for one in ids], wishes=wishes)
    last = [unwanted(catalogue.entries[catalogue.index[one]], wishes) for one in ids]
    less = [less_wanted(catalogue.entries[catalogue.index[one]], wishes) for one in ids]
    best = sorted(range(len(ids)), key=lambda place: (last[place], less[place], -table.scores[place], place))
    turn = {ids[place]: number for number, place in enumerate(best)}
    first = [place for place in best[:n] if not last[place]]
    why = dict(zip((ids[place] for place in first), reasons(table, first) if first else [], strict=True))
    order = sorted(known, key=lambda one: turn[one])
    return Ranked((*order, *(one for one in candidates if one not in catalogue.index)), why)


def laid_out(profile: Profile, catalogue: Catalogue, actions: Sequence[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """The host's actions, (id, subjects) each: those near something of hers first, else in the declared order."""
    traces = [catalogue.vector(trace.topics) for part in profile.traces.values() for trace in part]
    if not traces:
        return tuple(ident for ident, _ in actions)
    hers = np.array(traces)
    near = [float((hers @ catalogue.vector(subjects)).max()) for _, subjects in actions]
    counted = [value if value >= ALIKE else 0.0 for value in near]
    return tuple(actions[place][0] for place in sorted(range(len(actions)), key=lambda place: (-counted[place], place)))


def less_wanted(entry: Entry, wishes: Wishes) -> bool:
    """Whether it has a trait that she wants less of, and none that she wants more of: it comes after the others."""
    named = traits(entry.medium, entry.institution, entry.maker, entry.topics)
    return not wishes.less.isdisjoint(named) and wishes.more.isdisjoint(named)


def unwanted(entry: Entry, wishes: Wishes) -> bool:
    """Whether she put it away, or closed its medium, or never wants one of its traits."""
    named = traits(entry.medium, entry.institution, entry.maker, entry.topics)
    return entry.id in wishes.hidden or entry.medium in wishes.media or not wishes.never.isdisjoint(named)
