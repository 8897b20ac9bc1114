"""PATCH at the real front door: by a Solid app and under a grant, its proof, its entries, and many at once."""

import asyncio

import pytest

from consent import bringback, endings, takeaway
from keys.text import unb64
from tests.conftest import BASE
from tests.house import ALL_INTERESTS, INTERESTS, Household
from vault.unpack import unpack

LIST = "/pods/an/public/list.ttl"
N3 = {"content-type": "text/n3"}
UPDATE = {"content-type": "application/sparql-update"}
HEAD = "@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; "


def insert(n: int = 1) -> bytes:
    return f"{HEAD} solid:inserts {{ <#n> <urn:x:p> {n} }}.".encode()


def delete(n: int = 1) -> bytes:
    return f"{HEAD} solid:deletes {{ <#n> <urn:x:p> {n} }}.".encode()


async def made(house: Household, path: str = LIST) -> str:
    token = await house.jwt()
    put = await house.call("PUT", path, token, {"content-type": "text/turtle"}, b"<#n> <urn:x:p> 0 .")
    assert put.status_code == 201, put.text
    return token


@pytest.mark.parametrize("many", [10, 40])
async def test_every_one_of_many_patches_at_once_is_kept_with_two_entries(house: Household, many: int) -> None:
    token = await made(house)
    before = len(house.told())
    done = await asyncio.gather(*(house.call("PATCH", LIST, token, N3, insert(n + 1)) for n in range(many)))
    assert {answer.status_code for answer in done} == {204}
    kept = await house.call("GET", LIST, token, {"accept": "application/n-triples"})
    assert len(kept.content.splitlines()) == many + 1
    lines = house.told()[before:-1]
    assert [line["action"] for line in lines].count("read") == many
    assert [line["action"] for line in lines].count("append") == many == len(lines) - many
    assert {line["decision"] for line in lines} == {"allowed"}
    assert {line["note"] for line in lines if line["action"] == "read"} == {"patch"}


async def test_a_new_room_at_the_top_is_made_for_a_patch(house: Household) -> None:
    token = await house.jwt()
    answer = await house.call("PATCH", "/pods/an/eigen/a/b", token, N3, insert())
    assert (answer.status_code, answer.headers["location"]) == (201, f"{BASE}/pods/an/eigen/a/b")
    assert (await house.call("GET", "/pods/an/eigen/a/", token)).status_code == 200
    assert (await house.call("GET", "/pods/an/eigen/a/b")).status_code == 401


@pytest.mark.parametrize("path", [LIST, "/pods/an/public/new.ttl", "/pods/an/public/.acl"])
async def test_a_proof_is_good_for_one_patch(house: Household, path: str) -> None:
    token = await made(house)
    good = house.shown("PATCH", path, token) | N3
    answers = await asyncio.gather(*(house.http.patch(path, headers=good, content=insert(n)) for n in range(8)))
    assert sorted(answer.status_code for answer in answers) in ([201] + [401] * 7, [204] + [401] * 7)


async def test_the_root_stays_in_the_control_of_its_citizen(house: Household) -> None:
    token, root = await house.jwt(), "/pods/an/.acl"
    before = (await house.call("GET", root, token)).content
    all_of_it = (
        f"{HEAD} solid:where {{ ?o <http://www.w3.org/ns/auth/acl#mode> <http://www.w3.org/ns/auth/acl#Control> }}; "
    )
    gone = "solid:deletes { ?o <http://www.w3.org/ns/auth/acl#mode> <http://www.w3.org/ns/auth/acl#Control> }."
    answer = await house.call("PATCH", root, token, N3, (all_of_it + gone).encode())
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:kluis:problem:no-control")
    assert (await house.call("GET", root, token)).content == before


async def test_a_solid_token_patches_nothing_that_is_sealed_nor_its_description(house: Household) -> None:
    token = await house.jwt()
    for path in ("/pods/an/interests/a.jsonld", "/pods/an/interests/none", "/pods/an/interests/a.jsonld.meta"):
        for body, action in ((insert(), "append"), (delete(), "write")):
            answer = await house.call("PATCH", path, token, N3, body)
            assert answer.status_code == 403
            assert answer.json()["authorization_details"][0]["actions"] == [action]


async def test_a_grant_patches_no_record_and_no_more_than_its_actions(house: Household) -> None:
    path, kept = "/pods/an/interests/a.jsonld", (await house.grant(ALL_INTERESTS)).access
    before = (await house.call("GET", path, kept)).content
    for data, actions in ((ALL_INTERESTS, ["read"]), (INTERESTS, ["read"]), (ALL_INTERESTS, ["read", "write"])):
        token = (await house.grant(data, actions=actions)).access
        for where in (path, f"{path}.meta"):
            for body in (insert(), delete()):
                answer = await house.call("PATCH", where, token, N3, body)
                assert answer.status_code in (403, 422), answer.text
    assert (await house.call("GET", path, kept)).content == before


async def test_a_withdrawn_grant_patches_nothing(house: Household) -> None:
    token = await made(house)

    assert await endings.withdraw(house.vault, house.session, unb64(house.told()[-1]["grant"]), house.clock())
    assert (await house.call("PATCH", LIST, token, N3, insert())).status_code == 401
    assert b"0" in (await house.call("GET", LIST)).content


async def test_a_description_is_taken_along_and_brought_back_with_what_it_describes(house: Household) -> None:
    token = await made(house)
    title = b"<> <http://purl.org/dc/terms/title> 'x' ."
    put = await house.call("PUT", f"{LIST}.meta", token, {"content-type": "text/turtle"}, title)
    assert put.status_code == 201, put.text
    assert house.told()[-1]["resources"] == ["/public/list.ttl.meta"]
    pieces = await takeaway.everything(house.vault, house.session, house.clock())
    found = unpack(b"".join([piece async for piece in pieces]))
    assert found.pieces[-1].path == "/public/list.ttl.meta"
    assert (await house.call("DELETE", LIST, token)).status_code == 204
    assert (await house.call("GET", f"{LIST}.meta")).status_code == 404
    assert (await bringback.back(house.vault, house.session, found, house.clock())).stored == 2
    assert (await house.call("GET", f"{LIST}.meta")).content == title  # public, as what it describes
