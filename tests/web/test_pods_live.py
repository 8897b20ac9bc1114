"""Pods over HTTP, with the real vault behind the real front door: Solid for programs, grants for apps, nothing else."""

import asyncio
import json

import pytest

from consent import endings
from keys.sign import new_es256
from keys.text import unb64
from tests.conftest import BASE
from tests.house import ALL_INTERESTS, INTERESTS, Household
from vault.tables import Resource

NOTES = "/pods/an/public/notes.txt"
CARD = "/pods/an/profile/card"
INTEREST = "/pods/an/interests/a.jsonld"
TEXT = {"content-type": "text/plain"}
TURTLE = {"content-type": "text/turtle"}
BAD_PATHS = (
    b"/pods/an/public/%2e%2e/loans/a.jsonld", b"/pods/an/public/../loans/a.jsonld", b"/pods/an/public/..%2floans%2fa",
    b"/pods/an/public/%252e%252e/loans/", b"/pods/an/public/a%5cb", b"/pods/an/public/a\\b", b"/pods/an/public/%00",
    b"/pods/an/public/%c0%ae%c0%ae/", b"/pods/an/public/\xff", b"/pods/an/public/%ff", b"/pods/an//public/",
    b"/pods/an/public/%zz", b"/pods/an/public/%", b"/pods/an/public/a\x01b", "/pods/an/public／x".encode(),
    b"/pods/an/" + b"a/" * 4000, b"/pods/an/" + b"a" * 70_000, b"/pods/an", b"/pods/", b"/pods//", b"/pods/AN/",
    b"/pods/..%2foffice/", b"/pods/office/dpo/", b"/pods/an/public/.acl.acl", b"/pods/an/public/x.ACL",
    b"/pods/an/.meta/x",
    b"/pods/desk%2fabc/", "/pods/an/public/e\u0301".encode(), b"/pods/an/public/\xe2\x80\xa8${jndi:x}",
)  # fmt: skip
REFUSALS = (400, 401, 403, 404, 405, 409, 414)


async def size(house: Household) -> int:
    await house.quiet()
    return house.vault.log.ledger.tree.size


async def test_every_method_on_a_text_with_client_credentials(house: Household) -> None:
    token = await house.jwt()
    made = await house.call("PUT", NOTES, token, TEXT, b"een")
    assert (made.status_code, made.headers["location"]) == (201, BASE + NOTES)
    assert int(made.headers["kluis-entry"]) == await size(house) - 1
    read = await house.call("GET", NOTES, token)
    assert (read.status_code, read.content, read.headers["content-type"]) == (200, b"een", "text/plain")
    assert int(read.headers["kluis-entry"]) == await size(house) - 1
    assert read.headers["etag"] == made.headers["etag"]
    assert read.headers["wac-allow"].startswith('user="read write append control",public="read"')
    assert (read.headers["x-content-type-options"], read.headers["content-security-policy"]) == ("nosniff", "sandbox")
    assert read.headers["cache-control"] == "private, no-store"
    head = await house.call("HEAD", NOTES, token)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "3")
    again = await house.call("PUT", NOTES, token, TEXT, b"twee")
    assert (again.status_code, again.headers["etag"] != made.headers["etag"]) == (204, True)
    options = await house.call("OPTIONS", NOTES)
    assert options.status_code == 204
    assert {"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} == set(options.headers["allow"].split(", "))
    posted = await house.call("POST", "/pods/an/public/", token, TEXT | {"slug": "brief.txt"}, b"drie")
    assert (posted.status_code, posted.headers["location"]) == (201, f"{BASE}/pods/an/public/brief.txt")
    assert (await house.call("DELETE", NOTES, token)).status_code == 204
    assert (await house.call("GET", NOTES, token)).status_code == 404
    assert (await house.call("TRACE", NOTES, token)).status_code == 405
    lines = [line for line in house.told() if line["rule"] == "wac"]
    assert all(line["purpose"] and line["grant"] and line["client_name"] == "Laptop" for line in lines)
    said = [line["action"] for line in lines]
    assert said == ["write", "read", "read", "write", "append", "delete", "read"]


@pytest.mark.parametrize("body", [b"", bytes(range(256)) * 300, b"\x89PNG\r\n\x1a\n" + bytes(70_000)], ids=len)
async def test_a_binary_comes_back_byte_for_byte(house: Household, body: bytes) -> None:
    token = await house.jwt()
    put = await house.call("PUT", "/pods/an/inbox/a.bin", token, {"content-type": "application/octet-stream"}, body)
    assert put.status_code == 201, put.text
    read = await house.call("GET", "/pods/an/inbox/a.bin", token)
    assert (read.content, read.headers["content-type"]) == (body, "application/octet-stream")


async def test_turtle_and_json_ld_are_two_views_of_one_resource(house: Household) -> None:
    token, path = await house.jwt(), "/pods/an/public/me.ttl"
    turtle = b'@prefix s: <https://schema.org/>.\n<#it> s:name "Jazz"@nl; s:about <https://example.org/jazz>.\n'
    assert (await house.call("PUT", path, token, TURTLE, turtle)).status_code == 201
    read = await house.call("GET", path, token)
    assert (read.content, read.headers["content-type"]) == (turtle, "text/turtle")
    other = await house.call("GET", path, token, {"accept": "application/ld+json"})
    assert other.headers["content-type"] == "application/ld+json"
    node = json.loads(other.content)
    assert f"{BASE}{path}#it" in json.dumps(node) and "Jazz" in json.dumps(node)
    assert other.headers["etag"] != read.headers["etag"]
    back = await house.call(
        "PUT", "/pods/an/public/me.jsonld", token, {"content-type": "application/ld+json"}, other.content
    )
    assert back.status_code == 201, back.text
    assert b"Jazz" in (await house.call("GET", "/pods/an/public/me.jsonld", token, {"accept": "text/turtle"})).content
    assert (await house.call("GET", path, token, {"accept": "image/png"})).status_code == 406
    broken = await house.call("PUT", "/pods/an/public/broken.ttl", token, TURTLE, b"<a> <b>")
    assert (broken.status_code, broken.json()["type"]) == (400, "urn:kluis:problem:bad-rdf")
    assert (await house.call("GET", "/pods/an/public/broken.ttl", token)).status_code == 404
    bare = await house.call("PUT", "/pods/an/public/bare", token, {}, b"x")
    assert bare.status_code == 400


async def test_preconditions_keep_two_writers_apart(house: Household) -> None:
    token = await house.jwt()
    first = (await house.call("PUT", NOTES, token, TEXT, b"een")).headers["etag"]
    assert (await house.call("PUT", NOTES, token, TEXT | {"if-none-match": "*"}, b"twee")).status_code == 412
    assert (await house.call("GET", NOTES, token, {"if-none-match": first})).status_code == 304
    second = await house.call("PUT", NOTES, token, TEXT | {"if-match": first}, b"twee")
    assert second.status_code == 204
    stale = await house.call("PUT", NOTES, token, TEXT | {"if-match": first}, b"drie")
    assert (stale.status_code, (await house.call("GET", NOTES, token)).content) == (412, b"twee")
    assert (await house.call("DELETE", NOTES, token, {"if-match": first})).status_code == 412
    tag = second.headers["etag"]
    raced = [house.call("PUT", NOTES, token, TEXT | {"if-match": tag}, str(n).encode()) for n in range(8)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*raced)) == [204] + [412] * 7
    fresh = [house.call("PUT", "/pods/an/public/new", token, TEXT | {"if-none-match": "*"}, b"x") for _ in range(8)]
    assert sorted(answer.status_code for answer in await asyncio.gather(*fresh)) == [201] + [412] * 7


async def test_containers_list_what_lies_in_them(house: Household) -> None:
    token = await house.jwt()
    assert (await house.call("PUT", "/pods/an/public/a/b/c.txt", token, TEXT, b"diep")).status_code == 201
    made = await house.call("PUT", "/pods/an/public/leeg/", token)
    assert made.status_code == 201, made.text
    listing = await house.call("GET", "/pods/an/public/", token)
    assert listing.headers["content-type"] == "text/turtle"
    for member in ("a/", "leeg/"):
        assert member in listing.text
    assert "c.txt" in (await house.call("GET", "/pods/an/public/a/b/", token)).text
    assert (await house.call("DELETE", "/pods/an/public/a/b/", token)).status_code == 409
    assert (await house.call("PUT", "/pods/an/public/a/b", token, TEXT, b"x")).status_code == 409
    root = await house.call("GET", "/pods/an/", token)
    assert root.status_code == 200 and "public/" in root.text
    assert "a.jsonld" not in root.text


async def test_a_new_container_at_the_top_is_managed_and_private(house: Household) -> None:
    token = await house.jwt()
    made = await house.call("PUT", "/pods/an/eigen/lijst.txt", token, TEXT, b"een nieuwe map")
    assert made.status_code == 201, made.text
    assert (await house.call("GET", "/pods/an/eigen/lijst.txt", token)).content == b"een nieuwe map"
    assert (await house.call("GET", "/pods/an/eigen/lijst.txt")).status_code == 401


async def test_the_card_is_for_everybody_and_each_reading_of_it_is_logged(house: Household) -> None:
    before = await size(house)
    card = await house.call("GET", CARD)
    assert card.status_code == 200 and "oidcIssuer" in card.text
    assert "An Peeters" not in card.text
    assert await size(house) == before + 1 == int(card.headers["kluis-entry"]) + 1
    line = house.told()[-1]
    assert (line["type"], line["rule"], line["resources"]) == ("access", "public", ["/profile/card"])
    assert (await house.call("PUT", CARD, headers=TURTLE, content=b"")).status_code == 401


async def test_sealed_compartments_are_closed_to_solid_tokens_which_are_told_what_to_ask_for(house: Household) -> None:
    token = await house.jwt()
    for path in (INTEREST, "/pods/an/interests/", "/pods/an/interests/nothing", "/pods/an/interests/a.jsonld/x"):
        refused = await house.call("GET", path, token)
        assert refused.status_code == 403
        assert refused.json()["authorization_details"] == [
            {"type": "urn:kluis:rar:pod-access:1", "actions": ["read"], "datatypes": [{"category": "pd:Interest"}]}
        ]
    assert (await house.call("PUT", INTEREST, token, TEXT, b"x")).status_code == 403
    line = house.told()[-1]
    assert (line["type"], line["decision"], line["category"]) == ("denial", "denied", "pd:Interest")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"])
async def test_without_credentials_what_exists_and_what_does_not_answers_the_same(
    house: Household, method: str
) -> None:
    answers = {}
    for path in (INTEREST, "/pods/an/interests/nothing", "/pods/an/loans/", "/pods/an/settings/prefs.ttl",
                 "/pods/an/settings/nothing", "/pods/nobody/settings/nothing", "/pods/an/profile/.acl"):  # fmt: skip
        if method == "POST" and not path.endswith("/"):
            continue
        answer = await house.call(method, path, headers=TEXT, content=b"x" if method[0] == "P" else None)
        kept = {
            k: v
            for k, v in answer.headers.items()
            if k not in ("link", "allow", "accept-put", "accept-post", "accept-patch")
        }
        answers[path] = (answer.status_code, answer.content, tuple(kept.items()))
    if method not in ("GET", "HEAD"):
        answers.pop("/pods/an/profile/.acl", None)  # not a method for a list, whoever asks
    assert len(set(answers.values())) == 1, answers
    assert next(iter(answers.values()))[0] == 401


async def test_a_grant_with_fields_shows_those_fields_only_by_whatever_door(house: Household) -> None:
    await house.keep(
        "/interests/b.jsonld", {"@type": "pd:Interest", "schema:about": ["opera"], "schema:name": "nog geheimer"}
    )
    narrow, whole = await house.grant(INTERESTS), await house.grant(ALL_INTERESTS)
    for path in (INTEREST, "/pods/an/interests/b.jsonld", "/api/records?category=pd:Interest"):
        answer = await house.call("GET", path, narrow.access)
        assert answer.status_code == 200, answer.text
        assert "geheim" not in answer.text and "schema:about" in answer.text
    assert "geheim" in (await house.call("GET", INTEREST, whole.access)).text
    turtle = await house.call("GET", INTEREST, narrow.access, {"accept": "text/turtle"})
    assert "geheim" not in turtle.text
    tags = [(await house.call("GET", INTEREST, one.access)).headers["etag"] for one in (narrow, whole)]
    assert tags[0] != tags[1]
    for method, path in (("GET", "/pods/an/loans/a.jsonld"), ("GET", "/pods/an/loans/"), ("GET", "/pods/an/public/"),
                         ("PUT", INTEREST), ("DELETE", INTEREST), ("GET", "/pods/an/interests/.acl")):  # fmt: skip
        assert (await house.call(method, path, whole.access, TEXT)).status_code == 403, (method, path)
    assert (await house.call("GET", "/pods/nobody/interests/", whole.access)).status_code == 403
    listing = await house.call("GET", "/pods/an/interests/", whole.access)
    assert listing.status_code == 200 and "b.jsonld" in listing.text


@pytest.mark.parametrize("kind", ["grant", "solid"])
async def test_a_proof_is_good_once_and_for_this_very_request(house: Household, kind: str) -> None:
    token = (await house.grant(ALL_INTERESTS)).access if kind == "grant" else await house.jwt()
    path = INTEREST if kind == "grant" else CARD
    good = house.shown("GET", path, token)
    answers = await asyncio.gather(*(house.http.get(path, headers=good) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    refused = next(answer for answer in answers if answer.status_code == 401)
    assert refused.json()["type"] == "urn:kluis:problem:invalid_dpop_proof"
    assert refused.headers["www-authenticate"].startswith("DPoP ")
    at = int(house.clock().timestamp())
    wrong = (
        {"htm": "POST"}, {"htu": BASE + "/pods/an/public/"}, {"htu": f"https://evil.example{path}"}, {"ath": "x"},
        {"iat": at - 61}, {"iat": at + 61}, {"iat": None}, {"jti": None}, {"key": new_es256()},
        *([{"ath": None}] if kind == "grant" else []),  # a Solid client of today sends none (docs/decisions/0029)
    )  # fmt: skip
    for changes in wrong:
        answer = await house.http.get(path, headers=house.shown("GET", path, token, **changes))
        assert answer.status_code == 401, changes
        assert "jazz" not in answer.text
    bare = await house.http.get(path, headers={"authorization": f"DPoP {token}"})
    bearer = await house.http.get(path, headers={"authorization": f"Bearer {token}"})
    assert (bare.status_code, bearer.status_code) == (401, 401)
    assert (await house.call("GET", path, token)).status_code == 200


async def test_a_withdrawn_grants_token_is_useless_at_once_and_its_use_is_logged(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    assert (await house.call("GET", INTEREST, granted.access)).status_code == 200
    await house.withdraw(granted)
    before = await size(house)
    for path in (INTEREST, "/pods/an/interests/", "/api/records?category=pd:Interest"):
        assert (await house.call("GET", path, granted.access)).status_code == 401
    assert await size(house) == before + 3
    line = house.told()[-1]
    assert (line["type"], line["decision"], line["client"], line["rule"]) == (
        "denial",
        "denied",
        "cultuurgids",
        "withdrawn",
    )


async def test_a_withdrawn_credentials_jwt_is_refused_though_its_signature_still_holds(house: Household) -> None:
    token = await house.jwt()
    assert (await house.call("PUT", NOTES, token, TEXT, b"een")).status_code == 201
    grant = house.told()[-1]["grant"]
    assert await endings.withdraw(house.vault, house.session, unb64(grant), house.clock())
    before = await size(house)
    assert (await house.call("GET", NOTES, token)).status_code == 401
    assert (await house.call("PUT", NOTES, token, TEXT, b"twee")).status_code == 401
    assert await size(house) == before + 2
    assert (await house.call("GET", NOTES)).content == b"een"


async def test_a_token_ends_with_its_minutes_however_lately_it_was_used(house: Household) -> None:
    granted, token = await house.grant(ALL_INTERESTS), await house.jwt()
    house.clock.forward(seconds=299)
    assert (await house.call("GET", INTEREST, granted.access)).status_code == 200
    assert (await house.call("GET", CARD, token)).status_code == 200
    house.clock.forward(seconds=1)
    assert (await house.call("GET", INTEREST, granted.access)).status_code == 401
    assert (await house.call("GET", CARD, token)).status_code == 401


@pytest.mark.parametrize(
    "forged", ["", "x", "kat1_", "kat1_" + "A" * 22 + "." + "A" * 43, "ey.ey.ey", "eyJhbGciOiJub25lIn0.e30."]
)
async def test_a_forged_token_opens_nothing(house: Household, forged: str) -> None:
    for path in (INTEREST, CARD):
        headers = {"authorization": f"DPoP {forged}", "dpop": house.proof("GET", path, forged)}
        assert (await house.http.get(path, headers=headers)).status_code == 401


async def test_no_path_however_spelled_leads_elsewhere_or_to_a_server_error(house: Household) -> None:
    token, pod = await house.jwt(), house.session.pod
    outside = [row for row in house.vault.db.read.find(Resource) if row.compartment != pod.compartment("public")]
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"):
        for path in BAD_PATHS:
            shown = house.shown(method, path.decode("latin-1"), token).items() if path.isascii() else ()
            headers = [(k.encode(), v.encode()) for k, v in (*shown, ("content-type", "text/plain"))]
            status = await house.raw(method, path, headers)
            assert 200 <= status < 500, (method, path[:60], status)
            allowed = method == "OPTIONS" or path.startswith(b"/pods/an/public/")
            assert status in REFUSALS or allowed, (method, path[:60], status)
    kept = [row for row in house.vault.db.read.find(Resource) if row.compartment != pod.compartment("public")]
    assert kept == outside  # what was taken for a name in public/ stayed there
    assert await house.raw("GET", b"/pods/an/profile/card", [(b"host", b"evil.example")]) == 421
    assert await house.raw("GET", b"/pods/an/%70rofile/car%64") == 200  # another spelling of the same name


async def test_a_stranger_cannot_tell_from_an_almost_too_long_name_whether_it_is_taken(house: Household) -> None:
    above = "/pods/an/public/" + ("a" * 200 + "/") * 9 + "b" * 130 + "/"
    slug = "c" * (2048 - len(above))  # with the eight characters that a taken name gets it would be too long
    assert 0 < len(slug) <= 100
    headers = TEXT | {"slug": slug}
    free = await house.call("POST", above, headers=headers, content=b"x")
    made = await house.call("PUT", above + slug, await house.jwt(), TEXT, b"x")
    assert made.status_code == 201, made.text
    taken = await house.call("POST", above, headers=headers, content=b"x")
    assert (taken.status_code, taken.content) == (free.status_code, free.content)
