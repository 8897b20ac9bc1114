"""One name, one spelling: canonical paths and the requests that name nothing."""

import pytest
from hypothesis import given, strategies as st

from vault.solid import paths
from vault.solid.paths import BadPath, Target


def path(rest: bytes) -> str:
    return paths.parse(b"/pods/an/" + rest).path


REFUSED = {
    b"a%00b": "control_character",
    b"a\x00b": "control_character",
    b"a%0d%0aSet-Cookie:x": "control_character",
    b"a%7f": "control_character",
    b"a\\b": "backslash",
    b"a%5cb": "backslash",
    b"%5C..%5C": "backslash",
    b".": "dot_segment",
    b"..": "dot_segment",
    b"a/../b": "dot_segment",
    b"a/%2e%2e/b": "dot_segment",
    b"a/.%2E/b": "dot_segment",
    b"%2e/": "dot_segment",
    b"..%2fb": "dot_segment",
    b"a%2f..%2fb": "dot_segment",
    b"a%2F": "dot_segment",
    b"%2Fetc": "dot_segment",
    b"a%2F%2Fb": "dot_segment",
    b"a//b": "empty_segment",
    b"/a": "empty_segment",
    b"a//": "empty_segment",
    b"%c0%ae%c0%ae/x": "not_utf8",
    b"%c0%af": "not_utf8",
    b"%e0%80%af": "not_utf8",
    b"%ff": "not_utf8",
    b"\xff": "not_utf8",
    b"%ed%a0%80": "not_utf8",
    b"a%": "bad_escape",
    b"a%2": "bad_escape",
    b"a%zz": "bad_escape",
    b"a%u002f": "bad_escape",
    b"a.acl/": "reserved_name",
    b"a.acl/b": "reserved_name",
    b".meta/b": "reserved_name",
    b"a.acl.acl": "reserved_name",
    b"a.meta.acl": "reserved_name",
    b"a.ACL": "reserved_name",
    b".Meta": "reserved_name",
    b".well-known/solid/": "reserved_name",
    b"a/" * 64 + b"b": "too_deep",
    b"a" * 2048: "too_long",
    b"%C3%A9" * 20000: "too_long",
    b"\xc3\xa9" * 1000: "too_long",
}


@pytest.mark.parametrize("rest", REFUSED, ids=lambda rest: repr(rest[:24]))
def test_a_hostile_path_is_refused_with_its_reason(rest: bytes) -> None:
    with pytest.raises(BadPath) as caught:
        path(rest)
    assert caught.value.reason == REFUSED[rest]


@pytest.mark.parametrize(
    ("spelled", "canonical"),
    [
        (b"", "/"),
        (b"loans/", "/loans/"),
        (b"%6Coans/%61%7e", "/loans/a~"),
        (b"caf%c3%a9", "/caf%C3%A9"),
        (b"caf\xc3\xa9", "/caf%C3%A9"),
        (b"a b", "/a%20b"),
        (b"a%20b", "/a%20b"),
        (b"a%2fb", "/a%2Fb"),
        (b"a%3fb", "/a%3Fb"),
        (b"a%252e%252e", "/a%252e%252e"),
        (b"%252e%252e/x", "/%252e%252e/x"),
        (b"...", "/..."),
        (b"a%40b", "/a%40b"),
        (b"a@b", "/a@b"),
        (b"%ef%bc%8f", "/%EF%BC%8F"),
        (b'"<>', "/%22%3C%3E"),
    ],
)
def test_every_spelling_of_a_name_has_one_canonical_form(spelled: bytes, canonical: str) -> None:
    assert path(spelled) == canonical


def test_an_encoded_slash_is_a_name_of_its_own() -> None:
    assert path(b"a%2Fb") != path(b"a/b")
    assert paths.parent(path(b"a%2Fb")) == "/"
    assert paths.compartment_of(path(b"loans%2Fx")) == ""


def test_composed_and_decomposed_letters_are_two_names() -> None:
    assert path(b"%c3%a9") != path(b"e%cc%81")


@given(st.binary(max_size=60))
def test_any_bytes_give_a_stable_canonical_path_or_a_refusal(raw: bytes) -> None:
    try:
        once = path(raw)
    except BadPath:
        return
    assert path(once[1:].encode()) == once
    assert "//" not in once
    assert not {".", ".."} & set(once.split("/"))
    assert once.isascii()
    assert "\\" not in once


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        (b"/pods/an/", Target("an", "/", True, "resource")),
        (b"/pods/an/a/b.ttl", Target("an", "/a/b.ttl", False, "resource")),
        (b"/pods/an/.acl", Target("an", "/.acl", False, "acl")),
        (b"/pods/an/a/.acl", Target("an", "/a/.acl", False, "acl")),
        (b"/pods/an/a.acl", Target("an", "/a.acl", False, "acl")),
        (b"/pods/an/a%2eacl", Target("an", "/a.acl", False, "acl")),
        (b"/pods/an/a/.meta", Target("an", "/a/.meta", False, "meta")),
        (b"/pods/an/.well-known/solid", Target("an", "/.well-known/solid", False, "description")),
        (b"/pods/%61n/x", Target("an", "/x", False, "resource")),
    ],
)
def test_the_target_says_what_kind_of_thing_is_named(raw: bytes, target: Target) -> None:
    assert paths.parse(raw) == target


def test_an_auxiliary_knows_its_subject() -> None:
    assert paths.parse(b"/pods/an/a/.acl").subject == "/a/"
    assert paths.parse(b"/pods/an/a.meta").subject == "/a"
    assert paths.auxiliary("/a/", "acl") == "/a/.acl"
    assert paths.auxiliary("/a.meta", "acl") is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"/pods/An/", "pod_name"),
        (b"/pods//x", "pod_name"),
        (b"/pods/../x", "dot_segment"),
        (b"/pods/a%2Fb/x", "pod_name"),
        (b"/pods/an", "no_slash"),
        (b"/elsewhere/an/", "outside"),
    ],
)
def test_a_path_outside_every_pod_names_nothing(raw: bytes, reason: str) -> None:
    with pytest.raises(BadPath) as caught:
        paths.parse(raw)
    assert caught.value.reason == reason


def test_parents_go_up_to_the_root_and_no_further() -> None:
    assert paths.ancestors("/a/b/c.ttl") == ["/a/b/", "/a/", "/"]
    assert paths.ancestors("/a/b/") == ["/a/", "/"]
    assert paths.ancestors("/") == []
    assert paths.twin("/a") == "/a/"
    assert paths.twin("/a/") == "/a"


def test_a_compartment_is_a_top_level_container() -> None:
    names = {p: paths.compartment_of(p) for p in ("/", "/x", "/loans/", "/loans/x", "/loans/a/b", "/.acl")}
    assert names == {"/": "", "/x": "", "/loans/": "loans", "/loans/x": "loans", "/loans/a/b": "loans", "/.acl": ""}
