"""A start computes only what came after the stored tiles, and what it brings back is the tree of the entries."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from keys.merkle import Tree, leaf_hash
from tests.house import Household
from tests.log.reopened import again
from vault import fsck
from vault.database import Tx
from vault.errors import DamagedItem
from vault.log.tiles import Ledger
from vault.tables import Entry

MANY = 70_000  # more than one tile of the second level


class Counted(Tx):
    """A connection that counts the rows it gives."""

    rows = 0

    def run(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        found = super().run(sql, **params)
        self.rows += len(found)
        return found


@pytest.fixture
async def long(house: Household, tmp_path: Path) -> tuple[Household, Path]:
    """A closed directory with many entries, most of them under stored tiles, the last newer than every checkpoint."""
    vault = house.vault
    leaves = [b"\x01\x02%d" % index for index in range(vault.log.ledger.tree.size, MANY)]
    rows = list(enumerate(leaves, vault.log.ledger.tree.size))
    await vault.db.write(lambda tx: tx.raw.executemany("INSERT INTO entry VALUES (?, ?)", rows))
    for leaf in leaves:
        vault.log.ledger.add(leaf)
    await vault.publish()
    await house.keep("/interests/late.jsonld", {})
    vault.close()
    return house, tmp_path


def plant(folder: Path, sql: str) -> None:
    with closing(sqlite3.connect(folder / "vault" / "kluis.db")) as db, db:
        assert db.execute(sql).rowcount > 0


async def test_a_start_reads_the_entries_after_the_last_full_tile_and_no_more(long: tuple[Household, Path]) -> None:
    house, folder = long
    vault = again(folder, house)
    counted = Counted(vault.db.read.raw)
    ledger = Ledger(vault.log.ledger.origin, vault.log.shards.keys, counted)
    ledger.load(2**62)
    assert ledger.tree.size == vault.log.shards.kept > MANY
    assert counted.rows < 2 * 256 + 10  # entries of the open tile, tiles whose tops stand in the open ones above
    whole = Tree()
    for row in vault.db.read.find(Entry, order_by="idx"):
        whole.append(leaf_hash(row.leaf))
    assert ledger.tree.root() == vault.log.ledger.tree.root() == whole.root()
    for index in (0, 65_535, MANY - 1):
        assert ledger.inclusion(index) == whole.inclusion(index, ledger.size)
    vault.close()
    assert fsck.check(folder / "vault", folder / "shares") == []


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND idx = 7", "tile 0/7 of 2026h2 is not that of"),
        ("UPDATE tile SET hashes = x'00' WHERE level = 1", "tile 1/0 of 2026h2 is not that of"),
        ("UPDATE tile SET idx = 900 WHERE level = 0 AND idx = 7", "tile 0/900 of 2026h2 is not that of"),
        ("UPDATE entry SET leaf = x'010200' WHERE idx = 300", "tile 0/1 of 2026h2 is not that of"),
    ],
)
async def test_a_stored_tile_that_is_not_that_of_the_entries_is_named(
    long: tuple[Household, Path], sql: str, sentence: str
) -> None:
    plant(long[1], sql)
    assert any(fault.startswith(sentence) for fault in fsck.check(long[1] / "vault", long[1] / "shares"))


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM entry WHERE idx > 69000",
        "DELETE FROM entry WHERE idx = 69990",
        "DELETE FROM tile WHERE level = 0 AND idx = 270",
        "UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND idx = 270",
        "DELETE FROM tile WHERE level = 1",
    ],
)
async def test_rows_that_do_not_give_the_published_tree_are_not_started_from(
    long: tuple[Household, Path], sql: str
) -> None:
    house, folder = long
    plant(folder, sql)
    with pytest.raises(DamagedItem):
        again(folder, house)


async def test_a_log_that_grew_in_this_process_gives_every_proof_and_tile_out_of_what_it_stored(
    house: Household,
) -> None:
    vault = house.vault
    for turn in range(2):  # a second half-year is opened by the process itself too
        house.clock.forward(days=60 * turn)
        for _ in range(600):
            await vault.log.state(b"said", house.clock())
        await vault.publish()
    for ledger in vault.log.shards.all:
        rows = [row for row in vault.db.read.find(Entry, order_by="idx") if vault.log.shards.at(row.idx) is ledger]
        whole = Tree()
        for row in rows:
            whole.append(leaf_hash(row.leaf))
        assert ledger.size == whole.size > 512 and ledger.tree.root() == whole.root()
        for index in (0, 255, 256, 511, ledger.size - 1):
            assert ledger.inclusion(index) == whole.inclusion(index, whole.size)
        assert ledger.consistency(300, ledger.size) == whole.consistency(300, whole.size)
        assert [ledger.tile(0, at, 256) for at in (0, 1)] == [whole.tile(0, at) for at in (0, 1)]
