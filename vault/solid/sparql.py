"""The SPARQL Updates that Solid clients send: INSERT DATA, DELETE DATA, and DELETE/INSERT with a plain WHERE.

They mean here what an N3 Patch means: `WHERE` fits in exactly one way, and what is deleted is there. Nothing else of
SPARQL is taken: nothing is loaded, no other graph is named, no service is asked.
"""

import re
from itertools import takewhile

import pyoxigraph as ox

from vault.solid.formulae import Part, Text, declarations, statements, undeclared
from vault.solid.patch import BadPatch, Patch, checked
from vault.solid.scan import BadRdf

_IRI = re.compile(r"<[^<>\s]*+>")
_WORD = re.compile(r"[A-Za-z]++|\S")
_BEYOND = re.compile(
    r"(?<![\w:.\-@])(?:FILTER|BIND|VALUES|OPTIONAL|MINUS|UNION|GRAPH|SERVICE|EXISTS|SELECT|UNDEF)(?![\w:\-])"
    r"|[|!/*]|(?<!\^)\^(?!\^)|\+(?![\d.])|\?(?!\w)",
    re.IGNORECASE,
)
_KNOWN = {"LOAD", "CLEAR", "DROP", "CREATE", "ADD", "MOVE", "COPY", "WITH", "USING", "INSERT", "DELETE", "WHERE"}
_Statements = tuple[ox.Triple, ...]


def read(body: bytes, base: str) -> Patch:
    """The patch in a SPARQL Update, relative names resolved against `base`. Raises BadRdf for what is none, BadPatch.

    A DELETE DATA and an INSERT DATA may follow each other; an operation with WHERE stands alone. One without any
    operation is an update too (SPARQL 1.1 grammar, rule 29), which changes nothing.
    """
    document = Text(body)
    update = _Update(base)
    for outside, inside in zip(document.parts[::2], [*document.parts[1::2], None], strict=True):
        update.take(outside, inside)
    return checked(update.patch(document.mark))


class _Update:
    """The operations read so far."""

    def __init__(self, base: str) -> None:
        self._base, self._head = base, ""
        self._data: list[tuple[str, _Statements]] = []
        self._modify: dict[str, _Statements] = {}
        self._closed = False

    def take(self, outside: Part, inside: Part | None) -> None:
        """The words before a pair of braces and what stands in it; None after the last pair."""
        self._head += declarations(outside.bare)
        words = [word.upper() for word in _WORD.findall(_IRI.sub(" <> ", undeclared(outside.bare)))]
        stops = len(list(takewhile(";".__eq__, words)))
        if stops:
            self._close(outside)
        del words[:stops]
        if inside is None:
            self._end(words, stops, outside)
            return
        said = self._read(inside)
        match words:
            case ["INSERT" | "DELETE" as verb, "DATA"]:
                self._data.append((verb, said))
            case ["DELETE"] if not self._modify:
                self._modify["DELETE"] = said
            case ["INSERT"] if "INSERT" not in self._modify and not self._closed:
                self._modify["INSERT"] = said
            case ["WHERE"] | [] if self._modify and not self._closed:
                self._modify["WHERE"], self._closed = said, True
            case _:
                raise _refused(words, outside)

    def patch(self, mark: str) -> Patch:
        """All of it as one patch."""
        if self._modify:
            if "WHERE" not in self._modify:
                raise BadRdf("syntax", "an operation without WHERE")
            if self._data:
                raise BadPatch("unsupported", "an operation with WHERE beside others")
            where, deletes, inserts = (self._modify.get(name, ()) for name in ("WHERE", "DELETE", "INSERT"))
            return Patch(where, deletes, inserts, mark)
        return Patch((), self._all("DELETE"), self._inserted(), mark)

    def _all(self, verb: str) -> _Statements:
        return tuple(statement for said, group in self._data if said == verb for statement in group)

    def _inserted(self) -> _Statements:
        """What comes; refused if a later operation deletes it again, for a patch deletes first."""
        come: set[ox.Triple] = set()
        for verb, group in self._data:
            if verb == "DELETE" and not come.isdisjoint(group):
                raise BadPatch("order", "what is inserted is deleted again")
            come.update(group if verb == "INSERT" else ())
        return self._all("INSERT")

    def _close(self, outside: Part) -> None:
        if self._modify and not self._closed:
            raise BadRdf("syntax", "an operation without WHERE", outside.line)

    def _end(self, words: list[str], stops: int, outside: Part) -> None:
        if words:
            raise _refused(words, outside)
        if stops and not (self._data or self._modify):
            raise BadRdf("syntax", "a separator with no operation before it", outside.line)

    def _read(self, inside: Part) -> _Statements:
        beyond = _BEYOND.search(_IRI.sub(" ", inside.bare))
        if beyond:
            raise BadPatch("unsupported", f"{beyond[0]}: only plain statements stand between braces")
        return statements(inside, self._head, self._base)


def _refused(words: list[str], outside: Part) -> BadRdf | BadPatch:
    word = next((word for word in words if word in _KNOWN), None)
    if word is None:
        return BadRdf("syntax", f"{' '.join(words)[:100]} is no operation", outside.line)
    told = " ".join(words)[:100] or word
    return BadPatch("unsupported", f"{told}: only INSERT DATA, DELETE DATA and DELETE/INSERT with WHERE")
