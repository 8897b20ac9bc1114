"""Bringing a take-away file back: what is not there comes in, nothing is overwritten, a bad file stores nothing."""

import io
import json
import tarfile
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import pytest

from consent import gate
from consent.accounts import passphrase
from consent.accounts.people import enroll
from consent.accounts.sessions import SessionFacts
from keys import age
from tests.house import RECORDS, Household
from vault import door, store
from vault.log.append import Log
from vault.pod import compartments

PHRASE = "een lange zin voor dit bestand"
Files = dict[str, bytes]


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(age, "WORK", 10)


@pytest.fixture
async def bo(house: Household) -> tuple[str, SessionFacts]:
    """Somebody with a new, empty pod."""
    made = await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    login = await passphrase.login(house.vault, "bo", made.codes[0], house.clock())
    assert login is not None
    return login


async def taken(house: Household) -> bytes:
    same = {"sec-fetch-site": "same-origin", "cookie": f"kluis={house.cookie}"}
    form = {"csrf": house.session.csrf, "passphrase": PHRASE, "again": PHRASE, "what": "data"}
    return (await house.http.post("/me/take-away", data=form, headers=same)).content


async def bring(
    house: Household, file: bytes, who: tuple[str, SessionFacts] | None = None, **fields: str
) -> httpx.Response:
    cookie, session = who or (house.cookie, house.session)
    same = {"sec-fetch-site": "same-origin", "cookie": f"kluis={cookie}"}
    form = {"csrf": session.csrf, "passphrase": PHRASE} | fields
    return await house.http.post("/me/take-away/back", data=form, files={"file": ("a.age", file)}, headers=same)


async def read(house: Household, session: SessionFacts, path: str) -> bytes:
    permit, keys = gate.own(session, path.split("/")[1], "read", path)
    return (await door.read(house.vault, permit, keys, path, house.clock())).body


async def put(house: Household, path: str, body: bytes, media: str = "text/plain") -> None:
    answer = await house.call("PUT", f"/pods/an{path}", await house.jwt(), {"content-type": media}, body)
    assert answer.status_code == 201, answer.text


def packed(files: Files, **more: Any) -> bytes:
    """A take-away file as somebody else could make it."""
    told = [
        {"path": name.removeprefix("pod"), "media": "text/plain", "size": len(body), "sha256": sha256(body).hexdigest()}
        for name, body in files.items()
    ]
    contents = {"format": "kluis/take-away/v1", "pod": "http://a/pods/x/", "resources": told} | more
    return locked(files | {"kluis.json": json.dumps(contents).encode()})


def locked(files: Files, spoil: Callable[[tarfile.TarInfo], None] = lambda _: None) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, body in files.items():
            facts = tarfile.TarInfo(name)
            facts.size = len(body)
            spoil(facts)
            tar.addfile(facts, io.BytesIO(body))
    return age.lock(made.getvalue(), passphrase=PHRASE)


async def test_everything_comes_back_into_a_new_pod_sealed_as_it_was(
    house: Household, bo: tuple[str, SessionFacts]
) -> None:
    await put(house, "/public/hoi.txt", b"hallo")
    await put(house, "/notes/dag/een.txt", b"lief dagboek")
    before = {home.container: home.custody for home in compartments(house.vault, house.session.pod)}
    answer = await bring(house, await taken(house), bo)
    assert answer.status_code == 200, answer.text
    for path, record in RECORDS.items():
        assert json.loads(await read(house, bo[1], path)) == record
    assert await read(house, bo[1], "/public/hoi.txt") == b"hallo"
    assert await read(house, bo[1], "/notes/dag/een.txt") == b"lief dagboek"
    after = {home.container: home.custody for home in compartments(house.vault, bo[1].pod)}
    assert after["loans"] == "sealed" and after["notes"] == before["notes"] == "managed"
    assert 'id="brought"' in answer.text and "/profile/card: daar staat al iets" in answer.text
    card = await read(house, bo[1], "/profile/card")
    assert b"/pods/bo/" in card and b"/pods/an/" not in card


async def test_a_container_without_anything_in_it_comes_back(house: Household, bo: tuple[str, SessionFacts]) -> None:
    link = {"link": '<http://www.w3.org/ns/ldp#BasicContainer>; rel="type"', "content-type": "text/turtle"}
    assert (await house.call("PUT", "/pods/an/public/leeg/", await house.jwt(), link)).status_code == 201
    await bring(house, await taken(house), bo)
    permit, keys = gate.own(bo[1], "public", "read", "/public/leeg/")
    assert (await door.read(house.vault, permit, keys, "/public/leeg/", house.clock())).kind == "container"


@pytest.mark.parametrize("listed", ["/public/../x/", "/public/x", "//", "/public/a.acl/", 5])
async def test_a_container_by_a_name_that_is_none_makes_the_file_bad(listed: object, house: Household) -> None:
    before = len(house.told())
    answer = await bring(house, packed({"pod/public/a.txt": b"a"}, containers=[listed]))
    assert answer.status_code == 422 and len(house.told()) == before


async def test_a_paper_that_is_not_as_its_list_says_makes_the_file_bad(house: Household) -> None:
    for papers in ({"grants.json": "00"}, {"pod/public/a.txt": sha256(b"a").hexdigest()}, [1]):
        answer = await bring(house, packed({"pod/public/a.txt": b"a"}, papers=papers))
        assert answer.status_code == 422


async def test_nothing_that_stands_there_is_overwritten_and_each_is_named(house: Household) -> None:
    file = await taken(house)
    await house.keep("/loans/a.jsonld", {"schema:name": "nieuwer"})
    before = len(house.told())
    answer = await bring(house, file)
    assert "/loans/a.jsonld: daar staat al iets" in answer.text and "0 teruggezet" in answer.text
    assert json.loads(await read(house, house.session, "/loans/a.jsonld")) == {"schema:name": "nieuwer"}
    assert [line["action"] for line in house.told()[before:]] == ["read"]


async def test_what_was_deleted_comes_back_with_a_line_in_the_log(house: Household) -> None:
    file = await taken(house)
    permit, _ = gate.own(house.session, "loans", "delete", "/loans/a.jsonld")
    await store.remove(house.vault, permit, "/loans/a.jsonld", house.clock())
    before = len(house.told())
    answer = await bring(house, file)
    assert "1 teruggezet" in answer.text
    line = house.told()[before]
    assert (line["action"], line["count"], line["note"], line["category"]) == (
        "append", 1, "brought back", "kluis:LibraryLoan")  # fmt: skip
    assert json.loads(await read(house, house.session, "/loans/a.jsonld")) == RECORDS["/loans/a.jsonld"]


async def test_what_lay_sealed_does_not_become_managed(house: Household, bo: tuple[str, SessionFacts]) -> None:
    file = packed({"pod/public/a.txt": b"a", "pod/diary/a.txt": b"b"}, custody={"public": "sealed", "diary": "sealed"})
    answer = await bring(house, file, bo)
    assert "/public/a.txt: lag in een verzegeld vak" in answer.text and "1 teruggezet" in answer.text
    after = {home.container: home.custody for home in compartments(house.vault, bo[1].pod)}
    assert after["diary"] == "sealed"
    lying = packed({"pod/tickets/a.txt": b"a"}, custody={"tickets": "managed"})
    assert "1 teruggezet" in (await bring(house, lying, bo)).text
    assert {home.container: home.custody for home in compartments(house.vault, bo[1].pod)}["tickets"] == "sealed"


async def test_what_a_source_had_sealed_comes_back_and_opens(house: Household, bo: tuple[str, SessionFacts]) -> None:
    path, record = "/loans/mijnbib-x.sealed.jsonld", b'{"schema:name": "Dune"}'
    told = {"path": path, "media": "application/ld+json", "size": len(record), "sha256": sha256(record).hexdigest()}
    assert "1 teruggezet" in (await bring(house, packed({f"pod{path}": record}, resources=[told]), bo)).text
    assert await read(house, bo[1], path) == record


async def test_access_lists_and_answers_do_not_come_back(house: Household, bo: tuple[str, SessionFacts]) -> None:
    files = {"pod/public/a.txt": b"a", "pod/answers/is_resident": b"true"}
    answer = await bring(
        house, packed(files, access={"/public/a.txt": "<#x> a <http://www.w3.org/ns/auth/acl#A>."}), bo
    )
    assert "1 teruggezet" in answer.text and "/answers/is_resident: dat leiden we hier opnieuw af" in answer.text
    assert not house.vault.db.read.run("SELECT 1 FROM acl WHERE id = :id", id=bo[1].pod.resource("/public/a.txt"))


def altered(**changes: Any) -> bytes:
    body = b"a"
    told = {"path": "/public/a.txt", "media": "text/plain", "size": 1, "sha256": sha256(body).hexdigest()} | changes
    contents = {"format": "kluis/take-away/v1", "pod": "http://a/", "resources": [told]}
    return locked({"pod" + str(told["path"]): body, "kluis.json": json.dumps(contents).encode()})


def link(facts: tarfile.TarInfo) -> None:
    facts.type, facts.linkname, facts.size = tarfile.SYMTYPE, "/etc/passwd", 0


FILES: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "another format": lambda: b"%PDF-1.7 " * 100,
    "age, no tar": lambda: age.lock(b"x" * 5000, passphrase=PHRASE),
    "compressed": lambda: age.lock(b"\x1f\x8b\x08" + bytes(5000), passphrase=PHRASE),
    "locked to a key": lambda: age.lock(b"x", recipient=age.recipient_of(age.Private.fresh())),
    "no contents": lambda: locked({"pod/public/a.txt": b"a"}),
    "contents are no JSON": lambda: locked({"kluis.json": b"{"}),
    "contents of another kind": lambda: locked({"kluis.json": b"[]"}),
    "another version": lambda: packed({}, format="kluis/take-away/v9"),
    "list of nothing": lambda: packed({}, resources=[None]),
    "not in the list": lambda: packed({"pod/public/a.txt": b"a"}, resources=[]),
    "a link": lambda: locked({"pod/public/a.txt": b""}, link),
    "below a resource": lambda: packed({"pod/public/a": b"a", "pod/public/a/b": b"b"}),
    "another size": lambda: altered(size=2),
    "another digest": lambda: altered(sha256="0" * 64),
    "up and out": lambda: altered(path="/../../etc/passwd"),
    "another spelling": lambda: altered(path="/public/%61.txt"),
    "a container": lambda: altered(path="/public/a/"),
    "an access list": lambda: altered(path="/public/a.txt.acl"),
    "a NUL": lambda: altered(path="/public/a\0b"),
    "a media type with a line end": lambda: altered(media="text/html\r\nx: y"),
    "RDF with a NUL": lambda: packed({"pod/public/a.ttl": b"\0"}, resources=[
        {"path": "/public/a.ttl", "media": "text/turtle", "size": 1, "sha256": sha256(b"\0").hexdigest()}]),
    "sealed path, no record": lambda: altered(path="/loans/a.sealed.jsonld"),
    "numbers for names": lambda: altered(path=7),
}  # fmt: skip


@pytest.mark.parametrize("which", FILES)
async def test_a_damaged_or_foreign_file_is_named_and_nothing_of_it_is_stored(which: str, house: Household) -> None:
    entries = house.vault.log.ledger.tree.size
    answer = await bring(house, FILES[which]())
    assert answer.status_code in {400, 422}, answer.text
    assert "Er is niets teruggezet" in answer.text and 'id="bring-back"' in answer.text
    assert house.vault.log.ledger.tree.size == entries


async def test_a_file_of_which_the_end_is_missing_stores_nothing(house: Household) -> None:
    file = await taken(house)
    entries = house.vault.log.ledger.tree.size
    for spoilt in (file[:-1], file[: len(file) // 2], file[:-20] + bytes(20)):
        assert (await bring(house, spoilt)).status_code == 422
    assert house.vault.log.ledger.tree.size == entries


async def test_a_wrong_passphrase_stores_nothing_and_too_much_work_is_not_done(house: Household) -> None:
    file = await taken(house)
    entries = house.vault.log.ledger.tree.size
    answer = await bring(house, file, passphrase="een heel andere zin")
    assert answer.status_code == 400 and "gaat niet open met deze wachtzin" in answer.text
    assert (await bring(house, file.replace(b" 10\n", b" 19\n", 1))).status_code == 400
    assert house.vault.log.ledger.tree.size == entries


async def test_a_file_that_is_too_large_is_refused(house: Household) -> None:
    assert (await bring(house, bytes(18 * 1024 * 1024))).status_code == 413


async def test_only_our_own_form_of_a_citizens_session_brings_anything(house: Household) -> None:
    assert (await bring(house, b"", csrf="x")).status_code == 403
    assert (await house.http.post("/me/take-away/back", data={"csrf": "x"})).status_code == 303
    same = {"sec-fetch-site": "same-origin", "cookie": f"kluis={house.cookie}"}
    plain = await house.http.post("/me/take-away/back", content=b"x", headers=same)
    assert plain.status_code == 403
    fields = {"csrf": (None, house.session.csrf), "passphrase": (None, PHRASE), "file": (None, "no file")}
    assert (await house.http.post("/me/take-away/back", files=fields, headers=same)).status_code == 422
    page = await house.http.get("/me/take-away", headers={"cookie": f"kluis={house.cookie}"})
    assert 'enctype="multipart/form-data"' in page.text


async def test_without_a_log_nothing_is_stored(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    from vault.errors import LogUnavailable

    file = await taken(house)
    permit, _ = gate.own(house.session, "loans", "delete", "/loans/a.jsonld")
    await store.remove(house.vault, permit, "/loans/a.jsonld", house.clock())

    async def unavailable(*_: Any) -> None:
        raise LogUnavailable("full")

    monkeypatch.setattr(Log, "append", unavailable)
    assert (await bring(house, file)).status_code == 503
    assert store.version_of(house.vault, house.session.pod, "/loans/a.jsonld") is None
