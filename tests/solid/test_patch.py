"""N3 Patch (Solid Protocol 5.3.1): what is a patch document, what it needs, what it does."""

import asyncio

import httpx

from tests.solid.client import JSON_LD, ME, N3, POD, PUBLIC, TEXT, TURTLE, Agent, acl, graph, listed, objects, patch
from tests.solid.requirements import shows

HERE = POD + "public/a"
FRIENDS = "@prefix e: <urn:e:> . <#an> e:knows <#bram> ; e:name 'An' . <#bram> e:name 'Bram' ."


async def friends(an: Agent, media: str = TURTLE) -> None:
    """Store a small graph in public/a."""
    assert (await an("PUT", "public/a", FRIENDS, media)).status_code in (201, 204)


async def sent(who: Agent, body: str, path: str = "public/a", **headers: str) -> httpx.Response:
    return await who("PATCH", path, "@prefix e: <urn:e:> .\n" + body, N3, **headers)


async def refused(an: Agent, body: str) -> httpx.Response:
    """Send a patch that must change nothing."""
    await friends(an)
    before = await an("GET", "public/a")
    answer = await sent(an, body)
    after = await an("GET", "public/a")
    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    return answer


@shows("server-patch-n3-accept")
async def test_an_n3_patch_changes_an_rdf_document_in_whatever_syntax_it_was_stored(an: Agent) -> None:
    for path, body, media in (
        ("public/a", FRIENDS, TURTLE),
        ("public/j", '{"@id": "#an", "urn:e:name": "An"}', JSON_LD),
    ):
        await an("PUT", path, body, media)
        done = await sent(an, patch(inserts="<#an> e:age 7 ."), path)
        assert done.status_code in (200, 204), done.text
        answer = await an("GET", path)
        assert answer.headers["content-type"] == media
        assert objects(answer, POD + path + "#an", "urn:e:age") == {"7"}
        assert objects(answer, POD + path + "#an", "urn:e:name") == {"An"}
    await an("PUT", "public/text", "x", TEXT)
    assert (await sent(an, patch(inserts="<#a> e:b 1 ."), "public/text")).status_code in (405, 409, 415)


@shows("server-patch-n3-advertise")
async def test_that_n3_patch_is_understood_is_told(an: Agent) -> None:
    await friends(an)
    for method in ("GET", "HEAD", "OPTIONS"):
        answer = await an(method, "public/a")
        assert N3 in listed(answer.headers, "accept-patch")
        assert "PATCH" in listed(answer.headers, "allow")
    refused = await an("PATCH", "public/a", "{}", "application/json")
    assert (refused.status_code, N3 in listed(refused.headers, "accept-patch")) == (415, True)


@shows("server-patch-n3-patches")
async def test_a_document_without_a_patch_is_422(an: Agent) -> None:
    for body in ("", "<#a> e:b 1 .", "@prefix solid: <http://www.w3.org/ns/solid/terms#> ."):
        assert (await refused(an, body)).status_code == 422, body


@shows("server-patch-n3-single")
async def test_two_patches_in_one_document_are_422(an: Agent) -> None:
    two = patch(inserts="<#a> e:b 1 .") + patch(inserts="<#a> e:b 2 .").replace("_:patch", "_:other")
    assert (await refused(an, two)).status_code == 422


@shows("server-patch-n3-type")
async def test_a_patch_without_its_type_is_422(an: Agent) -> None:
    for other in ("solid:Patch", "<urn:e:Other>"):
        body = patch(inserts="<#a> e:b 1 .").replace("solid:InsertDeletePatch", other)
        assert (await refused(an, body)).status_code == 422


@shows("server-patch-n3-inserts")
async def test_two_insertions_are_422(an: Agent) -> None:
    body = patch(inserts="<#a> e:b 1 .", more="_:patch solid:inserts { <#a> e:b 2 . } .")
    assert (await refused(an, body)).status_code == 422


@shows("server-patch-n3-deletes")
async def test_two_deletions_are_422(an: Agent) -> None:
    body = patch(deletes="<#an> e:name 'An' .", more="_:patch solid:deletes { <#bram> e:name 'Bram' . } .")
    assert (await refused(an, body)).status_code == 422


@shows("server-patch-n3-where")
async def test_two_conditions_are_422(an: Agent) -> None:
    body = patch(where="?p e:name 'An' .", inserts="?p e:b 1 .", more="_:patch solid:where { ?q e:name 'Bram' . } .")
    assert (await refused(an, body)).status_code == 422


@shows("server-patch-n3-formulae")
async def test_formulae_hold_statements_only_and_an_absent_one_is_empty(an: Agent) -> None:
    assert (await refused(an, patch(inserts="<#a> e:says { <#b> e:c 1 . } ."))).status_code == 422
    assert (await refused(an, patch(inserts="X").replace("{ X }", "<#a>"))).status_code == 422
    await friends(an)
    assert (await sent(an, patch())).status_code in (200, 204)


@shows("server-patch-n3-variables")
async def test_a_variable_outside_the_conditions_is_422(an: Agent) -> None:
    assert (await refused(an, patch(inserts="<#a> e:b ?x ."))).status_code == 422
    assert (await refused(an, patch(where="?p e:name 'An' .", deletes="?p e:name ?n ."))).status_code == 422


@shows("server-patch-n3-blank-nodes")
async def test_a_blank_node_in_insertions_or_deletions_is_422(an: Agent) -> None:
    for part in ({"inserts": "_:x e:b 1 ."}, {"inserts": "<#a> e:b [ e:c 1 ] ."}, {"deletes": "_:x e:name 'An' ."}):
        assert (await refused(an, patch(**part))).status_code == 422


@shows("server-patch-n3-invalid")
async def test_a_patch_that_breaks_a_rule_is_422_and_one_that_is_no_n3_is_refused(an: Agent) -> None:
    assert (await refused(an, patch(inserts="_:x e:b 1 ."))).headers["content-type"] == "application/problem+json"
    for broken in ("@prefix", "<#a> e:b", patch(inserts="<#a> e:b 'x .")):
        assert (await refused(an, broken)).status_code in (400, 422)


async def modes(an: Agent, mode: str) -> Agent:
    """Anybody, who may now do just this in public/."""
    await friends(an)
    assert (await an("PUT", "public/.acl", acl("public/", PUBLIC + mode), TURTLE)).status_code in (201, 204)
    return Agent(an.house)


INSERT, DELETE = patch(inserts="<#an> e:age 7 ."), patch(deletes="<#an> e:name 'An' .")
WHERE = patch(where="?p e:name 'An' .", inserts="?p e:age 8 .")


@shows("server-n3-patch-where")
async def test_conditions_need_read(an: Agent) -> None:
    anybody = await modes(an, "Append")
    assert (await sent(anybody, WHERE)).status_code == 401
    anybody = await modes(an, "Read, acl:Append")
    assert (await sent(anybody, WHERE)).status_code in (200, 204)


@shows("server-n3-patch-insert")
async def test_insertions_need_append(an: Agent) -> None:
    anybody = await modes(an, "Read")
    assert (await sent(anybody, INSERT)).status_code == 401
    anybody = await modes(an, "Append")
    assert (await sent(anybody, INSERT)).status_code in (200, 204)


@shows("server-n3-patch-delete")
async def test_deletions_need_read_and_write(an: Agent) -> None:
    for too_little in ("Read, acl:Append", "Write"):
        anybody = await modes(an, too_little)
        assert (await sent(anybody, DELETE)).status_code == 401, too_little
    anybody = await modes(an, "Read, acl:Write")
    assert (await sent(anybody, DELETE)).status_code in (200, 204)


@shows("server-patch-n3-semantics")
async def test_a_patch_deletes_then_inserts_and_makes_what_is_not_there(an: Agent) -> None:
    await friends(an)
    swap = patch(
        where="?p e:name 'An' .", deletes="?p e:name 'An' .", inserts="?p e:name 'Anna' . ?p e:knows <#chris> ."
    )
    assert (await sent(an, swap)).status_code in (200, 204)
    answer = await an("GET", "public/a")
    assert objects(answer, HERE + "#an", "urn:e:name") == {"Anna"}
    assert objects(answer, HERE + "#an", "urn:e:knows") == {HERE + "#bram", HERE + "#chris"}
    assert objects(answer, HERE + "#bram", "urn:e:name") == {"Bram"}
    same = patch(deletes="<#an> e:name 'Anna' .", inserts="<#an> e:name 'Anna' .")
    assert (await sent(an, same)).status_code in (200, 204)
    assert objects(await an("GET", "public/a"), HERE + "#an", "urn:e:name") == {"Anna"}
    made = await sent(an, patch(inserts=f"<> e:maker <{ME}> ."), "public/new")
    assert (made.status_code, len(graph(await an("GET", "public/new")))) == (201, 1)
    races = await asyncio.gather(*(sent(an, patch(inserts=f"<#x> e:n {n} .")) for n in range(10)))
    assert {one.status_code for one in races} <= {200, 204}
    assert len(objects(await an("GET", "public/a"), HERE + "#x", "urn:e:n")) == 10


@shows("server-patch-n3-semantics-no-mapping")
async def test_conditions_that_match_nothing_or_more_than_once_are_409(an: Agent) -> None:
    for where in ("?p e:name 'Nobody' .", "?p e:name ?n ."):
        assert (await refused(an, patch(where=where, inserts="?p e:b 1 ."))).status_code == 409


@shows("server-patch-n3-semantics-deletions-non-empty-all-triples")
async def test_deleting_what_is_not_there_is_409(an: Agent) -> None:
    assert (await refused(an, patch(deletes="<#an> e:name 'Nobody' ."))).status_code == 409
    assert (await refused(an, patch(deletes="<#an> e:name 'An' . <#an> e:age 7 ."))).status_code == 409
    assert (await sent(an, patch(deletes="<#a> e:b 1 ."), "public/none")).status_code == 409
