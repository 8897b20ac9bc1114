"""PATCH over HTTP: what it changes, whom it asks, what it leaves in the log, and that no update is lost."""

import asyncio

import pytest

from tests.web.pods.client import ROOT, Client, entries
from vault.vault import Vault

HEAD = "@prefix solid: <http://www.w3.org/ns/solid/terms#>. @prefix ex: <http://ex.example/>.\n"
ACL = "http://www.w3.org/ns/auth/acl#"


def n3(**formulae: str) -> bytes:
    said = "".join(f"; solid:{name} {{ {formula} }}" for name, formula in formulae.items())
    return f"{HEAD}_:p a solid:InsertDeletePatch{said}.".encode()


async def patch(ask: Client, path: str, headers: dict[str, str] | None = None, **formulae: str) -> tuple[int, str]:
    answer = await ask("PATCH", path, n3(**formulae), content_type="text/n3", **(headers or {}))
    return answer.status, answer.reason if "bad-patch" in str(answer.body) or "unmet" in str(answer.body) else ""


async def put(ask: Client, path: str, body: bytes, media: str = "text/turtle") -> str:
    return (await ask("PUT", path, body, content_type=media)).headers["etag"]


async def read(ask: Client, path: str) -> bytes:
    return (await ask("GET", path, accept="application/n-triples")).body


async def test_a_patch_changes_what_it_names_and_leaves_the_rest(ask: Client) -> None:
    tag = await put(ask, "public/a", b"<#a> <http://ex.example/p> 1, 2 .")
    answer = await ask("PATCH", "public/a", n3(deletes="<#a> ex:p 1.", inserts="<#a> ex:p 3."), content_type="text/n3")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["etag"] not in (tag, "")
    got = await ask("GET", "public/a")
    assert (got.headers["etag"], got.headers["content-type"]) == (answer.headers["etag"], "text/turtle")
    assert [n in got.body for n in (b"p> 2", b" 3", b" 1")] == [True, True, False]


async def test_a_sparql_update_is_a_patch_too(ask: Client) -> None:
    body = b'INSERT DATA { <#a> <http://ex.example/p> "x" . };'
    assert (await ask("PATCH", "public/a", body, content_type="application/sparql-update; charset=utf-8")).status == 201
    assert await read(ask, "public/a") == f'<{ROOT}/public/a#a> <http://ex.example/p> "x" .\n'.encode()


async def test_an_update_without_any_operation_leaves_things_and_lists_as_they_are(ask: Client, vault: Vault) -> None:
    tag = await put(ask, "public/a", b"<#a> <http://ex.example/p> 1 . # mine")
    before = entries(vault)
    for path in ("public/a", "public/.acl", "public/a.acl"):
        answer = await ask("PATCH", path, b" ", content_type="application/sparql-update")
        assert (answer.status, int(answer.headers["kluis-entry"])) == (204, entries(vault) - 1), answer.body
    assert entries(vault) == before + 3
    got = await ask("GET", "public/a", accept="text/turtle")
    assert (got.body, got.headers["etag"]) == (b"<#a> <http://ex.example/p> 1 . # mine", tag)
    assert (await ask("GET", "public/a.acl")).status == 404
    for path in ("public/a", "public/.acl"):
        answer = await ask("PATCH", path, b"", content_type="application/sparql-update", if_match='"other"')
        assert answer.status == 412
    assert (await ask("PATCH", "settings/a", b"", content_type="application/sparql-update")).status == 401


async def test_a_patch_makes_what_is_not_there_and_the_containers_above(ask: Client) -> None:
    answer = await ask("PATCH", "public/x/y/a", n3(inserts="<> ex:p 1."), content_type="text/n3")
    assert (answer.status, answer.headers["location"]) == (201, f"{ROOT}/public/x/y/a")
    assert f"<{ROOT}/public/x/y/>".encode() in await read(ask, "public/x/")
    assert (await ask("GET", "public/x/y/a")).headers["content-type"] == "text/turtle"


@pytest.mark.parametrize("media", ["application/ld+json", "application/n-triples", "application/rdf+xml"])
async def test_a_resource_keeps_its_media_type(ask: Client, media: str) -> None:
    await put(ask, "public/t", b"<a:a> <a:b> <a:c> .")
    body = (await ask("GET", "public/t", accept=media)).body if media != "application/rdf+xml" else b""
    names = b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:a="a:"'
    said = b'<rdf:Description rdf:about="a:a"><a:b rdf:resource="a:c"/></rdf:Description>'
    body = body or b"<rdf:RDF " + names + b">" + said + b"</rdf:RDF>"
    await put(ask, "public/a", body, media)
    assert await patch(ask, "public/a", inserts="<a:a> <a:b> <a:d>.") == (204, "")
    assert (await ask("GET", "public/a", accept="*/*")).headers["content-type"] == media
    assert sorted((await read(ask, "public/a")).splitlines()) == [b"<a:a> <a:b> <a:c> .", b"<a:a> <a:b> <a:d> ."]


async def test_what_a_patch_counts_on_has_to_be_so(ask: Client) -> None:
    await put(ask, "public/a", b"<#a> <http://ex.example/p> 1 . <#b> <http://ex.example/p> 1 .")
    before = await ask("GET", "public/a")
    assert await patch(ask, "public/a", where="?x ex:p 2.", inserts="?x ex:q 1.") == (409, "no_match")
    assert await patch(ask, "public/a", where="?x ex:p 1.", inserts="?x ex:q 1.") == (409, "several_matches")
    assert await patch(ask, "public/a", deletes="<#a> ex:p 2.") == (409, "missing")
    assert await patch(ask, "public/none", deletes="<#a> ex:p 2.") == (409, "missing")
    assert await patch(ask, "public/none", where="?x ex:p 2.", inserts="?x ex:q 1.") == (409, "no_match")
    assert (await ask("GET", "public/a")).body == before.body
    assert (await ask("GET", "public/none")).status == 404


async def test_a_patch_that_is_none_is_refused(ask: Client) -> None:
    for body, media, status in [
        (b"no n3", "text/n3", 400),
        (n3(inserts="<a> ex:p ?x."), "text/n3", 422),
        (n3(inserts="<a> ex:p []."), "text/n3", 422),
        (b"", "text/n3", 422),
        (b"CLEAR ALL", "application/sparql-update", 422),
        (b"INSERT", "application/sparql-update", 422),
        (b"\xff", "application/sparql-update", 400),
        (b"<a> <b> <c> .", "text/turtle", 415),
        (b"[]", "application/json-patch+json", 415),
        (b"x" * (1024 * 1024 + 1), "text/n3", 413),
    ]:
        answer = await ask("PATCH", "public/a", body, content_type=media)
        assert answer.status == status, (body[:50], answer.body)
        assert answer.headers["accept-patch"] == "text/n3, application/sparql-update"
    assert (await ask("PATCH", "public/a", b"x")).status == 400
    assert (await ask("GET", "public/a")).status == 404


async def test_only_rdf_is_patched(ask: Client) -> None:
    await put(ask, "public/a", b"text", "text/plain")
    answer = await ask("PATCH", "public/a", n3(inserts="<a> ex:p 1."), content_type="text/n3")
    assert (answer.status, answer.kind) == (415, "media")
    assert (await ask("GET", "public/a")).body == b"text"


async def test_every_name_says_whether_it_takes_patches(ask: Client) -> None:
    await put(ask, "public/a", b"")
    for method in ("GET", "HEAD", "OPTIONS"):
        for path in ("public/a", "public/.acl", "public/a.meta"):
            answer = await ask(method, path)
            assert "PATCH" in answer.headers["allow"]
            assert answer.headers["accept-patch"] == "text/n3, application/sparql-update"
            assert "PATCH" in answer.headers["access-control-allow-methods"]
            assert "Accept-Patch" in answer.headers["access-control-expose-headers"]


async def test_the_modes_asked_follow_from_the_patch(ask: Client) -> None:
    rules = {"a": "Append", "ra": "Read, acl:Append", "w": "Write", "rw": "Read, acl:Write", "r": "Read"}
    for name, modes in rules.items():
        await put(ask, f"public/{name}", b"<#a> <http://ex.example/p> 1 .")
        everybody = f"[] a acl:Authorization; acl:agentClass <http://xmlns.com/foaf/0.1/Agent>; acl:mode acl:{modes};"
        body = f"@prefix acl: <{ACL}>. {everybody} acl:accessTo <{ROOT}/public/{name}>."
        assert (await ask("PUT", f"public/{name}.acl", body.encode(), content_type="text/turtle")).status == 204

    async def allowed(**formulae: str) -> set[str]:
        return {name for name in rules if (await patch(ask, f"public/{name}", **formulae))[0] != 401}

    assert await allowed(inserts="<#a> ex:q 1.") == {"a", "ra", "w", "rw"}
    assert await allowed(where="?x ex:p 1.", inserts="?x ex:r 1.") == {"ra", "rw"}
    assert await allowed(deletes="<#a> ex:none 1.") == {"rw"}
    assert await allowed() == {"a", "ra", "w", "rw"}


async def test_to_make_something_takes_a_right_on_its_container_too(ask: Client) -> None:
    everybody = "[] a acl:Authorization; acl:agentClass <http://xmlns.com/foaf/0.1/Agent>; acl:mode acl:Append;"
    body = f"@prefix acl: <{ACL}>. {everybody} acl:default <{ROOT}/public/d/>."
    await ask("PUT", "public/d/")
    await ask("PUT", "public/d/.acl", body.encode(), content_type="text/turtle")
    assert (await patch(ask, "public/d/a", inserts="<> ex:p 1."))[0] == 401
    await ask("PUT", "public/d/e/")
    both = body + f" {everybody} acl:default <{ROOT}/public/d/e/>; acl:accessTo <{ROOT}/public/d/e/>."
    await ask("PUT", "public/d/e/.acl", both.encode(), content_type="text/turtle")
    assert (await patch(ask, "public/d/e/a", inserts="<> ex:p 1."))[0] == 201


async def test_without_permission_every_patch_is_answered_alike(ask: Client) -> None:
    for body in (n3(inserts="<a> ex:p 1."), n3(deletes="<a> ex:p 1."), b"no n3", b""):
        answers = [
            await ask("PATCH", path, body, content_type="text/n3")
            for path in ("settings/secret", "settings/none", "none/x", "settings/secret.meta", "/pods/nobody/x")
        ]
        assert {(one.status, one.body) for one in answers} == {(401, answers[0].body)}


async def test_a_patch_of_what_is_there_leaves_a_read_and_a_change(ask: Client, vault: Vault) -> None:
    await put(ask, "public/a", b"")
    before = entries(vault)
    answer = await ask("PATCH", "public/a", n3(inserts="<a> ex:p 1."), content_type="text/n3")
    assert (entries(vault), int(answer.headers["kluis-entry"])) == (before + 2, before + 1)


async def test_one_that_makes_something_leaves_the_change_alone(ask: Client, vault: Vault) -> None:
    before = entries(vault)
    answer = await ask("PATCH", "public/a", n3(inserts="<a> ex:p 1."), content_type="text/n3")
    assert (entries(vault), int(answer.headers["kluis-entry"])) == (before + 1, before)


async def test_one_that_cannot_be_applied_leaves_the_read(ask: Client, vault: Vault) -> None:
    await put(ask, "public/a", b"")
    before = entries(vault)
    for path in ("public/a", "public/none"):
        answer = await ask("PATCH", path, n3(deletes="<a> ex:p 1."), content_type="text/n3")
        assert int(answer.headers["kluis-entry"]) == entries(vault) - 1
    assert entries(vault) == before + 2


async def test_a_tag_that_is_old_ends_it_before_anything_is_opened(ask: Client, vault: Vault) -> None:
    old = await put(ask, "public/a", b"")
    new = await put(ask, "public/a", b"<a:a> <a:b> 1 .")
    before = entries(vault)
    assert (await patch(ask, "public/a", {"if_match": old}, inserts="<a> ex:p 1."))[0] == 412
    assert entries(vault) == before + 1
    assert (await patch(ask, "public/a", {"if_none_match": "*"}, inserts="<a> ex:p 1."))[0] == 412
    assert (await patch(ask, "public/none", {"if_match": "*"}, inserts="<a> ex:p 1."))[0] == 412
    assert (await patch(ask, "public/a", {"if_match": new}, inserts="<a> ex:p 1."))[0] == 204


@pytest.mark.parametrize("many", [10, 40])
async def test_of_many_patches_at_once_every_one_is_kept(ask: Client, many: int) -> None:
    await put(ask, "public/a", b"")
    bodies = [n3(inserts=f"<#n> ex:p {n}.") for n in range(many)]
    done = await asyncio.gather(*(ask("PATCH", "public/a", body, content_type="text/n3") for body in bodies))
    assert {one.status for one in done} == {204}
    assert len({one.headers["etag"] for one in done}) == many
    assert len((await read(ask, "public/a")).splitlines()) == many


async def test_of_many_that_make_the_same_thing_one_makes_it_and_every_one_is_kept(ask: Client) -> None:
    bodies = [n3(inserts=f"<#n> ex:p {n}.") for n in range(20)]
    done = await asyncio.gather(*(ask("PATCH", "public/a", body, content_type="text/n3") for body in bodies))
    assert sorted(one.status for one in done) == [201] + [204] * 19
    assert len((await read(ask, "public/a")).splitlines()) == 20


async def test_of_many_behind_one_tag_one_is_kept(ask: Client) -> None:
    tag = await put(ask, "public/a", b"")
    done = await asyncio.gather(
        *(patch(ask, "public/a", {"if_match": tag}, inserts=f"<a> ex:p {n}.") for n in range(10))
    )
    assert sorted(status for status, _ in done) == [204] + [412] * 9


async def test_a_put_that_comes_between_ends_no_patch(ask: Client) -> None:
    await put(ask, "public/a", b"<#a> <http://ex.example/p> 0 .")
    patches = [patch(ask, "public/a", where="<#a> ex:p 0.", inserts=f"<#a> ex:q {n}.") for n in range(10)]
    puts = [put(ask, "public/a", f"<#a> <http://ex.example/p> 0, -{n} .".encode()) for n in range(1, 5)]
    done = await asyncio.gather(*patches, *puts)
    assert {one for one in done if isinstance(one, tuple)} == {(204, "")}
    assert b"p> " in await read(ask, "public/a")


async def test_a_name_with_the_slash_the_other_way_round_is_taken(ask: Client) -> None:
    await ask("PUT", "public/c/")
    assert (await patch(ask, "public/c", inserts="<a> ex:p 1."))[0] == 409
    await put(ask, "public/f", b"")
    assert (await patch(ask, "public/f/x", inserts="<a> ex:p 1."))[0] == 409


async def test_what_a_container_holds_is_never_patched(ask: Client) -> None:
    await put(ask, "public/c/a", b"")
    before = (await ask("GET", "public/c/")).body
    ldp = "http://www.w3.org/ns/ldp#"
    for formulae in ({"inserts": f"<> <{ldp}contains> <x>."}, {"deletes": f"<> <{ldp}contains> <a>."}):
        answer = await ask("PATCH", "public/c/", n3(**formulae), content_type="text/n3")
        assert (answer.status, answer.kind) == (409, "containment")
    assert (await ask("GET", "public/c/")).body == before


async def test_a_list_is_patched_by_who_controls_it_with_one_entry(ask: Client, vault: Vault) -> None:
    old = (await ask("GET", "public/.acl")).headers["etag"]
    before = entries(vault)
    more = f"<#public> <{ACL}mode> <{ACL}Append>."
    assert (await patch(ask, "public/.acl", {"if_match": old}, inserts=more))[0] == 204
    assert entries(vault) == before + 1
    assert f"<{ACL}Append>".encode() in await read(ask, "public/.acl")
    assert (await patch(ask, "public/.acl", {"if_match": old}, inserts=more))[0] == 412
    assert (await patch(ask, "profile/.acl", inserts=more))[0] == 401


async def test_a_patch_of_a_list_that_cannot_be_applied_leaves_an_entry_and_the_list(ask: Client, vault: Vault) -> None:
    before, listed = entries(vault), await read(ask, "public/.acl")
    answer = await ask("PATCH", "public/.acl", n3(deletes=f"<#none> <{ACL}mode> <{ACL}Read>."), content_type="text/n3")
    assert (answer.status, answer.reason) == (409, "missing")
    assert int(answer.headers["kluis-entry"]) == before + 1 == entries(vault) - 1
    assert await read(ask, "public/.acl") == listed


async def test_forty_lists_at_once_are_all_kept(ask: Client) -> None:
    done = await asyncio.gather(
        *(patch(ask, "public/.acl", inserts=f"<#n{n}> a <{ACL}Authorization>.") for n in range(40))
    )
    assert {status for status, _ in done} == {204}
    assert (await read(ask, "public/.acl")).count(b"#n") == 40
