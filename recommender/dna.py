"""Cultural DNA: the traits that her own things share, each with things that show it, without what she took back.

It is counted anew from what was opened for this call, and kept nowhere.
"""

from dataclasses import dataclass

from recommender.profile import Profile, Trace
from recommender.wishes import Wishes, traits

MOST = 10
EVIDENCE = 3


@dataclass(frozen=True)
class Trait:
    """A trait as wishes name it, how many of her things have it, and the first few of these."""

    name: str
    count: int
    evidence: tuple[Trace, ...]


def dna(profile: Profile, wishes: Wishes) -> list[Trait]:
    """At most `MOST` traits that two of her things share, the most common first; a single thing is no taste."""
    found: dict[str, dict[str, Trace]] = {}
    for trace in (trace for part in profile.traces.values() for trace in part):
        for name in traits("", "", trace.maker, trace.topics):
            found.setdefault(name, {}).setdefault(trace.id, trace)
    gone = wishes.less | wishes.never
    shared = [(name, hers) for name, hers in found.items() if len(hers) > 1 and name not in gone]
    best = sorted(shared, key=lambda one: (-len(one[1]), one[0]))[:MOST]
    return [Trait(name, len(hers), tuple(hers.values())[:EVIDENCE]) for name, hers in best]
