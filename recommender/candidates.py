"""Which entries are worth ranking for a citizen: still to come, not hers yet, not put away, near one of her traces."""

from datetime import date

import numpy as np
from numpy.typing import NDArray

from recommender.catalogue import Catalogue
from recommender.profile import Profile
from recommender.wishes import Wishes, traits

COUNT = 300
Floats = NDArray[np.float64]


def candidates(
    profile: Profile, catalogue: Catalogue, today: date, wishes: Wishes | None = None, count: int = COUNT
) -> list[int]:
    """At most `count` positions in the catalogue, in catalogue order; every medium gets a fair share.

    Nearness is the best cosine to any trace, by subjects or by letters (so that what came in today has a chance); the
    order of the catalogue settles ties, so the same input gives the same candidates.
    """
    open_ = np.flatnonzero(_open(profile, catalogue, today) & _wanted(catalogue, wishes or Wishes()))
    if len(open_) <= count:
        return [int(n) for n in open_]
    near = np.maximum(nearness(profile, catalogue), _spelt(profile, catalogue))
    ranked = open_[np.argsort(-near[open_], kind="stable")]
    by_medium: dict[str, list[int]] = {}
    for n in ranked.tolist():
        by_medium.setdefault(catalogue.entries[n].medium, []).append(n)
    share = max(1, count // (2 * len(by_medium)))
    chosen = {n for part in by_medium.values() for n in part[:share]}
    rest = [n for n in ranked.tolist() if n not in chosen]
    return sorted([*chosen, *rest[: count - len(chosen)]])


def nearness(profile: Profile, catalogue: Catalogue) -> Floats:
    """The best cosine of every entry's subjects to any of her traces, shape (entries,)."""
    hers = profile.vectors
    if not len(hers):
        return np.zeros(len(catalogue.entries))
    return np.asarray((catalogue.matrix @ hers.T).max(axis=1))


def _spelt(profile: Profile, catalogue: Catalogue) -> Floats:
    """The best likeness by letters of every entry to any of her traces, shape (entries,)."""
    best = np.zeros(len(catalogue.entries))
    for theirs in profile.spelling.values():
        best = np.maximum(best, (catalogue.letters @ theirs.T).max(axis=1).toarray().ravel())
    return best


def _open(profile: Profile, catalogue: Catalogue, today: date) -> NDArray[np.bool_]:
    """Not over, at an hour that can be true, and not hers."""
    of = catalogue.facts
    coming = (np.isnan(of.last) | (of.last >= today.toordinal())) & (of.plausible > 0)
    coming[list(profile.owned)] = False
    return np.asarray(coming)


def _wanted(catalogue: Catalogue, wishes: Wishes) -> NDArray[np.bool_]:
    """Nothing she put away, in a medium she closed, or with a trait she never wants."""
    if not (wishes.media or wishes.never or wishes.hidden):
        return np.ones(len(catalogue.entries), dtype=bool)
    return np.array(
        [
            e.medium not in wishes.media
            and e.id not in wishes.hidden
            and wishes.never.isdisjoint(traits(e.medium, e.institution, e.maker, e.topics))
            for e in catalogue.entries
        ],
        dtype=bool,
    )
