"""An access document of either language as it is stored: what it says of its resource, and of what lies below.

A document is read for what it is, whatever language the server speaks today, so that lists stored before a change of
`KLUIS_ACCESS` go on meaning what they meant.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from vault.solid import acp, wac
from vault.solid.acr import write_acr
from vault.solid.graph import Graph
from vault.solid.policy import Policy
from vault.solid.rdf import TURTLE, BadRdf, statements

Language = Literal["wac", "acp"]


@dataclass(frozen=True)
class Document:
    """The policies for its own resource, and those for what lies below it.

    A WAC list stands `alone`: it takes the place of what stands above it. The policies of ACP add to those above
    (ACP 6.2), unless their document says `kluis:alone true`, as one does that was made from a list.
    """

    language: Language
    own: tuple[Policy, ...]
    below: tuple[Policy, ...]
    alone: bool = True

    @cached_property
    def groups(self) -> frozenset[str]:
        """The groups that it names."""
        return frozenset().union(*(policy.groups for policy in self.own + self.below))


def read_document(body: bytes, target: str) -> Document:
    """The access document (Turtle) of the resource `target`, an absolute IRI. Raises BadRdf."""
    return _document(Graph(statements(body, TURTLE, target + ".acl")), target)


def _document(graph: Graph, target: str) -> Document:
    if acp.speaks(graph):
        return Document("acp", *acp.read_acr(graph, target), alone=acp.alone(graph, target))
    rules = wac.read_acl(graph)
    return Document("wac", wac.policies(rules, False, target), wac.policies(rules, True, target))


def accepted(body: bytes, target: str, language: Language) -> Document:
    """The document, if it is one that a server of this language stores. Raises BadRdf (other_language, elsewhere)."""
    graph = Graph(statements(body, TURTLE, target + ".acl"))
    document = _document(graph, target)
    if document.language != language:
        raise BadRdf("other_language", f"access to this pod is written in {language.upper()}")
    if language == "acp" and acp.elsewhere(graph, target):
        raise BadRdf("elsewhere", "policies and matchers are described in the document that applies them")
    return document


def told(stored: bytes | None, target: str, language: Language) -> bytes | None:
    """What a reader of this language is shown of the resource `target`. In ACP every resource has a document.

    A list that was stored in WAC is put into ACP's words; the other way round nothing can be said, and it stands as is.
    """
    if language == "wac":
        return stored
    if stored is None:
        return write_acr((), (), target, alone=False)
    document = read_document(stored, target)
    return stored if document.language == "acp" else write_acr(document.own, document.below, target, alone=True)


def links(language: Language, method: str) -> list[str]:
    """The `Link` values of an access document: what may stand in it (WAC 3.2; ACP 7.2)."""
    if language == "wac":
        return [f'<{kind}>; rel="{wac.CONDITION}"' for kind in wac.CONDITIONS]
    offers = [f'<{iri}>; rel="{acp.GRANT}"' for iri in acp.MODE_IRIS]
    offers += [f'<{iri}>; rel="{acp.ATTRIBUTE}"' for iri in acp.ATTRIBUTES]
    return [f'<{acp.RESOURCE}>; rel="type"', *(offers if method == "OPTIONS" else ())]


def policies_at(documents: Iterable[tuple[str, Document]], path: str) -> tuple[Policy, ...]:
    """What counts at `path`, given the documents at and above it with their paths, the nearest first.

    `path` is where they begin or the container above. A document of a resource nearer than `path` does not count.
    """
    found: list[Policy] = []
    for place, document in documents:
        if not path.startswith(place):
            continue
        found += document.own if place == path else document.below
        if document.alone:
            break
    return tuple(found)
