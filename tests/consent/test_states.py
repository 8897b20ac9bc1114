"""The table of steps: each transition that may happen, and no other; and that the books refuse the others."""

import pytest

from consent import endings, events, grants, narrowing, states
from consent.errors import BadChoice
from tests.consent.city import City
from vault.errors import Conflict

TRANSITIONS = [(step, before, after) for step, row in states.TABLE.items() for before, after in row.items()]
PHASES = {"new", "asked", "deferred", "refused", "live", "restricted", "objected", "over"}
# How a history gets into each phase.
WAYS = {
    "new": [],
    "asked": ["requested"],
    "deferred": ["requested", "shown", "deferred"],
    "refused": ["requested", "shown", "refused"],
    "live": ["requested", "shown", "given"],
    "restricted": ["requested", "shown", "given", "restricted"],
    "objected": ["requested", "shown", "given", "objected"],
    "over": ["requested", "shown", "given", "withdrawn"],
}
# The list of consent.md (Objects): every one of them is a step.
DPV = {"requested", "shown", "given", "refused", "deferred", "amended", "used_up", "expired", "withdrawn", "objected",
       "restricted", "invalidated", "renewed"}  # fmt: skip


@pytest.mark.parametrize(("step", "before", "after"), TRANSITIONS)
def test_each_step_of_the_table_leads_where_it_says(step: str, before: str, after: str) -> None:
    assert states.after(WAYS[before]) == before
    assert states.after([*WAYS[before], step]) == after


@pytest.mark.parametrize("before", sorted(PHASES))
def test_no_step_that_is_not_in_the_table_can_be_taken(before: str) -> None:
    refused = [step for step, row in states.TABLE.items() if before not in row]
    assert refused
    assert all(states.after([*WAYS[before], step]) is None for step in [*refused, "eaten"])


def test_every_state_of_dpv_that_the_design_names_is_a_step() -> None:
    assert set(states.TABLE) >= DPV
    assert {one for row in states.TABLE.values() for one in (*row, *row.values())} == PHASES


def test_nothing_but_letting_ask_again_and_what_the_app_is_told_follows_an_end() -> None:
    about_the_app = {"told", "untold", "delete_asked", "attested"}
    ends = {"refused", "objected", "withdrawn", "ended", "expired", "used_up", "invalidated"}
    for end in ends:
        before = next(iter(states.TABLE[end]))
        follows = {step for step in states.TABLE if states.after([*WAYS[before], end, step]) is not None}
        assert follows <= {"reopened"} | about_the_app


async def test_the_books_refuse_a_step_that_cannot_follow(city: City) -> None:
    grant, _ = await city.allow()
    await endings.withdraw(city.vault, city.session, grant, city.now)
    with pytest.raises(Conflict):
        await city.vault.db.write(lambda tx: events.note(tx, city.session.pod, grant, 1, "resumed", {}))
    with pytest.raises(BadChoice):
        await city.vault.db.write(lambda tx: events.note(tx, city.session.pod, grant, 1, "eaten", {}))


async def test_a_grant_frozen_and_let_go_on_is_live_again(city: City) -> None:
    grant, _ = await city.allow()
    for on in (True, False):
        assert await narrowing.restrict(city.vault, city.session, grant, city.now, on=on)
    steps = [step.state for step in events.history(city.vault, city.session.pod, grant)]
    assert steps == ["requested", "shown", "given", "restricted", "resumed"] and states.after(steps) == "live"
    found = grants.load(city.vault, grant)
    assert found is not None and found.state == "live"
