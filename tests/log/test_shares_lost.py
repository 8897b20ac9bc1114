"""A share store that was lost: the start names it, grants need renewal, the citizen is told which way in is blunt."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from consent.accounts import passphrase
from tests.house import INTERESTS, Household
from tests.log.reopened import again, reopened
from vault.errors import MissingKey


def lose(folder: Path, where: str) -> None:
    with closing(sqlite3.connect(folder / "shares" / "shares.db")) as db, db:
        assert db.execute(f"DELETE FROM share WHERE {where}").rowcount > 0


async def test_a_start_without_any_share_is_refused_and_says_what_happened(house: Household, tmp_path: Path) -> None:
    house.vault.close()
    for file in (tmp_path / "shares").iterdir():
        file.unlink()
    with pytest.raises(MissingKey, match="no share of any of the 2 pods here"):
        again(tmp_path, house)


async def test_a_grant_without_its_share_needs_renewal_and_leaves_a_line(house: Household, tmp_path: Path) -> None:
    granted = await house.grant(INTERESTS, recurrence={"mode": "ongoing"})
    house.vault.close()
    lose(tmp_path, "kind = 'grant'")
    async with reopened(house, tmp_path) as later:
        assert later.vault.lost.told == ""
        answer = await later.call("GET", "/pods/an/interests/a.jsonld", granted.access)
        assert answer.status_code == 401
        assert later.told()[-1]["rule"] == "needs_renewal"


async def test_a_way_in_without_its_share_opens_nothing_and_its_owner_is_told(house: Household, tmp_path: Path) -> None:
    house.vault.close()
    own = f"kind = 'unlock' AND pod = x'{house.session.pod.id.hex()}'"
    lose(tmp_path, f"owner = (SELECT min(owner) FROM share WHERE {own})")
    async with reopened(house, tmp_path) as later:
        assert "the shares of 1 ways into a pod: put back its newest backup" in later.vault.lost.told
        page = await later.http.get("/me/security", headers={"cookie": f"kluis={later.cookie}"})
        assert page.text.count("werkt niet meer") >= 1
        opened = [await passphrase.login(later.vault, "an", code, later.clock()) for code in house.codes]
        assert sorted(one is None for one in opened) == [False, True]


async def test_a_pod_without_its_custody_share_is_counted_and_the_others_go_on(
    house: Household, tmp_path: Path
) -> None:
    house.vault.close()
    lose(tmp_path, f"kind = 'custody' AND pod = x'{house.session.pod.id.hex()}'")
    vault = again(tmp_path, house)
    assert vault.lost.told == "the share store has lost the shares of 1 pods: put back its newest backup"
    assert vault.pod("office") is not None
    vault.close()
