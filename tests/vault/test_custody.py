"""The custody key is replaced pod by pod, each step logged first, and what broke off is finished by the next call."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from keys.custodian import FileCustodian
from keys.custody import Custodian, custodian as open_custodian
from keys.errors import Damaged
from keys.hsm import TokenCustodian
from keys.text import b64
from tests.conftest import BASE, Clock
from tests.house import Household, household
from tests.keys.token import token
from vault import custody, fsck
from vault.errors import LogUnavailable
from vault.log.append import Log
from vault.shares import Drop, Want
from vault.vault import Vault, open_vault


async def keeps(house: Household, path: str, text: bytes) -> int:
    """Write a managed resource as a plain Solid program does, and read it back through the custodian."""
    put = await house.call("PUT", f"/pods/an{path}", await house.jwt(), {"content-type": "text/plain"}, text)
    assert put.status_code in (201, 204, 205), put.text
    got = await house.call("GET", f"/pods/an{path}", await house.jwt())
    assert got.content == text
    return got.status_code


def under(house: Household) -> dict[str, int]:
    return fsck.custody(house.vault.db.folder)


def faults(house: Household) -> list[str]:
    folder = house.vault.db.folder.parent
    return fsck.check(folder / "vault", folder / "shares")


async def test_after_a_change_nothing_hangs_under_the_old_key_and_it_is_gone(house: Household) -> None:
    old = house.vault.custodian.custody_id
    await keeps(house, "/public/a.txt", b"before")
    assert under(house) == {b64(old): 2}  # An's pod and the office
    done = await custody.rotate(house.vault, house.clock())
    assert (done.moved, done.left, done.destroyed) == (2, 0, (old,)) and done.key != old
    assert under(house) == {b64(done.key): 2}
    assert house.vault.custodian.custody_ids == (done.key,)
    assert (await house.call("GET", "/pods/an/public/a.txt", await house.jwt())).content == b"before"
    await keeps(house, "/new/b.txt", b"after")
    assert faults(house) == []


async def test_each_step_of_the_change_is_in_the_log_of_whom_it_concerns(house: Household) -> None:
    await custody.rotate(house.vault, house.clock())
    mine = [line for line in house.told() if line["action"] == "move to new custody key"]
    assert [line["type"] for line in mine] == ["managed unlock"]
    assert mine[0]["digest"] == house.vault.custodian.custody_id.hex()


async def test_without_a_log_no_key_is_added_no_pod_opened_and_none_destroyed(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = house.vault.custodian.custody_id

    async def unavailable(*_: object) -> None:
        raise LogUnavailable("full")

    with monkeypatch.context() as broken:
        broken.setattr(Log, "append", unavailable)
        with pytest.raises(LogUnavailable):
            await custody.rotate(house.vault, house.clock())
        assert house.vault.custodian.custody_ids == (old,)
        house.vault.custodian.add()
        with pytest.raises(LogUnavailable):
            await custody.rotate(house.vault, house.clock())
    assert old in house.vault.custodian.custody_ids and under(house) == {b64(old): 2}


async def test_a_change_that_broke_off_after_any_step_is_finished_by_the_next_call(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Log.append
    for steps in range(1, 5):  # new key, two pods, destroy
        left, old = steps, house.vault.custodian.custody_ids

        async def dies(log: Log, intent: Any) -> Any:
            nonlocal left
            left -= 1
            if not left:
                raise LogUnavailable("the power went")
            return await append(log, intent)

        with monkeypatch.context() as broken:
            broken.setattr(Log, "append", dies)
            with pytest.raises(LogUnavailable):
                await custody.rotate(house.vault, house.clock())
        await keeps(house, f"/public/{steps}.txt", b"in between")
        await custody.rotate(house.vault, house.clock())
        assert under(house) == {b64(house.vault.custodian.custody_id): 2}
        assert len(house.vault.custodian.custody_ids) == 1 and house.vault.custodian.custody_ids != old


async def test_while_a_pod_cannot_be_moved_the_old_key_stays(house: Household) -> None:
    old, pod = house.vault.custodian.custody_id, house.session.pod.id
    house.vault.shares.drop([Drop("custody", pod)])
    done = await custody.rotate(house.vault, house.clock())
    assert (done.left, done.destroyed) == (1, ()) and under(house)[b64(old)] == 1
    assert old in house.vault.custodian.custody_ids


async def test_an_old_backup_opens_nothing_managed_once_its_key_is_destroyed(house: Household) -> None:
    row = house.vault.db.read.run("SELECT wrapped FROM rootwrap WHERE parent = 'custody'")
    await custody.rotate(house.vault, house.clock())
    fresh = {found[0] for found in house.vault.db.read.run("SELECT wrapped FROM rootwrap WHERE parent = 'custody'")}
    assert not fresh & {found[0] for found in row}
    with house.vault.shares.take(house.session.pod.id, [want(house)])[want(house)] as share, pytest.raises(Damaged):
        house.vault.custodian.custody_key(house.session.pod.id, share, row[0][0][:16])


def want(house: Household) -> Any:
    return Want("custody", house.session.pod.id)


@contextmanager
def opened(folder: Path, holder: Custodian, clock: Clock) -> Iterator[Vault]:
    made = open_vault(folder / "vault", folder / "shares", holder, BASE, clock())
    try:
        yield made
    finally:
        made.close()


async def test_a_whole_vault_lives_on_a_token_and_opens_with_that_token_alone(tmp_path: Path, clock: Clock) -> None:
    for uri in token(tmp_path):
        holder = TokenCustodian.create(uri)
        with opened(tmp_path, holder, clock) as vault:
            async with household(vault, clock, tmp_path) as house:
                await keeps(house, "/public/a.txt", b"in the token's care")
                done = await custody.rotate(vault, clock())
                assert (done.moved, done.left) == (2, 0) and holder.custody_ids == (done.key,)
                await keeps(house, "/public/b.txt", b"still")
        with opened(tmp_path, open_custodian(uri), clock) as again:
            assert again.pod("an") is not None
        with pytest.raises(Damaged), opened(tmp_path, FileCustodian.create(tmp_path / "another"), clock):
            pass
