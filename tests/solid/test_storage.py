"""Storages, their description and owner, and what HTTP itself asks (Solid Protocol 2 to 4)."""

import json

from tests.conftest import BASE
from tests.house import Household
from tests.solid.client import (
    LDP,
    ME,
    PIM,
    POD,
    SOLID,
    STORAGE_DESCRIPTION,
    TEXT,
    TURTLE,
    Agent,
    has,
    links,
    listed,
    members,
)
from tests.solid.requirements import shows

TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


@shows("server-http")
async def test_methods_statuses_and_headers_are_those_of_http(an: Agent) -> None:
    made = await an("PUT", "public/a", "x", TEXT)
    assert (made.status_code, made.headers["location"]) == (201, POD + "public/a")
    got, head = await an("GET", "public/a"), await an("HEAD", "public/a")
    assert (got.text, head.content, head.headers["content-length"]) == ("x", b"", "1")
    assert (got.headers["etag"], got.headers["last-modified"]) == (head.headers["etag"], head.headers["last-modified"])
    assert (await an("GET", "public/a", if_none_match=got.headers["etag"])).status_code == 304
    assert "no-store" in got.headers["cache-control"]


@shows("server-unauthenticated")
async def test_without_valid_credentials_it_is_401_with_a_challenge(anybody: Agent) -> None:
    for forged in (anybody, Agent(anybody.house, "ey.ey.ey")):
        for path in ("settings/", "settings/prefs.ttl", "settings/nothing"):
            answer = await forged("GET", path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("DPoP ")


@shows("server-content-type-includes")
async def test_every_answer_with_a_body_says_its_type(an: Agent, anybody: Agent) -> None:
    await an("PUT", "public/a", "x", "image/png")
    paths = {"public/a": "image/png", "public/": TURTLE, "profile/card": TURTLE, ".acl": TURTLE}
    for path, media in paths.items():
        assert (await an("GET", path)).headers["content-type"].startswith(media)
    for refused in (await anybody("GET", "settings/"), await an("GET", "public/none"), await an("POST", "public/a")):
        assert refused.headers["content-type"] == "application/problem+json"


@shows("server-content-type-missing")
async def test_a_body_without_a_type_is_400(an: Agent) -> None:
    await an("PUT", "public/a", "<> <p:a> 1 .", TURTLE)
    for method, path in (("PUT", "public/a"), ("PUT", "public/b"), ("POST", "public/"), ("PATCH", "public/a")):
        assert (await an(method, path, "x")).status_code == 400, method
    assert (await an("GET", "public/b")).status_code == 404


@shows("server-uri-trailing-slash-distinct")
async def test_a_name_with_and_without_slash_is_never_two_resources(an: Agent, anybody: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    await an("PUT", "public/b/", media=TURTLE)
    for taken in ("public/a/", "public/b", "public/a/c"):
        assert (await an("PUT", taken, "", TURTLE)).status_code == 409
        assert (await an("GET", taken)).status_code in (301, 404)
    await an("PUT", "settings/a", "x", TEXT)
    assert [(await anybody("GET", path)).status_code for path in ("settings/a", "settings/a/")] == [401, 401]


@shows("server-storage")
async def test_a_storage_is_the_root_container_of_all_that_is_in_it(an: Agent) -> None:
    await an("PUT", "box/a/b.txt", "x", TEXT)
    assert POD + "box/" in members(await an("GET", ""))
    assert members(await an("GET", "box/")) == {POD + "box/a/"}
    assert members(await an("GET", "box/a/")) == {POD + "box/a/b.txt"}


@shows("server-storage-nonoverlapping")
async def test_storages_share_no_name(an: Agent, bram: Agent) -> None:
    await an("PUT", "public/a", "an", TEXT)
    await bram("PUT", "/pods/bram/public/a", "bram", TEXT)
    assert (await an("GET", "public/a")).text == "an"
    assert (await bram("GET", "/pods/bram/public/a")).text == "bram"
    for within in ("/pods/an/pods/bram/", "/pods/an/bram/", "/pods/"):
        assert PIM + "Storage" not in links(await an("GET", within), "type")


@shows("server-link-storage")
async def test_the_root_and_nothing_else_says_it_is_a_storage(an: Agent) -> None:
    for method in ("GET", "HEAD"):
        assert PIM + "Storage" in links(await an(method, ""), "type")
        assert PIM + "Storage" not in links(await an(method, "public/"), "type")


@shows("server-storage-description")
async def test_every_resource_names_the_description_of_its_storage(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    for method in ("GET", "HEAD", "OPTIONS"):
        for path in ("", "public/", "public/a", ".acl"):
            assert len(links(await an(method, path), STORAGE_DESCRIPTION)) == 1, (method, path)


@shows("server-storage-description-resource")
async def test_the_description_of_a_storage_is_rdf_about_it(anybody: Agent) -> None:
    (there,) = links(await anybody("OPTIONS", "public/"), STORAGE_DESCRIPTION)
    for media in (TURTLE, "application/ld+json"):
        assert has(await anybody("GET", there, accept=media), POD, TYPE, PIM + "Storage")


@shows("server-storage-track-owner")
async def test_a_storage_has_an_owner_whatever_its_lists_say(an: Agent, anybody: Agent) -> None:
    lists = f"<#x> a <http://www.w3.org/ns/auth/acl#Authorization> ; <http://www.w3.org/ns/auth/acl#agent> <{ME}> ."
    assert (await an("PUT", ".acl", lists, TURTLE)).status_code == 409
    (there,) = links(await anybody("OPTIONS", ""), STORAGE_DESCRIPTION)
    assert has(await anybody("GET", there), POD, SOLID + "owner", ME)


@shows("server-storage-link-owner")
async def test_the_root_names_its_owner(an: Agent) -> None:
    for method in ("GET", "HEAD"):
        assert links(await an(method, ""), SOLID + "owner") == {ME}


@shows("server-method-not-allowed")
async def test_a_method_that_a_resource_does_not_have_is_405_and_says_which_it_has(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    for method, path in (("POST", "public/a"), ("DELETE", ""), ("PROPFIND", "public/"), ("PUT", ".well-known/solid")):
        answer = await an(method, path)
        assert answer.status_code == 405, (method, path)
        assert method not in listed(answer.headers, "allow")
        assert {"GET", "HEAD", "OPTIONS"} <= listed(answer.headers, "allow")


@shows("server-safe-methods")
async def test_get_head_and_options_are_for_every_resource(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    for path in ("", "public/", "public/a", ".acl", "profile/card", ".well-known/solid"):
        for method in ("GET", "HEAD", "OPTIONS"):
            assert (await an(method, path)).status_code in (200, 204), (method, path)


@shows("server-allow-methods")
async def test_the_methods_of_a_resource_are_told(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert listed((await an(method, "public/a")).headers, "allow") >= {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
        assert "POST" in listed((await an(method, "public/")).headers, "allow")


@shows("server-accept-headers")
async def test_what_may_be_sent_is_told(an: Agent) -> None:
    await an("PUT", "public/a", "<> <p:a> 1 .", TURTLE)
    for method in ("GET", "HEAD", "OPTIONS"):
        resource, container = (await an(method, "public/a")).headers, (await an(method, "public/")).headers
        assert listed(resource, "accept-put") and listed(container, "accept-post")
        assert "text/n3" in listed(resource, "accept-patch")


@shows("server-options-asterisk")
async def test_options_of_the_whole_server_is_answered(house: Household) -> None:
    assert await house.raw("OPTIONS", b"*") in (200, 204)


@shows("well-known-solid")
async def test_the_well_known_address_of_the_house_leads_clients_on(house: Household) -> None:
    told = await house.http.get("/.well-known/solid", headers={"accept": "application/ld+json"})
    assert told.status_code == 200
    assert "notificationGateway" in json.dumps(told.json())
    assert BASE in json.dumps(told.json())


@shows("server-basic-container")
async def test_a_container_says_so_and_lists_its_members(an: Agent) -> None:
    await an("PUT", "public/a", "x", TEXT)
    answer = await an("GET", "public/")
    assert LDP + "BasicContainer" in links(answer, "type")
    assert has(answer, POD + "public/", TYPE, LDP + "BasicContainer")
    assert has(answer, POD + "public/", LDP + "contains", POD + "public/a")
