"""`kluis fsck` finds nothing in a healthy directory and names each planted fault."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from keys.secret import Seed
from tests.conftest import Clock
from vault import fsck, pod as pods
from vault.errors import DamagedItem
from vault.pod import Blueprint, NewUnlocker
from vault.vault import Vault


@pytest.fixture
async def folder(vault: Vault, clock: Clock, tmp_path: Path) -> Path:
    """A directory with an office, a pod with a public resource, and a checkpoint."""
    await pods.found_office(vault, two_ways_in(), clock())
    plan = Blueprint({"loans": "kluis:LibraryLoan"}, resources=(("/public/a.txt", "text/plain", b"hello"),))
    await pods.create(vault, "an", "citizen", two_ways_in(), plan, clock())
    await vault.publish()
    return tmp_path


def two_ways_in() -> list[NewUnlocker]:
    return [NewUnlocker("recovery", "", Seed.fresh()) for _ in range(2)]


def found(folder: Path) -> list[str]:
    return fsck.check(folder / "vault", folder / "shares")


def plant(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute(sql).rowcount > 0


async def test_a_healthy_directory_has_no_fault_while_it_is_served(folder: Path) -> None:
    assert found(folder) == []


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("DELETE FROM entry WHERE idx = 0", "the log has no entry 0"),
        ("UPDATE entry SET leaf = x'02' WHERE idx = 1", "entry 1 has not the form of an entry"),
        ("UPDATE entry SET leaf = (SELECT leaf FROM entry WHERE idx = 1) WHERE idx = 0", "the log differs from its"),
        ("DELETE FROM record WHERE idx = 1", "entry 1 has no record"),
        ("UPDATE record SET seq = seq + 1 WHERE idx = 1", "has no record"),
        ("UPDATE podhead SET seq = 9", "says it has 9 records"),
        ("DELETE FROM unlocker WHERE id = (SELECT min(id) FROM unlocker)", "fewer than two ways in"),
        ("DELETE FROM unlocker WHERE id = (SELECT min(id) FROM unlocker)", "a share of unlocker"),
        ("UPDATE compartment SET custody = 'open'", "has custody open"),
        ("DELETE FROM compartment", "is sealed to a compartment that is not there"),
        (
            "UPDATE resource SET parent = x'00' WHERE id IN (SELECT id FROM body)",
            "lies in a container that is not there",
        ),
        ("UPDATE resource SET version = 7 WHERE id IN (SELECT id FROM body)", "is of another version"),
        ("UPDATE resource SET label = label || x'00'", "does not have the digest that stands beside it"),
        (
            "UPDATE body SET data = substr(data, 1, length(data) - 1) || x'00'",
            "does not have the digest that stands beside it",
        ),
        ("DELETE FROM pod", "is of no pod"),
        ("UPDATE checkpoint SET note = 'x'", "the log differs from its checkpoint"),
    ],
)
async def test_a_planted_fault_is_named(folder: Path, sql: str, sentence: str) -> None:
    plant(folder / "vault" / "kluis.db", sql)
    assert any(sentence in line for line in found(folder))


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("DELETE FROM share WHERE kind = 'custody'", "has no custody share"),
        ("DELETE FROM share WHERE kind = 'unlock'", "has no share"),
        ("INSERT INTO share VALUES ('grant', x'01', x'', x'02', x'03')", "a share of grant 01 outlives its gate"),
    ],
)
async def test_a_planted_fault_of_the_share_store_is_named(folder: Path, sql: str, sentence: str) -> None:
    plant(folder / "shares" / "shares.db", sql)
    assert any(sentence in line for line in found(folder))


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedItem, match="cannot be read"):
        found(tmp_path)


async def test_a_directory_of_another_version_is_refused(folder: Path) -> None:
    plant(folder / "vault" / "kluis.db", "UPDATE meta SET value = '0' WHERE key = 'version'")
    with pytest.raises(DamagedItem, match="another version"):
        found(folder)
