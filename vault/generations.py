"""Generations of a compartment (keys.md, Layout): from a cut on, everything new is under a new key.

A cut is made in an unlocked session only. With `rewrap` the keys of everything older move along, and the old
generations are gone. A grant that holds the compartment "from now on" must never get at what is older than its
consent by that, so the older things move into generations of their own, one per stretch between such consents.

The generations of the DPO's key are never let go of: every DPO record stays sealed to the one of its time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from keys.context import ctx
from keys.dropbox import collect
from keys.errors import Damaged, UnknownVersion
from keys.keyring import Box, Keyring
from keys.secret import CompartmentKey, DataKey, ManagedRoot, Private, Root
from keys.tree import unwrap, wrap
from vault.database import Tx
from vault.errors import Conflict, Denied, NoCompartment
from vault.keyring import Change
from vault.log.entry import Facts, Intent
from vault.pod import build_generation, child
from vault.tables import Compartment
from vault.unlocked import Unlocked, commit, identity, root
from vault.vault import DPO_CONTAINER, UNDER_ROOT, PodFacts, Vault

HELD = "SELECT id, generation, version, form, dek FROM resource WHERE compartment = :id AND form <> 'gone'"
MOVE = """
UPDATE resource SET generation = ?, form = 'own', dek = ?
WHERE id = ? AND version = ? AND generation = ? AND form <> 'gone'
"""
LEFT = "SELECT 1 FROM resource WHERE compartment = :id AND generation < :first AND form <> 'gone' LIMIT 1"
OLD = "DELETE FROM compartment WHERE id = :id AND generation < :first"
TRIES = 4
Parents = dict[str, Root | ManagedRoot]


class Delivery(Protocol):
    """Who else gets new generations: the grants that hold the compartment, as the floor above knows them."""

    def starts(self, compartment: bytes) -> set[int]:
        """The oldest generation that each live grant on a compartment holds."""

    def deliver(self, ring: Keyring, made: "Made") -> Callable[[Tx], None]:
        """Seal a new generation to every grant that holds all that is in it; the rows are written in the unit."""

    def retire(self, tx: Tx, compartment: bytes, first: int) -> None:
        """Forget wraps of generations before `first`."""


@dataclass(frozen=True)
class Made:
    """A new generation: its row and key, and the stretch (`since` to `until`) of old ones that move into it."""

    row: Compartment
    key: CompartmentKey
    since: int
    until: int


# The key of one resource on its way from one generation to another: new generation, wrap, resource, version, old one.
Move = tuple[int, bytes, bytes, int, int]


def rows_of(vault: Vault, pod: PodFacts, cid: bytes) -> list[Compartment]:
    """Every generation of a compartment, oldest first. Raises NoCompartment."""
    rows = vault.db.read.find(Compartment, order_by="generation", id=cid, pod=pod.id)
    if not rows:
        raise NoCompartment("no such compartment")
    return rows


def untouched(vault: Vault, pod: PodFacts, container: str) -> bool:
    """Whether nothing but the container itself lies in the newest generation: then a cut would cut nothing off."""
    cid = pod.compartment(container)
    newest = rows_of(vault, pod, cid)[-1].generation
    found = vault.db.read.run(HELD, id=cid)
    return all(rid == pod.resource(f"/{container}/") or generation < newest for rid, generation, *_ in found)


async def cut(
    vault: Vault,
    session: Unlocked,
    containers: Iterable[str],
    delivery: Delivery,
    now: datetime,
    *,
    rewrap: bool = False,
    custody: str | None = None,
) -> None:
    """Cut a new generation of each compartment, one transaction each. `custody` changes it, which implies `rewrap`.

    Raises Denied if the session ended, NoCompartment, Conflict: "public" for sealing what everybody must reach,
    "office" for giving the custodian the DPO's key.
    """
    facts = Facts("key event", "open root", rule="new generation")
    async with root(vault, session, facts, now) as rk:
        for container in containers:
            if custody == "sealed" and container in UNDER_ROOT:
                raise Conflict("public")
            if custody and _is_dpo(session.pod, container):
                raise Conflict("office")
            await _try(partial(_one, vault, session, container, delivery, now, rewrap, custody, rk))


async def _one(
    vault: Vault, session: Unlocked, container: str, delivery: Delivery, now: datetime,
    rewrap: bool, custody: str | None, rk: Root,
) -> None:  # fmt: skip
    await _Cut(vault, session, container, delivery, now, rewrap, custody).run(rk)


async def _try(job: Callable[[], Awaitable[None]]) -> None:
    for left in reversed(range(TRIES)):
        try:
            await job()
            return
        except Denied as refused:
            if refused.reason != "changed" or not left:
                raise


class _Cut:
    """One compartment's new generation."""

    def __init__(
        self,
        vault: Vault,
        session: Unlocked,
        container: str,
        delivery: Delivery,
        now: datetime,
        rewrap: bool,
        custody: str | None,
    ) -> None:
        self.vault, self.session, self.container, self.delivery, self.now = vault, session, container, delivery, now
        self.pod = session.pod
        self.cid = self.pod.compartment(container)
        self.rows = rows_of(vault, self.pod, self.cid)
        self.newest = self.rows[-1].generation
        self.custody = custody or self.rows[-1].custody
        self.dpo = _is_dpo(self.pod, container)
        self.rewrap = (rewrap or custody is not None) and not self.dpo

    async def run(self, rk: Root) -> None:
        """Make the keys, move what moves, store all in one transaction."""
        with ExitStack() as held:
            managed = child(self.vault, self.pod, rk, "mk", ManagedRoot)
            assert isinstance(managed, ManagedRoot)  # noqa: S101 -- narrows the type that was asked for
            held.enter_context(managed)
            parents: Parents = {"sealed": rk, "managed": managed}
            made = [self._make(number, since, until, parents) for number, (since, until) in self._stretches()]
            for one in made:
                held.enter_context(one.key)
            moves = await self._moves(made, parents)
            signer = held.enter_context(identity(self.vault, self.pod, rk))
            await commit(self.vault, self.pod, signer, partial(self._edit, made), partial(self._intent, made, moves))

    def _stretches(self) -> list[tuple[int, tuple[int, int]]]:
        """The new generations' numbers, and which old ones move into each."""
        if not self.rewrap:
            return [(self.newest + 1, (self.newest + 1, self.newest))]
        there = {row.generation for row in self.rows}
        starts = sorted({min(there), *(self.delivery.starts(self.cid) & there)})
        ends = [*(start - 1 for start in starts[1:]), self.newest]
        return list(enumerate(zip(starts, ends, strict=True), self.newest + 1))

    def _make(self, number: int, since: int, until: int, parents: Parents) -> Made:
        key = CompartmentKey.fresh()
        sealed = self.rows[-1].sealed
        row = build_generation(self.pod, self.cid, number, self.custody, parents[self.custody], key, sealed)
        return Made(row, key, since, until)

    async def _moves(self, made: list[Made], parents: Parents) -> list[Move]:
        """The keys of what moves, under their new generation. Of a mere cut only the container's own key moves."""
        held, home = self.vault.db.read.run(HELD, id=self.cid), self.pod.resource(f"/{self.container}/")
        if not self.rewrap:
            held = [row for row in held if row[0] == home]
            made = [replace(made[0], since=1)]
        return await asyncio.to_thread(self._moved, held, made, home, parents)

    def _moved(
        self, held: list[tuple[bytes, int, int, str, bytes]], made: list[Made], home: bytes,
        parents: Parents,
    ) -> list[Move]:  # fmt: skip
        old, moves = {row.generation: row for row in self.rows}, []
        with ExitStack() as opened:
            keys: dict[int, tuple[CompartmentKey, Private]] = {}
            for rid, generation, version, form, dek in held:
                if generation not in keys:
                    pair = _open(self.pod, old[generation], parents)
                    keys[generation] = (opened.enter_context(pair[0]), opened.enter_context(pair[1]))
                to = made[-1] if rid == home else next(one for one in made if one.since <= generation <= one.until)
                moves.append(self._move(rid, generation, version, form, dek, keys[generation], to))
        return moves

    def _move(
        self,
        rid: bytes,
        generation: int,
        version: int,
        form: str,
        dek: bytes,
        keys: tuple[CompartmentKey, Private],
        to: Made,
    ) -> Move:
        pod, cid, number = self.pod.id, self.cid, to.row.generation
        context = ctx("dek", pod, cid, generation, rid, version, form)
        key, private = keys
        try:
            opened = unwrap(key, context, dek, DataKey) if form == "own" else collect(private, context, dek, DataKey)
        except (Damaged, UnknownVersion):
            if form == "own":
                raise
            return number, dek, rid, version, generation  # a source's rubbish moves along, and never opens
        with opened:
            there = ctx("dek", pod, cid, number, rid, version, "own")
            return number, wrap(to.key, there, opened), rid, version, generation

    def _edit(self, made: list[Made], ring: Keyring) -> Keyring:
        if self.rewrap:
            ring = replace(ring, compartments={**ring.compartments, self.cid: Box(self.custody, {})})
        for one in made:
            ring = ring.with_box(self.cid, self.custody, one.row.generation, one.row.public)
        return ring

    def _intent(self, made: list[Made], moves: list[Move], change: Change) -> Intent:
        ring = self.vault.keyring(self.pod)
        letters = [self.delivery.deliver(ring, one) for one in made]

        def write(tx: Tx) -> None:
            if tx.run("SELECT max(generation) FROM compartment WHERE id = :id", id=self.cid)[0][0] != self.newest:
                raise Conflict("changed")
            change(tx)
            tx.shut.add(self.pod.id)
            for one in made:
                tx.add(one.row)
            tx.raw.executemany(MOVE, moves)
            for letter in letters:
                letter(tx)
            if self.rewrap:
                self._leave(tx, made[0].row.generation)
            if self.dpo:
                self.vault.log.new_keys(b"")

        facts = Facts("key event", "new generation", rule="session", resources=(f"/{self.container}/",),
                      count=len(moves), note=self.custody, keyring=change.digest)  # fmt: skip
        return Intent(self.pod.id, facts, self.now, (self.session.guard,), write=write)

    def _leave(self, tx: Tx, first: int) -> None:
        """Delete the old generations. What was written meanwhile did not move: then all of this is done again."""
        if tx.run(LEFT, id=self.cid, first=first):
            raise Conflict("changed")
        tx.run(OLD, id=self.cid, first=first)
        self.delivery.retire(tx, self.cid, first)


def _is_dpo(pod: PodFacts, container: str) -> bool:
    return pod.kind == "office" and container == DPO_CONTAINER


def _open(pod: PodFacts, row: Compartment, parents: Parents) -> tuple[CompartmentKey, Private]:
    """The key of a generation and the private half of its pair."""
    here = (pod.id, row.custody, row.id, row.generation)
    key = unwrap(parents[row.custody], ctx("ck", *here), row.wrapped, CompartmentKey)
    return key, unwrap(key, ctx("ck", pod.id, "pair", row.id, row.generation), row.private, Private)
