"""What the pods refuse and how: paths, hosts, bodies, strangers; and the headers that every answer carries."""

import json
from typing import Any, cast

import pytest

from consent.accounts.people import enroll
from tests.conftest import BASE, Clock
from tests.house import Household
from tests.web.pods.client import CARD, OWNER, Client, FakeHouse
from vault.errors import LogUnavailable
from vault.tables import Body
from vault.vault import PodFacts, Vault
from web import pods


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


async def test_a_body_past_the_limit_is_refused_however_it_says_so(vault: Vault, clock: Clock, an: PodFacts) -> None:
    ask = Client(pods.create(cast("Any", FakeHouse(vault, clock)), largest=100_000))
    assert (await ask("PUT", "public/a", b"x" * 100_000, content_type="text/plain")).status == 201
    stated = await ask("PUT", "public/b", b"", content_type="text/plain", content_length="100001")
    assert (stated.status, stated.kind) == (413, "too-large")
    assert (await ask("PUT", "public/b", b"x" * 100_001, content_type="text/plain")).status == 413
    assert (await ask("GET", "public/b")).status == 404


async def test_methods_that_are_not_for_a_resource_are_405_with_allow(ask: Client) -> None:
    for method, path in [
        ("PATCH", ".well-known/solid"),
        ("DELETE", ""),
        ("PUT", ""),
        ("POST", "public/a"),
        ("POST", "public/.acl"),
        ("DELETE", ".acl"),
        ("PUT", ".well-known/solid"),
        ("TRACE", "public/"),
    ]:
        answer = await ask(method, path)
        assert (answer.status, answer.kind) == (405, "method")
        assert method not in answer.headers["allow"].split(", ")


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


async def test_a_body_in_any_encoding_is_refused_before_a_byte_of_it_is_read(ask: Client) -> None:
    for encoding in ("gzip", "br", "x-gzip, identity", "zstd"):
        answer = await ask("PUT", "public/a", b"\x1f\x8b", content_type="text/turtle", content_encoding=encoding)
        assert (answer.status, answer.kind) == (415, "encoding")
    assert (await ask("PUT", "public/a", b"", content_type="text/turtle", content_encoding="identity")).status == 201


async def test_a_program_of_this_house_does_not_learn_which_pods_there_are(house: Household) -> None:
    token = await house.jwt()
    await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    for method, path in [("GET", "interests/"), ("GET", "interests/a"), ("PUT", "notes/a"), ("PATCH", "loans/a"),
                         ("GET", ".acl"), ("HEAD", "")]:  # fmt: skip
        told = [
            await house.call(method, f"/pods/{pod}/{path}", token, {"content-type": "text/plain"}, b"x")
            for pod in ("bo", "eva")
        ]
        here, absent = ((one.status_code, one.text.replace("/bo/", "/eva/")) for one in told)
        assert here == absent and here[0] == 403, (method, path)
        names = [{name: value.replace("/bo/", "/eva/").replace("%2Fbo%2F", "%2Feva%2F")
                  for name, value in one.headers.items()} for one in told]  # fmt: skip
        assert names[0] == names[1], (method, path)
