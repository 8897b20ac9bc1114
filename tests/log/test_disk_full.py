"""A disk that is really full: data requests answer 503, withdrawing and reading one's own log still work."""

import html
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from consent.accounts import sessions
from keys.custodian import FileCustodian
from keys.text import b64
from keys.unlock import new_code
from tests.conftest import BASE, Clock
from tests.house import INTERESTS, Household, household
from vault.reserve import SIZE
from vault.vault import open_vault

INTEREST = "/pods/an/interests/a.jsonld"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that is soon full."""
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("not root: a small file system cannot be mounted here")
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "kluis-test", place], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
async def house(small: Path, clock: Clock) -> AsyncIterator[Household]:
    vault = open_vault(small / "vault", small / "shares", FileCustodian.create(small / "custodian"), BASE, clock())
    async with household(vault, clock, small) as made:
        yield made
    vault.close()


def fill(place: Path) -> Path:
    """Write until not one byte more goes in."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        for size in (2**20, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    return filler


async def exhaust(house: Household, place: Path, token: str) -> Path:
    """Fill the disk, then use up what SQLite still has with the very reads that are to fail."""
    filler = fill(place)
    for _ in range(3000):
        if (await house.call("GET", INTEREST, token)).status_code == 503:
            return filler
    raise AssertionError("the disk never became full")


async def test_with_a_full_disk_one_withdraws_and_reads_ones_log_and_nothing_else_is_served(
    house: Household, small: Path
) -> None:
    granted = await house.grant(INTERESTS, recurrence={"mode": "ongoing"})
    other = await house.grant(INTERESTS, recurrence={"mode": "ongoing"})
    filler = await exhaust(house, small, granted.access)
    cookie = {"cookie": f"kluis={house.cookie}"}
    assert shutil.disk_usage(small).free == 0
    withdrawn = await house.press(f"/me/access/{b64(granted.id)}/withdraw")
    assert withdrawn.status_code == 303
    assert house.vault.shares.count("grant", granted.id) == 0
    assert house.told()[-1]["action"] == "withdraw"
    for path in ("/me/log", "/api/log", "/api/log?proofs=1"):
        assert (await house.http.get(path, headers=cookie)).status_code == 200
    answers = [await house.call("GET", INTEREST, other.access), await house.call("GET", "/pods/an/profile/card")]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert (await house.press(f"/me/access/{b64(other.id)}/withdraw")).status_code == 303
    assert filler.exists()


async def test_the_space_is_kept_back_again_once_there_is_room(house: Household, small: Path) -> None:
    granted = await house.grant(INTERESTS, recurrence={"mode": "ongoing"})
    other = await house.grant(INTERESTS, recurrence={"mode": "ongoing"})
    reserve = small / "vault" / "reserve"
    assert reserve.stat().st_blocks * 512 >= SIZE
    filler = await exhaust(house, small, other.access)
    assert reserve.exists()
    assert (await house.press(f"/me/access/{b64(granted.id)}/withdraw")).status_code == 303
    assert not reserve.exists()
    assert (await house.call("GET", INTEREST, other.access)).status_code == 503
    filler.unlink()
    assert (await house.call("GET", INTEREST, other.access)).status_code == 200
    assert reserve.stat().st_blocks * 512 >= SIZE
    house.vault.close()
    assert not reserve.exists()


async def enters(house: Household, user: str, secret: str) -> httpx.Response:
    """Somebody logs in on the form."""
    page = await house.http.get("/login")
    token = html.unescape(re.findall(r'name="csrf" value="([^"]+)"', page.text)[0])
    fields = {"csrf": token, "user": user, "passphrase": secret}
    answer = await house.http.post("/login", data=fields, headers={"sec-fetch-site": "same-origin"})
    house.http.cookies.clear()
    return answer


async def test_with_a_full_disk_who_has_no_session_any_more_logs_in_and_withdraws(
    house: Household, small: Path
) -> None:
    granted = await house.grant(INTERESTS, recurrence={"mode": "ongoing"})
    await exhaust(house, small, granted.access)
    house.clock.forward(minutes=20)
    assert (await house.press(f"/me/access/{b64(granted.id)}/withdraw")).headers["location"].startswith("/login")
    answer = await enters(house, "an", house.codes[0])
    cookie = answer.cookies["kluis"]
    again = sessions.find(house.vault, cookie, house.clock())
    assert answer.status_code == 303 and again is not None
    house.cookie, house.session = cookie, again
    assert (await house.call("GET", "/pods/an/profile/card")).status_code == 503
    assert (await house.press(f"/me/access/{b64(granted.id)}/withdraw")).status_code == 303
    assert house.vault.shares.count("grant", granted.id) == 0
    assert [line["action"] for line in house.told()[-3:]] == ["login", "login", "withdraw"]


async def test_a_flood_of_logins_uses_up_its_own_part_alike_for_every_name_and_leaves_that_of_withdrawing(
    house: Household, small: Path
) -> None:
    granted = await house.grant(INTERESTS, recurrence={"mode": "ongoing"})
    await exhaust(house, small, granted.access)
    house.vault.db.reserve._entering = 9  # three wrong tries, each of three units
    wrong = new_code()
    for user in ("an", "niemand", "an"):
        answer = await enters(house, user, wrong)
        assert (answer.status_code, "failed" in answer.headers["location"]) == (303, True)
    for user in ("an", "niemand"):
        assert (await enters(house, user, wrong)).status_code == 503
    assert (small / "vault" / "reserve").stat().st_blocks * 512 >= SIZE
    assert (await house.press(f"/me/access/{b64(granted.id)}/withdraw")).status_code == 303
