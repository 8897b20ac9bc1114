"""The list builder: which slot each place of a list is, and which candidate takes it. Pure functions.

Slots: `sure` (what fits best), `bridge` (high in a trait she has, in a medium or place she has not used) and `leap`
(outside the obvious, best predicted relevance, above a floor). The dial gives 0 to 3 leaps in every ten places, never
two in a row. `sure` places are filled greedily for score, diversity (the determinant of a DPP kernel, one greedy step
at a time) and calibration (the list's genres stay near her own), so that no taste swallows the list.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SURE, BRIDGE, LEAP = "sure", "bridge", "leap"
TEN = 10
LEAPS: tuple[tuple[int, ...], ...] = ((), (5,), (3, 7), (2, 5, 8))
BRIDGE_PLACE = 9
FLOOR = 0.5
"""A leap must score among the best half of the candidates."""
SOFT = 0.95
"""Likeness of two candidates with the same traits: below 1, so that a list may hold both."""
BLUR = 0.01
"""Share of her own taste mixed into a list's, so that the divergence stays finite (Steck 2018)."""


@dataclass(frozen=True)
class Balance:
    """How much score (in standard deviations of the candidates) a step gives up for each quantity; 0 = not weighed."""

    diversity: float = 0.0
    calibration: float = 0.0


@dataclass(frozen=True)
class Candidates:
    """What the builder knows of `n` candidates of one citizen.

    `scores` (n,), higher is better; `outside` (n,) the obvious; `bridges` (n,); `traits` (n, g) non-negative weights of
    each trait, and `taste` (g,) her own shares, summing to 1. Without traits: width 0.
    """

    scores: Floats
    outside: Mask
    bridges: Mask
    traits: Floats
    taste: Floats


@dataclass(frozen=True)
class Place:
    """A place of the list: the position of its candidate, and the slot that it fills."""

    candidate: int
    slot: str


def slots(count: int, dial: int) -> tuple[str, ...]:
    """The slot of each of the first `count` places. Raises ValueError for a dial that is not 0 to 3."""
    if dial not in range(len(LEAPS)):
        raise ValueError(f"the dial goes from 0 to {len(LEAPS) - 1}, not {dial}")
    return tuple(
        LEAP if n % TEN in LEAPS[dial] else BRIDGE if dial and n % TEN == BRIDGE_PLACE else SURE for n in range(count)
    )


def build(candidates: Candidates, count: int, dial: int, balance: Balance) -> list[Place]:
    """At most `count` places, each candidate once; a leap or bridge that nobody can fill becomes `sure`.

    The same input gives the same list: ties go to the candidate that came first.
    """
    size = min(count, len(candidates.scores))
    greedy = _Greedy(candidates, balance)
    worthy = candidates.scores >= np.quantile(candidates.scores, FLOOR) if size else candidates.outside
    fits = {LEAP: candidates.outside & worthy, BRIDGE: candidates.bridges & worthy}
    places = list[Place]()
    for slot in slots(size, dial):
        place = greedy.special(slot, fits[slot]) if slot != SURE else None
        places.append(place or Place(greedy.best(), SURE))
        greedy.take(places[-1].candidate)
    return places


class _Greedy:
    """The candidates still free and what each would add to the places taken so far."""

    def __init__(self, candidates: Candidates, balance: Balance) -> None:
        count = len(candidates.scores)
        spread = float(candidates.scores.std()) if count else 0.0
        self._score = (candidates.scores - candidates.scores.mean()) / (spread or 1.0) if count else candidates.scores
        self._free = np.ones(count, dtype=bool)
        self._balance = balance if candidates.traits.shape[1] else Balance()
        length = np.sqrt(np.square(candidates.traits).sum(axis=1, keepdims=True))
        self._unit = candidates.traits / np.maximum(length, 1e-12)
        self._share = candidates.traits / np.maximum(candidates.traits.sum(axis=1, keepdims=True), 1e-12)
        self._taste, self._taken = candidates.taste, 0
        self._sum = np.zeros(candidates.traits.shape[1])
        self._residual = np.ones(count)
        self._bases = np.zeros((0, count))

    def special(self, slot: str, fits: Mask) -> Place | None:
        """The free fitting candidate of the highest score, or None."""
        open_ = np.flatnonzero(self._free & fits)
        return Place(int(open_[np.argmax(self._score[open_])]), slot) if len(open_) else None

    def best(self) -> int:
        """The free candidate of the highest score after diversity and calibration."""
        worth = self._score.copy()
        if self._balance.diversity:
            worth += self._balance.diversity * np.log(np.maximum(self._residual, 1e-6))
        if self._balance.calibration:
            worth -= self._balance.calibration * self._divergence()
        return int(np.argmax(np.where(self._free, worth, -np.inf)))

    def take(self, candidate: int) -> None:
        """Remove a candidate from the free ones; one step of the greedy DPP (a row of its Cholesky factor)."""
        self._free[candidate] = False
        self._taken += 1
        self._sum += self._share[candidate]
        if self._balance.diversity:
            known = self._bases[:, candidate] @ self._bases
            pivot = np.sqrt(max(self._residual[candidate], 1e-6))
            basis = (SOFT * (self._unit @ self._unit[candidate]) - known) / pivot
            self._bases = np.vstack([self._bases, basis])
            self._residual = self._residual - np.square(basis)

    def _divergence(self) -> Floats:
        """Kullback-Leibler divergence of her taste from the list's, were each candidate added; shape (n,)."""
        mixed = (1 - BLUR) * (self._sum + self._share) / (self._taken + 1) + BLUR * self._taste
        hers = self._taste > 0
        ratio = np.log(self._taste[hers] / np.maximum(mixed[:, hers], 1e-12))
        return np.asarray(ratio @ self._taste[hers])


def share(traits: Floats) -> Floats:
    """Mean share of each trait over rows of weights, shape (g,): the taste of a history."""
    shares = traits / np.maximum(traits.sum(axis=1, keepdims=True), 1e-12)
    return np.asarray(shares.mean(axis=0)) if len(traits) else np.zeros(traits.shape[1])
