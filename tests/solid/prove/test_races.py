"""SR1 to SR6: at the same moment. Whatever overlaps, each resource has one history that everybody agrees on."""

import asyncio
from itertools import pairwise

import httpx
import pytest

from tests.proof import figure, proving, rounds
from tests.solid.client import N3, PUBLIC, TEXT, TURTLE, Agent, acl, members, objects, patch

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("many", [10, 40])
async def test_every_one_of_many_patches_at_once_is_kept(an: Agent, many: int) -> None:
    await an("PUT", "public/a", "<> <urn:e:b> 1 .", TURTLE)

    async def add(number: int) -> int:
        for _ in range(many):  # a conflict says: try again
            done = await an("PATCH", "public/a", patch(inserts=f"<#x> <urn:e:n> {number} ."), N3)
            if done.status_code not in (409, 412):
                break
        return done.status_code

    said = await asyncio.gather(*(add(number) for number in range(many)))
    kept = objects(await an("GET", "public/a"), str((await an("GET", "public/a")).url) + "#x", "urn:e:n")
    acknowledged = sum(status in (200, 201, 204) for status in said)
    figure("SR1" if many == 10 else "SR2", acknowledged - len(kept) + (many - acknowledged), many)
    assert (acknowledged, len(kept)) == (many, many)


async def test_listings_of_very_many_members_at_once_are_all_answered_in_full(an: Agent) -> None:
    many = 1000 if proving() else 150
    for number in range(many):
        await an("PUT", f"public/d/{number:04}", "x", TEXT)
    answers = await asyncio.gather(*(an("GET", "public/d/") for _ in range(16)))
    aborted = [one for one in answers if one.status_code != 200 or len(members(one)) != many]
    figure("SR3", len(aborted), len(answers))
    assert aborted == []


async def test_of_many_creations_one_is_the_first_and_of_many_changes_one_wins(an: Agent) -> None:
    broken, turns = 0, rounds(5, "SR4")
    for turn in range(turns):
        there = f"public/{turn}"
        once = [an("PUT", there, str(n), TEXT, if_none_match="*") for n in range(16)]
        made = [one.status_code for one in await asyncio.gather(*once)]
        tag = (await an("GET", there)).headers["etag"]
        swaps = [an("PUT", there, f"later {n}", TEXT, if_match=tag) for n in range(16)]
        changed = [one.status_code for one in await asyncio.gather(*swaps)]
        won = f"later {changed.index(204)}" if 204 in changed else ""
        fair = sorted(made) == [201] + [412] * 15 and sorted(changed) == [204] + [412] * 15
        broken += not (fair and (await an("GET", there)).text == won)
    figure("SR4", broken, turns)
    assert broken == 0


async def test_a_reader_sees_nothing_from_the_moment_that_the_change_of_the_list_was_acknowledged(an: Agent) -> None:
    """The list flips between read and no read; who asks after the answer to a change is judged by the new list."""
    anybody, late, turns = Agent(an.house), 0, rounds(10, "SR5")
    await an("PUT", "public/a", "x", TEXT)

    async def ask(into: list[int]) -> None:
        into.append((await anybody("GET", "public/a")).status_code)

    for turn in range(turns):
        shut, seen = turn % 2 == 0, list[int]()
        racing = [asyncio.create_task(ask([])) for _ in range(8)]
        done = await an("PUT", "public/a.acl", acl("public/a", *([] if shut else [PUBLIC + "Read"])), TURTLE)
        assert done.status_code in (201, 204)
        await asyncio.gather(*(ask(seen) for _ in range(8)), *racing)
        late += sum(status != (401 if shut else 200) for status in seen)
    figure("SR5", late, turns)
    assert late == 0


async def test_versions_are_seen_in_the_order_in_which_they_were_acknowledged(an: Agent) -> None:
    """One writer counts up; no reader ever sees a number lower than one that she or the writer's answers told."""
    back, turns, told = 0, rounds(20, "SR6"), [0]
    await an("PUT", "public/n", "0", TEXT)

    async def read(seen: list[int]) -> None:
        for _ in range(turns):
            least = told[0]
            answer: httpx.Response = await an("GET", "public/n")
            seen.append(int(answer.text) if int(answer.text) >= least else -1)

    async def write() -> None:
        for number in range(1, turns + 1):
            assert (await an("PUT", "public/n", str(number), TEXT)).status_code == 204
            told[0] = number

    readers = [list[int]() for _ in range(4)]
    await asyncio.gather(write(), *(read(one) for one in readers))
    for one in readers:
        back += sum(number < 0 for number in one) + sum(later < earlier for earlier, later in pairwise(one))
    figure("SR6", back, turns)
    assert back == 0
