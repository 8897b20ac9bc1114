"""`kluis log verify` finds every change of the log and of what a citizen is shown, and names the place."""

import sqlite3
from base64 import b64decode
from contextlib import closing
from pathlib import Path

import pytest

from keys.merkle import leaf_hash, verify_inclusion
from keys.note import vkey
from keys.sign import new_signer, signer_public
from tests.web.shown_log import ORIGIN, SIZE, ShownLog
from web.verify import LogBroken, check_records, prove, read_directory, read_log, tile_name


@pytest.fixture
def house() -> ShownLog:
    return ShownLog()


def spoil(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def test_an_untouched_log_and_export_verify(house: ShownLog) -> None:
    log = read_log(house.fetch, house.key)
    assert (log.head.size, log.head.origin) == (SIZE, ORIGIN)
    assert (check_records(log, house.export()).checked, log.leaves) == (SIZE, house.leaves)


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
    house.lines[17]["record"]["action"] = "list"  # type: ignore[index]
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


def test_records_newer_than_the_checkpoint_wait(house: ShownLog) -> None:
    house.notes[-1] = house.sign(290)
    seen = check_records(read_log(house.fetch, house.key), house.export())
    assert (seen.checked, seen.waiting) == (290, 10)


@pytest.mark.parametrize("line", ["", "{}", "[1]", '{"index": 1, "record": {"seq": "x"}, "nonce": ""}'])
def test_a_line_that_is_no_record_is_named(house: ShownLog, line: str) -> None:
    with pytest.raises(LogBroken, match="line 1 of the export"):
        check_records(read_log(house.fetch, house.key), [line])


def test_a_proof_stands_alone(house: ShownLog) -> None:
    log = read_log(house.fetch, house.key)
    head, _, note = prove(log, 123).partition("\n\n")
    first, index, *hashes = head.split("\n")
    assert (first, index, note) == ("c2sp.org/tlog-proof@v1", "index 123", log.note)
    verify_inclusion(leaf_hash(house.leaves[123]), 123, SIZE, [b64decode(h) for h in hashes], house.tree.root(SIZE))
    with pytest.raises(LogBroken):
        prove(log, SIZE)


@pytest.mark.parametrize(
    ("index", "width", "name"),
    [(0, 256, "000"), (5, 7, "005.p/7"), (1234067, 256, "x001/x234/067"), (256, 1, "256.p/1"), (1000, 256, "x001/000")],
)
def test_tile_names_follow_the_specification(index: int, width: int, name: str) -> None:
    assert tile_name(index, width) == name
