"""RDF in, RDF out: what is refused before a parser runs, what converts, what a listing says."""

import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import rdflib
from rdflib.compare import isomorphic

from vault.solid import rdf
from vault.solid.rdf import JSON_LD, N_TRIPLES, RDF_XML, TURTLE, BadRdf, Member

# The oracle's own JSON-LD reader still uses a class that it deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")

BASE = "http://localhost:8400/pods/an/loans/one"
RECORD = b"""{"@context":{"schema":"https://schema.org/","kluis":"urn:kluis:ns:"},"@id":"","@type":"kluis:LibraryLoan",
"schema:name":"Het verdriet","schema:startTime":"2026-09-12","schema:about":["jazz","geschiedenis"],
"kluis:branch":"Permeke","schema:author":{"schema:name":"Claus"},"schema:copies":{"@list":[1,2]}}"""
XML = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:d="http://d/">%s</rdf:RDF>'


def oracle(body: bytes, media: str) -> rdflib.Graph:
    names = {TURTLE: "turtle", JSON_LD: "json-ld", N_TRIPLES: "nt", RDF_XML: "xml"}
    return rdflib.Graph().parse(data=body, format=names[media], publicID=BASE)


def refused(body: bytes, media: str) -> BadRdf:
    with pytest.raises(BadRdf) as caught:
        rdf.check(body, media, BASE)
    return caught.value


@pytest.mark.parametrize("to", [TURTLE, N_TRIPLES, JSON_LD])
def test_a_record_says_the_same_in_every_syntax(to: str) -> None:
    assert isomorphic(oracle(rdf.convert(RECORD, JSON_LD, to, BASE), to), oracle(RECORD, JSON_LD))


@pytest.mark.parametrize("to", [JSON_LD, N_TRIPLES])
def test_turtle_says_the_same_in_every_syntax(to: str) -> None:
    turtle = b'@prefix s: <http://s/>. <#me> s:n "x"@nl, 1, 1.5, true ; s:k [ s:c (<a> [] "y") ] ; a s:P .'
    converted = rdf.convert(turtle, TURTLE, to, BASE)
    assert isomorphic(oracle(converted, to), oracle(turtle, TURTLE))


def test_odd_terms_of_a_context_never_become_prefixes() -> None:
    odd = b'{"@context": {"a{": "http://a/", "b>.": "http://b/"}, "@id": "", "a{": "x", "b>.": {"@id": "http://a/b"}}'
    assert isomorphic(oracle(rdf.convert(odd, JSON_LD, TURTLE, BASE), TURTLE), oracle(odd, JSON_LD))
    assert rdf.convert(b"{}", JSON_LD, TURTLE, BASE) == b""


def test_rdf_xml_is_read_but_never_its_document_type() -> None:
    fine = XML % b'<rdf:Description rdf:about="#me"><d:n>a</d:n></rdf:Description>'
    assert isomorphic(oracle(rdf.convert(fine, RDF_XML, TURTLE, BASE), TURTLE), oracle(fine, RDF_XML))
    laughs = b'<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>' + XML % b""
    assert refused(laughs, RDF_XML).reason == "document_type"
    assert refused(b"<!--x--><!doctype r SYSTEM 'file:///etc/passwd'>" + fine, RDF_XML).reason == "document_type"


def test_a_conversion_gives_the_same_bytes_each_time() -> None:
    blank = b"@prefix s: <https://schema.org/>. <> a s:Book ; s:author [ s:name [] ] ; s:n 1 ."
    for body, media, to in ((blank, TURTLE, JSON_LD), (blank, TURTLE, N_TRIPLES), (RECORD, JSON_LD, TURTLE)):
        assert len({rdf.convert(body, media, to, BASE) for _ in range(20)}) == 1
    assert rdf.convert(RECORD, JSON_LD, TURTLE, BASE).startswith(b"@prefix rdf: ")
    assert rdf.convert(RECORD, JSON_LD, JSON_LD, BASE) is RECORD


@pytest.mark.parametrize(
    ("body", "media", "reason", "line"),
    [
        (b"<a> <b> <c> .\n<a> <b> ", TURTLE, "syntax", 2),
        (b"@prefix : <http://x/> .\n\n:a :b 'x' oops .", TURTLE, "syntax", 3),
        (b"<a> <b> <c> .", N_TRIPLES, "syntax", 1),
        (b'{"@id":"x",\n"http://p": [1,2}', JSON_LD, "syntax", 2),
        (b'{"http://p": NaN}', JSON_LD, "syntax", None),
        (b'{"@context": "https://schema.org", "price": 1e999}', JSON_LD, "syntax", None),
        (b'{"http://p": ' + b"9" * 5000 + b"}", JSON_LD, "syntax", None),
        (b"", JSON_LD, "syntax", 1),
        (b'{"@id":"a","@id":"b"}', JSON_LD, "duplicate_name", None),
        (b'{"@id":"http://g/","@graph":[{"@id":"http://s","http://p":1}]}', JSON_LD, "named_graph", None),
        (b"<a> <b> << <c> <d> <e> >> .", TURTLE, "triple_term", None),
        (b"<a> <b> <c> {| <d> <e> |} .", TURTLE, "triple_term", None),
        (b"<a> <b> <c> ~ <d> .", TURTLE, "triple_term", None),
        (b"<a> <b> '\x00' .", TURTLE, "not_utf8", None),
        (b"<a> <b> <c> .\n<a> <b> '\xff' .", TURTLE, "not_utf8", 2),
        ('{"@id":"x"}'.encode("utf-16"), JSON_LD, "not_utf8", None),
        (b"x" * (4 * 1024 * 1024 + 1), TURTLE, "too_large", None),
        (b"", "text/n3", "unknown_media", None),
    ],
)
def test_bad_rdf_is_refused_with_reason_and_line(body: bytes, media: str, reason: str, line: int | None) -> None:
    error = refused(body, media)
    assert (error.reason, error.line) == (reason, line)


def test_a_body_at_the_size_limit_is_still_read() -> None:
    body = b"<a> <b> <c> .".ljust(4 * 1024 * 1024)
    assert rdf.check(body, TURTLE, BASE) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b'"https://example.org/context"', "unknown_context"),
        (b'"http://127.0.0.1:1/slow"', "unknown_context"),
        (b'["https://schema.org", "file:///etc/passwd"]', "unknown_context"),
        (b'{"@import": "http://127.0.0.1:1/"}', "context_form"),
        (b'{"a": {"@id": "http://a/", "@context": "http://127.0.0.1:1/"}}', "context_form"),
        (b'{"a": {"@id": "http://a/", "@context": {}}}', "context_form"),
        (b'{"@propagate": false}', "context_form"),
        (b'{"@vocab": {}}', "context_form"),
        (b'{"a": 5}', "context_form"),
        (b"[[]]", "context_form"),
        (b"7", "context_form"),
    ],
)
def test_a_context_that_would_load_or_hide_something_is_refused(name: bytes, reason: str) -> None:
    assert refused(b'{"@context": %s, "a": 1}' % name, JSON_LD).reason == reason
    assert refused(b'{"http://p": [{"@context": %s, "a": 1}]}' % name, JSON_LD).reason == reason


def test_a_known_context_is_our_own_small_map() -> None:
    body = b'{"@context": "https://schema.org", "id": "#e", "type": "Event", "name": "x"}'
    assert (BASE + "#e", "http://schema.org/name", "x", False) in rdf.statements(body, JSON_LD, BASE)
    activity = b'{"@context": ["https://www.w3.org/ns/activitystreams", {"k": "urn:k:"}], "id": "#a", "actor": "#me"}'
    expected = (BASE + "#a", "https://www.w3.org/ns/activitystreams#actor", BASE + "#me", True)
    assert rdf.statements(activity, JSON_LD, BASE) == [expected]


def test_many_contexts_cannot_multiply_a_body() -> None:
    node = b'{"@context": "https://www.w3.org/ns/activitystreams"}'
    assert refused(b"[" + b",".join([node] * 101) + b"]", JSON_LD).reason == "context_form"
    terms = b",".join(b'"t%d": "http://t/"' % i for i in range(1001))
    assert refused(b'{"@context": {%s}}' % terms, JSON_LD).reason == "too_many_prefixes"


DEEP = {
    "json arrays": (JSON_LD, b"[" * 65 + b"]" * 65),
    "json objects": (JSON_LD, b'{"http://a":' * 30_000 + b"1" + b"}" * 30_000),
    "json behind an escaped quote": (JSON_LD, b'{"\\"": ' + b"[" * 65 + b"]" * 65 + b"}"),
    "turtle nodes": (TURTLE, b"<a> <b> " + b"[ <b> " * 65 + b"]" * 65 + b"."),
    "turtle lists": (TURTLE, b"<a> <b> " + b"(" * 65 + b")" * 65 + b"."),
    "turtle behind an escaped hash": (TURTLE, b"@prefix e: <e:>. <a> e:a\\# " + b"[ <b> " * 65 + b"]" * 65 + b"."),
    "turtle behind a long string": (TURTLE, b"<a> <b> '''a'b\\''''," + b"(" * 65 + b")" * 65 + b"."),
    "turtle behind an empty string": (TURTLE, b'<a> <b> "",' + b"(" * 65 + b")" * 65 + b"."),
    "xml elements": (RDF_XML, XML % (b"<d:a>" * 65 + b"</d:a>" * 65)),
    "xml behind attributes": (RDF_XML, XML % (b"<d:a d:b='/>'>" * 65 + b"</d:a>" * 65)),
    "xml behind comments": (RDF_XML, XML % (b"<!--</a>--><d:a>" * 65 + b"</d:a>" * 65)),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_nesting_never_reaches_a_parser(name: str) -> None:
    media, body = DEEP[name]
    assert refused(body, media).reason == "too_deep"


@pytest.mark.parametrize("body", [b"<a> <b> '((((' .", b'<a> <b> """[[[["[[""" .', b"<a> <b> <c[[[> . # [[[["])
def test_brackets_inside_strings_and_comments_are_not_depth(body: bytes) -> None:
    rdf.scan(body * 40, TURTLE)


def test_a_thousand_prefixes_are_enough() -> None:
    line = b"@prefix p: <http://p/> .\nPREFIX q: <http://q/>\n"
    assert rdf.check(line * 500, TURTLE, BASE) == 0
    assert refused(line * 500 + b"prefix q: <http://q/>\n", TURTLE).reason == "too_many_prefixes"


SLOW = {
    "unclosed strings": (TURTLE, b'"\\"' * 1_300_000),
    "long strings": (TURTLE, b'"""a' * 1_000_000),
    "open iris": (TURTLE, b"<a" * 2_000_000),
    "json escapes": (JSON_LD, b'"\\' * 2_000_000),
    "comments": (RDF_XML, b"<!--" * 1_000_000),
    "cdata": (RDF_XML, b"<![CDATA[" * 400_000),
    "attributes": (RDF_XML, b"<a \"'" * 800_000),
    "brackets": (JSON_LD, b"[]" * 2_000_000),
}


@pytest.mark.parametrize("name", SLOW)
def test_the_scan_is_linear_whatever_it_is_fed(name: str) -> None:
    media, body = SLOW[name]
    started = time.process_time()
    with suppress(BadRdf):
        rdf.scan(body, media)
    assert time.process_time() - started < 5


def test_a_listing_names_its_members_with_size_time_and_type() -> None:
    when = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
    members = [
        Member("a%20b.ttl", False, "text/turtle", 12, when),
        Member("a:b,c'd", False, "image/png; x=y", 3, when),
        Member("sub", True, "", 0, when),
    ]
    base = "http://localhost:8400/pods/an/public/"
    listing = rdf.container(base, members)
    found = set(rdf.statements(listing, TURTLE, base))
    ldp, stat = "http://www.w3.org/ns/ldp#", "http://www.w3.org/ns/posix/stat#"
    contained = {s.object for s in found if s.predicate == ldp + "contains"}
    assert contained == {base + "a%20b.ttl", base + "a:b,c'd", base + "sub/"}
    assert (base + "a%20b.ttl", stat + "size", "12", False) in found
    assert (base + "sub/", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", ldp + "BasicContainer", True) in found
    media = "http://www.w3.org/ns/iana/media-types/image/png#Resource"
    assert (base + "a:b,c'd", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", media, True) in found
    assert (base + "sub/", "http://purl.org/dc/terms/modified", "2026-11-21T20:00:00Z", False) in found
    assert rdf.check(rdf.container(base, []), TURTLE, base) == 3
