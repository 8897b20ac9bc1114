"""`kluis backup` and `kluis restore` as an operator types them: what they print, and the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.house import Household
from web.cli import app


@pytest.fixture
def here(house: Household, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kluis(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    read: dict[str, Any] = json.loads(result.stdout)
    return read


def test_a_served_directory_is_backed_up_and_restored_on_an_empty_machine(here: Path) -> None:
    made = told(kluis("backup", here / "kept", "--data", here, "--json"))
    assert made["entries"] and not made["pruned"] and "custodian" in " ".join(made["not_in_it"])
    done = told(kluis("restore", here / "kept", "--data", here / "new", "--json"))
    assert done["faults"] == [] and done["vault"] == made["vault"] and done["shares_put_back"]
    assert told(kluis("fsck", "--data", here / "new", "--json"))["faults"] == []
    assert "custodian" in kluis("backup", here / "kept", "--data", here).stdout


def test_what_cannot_be_done_is_one_line_and_no_success(here: Path) -> None:
    for words, why in (
        (("backup", here / "kept", "--data", here / "none"), "--data"),
        (("restore", here / "none", "--data", here / "new"), "no finished vault backup"),
    ):
        result = kluis(*words)
        assert result.exit_code == 2 and why in result.stderr and not result.stdout
    kluis("backup", here / "kept", "--data", here)
    result = kluis("restore", here / "kept", "--data", here)
    assert result.exit_code == 2 and "stop it first" in result.stderr


def test_faults_after_a_restore_are_no_success(here: Path, house: Household) -> None:
    house.vault.db.now(lambda tx: tx.run("UPDATE podhead SET seq = 99"))
    kluis("backup", here / "kept", "--data", here)
    result = kluis("restore", here / "kept", "--data", here / "new", "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["faults"]
