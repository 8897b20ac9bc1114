"""Epochs: each states what every pod's log held, and any of them can still be asked for one's own path."""

import asyncio
import json
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from keys.errors import Damaged
from keys.merkle import leaf_hash, verify_inclusion
from tests.house import Household
from vault import erasure
from vault.log import slots
from vault.log.epochs import Epochs, Proven
from vault.log.slots import Summary
from vault.tables import Entry, Epoch, Slot


async def turn(house: Household, **forward: float) -> Summary:
    """Some time passes and an epoch ends."""
    house.clock.forward(**(forward or {"minutes": 1}))
    made = await house.vault.epochs.sum_up(house.vault.log, house.clock())
    assert made is not None
    await house.vault.publish()
    return made


async def asked(house: Household, *epochs: int) -> list[Proven]:
    return house.vault.epochs.asked(house.session.pod.id, epochs, house.vault.log.shards.kept)


def checked(house: Household, proven: Proven) -> Summary:
    """The summary a proof is about, after everything in it was checked against the public tree."""
    summary = slots.read(proven.body)
    assert summary is not None
    slots.verify(summary, proven.slot, proven.salt, proven.state, proven.path)
    ledger = house.vault.log.shards.at(proven.index)
    leaf = leaf_hash(b"\x01\x02" + proven.body)
    place = proven.index - ledger.first
    verify_inclusion(leaf, place, ledger.size, ledger.inclusion(place), ledger.tree.root(ledger.size))
    return summary


def count(proven: Proven) -> int:
    return int.from_bytes(proven.state[:8], "big")


async def test_each_pod_is_told_its_slot_in_its_first_record_and_nobody_elses(house: Household) -> None:
    rows = {row.pod: row.number for row in house.vault.db.read.find(Slot)}
    first, *others = house.told()
    assert first["slot"] == rows[house.session.pod.id] and sorted(rows.values()) == list(range(len(rows)))
    assert not any("slot" in line for line in others)


async def test_an_epoch_states_count_and_head_of_every_pod(house: Household) -> None:
    made = await turn(house)
    (proven,) = await asked(house, made.epoch)
    assert checked(house, proven) == made
    assert count(proven) == len(house.told()) and made.entries == house.vault.log.shards.kept - 1
    last = house.vault.db.read.run("SELECT e.leaf FROM entry e JOIN record r ON r.idx = e.idx WHERE r.pod = :p"
                                   " ORDER BY r.seq DESC LIMIT 1", p=house.session.pod.id)  # fmt: skip
    assert proven.state[8:] == sha256(last[0][0][2:34]).digest()


async def test_an_older_epoch_still_proves_what_it_held_after_many_more_entries(house: Household) -> None:
    seen = []
    for number in range(4):
        seen.append(await turn(house))
        await house.keep(f"/interests/{number}.jsonld", {})
    told = {checked(house, one): count(one) for one in await asked(house, *(made.epoch for made in seen))}
    assert set(told) == set(seen)
    assert [told[made] for made in seen] == list(range(told[seen[0]], told[seen[0]] + 4))


def started(house: Household) -> Epochs:
    """A process that has just begun on the same directory."""
    return Epochs(house.vault.db, house.vault.epochs._key)


def stated(house: Household) -> list[int]:
    """Every epoch that the log states, in order."""
    rows = house.vault.db.read.run("SELECT leaf FROM entry WHERE substr(leaf, 2, 1) = x'02' ORDER BY idx")
    return [json.loads(leaf[2:])["epoch"] for (leaf,) in rows]


async def test_an_epoch_is_its_minute_however_often_the_server_starts_again_within_it(house: Household) -> None:
    made = await turn(house)
    for _ in range(5):
        assert await started(house).sum_up(house.vault.log, house.clock()) is None
    house.clock.forward(minutes=1)
    again = started(house)
    second = await again.sum_up(house.vault.log, house.clock())
    assert second is not None and (second.epoch, second.before) == (made.epoch + 1, made.epoch)
    assert second.epoch == int(house.clock().timestamp()) // 60
    assert await again.sum_up(house.vault.log, house.clock()) is None
    assert stated(house) == [made.epoch, second.epoch]


async def test_under_a_clock_that_went_back_epochs_go_on_by_the_minute_and_no_restart_makes_one(
    house: Household,
) -> None:
    made, back = await turn(house), house.clock() - timedelta(days=1)
    for _ in range(3):
        assert await started(house).sum_up(house.vault.log, back) is None
    running = house.vault.epochs
    told = [await running.sum_up(house.vault.log, back + timedelta(minutes=minute)) for minute in range(3)]
    assert [one.epoch if one else None for one in told] == [made.epoch + 1, made.epoch + 2, made.epoch + 3]
    assert stated(house) == sorted(set(stated(house)))


async def test_two_that_sum_up_at_once_never_state_two_roots_for_one_epoch(house: Household) -> None:
    house.clock.forward(minutes=1)
    both = await asyncio.gather(
        *(one.sum_up(house.vault.log, house.clock()) for one in (house.vault.epochs, started(house))),
        return_exceptions=True,
    )
    assert len(stated(house)) == len(set(stated(house))) >= 1
    assert sum(isinstance(one, Summary) for one in both) == len(stated(house))
    house.clock.forward(minutes=1)
    assert await house.vault.epochs.sum_up(house.vault.log, house.clock()) is not None


async def test_a_new_pod_is_in_the_next_epoch_and_in_no_older_one(house: Household) -> None:
    before = await turn(house)
    from consent.accounts.people import enroll, find

    await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    after = await turn(house)
    account = find(house.vault, "bo")
    assert account is not None and after.slots == before.slots + 1
    told = house.vault.epochs.asked(account.pod, [after.epoch, before.epoch], 10**9)
    assert [checked(house, one) for one in told] == [after]


async def test_the_slot_of_an_erased_pod_goes_on_as_noise_and_old_paths_of_others_still_verify(
    house: Household,
) -> None:
    from consent.accounts.people import enroll, find

    await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    account = find(house.vault, "bo")
    assert account is not None
    pod = house.vault.pod_by_id(account.pod)
    assert pod is not None
    before = await turn(house)
    await erasure.erase(house.vault, pod, "operator", house.clock())
    after = await turn(house)
    assert after.slots == before.slots
    for proven in await asked(house, before.epoch, after.epoch):
        checked(house, proven)
    states = house.vault.epochs.asked(pod.id, [before.epoch, after.epoch], 10**9)
    assert {one.state == slots.NOBODY for one in states} == {True, False}
    fresh = type(house.vault.epochs)(house.vault.db, house.vault.epochs._key)  # from the durable rows alone
    made = await fresh.sum_up(house.vault.log, house.clock() + timedelta(minutes=5))
    assert made is not None
    (proven,) = await asked(house, made.epoch)
    assert slots.read(proven.body) == made
    slots.verify(made, proven.slot, proven.salt, proven.state, proven.path)


async def test_a_summary_is_told_only_once_its_statement_is_published(house: Household) -> None:
    await turn(house)
    published = house.vault.log.shards.kept
    house.clock.forward(minutes=1)
    made = await house.vault.epochs.sum_up(house.vault.log, house.clock())
    assert made is not None
    (proven,) = house.vault.epochs.asked(house.session.pod.id, [made.epoch], published)
    assert slots.read(proven.body) != made


async def test_epochs_are_kept_for_two_days_then_one_an_hour_then_one_a_day_then_none(house: Household) -> None:
    newest = int(house.clock().timestamp()) // 60 + 10_080
    every = [newest - minutes for minutes in range(1, 3 * 1440)]
    every += [newest - 1440 * days - 60 * hours for days in range(3, 40) for hours in range(24)]
    every += [newest - 1440 * days - hours * 300 for days in range(40, 800) for hours in (0, 2)]

    def write(tx: Any) -> None:
        for number in sorted(set(every)):
            tx.add(Epoch(number=number, idx=0, entries=0, slots=0, roots=b""))

    await house.vault.db.write(write)
    epochs = type(house.vault.epochs)(house.vault.db, house.vault.epochs._key)
    made = await epochs.sum_up(house.vault.log, house.clock() + timedelta(minutes=10_080))
    assert made is not None and made.epoch == newest
    kept = [row.number for row in house.vault.db.read.find(Epoch)]
    ages = [made.epoch - number for number in kept]
    assert sum(age <= 2 * 1440 for age in ages) >= 2 * 1440
    assert max(ages) <= 731 * 1440 and len(kept) < 4_500
    hours = [number // 60 for number, age in zip(kept, ages, strict=True) if 2 * 1440 < age <= 35 * 1440]
    days = [number // 1440 for number, age in zip(kept, ages, strict=True) if age > 36 * 1440]
    assert len(hours) == len(set(hours)) > 700 and len(days) == len(set(days)) > 600


async def test_a_row_changed_past_the_server_no_longer_leads_to_the_published_root(house: Household) -> None:
    made = await turn(house)
    newest = "SELECT e.idx, e.leaf FROM entry e JOIN record r ON r.idx = e.idx WHERE r.pod = :pod ORDER BY r.seq DESC"
    (idx, leaf), *_ = house.vault.db.read.run(newest, pod=house.session.pod.id)
    changed = leaf[:2] + bytes(32) + leaf[34:]
    await house.vault.db.write(lambda tx: tx.change(Entry, {"idx": idx}, leaf=changed))
    (proven,) = await asked(house, made.epoch)
    with pytest.raises(Damaged):
        slots.verify(made, proven.slot, proven.salt, proven.state, proven.path)
