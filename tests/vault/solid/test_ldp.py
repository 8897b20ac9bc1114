"""The rules of one request: modes, methods, headers, names."""

import pytest
from hypothesis import given, strategies as st

from vault.solid import ldp, paths, rdf
from vault.solid.ldp import BadMedia

ROOT, OWNER = "http://localhost:8400/pods/an", "http://localhost:8400/pods/an/profile/card#me"


def target(rest: str) -> paths.Target:
    return paths.parse(b"/pods/an/" + rest.encode())


@pytest.mark.parametrize(
    ("method", "kind", "exists", "resource", "container"),
    [
        ("GET", "resource", True, {"read"}, set()),
        ("HEAD", "resource", False, {"read"}, set()),
        ("PUT", "resource", True, {"write"}, set()),
        ("PUT", "resource", False, {"write"}, {"append"}),
        ("POST", "resource", False, {"append"}, {"append"}),
        ("DELETE", "resource", True, {"write"}, {"write"}),
        ("DELETE", "resource", False, {"write"}, {"write"}),
        ("GET", "acl", True, {"control"}, set()),
        ("PUT", "acl", False, {"control"}, set()),
        ("DELETE", "acl", True, {"control"}, set()),
        ("GET", "meta", True, {"read"}, set()),
        ("PUT", "meta", False, {"write"}, set()),
        ("DELETE", "meta", True, {"write"}, set()),
        ("PATCH", "meta", False, {"append"}, set()),
        ("PATCH", "acl", True, {"control"}, set()),
        ("PATCH", "resource", True, {"append"}, set()),
        ("PATCH", "resource", False, {"append"}, {"append"}),
        ("GET", "description", True, set(), set()),
        ("OPTIONS", "acl", True, set(), set()),
    ],
)
def test_each_method_needs_its_modes(
    method: str, kind: paths.Kind, exists: bool, resource: set[str], container: set[str]
) -> None:
    found = ldp.needs(method, kind, exists, frozenset({"append"}) if method == "PATCH" else frozenset())
    assert (found.resource, found.container) == (resource, container)


def test_the_root_and_its_list_are_never_deleted() -> None:
    assert "DELETE" not in ldp.methods(target(""))
    assert "DELETE" not in ldp.methods(target(".acl"))
    assert "DELETE" in ldp.methods(target("a/"))
    assert "PUT" not in ldp.methods(target(""))


def test_only_containers_take_posts() -> None:
    assert {t: "POST" in ldp.methods(target(t)) for t in ("", "a/", "a", "a.acl", ".well-known/solid")} == {
        "": True,
        "a/": True,
        "a": False,
        "a.acl": False,
        ".well-known/solid": False,
    }


def test_accept_headers_say_what_may_be_sent() -> None:
    patch = "text/n3, application/sparql-update"
    assert ldp.accepts(target("a")) == {"Accept-Put": "*/*", "Accept-Patch": patch}
    assert ldp.accepts(target("a.acl")) == {"Accept-Put": "text/turtle, application/ld+json", "Accept-Patch": patch}
    assert "*/*" not in ldp.accepts(target("a.meta"))["Accept-Put"]
    assert ldp.accepts(target("a.meta"))["Accept-Patch"] == patch
    assert ldp.accepts(target("")) == {"Accept-Post": "*/*"}
    assert "text/turtle" in ldp.accepts(target("a/"))["Accept-Put"]
    assert ldp.accepts(target(".well-known/solid")) == {}


def test_the_root_says_that_it_is_a_storage_and_whose() -> None:
    found = ldp.links(ROOT, target(""), OWNER)
    assert '<http://www.w3.org/ns/pim/space#Storage>; rel="type"' in found
    assert f'<{OWNER}>; rel="http://www.w3.org/ns/solid/terms#owner"' in found
    assert f'<{ROOT}/.acl>; rel="acl"' in found
    assert not any("Storage>" in link or "#owner" in link for link in ldp.links(ROOT, target("a/"), OWNER))


def test_every_resource_links_its_list_description_and_storage_description() -> None:
    for rest in ("a", "a/", "a/b.ttl"):
        found = ldp.links(ROOT, target(rest), OWNER)
        assert f'<{ROOT}/{rest}.acl>; rel="acl"' in found
        assert f'<{ROOT}/{rest}.meta>; rel="describedby"' in found
        assert f'<{ROOT}/.well-known/solid>; rel="http://www.w3.org/ns/solid/terms#storageDescription"' in found
        assert ('<http://www.w3.org/ns/ldp#BasicContainer>; rel="type"' in found) == rest.endswith("/")
    assert not any('rel="acl"' in link for link in ldp.links(ROOT, target("a.acl"), OWNER))


def test_the_storage_description_is_rdf_about_the_storage() -> None:
    found = rdf.statements(ldp.description(ROOT, OWNER), rdf.TURTLE, ROOT)
    assert (ROOT + "/", "http://www.w3.org/ns/solid/terms#owner", OWNER, True) in found


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ([], False),
        (['<http://www.w3.org/ns/ldp#BasicContainer>; rel="type"'], True),
        (["<http://www.w3.org/ns/ldp#Container>;rel=type"], True),
        (['<http://x/>; rel="a,b", <http://www.w3.org/ns/ldp#BasicContainer>; rel="type"'], True),
        (["<http://x/>; rel=up", "<http://www.w3.org/ns/ldp#BasicContainer>; rel=type"], True),
        (['<http://www.w3.org/ns/ldp#Resource>; rel="type"'], False),
        (['<http://www.w3.org/ns/ldp#BasicContainer>; rel="up"'], False),
        (["<http://www.w3.org/ns/ldp#BasicContainer>"], False),
    ],
)
def test_a_link_header_may_ask_for_a_container(fields: list[str], wanted: bool) -> None:
    assert ldp.wants_container(fields) is wanted


@pytest.mark.parametrize(
    ("header", "media"),
    [
        ("text/turtle", "text/turtle"),
        ("Text/Turtle; charset=UTF-8", "text/turtle"),
        ('application/ld+json; profile="http://www.w3.org/ns/json-ld#compacted"', "application/ld+json"),
        ("image/png", "image/png"),
        ("text/plain; charset=latin-1", "text/plain; charset=latin-1"),
        ("TEXT/HTML;Charset=utf-8", "text/html; Charset=utf-8"),
    ],
)
def test_a_body_is_stored_under_its_media_type(header: str, media: str) -> None:
    assert ldp.media_type(header) == media


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "missing"),
        ("  ", "missing"),
        ("turtle", "malformed"),
        ("*/*", "malformed"),
        ("text/plain, text/html", "malformed"),
        ("text/plain\r\nSet-Cookie: a=b", "malformed"),
        ("text/plain; a=b\x1b[2J", "malformed"),
        ("text/" + "a" * 101, "malformed"),
        ("text/plain" + "; a=b" * 6, "malformed"),
        ("text/turtle; charset=utf-16", "charset"),
    ],
)
def test_a_media_type_that_cannot_be_kept_is_refused(header: str | None, reason: str) -> None:
    with pytest.raises(BadMedia) as caught:
        ldp.media_type(header)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (None, "fresh"),
        ("", "fresh"),
        ("note.ttl", "note.ttl"),
        ("my note", "my-note"),
        ("a/b/../c", "a-b-..-c"),
        ("../../etc/passwd", "etc-passwd"),
        ("%2e%2e%2f", "fresh"),
        ("a%2Fb", "a-b"),
        (".acl", "acl"),
        ("x.acl", "x"),
        ("x.meta.ACL", "x"),
        ("x.acl.", "x"),
        ("x%2eacl", "x"),
        ("caf%C3%A9", "caf%C3%A9"),
        ("a\r\nSet-Cookie", "aSet-Cookie"),
        ("///", "fresh"),
        ("a" * 500, "a" * 100),
    ],
)
def test_a_slug_becomes_a_safe_name(wanted: str | None, name: str) -> None:
    assert ldp.slug(wanted, "fresh") == name


@given(st.text(max_size=40))
def test_any_slug_names_one_ordinary_resource(wanted: str) -> None:
    name = ldp.slug(wanted, "fresh")
    assert target(name) == paths.Target("an", "/" + name, False, "resource")
