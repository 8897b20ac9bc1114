"""Pods come in over the operator's socket: under the address of the server that runs, whatever the shell is told."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests import moving_trees as trees
from tests.browser.town import Town
from web.cli import app

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(120)]


def test_a_pod_gets_the_address_that_the_running_server_has_and_a_dry_run_says_that_it_was_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "oud"
    tree.mkdir()
    trees.css_pod(tree, "lies", {"a$.txt": b"x"})
    trees.css_accounts(tree, ["lies"])
    monkeypatch.delenv("KLUIS_BASE_URL", raising=False)
    town = Town(tmp_path)
    try:
        asked = ["import", "css", str(tree), "--data", str(tmp_path / "data"), "--json"]
        asked += ["--invitations", str(tmp_path / "invitations.jsonl")]
        dry = CliRunner().invoke(app, [*asked, "--dry-run"])
        assert json.loads(dry.stdout)["dry_run"] == "nothing was stored", dry.output
        done = CliRunner().invoke(app, asked)
        assert (done.exit_code, json.loads(done.stdout)["imported"]) == (0, 1), done.output
        (line,) = (tmp_path / "invitations.jsonl").read_text().splitlines()
        assert json.loads(line)["login"] == f"{town.base}/login/invitation?user=lies"
    finally:
        town.stop()
