"""Somebody with the disk in her hands changes one line: the citizen, the operator and any outsider are told which."""

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.stories.city import ENVIRONMENT, ROOT, City, copy, home_port
from web.client import Client
from web.demo import DemoError
from web.tamper import tamper

pytestmark = [pytest.mark.timeout(420)]
KLUIS = str(Path(sys.executable).with_name("kluis"))


def kluis(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, as a person types it."""
    return subprocess.run(
        [KLUIS, *arguments], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_changed_line_is_named_by_the_citizens_check_by_fsck_and_by_log_verify(seeded: Path, tmp_path: Path) -> None:
    city = City(copy(seeded, tmp_path), home_port(seeded))
    try:
        base, data = city.told["base"], str(city.data)
        an = next(person for person in city.told["people"] if person.get("pod"))
        good = taken(base, an, tmp_path / "good.jsonl")
        assert kluis("fsck", "--data", data).returncode == 0
        verify = ("log", "verify", "--base", base, "--export")
        assert kluis(*verify, str(good)).returncode == 0

        done = kluis("demo", "tamper", "--data", data, "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        line, entry = told["line"], told["entry"]

        with httpx.Client(base_url=base, trust_env=False) as browser:
            shown = checked(browser, an)
        assert f"Regel {line}" in shown or f"regel {line}" in shown, shown[-3000:]
        assert 'id="log-broken"' in shown
        fsck = kluis("fsck", "--data", data)
        assert fsck.returncode == 1 and f"the record of entry {entry}," in fsck.stderr
        outside = kluis(*verify, str(taken(base, an, tmp_path / "bad.jsonl")))
        assert outside.returncode == 1 and f"entry {entry}: the record does not open" in outside.stderr, outside.stderr
        assert kluis(*verify, str(good)).returncode == 0  # what she took away before is still proven
    finally:
        city.stop()


def taken(base: str, person: dict[str, str], path: Path) -> Path:
    """Her own log, as she takes it away."""
    client = Client(base)
    client.login(person["user"], person["passphrase"])
    path.write_bytes(client.fetch("/api/log/export"))
    client.close()
    return path


def checked(browser: httpx.Client, person: dict[str, str]) -> str:
    """The page after she pressed the button of the check without JavaScript."""
    client = Client(str(browser.base_url).rstrip("/"))
    client.login(person["user"], person["passphrase"])
    token = client._form_token("/me/log")
    shown = client._send("POST", "/me/log/verify", data={"csrf": token}, headers={"Origin": client.base})
    client.close()
    return shown.text


@pytest.mark.parametrize("made", [[], ["vault"], ["demo"], ["demo", "vault", "shares"]])
def test_nothing_but_a_finished_demo_city_is_touched(tmp_path: Path, made: list[str]) -> None:
    for name in made:
        (tmp_path / name).mkdir()
    (tmp_path / "keep").write_text("x")
    with pytest.raises(DemoError, match="is not a demo city; nothing was changed"):
        tamper(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([*made, "keep"])
    done = kluis("demo", "tamper", "--data", str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "") and "nothing was changed" in done.stderr
