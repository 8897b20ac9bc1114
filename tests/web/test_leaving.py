"""`kluis export` and `kluis erase`: over HTTP where a vault is served, with its lock where nobody serves it."""

import asyncio
import io
import json
import socket
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyrage
import pytest
from typer.testing import CliRunner, Result

from consent.accounts.people import Newcomer, enroll, found_office
from keys import age
from keys.custodian import FileCustodian
from tests.conftest import START
from web.app import House, open_house, run, wall_clock
from web.cli import app
from web.settings import Settings

PHRASE, FILE = "een lange zin om in te komen", "een andere zin voor het bestand"
ASKED = f"{PHRASE}\n{FILE}\n{FILE}\n"


@dataclass
class Place:
    """A data directory with An's pod; `base` once it is served."""

    data: Path
    settings: Settings


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(age, "WORK", 10)
    monkeypatch.chdir(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    custodian = f"file:{tmp_path / 'custodian'}"
    FileCustodian.create(tmp_path / "custodian")
    monkeypatch.setenv("KLUIS_CUSTODIAN", custodian)
    monkeypatch.setenv("KLUIS_BASE_URL", f"http://localhost:{port}")
    settings = Settings(data=tmp_path / "d", port=port)
    house = open_house(settings, custodian, lambda: START)

    async def furnish() -> None:
        await found_office(house.vault, [Newcomer("dpo", "Dirk")], START)
        await enroll(house.vault, "an", "An Peeters", "citizen", "an", PHRASE, START)
        await enroll(house.vault, "bo", "Bo", "citizen", "bo", PHRASE, START)

    asyncio.run(furnish())
    house.vault.close()
    return Place(tmp_path / "d", settings)


@pytest.fixture
def served(place: Place) -> Iterator[Place]:
    """The same, served by the real server on loopback and on its socket."""
    house = open_house(place.settings, str(place.settings.custodian_uri), wall_clock)
    ready, ends = threading.Event(), []
    thread = threading.Thread(target=lambda: asyncio.run(_serve(house, ready, ends)))
    thread.start()
    assert ready.wait(20)
    yield place
    ends[0]()
    thread.join()
    house.vault.close()


async def _serve(house: House, ready: threading.Event, ends: list[object]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    ends.append(lambda: loop.call_soon_threadsafe(stop.set))
    await run(house, ready.set, stop)


def kluis(*words: object, typed: str = "") -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], input=typed)


def contents(file: Path) -> dict[str, object]:
    with tarfile.open(fileobj=io.BytesIO(pyrage.passphrase.decrypt(file.read_bytes(), FILE))) as tar:
        told: dict[str, object] = json.load(tar.extractfile("kluis.json"))  # type: ignore[arg-type]
        return told


def taken(place: Place, *more: object, typed: str = ASKED) -> Result:
    return kluis("export", "--pod", "an", "--out", place.data.parent / "an.age", *more, typed=typed)


@pytest.mark.parametrize("how", ["socketless", "base", "data"])
def test_a_citizen_takes_her_pod_along_by_command(how: str, place: Place, request: pytest.FixtureRequest) -> None:
    if how != "socketless":
        request.getfixturevalue("served")
    more = ("--base", place.settings.base_url) if how == "base" else ("--data", place.data)
    done = taken(place, *more, "--json")
    assert done.exit_code == 0, done.output
    told = contents(place.data.parent / "an.age")
    assert told["pod"] == f"{place.settings.base_url}/pods/an/"
    assert json.loads(done.stdout.splitlines()[-1])["resources"] == len(told["resources"])  # type: ignore[arg-type]
    assert (place.data.parent / "an.age").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("how", ["socketless", "data"])
def test_a_wrong_passphrase_or_another_pod_takes_nothing(
    how: str, place: Place, request: pytest.FixtureRequest
) -> None:
    if how != "socketless":
        request.getfixturevalue("served")
    wrong = taken(place, "--data", place.data, typed=f"helemaal verkeerd\n{FILE}\n{FILE}\n")
    assert wrong.exit_code == 2 and "does not know this name" in wrong.stderr
    other = taken(place, "--data", place.data, "--user", "bo")
    assert other.exit_code == 2 and "not the pod an" in other.stderr
    short = taken(place, "--data", place.data, typed=f"{PHRASE}\nkort\nkort\n")
    assert short.exit_code == 2 and "12 to 1024 characters" in short.stderr
    assert not list(place.data.parent.glob("*an.age*"))


def test_an_operator_erases_a_pod_that_nobody_serves(place: Place) -> None:
    assert kluis("erase", "an", "--data", place.data).exit_code == 2
    done = kluis("erase", "an", "--yes", "--data", place.data, "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["pod"] == "an"
    again = kluis("erase", "an", "--yes", "--data", place.data)
    assert again.exit_code == 2 and "no pod an" in again.stderr


def test_an_operator_erases_a_pod_that_is_served_over_the_socket(served: Place) -> None:
    assert kluis("erase", "an", "--yes", "--data", served.data).exit_code == 0
    assert kluis("erase", "an", "--yes", "--data", served.data).exit_code == 2


def test_a_citizen_erases_her_own_pod_and_no_other(served: Place) -> None:
    base = ("--base", served.settings.base_url)
    wrong = kluis("erase", "an", "--yes", "--user", "bo", *base, typed=f"{PHRASE}\n")
    assert wrong.exit_code == 2 and "not your pod" in wrong.stderr
    done = kluis("erase", "an", "--yes", *base, typed=f"{PHRASE}\n")
    assert done.exit_code == 0, done.output
    assert kluis("erase", "an", "--yes", *base, typed=f"{PHRASE}\n").exit_code == 2
