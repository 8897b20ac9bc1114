"""Braces and variables, which Turtle has not: a text is taken apart so that a Turtle parser can read every piece.

What stands between braces becomes a piece of its own and a variable an IRI, in text only: never inside a literal, an
IRI or a comment. The IRIs begin with a hash of the whole text, so that nothing in it can be mistaken for one of them.
Linear time: every pattern matches without giving back.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b

import pyoxigraph as ox

from vault.solid.patch import BadPatch
from vault.solid.rdf import TURTLE, graph
from vault.solid.scan import BadRdf

LARGEST = 1024 * 1024
"""Bytes of a patch document."""
MOST_PARTS = 200

# An unclosed string runs to its natural end, as in `scan`: the parser refuses it, nothing here is fooled by it.
_PIECE = re.compile(
    r'(?P<literal>"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?'
    r"|'''(?:[^'\\]|\\.|'(?!''))*+(?:''')?"
    r'|"(?:[^"\\\r\n]|\\.)*+"?'
    r"|'(?:[^'\\\r\n]|\\.)*+'?"
    r"|\\.)"
    r'|(?P<iri><[^<>"{}|^`\s]*+>)'
    r"|(?P<comment>\#[^\r\n]*+)"
    r"|(?P<variable>(?<![\w:%\-])[?$][A-Za-z_][A-Za-z0-9_]*+)"
    r"|(?P<brace>[{}])",
    re.DOTALL,
)
_DOTS = re.compile(r"\.(?:\s*+\.)++")
_DECLARED = re.compile(
    r"(?<![\w:])@?prefix\s++([^\s<>:\"]*+:)\s*+(<[^<>\s]*+>)(?:\s*+\.)?|(?<![\w:])@?base\s++(<[^<>\s]*+>)(?:\s*+\.)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of text outside braces, or what stands between two of them (`inside`), and the line it begins on.

    `bare` is the text without literals, comments and variables.
    """

    text: str
    bare: str
    inside: bool
    line: int


class Text:
    """A document of a language with braces. Raises BadRdf (too_large, not_utf8, syntax), BadPatch (nested, too_large).

    `parts` begin and end outside; every other one is inside. Variables are IRIs that begin with `mark`.
    """

    def __init__(self, body: bytes) -> None:
        if len(body) > LARGEST:
            raise BadRdf("too_large", f"a patch has at most {LARGEST} bytes")
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadRdf("not_utf8", f"byte {error.start}", body.count(b"\n", 0, error.start) + 1) from None
        if "\0" in text:
            raise BadRdf("not_utf8", "a NUL byte")
        name = blake2b(body, digest_size=16, person=b"kluis patch").hexdigest()
        self.mark, self.place = f"urn:kluis:{name}:variable:", f"urn:kluis:{name}:formula:"
        self.parts = _parts(text, self.mark)


def declarations(bare: str) -> str:
    """The prefixes and bases in a text, a line each, as Turtle writes them."""
    found = _DECLARED.findall(bare)
    return "".join(f"@base {base} .\n" if base else f"@prefix {name} {iri} .\n" for name, iri, base in found)


def undeclared(bare: str) -> str:
    """A text without its prefixes and bases."""
    return _DECLARED.sub(" ", bare)


def statements(part: Part, head: str, base: str) -> tuple[ox.Triple, ...]:
    """The statements of a part under the declarations in `head`; its last full stop may lack. Raises BadRdf."""
    text = "" if not part.text.strip(" \t\r\n.") else part.text + (" ." if part.inside else "")
    read = f"{head}\n{_stopped(text)}\n".encode()
    try:
        return tuple(graph(read, TURTLE, base))
    except BadRdf as error:
        # Told by the line of the document, not by that of the piece.
        line = None if error.line is None else max(1, error.line - head.count("\n") - 2 + part.line)
        raise BadRdf(error.reason, error.detail, line) from None


def _parts(text: str, mark: str) -> list[Part]:
    found: list[Part] = []
    read: list[str] = []
    bare: list[str] = []
    line = begin = 1
    last = 0
    for token in _PIECE.finditer(text):
        gap, said, kind = text[last : token.start()], token[0], token.lastgroup
        read.append(gap)
        bare.append(gap)
        line += gap.count("\n") + said.count("\n")
        last = token.end()
        if kind == "brace":
            inside = len(found) % 2 == 1
            _expect(said, inside, line, len(found))
            found.append(Part("".join(read), "".join(bare), inside, begin))
            read, bare, begin = [], [], line
        elif kind != "comment":
            read.append(f"<{mark}{said[1:]}>" if kind == "variable" else said)
            bare.append(said if kind == "iri" else '"' if kind == "literal" else " ")
    if len(found) % 2:
        raise BadRdf("syntax", "a closing brace is missing", line)
    return [*found, Part("".join(read) + text[last:], "".join(bare) + text[last:], inside=False, line=begin)]


def _expect(brace: str, inside: bool, line: int, count: int) -> None:
    if brace == "{" and inside:
        raise BadPatch("nested", f"braces inside braces in line {line}")
    if brace == "}" and not inside:
        raise BadRdf("syntax", "a closing brace without an opening one", line)
    if count > MOST_PARTS:
        raise BadPatch("too_large", f"at most {MOST_PARTS // 2} pairs of braces")


def _stopped(text: str) -> str:
    """The text with one full stop where several follow each other: some clients send them."""
    kept, last = [], 0
    for token in _PIECE.finditer(text):
        kept += [_single(text[last : token.start()]), token[0]]
        last = token.end()
    return "".join([*kept, _single(text[last:])])


def _single(gap: str) -> str:
    """One full stop for a row of them, unless it is inside a name such as `ex:a..b`."""

    def stop(found: re.Match[str]) -> str:
        after = gap[found.end() : found.end() + 1]
        lines = "\n" * found[0].count("\n")
        return found[0] if after and not after.isspace() else f".{lines}"

    return _DOTS.sub(stop, gap)
