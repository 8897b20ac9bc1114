"""RDF bodies: checked before they are stored, converted when they are read, listed for containers.

Solid Protocol `server-representation-turtle-jsonld`, `server-basic-container`, `server-contained-resource-metadata`.
The caller keeps the original bytes; a conversion of the same bytes is the same bytes, so its ETag may be strong.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import pyoxigraph as ox

from vault.solid.jsonld import localise
from vault.solid.scan import JSON_LD, N_TRIPLES, RDF_XML, TURTLE, BadRdf, scan

__all__ = [
    "JSON_LD",
    "N_TRIPLES",
    "RDF_XML",
    "TURTLE",
    "BadRdf",
    "Blank",
    "Member",
    "Statement",
    "check",
    "container",
    "convert",
    "graph",
    "is_rdf",
    "scan",
    "statements",
    "written",
]

LDP = "http://www.w3.org/ns/ldp#"
_FORMATS = {
    TURTLE: ox.RdfFormat.TURTLE,
    JSON_LD: ox.RdfFormat.JSON_LD,
    N_TRIPLES: ox.RdfFormat.N_TRIPLES,
    RDF_XML: ox.RdfFormat.RDF_XML,
}
_PREFIXES = {
    "acl": "http://www.w3.org/ns/auth/acl#",
    "as": "https://www.w3.org/ns/activitystreams#",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "ldp": LDP,
    "pim": "http://www.w3.org/ns/pim/space#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "schema": "https://schema.org/",
    "solid": "http://www.w3.org/ns/solid/terms#",
    "stat": "http://www.w3.org/ns/posix/stat#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_SPREAD = 64  # times its own length that a body may have when every name in it is written out, and 1 MiB
_WRITTEN_OUT = 96 * 1024 * 1024
_MEDIA_IRI = "http://www.w3.org/ns/iana/media-types/{}#Resource"


class Blank(str):
    """The text of a blank node, `_:b0`: a literal with that text is another thing."""

    __slots__ = ()


class Statement(NamedTuple):
    """One triple as text: IRIs bare, blank nodes as `_:b0`, literals by their value. `iri` is about the object."""

    subject: str
    predicate: str
    object: str
    iri: bool


@dataclass(frozen=True)
class Member:
    """One thing in a container: canonical name without slash, size in bytes, last change (aware) where it is known."""

    name: str
    container: bool
    media: str
    size: int
    modified: datetime | None


def is_rdf(media: str) -> bool:
    """Whether bodies of this media type (without parameters) are read as RDF."""
    return media in _FORMATS


def check(body: bytes, media: str, base: str) -> int:
    """The number of triples in a body that may be stored. Raises BadRdf with reason and line."""
    return len(_triples(body, media, base))


def statements(body: bytes, media: str, base: str) -> list[Statement]:
    """The triples of a body as text, relative names resolved against `base`. Raises BadRdf."""
    return [
        Statement(_text(t.subject), t.predicate.value, _text(t.object), isinstance(t.object, ox.NamedNode))
        for t in settled(_triples(body, media, base))
    ]


def convert(body: bytes, media: str, to: str, base: str) -> bytes:
    """The same graph in another syntax, byte for byte the same each time. Raises BadRdf."""
    return body if media == to else written(_triples(body, media, base), to)


def graph(body: bytes, media: str, base: str) -> list[ox.Triple]:
    """The triples of a body, relative names resolved against `base`. Raises BadRdf."""
    return _triples(body, media, base)


def written(triples: list[ox.Triple], to: str) -> bytes:
    """Triples in a syntax, byte for byte the same each time."""
    listed = settled(triples)
    if to == TURTLE:
        return _sorted_head(ox.serialize(listed, format=ox.RdfFormat.TURTLE, prefixes=_PREFIXES) or b"")
    content = [ox.Quad(*triple) for triple in listed] if to == JSON_LD else listed
    return ox.serialize(content, format=_FORMATS[to]) or b""


def container(base: str, members: Iterable[Member]) -> bytes:
    """The LDP Basic Container at `base` (absolute, ends with `/`) as Turtle, with types, sizes and times of members."""
    listed = list(members)
    lines = [f"@prefix {name}: <{_PREFIXES[name]}> ." for name in ("dcterms", "ldp", "stat", "xsd")]
    lines.append(f"<{base}> a ldp:Resource, ldp:Container, ldp:BasicContainer .")
    if listed:
        lines.append(f"<{base}> ldp:contains {', '.join(f'<{_at(base, m)}>' for m in listed)} .")
    lines.extend(_line(base, member) for member in listed)
    return ("\n".join(lines) + "\n").encode("ascii")


def _at(base: str, member: Member) -> str:
    return base + member.name + "/" * member.container


def _line(base: str, member: Member) -> str:
    kinds = ["ldp:Resource"]
    if member.container:
        kinds += ["ldp:Container", "ldp:BasicContainer"]
    elif member.media:
        kinds.append(f"<{_MEDIA_IRI.format(member.media.partition(';')[0].strip())}>")
    told = [f"<{_at(base, member)}> a {', '.join(kinds)}"]
    if member.modified is not None:
        when = member.modified.astimezone(UTC)
        told.append(f'dcterms:modified "{when:%Y-%m-%dT%H:%M:%SZ}"^^xsd:dateTime ; stat:mtime {int(when.timestamp())}')
    if not member.container:
        told.append(f"stat:size {member.size}")
    return " ; ".join(told) + " ."


def _sorted_head(turtle: bytes) -> bytes:
    """Turtle with the prefixes it uses, in order of name: the serialiser writes all of them, each time in another."""
    lines = turtle.splitlines(keepends=True)
    head = [line for line in lines[: len(_PREFIXES)] if line.startswith(b"@prefix ")]
    rest = b"".join(lines[len(head) :])
    return b"".join(line for line in sorted(head) if line.split()[1] in rest) + rest


def _triples(body: bytes, media: str, base: str) -> list[ox.Triple]:
    scan(body, media)
    text = localise(body) if media == JSON_LD else body
    try:
        parsed = ox.parse(text, format=_FORMATS[media], base_iri=base, without_named_graphs=True)
        triples = _bounded(parsed, _SPREAD * len(text) + 1024 * 1024)
    except SyntaxError as error:
        reason = "named_graph" if "Named graphs" in str(error.msg) else "syntax"
        raise BadRdf(reason, str(error.msg), error.lineno if text is body else None) from None
    except ValueError as error:
        raise BadRdf("syntax", str(error)) from None
    if any(isinstance(t.object, ox.Triple) for t in triples):
        raise BadRdf("triple_term", "statements about statements are not taken")
    return triples


def _bounded(parsed: Iterable[ox.Quad], most: int) -> list[ox.Triple]:
    """The triples as they come, as long as what they say written out stays below `most` characters.

    A prefix of 30 kB, used ten thousand times, is a short body and a gigabyte of names.
    """
    triples, held = [], 0
    for quad in parsed:
        held += len(str(quad))
        if held > most or held > _WRITTEN_OUT:
            raise BadRdf("too_costly", "written out in full this is far longer than it looks")
        triples.append(quad.triple)
    return triples


def settled(triples: list[ox.Triple]) -> list[ox.Triple]:
    """The triples grouped by subject, blank nodes numbered as they come: parsers give them a new name each time."""
    names: dict[object, ox.BlankNode] = {}
    groups: dict[ox.NamedNode | ox.BlankNode | ox.Triple, list[ox.Triple]] = {}
    for triple in triples:
        for term in (triple.subject, triple.object):
            if isinstance(term, ox.BlankNode):
                names.setdefault(term, ox.BlankNode(f"b{len(names)}"))
        groups.setdefault(triple.subject, []).append(triple)
    grouped = (triple for group in groups.values() for triple in group)
    return [ox.Triple(names.get(t.subject, t.subject), t.predicate, names.get(t.object, t.object)) for t in grouped]


def _text(term: ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple) -> str:
    return term.value if isinstance(term, (ox.NamedNode, ox.Literal)) else Blank(term)
