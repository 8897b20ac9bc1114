"""SL1: a member costs the same in a container of 10,000 as in one of 100, in CPU time of the vault's processes."""

from datetime import UTC, datetime

import pytest

from tests.proof import figure, proving, rounds
from tests.stories.city import free_port
from web import bench

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
