"""Things sealed for places that differ in one field each, under shared parents: only the context keeps them apart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from keys.context import ctx
from keys.dropbox import collect, deliver, pair
from keys.seal import Sealer, seal
from keys.secret import CompartmentKey, DataKey, GrantKey, Private, RecordKey, Root, Secret, Share, derive
from keys.unseal import unseal, unseal_record

PODS = COMPARTMENTS = GRANTS = RESOURCES = (b"a" * 16, b"b" * 16)
NUMBERS, PURPOSES = (1, 2), ("dpv:Personalisation", "dpv:Marketing")

# kind -> the values its fields may take; every combination is a place of its own.
PLACES: dict[str, tuple[tuple[Any, ...], ...]] = {
    "root": (PODS, ("rk", "mk", "custody"), ("identity", "log", "mk", "msign")),
    "ck": (PODS, ("sealed", "managed", "pair"), COMPARTMENTS, NUMBERS),
    "gk": (PODS, GRANTS, ("kat", "krt"), RESOURCES, ("app", "other"), ("jkt", "tkj")),
    "ck-grant": (PODS, GRANTS, ("app", "other"), PURPOSES, ("2026-11", "2026-12"), COMPARTMENTS, NUMBERS),
    "dek": (PODS, COMPARTMENTS, NUMBERS, RESOURCES, NUMBERS, ("own", "deposit")),
    "label": (PODS, RESOURCES, NUMBERS),
    "body": (PODS, RESOURCES, NUMBERS, (bytes(32), b"\1" * 32)),
    "record": (("log/2026h2", "log/2027h1"), RESOURCES, RESOURCES),
    "dpo-record": (("log/2026h2", "log/2027h1"), RESOURCES, RESOURCES),
    "session": (PODS, RESOURCES, RESOURCES),
    "state": (("grant", "token"), RESOURCES, ("sealed", "wrap")),
}
LETTERS: dict[str, tuple[type[Secret], tuple[tuple[Any, ...], ...]]] = {
    "unlock": (Root, (PODS, RESOURCES, ("passphrase", "recovery"))),
    "dek": (DataKey, (PODS, COMPARTMENTS, NUMBERS, RESOURCES, NUMBERS, ("deposit",))),
    "ck-grant": (CompartmentKey, PLACES["ck-grant"]),
    "record-key": (RecordKey, (PODS, ("log/2026h2", "log/2027h1"), RESOURCES)),
    "old-log": (Private, (PODS, (bytes(32), b"\1" * 32))),
}
Opening = Callable[[bytes, bytes], object]


@dataclass(frozen=True)
class Thing:
    """One sealed thing: the family that shares its key and way of opening, its context, and how it is opened."""

    family: str
    context: bytes
    sealed: bytes
    opened: Opening


def things(rng: np.random.Generator, each: int) -> list[Thing]:
    """`each` things of every family at random places."""
    found: list[Thing] = []
    for kind, choices in PLACES.items():
        found += _picked(rng, each, list(_envelopes(kind, choices)))
    for kind, (secret, choices) in LETTERS.items():
        found += _picked(rng, each, list(_letters(kind, secret, choices)))
    return found


def _picked(rng: np.random.Generator, each: int, all_: list[Callable[[], Thing]]) -> list[Thing]:
    return [all_[int(at)]() for at in rng.permutation(len(all_))[:each]]


def _envelopes(kind: str, choices: tuple[tuple[Any, ...], ...]) -> Iterator[Callable[[], Thing]]:
    """Envelopes of a kind under one parent; the keys of grants and tokens come from it, with a share or without."""
    parent, share = GrantKey.fresh(), Share.fresh() if kind in ("ck-grant", "session") else None
    bent, many = kind in ("gk", "ck-grant", "session"), kind in ("record", "dpo-record")

    def key(context: bytes) -> Secret:
        return derive(parent, context, share) if bent else parent

    def opened(context: bytes, sealed: bytes) -> bytes:
        return (unseal_record if many else unseal)(key(context), context, sealed)

    def made(context: bytes) -> Thing:
        sealed = Sealer(parent).seal(context, bytes(32)) if many else seal(key(context), context, bytes(32))
        return Thing(kind, context, sealed, opened)

    yield from (partial(made, ctx(kind, *fields)) for fields in product(*choices))


def _letters(kind: str, secret: type[Secret], choices: tuple[tuple[Any, ...], ...]) -> Iterator[Callable[[], Thing]]:
    private, public = pair()

    def opened(context: bytes, sealed: bytes) -> Secret:
        return collect(private, context, sealed, secret)

    def made(context: bytes) -> Thing:
        return Thing(f"{kind} letter", context, deliver(public, context, secret.fresh()), opened)

    yield from (partial(made, ctx(kind, *fields)) for fields in product(*choices))
