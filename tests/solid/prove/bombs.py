"""Bodies that are small to send and large to read: every one is refused, or reads within what a body may cost."""

import gzip
import json
from collections.abc import Iterator

MIB = 1024 * 1024
TURTLE, JSON_LD, N_TRIPLES, XML = "text/turtle", "application/ld+json", "application/n-triples", "application/rdf+xml"
MOST = 4 * MIB - 64
_RDF = b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:d="http://d/">'
_EMPTY = b'<rdf:Description rdf:about="http://s/"><d:p rdf:resource="http://o/"/></rdf:Description>'


def filled(head: bytes, part: bytes, tail: bytes = b"", most: int = MOST) -> bytes:
    """As many parts as go into so many bytes."""
    return head + part * ((most - len(head) - len(tail)) // len(part)) + tail


def refused(trap: str) -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    """Name, media type, body, further headers of bodies that must not be stored. Nobody may ask `trap`."""
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n + 1, b"&l%d;" % n * 10) for n in range(10))
    yield "billion laughs", XML, b'<!DOCTYPE l [<!ENTITY l0 "lol">%s]>%s<d:x>&l10;</d:x></rdf:RDF>' % (laughs, _RDF), {}
    yield "external entity", XML, b'<!DOCTYPE x [<!ENTITY e SYSTEM "%s/e">]>%s&e;</rdf:RDF>' % (trap.encode(), _RDF), {}
    yield "entity of a file", XML, b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>%s&e;</rdf:RDF>' % _RDF, {}
    yield "external subset", XML, b'<!DOCTYPE x SYSTEM "%s/dtd">%s</rdf:RDF>' % (trap.encode(), _RDF), {}
    yield "deep XML", XML, _RDF + b"<d:a><d:B>" * 30_000, {}
    yield "deep JSON-LD", JSON_LD, b'{"http://p/":' * 30_000 + b"1" + b"}" * 30_000, {}
    yield "deep lists", JSON_LD, b"[" * 30_000 + b"]" * 30_000, {}
    yield "deep Turtle", TURTLE, b"<a:> <b:> " + b"[<c:> " * 30_000 + b"1" + b"]" * 30_000 + b".", {}
    yield "deep collections", TURTLE, b"<a:> <b:> " + b"(" * 30_000 + b")" * 30_000 + b".", {}
    yield "prefixes", TURTLE, b"".join(b"@prefix p%d: <http://p/%d/>.\n" % (n, n) for n in range(30_000)), {}
    terms = {f"t{n}": f"http://t/{n}" for n in range(30_000)}
    yield "terms", JSON_LD, json.dumps({"@context": terms, "@id": "http://s/"}).encode(), {}
    yield "contexts", JSON_LD, json.dumps([{"@context": {"a": "http://a/"}, "a": n} for n in range(3000)]).encode(), {}
    yield "remote context", JSON_LD, json.dumps({"@context": f"{trap}/context", "@id": "http://s/"}).encode(), {}
    imported = {"@context": {"@version": 1.1, "@import": f"{trap}/import"}, "@id": "http://s/"}
    yield "imported context", JSON_LD, json.dumps(imported).encode(), {}
    scoped = {"@context": {"a": {"@id": "http://a/", "@context": f"{trap}/scoped"}}, "a": {}}
    yield "scoped context", JSON_LD, json.dumps(scoped).encode(), {}
    yield (
        "long prefix, short body",
        TURTLE,
        filled(b"@prefix p: <a:%s>.\np: p: p:" % (b"x" * 30_000), b",p:", b".", 60_000),
        {},
    )
    yield "long prefix", TURTLE, filled(b"@prefix p: <a:%s>.\np: p: p:" % (b"x" * MIB), b",p:", b"."), {}
    vocabulary = b'{"@context":{"@vocab":"a:%s"},"@id":"a:","x":[' % (b"x" * 30_000)
    yield "long vocabulary", JSON_LD, filled(vocabulary, b'{"x":1},', b"1]}", 60_000), {}
    yield "two million numbers", TURTLE, filled(b"<a:> <b:> 1", b",1", b" ."), {}
    yield "two million members", JSON_LD, filled(b'{"@id":"a:","b:x":[', b"1,", b"1]}"), {}
    yield "objects without a name", JSON_LD, filled(b'{"@id":"a:","b:x":[', b"{},", b"{}]}"), {}
    yield "a list of blank nodes", TURTLE, filled(b"<a:> <b:> (", b"[]", b") ."), {}
    yield "packed", TURTLE, gzip.compress(b"#" * (64 * MIB)), {"Content-Encoding": "gzip"}
    yield "too large", TURTLE, b"#" * (8 * MIB), {}
    yield "a number without end", JSON_LD, b'{"@id":"a:","b:x":' + b"9" * MIB + b"}", {}


def stored(most: int = MOST) -> Iterator[tuple[str, str, bytes]]:
    """Name, media type and body (of at most so many bytes) of what is right as it stands, and dear to convert."""
    many = 100_000 * most // MOST
    yield "tiny triples", N_TRIPLES, filled(b"", b"<a:> <b:> <c:> .\n", most=most)
    yield "blank nodes", TURTLE, filled(b"", b"[] <b:> [] .\n", most=most)
    yield "one literal", TURTLE, filled(b'<a:> <b:> """', b"x", b'""" .', most)
    yield "a literal of escapes", JSON_LD, filled(b'{"@id":"a:","b:x":"', b"\\u0001", b'"}', most)
    yield "nodes in a row", TURTLE, b"".join(b"_:n%d <b:> _:n%d .\n" % (n, n + 1) for n in range(many))
    yield "XML", XML, filled(_RDF, _EMPTY, b"</rdf:RDF>", most)
    yield "many names", JSON_LD, json.dumps([{"@id": f"a:{n}", "b:x": n} for n in range(many)]).encode()


def patches() -> Iterator[tuple[str, str, bytes]]:
    """Name, media type and body of patches that must change nothing."""
    head = b"@prefix solid: <http://www.w3.org/ns/solid/terms#>. _:p a solid:InsertDeletePatch; solid:inserts {"
    yield "deep patch", "text/n3", head + b"<a:> <b:> " + b"[<c:> " * 30_000 + b"]" * 30_000 + b"}."
    yield "formulas in formulas", "text/n3", head + b"{" * 30_000
    yield (
        "patch of prefixes",
        "text/n3",
        b"@prefix p: <a:%s>." % (b"x" * MIB) + head + b"p: p: p:" + b",p:" * 100_000 + b".}.",
    )
    where = b" ".join(b"?a%d <b:> ?a%d ." % (n, n + 1) for n in range(3000))
    yield "patch of joins", "text/n3", head + b"} ; solid:where {" + where + b"}."
    crossed = b" ".join(b"?a%d ?b%d ?c%d ." % (n, n, n) for n in range(100))
    for name, asked in (("crossed", crossed), ("ring", b" ".join(b"?a%d <b:> ?a%d ." % (n, n + 1) for n in range(99)))):
        yield f"patch of {name} joins", "text/n3", head + b"<a:> <b:> 1} ; solid:where {" + asked + b" ?z <b:none> 1}."
        yield f"update of {name} joins", "application/sparql-update", b"INSERT {<a:> <b:> 1} WHERE {%s ?z ?y 1}" % asked
    yield (
        "patch of a mebibyte",
        "text/n3",
        filled(head + b"<a:> <b:> 1", b",1", b"} ; solid:where {?z <b:none> 1}.", MIB),
    )
    yield "formulas after many prefixes", "text/n3", filled(b"@prefix p: <a:>.", b"<> <> {} .", b"", MIB)
    yield (
        "operations after many prefixes",
        "application/sparql-update",
        filled(
            b"PREFIX p: <a:%s>\n" % (b"x" * (MIB // 2)),
            b"INSERT DATA {p: p: p:};",
            b"DELETE DATA {<a:> <b:> <d:>}",
            MIB,
        ),
    )
    yield "update of a mebibyte", "application/sparql-update", filled(b"DELETE DATA {<a:> <b:> 1", b",1", b"}", MIB)
    yield "update of blank nodes", "application/sparql-update", filled(b"INSERT {} WHERE {", b"[] [] [].", b"}", MIB)
    yield "update of joins", "application/sparql-update", b"DELETE {?a ?b ?c} INSERT {} WHERE {" + where + b"}"
    yield "update that loads", "application/sparql-update", b"LOAD <http://127.0.0.1:1/x>"
