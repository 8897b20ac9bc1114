"""What would surprise her: how far each candidate lies from what she has, and which could be a bridge or a leap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.candidates import nearness
from recommender.catalogue import Catalogue
from recommender.profile import LOANS, TICKETS, Profile
from recommender.taste import high, used, weights

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
PART = 20
"""The obvious are a twentieth of the candidates: the most met, and the nearest to her."""
FAR = 0.5
"""A leap is no nearer (cosine of subjects) to anything she has."""


@dataclass(frozen=True)
class Surprise:
    """Of each candidate: `unexpected` 0 (like something she has) to 1; whether it is `outside` the obvious, and one of
    the `bridges`: high in a trait of hers, in a medium or place she has not used. `taste`: her share of each subject.
    """

    unexpected: Floats
    outside: Mask
    bridges: Mask
    taste: Floats


def surprise(profile: Profile, catalogue: Catalogue, rows: Sequence[int], popularity: Mapping[str, float]) -> Surprise:
    """Judge the candidates `rows` for her. Where nothing of hers is open nothing is a bridge or a leap."""
    taste, picked = weights(profile, catalogue), list(rows)
    near = nearness(profile, catalogue)[picked]
    if not taste.any():
        none = np.zeros(len(rows), dtype=bool)
        return Surprise(np.ones(len(rows)), none, none, taste)
    obvious = _most(near, len(rows) // PART) | _by_hers(profile, catalogue, rows)
    obvious |= _most(np.array([popularity.get(catalogue.entries[n].id, 0.0) for n in rows]), len(rows) // PART)
    return Surprise(1 - near, ~obvious & (near <= FAR), _bridges(profile, catalogue, rows, taste), taste)


def _most(values: Floats, count: int) -> Mask:
    found = np.zeros(len(values), dtype=bool)
    found[np.argsort(-values, kind="stable")[:count]] = True
    return found


def _by_hers(profile: Profile, catalogue: Catalogue, rows: Sequence[int]) -> Mask:
    """By a maker whom she has read."""
    makers = {t.made for t in profile.traces.get(LOANS, ())} - {-1}
    return np.isin(catalogue.makers[list(rows)], list(makers))


def _bridges(profile: Profile, catalogue: Catalogue, rows: Sequence[int], taste: Floats) -> Mask:
    strong = catalogue.matrix[list(rows)][:, high(taste)].any(axis=1)
    media, places = used(profile, catalogue)
    known = TICKETS in profile.traces
    told = ((catalogue.entries[n].medium, int(catalogue.houses[n])) for n in rows)
    fresh = [medium not in media or (known and house not in places) for medium, house in told]
    return np.asarray(strong & np.array(fresh, dtype=bool))
