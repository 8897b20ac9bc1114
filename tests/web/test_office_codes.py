"""The first start of a server: whatever happens, an officer can log in afterwards."""

import os
import stat
from pathlib import Path

import pytest

from consent.accounts import passphrase, people
from consent.tables import Account
from tests.conftest import BASE, Clock
from vault import pod as pods
from vault.database import Tx
from vault.vault import Vault
from web import app
from web.app import House
from web.recommending import Recommender
from web.settings import Settings


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def fresh(vault: Vault, clock: Clock, tmp_path: Path) -> House:
    return House(vault, Settings(data=tmp_path, base_url=BASE), clock, Recommender(tmp_path / "ask.sock"))


def codes(folder: Path) -> dict[str, list[str]]:
    lines = (folder / "office-codes.txt").read_text(encoding="utf-8").splitlines()
    return {user: told.split("  or  ") for user, _, told in (line.partition(": ") for line in lines)}


async def test_the_first_start_leaves_the_codes_in_a_file_of_its_owner_and_shows_none(
    fresh: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await app._found_office(fresh)
    path = tmp_path / "office-codes.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = capsys.readouterr().err
    assert str(path) in told and "delete it" in told
    for user, own in codes(tmp_path).items():
        for code in own:
            assert code not in told
            assert await passphrase.login(fresh.vault, user, code, fresh.clock()) is not None
    await app._found_office(fresh)
    assert str(path) in capsys.readouterr().err  # as long as the file is there
    path.unlink()
    await app._found_office(fresh)
    assert capsys.readouterr().err == "" and not path.exists()


def at_the_file(patch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise Crash

    patch.setattr(os, "fsync", fsync)


def before_the_office(patch: pytest.MonkeyPatch) -> None:
    async def found(*_: object) -> None:
        raise Crash

    patch.setattr(pods, "found_office", found)


def in_the_transaction(patch: pytest.MonkeyPatch) -> None:
    add = Tx.add

    def stop(tx: Tx, row: object) -> None:
        if isinstance(row, Account) and row.pod is not None:
            raise RuntimeError("the process ends here")
        add(tx, row)  # type: ignore[arg-type]

    patch.setattr(Tx, "add", stop)


def after_the_office(patch: pytest.MonkeyPatch) -> None:
    found = pods.found_office

    async def stop(*given: object) -> None:
        await found(*given)  # type: ignore[arg-type]
        raise Crash

    patch.setattr(people.pods, "found_office", stop)


@pytest.mark.parametrize("crash", [at_the_file, before_the_office, in_the_transaction, after_the_office])
async def test_after_a_crash_at_any_moment_a_restart_lets_every_officer_in(
    fresh: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crash: object
) -> None:
    with monkeypatch.context() as patch:
        crash(patch)  # type: ignore[operator]
        with pytest.raises((Crash, RuntimeError)):
            await app._found_office(fresh)
    await app._found_office(fresh)
    told = codes(tmp_path)
    assert set(told) == {"dpo-1", "dpo-2"}
    for user, own in told.items():
        for code in own:
            assert await passphrase.login(fresh.vault, user, code, fresh.clock()) is not None
