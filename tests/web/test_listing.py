"""Listings are made of labels: no member's body is opened, others have their turn, and every member shows once."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tests.house import INTERESTS, Household
from vault import door
from vault.mint import mint
from vault.permit import Permit
from vault.planned import Parcel
from vault.store import deposit

MANY = 1_000
HERE = "/pods/an/inbox/"


async def fill(house: Household, number: int) -> str:
    """So many small resources in one container, stored together as a delivery is, under the permit of one request."""
    token, permits, real = await house.jwt(), list[Permit](), door.intent

    def caught(permit: Permit, at: datetime, **more: Any) -> Any:
        permits.append(permit)
        return real(permit, at, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vault.store.intent", caught)
        await house.call("PUT", f"{HERE}0.txt", token, {"content-type": "text/plain"}, b"0")
    permit = mint(replace(permits[0], targets=None, jti=None))
    parcels = [Parcel(f"/inbox/m{n}.txt", "text/plain", b"%d" % n) for n in range(number)]
    await deposit(house.vault, permit, [*parcels, Parcel("/inbox/m0.txt.meta", "text/turtle", b"")], house.clock(), "")
    return token


async def test_a_listing_opens_no_body_and_tells_what_it_must_of_each_member(house: Household) -> None:
    token = await fill(house, 300)
    said: list[str] = []
    house.vault.db.read.raw.set_trace_callback(said.append)
    listing = await house.call("GET", HERE, token)
    house.vault.db.read.raw.set_trace_callback(None)
    assert listing.status_code == 200
    assert not any("b.data" in one for one in said)
    for number in range(300):
        assert f"/inbox/m{number}.txt> a ldp:Resource" in listing.text
    line = next(one for one in listing.text.splitlines() if one.startswith("<http://localhost:8400/pods/an/inbox/m7."))
    for told in ("stat:size 1", "stat:mtime", "dcterms:modified", "media-types/text/plain"):
        assert told in line
    assert house.told()[-1]["count"] == 301  # 0.txt, and each m*.txt; a description is no member


async def test_a_description_is_never_a_member(house: Household) -> None:
    token = await fill(house, 1)
    listing = (await house.call("GET", HERE, token)).text
    assert "m0.txt>" in listing and ".meta" not in listing


async def test_a_grant_that_is_limited_to_fields_still_tells_no_more_than_those(house: Household) -> None:
    granted = await house.grant(INTERESTS)
    listing = await house.call("GET", "/pods/an/interests/", granted.access)
    shown = await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)
    assert f"stat:size {len(shown.content)} ." in listing.text and "geheim" not in shown.text


async def test_sixteen_listings_of_a_thousand_at_once_hold_nobody_up(house: Household) -> None:
    token = await fill(house, MANY)
    await house.call("GET", HERE, token)  # the first one rewraps
    longest, done = 0.0, False

    async def beat() -> None:
        nonlocal longest
        while not done:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)

    beating = asyncio.create_task(beat())
    began = time.process_time()
    answers = await asyncio.gather(*(house.call("GET", HERE, token) for _ in range(16)))
    spent = time.process_time() - began
    done = True
    await beating
    assert [answer.status_code for answer in answers] == [200] * 16
    assert all(answer.text.count("a ldp:Resource ") + answer.text.count("a ldp:Resource,") > MANY for answer in answers)
    print(f"16 listings of {MANY}: {spent / 16 * 1000:.0f} ms CPU each, loop held at most {longest * 1000:.0f} ms")
    assert longest < 0.3  # of the loop's own CPU, with the sixteen clients and their proofs in the same loop
