"""`kluis log verify` finds every change of the log and of what a citizen is shown, and names the place."""

import json
import sqlite3
from base64 import b64decode
from contextlib import closing
from pathlib import Path

import pytest

from keys.merkle import leaf_hash, verify_inclusion
from keys.note import vkey
from keys.sign import new_signer, signer_public
from tests.web.shown_log import ORIGIN, SIZE, ShownLog
from web.logread import tile_name
from web.verify import LogBroken, check_records, prove, read_directory, read_log


@pytest.fixture
def house() -> ShownLog:
    return ShownLog()


def spoil(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def test_an_untouched_log_and_export_verify(house: ShownLog) -> None:
    log = read_log(house.fetch, house.key)
    assert (log.head.size, log.head.origin) == (SIZE, ORIGIN)
    assert check_records(log, house.export()).checked == SIZE
    assert [log.leaf(index) for index in range(SIZE)] == house.leaves


@pytest.mark.parametrize("index", [0, 255, 256, 299])
def test_a_changed_entry_is_named(house: ShownLog, index: int) -> None:
    house.leaves[index] = spoil(house.leaves[index])
    with pytest.raises(LogBroken) as broken:
        read_log(house.fetch, house.key)
    assert broken.value.entry == index


def test_a_removed_entry_is_named(house: ShownLog) -> None:
    del house.leaves[270]
    with pytest.raises(LogBroken) as broken:
        read_log(house.fetch, house.key)
    assert broken.value.entry == 270


def test_two_swapped_entries_are_named(house: ShownLog) -> None:
    house.leaves[3], house.leaves[4] = house.leaves[4], house.leaves[3]
    with pytest.raises(LogBroken, match="entry 3"):
        read_log(house.fetch, house.key)


def test_an_entry_of_a_foreign_form_is_named(house: ShownLog) -> None:
    house.leaves[9] = b"\x02" + house.leaves[9][1:]
    with pytest.raises(LogBroken, match="entry 9"):
        read_log(house.fetch, house.key)


def test_a_checkpoint_of_another_key_is_refused(house: ShownLog) -> None:
    with pytest.raises(LogBroken, match="not signed"):
        read_log(house.fetch, vkey(ORIGIN, signer_public(new_signer())))


def test_a_rewritten_tree_without_the_key_is_refused(house: ShownLog) -> None:
    text, _, signature = house.notes[-1].partition("\n\n")
    house.notes[-1] = text.replace("300", "299") + "\n\n" + signature
    with pytest.raises(LogBroken):
        read_log(house.fetch, house.key)


@pytest.mark.parametrize("index", [0, 99, 100, 299])
def test_a_changed_row_on_disk_is_narrowed_down_to_two_checkpoints(house: ShownLog, tmp_path: Path, index: int) -> None:
    house.leaves[index] = spoil(house.leaves[index])
    house.store(tmp_path)
    with pytest.raises(LogBroken) as broken:
        read_directory(tmp_path, house.key)
    assert broken.value.entry == (0 if index < 100 else 100)


def test_a_directory_verifies_and_a_missing_row_is_named(house: ShownLog, tmp_path: Path) -> None:
    house.store(tmp_path)
    assert read_directory(tmp_path, house.key).head.size == SIZE
    with closing(sqlite3.connect(tmp_path / "vault" / "kluis.db")) as db, db:
        db.execute("DELETE FROM entry WHERE idx = 42")
    with pytest.raises(LogBroken, match="entry 42: is missing"):
        read_directory(tmp_path, house.key)


def test_a_directory_without_a_vault_says_so(house: ShownLog, tmp_path: Path) -> None:
    with pytest.raises(LogBroken, match="cannot be read"):
        read_directory(tmp_path, house.key)


def test_an_edited_record_is_named(house: ShownLog) -> None:
    house.lines[17]["record"]["app"]["action"] = "list"  # type: ignore[index]
    with pytest.raises(LogBroken, match="entry 17"):
        check_records(read_log(house.fetch, house.key), house.export())


def test_a_left_out_record_is_noticed(house: ShownLog) -> None:
    del house.lines[17]
    with pytest.raises(LogBroken, match="entry 18"):
        check_records(read_log(house.fetch, house.key), house.export())


def test_a_record_of_another_place_is_noticed(house: ShownLog) -> None:
    house.lines[17]["index"] = 18
    with pytest.raises(LogBroken, match="entry 18"):
        check_records(read_log(house.fetch, house.key), house.export())


def broken(house: ShownLog, match: str, lines: list[str] | None = None) -> int | None:
    with pytest.raises(LogBroken, match=match) as why:
        check_records(read_log(house.fetch, house.key), house.export() if lines is None else lines)
    return why.value.entry


@pytest.mark.parametrize("kept", [SIZE - 1, 1, 0])
def test_records_cut_off_at_the_end_are_noticed(house: ShownLog, kept: int) -> None:
    del house.lines[kept:]
    assert broken(house, f"ends at record {kept}, its pod has 300") is None


@pytest.mark.parametrize("first", [1, 17, SIZE - 1])
def test_records_cut_off_at_the_front_are_noticed(house: ShownLog, first: int) -> None:
    del house.lines[:first]
    assert broken(house, "does not follow record 0") == first


def test_records_renumbered_after_a_cut_at_the_front_are_noticed(house: ShownLog) -> None:
    del house.lines[:17]
    house.lines[0]["record"]["own"] |= {"seq": 1, "prev": ""}  # type: ignore[index]
    assert broken(house, "not the record that begins a pod") == 17


def test_an_empty_export_is_broken_even_if_its_head_denies_every_record(house: ShownLog) -> None:
    head = {"seq": 0, "head": "", "kept": SIZE}
    assert broken(house, "does not end with the head", []) is None
    assert broken(house, "ends at record 0", [json.dumps(house.head)]) is None
    assert broken(house, "ends at record 0", [json.dumps(head)]) is None


def test_an_export_without_its_head_or_with_more_after_it_is_cut_or_glued(house: ShownLog) -> None:
    lines = list(house.export())
    assert broken(house, "does not end with the head", lines[:-1]) is None
    assert broken(house, "line 302", [*lines, lines[0]]) is None


def test_another_head_than_the_last_records_is_noticed(house: ShownLog) -> None:
    house.head["head"] = house.lines[7]["record"]["own"]["prev"]  # type: ignore[index]
    assert broken(house, "ends at record 300") is None


def test_a_part_of_an_export_is_checked_from_the_head_of_an_earlier_one(house: ShownLog) -> None:
    del house.lines[:100]
    record = house.lines[0]["record"]["own"]  # type: ignore[index]
    begins = (record["seq"], record["prev"])
    log = read_log(house.fetch, house.key)
    assert check_records(log, house.export(), begins).checked == 200
    with pytest.raises(LogBroken, match="does not follow record 99"):
        check_records(log, house.export(), (100, "x"))


def test_records_newer_than_the_checkpoint_wait_unless_it_came_after_them(house: ShownLog) -> None:
    house.notes[-1] = house.sign(290)
    log = read_log(house.fetch, house.key)
    seen = check_records(log, house.export())
    assert (seen.checked, seen.waiting) == (290, 10)
    with pytest.raises(LogBroken, match="entry 299: the record is not among the published"):
        check_records(log, house.export(), settled=True)


@pytest.mark.parametrize(("line", "index"), [(17, 900), (17, 295), (299, 300), (299, 5_000), (299, 298), (17, -1)])
def test_a_record_waits_only_at_the_end_and_at_a_place_that_exists(house: ShownLog, line: int, index: int) -> None:
    house.notes[-1] = house.sign(290)
    house.lines[line]["index"] = index
    broken(house, "no place in the log")


@pytest.mark.parametrize("line", ["", "{}", "[1]", '{"index": 1, "record": {"own": {"seq": "x"}}, "nonce": ""}'])
def test_a_line_that_is_no_record_is_named(house: ShownLog, line: str) -> None:
    with pytest.raises(LogBroken, match="line 1 of the export"):
        check_records(read_log(house.fetch, house.key), [line])


def test_a_proof_stands_alone(house: ShownLog) -> None:
    log = read_log(house.fetch, house.key)
    head, _, note = prove(log, 123).partition("\n\n")
    first, index, *hashes = head.split("\n")
    assert (first, index, note) == ("c2sp.org/tlog-proof@v1", "index 123", house.notes[-1])
    verify_inclusion(leaf_hash(house.leaves[123]), 123, SIZE, [b64decode(h) for h in hashes], house.tree.root(SIZE))
    with pytest.raises(LogBroken):
        prove(log, SIZE)


@pytest.mark.parametrize(
    ("index", "width", "name"),
    [(0, 256, "000"), (5, 7, "005.p/7"), (1234067, 256, "x001/x234/067"), (256, 1, "256.p/1"), (1000, 256, "x001/000")],
)
def test_tile_names_follow_the_specification(index: int, width: int, name: str) -> None:
    assert tile_name(index, width) == name
