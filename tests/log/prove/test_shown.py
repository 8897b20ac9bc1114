"""L6: lines dropped, reordered, doubled, cut off, edited or put in between are found out within one epoch.

By her device, with or without anything remembered, and by `kluis log verify` on her export, even against a log that the
server signed anew over its own version.
"""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.house import Household
from tests.log.prove.evil import TREE, Attack, Evil, exported as in_lines
from tests.proof import figure, rounds
from tests.web.made_log import NODE, in_node
from vault.gates import ms
from vault.log.entry import Facts, Intent
from web.verify import LogBroken, check_records, read_directory

OTHERS = Facts("admin", "read totals", rule="dpo")


async def turn(house: Household, lines: int) -> None:
    """An and others do something, and an epoch ends."""
    for number in range(lines):
        await house.keep(f"/interests/{number}.jsonld", {"schema:name": str(number)})
        await house.vault.log.append(Intent(house.vault.office, OTHERS, house.clock()))
    house.clock.forward(minutes=1)
    await house.vault.epochs.sum_up(house.vault.log, house.clock())
    await house.vault.publish()


@pytest.mark.skipif(NODE is None, reason="node is not installed: verify.js cannot be run here")
async def test_whatever_the_server_does_to_lines_under_a_summary_is_found_out(house: Household, tmp_path: Path) -> None:
    await turn(house, 3)
    first = Evil(house)
    (old,) = in_node(tmp_path, [("check", [first.bare(), None, [], ms(house.clock())])])
    await turn(house, 4)
    evil = Evil(house)
    now = ms(house.clock())
    good = [("check", [told, memory, evil.grown(memory), now]) for told in (evil.bare(), evil.proven())
            for memory in (None, old["memory"])]  # fmt: skip
    assert all(one["ok"] for one in in_node(tmp_path, good)) and passes(house, evil)
    await evil.do(Attack("nothing", TREE, True, 1, 2, ""))  # its tools leave no trace of their own but a new signature
    (same,) = in_node(tmp_path, [("check", [evil.bare(), old["memory"], evil.grown(old["memory"]), now + 60_000])])
    assert same["ok"] and passes(house, evil)
    await evil.back()
    chance, tried, jobs = Random(6), rounds(60, "L6"), list[tuple[str, list[Any]]]()
    attacks, exported = [Attack.drawn(chance, len(evil.lines)) for _ in range(tried)], 0
    for attack in attacks:
        await evil.do(attack)
        memory = chance.choice([None, old["memory"]])
        told = evil.bare() if chance.random() < 0.5 else evil.proven()
        jobs.append(("check", [told, memory, evil.grown(memory), now + 60_000]))
        exported += passes(house, evil)
        await evil.back()
    assert passes(house, evil)
    verdicts = [one for at in range(0, tried, 200) for one in in_node(tmp_path, jobs[at : at + 200])]
    reasons = Counter(f"{one.get('reason')}" for one in verdicts)
    print(f"found out by: {dict(reasons.most_common())}")
    unseen = [
        (attack, job[1][1] is None) for attack, job, one in zip(attacks, jobs, verdicts, strict=True) if one["ok"]
    ]
    figure("L6", len(unseen) + exported, tried)
    assert (unseen, exported) == ([], 0)


def passes(house: Household, evil: Evil) -> bool:
    """Whether the export passes, with the log that the server publishes now."""
    try:
        log = read_directory(house.house.settings.data, house.vault.log.ledger.vkey)
        check_records(log, in_lines(evil.proven()))
    except LogBroken:
        return False
    return True
