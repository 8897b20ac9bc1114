"""The pods over HTTP: a real vault, a real gate, a public list that lets everybody write in one place."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import pytest

from keys.secret import Seed
from tests.conftest import BASE, Clock
from vault import pod as podmaking
from vault.errors import LogUnavailable
from vault.pod import Blueprint, NewUnlocker
from vault.solid.wac import owner_acl
from vault.tables import Body
from vault.vault import PodFacts, Vault
from web import pods

ROOT = f"{BASE}/pods/an"
OWNER = f"{ROOT}/profile/card#me"
CARD = b"<#me> <http://xmlns.com/foaf/0.1/name> 'An' ."


@dataclass
class FakeHouse:
    vault: Vault
    clock: Clock
    base: str = BASE


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def kind(self) -> str:
        return str(json.loads(self.body)["type"].removeprefix("urn:kluis:problem:"))

    @property
    def reason(self) -> str:
        return str(json.loads(self.body)["reason"])


class Client:
    """Speaks ASGI to the pods as the server in front of them would."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(
        self, method: str, path: str, body: bytes = b"", cut: bool = False, host: str = "localhost:8400", **headers: str
    ) -> Answer:
        sent = [(b"host", host.encode())] if host else []
        sent += [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        raw = path.encode("latin-1") if path.startswith("/pods") else b"/pods/an/" + path.encode("latin-1")
        parts = [{"type": "http.request", "body": body[i : i + 50_000], "more_body": True} for i in range(0, len(body), 50_000)]
        parts.append({"type": "http.disconnect"} if cut else {"type": "http.request", "body": b"", "more_body": False})
        answer = Answer()

        async def receive() -> dict[str, Any]:
            return parts.pop(0)

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
                assert len(answer.headers) == len(message["headers"])
            else:
                answer.body += message["body"]

        await self.app({"type": "http", "method": method, "path": path, "raw_path": raw, "headers": sent}, receive, send)
        return answer


@pytest.fixture
async def an(vault: Vault, clock: Clock) -> PodFacts:
    def two(seed: bytes) -> list[NewUnlocker]:
        return [NewUnlocker("recovery", "", Seed(bytes([b]) * 32)) for b in seed]

    await podmaking.found_office(vault, two(b"ab"), clock())
    plan = Blueprint(
        {"loans": "kluis:LibraryLoan"},
        resources=(("/profile/card", "text/turtle", CARD), ("/settings/secret", "text/plain", b"secret")),
        acls=(
            ("/", owner_acl(OWNER, f"{ROOT}/")),
            ("/profile/", owner_acl(OWNER, f"{ROOT}/profile/", ("read",))),
            ("/public/", owner_acl(OWNER, f"{ROOT}/public/", ("read", "write", "control"))),
            ("/inbox/", owner_acl(OWNER, f"{ROOT}/inbox/", ("append",))),
        ),
    )
    return await podmaking.create(vault, "an", "citizen", two(b"cd"), plan, clock())


@pytest.fixture
async def ask(vault: Vault, clock: Clock, an: PodFacts) -> AsyncIterator[Client]:
    yield Client(pods.create(cast("Any", FakeHouse(vault, clock))))


def entries(vault: Vault) -> int:
    return vault.log.ledger.tree.size


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
    posted = await ask("POST", "inbox/", b"<> <p:a> <p:b> .", content_type="text/turtle", slug="m")
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


async def test_without_permission_every_name_answers_alike(ask: Client) -> None:
    paths = ["settings/secret", "settings/none", "settings/", "none/x", "loans/", "loans/none", "settings/secret.acl"]
    paths += ["settings/secret.meta", "/pods/nobody/", "/pods/nobody/x"]
    for method in ("GET", "HEAD", "PUT", "DELETE", "POST"):
        answers = [await ask(method, path, content_type="text/plain") for path in paths]
        told = {(a.status, a.body, a.headers["www-authenticate"]) for a in answers if a.status != 405}
        assert len(told) == 1, method
        assert {a.status for a in answers} <= {401, 405}


async def test_a_401_says_how_to_show_who_you_are(ask: Client) -> None:
    answer = await ask("GET", "settings/secret")
    assert answer.headers["www-authenticate"].startswith("DPoP algs=")
    assert f'as_uri="{BASE}"' in answer.headers["www-authenticate"]
    bad = await ask("GET", "profile/card", authorization="Bearer x")
    assert 'error="invalid_token"' in bad.headers["www-authenticate"]


async def test_a_cookie_changes_nothing(ask: Client) -> None:
    assert (await ask("GET", "settings/secret", cookie="kluis=kss1_x")).status == 401
    assert (await ask("GET", "profile/card", cookie="kluis=kss1_x")).status == 200


REFUSED = [
    ("public/a%2f..%2fb", 400, "dot_segment"),
    ("public/%2e%2e/settings/secret", 400, "dot_segment"),
    ("public/../settings/secret", 400, "dot_segment"),
    ("public//a", 400, "empty_segment"),
    ("public/%00", 400, "control_character"),
    ("public/a%5cb", 400, "backslash"),
    ("public/\xff", 400, "not_utf8"),
    ("a" * 70_000, 414, "too_long"),
    ("a/" * 4000, 414, "too_long"),
    ("a/" * 100, 414, "too_deep"),
    ("/pods/an", 404, "no_slash"),
    ("/pods/", 400, "pod_name"),
]


@pytest.mark.parametrize(("path", "status", "reason"), REFUSED)
async def test_a_path_that_names_nothing_is_refused_for_every_method(
    ask: Client, path: str, status: int, reason: str
) -> None:
    for method in ("GET", "PUT", "OPTIONS"):
        answer = await ask(method, path, b"x", content_type="text/plain")
        assert (answer.status, answer.kind, answer.reason) == (status, "bad-path", reason)


async def test_an_encoded_slash_is_stored_under_its_own_name(ask: Client) -> None:
    await ask("PUT", "public/a%2Fb", b"one", content_type="text/plain")
    assert (await ask("GET", "public/a/b")).status == 404
    assert (await ask("GET", "public/%61%2fb")).body == b"one"


async def test_another_host_is_misdirected(ask: Client) -> None:
    for host in ("", "evil.example", "localhost", "localhost:8400, evil.example"):
        answer = await ask("GET", "profile/card", host=host)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (421, "*")


async def test_a_body_without_a_media_type_is_refused(ask: Client) -> None:
    for method, path in (("PUT", "public/a"), ("POST", "public/")):
        answer = await ask(method, path, b"x")
        assert (answer.status, answer.kind, answer.reason) == (400, "bad-media", "missing")


async def test_broken_rdf_is_never_stored(ask: Client, vault: Vault) -> None:
    before = vault.db.read.run("SELECT COUNT(*) FROM body")
    answer = await ask("PUT", "public/a", b"<a> <b> <c> .\n<a> <b>", content_type="text/turtle")
    assert (answer.status, answer.kind, json.loads(answer.body)["line"]) == (400, "bad-rdf", 2)
    remote = b'{"@context": "http://127.0.0.1:1/c", "a": 1}'
    assert (await ask("PUT", "public/a", remote, content_type="application/ld+json")).reason == "unknown_context"
    deep = b'{"http://a":' * 30_000 + b"1" + b"}" * 30_000
    assert (await ask("POST", "public/", deep, content_type="application/ld+json")).reason == "too_deep"
    big = b"#".ljust(5 * 1024 * 1024)
    assert (await ask("PUT", "public/a", big, content_type="text/turtle")).status == 413
    assert vault.db.read.run("SELECT COUNT(*) FROM body") == before
    assert (await ask("GET", "public/a")).status == 404


async def test_a_cut_upload_stores_nothing_and_leaves_the_old(ask: Client, vault: Vault) -> None:
    await ask("PUT", "public/a", b"whole", content_type="text/plain")
    before = vault.db.read.find(Body)
    cut = await ask("PUT", "public/a", b"half", cut=True, content_type="text/plain")
    assert cut.status == 0
    assert vault.db.read.find(Body) == before
    assert (await ask("GET", "public/a")).body == b"whole"


async def test_a_body_past_the_limit_is_refused_before_or_while_it_is_read(vault: Vault, clock: Clock, an: PodFacts) -> None:
    ask = Client(pods.create(cast("Any", FakeHouse(vault, clock)), largest=100_000))
    assert (await ask("PUT", "public/a", b"x" * 100_000, content_type="text/plain")).status == 201
    stated = await ask("PUT", "public/b", b"", content_type="text/plain", content_length="100001")
    assert (stated.status, stated.kind) == (413, "too-large")
    assert (await ask("PUT", "public/b", b"x" * 100_001, content_type="text/plain")).status == 413
    assert (await ask("GET", "public/b")).status == 404


async def test_methods_that_are_not_for_a_resource_are_405_with_allow(ask: Client) -> None:
    for method, path in [
        ("PATCH", "public/a"),
        ("DELETE", ""),
        ("PUT", ""),
        ("POST", "public/a"),
        ("PUT", "public/.acl"),
        ("DELETE", ".acl"),
        ("PUT", ".well-known/solid"),
        ("TRACE", "public/"),
    ]:
        answer = await ask(method, path)
        assert (answer.status, answer.kind) == (405, "method")
        assert method not in answer.headers["allow"].split(", ")


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


async def test_every_answer_carries_the_headers_of_its_kind(ask: Client) -> None:
    asked = [
        ("GET", "profile/card"),
        ("HEAD", "profile/"),
        ("OPTIONS", "settings/secret"),
        ("GET", "settings/secret"),
        ("PATCH", "public/a"),
        ("GET", "public/none"),
        ("GET", "a//b"),
        ("GET", ".well-known/solid"),
    ]
    for method, path in asked:
        headers = (await ask(method, path, origin="https://app.example")).headers
        assert headers["access-control-allow-origin"] == "https://app.example"
        assert "ETag" in headers["access-control-expose-headers"]
        assert "Origin" in headers["vary"]
        assert headers["content-security-policy"] == "sandbox"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "private, no-store"
        assert headers["cross-origin-resource-policy"] == "cross-origin"
        assert "set-cookie" not in headers


async def test_a_preflight_is_answered_for_any_header_but_no_nonsense(ask: Client) -> None:
    asked = "x-custom, accept, bad header, a\x01b"
    answer = await ask("OPTIONS", "settings/x", origin="https://app.example", access_control_request_headers=asked)
    allowed = answer.headers["access-control-allow-headers"]
    assert (answer.status, answer.body) == (204, b"")
    assert "x-custom" in allowed
    assert "DPoP" in allowed
    assert "bad header" not in allowed
    assert "\x01" not in allowed
    assert "PUT" in answer.headers["access-control-allow-methods"]


async def test_the_root_is_a_storage_with_an_owner(ask: Client) -> None:
    link = (await ask("OPTIONS", "")).headers["link"]
    assert '<http://www.w3.org/ns/pim/space#Storage>; rel="type"' in link
    assert f'<{OWNER}>; rel="http://www.w3.org/ns/solid/terms#owner"' in link
    described = await ask("GET", ".well-known/solid")
    assert (described.status, OWNER.encode() in described.body) == (200, True)


async def test_the_storage_description_does_not_tell_whether_a_pod_exists(ask: Client) -> None:
    real, none = await ask("GET", ".well-known/solid"), await ask("GET", "/pods/nobody/.well-known/solid")
    assert none.status == 200
    assert real.body.replace(b"/an/", b"/nobody/") == none.body
    assert len(real.headers) == len(none.headers)


async def test_without_a_log_nothing_is_served(ask: Client, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise LogUnavailable("disk full")

    monkeypatch.setattr(vault.log, "append", broken)
    for method, path in (("GET", "profile/card"), ("PUT", "public/a"), ("DELETE", "public/a"), ("GET", "public/.acl")):
        answer = await ask(method, path, b"x", content_type="text/plain")
        assert (answer.status, answer.kind) == (503, "log-unavailable")
        assert CARD not in answer.body


async def test_an_unknown_error_shows_no_trace(ask: Client, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: str) -> PodFacts:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(vault, "pod", broken)
    answer = await ask("GET", "profile/card")
    assert (answer.status, answer.kind) == (500, "internal")
    assert b"secret" not in answer.body


async def test_times_are_those_of_the_last_change(ask: Client, clock: Clock) -> None:
    clock.forward(days=1)
    await ask("PUT", "public/a", b"x", content_type="text/plain")
    assert isinstance(clock(), datetime)
    assert (await ask("GET", "public/a")).headers["last-modified"] == "Sun, 22 Nov 2026 10:00:00 GMT"
