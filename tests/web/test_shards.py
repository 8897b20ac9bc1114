"""A log that crosses a half-year: the old shard is closed and served for ever, and every reader follows both."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consent import report
from consent.accounts import passphrase
from consent.accounts.people import Newcomer, enroll, found_office
from keys.custodian import FileCustodian
from keys.merkle import Tree, leaf_hash, verify_consistency
from keys.note import open_note, read_checkpoint
from keys.text import unb64
from tests.conftest import BASE, Clock
from tests.consent.test_report import READ
from tests.house import Household
from tests.web.made_log import NODE, in_node
from tests.web.test_log_check import lose, verdict
from vault import fsck
from vault.errors import NotFound
from vault.gates import ms
from vault.log import views
from vault.log.entry import Intent
from vault.log.shards import Shards, end
from vault.tables import Entry, Shard
from vault.vault import Vault, open_vault
from web.verify import LogBroken, check_records, prove, read_directory, read_log

OLD, NEW = "localhost:8400/log/2026h2", "localhost:8400/log/2027h1"


@pytest.fixture
async def old_and_new(house: Household) -> Household:
    """A house with some entries in 2026, a published head, and some more in 2027."""
    await house.vault.publish()
    house.clock.now = datetime(2026, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    await enter(house)
    house.clock.now += timedelta(milliseconds=1)
    await enter(house)
    await house.keep("/interests/new.jsonld", {"@type": "pd:Interest"})
    return house


async def enter(house: Household) -> None:
    """An logs in with another of her codes."""
    opened = await passphrase.login(house.vault, "an", house.codes[1], house.clock())
    assert opened is not None
    house.cookie, house.session = opened


async def answered(house: Household) -> dict[str, Any]:
    """What An's own device gets to check."""
    told: dict[str, Any] = (await house.http.get("/api/log?proofs=1", headers=cookie(house))).json()
    return told


def cookie(house: Household) -> dict[str, str]:
    return {"cookie": f"kluis={house.cookie}"}


async def exported(house: Household) -> list[str]:
    return (await house.http.get("/api/log/export", headers=cookie(house))).text.splitlines()


async def bodies(house: Household) -> dict[str, bytes]:
    """Every public file of the log, as a mirror would keep them."""
    told = (await house.http.get("/transparency.json")).json()
    paths = ["/log/checkpoint", told["handovers"], *(shard["checkpoint"] for shard in told["shards"])]
    for shard in told["shards"]:
        half = shard["checkpoint"].split("/")[2]
        paths += [f"/log/{half}/tile/{kind}/000.p/{shard['size']}" for kind in ("entries", "0")]
    answers = {path: await house.http.get(path) for path in paths}
    assert all(answer.status_code == 200 for answer in answers.values())
    return {path: answer.content for path, answer in answers.items()}


async def test_the_first_entry_of_a_half_year_begins_a_shard_and_says_how_the_last_one_ended(
    old_and_new: Household,
) -> None:
    vault = old_and_new.vault
    old, new = vault.log.shards.all
    assert [(row.origin, row.first) for row in vault.db.read.find(Shard)] == [(OLD, 0), (NEW, old.tree.size)]
    leaf = vault.db.read.get(Entry, new.first).leaf  # type: ignore[union-attr]
    told = json.loads(leaf[2:])
    assert leaf[:2] == b"\x01\x02"
    assert told["previous"] == {"origin": OLD, "size": old.tree.size, "root": told["previous"]["root"]}
    assert unb64(told["previous"]["root"]) == old.tree.root()
    assert old.tree.size + new.tree.size == len(vault.db.read.find(Entry)) == vault.log.shards.kept


async def test_the_closed_shard_gets_its_last_head_and_is_served_for_ever(old_and_new: Household) -> None:
    vault = old_and_new.vault
    before = read_checkpoint(open_note(vault.log.shards.all[0].note, [vault.log.shards.all[0].vkey])[0])
    assert (await old_and_new.http.get("/log/checkpoint")).text.startswith(OLD)  # the new one has no head yet
    await vault.publish()
    old, new = vault.log.shards.all
    for path, ledger in (("/log/2026h2", old), ("/log/2027h1", new), ("/log", new)):
        note = (await old_and_new.http.get(f"{path}/checkpoint")).text
        head = read_checkpoint(open_note(note, [ledger.vkey])[0])
        assert head == (ledger.origin, ledger.tree.size, ledger.tree.root())
    steps = (await old_and_new.http.get(f"/log/2026h2/consistency?old={before.size}&new={old.size}")).json()["proof"]
    verify_consistency(before.size, old.size, [unb64(step) for step in steps], before.root, old.tree.root())
    assert (await old_and_new.http.get("/log/2026h1/checkpoint")).status_code == 404
    with pytest.raises(NotFound):
        vault.log.shards.at(-1)


async def test_the_citizen_reads_and_checks_both_halves_as_one_log(old_and_new: Household) -> None:
    told = old_and_new.told()
    assert "broken" not in {line["type"] for line in told}
    assert [line["seq"] for line in told] == list(range(1, len(told) + 1))
    good, page = await verdict(old_and_new)
    assert good and f"{len(told)} regel" in page
    shards = {line["shard"] for line in map(json.loads, await exported(old_and_new)) if "shard" in line}
    assert shards == {OLD, NEW}


@pytest.mark.parametrize("which", [-1, 3])
async def test_a_line_taken_out_of_either_half_is_missed(old_and_new: Household, which: int) -> None:
    await lose(old_and_new, [old_and_new.told()[which]["seq"]])
    assert (await verdict(old_and_new))[0] is False


async def test_the_log_verifies_from_outside_back_to_its_first_entry(old_and_new: Household) -> None:
    house, trees = old_and_new, old_and_new.vault.log.shards
    await house.vault.publish()
    public, lines = await bodies(house), await exported(house)
    for key in (trees.all[0].vkey, trees.all[1].vkey):  # the key of whichever half-year somebody noted down
        log = read_log(public.__getitem__, key)
        assert [shard.head.origin for shard in log.shards] == [OLD, NEW]
        assert check_records(log, lines, settled=True).checked == len(house.told())
        assert read_directory(house.house.settings.data, key).shards[1].hands == log.shards[1].hands == ()
    first = trees.current.first
    assert prove(log, first - 1).startswith(f"c2sp.org/tlog-proof@v1\nindex {first - 1}\n")
    assert prove(log, first).startswith("c2sp.org/tlog-proof@v1\nindex 0\n")
    assert fsck.check(house.house.settings.data / "vault", house.house.settings.data / "shares") == []


async def test_a_shard_that_ended_otherwise_than_its_successor_says_is_refused(old_and_new: Household) -> None:
    house, old = old_and_new, old_and_new.vault.log.shards.all[0]
    earlier = old.note.encode()  # a head of the same shard, truly signed, with fewer entries
    await house.vault.publish()
    public = await bodies(house)
    for kind in ("entries", "0"):
        width = int(earlier.split(b"\n")[1])
        path = f"/log/2026h2/tile/{kind}/000.p/{width}"
        public[path] = (await house.http.get(path)).content
    with pytest.raises(LogBroken, match="ended otherwise"):
        read_log((public | {"/log/2026h2/checkpoint": earlier}).__getitem__, old.vkey)


async def test_fsck_names_a_shard_whose_beginning_does_not_fit_the_one_before(old_and_new: Household) -> None:
    house, first = old_and_new, old_and_new.vault.log.ledger.first
    with closing(sqlite3.connect(house.house.settings.data / "vault" / "kluis.db")) as db, db:
        db.execute("UPDATE entry SET leaf = ? WHERE idx = ?", (b"\x01\x02other", first))
    faults = fsck.check(house.house.settings.data / "vault", house.house.settings.data / "shares")
    assert f"entry {first} does not say how the half-year before it ended" in faults


async def test_after_a_restart_both_trees_are_what_they_were(old_and_new: Household, tmp_path: Path) -> None:
    vault = old_and_new.vault
    await vault.publish()
    before = [(tree.origin, tree.first, tree.size, tree.tree.root(), tree.note) for tree in vault.log.shards.all]
    vault.close()
    custodian = FileCustodian.open(f"file:{tmp_path / 'custodian'}")
    again = open_vault(tmp_path / "vault", tmp_path / "shares", custodian, BASE, old_and_new.clock())
    after = [(tree.origin, tree.first, tree.size, tree.tree.root(), tree.note) for tree in again.log.shards.all]
    again.close()
    vault.close = lambda: None  # type: ignore[method-assign]
    assert before == after and len(after) == 2


@pytest.mark.skipif(NODE is None, reason="node is not installed: verify.js cannot be run here")
async def test_her_own_device_checks_both_halves_and_remembers_both_heads(house: Household, tmp_path: Path) -> None:
    await house.vault.publish()
    first = await answered(house)
    house.clock.now = datetime(2027, 1, 2, tzinfo=UTC)
    await enter(house)
    unsealed = await answered(house)  # the new half-year has no head yet: its lines wait
    await house.vault.publish()
    whole = await answered(house)
    old, size = house.vault.log.shards.all[0], first["shards"][0]["size"]
    steps = (await house.http.get(f"/log/2026h2/consistency?old={size}&new={old.size}")).json()["proof"]
    (seen,) = in_node(tmp_path, [("check", [first, None, []])])
    forgotten = whole | {"shards": whole["shards"][1:], "entries": []}
    moved = json.loads(json.dumps(whole))
    moved["entries"][-1]["shard"] = 0
    waiting, good, lost, wrong = in_node(tmp_path, [
        ("check", [unsealed, None, []]), ("check", [whole, seen["memory"], steps]),
        ("check", [forgotten, seen["memory"], steps]), ("check", [moved, None, []]),
    ])  # fmt: skip
    assert waiting["ok"] and waiting["waiting"] > 0
    assert good["ok"] and good["waiting"] == 0 and len(good["memory"]["seals"]) == 2
    assert not lost["ok"] and not wrong["ok"]


async def test_the_dpos_totals_are_complete_over_both_halves(vault: Vault, clock: Clock) -> None:
    (made,) = await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    await enroll(vault, "an", "An", "citizen", "an", None, clock())
    pod = vault.pod("an")
    assert pod is not None
    for day in (1, 60):
        clock.forward(days=day)
        await vault.log.append(Intent(pod.id, READ, clock()))
        await vault.log.state(b"a statement", clock())
    opened = await passphrase.login(vault, "dpo", made.codes[0], clock())
    assert opened is not None
    told = await report.totals(vault, opened[1], clock())
    statements = 3  # two said here, one that begins the new half-year
    assert told.damaged == () and len(vault.log.shards.all) == 2
    assert told.opened == told.entries == vault.log.shards.kept - 1 - statements
    assert sum(row.entries for row in told.rows if row.client == "kluis-recommender") == 2


def _added(shards: Shards, done: Any) -> None:
    shards.add(done.turn, done.index, done.leaf)


async def test_a_batch_that_crosses_a_half_year_stands_in_the_right_shards(vault: Vault, clock: Clock) -> None:
    await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    moments = [clock() + timedelta(days=days) for days in (1, 50, 51, 250)]

    shards = vault.log.shards

    def booked(at: datetime) -> Any:
        return lambda tx: vault.log._write(tx, vault.office, READ, ms(at), None)

    hold = vault.db.submit(lambda _: None)
    added = partial(_added, shards)
    waiting = [vault.db.submit(booked(at), then=added) for at in moments]
    await hold
    for one in waiting:
        await one
    assert [tree.half for tree in shards.all] == ["2026h2", "2027h1", "2027h2"]
    for tree in shards.all:
        rows = [row for row in vault.db.read.find(Entry, order_by="idx") if shards.at(row.idx) is tree]
        again = Tree()
        for row in rows:
            again.append(leaf_hash(row.leaf))
        assert again.root() == tree.tree.root()
    assert views.kept(vault) == shards.kept


def test_a_half_year_ends_where_the_next_begins() -> None:
    moments = {half: datetime.fromtimestamp(end(half) / 1000, UTC) for half in ("2026h2", "2027h1")}
    assert moments == {"2026h2": datetime(2027, 1, 1, tzinfo=UTC), "2027h1": datetime(2027, 7, 1, tzinfo=UTC)}
