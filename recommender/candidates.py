"""Which entries are worth ranking for a citizen: still to come, not hers yet, and near one of her traces."""

from datetime import date

import numpy as np

from recommender.catalogue import Catalogue
from recommender.profile import Profile

COUNT = 300


def candidates(profile: Profile, catalogue: Catalogue, today: date, count: int = COUNT) -> list[int]:
    """At most `count` positions in the catalogue, in catalogue order; every medium gets a fair share.

    Nearness is the best cosine to any trace; the order of the catalogue settles ties, so the same input gives
    the same candidates.
    """
    owned, day = profile.owned, today.isoformat()
    open_ = [n for n, e in enumerate(catalogue.entries) if n not in owned and (not e.last or e.last >= day)]
    if len(open_) <= count:
        return open_
    near = _nearness(profile, catalogue)
    by_medium: dict[str, list[int]] = {}
    for n in sorted(open_, key=lambda n: (-near[n], n)):
        by_medium.setdefault(catalogue.entries[n].medium, []).append(n)
    share = max(1, count // (2 * len(by_medium)))
    chosen = {n for part in by_medium.values() for n in part[:share]}
    rest = sorted((n for n in open_ if n not in chosen), key=lambda n: (-near[n], n))
    return sorted([*chosen, *rest[: count - len(chosen)]])


def _nearness(profile: Profile, catalogue: Catalogue) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rows = [catalogue.vector(t.topics) for part in profile.traces.values() for t in part]
    if not rows:
        return np.zeros(len(catalogue.entries))
    best: np.ndarray[tuple[int], np.dtype[np.float64]] = (catalogue.matrix @ np.array(rows).T).max(axis=1)
    return best
