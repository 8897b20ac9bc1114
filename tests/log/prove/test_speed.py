"""L3 and L4: what a durable, sealed, chained entry costs, as ratios to SQLite and SHA-256 alone in the same run.

Baseline of L3: the very rows of such an entry (record, leaf, DPO record, head), ready made, one commit for each.
Measured in turns, so that whatever else the machine does weighs on both; the median of the turns counts.
"""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from keys.merkle import Tree, leaf_hash
from tests.conftest import Clock
from tests.consent.test_report import READ
from tests.proof import figure, proving, rounds
from tests.vault.test_fsck import two_ways_in
from vault import pod as pods
from vault.database import WAIT
from vault.log.entry import Intent
from vault.pod import Blueprint
from vault.vault import Vault

pytestmark = pytest.mark.skipif(not proving(), reason="measures time: runs with `make prove-log`")
TABLES = ("record", "entry", "dporecord")
HEAD = "INSERT INTO podhead VALUES (?, ?, ?) ON CONFLICT (pod) DO UPDATE SET seq = excluded.seq, head = excluded.head"


async def a_pod(vault: Vault, clock: Clock) -> bytes:
    """A pod and an office to write for."""
    await pods.found_office(vault, two_ways_in(), clock())
    await pods.create(vault, "an", "citizen", two_ways_in(), Blueprint({"loans": "kluis:LibraryLoan"}), clock())
    made = vault.pod("an")
    assert made is not None
    return made.id


async def ours(vault: Vault, pod: bytes, clock: Clock, at_once: int, entries: int) -> float:
    """Entries a second with so many callers, each with one entry under way."""

    async def caller() -> None:
        for _ in range(entries // at_once):
            await vault.log.append(Intent(pod, READ, clock()))

    begun = perf_counter()
    await asyncio.gather(*(caller() for _ in range(at_once)))
    return entries / (perf_counter() - begun)


class Bare:
    """SQLite alone: the same tables in a file of its own, one commit an entry, synchronous=FULL."""

    def __init__(self, vault: Vault, folder: Path) -> None:
        self.db = sqlite3.connect(folder / "bare.db", isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self.db.execute(f"PRAGMA {pragma}")
        names = (*TABLES, "podhead")
        for (sql,) in vault.db.read.run(f"SELECT sql FROM sqlite_master WHERE tbl_name IN {names} AND sql IS NOT NULL"):
            self.db.execute(sql)
        last = {table: vault.db.read.run(f"SELECT * FROM {table} ORDER BY idx DESC LIMIT 1")[0] for table in TABLES}
        self.rows, self.next = last, count(1)

    def per_second(self, entries: int) -> float:
        begun = perf_counter()
        for _ in range(entries):
            index = next(self.next)
            self.db.execute("BEGIN IMMEDIATE")
            for table, (_, *rest) in self.rows.items():
                marks = ", ".join("?" * (len(rest) + 1))
                self.db.execute(f"INSERT INTO {table} VALUES ({marks})", (index, *rest))
            self.db.execute(HEAD, (self.rows["record"][1], index, bytes(32)))
            self.db.execute("COMMIT")
        return entries / (perf_counter() - begun)


async def test_l3_group_commit_against_one_sqlite_commit_an_entry(vault: Vault, clock: Clock, tmp_path: Path) -> None:
    pod, turns = await a_pod(vault, clock), rounds(5, "L3a")
    await ours(vault, pod, clock, 64, 640)
    await ours(vault, pod, clock, 1, 1)  # alone in its batch: a row of DPO records with this one in it
    bare, at_64, at_512 = Bare(vault, tmp_path), [], []
    for _ in range(turns):
        at_64.append(await ours(vault, pod, clock, 64, 6_400) / bare.per_second(200))
        at_512.append(await ours(vault, pod, clock, 512, 10_240) / bare.per_second(200))
    bare.db.close()
    figure("L3a", round(median(at_64), 1), turns)
    figure("L3b", round(median(at_512), 1), turns)


async def test_l3_an_entry_alone_waits_for_one_commit(vault: Vault, clock: Clock, tmp_path: Path) -> None:
    pod, turns = await a_pod(vault, clock), rounds(5, "L3c")
    taken = []
    for _ in range(turns):
        alone = median([1 / await ours(vault, pod, clock, 1, 1) for _ in range(100)])
        taken.append(alone / (WAIT + 2 * median(syncs(tmp_path / "synced"))))
    figure("L3c", round(median(taken), 2), turns)


def syncs(path: Path) -> Iterator[float]:
    """Seconds of one fdatasync after a page was added to a file."""
    with path.open("ab", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            begun = perf_counter()
            os.fdatasync(file.fileno())
            yield perf_counter() - begun


def test_l4_a_leaf_appended_to_the_tree_against_its_hashes_alone() -> None:
    turns, leaves, ratios = rounds(5, "L4"), [number.to_bytes(66, "big") for number in range(65_536)], []
    for _ in range(turns):
        tree, bare, mine = Tree(), 0.0, 0.0
        for at in range(0, len(leaves), 4096):
            part = leaves[at : at + 4096]
            bare += timed_bare(part)
            mine += timed_tree(tree, part)
        ratios.append(mine / bare)
    figure("L4", round(median(ratios), 2), turns)


def timed_bare(leaves: list[bytes]) -> float:
    """The hashes that RFC 6962 asks for, one leaf and one node each, and nothing else."""
    pair, begun = bytes(64), perf_counter()
    for leaf in leaves:
        sha256(b"\0" + leaf).digest()
        sha256(b"\1" + pair).digest()
    return perf_counter() - begun


def timed_tree(tree: Tree, leaves: list[bytes]) -> float:
    begun = perf_counter()
    for leaf in leaves:
        tree.append(leaf_hash(leaf))
    return perf_counter() - begun
