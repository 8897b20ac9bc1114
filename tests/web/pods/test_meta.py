"""Descriptions: one `.meta` per resource, by its rights, sealed with it, gone with it, and in no listing."""

import json
from pathlib import Path

import pytest

from consent import holdings
from tests.web.pods.client import ROOT, Client, entries
from tests.web.pods.test_patch import n3, put, read
from vault import fsck
from vault.tables import Resource
from vault.vault import Vault

TITLE = b"<> <http://purl.org/dc/terms/title> 'x' ."
LDP = "http://www.w3.org/ns/ldp#"


async def test_a_description_is_put_read_patched_and_deleted(ask: Client, vault: Vault) -> None:
    await put(ask, "public/a", b"text", "text/plain")
    assert (await ask("GET", "public/a.meta")).status == 404
    before = entries(vault)
    made = await ask("PUT", "public/a.meta", TITLE, content_type="text/turtle")
    assert (made.status, made.headers["location"]) == (201, f"{ROOT}/public/a.meta")
    got = await ask("GET", "public/a.meta")
    assert (got.status, got.body, got.headers["etag"]) == (200, TITLE, made.headers["etag"])
    head = await ask("HEAD", "public/a.meta")
    assert (head.body, head.headers["content-length"]) == (b"", str(len(TITLE)))
    patched = await ask("PATCH", "public/a.meta", n3(inserts="<a> ex:p 1."), content_type="text/n3")
    assert patched.status == 204
    assert f"<{ROOT}/public/a>".encode() in await read(ask, "public/a.meta")
    assert (await ask("DELETE", "public/a.meta")).status == 204
    assert (await ask("GET", "public/a.meta")).status == 404
    assert entries(vault) == before + 8
    assert (await ask("GET", "public/a")).body == b"text"


async def test_a_patch_makes_a_description(ask: Client) -> None:
    await put(ask, "public/a", b"")
    answer = await ask("PATCH", "public/a.meta", n3(inserts="<a> ex:p 1."), content_type="text/n3")
    assert (answer.status, (await ask("GET", "public/a.meta")).status) == (201, 200)


async def test_every_resource_links_its_description(ask: Client) -> None:
    await put(ask, "public/c/a", b"")
    for path in ("public/c/a", "public/c/"):
        assert f'<{ROOT}/{path}.meta>; rel="describedby"' in (await ask("HEAD", path)).headers["link"]


async def test_a_description_is_no_member_of_a_container(ask: Client) -> None:
    await put(ask, "public/c/a", b"")
    before = (await ask("GET", "public/c/")).body
    for name in ("public/c/a.meta", "public/c/.meta", "public/.meta"):
        await put(ask, name, TITLE)
    assert (await ask("GET", "public/c/")).body == before
    assert b".meta" not in (await ask("GET", "public/")).body


async def test_a_description_goes_with_what_it_describes(ask: Client, vault: Vault) -> None:
    await put(ask, "public/c/a", b"")
    for name in ("public/c/a.meta", "public/c/.meta"):
        await put(ask, name, TITLE)
    before = entries(vault)
    assert (await ask("DELETE", "public/c/")).status == 409
    for path in ("public/c/a", "public/c/"):
        assert (await ask("DELETE", path)).status == 204
    assert entries(vault) == before + 3
    pod = vault.pod("an")
    assert pod is not None
    for name in ("/public/c/a.meta", "/public/c/.meta"):
        row = vault.db.read.get(Resource, pod.resource(name))
        assert (row.form, row.dek, row.label) == ("gone", b"", b"")
    await put(ask, "public/c/a", b"")
    assert [(await ask("GET", f"public/c/{name}")).status for name in ("a.meta", ".meta")] == [404, 404]
    assert (await ask("PUT", "public/c/a.meta", TITLE, content_type="text/turtle")).status == 201


async def test_a_store_with_descriptions_has_no_fault(ask: Client, vault: Vault, tmp_path: Path) -> None:
    await put(ask, "public/c/a", b"")
    for name in ("public/c/a.meta", "public/c/.meta", "public/.meta"):
        await put(ask, name, TITLE)
    await ask("DELETE", "public/c/a")
    await vault.publish()
    assert fsck.check(tmp_path / "vault", tmp_path / "shares") == []


@pytest.mark.parametrize("path", ["public/none.meta", "public/none/.meta"])
async def test_nothing_is_described_that_is_not_there(ask: Client, path: str) -> None:
    for answer in (
        await ask("PUT", path, TITLE, content_type="text/turtle"),
        await ask("PATCH", path, n3(inserts="<> ex:p 1."), content_type="text/n3"),
    ):
        assert (answer.status, answer.kind) == (409, "no-subject")
    assert (await ask("GET", "public/none/")).status == 404


async def test_a_description_is_rdf(ask: Client) -> None:
    await put(ask, "public/a", b"")
    assert (await ask("PUT", "public/a.meta", b"x", content_type="text/plain")).status == 415
    assert (await ask("PUT", "public/a.meta", b"x", content_type="text/turtle")).status == 400
    answer = await ask("PUT", "public/a.meta", b'{"@id": "", "x:y": "z"}', content_type="application/ld+json")
    assert answer.status == 201
    assert json.loads((await ask("GET", "public/a.meta")).body) == {"@id": "", "x:y": "z"}


async def test_there_is_no_description_of_a_description(ask: Client) -> None:
    await put(ask, "public/a", b"")
    await put(ask, "public/a.meta", TITLE)
    for name in ("public/a.meta.meta", "public/a.meta/", "public/a.meta/x", "public/a.acl.meta"):
        assert (await ask("PUT", name, TITLE, content_type="text/turtle")).status == 400
    assert "describedby" not in (await ask("GET", "public/a.meta")).headers["link"]


@pytest.mark.parametrize(
    "said",
    [
        f"<> <{LDP}contains> <x>.",
        f"<./> <{LDP}contains> <x>.",
        f"<./> a <{LDP}Container>.",
        "<./> a <http://www.w3.org/ns/pim/space#Storage>.",
        "<./> <http://purl.org/dc/terms/modified> 1.",
        "<a> <http://www.w3.org/ns/posix/stat#size> 1.",
    ],
)
async def test_what_the_server_says_is_not_written_by_hand(ask: Client, said: str) -> None:
    await put(ask, "public/c/a", b"")
    put_ = await ask("PUT", "public/c/.meta", said.encode(), content_type="text/turtle")
    patched = await ask("PATCH", "public/c/.meta", n3(inserts=said), content_type="text/n3")
    assert [(one.status, one.kind) for one in (put_, patched)] == [(409, "protected")] * 2
    assert (await ask("GET", "public/c/.meta")).status == 404


async def test_who_may_not_see_a_resource_may_not_see_its_description(ask: Client) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answers = [
            await ask(method, path, n3(inserts="<> ex:p 1.") if method == "PATCH" else TITLE, content_type="text/n3")
            for path in ("settings/secret.meta", "settings/none.meta", "settings/.meta", "loans/x.meta")
        ]
        assert {(one.status, one.body) for one in answers} == {(401, answers[0].body)}
    assert (await ask("GET", "profile/card.meta")).status == 404
    for method in ("PUT", "DELETE"):
        assert (await ask(method, "profile/card.meta", TITLE, content_type="text/turtle")).status == 401


async def test_a_description_is_not_counted_as_a_record(ask: Client, vault: Vault) -> None:
    pod = vault.pod("an")
    assert pod is not None
    await put(ask, "public/a", b"")
    before = [one.count for one in holdings.of_pod(vault, pod)]
    await put(ask, "public/a.meta", TITLE)
    assert [one.count for one in holdings.of_pod(vault, pod)] == before
