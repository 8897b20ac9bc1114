"""The pods of another server come in: byte for byte, under our addresses, never more open than they were."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from typer.testing import CliRunner

from consent import gate
from consent.accounts import invited
from consent.accounts.sessions import SessionFacts
from tests import moving_trees as trees
from tests.conftest import START
from tests.web import test_leaving
from tests.web.test_leaving import Place
from vault import acls, door, fsck
from vault.errors import BadLoad
from vault.log import views
from vault.pod import compartments
from vault.solid import rdf
from vault.solid.policy import Asker
from vault.vault import Vault
from web.app import open_house
from web.cli import app

pytestmark = pytest.mark.timeout(300)
place = test_leaving.place
PHRASE = "een eigen lange wachtzin"
ANNA = "https://oud.example/anna/"


def bring(place: Place, *words: object) -> Any:
    return CliRunner().invoke(app, ["import", *map(str, words), "--data", str(place.data), "--json"])


def brought(place: Place, *words: object) -> dict[str, Any]:
    done = bring(place, *words)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@contextmanager
def vault_of(place: Place) -> Iterator[Vault]:
    house = open_house(place.settings, f"file:{place.data.parent / 'custodian'}", lambda: START)
    try:
        yield house.vault
    finally:
        house.vault.close()


def invitations(place: Place) -> dict[str, dict[str, str]]:
    lines = (place.data.parent / "kluis-invitations.jsonl").read_text().splitlines()
    return {one["user"]: one for one in map(json.loads, lines)}


async def enter(vault: Vault, place: Place, who: str) -> SessionFacts:
    done = await invited.accept(vault, who, invitations(place)[who]["code"], PHRASE, START)
    assert done is not None
    return done.session


async def read(vault: Vault, session: SessionFacts, path: str) -> tuple[str, bytes]:
    top = path.split("/")[1] if path.count("/") > 1 else ""
    permit, keys = gate.own(session, top, "read", path)
    found = await door.read(vault, permit, keys, path, START)
    return found.media, found.body


def may(vault: Vault, name: str, path: str, agent: str | None) -> frozenset[str]:
    pod = vault.pod(name)
    assert pod is not None
    return acls.effective(vault, pod, path).modes(Asker(agent), f"{vault.base}/pods/{name}")


FILES = {
    "/README": ("text/markdown", "README$.md"),
    "/notes/dag": ("text/plain", "notes/dag$.txt"),
    "/notes/foto.png": ("image/png", "notes/foto.png"),
    "/notes/lijst.ttl": ("text/turtle", "notes/lijst.ttl"),
    "/notes/r%C3%A9sum%C3%A9%20%281%29.txt": ("text/plain", "notes/r\u00e9sum\u00e9 (1).txt"),
    "/notes/a%2Fb": ("application/json", "notes/a%2Fb$.json"),
    "/loans-files/een.jsonld": ("application/ld+json", "loans/een.jsonld"),
    "/data/raar": ("application/x-raar", "data/raar$.unknown"),
}


async def test_every_file_comes_byte_for_byte_with_its_media_type_and_opens_for_its_citizen(
    place: Place, tmp_path: Path
) -> None:
    told = await asyncio.to_thread(brought, place, "css", trees.css(tmp_path / "oud"))
    assert (told["pods"], told["imported"], told["rejects"]) == (2, 2, [])
    with vault_of(place) as vault:
        anna = await enter(vault, place, "anna")
        for path, (media, file) in FILES.items():
            assert await read(vault, anna, path) == (media, trees.FILES[file]), path
        assert (await read(vault, anna, "/settings/kluis-moved/profile/card.ttl"))[1] == (
            tmp_path / "oud/anna/profile/card$.ttl"
        ).read_bytes()
        custody = {home.container: (home.custody, home.category) for home in compartments(vault, anna.pod)}
        assert custody["notes"] == custody["loans-files"] == ("managed", "kluis:File")
        assert custody["loans"] == ("sealed", "kluis:LibraryLoan")
        media, described = await read(vault, anna, "/data/raar.meta")
        assert (media, b"Raar" in described, b"ma-ont" in described) == ("text/turtle", True, False)
    assert fsck.check(place.settings.vault_dir, place.settings.shares_dir) == []


async def test_the_profile_keeps_its_statements_and_gets_our_issuer_and_storage(place: Place, tmp_path: Path) -> None:
    await asyncio.to_thread(brought, place, "css", trees.css(tmp_path / "oud"))
    with vault_of(place) as vault:
        anna = await enter(vault, place, "anna")
        media, body = await read(vault, anna, "/profile/card")
        root = f"{vault.base}/pods/anna/"
        said = {(s.subject, s.predicate.rpartition("/")[2], s.object) for s in rdf.statements(body, media, root)}
        me = f"{root}profile/card#me"
        assert {o for s, p, o in said if p == "terms#oidcIssuer"} == {vault.base}
        assert {o for s, p, o in said if p == "space#storage"} == {root}
        assert (me, "name", "anna") in said
        knows = {o for s, p, o in said if p == "knows"}
        assert knows == {"https://elders.example/zoe#me", f"{vault.base}/pods/ben/profile/card#me"}
        assert trees.CSS.encode() not in body


async def test_access_is_what_it_was_for_the_people_who_came_along_and_for_strangers(
    place: Place, tmp_path: Path
) -> None:
    told = await asyncio.to_thread(brought, place, "css", trees.css(tmp_path / "oud"))
    with vault_of(place) as vault:
        me, ben = (f"{vault.base}/pods/{who}/profile/card#me" for who in ("anna", "ben"))
        zoe, old = "https://elders.example/zoe#me", "https://oud.example/ben/profile/card#me"
        assert may(vault, "anna", "/", None) == {"read"} and may(vault, "anna", "/README", None) == frozenset()
        assert may(vault, "anna", "/", me) >= {"read", "write", "control"}
        assert may(vault, "anna", "/profile/card", None) == {"read"}
        assert may(vault, "anna", "/settings/prefs.ttl", None) == frozenset()
        for who in (ben, zoe):
            assert may(vault, "anna", "/notes/dag", who) == {"read"}
        assert may(vault, "anna", "/notes/dag", old) == frozenset()
        assert may(vault, "anna", "/loans-files/een.jsonld", ben) == {"read"}
        assert may(vault, "anna", "/data/raar", ben) == may(vault, "anna", "/data/raar", None) == frozenset()
        assert may(vault, "anna", "/data/raar", me) >= {"read", "write", "control"}
        assert may(vault, "anna", "/settings/kluis-moved/profile/card.ttl", None) == frozenset()
    assert {note["path"] for note in told["notes"]} == {"/loans/", "/data/"}


async def test_a_person_who_does_not_come_along_is_nobody_here(place: Place, tmp_path: Path) -> None:
    """Whoever gets the name ben in this vault later is somebody else: the old one's access must not become his."""
    done = await asyncio.to_thread(bring, place, "css", trees.css(tmp_path / "oud"), "--pod", "anna")
    assert done.exit_code == 0, done.output
    with vault_of(place) as vault:
        assert may(vault, "anna", "/notes/dag", f"{vault.base}/pods/ben/profile/card#me") == frozenset()
        assert may(vault, "anna", "/notes/dag", "https://oud.example/ben/profile/card#me") == {"read"}


ODD = {
    "an unknown word": ("<#o> a acl:Authorization; acl:agentClass foaf:Agent; acl:accessTo <./>; acl:mode acl:Read; "
                        "acl:onlyOnSundays true."),
    "no Turtle": "<#o> a acl:Authorization",
    "statements about statements": "<< <#a> <#b> <#c> >> acl:mode acl:Read.",
}  # fmt: skip


@pytest.mark.parametrize("which", ODD)
async def test_a_list_that_is_not_understood_becomes_the_owners_alone(which: str, place: Place, tmp_path: Path) -> None:
    root = trees.css(tmp_path / "oud")
    odd = f"@prefix acl: <{trees.ACL}>. @prefix foaf: <{trees.FOAF}>. {ODD[which]}".encode()
    trees.put(root, "anna/notes/.acl", odd)
    await asyncio.to_thread(brought, place, "css", root)
    with vault_of(place) as vault:
        assert may(vault, "anna", "/notes/", None) == may(vault, "anna", "/notes/dag", None) == frozenset()
        anna = await enter(vault, place, "anna")
        assert await read(vault, anna, "/settings/kluis-moved/notes/container-acl.ttl") == ("text/plain", odd)


async def test_rules_of_another_kind_and_groups_let_nobody_in(place: Place, tmp_path: Path) -> None:
    root = trees.css(tmp_path / "oud")
    (root / "anna/notes/.acl").unlink()
    trees.put(root, "anna/notes/.acr", b"@prefix acp: <http://www.w3.org/ns/solid/acp#>.")
    trees.put(root, "ben/.acl", trees.acl(trees.rule("g", "group:https://x.example/g#all", "rw", "./", default=True)))
    told = await asyncio.to_thread(brought, place, "css", root)
    with vault_of(place) as vault:
        assert may(vault, "anna", "/notes/dag", f"{vault.base}/pods/ben/profile/card#me") == frozenset()
        assert may(vault, "ben", "/kort", "https://x.example/g#a") == may(vault, "ben", "/kort", None) == frozenset()
        assert "control" in may(vault, "ben", "/", f"{vault.base}/pods/ben/profile/card#me")
    assert {(note["pod"], note["path"]) for note in told["notes"]} >= {("anna", "/notes/"), ("ben", "/")}


async def test_a_node_solid_server_comes_in_as_well(place: Place, tmp_path: Path) -> None:
    told = await asyncio.to_thread(brought, place, "nss", trees.nss(tmp_path / "oud"))
    assert (told["pods"], told["imported"]) == (1, 1)
    with vault_of(place) as vault:
        carla = await enter(vault, place, "carla")
        me = f"{vault.base}/pods/carla/profile/card#me"
        assert await read(vault, carla, "/public/een") == ("text/html", b"<p>een</p>")
        assert (await read(vault, carla, "/favicon.ico"))[1] == trees.BINARY
        assert may(vault, "carla", "/public/een", me) == {"read", "write", "append", "control"}
        assert may(vault, "carla", "/public/een", None) == frozenset()
        assert (await read(vault, carla, "/settings/kluis-moved/settings/serverSide.ttl"))[0] == "text/plain"
        assert await read(vault, carla, "/.meta") == ("", b"")  # a list of its own: kept aside, for her alone
        assert (await read(vault, carla, "/settings/kluis-moved/container-meta.ttl"))[1].startswith(b"<https://carla")


def strange(root: Path) -> None:
    (root / "anna/notes" / os.fsdecode(b"\xff\xfe")).touch()


def links(root: Path) -> None:
    (root / "anna/notes/uit").symlink_to("/etc/passwd")


def hard(root: Path) -> None:
    (root / "elders").write_bytes(b"x")
    os.link(root / "elders", root / "anna/notes/hard.txt")


def deep(root: Path) -> None:
    (root / "anna" / "/".join(["d"] * 70)).mkdir(parents=True)


def folder_link(root: Path) -> None:
    (root / "anna/notes/kring").symlink_to(root / "anna")


BAD = {
    "a link out of the folder": (links, "symlink"),
    "a folder that is a link": (folder_link, "symlink"),
    "a second name of a file": (hard, "hard_link"),
    "a pipe": (lambda root: os.mkfifo(root / "anna/notes/pijp"), "no_file"),
    "too deep": (deep, "too_deep"),
    "a name that is no UTF-8": (strange, "not_utf8"),
    "a backslash": (lambda root: trees.put(root, "anna/notes/..\\x", b""), "bad_path"),
    "a name with dots to walk with": (lambda root: trees.put(root, "anna/notes/a%2F..%2F..%2Fb", b""), "bad_path"),
    "no Turtle": (lambda root: trees.put(root, "anna/notes/x.ttl", b"<a> <b>"), "bad_rdf"),
    "a bomb of brackets": (lambda root: trees.put(root, "anna/x.jsonld", b"[" * 30_000), "bad_rdf"),
    "a description that is none": (lambda root: trees.put(root, "anna/notes/.meta", b"\xff"), "bad_rdf"),
    "a file too large": (lambda root: os.truncate(root / "anna/notes/foto.png", 17 * 2**20), "too_large"),
    "one name twice": (lambda root: trees.put(root, "anna/notes/dag$.md", b""), "twice"),
    "a file and a folder of one name": (lambda root: trees.put(root, "anna/notes/dag/x", b""), "twin"),
    "a list inside a list": (lambda root: trees.put(root, "anna/x.acl/y", b""), "bad_path"),
}  # fmt: skip


@pytest.mark.parametrize("which", BAD)
def test_what_cannot_come_is_named_and_nothing_of_that_pod_is_stored(which: str, place: Place, tmp_path: Path) -> None:
    spoil, reason = BAD[which]
    root = trees.css(tmp_path / "oud")
    spoil(root)
    done = bring(place, "css", root)
    told = json.loads(done.stdout)
    assert (done.exit_code, told["pods"], told["imported"]) == (1, 2, 1)
    assert {(reject["pod"], reject["reason"]) for reject in told["rejects"]} == {("anna", reason)}
    assert "anna" not in invitations(place)
    with vault_of(place) as vault:
        assert vault.pod("anna") is None and vault.pod("ben") is not None


def test_with_keep_good_the_rest_of_it_comes(place: Place, tmp_path: Path) -> None:
    root = trees.css(tmp_path / "oud")
    trees.put(root, "anna/notes/x.ttl", b"<a> <b>")
    done = bring(place, "css", root, "--keep-good")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["imported"], len(told["rejects"])) == (0, 2, 1)
    assert "line 1" in told["rejects"][0]["detail"]


def test_a_name_that_somebody_has_here_is_refused_and_she_is_untouched(place: Place, tmp_path: Path) -> None:
    root = tmp_path / "oud"
    trees.css_pod(root, "an", {})
    trees.css_accounts(root, ["an"])
    done = bring(place, "css", root)
    assert done.exit_code == 1 and json.loads(done.stdout)["rejects"][0]["reason"] == "taken"
    assert not (place.data.parent / "kluis-invitations.jsonl").exists()


def test_bringing_it_twice_changes_nothing(place: Place, tmp_path: Path) -> None:
    root = trees.css(tmp_path / "oud")
    brought(place, "css", root)
    kept = (place.data.parent / "kluis-invitations.jsonl").read_bytes()
    with vault_of(place) as vault:
        before = vault.log.ledger.tree.size, vault.db.read.run("SELECT id, version, digest FROM resource ORDER BY id")
    told = brought(place, "css", root)
    assert (told["imported"], told["already"]) == (0, 2) and "invitations" not in told
    with vault_of(place) as vault:
        after = vault.log.ledger.tree.size, vault.db.read.run("SELECT id, version, digest FROM resource ORDER BY id")
    assert before == after and (place.data.parent / "kluis-invitations.jsonl").read_bytes() == kept


def test_a_dry_run_stores_nothing(place: Place, tmp_path: Path) -> None:
    told = brought(place, "css", trees.css(tmp_path / "oud"), "--dry-run")
    assert told["imported"] == 2 and not (place.data.parent / "kluis-invitations.jsonl").exists()
    with vault_of(place) as vault:
        assert vault.pod("anna") is None


def test_a_folder_without_accounts_needs_its_old_address(place: Place, tmp_path: Path) -> None:
    root = tmp_path / "oud"
    trees.css_pod(root, "anna", {"a$.txt": b"a"})
    assert bring(place, "css", root).exit_code == 2
    assert brought(place, "css", root, "--base-url", "https://oud.example")["imported"] == 1
    assert bring(place, "css", tmp_path / "nergens").exit_code == 2
    assert bring(place, "mijnbib", root, "--pod", "an").exit_code == 2


def test_a_pod_too_large_for_one_load_comes_in_several(place: Place, tmp_path: Path, monkeypatch: Any) -> None:
    from vault.moving import pack

    monkeypatch.setattr(pack, "MANY", 3)
    brought(place, "css", trees.css(tmp_path / "oud"))
    with vault_of(place) as vault:
        told = asyncio.run(all_of(vault, place))
    assert told["/notes/foto.png"] == trees.FILES["notes/foto.png"]


async def all_of(vault: Vault, place: Place) -> dict[str, bytes]:
    anna = await enter(vault, place, "anna")
    return {path: (await read(vault, anna, path))[1] for path in FILES}


def test_a_load_that_broke_off_is_gone_on_with(place: Place, tmp_path: Path, monkeypatch: Any) -> None:
    from vault.moving import pack
    from web import arrivals

    monkeypatch.setattr(pack, "MANY", 3)
    root, real, calls = trees.css(tmp_path / "oud"), arrivals.take, []

    async def dies(house: Any, body: bytes) -> int:
        calls.append(1)
        if len(calls) == 3:
            raise BadLoad("broke off")
        return await real(house, body)

    with monkeypatch.context() as patch:
        patch.setattr(arrivals, "take", dies)
        assert bring(place, "css", root, "--pod", "anna").exit_code == 1
    told = brought(place, "css", root, "--pod", "anna")
    assert (told["imported"], told["already"]) == (1, 0)
    with vault_of(place) as vault:
        assert asyncio.run(all_of(vault, place))["/data/raar"] == trees.FILES["data/raar$.unknown"]
    assert brought(place, "css", root, "--pod", "anna")["already"] == 1
    assert fsck.check(place.settings.vault_dir, place.settings.shares_dir) == []


async def test_her_log_says_what_came_and_nothing_opened_it(place: Place, tmp_path: Path) -> None:
    from consent.accounts.sessions import log_private

    await asyncio.to_thread(brought, place, "css", trees.css(tmp_path / "oud"))
    with vault_of(place) as vault:
        anna = await enter(vault, place, "anna")
        with log_private(anna) as private:
            first = next(iter(views.lines(vault, anna.pod, private))).told
        assert (first["action"], first["note"], first["rule"]) == ("create pod", "from css", "admin")
        assert first["count"] == 15


def test_a_run_that_is_killed_is_simply_repeated(place: Place, tmp_path: Path) -> None:
    root = trees.many(tmp_path / "oud", 30)
    command = [sys.executable, "-c", "from web.cli import main; main()", "import", "css", str(root)]
    going = subprocess.Popen(
        [*command, "--data", str(place.data)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    file = place.data.parent / "kluis-invitations.jsonl"
    while not file.exists() and going.poll() is None:
        sleep(0.01)
    sleep(0.2)
    going.kill()
    going.wait()
    told = brought(place, "css", root)
    assert (told["imported"] + told["already"], told["rejects"]) == (30, [])
    assert fsck.check(place.settings.vault_dir, place.settings.shares_dir) == []
    with vault_of(place) as vault:
        for name in ("burger0", "burger29"):
            assert asyncio.run(enter(vault, place, name)).pod.name == name
