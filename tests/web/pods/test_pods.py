"""The pods over HTTP: reading, writing, tags, lists; a real vault, a real gate."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from consent import gate
from consent.call import Admission
from consent.terms import Datum
from tests.conftest import Clock
from tests.web.pods.client import CARD, OWNER, ROOT, Client, entries
from vault.vault import Vault
from web import podcall


async def test_a_public_resource_is_read_by_anybody_and_logged(ask: Client, vault: Vault) -> None:
    before = entries(vault)
    answer = await ask("GET", "profile/card")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, CARD, "text/turtle")
    assert answer.headers["wac-allow"] == 'user="read",public="read"'
    assert entries(vault) == before + 1
    assert int(answer.headers["kluis-entry"]) == before


async def test_head_says_what_get_says_without_the_body(ask: Client) -> None:
    got, head = await ask("GET", "profile/card"), await ask("HEAD", "profile/card")
    assert head.body == b""
    assert {**head.headers, "kluis-entry": ""} == {**got.headers, "kluis-entry": ""}
    assert head.headers["content-length"] == str(len(CARD))


async def test_turtle_is_read_as_json_ld_and_the_tags_differ(ask: Client) -> None:
    turtle = await ask("GET", "profile/card")
    json_ld = await ask("GET", "profile/card", accept="application/ld+json")
    assert json.loads(json_ld.body)[0]["@id"] == OWNER
    assert json_ld.headers["etag"] != turtle.headers["etag"]
    assert (await ask("GET", "profile/card", accept="image/png")).status == 406


async def test_what_was_put_is_got_byte_by_byte(ask: Client) -> None:
    body = bytes(range(256)) * 1000
    put = await ask("PUT", "public/a/b/pic.png", body, content_type="image/png")
    assert (put.status, put.headers["location"]) == (201, f"{ROOT}/public/a/b/pic.png")
    got = await ask("GET", "public/a/b/pic.png")
    assert (got.status, got.body, got.headers["etag"]) == (200, body, put.headers["etag"])
    assert f"<{ROOT}/public/a/b/>" in (await ask("GET", "public/a/")).body.decode()


async def test_a_second_put_replaces_and_gets_another_tag(ask: Client) -> None:
    first = await ask("PUT", "public/a", b"one", content_type="text/plain")
    second = await ask("PUT", "public/a", b"two", content_type="text/plain")
    assert (first.status, second.status) == (201, 204)
    assert first.headers["etag"] != second.headers["etag"]
    assert (await ask("GET", "public/a")).body == b"two"


async def test_no_update_is_lost_behind_a_tag(ask: Client, vault: Vault) -> None:
    first = await ask("PUT", "public/a", b"one", content_type="text/plain")
    await ask("PUT", "public/a", b"two", content_type="text/plain", if_match=first.headers["etag"])
    before = entries(vault)
    late = await ask("PUT", "public/a", b"late", content_type="text/plain", if_match=first.headers["etag"])
    assert (late.status, late.kind) == (412, "precondition")
    assert entries(vault) == before + 1
    assert (await ask("DELETE", "public/a", if_match=first.headers["etag"])).status == 412
    assert (await ask("GET", "public/a")).body == b"two"


async def test_a_tag_of_any_representation_names_the_version(ask: Client) -> None:
    await ask("PUT", "public/a", b"<> <p:a> <p:b> .", content_type="text/turtle")
    tag = (await ask("GET", "public/a", accept="application/ld+json")).headers["etag"]
    assert (await ask("PUT", "public/a", b"<> <p:a> <p:c> .", content_type="text/turtle", if_match=tag)).status == 204


async def test_create_only_creates_once(ask: Client) -> None:
    put = [await ask("PUT", "public/a", b"x", content_type="text/plain", if_none_match="*") for _ in range(2)]
    assert [answer.status for answer in put] == [201, 412]
    racing = [ask("PUT", "public/r", b"x", content_type="text/plain", if_none_match="*") for _ in range(16)]
    assert sorted(a.status for a in await asyncio.gather(*racing)) == [201] + [412] * 15


async def test_an_unchanged_representation_is_not_sent_again_but_logged(ask: Client, vault: Vault) -> None:
    tag = (await ask("GET", "profile/card")).headers["etag"]
    before = entries(vault)
    again = await ask("GET", "profile/card", if_none_match=tag)
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert entries(vault) == before + 1
    assert (await ask("GET", "profile/card", if_none_match=tag, accept="application/ld+json")).status == 200


async def test_a_version_never_returns_after_a_delete(ask: Client) -> None:
    first = await ask("PUT", "public/a", b"x", content_type="text/plain")
    assert (await ask("DELETE", "public/a")).status == 204
    assert (await ask("GET", "public/a")).status == 404
    assert (await ask("DELETE", "public/a")).status == 404
    second = await ask("PUT", "public/a", b"x", content_type="text/plain")
    assert (second.status, second.headers["etag"] != first.headers["etag"]) == (201, True)


async def test_a_listing_changes_its_tag_with_its_members(ask: Client) -> None:
    before = (await ask("GET", "public/")).headers["etag"]
    await ask("PUT", "public/a", b"x", content_type="text/plain")
    after = await ask("GET", "public/")
    assert after.headers["etag"] != before
    assert "posix/stat#" in after.body.decode()
    assert "media-types/text/plain#Resource" in after.body.decode()


async def test_a_new_container_at_the_top_is_for_who_may_write_there(ask: Client) -> None:
    assert [(await ask("PUT", path, b"", content_type="text/plain")).status for path in ("own/a", "own/")] == [401, 401]


async def test_a_full_container_is_not_deleted(ask: Client) -> None:
    await ask("PUT", "public/d/a", b"x", content_type="text/plain")
    full = await ask("DELETE", "public/d/")
    assert (full.status, full.kind) == (409, "not-empty")
    assert (await ask("DELETE", "public/d/a")).status == (await ask("DELETE", "public/d/")).status == 204


async def test_post_gives_a_new_name_near_the_slug(ask: Client) -> None:
    first, second = [await ask("POST", "public/", b"x", content_type="text/plain", slug="note") for _ in range(2)]
    assert (first.status, first.headers["location"]) == (201, f"{ROOT}/public/note")
    assert second.headers["location"].startswith(f"{ROOT}/public/note-")
    hidden = await ask("POST", "public/", b"x", content_type="text/plain", slug="../x.acl")
    assert hidden.headers["location"] == f"{ROOT}/public/x"


async def test_post_with_the_container_link_makes_a_container(ask: Client) -> None:
    link = '<http://www.w3.org/ns/ldp#BasicContainer>; rel="type"'
    made = await ask("POST", "public/", link=link, slug="box")
    assert (made.status, made.headers["location"]) == (201, f"{ROOT}/public/box/")
    assert (await ask("GET", "public/box/")).status == 200


async def test_post_into_nothing_is_404_and_into_a_resource_405(ask: Client) -> None:
    assert (await ask("POST", "public/none/", b"x", content_type="text/plain")).status == 404
    assert (await ask("POST", "public/a", b"x", content_type="text/plain")).status == 405


async def test_who_may_only_append_may_post_but_neither_read_nor_replace(ask: Client) -> None:
    posted = await ask("POST", "inbox/", b'{"p:a": "b"}', content_type="application/ld+json", slug="m")
    assert posted.status == 201
    for method in ("GET", "PUT", "DELETE"):
        assert (await ask(method, "inbox/m", b"", content_type="text/plain")).status == 401
    assert (await ask("PUT", "inbox/new", b"", content_type="text/plain")).status == 401


async def test_an_existing_container_is_not_written_by_hand(ask: Client) -> None:
    assert (await ask("PUT", "public/box/")).status == 201
    assert (await ask("PUT", "public/box/")).status == 409
    assert (await ask("PUT", "public/box/", if_none_match="*")).status == 412
    contained = b"<> <http://www.w3.org/ns/ldp#contains> <x> ."
    refused = await ask("PUT", "public/other/", contained, content_type="text/turtle")
    assert (refused.status, refused.kind) == (409, "containment")
    assert (await ask("GET", "public/other/")).status == 404


async def test_a_name_exists_with_or_without_slash_never_both(ask: Client) -> None:
    await ask("PUT", "public/a", b"x", content_type="text/plain")
    for path in ("public/a/", "public/a/b", "public/a/b/c"):
        refused = await ask("PUT", path, b"", content_type="text/plain")
        assert (refused.status, refused.kind) == (409, "slash")
    await ask("PUT", "public/b/", b"")
    assert (await ask("PUT", "public/b", b"x", content_type="text/plain")).status == 409


async def test_a_list_is_shown_to_who_may_control_and_logged(ask: Client, vault: Vault) -> None:
    before = entries(vault)
    shown = await ask("GET", "public/.acl")
    assert (shown.status, shown.headers["content-type"]) == (200, "text/turtle")
    assert b"acl:agent" in shown.body
    assert entries(vault) == before + 1
    await ask("PUT", "public/a", b"x", content_type="text/plain")
    assert (await ask("GET", "public/a.acl")).status == 404
    assert (await ask("GET", "profile/.acl")).status == 401
    assert (await ask("GET", ".acl")).status == 401


OPEN = b"""@prefix acl: <http://www.w3.org/ns/auth/acl#> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
<#all> a acl:Authorization ; acl:agentClass foaf:Agent ; acl:accessTo <./a> ; acl:mode acl:Read, acl:Control .
"""


async def test_a_list_is_replaced_and_removed_by_who_may_control_and_counts_at_once(ask: Client, vault: Vault) -> None:
    await ask("PUT", "public/a", b"x", content_type="text/plain")
    before = entries(vault)
    assert (await ask("PUT", "public/a.acl", OPEN, content_type="text/turtle")).status == 204
    assert entries(vault) == before + 1
    assert (await ask("GET", "public/a.acl")).body == OPEN
    assert (await ask("PUT", "public/a", b"y", content_type="text/plain")).status == 401
    assert (await ask("GET", "public/a")).body == b"x"
    assert (await ask("DELETE", "public/a.acl")).status == 204
    assert (await ask("PUT", "public/a", b"y", content_type="text/plain")).status == 204
    assert (await ask("DELETE", "public/a.acl")).status == 404


async def test_a_list_is_changed_only_in_the_version_its_author_saw(ask: Client) -> None:
    await ask("PUT", "public/a", b"x", content_type="text/plain")
    assert (await ask("PUT", "public/a.acl", OPEN, content_type="text/turtle", if_match='"x"')).status == 412
    assert (await ask("PUT", "public/a.acl", OPEN, content_type="text/turtle", if_none_match="*")).status == 204
    assert (await ask("PUT", "public/a.acl", OPEN, content_type="text/turtle", if_none_match="*")).status == 412
    tag = (await ask("GET", "public/a.acl")).headers["etag"]
    assert (await ask("DELETE", "public/a.acl", if_match='"x"')).status == 412
    assert (await ask("DELETE", "public/a.acl", if_match=tag)).status == 204


async def test_a_list_that_is_no_turtle_is_never_stored(ask: Client) -> None:
    assert (await ask("PUT", "public/a.acl", b"{}", content_type="application/json")).status == 415
    assert (await ask("PUT", "public/a.acl", b"<#a> a", content_type="text/turtle")).status == 400
    assert (await ask("GET", "public/a.acl")).status == 404


async def test_a_narrow_grant_narrows_body_tag_and_listing(ask: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"@id": "", "@type": "kluis:LibraryLoan", "schema:name": "Jazz", "schema:startTime": "2026-11-01"}
    old = record | {"schema:startTime": "2020-01-01"}
    for name, told in (("new", record), ("old", old)):
        await ask("PUT", f"public/{name}", json.dumps(told).encode(), content_type="application/ld+json")
    await ask("PUT", "public/odd", b"no json", content_type="application/json")
    whole = await ask("GET", "public/new")

    async def narrow(*given: Any) -> Any:
        admitted = await gate.admit(*given)
        assert isinstance(admitted, Admission)
        return replace(admitted, datum=Datum("kluis:LibraryLoan", fields=("schema:startTime",), window="P30D"))

    monkeypatch.setattr(podcall, "admit", narrow)
    cut = await ask("GET", "public/new")
    assert "schema:name" not in json.loads(cut.body)
    assert cut.headers["etag"] != whole.headers["etag"]
    assert [(await ask("GET", f"public/{name}")).status for name in ("new", "old", "odd")] == [200, 404, 404]
    listing = (await ask("GET", "public/")).body
    assert (b"public/new>" in listing, b"public/old>" in listing, b"public/odd>" in listing) == (True, False, False)


async def test_times_are_those_of_the_last_change(ask: Client, clock: Clock) -> None:
    clock.forward(days=1)
    await ask("PUT", "public/a", b"x", content_type="text/plain")
    assert (await ask("GET", "public/a")).headers["last-modified"] == "Sun, 22 Nov 2026 10:00:00 GMT"
