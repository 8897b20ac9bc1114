"""K1: what was altered, cut, or moved to another place never opens, however it is put there."""

from collections import Counter
from collections.abc import Callable

import numpy as np

from keys.errors import KeysError
from tests.keys.prove.population import Thing, things
from tests.proof import figure, rounds

FEW = 600
Mutation = Callable[[np.random.Generator, Thing, list[Thing]], tuple[bytes, bytes]]


def flipped(rng: np.random.Generator, one: Thing, _: list[Thing]) -> tuple[bytes, bytes]:
    """One bit somewhere."""
    at, bad = int(rng.integers(len(one.sealed) * 8)), bytearray(one.sealed)
    bad[at // 8] ^= 1 << at % 8
    return one.context, bytes(bad)


def cut(rng: np.random.Generator, one: Thing, _: list[Thing]) -> tuple[bytes, bytes]:
    return one.context, one.sealed[: int(rng.integers(len(one.sealed)))]


def lengthened(rng: np.random.Generator, one: Thing, _: list[Thing]) -> tuple[bytes, bytes]:
    return one.context, one.sealed + rng.bytes(int(rng.integers(1, 64)))


def spliced(rng: np.random.Generator, one: Thing, all_: list[Thing]) -> tuple[bytes, bytes]:
    """The head of one and the tail of another."""
    other = _other(rng, one, [t for t in all_ if t.sealed != one.sealed])
    at = int(rng.integers(1, len(one.sealed)))
    return one.context, one.sealed[:at] + other.sealed[at:]


def moved(rng: np.random.Generator, one: Thing, all_: list[Thing]) -> tuple[bytes, bytes]:
    """Another thing of the same family, under the same key, put where this one was: pod, version, purpose and so on."""
    return one.context, _other(rng, one, [t for t in all_ if t.family == one.family]).sealed


def retyped(rng: np.random.Generator, one: Thing, all_: list[Thing]) -> tuple[bytes, bytes]:
    """Opened as a thing of another kind, with its own key."""
    return _other(rng, one, [t for t in all_ if t.context[:20] != one.context[:20]]).context, one.sealed


def _other(rng: np.random.Generator, one: Thing, those: list[Thing]) -> Thing:
    others = [thing for thing in those if thing.context != one.context]
    return others[int(rng.integers(len(others)))]


MUTATIONS: tuple[Mutation, ...] = (flipped, cut, lengthened, spliced, moved, retyped)


def test_k1_no_mutation_of_what_is_sealed_opens() -> None:
    count, rng = rounds(FEW, "K1a"), np.random.default_rng(20261121)
    population, tried, accepted = things(rng, 12), Counter[str](), []
    for thing in population:
        thing.opened(thing.context, thing.sealed)  # each does open where it belongs
    for number in range(count):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        victim = population[int(rng.integers(len(population)))]
        context, sealed = mutation(rng, victim, population)
        tried[mutation.__name__] += 1
        try:
            victim.opened(context, sealed)
        except KeysError:
            continue
        accepted.append((mutation.__name__, victim.family))
    figure("K1a", len(accepted), sum(tried.values()))
    assert accepted == [] and min(tried.values()) >= count // len(MUTATIONS)
