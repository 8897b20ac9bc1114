"""Where two parts of the log meet: a replaced key and its witnesses, half-years and restores, threads and new heads."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from federation.errors import Diverged
from federation.heads import place
from keys.cosign import cosignatures
from keys.note import split
from tests.conftest import START, Clock
from tests.federation.cosigning import Direct, SmallLog
from tests.house import Household
from tests.log.reopened import again
from tests.vault.test_backup import opened, put_back, readable, taken
from tests.web.test_shards import enter
from tests.web.test_watching import Watched
from vault.errors import TooOld
from vault.log import device
from vault.log.handover import hand_over


async def test_a_log_whose_key_was_replaced_starts_again_though_its_witnesses_know_only_the_old_one(
    house: Household, tmp_path: Path
) -> None:
    watched = Watched(house.house, house.clock, tmp_path)
    await watched.turn()
    for _ in range(2):
        await hand_over(house.vault, house.clock())
    watched.away("gent", "brugge")
    await watched.turn(seconds=10)
    assert watched.signers() == 0
    watched.away()
    house.vault.close()
    vault = again(tmp_path, house)
    heads = vault.log.shards.heads(house.clock())
    await asyncio.to_thread(watched.watching.begin, heads, house.clock)
    vault.log.shards.keys.earlier = ()
    with pytest.raises(Diverged, match="under another key"):
        await asyncio.to_thread(watched.watching.begin, heads, house.clock)
    vault.close()


async def test_the_witnesses_of_a_log_whose_key_was_replaced_follow_by_themselves(
    house: Household, tmp_path: Path
) -> None:
    watched = Watched(house.house, house.clock, tmp_path)
    await watched.turn()
    for keys in (1, 2):
        for _ in range(keys):
            await hand_over(house.vault, house.clock())
        await watched.turn(seconds=10)
        assert watched.signers() == 2 and watched.watching.watch.alarm(house.clock()) is None
    await watched.turn(seconds=10)
    assert watched.signers() == 2


async def test_one_line_in_a_request_is_enough_for_a_witness_to_remember(tmp_path: Path) -> None:
    """Else a stranger who repeats the line of a published head makes it remember a note that nobody can read."""
    log, direct = SmallLog().grow(9), Direct()
    one = direct.witness(tmp_path, log.every_vkey)
    text, _, line = log.note().rpartition("\n\n")
    repeated = f"{text}\n\n{line * 100}"
    for body in (log.body(0), log.body(9, note=repeated), log.body(9), log.grow(1).body(9)):
        answer = await direct.post(f"{one.url}/add-checkpoint", body, "text/plain")
        assert answer.status == 200
    shown = await direct.get(f"{one.url}/{place(log.origin)}/checkpoint", "text/plain", START)
    note = shown.body.decode()
    assert len(split(note)[1]) == 2 and len(cosignatures(note, [one.vkey])) == 1


async def test_a_log_of_two_half_years_is_not_cut_by_an_older_backup(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    """Sizes begin anew with a half-year: the longest head is not the one that reaches furthest."""
    await house.vault.publish()
    house.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    await enter(house)
    made = taken(house, tmp_path / "kept")
    new = tmp_path / "new"
    put_back(tmp_path / "kept", new, clock)
    vault = opened(new, tmp_path, clock)
    await readable(vault, house.codes[0], clock)
    await vault.publish()
    old, young = vault.log.shards.all
    assert max(old.size, young.size) <= made.vault.told["entries"]
    vault.close()
    with pytest.raises(TooOld, match="published a log"):
        put_back(tmp_path / "kept", new, clock)


async def test_a_head_that_is_published_while_a_device_is_answered_changes_nothing_of_the_answer(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every proof is for the seal that stands in the same answer, or her device would call an honest log broken."""
    house.clock.forward(minutes=1)
    await house.vault.epochs.sum_up(house.vault.log, house.clock())
    await house.vault.publish()
    before = device.frame(house.vault, house.session.pod, [])
    reading = house.vault.db.reading

    await house.keep("/interests/meanwhile.jsonld", {})
    grown = house.vault.log.shards.grown()

    def meanwhile() -> Any:
        for one in grown:
            one.show()
        return reading()

    monkeypatch.setattr(house.vault.db, "reading", meanwhile)
    after = device.frame(house.vault, house.session.pod, [])
    assert house.vault.log.ledger.size > before["shards"][0]["size"]
    assert (after["shards"], after["slots"]) == (before["shards"], before["slots"]) and after["slots"]
