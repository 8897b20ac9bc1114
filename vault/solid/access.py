"""An access document of either language as it is stored: what it says of its resource, and of what lies below.

A document is read for what it is, whatever language the server speaks today, so that lists stored before a change of
`KLUIS_ACCESS` go on meaning what they meant.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from vault.solid import acp, wac
from vault.solid.graph import Graph
from vault.solid.policy import Policy
from vault.solid.rdf import TURTLE, statements

Language = Literal["wac", "acp"]


@dataclass(frozen=True, slots=True)
class Document:
    """The policies for its own resource, and those for what lies below it.

    A WAC list takes the place of what stands above it; the policies of ACP add to those above (ACP 6.2).
    """

    language: Language
    own: tuple[Policy, ...]
    below: tuple[Policy, ...]


def read_document(body: bytes, target: str) -> Document:
    """The access document (Turtle) of the resource `target`, an absolute IRI. Raises BadRdf."""
    graph = Graph(statements(body, TURTLE, target + ".acl"))
    if acp.speaks(graph):
        return Document("acp", *acp.read_acr(graph, target))
    rules = wac.read_acl(graph)
    return Document("wac", wac.policies(rules, False, target), wac.policies(rules, True, target))


def policies_at(documents: Iterable[tuple[str, Document]], path: str) -> tuple[Policy, ...]:
    """What counts at `path`, given the documents at and above it with their paths, the nearest first.

    `path` is where they begin or the container above. A document of a resource nearer than `path` does not count.
    """
    found: list[Policy] = []
    for place, document in documents:
        if not path.startswith(place):
            continue
        found += document.own if place == path else document.below
        if document.language == "wac":
            break
    return tuple(found)
