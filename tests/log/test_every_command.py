"""L10, the commands that work on a directory beside the server, acted out: none opens anything or adds a line."""

import json
import shutil
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import START
from tests.federation.cosigning import SmallLog, witness
from tests.log.test_every_job import entries, told_in
from tests.stories.provenance import watch
from tests.web import test_leaving
from tests.web.test_leaving import Place
from web.cli import app
from web.settings import Settings

pytestmark = pytest.mark.timeout(300)
place = test_leaving.place
EVERYTHING = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


def rows(database: Path) -> dict[str, list[Any]]:
    """Every row of every table."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return {name: sorted(map(repr, db.execute(f"SELECT * FROM {name}"))) for (name,) in db.execute(EVERYTHING)}


def run(*words: object) -> dict[str, Any]:
    done = CliRunner().invoke(app, [*map(str, words), "--json"])
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_tampering_with_a_demo_city_changes_one_stored_line_and_reads_none(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = place.settings.vault_dir / "kluis.db"
    (place.data / "demo").mkdir()
    (place.data / "demo" / "ready").touch()
    # As a demo city has it: its server's key lies beside its data.
    shutil.copy(place.data.parent / "custodian", place.data / "custodian")
    before, kept = rows(database), entries(place)
    with monkeypatch.context() as patch:
        watching = watch(patch, str(database))
        done = run("demo", "tamper", "--data", place.data)
    assert (watching.seen, watching.faults) == ({}, [])
    watching.database.close()
    after = rows(database)
    changed = {name: len(set(after[name]) - set(before[name])) for name in before if after[name] != before[name]}
    assert changed == {"record": 1} and done["pod"] == "an"
    assert entries(place) == kept


def test_a_restore_brings_the_log_as_it_was_and_opens_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept, before = entries(place), told_in(place, START)
    run("backup", tmp_path / "copy", "--data", place.data)
    with monkeypatch.context() as patch:
        watching = watch(patch, str(place.settings.vault_dir / "kluis.db"))
        run("restore", tmp_path / "copy", "--data", tmp_path / "new")
    assert {where[0] for where, _ in watching.seen} <= {"state"} and watching.faults == []
    watching.database.close()
    there = Place(tmp_path / "new", Settings(data=tmp_path / "new", port=place.settings.port))
    assert entries(there) == kept + 2  # those of looking, before the copy was made
    assert told_in(there, START)[: len(before)] == before  # and not one line of the restore


def test_a_witness_beside_a_vault_touches_no_file_of_it(place: Place, tmp_path: Path) -> None:
    def files() -> dict[str, str]:
        found = [path for path in place.data.rglob("*") if path.is_file()]
        return {str(path): sha256(path.read_bytes()).hexdigest() for path in found}

    kept, before, log = entries(place), files(), SmallLog().grow(5)
    with witness(tmp_path / "witness", log.every_vkey) as running:
        assert running.add(log.body(0)).status_code == 200
        held = [str(one.readlink()) for one in Path(f"/proc/{running.process.pid}/fd").iterdir()]
        mapped = Path(f"/proc/{running.process.pid}/maps").read_text(encoding="utf-8")
    assert not [one for one in [*held, mapped] if str(place.data) in one]
    assert files() == before and entries(place) == kept
