"""A batch of the writer is one page: written by a few statements, each unit on its own, nothing seen out of order."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from consent import report
from consent.accounts import passphrase
from consent.accounts.people import Newcomer, found_office
from keys import seal as sealing
from keys.text import canonical
from tests.conftest import Clock
from tests.consent.test_report import READ, officer
from tests.house import Household
from tests.vault.test_fsck import two_ways_in
from vault import erasure, fsck, gates, office, pod as pods
from vault.database import Tx
from vault.errors import Conflict, NotFound
from vault.log import sheet
from vault.log.entry import Appended, Facts, Guard, Intent, Refused, pod_record
from vault.pod import Blueprint
from vault.tables import DpoRecord, Entry, Gate, Meta, PodHead, Record, RecordKey
from vault.vault import Vault

GATE = b"g" * 16


async def together(vault: Vault, *units: Callable[[], Awaitable[Any]]) -> list[asyncio.Future[Any]]:
    """Queue all of these while the writer is held up, so that one batch takes them in."""
    gate = threading.Event()
    hold = vault.db.submit(lambda _: gate.wait(10))
    waiting = [asyncio.ensure_future(unit()) for unit in units]
    await asyncio.sleep(0)  # each has run to where it waits
    gate.set()
    await hold
    return waiting


def append(vault: Vault, intent: Intent) -> Callable[[], Awaitable[Any]]:
    return lambda: vault.log.append(intent)


async def a_pod(vault: Vault, name: str, clock: Clock) -> bytes:
    await pods.create(vault, name, "citizen", two_ways_in(), Blueprint({"loans": "kluis:LibraryLoan"}), clock())
    made = vault.pod(name)
    assert made is not None
    return made.id


def sound(vault: Vault) -> None:
    """Every chain follows, every leaf is there, and what stands beside them agrees."""
    assert [row.idx for row in vault.db.read.find(Entry, order_by="idx")] == list(range(vault.log.shards.kept))
    for head in vault.db.read.find(PodHead):
        rows = vault.db.read.find(Record, order_by="idx", pod=head.pod)
        assert [row.seq for row in rows] == list(range(1, head.seq + 1))
        last = vault.db.read.get(Entry, rows[-1].idx)
        assert last is not None and head.head == sha256(last.leaf[2:34]).digest()
    assert fsck.check(vault.db.folder, vault.db.folder.parent / "shares", vault.state) == []


async def test_a_batch_of_many_pods_takes_a_few_statements_and_one_sealed_row_for_the_office(
    vault: Vault, clock: Clock
) -> None:
    await pods.found_office(vault, two_ways_in(), clock())
    all_pods = [await a_pod(vault, name, clock) for name in ("an", "bo", "cy")]
    before, said = vault.log.shards.kept, list[str]()
    rows = len(vault.db.read.find(DpoRecord))
    await vault.db.write(lambda tx: tx.raw.set_trace_callback(said.append))
    waiting = await together(vault, *(append(vault, Intent(all_pods[n % 3], READ, clock())) for n in range(96)))
    done = await asyncio.gather(*waiting)
    await vault.db.write(lambda tx: tx.raw.set_trace_callback(None))
    assert sorted(one.index for one in done) == list(range(before, before + 96))
    assert len([one for one in said if "INTO record " in one]) == len([one for one in said if "INTO entry" in one]) == 3
    assert len(said) < 40  # all of it, with the reading of three heads and the batches around, two or three
    assert len(vault.db.read.find(DpoRecord)) - rows == 1
    sound(vault)


async def test_what_fails_in_a_batch_leaves_its_neighbours_and_the_order_as_they_were(
    house: Household, vault: Vault, clock: Clock
) -> None:
    pod = house.session.pod.id
    await vault.db.write(lambda tx: gates.create(tx, GATE, pod, gates.ms(clock()) + 10**9, uses=2))
    seen = list[tuple[int, int]]()

    def look(tx: Tx) -> None:
        ((kept, count),) = tx.run(
            "SELECT (SELECT max(idx) FROM entry), (SELECT max(seq) FROM record WHERE pod = :p)", p=pod
        )
        seen.append((kept, count))

    def spoil(tx: Tx) -> Facts:
        tx.add(Meta(key="spoiled", value=b"1"))
        raise ValueError("of this unit alone")

    def refuse(tx: Tx) -> Facts:
        tx.add(Meta(key="refused", value=b"1"))
        raise Conflict("changed")

    plain, gated = Intent(pod, READ, clock()), Intent(pod, READ, clock(), (Guard(GATE, 1, use=True),), b"j" * 32, 1)
    bad = Intent(pod, replace(READ, note="\ud800"), clock())
    units = [plain, gated, bad, gated, plain._replace(write=spoil), plain, plain._replace(write=refuse),
             gated._replace(jti=b"k" * 32), gated._replace(jti=b"l" * 32), plain]  # fmt: skip
    calls = [append(vault, one) for one in units]
    waiting = await together(vault, *calls[:6], lambda: vault.db.write(look), *calls[6:])
    await waiting.pop(6)
    done = await asyncio.gather(*waiting, return_exceptions=True)
    kinds = [type(one).__name__ if isinstance(one, Exception) else getattr(one, "reason", "ok") for one in done]
    assert kinds == ["ok", "ok", "ValueError", "replay", "ValueError", "ok", "changed", "ok", "used_up", "ok"]
    indexes = [one.index for one in done if isinstance(one, Appended | Refused)]
    assert all(later == before + 1 for before, later in pairwise(indexes))
    row = vault.db.read.get(Record, indexes[3])
    assert row is not None and seen == [(row.idx, row.seq)]  # all four before it, none after
    gate = vault.db.read.get(Gate, GATE)
    assert gate is not None and gate.uses_left == 0
    assert not vault.db.read.find(Meta, key="spoiled") + vault.db.read.find(Meta, key="refused")
    sound(vault)


async def test_an_entry_that_cannot_be_written_down_does_not_move_the_time_of_the_log(
    vault: Vault, clock: Clock
) -> None:
    pod = await a_pod(vault, "an", clock)
    before = vault.db.read.find(Meta, key="time")[0].value
    with pytest.raises(ValueError, match="surrogates"):
        await vault.log.append(Intent(pod, replace(READ, note="\ud800"), clock() + timedelta(days=1)))
    await vault.log.append(Intent(pod, READ, clock()))
    assert vault.db.read.find(Meta, key="time")[0].value == before
    sound(vault)


async def test_a_statement_in_the_midst_of_a_batch_has_its_own_place(vault: Vault, clock: Clock) -> None:
    await pods.found_office(vault, two_ways_in(), clock())
    pod = await a_pod(vault, "an", clock)
    one = append(vault, Intent(pod, READ, clock()))
    first, said, second = await together(vault, one, lambda: vault.log.state(b"{}", clock()), one)
    indexes = (await first).index, await said, (await second).index
    assert indexes == tuple(range(indexes[0], indexes[0] + 3))
    sound(vault)


async def test_the_office_opens_what_was_written_together_and_misses_what_is_not_there(
    vault: Vault, clock: Clock
) -> None:
    session = await officer(vault, clock)
    pod = await a_pod(vault, "an", clock)
    facts = [replace(READ, count=number % 3) for number in range(40)]
    waiting = await together(vault, *(append(vault, Intent(pod, one, clock())) for one in facts))
    places = [(await one).index for one in waiting]
    told = await report.totals(vault, session, clock())
    assert (told.opened, told.damaged) == (told.entries, ())
    assert sum(row.count for row in told.rows if row.client == READ.client) == sum(one.count for one in facts)
    lines = office.sheets(vault, vault.office)
    assert [line.row.first for line in lines if line.row and line.index in places] == [places[0]] * 40  # all in one row
    await vault.db.write(lambda tx: tx.remove(DpoRecord, idx=places[0]))
    again = await report.totals(vault, session, clock())
    assert again.damaged == tuple(places)


async def test_after_the_erasure_of_a_pod_no_entry_of_it_follows_not_even_in_the_same_batch(
    vault: Vault, clock: Clock
) -> None:
    await pods.found_office(vault, two_ways_in(), clock())
    pod = await a_pod(vault, "an", clock)
    read, facts = append(vault, Intent(pod, READ, clock())), vault.pod("an")
    assert facts is not None
    await read()  # its record key is in memory
    _, gone, late = await together(vault, read, lambda: erasure.erase(vault, facts, "operator", clock()), read)
    said = await gone
    with pytest.raises(NotFound):
        await late
    assert max(row.idx for row in vault.db.read.find(Record, pod=pod)) < said
    assert not vault.db.read.find(RecordKey, pod=pod)
    sound(vault)


async def test_no_entry_after_the_office_s_own_first_one_is_missing_in_its_totals_not_even_of_the_same_batch(
    vault: Vault, clock: Clock
) -> None:
    read = append(vault, Intent(await a_pod(vault, "an", clock), READ, clock()))
    officers = [Newcomer("dirk", "Dirk"), Newcomer("els", "Els")]
    before, made, *after = await together(vault, read, lambda: found_office(vault, officers, clock()), read, read)
    await asyncio.gather(before, *after)
    opened = await passphrase.login(vault, "dirk", (await made)[0].codes[0], clock())
    assert opened is not None
    told = await report.totals(vault, opened[1], clock())
    assert told.opened == told.entries > len(after) and told.damaged == ()
    sound(vault)


async def test_a_record_key_that_was_used_as_often_as_it_may_gives_way_to_another(
    vault: Vault, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "MOST", 3)
    await pods.found_office(vault, two_ways_in(), clock())
    pod = await a_pod(vault, "an", clock)
    for _ in range(7):
        await vault.log.append(Intent(pod, READ, clock()))
    keys = [row.key for row in vault.db.read.find(Record, pod=pod)]
    assert max(keys.count(key) for key in keys) == 3 and len(set(keys)) == len(vault.db.read.find(RecordKey, pod=pod))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
whole = st.integers(0, 2**53 - 1)
FIELDS = {one.name: {"str": texts, "int": whole}.get(str(one.type), st.lists(texts, max_size=3).map(tuple))
          for one in fields(Facts) if one.name != "slot"}  # fmt: skip


@settings(deadline=None)
@given(st.builds(Facts, **FIELDS, slot=st.none() | whole), whole, st.integers(1, 2**53 - 1))
def test_a_record_is_rfc_8785_whatever_stands_in_it_and_each_fact_stands_under_its_name(
    facts: Facts, at: int, seq: int
) -> None:
    record = pod_record(facts, b"e" * 16, at, seq, b"p" * 32, bytes(64))
    told = json.loads(record.text)
    assert canonical(told) == record.text
    said = {**told["app"], **told["own"]}
    for one in fields(Facts):
        value = getattr(facts, one.name)
        if one.name not in ("app", "slot") and value:
            assert said.pop(one.name) == (list(value) if isinstance(value, tuple) else value)
    assert said.pop("slot", None) == facts.slot
    assert set(said) - {"id", "time", "seq", "prev"} <= {"resources"}


NONCES = st.binary(min_size=32, max_size=32)


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 2**64 - 1), st.tuples(NONCES, st.binary(max_size=9)), max_size=6))
def test_a_sheet_reads_back_as_it_was_written_and_no_cut_of_it_reads_as_more(
    ones: dict[int, tuple[bytes, bytes]],
) -> None:
    told: sheet.Told = {}
    for index, (nonce, text) in sorted(ones.items()):
        sheet.add(told, index, nonce, text)
    packed = sheet.pack(told)
    assert sheet.unpack(packed) == ones
    if ones:
        assert sheet.first(told) == min(ones)
    for cut in range(len(packed)):
        try:
            assert sheet.unpack(packed[:cut]).items() < ones.items()
        except ValueError:
            continue
