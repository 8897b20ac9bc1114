"""A document's statements by subject and predicate, for readers of access documents: a literal never passes for a name.

`"http://an.example/#me"` in quotes names nobody, however much it looks like a WebID.
"""

from collections import defaultdict
from collections.abc import Iterable

from vault.solid.rdf import Blank, Statement

TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
MEMBER = "http://www.w3.org/2006/vcard/ns#hasMember"
_WORDS = {f"http://www.w3.org/2000/01/rdf-schema#{name}" for name in ("label", "comment", "seeAlso")}


class Graph:
    """What a document says. Blank nodes are names here: `_:b0`."""

    def __init__(self, found: Iterable[Statement]) -> None:
        self._said: dict[str, dict[str, list[Statement]]] = defaultdict(lambda: defaultdict(list))
        for statement in found:
            self._said[statement.subject][statement.predicate].append(statement)

    def subjects(self) -> list[str]:
        """Everything that something is said about."""
        return list(self._said)

    def predicates(self, subject: str) -> set[str]:
        """What is said about a subject, without its type and words for people."""
        return self._said[subject].keys() - _WORDS - {TYPE} if subject in self._said else set()

    def named(self, subject: str, predicate: str) -> frozenset[str]:
        """The objects that are IRIs or blank nodes."""
        return frozenset(s.object for s in self._found(subject, predicate) if _name(s))

    def literals(self, subject: str, predicate: str) -> frozenset[str]:
        """The objects that are literals, by their text."""
        return frozenset(s.object for s in self._found(subject, predicate) if not _name(s))

    def members(self) -> dict[str, frozenset[str]]:
        """The groups described here (`vcard:hasMember`) that have an IRI, and the IRIs of their members."""
        groups = (subject for subject, said in self._said.items() if MEMBER in said and not subject.startswith("_:"))
        return {group: frozenset(s.object for s in self._found(group, MEMBER) if s.iri) for group in groups}

    def _found(self, subject: str, predicate: str) -> list[Statement]:
        return self._said[subject].get(predicate, []) if subject in self._said else []


def _name(said: Statement) -> bool:
    return said.iri or isinstance(said.object, Blank)
