"""K3: what was withdrawn, narrowed or erased stays shut when yesterday's copies come back.

Four restores per batch of cases: yesterday's database next to today's share store; both stores of yesterday under a
server that sweeps them at its start; the share store so swept next to yesterday's database as it was; and what `kluis
restore` makes of yesterday's `kluis backup` where today's list of deleted shares is all that is left. Each is tried
with every secret that yesterday opened something.
"""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from consent import endings, erasure, gate, narrowing
from consent.accounts import passphrase
from consent.accounts.people import enroll
from keys.custodian import FileCustodian
from tests.conftest import BASE, START
from tests.house import RECORDS, Household
from tests.keys.prove.consents import APPS, City, Row, in_hours, seed_of, some_rows
from tests.keys.prove.copies import Bearer, Copies, Unit
from tests.proof import figure, rounds
from vault import backup, restore, store
from vault.vault import PodFacts, open_vault

FEW, BATCH, PODS = 10, 50, 25


@dataclass
class Secrets:
    """What one case holds: an app's tokens, or a person's code and cookie as well."""

    pod: PodFacts
    bearer: Bearer
    rows: list[Row] = field(default_factory=list)
    code: str = ""
    cookie: str = ""


class Yesterday:
    """Consistent copies of both stores as they were, and the two ways to restore them."""

    def __init__(self, here: Path, folder: Path) -> None:
        self.here, self.folder = here, folder
        folder.mkdir()
        for name in ("vault/kluis.db", "shares/shares.db"):
            with closing(sqlite3.connect(here / name)) as source, closing(sqlite3.connect(self._kept(name))) as copy:
                source.backup(copy)
        backup.make(here / "vault", here / "shares", folder / "backup", START, lambda *_: None)

    def by_command(self) -> Copies:
        """What the product's own backup gives back: no share of any grant, and none of what is gone."""
        home = self.folder / "home"
        (home / "shares").mkdir(parents=True)
        shutil.copy(self.here / "shares" / "deleted.db", home / "shares" / "deleted.db")
        restore.restore(self.folder / "backup", home / "vault", home / "shares", START)
        return Copies(home / "vault" / "kluis.db", home / "shares" / "shares.db")

    def _kept(self, name: str) -> Path:
        return self.folder / Path(name).name

    def then(self) -> Copies:
        return Copies(self._kept("kluis.db"), self._kept("shares.db"))

    def beside_today(self) -> Copies:
        """Yesterday's database, today's shares."""
        return Copies(self._kept("kluis.db"), self.here / "shares" / "shares.db")

    def restored(self, house: Household) -> list[Copies]:
        """The three restores by hand."""
        data, shares = self._start(house)
        return [self.beside_today(), Copies(data, shares), Copies(self._kept("kluis.db"), shares)]

    def _start(self, house: Household) -> tuple[Path, Path]:
        """Yesterday's database and shares under a server that starts with today's list of what was deleted."""
        data, shares = self.folder / "vault", self.folder / "shares"
        for folder in (data, shares):
            folder.mkdir()
        shutil.copy(self._kept("kluis.db"), data / "kluis.db")
        shutil.copy(self._kept("shares.db"), shares / "shares.db")
        shutil.copy(self.here / "shares" / "deleted.db", shares / "deleted.db")
        open_vault(data, shares, custodian(self.here), BASE, house.clock()).close()
        return data / "kluis.db", shares / "shares.db"


def custodian(here: Path) -> FileCustodian:
    return FileCustodian.open(f"file:{here / 'custodian'}")


def by_app(copies: Copies, one: Secrets) -> set[tuple[Unit, bytes]]:
    """What an app's tokens open: keys, and the records under them."""
    return opened(copies, copies.by_tokens(one.bearer))


def opened(copies: Copies, keys: dict[Unit, object]) -> set[tuple[Unit, bytes]]:
    """Units and, for each, the records that really opened."""
    place = {row["id"]: (row["compartment"], row["generation"]) for row in copies.rows["resource"]}
    read = {(place[rid], rid) for rid in copies.records(keys.items())}  # type: ignore[arg-type]
    return read | {(unit, b"") for unit in keys}


async def granted(house: Household, city: City, rng: np.random.Generator, count: int) -> list[Secrets]:
    cases = []
    for _ in range(count):
        name = str(rng.choice(list(APPS)))
        rows = some_rows(rng, name)
        until = in_hours(rng, house.clock())
        bearer = await city.give(house.session, name, rows, until)
        cases.append(Secrets(house.session.pod, bearer, rows))
    await house.quiet()
    return cases


def within(found: set[tuple[Unit, bytes]], one: Secrets, containers: set[str]) -> set[tuple[Unit, bytes]]:
    """What of it lies in these containers."""
    places = {one.pod.compartment(container) for container in containers}
    return {item for item in found if item[0][0] in places}


async def ended(house: Household, one: Secrets, rng: np.random.Generator, how: str) -> set[str]:
    """Withdraw or narrow; the containers that are no longer covered."""
    before, now = {row.container for row in one.rows}, house.clock()
    if how == "withdraw":
        assert await endings.withdraw(house.vault, house.session, one.bearer.grant, now)
        return before
    left = str(rng.choice(sorted(before)))
    kept = [row for row in one.rows if row.container != left]
    assert await narrowing.narrow(house.vault, house.session, one.bearer.grant, {row.key for row in kept}, now)
    return {left}


async def grants_restored(house: Household, here: Path, how: str, count: int) -> int:
    """Run cases of one kind in batches; how many affected keys and records a restore opens."""
    city, rng, readable, done = City(house), np.random.default_rng(seed_of(how)), 0, 0
    await city.open()
    while done < count:
        cases = await granted(house, city, rng, min(BATCH, 2 * (count - done)))
        yesterday = Yesterday(here, here / f"{how}{done}")
        then = yesterday.then()
        fit = [one for one in cases if how == "withdraw" or len({row.container for row in one.rows}) > 1]
        fit = fit[: count - done]
        gone = [await ended(house, one, rng, how) for one in fit]
        for copies in yesterday.restored(house):
            for one, left in zip(fit, gone, strict=True):
                was, now = by_app(then, one), by_app(copies, one)
                assert within(was, one, left)  # yesterday it did open
                assert now - within(now, one, left) == was - within(was, one, left)  # what is still covered still opens
                readable += len(within(now, one, left))
        copies = yesterday.by_command()
        readable += sum(len(by_app(copies, one)) for one in fit)  # grants without their shares are renewed, or not
        done += len(fit)
        for one in cases:
            await endings.withdraw(house.vault, house.session, one.bearer.grant, house.clock())
    return readable


async def test_k3_what_was_withdrawn_stays_shut_in_every_restore(house: Household, tmp_path: Path) -> None:
    count = rounds(FEW, "K3a")
    readable = await grants_restored(house, tmp_path, "withdraw", count)
    figure("K3a", readable, count)
    assert readable == 0


async def test_k3_what_was_narrowed_away_stays_shut_in_every_restore(house: Household, tmp_path: Path) -> None:
    count = rounds(FEW, "K3b")
    readable = await grants_restored(house, tmp_path, "narrow", count)
    figure("K3b", readable, count)
    assert readable == 0


# ---------------------------------------------------------------- erasure


async def newcomer(house: Household, city: City, rng: np.random.Generator, name: str) -> tuple[Secrets, object]:
    """A pod with a few records, one app that reads there, an open session."""
    made = await enroll(house.vault, name, name.title(), "citizen", name, None, house.clock())
    login = await passphrase.login(house.vault, name, made.codes[0], house.clock())
    assert login is not None
    cookie, session = login
    for path in rng.permutation(list(RECORDS))[: int(rng.integers(1, 4))].tolist():
        permit, _ = gate.own(session, path.split("/")[1], "write", path)
        await store.write(house.vault, permit, path, "application/ld+json", b'{"schema:about":["x"]}', house.clock())
    of = str(rng.choice(list(APPS)))
    bearer = await city.give(session, of, some_rows(rng, of), in_hours(rng, house.clock()))
    return Secrets(session.pod, bearer, code=made.codes[0], cookie=cookie), session


def by_anybody(copies: Copies, one: Secrets, here: Path) -> dict[str, set[tuple[Unit, bytes]]]:
    """What each way into a pod opens: an app's tokens, the citizen's own code, her cookie, the server's own key."""
    pod = one.pod.id
    return {
        "app": by_app(copies, one),
        "code": opened(copies, dict(copies.under(pod, copies.by_code(pod, one.code)))),
        "cookie": opened(copies, dict(copies.under(pod, copies.by_cookie(one.cookie)))),
        "server": opened(copies, dict(copies.under(pod, copies.by_custodian(pod, custodian(here))))),
    }


async def test_k3_what_was_erased_stays_shut_in_every_restore(house: Household, tmp_path: Path) -> None:
    count, rng, city = rounds(FEW, "K3c"), np.random.default_rng(seed_of("erase")), City(house)
    readable, done = 0, 0
    await city.open()
    neighbour, _ = await newcomer(house, city, rng, "buur")
    while done < count:
        people = [await newcomer(house, city, rng, f"p{done + n}") for n in range(min(PODS, count - done))]
        await house.quiet()
        yesterday = Yesterday(tmp_path, tmp_path / f"erased{done}")
        then = yesterday.then()
        for one, session in people:
            if rng.random() < 0.5:
                await erasure.by_citizen(house.vault, session, house.clock())  # type: ignore[arg-type]
            else:
                await erasure.by_operator(house.vault, one.pod, house.clock())
        for copies in yesterday.restored(house):
            for one, _ in people:
                assert all(by_anybody(then, one, tmp_path).values())  # yesterday every way did open something
                readable += sum(map(len, by_anybody(copies, one, tmp_path).values()))
            assert by_anybody(copies, neighbour, tmp_path) == by_anybody(then, neighbour, tmp_path)
        copies = yesterday.by_command()
        readable += sum(len(found) for one, _ in people for found in by_anybody(copies, one, tmp_path).values())
        lives = by_anybody(copies, neighbour, tmp_path)
        assert {way: bool(found) for way, found in lives.items()} == {
            "app": False, "code": True, "cookie": False, "server": True}  # fmt: skip
        done += len(people)
    figure("K3c", readable, done)
    assert readable == 0
