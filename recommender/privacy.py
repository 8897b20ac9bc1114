"""Differential privacy of the public item model: one person more or less hardly changes what is released.

Per person at most `CLIP` rows count (the newest), so her largest effect on each table is known; Gaussian noise in
proportion goes on every number of every table (user level, Balle and Wang 2018), rounded to whole numbers. What is
below the noise is then dropped, which costs no privacy. The trees that rank carry no formal epsilon: they have leaves
of at least 100 rows, and contributors alone teach them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, exp, sqrt

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from recommender.counts import FADE, GRAIN, LATE, REACH, STEP, STEP_FADE, Counts, count
from recommender.errors import Spent
from recommender.history import WHOLE, History

Floats = NDArray[np.float64]

DELTA = 1e-6
CLIP = 60
CUT = 2.0
"""Pairs below so many standard deviations of the noise are dropped."""
FEWEST = 15_000
"""With fewer contributors the noise drowns everything: content only."""
MOST_STARS = 5
SHARES = {"pairs": 0.85, "after": 0.03, "met": 0.03, "late": 0.03, "stars": 0.03, "liked": 0.03}
"""How the budget is parted over the tables; they are released together, as one vector.

One table of pairs is released: what stands close in histories, whose size grows with the root of a history and not
with its length; without times, what is read together. A walk over people divides by small counts, which noise makes
worthless.
"""


@dataclass(frozen=True)
class Spending:
    """One release: the purpose it was for, its month as "2026-11", and what it cost."""

    purpose: str
    month: str
    epsilon: float
    delta: float


def spend(ledger: Sequence[Spending], wanted: Spending, budget: float) -> tuple[Spending, ...]:
    """The ledger with one more release. Raises Spent for a second one of a purpose in a month, or over its budget.

    Releases of a purpose add up (basic composition); purposes have ledgers of their own.
    """
    own = [entry for entry in ledger if entry.purpose == wanted.purpose]
    if any(entry.month == wanted.month for entry in own):
        raise Spent(f"{wanted.purpose}: there was a release in {wanted.month} already")
    total = sum(entry.epsilon for entry in own) + wanted.epsilon
    if total > budget:
        raise Spent(f"{wanted.purpose}: {total:g} of a budget of {budget:g} would be spent")
    return (*ledger, wanted)


def enough(contributors: int) -> bool:
    """Whether there are enough contributors for a model of what people did."""
    return contributors >= FEWEST


def deviation(epsilon: float, delta: float = DELTA) -> float:
    """Standard deviation of Gaussian noise for sensitivity 1 (the analytic Gaussian mechanism), by bisection."""
    low, high = 1e-3, 1e4
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if _leak(middle, epsilon) <= delta else (middle, high)
    return high


def _leak(sigma: float, epsilon: float) -> float:
    """The delta that noise of this deviation reaches."""
    shift, reach = 1 / (2 * sigma), epsilon * sigma
    return _below(shift - reach) - exp(epsilon) * _below(-shift - reach)


def _below(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2


def sensitivities(clip: int = CLIP) -> dict[str, float]:
    """The largest length (L2) that one person's numbers can have in each table, with at most `clip` rows of hers."""
    pairs = sqrt(clip * (clip + 1) / 2)
    return {
        "together": WHOLE**2 * pairs,
        "near": _lagging(clip, REACH, FADE),
        "after": _lagging(clip, STEP, STEP_FADE),
        "met": sqrt(clip),
        "late": sqrt(max(1, int(LATE * clip))),
        "stars": 2 * MOST_STARS * sqrt(clip),
        "liked": sqrt(clip),
    }


def _lagging(clip: int, reach: int, fade: float) -> float:
    steps = range(1, min(reach, clip - 1) + 1)
    return sqrt(sum((clip - n) * round(GRAIN * exp(-(n - 1) / fade)) ** 2 for n in steps))


def private_counts(history: History, epsilon: float, rng: Generator, clip: int = CLIP, scale: float = 1.0) -> Counts:
    """Counts with noise of (`epsilon`, DELTA) for whoever contributes.

    `scale` 1 is the real thing. In a study of few people, people / n makes the noise as small beside the counts as it
    would be with n contributors.
    """
    kept = history.rows(history.last(clip))
    exact, plain = count(kept), count(replace(kept, stars=None))
    sigma, sizes = deviation(epsilon) * scale, sensitivities(clip)
    budget = SHARES | {"near": SHARES["pairs"], "together": SHARES["pairs"]}
    noise = {name: sigma * size / sqrt(budget[name]) for name, size in sizes.items()}

    def pairs(name: str, values: NDArray[np.int32]) -> NDArray[np.int32]:
        return _noisy_pairs(values, noise[name], rng, alike=name != "after")

    def each(name: str, values: Floats | None) -> Floats | None:
        return None if values is None else np.rint(values + rng.normal(0, noise[name], values.shape)).clip(0)

    met = np.rint(exact.met + rng.normal(0, noise["met"], exact.met.shape)).clip(1)
    return Counts(
        met=met,
        together=None if exact.near is not None or plain.together is None else pairs("together", plain.together),
        paired=None,
        near=None if exact.near is None else pairs("near", exact.near),
        after=None if exact.after is None else pairs("after", exact.after),
        late=each("late", exact.late),
        stars=each("stars", exact.stars),
        liked=each("liked", exact.liked),
    )


def _noisy_pairs(values: NDArray[np.int32], sigma: float, rng: Generator, *, alike: bool) -> NDArray[np.int32]:
    """Noise on every pair, once for both directions where the table is `alike`; pairs within the noise are dropped."""
    noise = rng.normal(0, sigma, values.shape).astype(np.float32)
    if alike:
        noise = np.triu(noise) + np.triu(noise, 1).T
    noise += values
    diagonal = np.maximum(np.diag(noise), 0) if alike else np.zeros(len(noise), dtype=np.float32)
    noise[noise < CUT * sigma] = 0
    noise[np.diag_indices(len(noise))] = diagonal
    return np.rint(noise).astype(np.int32)
