"""What a body must survive before any RDF parser sees it: size, depth, prefixes, document types.

Every pattern here matches without giving back, so the scan is linear in the body whatever it holds; parsers are not.
"""

import re
from itertools import accumulate
from typing import ClassVar

from vault.errors import VaultError

TURTLE = "text/turtle"
JSON_LD = "application/ld+json"
N_TRIPLES = "application/n-triples"
RDF_XML = "application/rdf+xml"

MAX_BYTES = dict.fromkeys((TURTLE, JSON_LD, N_TRIPLES, RDF_XML), 4 * 1024 * 1024)
MAX_DEPTH = 64
MAX_PREFIXES = 1000

# An unclosed string, IRI or comment runs to its natural end: the parser refuses it, the scan must only not be fooled.
_TURTLE_OPAQUE = re.compile(
    rb'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?'
    rb"|'''(?:[^'\\]|\\.|'(?!''))*+(?:''')?"
    rb'|"(?:[^"\\\r\n]|\\.)*+"?'
    rb"|'(?:[^'\\\r\n]|\\.)*+'?"
    rb'|<(?!<)[^<>"{}|^`\s]*+>?'
    rb"|\#[^\r\n]*+"
    rb"|\\.",
    re.DOTALL,
)
_JSON_OPAQUE = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_XML_OPAQUE = re.compile(rb"<!--(?:.*?-->|.*)|<!\[CDATA\[(?:.*?\]\]>|.*)|<\?(?:.*?\?>|.*)", re.DOTALL)
_XML_TAG = re.compile(rb"</|<(?:[^<>\"']|\"[^\"]*+\"?|'[^']*+'?)*+>?")
_PREFIX = re.compile(rb"(?:^|[\s.>])@?prefix\s", re.IGNORECASE)
_DOCUMENT_TYPE = re.compile(rb"<!(?!--|\[CDATA\[)")
_STEP = [1 if byte in b"[({" else -1 if byte in b"])}" else 0 for byte in range(256)]
_NOT_BRACKETS = bytes(byte for byte in range(256) if not _STEP[byte])


class BadRdf(VaultError):
    """A body that is not the RDF it says it is, or more than we read. `reason` is a stable word, `line` counts from 1.

    Reasons: too_large, too_deep, too_many_prefixes, document_type, not_utf8, syntax, duplicate_name, unknown_context,
    context_form, named_graph, triple_term, unknown_media, too_costly, busy.
    """

    code: ClassVar[str] = "bad_rdf"

    def __init__(self, reason: str, detail: str = "", line: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail[:300]
        self.line = line


def scan(body: bytes, media: str) -> None:
    """Refuse what could hurt a parser of `media`. Linear time; raises BadRdf, says nothing about syntax."""
    if media not in MAX_BYTES:
        raise BadRdf("unknown_media", media)
    if len(body) > MAX_BYTES[media]:
        raise BadRdf("too_large", f"at most {MAX_BYTES[media]} bytes of {media}")
    _refuse_other_encodings(body)
    {TURTLE: _scan_turtle, N_TRIPLES: _scan_turtle, JSON_LD: _scan_json, RDF_XML: _scan_xml}[media](body)


def _refuse_other_encodings(body: bytes) -> None:
    if b"\x00" in body:
        raise BadRdf("not_utf8", "a NUL byte")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRdf("not_utf8", f"byte {error.start}", body.count(b"\n", 0, error.start) + 1) from None


def _scan_turtle(body: bytes) -> None:
    bare = _TURTLE_OPAQUE.sub(b" ", body)
    if b"<<" in bare or b"{" in bare:
        raise BadRdf("triple_term", "statements about statements are not taken")
    if len(_PREFIX.findall(bare)) > MAX_PREFIXES:
        raise BadRdf("too_many_prefixes", f"at most {MAX_PREFIXES}")
    _refuse_deep(bare)


def _scan_json(body: bytes) -> None:
    _refuse_deep(_JSON_OPAQUE.sub(b"", body))


def _refuse_deep(bare: bytes) -> None:
    brackets = bare.translate(None, _NOT_BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise BadRdf("too_deep", f"at most {MAX_DEPTH} levels")


def _scan_xml(body: bytes) -> None:
    if _DOCUMENT_TYPE.search(body):
        raise BadRdf("document_type", "document types and entities are not read")
    steps = (_xml_step(tag) for tag in _XML_TAG.findall(_XML_OPAQUE.sub(b"", body)))
    if max(accumulate(steps), default=0) > MAX_DEPTH:
        raise BadRdf("too_deep", f"at most {MAX_DEPTH} levels")


def _xml_step(tag: bytes) -> int:
    if tag == b"</":
        return -1
    return 0 if tag.endswith(b"/>") else 1
