"""Statements: entries in clear for everybody, in the same tree as all others and of no pod."""

import pytest

from tests.house import Household
from tests.web.test_log_check import verdict
from vault import fsck
from vault.log.entry import LONGEST
from vault.tables import Entry
from web.verify import read_directory


async def test_a_statement_stands_in_the_tree_and_every_reader_passes_it_by(house: Household) -> None:
    vault, told = house.vault, house.told()
    body = b'{"root":"..."}'
    index = await vault.log.state(body, house.clock())
    longest = await vault.log.state(bytes(LONGEST), house.clock())
    await house.keep("/interests/b.jsonld", {})
    row = vault.db.read.get(Entry, index)
    assert row is not None and row.leaf == b"\x01\x02" + body
    assert longest == index + 1 and vault.log.ledger.tree.size == len(vault.db.read.find(Entry))
    assert len(house.told()) == len(told) + 1
    assert (await verdict(house))[0] is True
    assert read_directory(house.house.settings.data, vault.log.ledger.vkey).leaf(index) == row.leaf
    assert fsck.check(house.house.settings.data / "vault", house.house.settings.data / "shares") == []


@pytest.mark.parametrize("body", [b"", bytes(LONGEST + 1)])
async def test_a_statement_that_no_bundle_could_hold_is_refused_and_nothing_is_written(
    house: Household, body: bytes
) -> None:
    size = house.vault.log.ledger.tree.size
    with pytest.raises(ValueError, match="a statement has 1 to"):
        await house.vault.log.state(body, house.clock())
    assert house.vault.log.ledger.tree.size == size
