"""SL1: a member costs the same in a container of 10,000 as in one of 100, in CPU time of the vault's processes."""

import json
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from tests.proof import figure, proving, rounds
from tests.stories.city import free_port
from web import bench
from web.cli import app

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(1800)]
FEW = bench.Sizes(10, 40, (10,), 32)


def test_what_a_member_costs_does_not_grow_with_its_container() -> None:
    turns = rounds(1, "SL1")
    taken = bench.run(free_port(), lambda: datetime.now(UTC), turns, None if proving() else FEW)
    told = {one["name"]: one for one in taken["cases"]}
    assert all(one["requests"] > 0 and one["p99_ms"] >= one["p50_ms"] > 0 for one in told.values())
    assert {"put", "post"} <= set(told)
    (ratio,) = taken["ratios"].values()
    figure("SL1", ratio, turns)
    for number, one in enumerate(taken["cases"]):  # told beside it: CPU milliseconds of each case, in its order
        figure(f"SL2.{number} {one['name'].replace(' ', '-')} CPU-ms", one["cpu_ms"], turns)
    assert 0.2 < ratio < (1.2 if proving() else 5)


@pytest.mark.parametrize("how", [[], ["--json"]], ids=["words", "json"])
def test_the_command_tells_what_was_taken_and_what_this_vault_does_not_do(
    monkeypatch: pytest.MonkeyPatch, how: list[str]
) -> None:
    case = {"name": "put", "requests": 400, "cpu_ms": 3.5, "p50_ms": 40.1, "p99_ms": 80.2}
    taken = {"rounds": 2, "cases": [case], "not_done": ["patch"], "ratios": {"member of 40 to member of 10": 1.01}}
    monkeypatch.setattr(bench, "run", lambda _port, _clock, rounds: taken | {"rounds": rounds})
    done = CliRunner().invoke(app, ["bench", "--rounds", "2", *how])
    assert done.exit_code == 0, done.output
    if how:
        assert json.loads(done.stdout) == taken
    else:
        assert all(said in done.stdout for said in ("put", "3.5", "80.2", "1.01", "patch: this vault does not do it"))
