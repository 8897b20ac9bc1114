"""Resources, containers, auxiliaries and their writing (Solid Protocol 4 and 5)."""

import asyncio
import json

import rdflib
from rdflib.compare import isomorphic

from tests.house import Household
from tests.solid.client import (
    JSON_LD,
    LDP,
    POD,
    PUBLIC,
    TEXT,
    TURTLE,
    Agent,
    acl,
    graph,
    links,
    listed,
    members,
    objects,
)
from tests.solid.requirements import shows

CONTAINER = f'<{LDP}BasicContainer>; rel="type"'
STAT, TYPE = "http://www.w3.org/ns/posix/stat#", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
MODIFIED = "http://purl.org/dc/terms/modified"


@shows("server-contained-resource-metadata")
async def test_a_listing_tells_size_date_type_and_media_type_of_members(an: Agent) -> None:
    await an("PUT", "public/a.txt", "twaalf bytes", TEXT)
    await an("PUT", "public/d/", media=TURTLE)
    answer = await an("GET", "public/")
    there = POD + "public/a.txt"
    assert objects(answer, there, STAT + "size") == {"12"}
    assert objects(answer, there, STAT + "mtime") and objects(answer, there, MODIFIED)
    assert objects(answer, there, TYPE) >= {
        LDP + "Resource",
        "http://www.w3.org/ns/iana/media-types/text/plain#Resource",
    }
    assert LDP + "Container" in objects(answer, POD + "public/d/", TYPE)


@shows("server-auxiliary-resources-management")
async def test_auxiliaries_are_found_by_link_and_managed_with_their_subject(an: Agent) -> None:
    await an("PUT", "public/a", "<> <p:a> 1 .", TURTLE)
    told = await an("HEAD", "public/a")
    (described,), (listed_in,) = links(told, "describedby"), links(told, "acl")
    assert (await an("PUT", described, "<a> <p:title> 'A' .", TURTLE)).status_code in (201, 204)
    assert (await an("PUT", listed_in, acl("public/a"), TURTLE)).status_code in (201, 204)
    assert members(await an("GET", "public/")) == {POD + "public/a"}


@shows("server-link-auxiliary-type")
async def test_a_resource_names_its_auxiliaries_by_relation(an: Agent) -> None:
    for path in ("", "public/", "profile/card"):
        for method in ("GET", "HEAD"):
            answer = await an(method, path)
            assert len(links(answer, "acl")) == len(links(answer, "describedby")) == 1
    assert links(await an("GET", ".acl"), "acl") == set()


@shows("server-description-resource-max")
async def test_a_subject_has_one_description_and_a_description_none(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    (described,) = links(await an("HEAD", "public/a"), "describedby")
    await an("PUT", described, "<a> <p:title> 'A' .", TURTLE)
    assert len(links(await an("HEAD", "public/a"), "describedby")) == 1
    assert described not in links(await an("HEAD", described), "describedby")
    assert (await an("PUT", described + ".meta", "<> <p:a> 1 .", TURTLE)).status_code in (400, 405, 409)


@shows("server-description-resource-authorization")
async def test_a_description_is_for_whom_its_subject_is(an: Agent, anybody: Agent) -> None:
    for path, seen in (("public/a", 200), ("settings/a", 401)):
        await an("PUT", path, "x", TEXT)
        (described,) = links(await an("HEAD", path), "describedby")
        assert (await an("PUT", described, "<a> <p:title> 'A' .", TURTLE)).status_code in (201, 204)
        assert (await anybody("GET", described)).status_code == seen
        assert (await anybody("PUT", described, "<a> <p:title> 'B' .", TURTLE)).status_code == 401


@shows("server-put-patch-intermediate-containers")
async def test_writing_deep_makes_every_container_on_the_way(an: Agent) -> None:
    for number, (method, body, media) in enumerate(
        (("PUT", "<> <p:a> 1 .", TURTLE), ("PATCH", _insert("<> <p:a> 1 ."), "text/n3"))
    ):
        assert (await an(method, f"public/{number}/b/c/d", body, media)).status_code == 201
        for above, below in (
            (f"public/{number}/", "b/"),
            (f"public/{number}/b/", "c/"),
            (f"public/{number}/b/c/", "d"),
        ):
            assert members(await an("GET", above)) == {POD + above + below}


@shows("server-put-patch-uri-assignment")
async def test_put_and_patch_create_under_the_very_name_they_were_sent_to(an: Agent) -> None:
    put, patched = (
        await an("PUT", "public/a%20b", "<> <p:a> 1 .", TURTLE),
        await an("PATCH", "public/c", _insert("<> <p:a> 1 ."), "text/n3"),
    )
    assert (put.status_code, patched.status_code) == (201, 201)
    assert put.headers["location"] == POD + "public/a%20b"
    assert members(await an("GET", "public/")) == {POD + "public/a%20b", POD + "public/c"}


@shows("server-post-container")
async def test_post_to_a_container_makes_a_resource_or_a_container(an: Agent) -> None:
    made = await an("POST", "public/", "x", TEXT)
    box = await an("POST", "public/", media=TURTLE, link=CONTAINER, slug="box")
    assert (made.status_code, box.status_code) == (201, 201)
    assert box.headers["location"] == POD + "public/box/"
    assert (await an("GET", made.headers["location"])).text == "x"
    assert LDP + "Container" in links(await an("GET", box.headers["location"]), "type")


@shows("server-post-uri-assignment")
async def test_the_server_chooses_the_name_of_what_is_posted_and_never_a_taken_one(an: Agent) -> None:
    made = await asyncio.gather(*(an("POST", "public/", str(n), TEXT, slug="same") for n in range(8)))
    places = {one.headers["location"] for one in made}
    assert {one.status_code for one in made} == {201}
    assert len(places) == 8 and members(await an("GET", "public/")) == places
    assert {(await an("GET", one)).text for one in places} == {str(n) for n in range(8)}


@shows("server-post-target-not-found")
async def test_post_to_nothing_is_404(an: Agent) -> None:
    assert (await an("POST", "public/none/", "x", TEXT)).status_code == 404


@shows("server-post-slug-auxiliary-resource")
async def test_a_slug_never_names_an_auxiliary(an: Agent) -> None:
    for slug in (".acl", "a.acl", "a.meta", "a.acl.", "a%2Eacl", ".ACL"):
        made = await an("POST", "public/", "x", TEXT, slug=slug)
        assert made.status_code in (201, 403)
        assert not made.headers.get("location", "").lower().endswith((".acl", ".meta"))
    assert (await an("POST", "public/.acl", "x", TEXT)).status_code in (403, 405)


@shows("server-put-patch-auxiliary-resource")
async def test_put_and_patch_make_and_change_auxiliaries(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    told = await an("HEAD", "public/a")
    (described,), (listed_in,) = links(told, "describedby"), links(told, "acl")
    for there, body in ((described, "<a> <p:title> 'A' ."), (listed_in, acl("public/a"))):
        assert (await an("GET", there)).status_code == 404
        assert (await an("PUT", there, body, TURTLE)).status_code in (201, 204)
        before = len(graph(await an("GET", there)))
        assert (await an("PATCH", there, _insert("<#x> <p:more> 1 ."), "text/n3")).status_code in (200, 204)
        assert len(graph(await an("GET", there))) == before + 1


@shows("server-protect-containment")
async def test_what_a_container_contains_is_not_written_by_hand(an: Agent) -> None:
    await an("PUT", "public/d/a", "x", TEXT)
    contains = f"<> <{LDP}contains> <b> ."
    assert (await an("PUT", "public/d/", contains, TURTLE)).status_code == 409
    assert (await an("PUT", "public/e/", contains, TURTLE)).status_code == 409
    for body in (_insert(contains), _insert(f"<> <{LDP}contains> <a> .").replace("inserts", "deletes")):
        assert (await an("PATCH", "public/d/", body, "text/n3")).status_code in (405, 409)
    assert members(await an("GET", "public/d/")) == {POD + "public/d/a"}


@shows("server-protect-contained-resource-metadata")
async def test_what_a_listing_tells_of_members_is_not_written_by_hand(an: Agent) -> None:
    await an("PUT", "public/d/a", "x", TEXT)
    before = (await an("GET", "public/d/")).content
    said = f"<a> <{STAT}size> 99 ; <{MODIFIED}> '2000-01-01' ."
    assert (await an("PUT", "public/d/", said, TURTLE)).status_code == 409
    assert (await an("PATCH", "public/d/", _insert(said), "text/n3")).status_code in (405, 409)
    posted = await an("POST", "public/", said, TURTLE, link=CONTAINER)
    assert posted.status_code in (201, 409)
    assert (await an("GET", "public/d/")).content == before


@shows("server-etag")
async def test_each_representation_of_rdf_has_a_strong_tag_of_its_own(an: Agent) -> None:
    await an("PUT", "public/a", "<> <p:a> 1 .", TURTLE)
    tags = [(await an("GET", "public/a", accept=media)).headers["etag"] for media in (TURTLE, JSON_LD)]
    assert len(set(tags)) == 2 and not any(tag.startswith("W/") for tag in tags)
    again = [(await an("GET", "public/a", accept=media)).headers["etag"] for media in (TURTLE, JSON_LD)]
    assert tags == again


@shows("server-conditional-requests")
async def test_conditions_are_kept_on_every_method(an: Agent) -> None:
    first = (await an("PUT", "public/a", "<> <p:a> 1 .", TURTLE)).headers["etag"]
    assert (await an("PUT", "public/a", "x", TEXT, if_none_match="*")).status_code == 412
    assert (await an("PUT", "public/a", "<> <p:a> 2 .", TURTLE, if_match=first)).status_code == 204
    for method, body, media in (
        ("PUT", "x", TEXT),
        ("DELETE", None, ""),
        ("PATCH", _insert("<> <p:b> 1 ."), "text/n3"),
    ):
        assert (await an(method, "public/a", body, media, if_match=first)).status_code == 412, method
    now = (await an("GET", "public/a", accept=JSON_LD)).headers["etag"]
    assert (await an("PATCH", "public/a", _insert("<> <p:b> 1 ."), "text/n3", if_match=now)).status_code in (200, 204)
    assert (await an("GET", "public/a", if_match=now)).status_code == 412


@shows("server-delete-protect-root-container")
async def test_the_root_and_its_list_are_never_deleted(an: Agent) -> None:
    for path in ("", ".acl"):
        refused = await an("DELETE", path)
        assert refused.status_code == 405
        assert "DELETE" not in listed(refused.headers, "allow") | listed((await an("OPTIONS", path)).headers, "allow")
        assert (await an("GET", path)).status_code == 200


@shows("server-delete-remove-containment")
async def test_what_is_deleted_is_out_of_its_container(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    assert (await an("DELETE", "public/a")).status_code in (200, 204)
    assert members(await an("GET", "public/")) == set()
    assert (await an("GET", "public/a")).status_code == 404


@shows("server-delete-remove-auxiliary-resource")
async def test_auxiliaries_go_with_their_subject(an: Agent, anybody: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    await an("PUT", "public/a.acl", acl("public/a"), TURTLE)
    await an("PUT", "public/a.meta", "<a> <p:title> 'A' .", TURTLE)
    assert (await anybody("GET", "public/a")).status_code == 401
    await an("DELETE", "public/a")
    await an("PUT", "public/a", "y", TEXT)
    assert (await an("GET", "public/a.acl")).status_code == (await an("GET", "public/a.meta")).status_code == 404
    assert (await anybody("GET", "public/a")).text == "y"


@shows("server-delete-remove-empty-container")
async def test_an_empty_container_is_deleted(an: Agent) -> None:
    await an("PUT", "public/d/", media=TURTLE)
    assert (await an("DELETE", "public/d/")).status_code in (200, 204)
    assert (await an("GET", "public/d/")).status_code == 404
    assert members(await an("GET", "public/")) == set()


@shows("server-delete-protect-nonempty-container")
async def test_a_container_with_members_is_not_deleted_and_the_answer_says_why(an: Agent) -> None:
    await an("PUT", "public/d/a", "x", TEXT)
    refused = await an("DELETE", "public/d/")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:kluis:problem:not-empty")
    assert (await an("GET", "public/d/a")).text == "x"


@shows("server-representation-turtle-jsonld")
async def test_rdf_is_read_in_turtle_and_in_json_ld_whichever_it_was_written_in(an: Agent) -> None:
    turtle = '@prefix s: <https://schema.org/> . <#a> s:name "één"@nl ; s:knows [ s:age 7 ] .'
    json_ld = json.dumps({"@id": "#a", "https://schema.org/name": {"@value": "één", "@language": "nl"}})
    await an("PUT", "public/t", turtle, TURTLE)
    posted = await an("POST", "public/", json_ld, JSON_LD, slug="j")
    for path in ("public/t", posted.headers["location"]):
        both = [await an("GET", path, accept=media) for media in (TURTLE, JSON_LD)]
        assert [one.headers["content-type"] for one in both] == [TURTLE, JSON_LD]
        assert isomorphic(*(graph(one) for one in both))
        assert rdflib.Literal("één", lang="nl") in set(graph(both[0]).objects())
    for path in ("", "public/", ".acl"):
        assert (await an("GET", path, accept=JSON_LD)).headers["content-type"] == JSON_LD


@shows("server-ldn")
async def test_anybody_whom_the_inbox_lets_in_leaves_a_notification_and_its_owner_reads_it(an: Agent) -> None:
    (inbox,) = objects(await an("GET", "profile/card"), POD + "profile/card#me", LDP + "inbox")
    assert (await an("PUT", "inbox/.acl", acl("inbox/", PUBLIC + "Append"), TURTLE)).status_code in (201, 204)
    note = json.dumps({"@context": "https://www.w3.org/ns/activitystreams", "type": "Note", "content": "dag"})
    sent = await Agent(an.house)("POST", inbox, note, JSON_LD)
    assert (sent.status_code, sent.headers["location"].startswith(inbox)) == (201, True)
    assert (await Agent(an.house)("GET", inbox)).status_code == 401
    assert sent.headers["location"] in members(await an("GET", inbox, accept=JSON_LD))
    assert JSON_LD in listed((await an("OPTIONS", inbox)).headers, "accept-post") | {
        JSON_LD if "*/*" in listed((await an("OPTIONS", inbox)).headers, "accept-post") else ""
    }


@shows("quota")
async def test_what_is_too_much_is_refused_and_deleting_always_works(an: Agent) -> None:
    an.house.vault.quota = 400_000
    media, half = "application/octet-stream", bytes(200_000)
    assert (await an("PUT", "public/a", half, media)).status_code == 201
    refused = await an("PUT", "public/b", half + half, media)
    assert refused.status_code in (413, 507)
    assert (await an("GET", "public/b")).status_code == 404
    assert (await an("DELETE", "public/a")).status_code == 204
    assert (await an("PUT", "public/b", half, media)).status_code == 201


@shows("server-range-requests")
async def test_parts_of_a_body_are_read_by_range(an: Agent) -> None:
    await an("PUT", "public/a", bytes(range(256)) * 1000, "application/octet-stream")
    part = await an("GET", "public/a", range="bytes=65530-65545")
    assert (part.status_code, part.headers["content-range"]) == (206, "bytes 65530-65545/256000")
    assert part.content == (bytes(range(256)) * 1000)[65530:65546]
    assert (await an("GET", "public/a", range="bytes=-1")).content == b"\xff"
    outside = await an("GET", "public/a", range="bytes=256000-")
    assert (outside.status_code, outside.headers["content-range"]) == (416, "bytes */256000")
    assert (await an("GET", "public/a")).headers["accept-ranges"] == "bytes"


def _insert(statements: str) -> str:
    return (
        "@prefix solid: <http://www.w3.org/ns/solid/terms#> .\n"
        f"_:p a solid:InsertDeletePatch ; solid:inserts {{ {statements.rstrip(' .')} . }} ."
    )


@shows("server-cors")
async def test_any_web_app_may_send_and_read_whatever_the_answer_is(an: Agent, anybody: Agent) -> None:
    origin = "https://app.example"
    asked = await anybody("OPTIONS", "settings/x", origin=origin, access_control_request_method="PUT",
                          access_control_request_headers="content-type, if-match, x-own")  # fmt: skip
    assert asked.status_code in (200, 204)
    assert {"content-type", "if-match", "x-own"} <= {
        h.lower() for h in listed(asked.headers, "access-control-allow-headers")
    }
    assert {"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"} <= listed(asked.headers, "access-control-allow-methods")
    for answer in (await anybody("GET", "settings/", origin=origin), await an("GET", "public/none", origin=origin)):
        assert answer.headers["access-control-allow-origin"] == origin


@shows("server-cors-access-control-headers")
async def test_the_origin_is_repeated_and_named_in_vary_on_errors_too(an: Agent, anybody: Agent) -> None:
    origin = "https://app.example"
    asked = ((an, "GET", "public/"), (anybody, "GET", "settings/"), (an, "GET", "public/%zz"), (an, "PROPFIND", ""))
    for who, method, path in asked:
        answer = await who(method, path, origin=origin)
        assert answer.headers["access-control-allow-origin"] == origin
        assert "Origin" in listed(answer.headers, "vary")


@shows("server-cors-enumerate")
async def test_every_header_of_an_answer_may_be_read_and_each_is_named(an: Agent) -> None:
    await an("PUT", "public/a", "<> <p:a> 1 .", TURTLE)
    for answer in (await an("GET", "public/a"), await an("GET", "public/"), await an("PUT", "public/b", "x", TEXT)):
        shown = {one.lower() for one in listed(answer.headers, "access-control-expose-headers")}
        assert "*" not in shown
        safe = {"cache-control", "content-length", "content-type", "last-modified", "vary", "date"}
        quiet = {"content-security-policy", "cross-origin-resource-policy", "referrer-policy", "x-content-type-options"}
        said = {name.lower() for name in answer.headers if not name.lower().startswith("access-control-")}
        assert said - safe - quiet <= shown


@shows("server-cors-accept-acah")
async def test_accept_is_named_among_the_headers_that_may_be_sent(anybody: Agent) -> None:
    assert "Accept" in listed((await anybody("OPTIONS", "public/")).headers, "access-control-allow-headers")


@shows("server-wac-acp")
async def test_access_is_by_web_access_control(an: Agent, anybody: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    assert (await anybody("GET", "public/a")).status_code == 200
    assert (await an("PUT", "public/a.acl", acl("public/a"), TURTLE)).status_code in (201, 204)
    assert (await anybody("GET", "public/a")).status_code == 401


async def test_the_house_serves_over_the_name_it_has_and_no_other(house: Household) -> None:
    assert await house.raw("GET", b"/pods/an/public/", [(b"host", b"other.example")]) == 421
