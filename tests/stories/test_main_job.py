"""The promise of the whole house, told once over HTTP and once against a server that does not keep its log."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stories.city import FORMATS, ROOT, city, copy, free_port

pytestmark = [pytest.mark.timeout(420)]
FORGETFUL = """
import sys
from vault.log import append
from vault.log.entry import Appended

async def pretend(self, intent):
    if intent.write is not None or intent.new_shares or intent.drops:
        return await honest(self, intent)
    return Appended(10**6, bytes(16), self.shares.take(intent.pod, intent.wants))

honest, append.Log.append = append.Log.append, pretend
sys.argv[0] = "kluis"
from web.cli import main
main()
"""


def real_files(tmp_path: Path) -> list[str]:
    """The sample files of real systems, if they are here; the event is published first, for a draft is not taken in."""
    if not FORMATS.exists():
        return []
    event = json.loads((FORMATS / "dev/uitdatabank-event-full.json").read_text())
    published = tmp_path / "event.json"
    published.write_text(json.dumps(event | {"workflowStatus": "APPROVED"}))
    loans = json.loads((FORMATS / "dev/folio-loans.json").read_text())
    folio = tmp_path / "folio.json"
    folio.write_text(json.dumps({"loans": loans["loans"][:1], "totalRecords": 1}))
    mijnbib = FORMATS / "synthetic/mijnbib-loans.json"
    return ["--mijnbib", str(mijnbib), "--folio", str(folio), "--uitdatabank", str(published)]


def test_the_main_job_runs_over_http_alone_with_every_step_measured(seeded: Path, tmp_path: Path) -> None:
    with city(copy(seeded, tmp_path)) as running:
        done = running.story(tmp_path, *real_files(tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr + running.errors.read_text()[-2000:]
        lines = done.stdout.splitlines()
        assert [line[:4] for line in lines] == [f"{n} ok" for n in range(1, 8)]
        for line in lines[:4]:
            assert re.search(r"entry=\d+ proof=in tree of \d+", line), line
        assert "keys=" in lines[5] and "->0 status=401" in lines[5]
        assert running.stop() == 0


def test_against_a_server_that_does_not_keep_its_log_the_main_job_fails(seeded: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-c", FORGETFUL]
    with city(copy(seeded, tmp_path), program) as running:
        done = running.story(tmp_path)
        assert done.returncode == 1
        assert "is not in the log" in done.stderr or "no line of the log" in done.stderr, done.stdout + done.stderr


def test_a_second_process_on_the_same_directory_is_refused_in_one_line(seeded: Path, tmp_path: Path) -> None:
    folder = copy(seeded, tmp_path)
    with city(folder):
        kluis = str(Path(sys.executable).with_name("kluis"))
        command = [kluis, "demo", "--port", str(free_port()), "--data", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
        assert done.returncode == 2
        told = [line for line in done.stderr.splitlines() if line.strip()]
        assert len(told) == 1 and "another process" in told[0]
