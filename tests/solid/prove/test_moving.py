"""SI1 to SI3: how fast the pods of another server come in, what of them differs, and what a pod loses on its way out
and in again.
"""

import asyncio
import io
import shutil
import tarfile
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from consent import gate, takeaway
from consent.accounts import invited
from consent.accounts.sessions import SessionFacts
from tests import moving_trees as trees
from tests.conftest import START
from tests.proof import figure, rounds
from tests.web import test_leaving
from tests.web.test_leaving import Place
from tests.web.test_moving_in import PHRASE, brought, invitations, vault_of
from vault import acls, door
from vault.pod import compartments
from vault.solid.policy import Asker
from vault.vault import PodFacts, Vault
from web.app import open_house
from web.settings import Settings

pytestmark = pytest.mark.timeout(1800)
place = test_leaving.place
PEOPLE = ("carla", "ben", "anna", "zoe", "dries")


def test_pods_come_in_fast_and_byte_for_byte(place: Place, tmp_path: Path) -> None:
    count = rounds(5, "SI1")
    root = trees.many(tmp_path / "oud", count)
    begun = perf_counter()
    told = brought(place, "css", root)
    speed = told["imported"] / (perf_counter() - begun)
    assert told["imported"] == count
    wrong = 0
    with vault_of(place) as vault:
        codes = invitations(place)
        for number in range(count):
            name = f"burger{number}"
            wrong += asyncio.run(_differing(vault, codes[name]["code"], root, name))
    figure("SI1", round(speed, 1), count)
    figure("SI2", wrong, count)
    assert wrong == 0


async def _differing(vault: Vault, code: str, root: Path, name: str) -> int:
    """How many files of one pod are not there, or not as they were; the profile as it was lies aside."""
    done = await invited.accept(vault, name, code, PHRASE, START)
    assert done is not None
    held = {path: body for path, (_, body) in (await everything(vault, done.session)).items()}
    wrong = 0
    for file in (root / name).rglob("*"):
        if file.is_file() and not file.name.endswith((".acl", ".meta")):
            path = "/" + file.relative_to(root / name).as_posix().replace("$.txt", "").replace("$.ttl", "")
            there = "/settings/kluis-moved/profile/card.ttl" if path == "/profile/card" else path
            wrong += held.get(there) != file.read_bytes()
    return wrong


async def everything(vault: Vault, session: SessionFacts) -> dict[str, tuple[str, bytes]]:
    """Media type and body of every resource of a pod, by path."""
    found = {}
    for home in compartments(vault, session.pod):
        permit, keys = gate.own(session, home.container, "export")
        async for one in (await door.records(vault, permit, keys, START)).items:
            body = one.body or b"" if one.large is None else b"".join([piece async for piece in one.large.pieces()])
            found[one.label.path] = one.label.media, body
    return found


def rules(vault: Vault, pod: PodFacts, paths: list[str]) -> dict[tuple[str, str], frozenset[str]]:
    """What everybody may with each of these paths."""
    who = ["", *(f"{vault.base}/pods/{name}/profile/card#me" for name in PEOPLE), "https://elders.example/zoe#me"]
    root = f"{vault.base}/pods/{pod.name}"
    return {
        (path, one): acls.effective(vault, pod, path).modes(Asker(one or None), root) for path in paths for one in who
    }


def empty(place: Place, folder: Path) -> Place:
    """An empty vault at the same address."""
    folder.mkdir()
    shutil.copy(place.data.parent / "custodian", folder / "custodian")
    made = Place(folder / "d", Settings(data=folder / "d", port=place.settings.port))
    open_house(made.settings, f"file:{folder / 'custodian'}", lambda: START).vault.close()
    return made


async def left(vault: Vault, session: SessionFacts) -> bytes:
    """The pod's take-away in the form for another Solid server."""
    return b"".join([piece async for piece in await takeaway.everything(vault, session, START, "css")])


def test_a_pod_that_leaves_and_comes_back_is_what_it_was(place: Place, tmp_path: Path) -> None:
    brought(place, "css", trees.css(tmp_path / "oud"))
    brought(place, "nss", trees.nss(tmp_path / "ouder"))
    before: dict[str, Any] = {}
    with vault_of(place) as vault:
        for name in ("anna", "carla"):
            done = asyncio.run(invited.accept(vault, name, invitations(place)[name]["code"], PHRASE, START))
            assert done is not None
            held = asyncio.run(everything(vault, done.session))
            before[name] = held, rules(vault, done.session.pod, sorted(held))
            with tarfile.open(fileobj=io.BytesIO(asyncio.run(left(vault, done.session)))) as tar:
                tar.extractall(tmp_path / "weg", filter="data")
    fresh = empty(place, tmp_path / "leeg")
    told = brought(fresh, "css", tmp_path / "weg", "--base-url", f"{place.settings.base_url}/pods",
                   "--invitations", tmp_path / "leeg" / "kluis-invitations.jsonl")  # fmt: skip
    assert told["imported"] == 2
    wrong = 0
    with vault_of(fresh) as vault:
        for name, (held, allowed) in before.items():
            done = asyncio.run(invited.accept(vault, name, invitations(fresh)[name]["code"], PHRASE, START))
            assert done is not None
            after = asyncio.run(everything(vault, done.session))
            wrong += sum(after.get(path) != body for path, body in held.items())
            wrong += sum(allowed[one] != may for one, may in rules(vault, done.session.pod, sorted(held)).items())
    figure("SI3", wrong, 1)
    assert wrong == 0
