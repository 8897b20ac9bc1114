"""What is dear to read or long to list holds nobody up: lists, groups, large patches, ten thousand members."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.house import Household
from tests.proof import proving
from tests.web.test_listing import HERE, fill
from vault import groups
from vault.solid.limited import SMALL

TURTLE = {"content-type": "text/turtle"}
N3 = {"content-type": "text/n3"}
HEAD = b"@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; "


class Beat:
    """How long the event loop was held at most, in seconds of its own CPU."""

    longest = 0.0


@asynccontextmanager
async def beating() -> AsyncIterator[Beat]:
    beat = Beat()

    async def go() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            beat.longest = max(beat.longest, time.thread_time() - before)

    task = asyncio.create_task(go())
    yield beat
    task.cancel()


async def test_a_list_of_very_many_statements_is_refused_before_anybody_reads_it(house: Household) -> None:
    token, path = await house.jwt(), "/pods/an/public/.acl"
    before = await house.call("GET", path, token)
    bomb = b"<a:> <b:> 1" + b",1" * 30_000 + b"."
    assert len(bomb) < 64 * 1024
    async with beating() as beat:
        for content, media in (
            (bomb, "text/turtle"),
            (b'{"@id":"a:","b:p":[' + b"1," * 30_000 + b"1]}", "application/ld+json"),
        ):
            answer = await house.call("PUT", path, token, {"content-type": media}, content)
            assert answer.status_code == 413, answer.text
        patch = HEAD + b"solid:inserts {<a:> <b:> 1" + b"".join(b",%d" % n for n in range(5000)) + b"}."
        assert (await house.call("PATCH", path, token, N3, patch)).status_code == 413
    assert (await house.call("GET", path, token)).content == before.content
    print(f"lists: loop held at most {beat.longest * 1000:.0f} ms")
    assert beat.longest < 0.2


async def test_a_document_of_very_much_holds_no_group_and_nobody_up(house: Household) -> None:
    token = await house.jwt()
    body = (
        b"<a:> <b:> 1"
        + b",1" * 120_000
        + b". <#g> <http://www.w3.org/2006/vcard/ns#hasMember> <https://bo.example/#me> ."
    )
    assert len(body) < groups.LARGEST
    async with beating() as beat:
        made = await house.call("PUT", "/pods/an/public/g.ttl", token, TURTLE, body)
    assert made.status_code == 201
    pod = house.session.pod
    rid = groups.mark(pod, "/public/g.ttl")
    assert house.vault.db.read.run("SELECT count(*) FROM acl WHERE id = :id", id=rid)[0][0] == 0
    print(f"groups: loop held at most {beat.longest * 1000:.0f} ms")
    assert beat.longest < 0.2


async def test_a_patch_of_a_large_resource_is_worked_aside(house: Household) -> None:
    token, path = await house.jwt(), "/pods/an/public/large.nt"
    body = b"".join(b"<a:s%d> <b:p> <c:o> .\n" % n for n in range(20_000))
    assert len(body) > 16 * SMALL
    put = await house.call("PUT", path, token, {"content-type": "application/n-triples"}, body)
    assert put.status_code == 201
    async with beating() as beat:
        done = await house.call("PATCH", path, token, N3, HEAD + b"solid:inserts {<a:new> <b:p> <c:o>}.")
        many = await house.call(
            "PATCH", path, token, N3, HEAD + b"solid:where {?a ?b ?c . ?d ?e ?f}; solid:inserts {?a <b:q> 1}."
        )
    assert (done.status_code, many.status_code) == (204, 409)
    assert (await house.call("GET", path, token)).content.count(b"\n") == 20_001
    print(f"patches: loop held at most {beat.longest * 1000:.0f} ms")
    assert beat.longest < 0.2


@pytest.mark.timeout(300)
async def test_ten_thousand_members_are_listed_once_each_while_some_come_and_go_and_nobody_is_held_up(
    house: Household,
) -> None:
    many = 10_000
    token = await fill(house, many)
    await house.call("GET", HERE, token)  # the first one rewraps
    coming = True

    async def changes() -> int:
        number = 0
        while coming:
            await house.call("PUT", f"{HERE}new{number}.txt", token, {"content-type": "text/plain"}, b"x")
            assert (await house.call("DELETE", f"{HERE}new{number}.txt", token)).status_code == 204
            assert (
                await house.call("PUT", f"{HERE}m{number}.txt", token, {"content-type": "text/plain"}, b"xx")
            ).status_code == 204
            number += 1
        return number

    async with beating() as beat:
        changing = asyncio.create_task(changes())
        began = time.monotonic()
        answers = [await house.call("GET", HERE, token, {"accept": a}) for a in ("text/turtle", "application/ld+json")]
        took = time.monotonic() - began
        coming = False
        changed = await changing
    assert [one.status_code for one in answers] == [200, 200], answers[1].text[:300]
    told = [line for line in answers[0].text.splitlines() if "/inbox/m" in line and " a ldp:Resource" in line]
    assert len(told) == many == len({line.split()[0] for line in told})
    assert answers[1].text.count("http://localhost:8400/pods/an/inbox/m7.txt") == 2
    print(f"{many} members, {changed} rounds of changes: {took:.1f} s for two, loop held {beat.longest * 1000:.0f} ms")
    assert not proving() or beat.longest < 0.1
