"""Her cultural DNA: which traits her own records show, with the records that show them, and what she has not used yet.

Pure arithmetic over the records that are open in this call; nothing is kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.catalogue import BOOK, Catalogue
from recommender.profile import LOANS, TICKETS, Profile, Trace
from recommender.wishes import Wishes

Floats = NDArray[np.float64]
HIGH = 5
"""A trait is high in her when it is among so many strongest."""


@dataclass(frozen=True)
class Trait:
    """`name` in the words of wishes (`topic:jazz`), its `share` of her taste (0 to 1), the `evidence` by category, and
    `wish`: "less", "more", "never" or "".
    """

    name: str
    share: float
    evidence: tuple[tuple[str, Trace], ...]
    wish: str


def weights(profile: Profile, catalogue: Catalogue) -> Floats:
    """The share of each subject of the catalogue in what she has, shape (subjects,), summing to 1 or all 0."""
    hers = profile.vectors
    summed = hers.sum(axis=0) if len(hers) else np.zeros(len(catalogue.weights))
    return np.asarray(summed / (summed.sum() or 1.0))


def dna(profile: Profile, catalogue: Catalogue, wishes: Wishes, count: int = 24) -> tuple[Trait, ...]:
    """Her `count` strongest subjects, strongest first; a trait without a record of hers is none."""
    taste, subjects = weights(profile, catalogue), sorted(catalogue.weights)
    strongest = [int(n) for n in np.argsort(-taste, kind="stable")[:count] if taste[n] > 0]
    return tuple(
        Trait(f"topic:{subjects[n]}", round(float(taste[n]), 4), evidence(profile, subjects[n]),
              _wish(wishes, f"topic:{subjects[n]}"))
        for n in strongest
    )  # fmt: skip


def evidence(profile: Profile, subject: str) -> tuple[tuple[str, Trace], ...]:
    """Her records about a subject, by category."""
    return tuple((c, t) for c, part in profile.traces.items() for t in part if subject in map(str.casefold, t.topics))


def _wish(wishes: Wishes, name: str) -> str:
    return next((how for how in ("never", "less", "more") if name in getattr(wishes, how)), "")


def high(taste: Floats) -> NDArray[np.int64]:
    """Which subjects are high in her: the strongest few that she has at all."""
    strongest = np.argsort(-taste, kind="stable")[:HIGH]
    return np.asarray(strongest[taste[strongest] > 0])


def used(profile: Profile, catalogue: Catalogue) -> tuple[frozenset[str], frozenset[int]]:
    """Media and places (numbers of the catalogue) that her open records show she has used."""
    media = {catalogue.entries[n].medium for n in profile.owned}
    if profile.traces.get(LOANS):
        media.add(BOOK)
    owned = {int(catalogue.houses[n]) for n in profile.owned}
    return frozenset(media), frozenset(owned | {t.made for t in profile.traces.get(TICKETS, ())})


def entropy(names: list[str]) -> float:
    """How evenly names are spread, in bits: 0 where all are alike."""
    _, counts = np.unique(names, return_counts=True)
    part = counts / max(1, counts.sum())
    return float(-(part * np.log2(part)).sum() + 0.0) if len(names) else 0.0
