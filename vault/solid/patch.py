"""A patch as a value: what must be there, what goes, what comes; and how it changes a graph.

Solid Protocol `server-patch-n3-semantics`: `where` must fit the graph in exactly one way and everything that goes must
be there; then it goes, and then the rest comes. N3 Patch and the SPARQL Updates of other clients both become this.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import pyoxigraph as ox

from vault.errors import VaultError
from vault.solid.match import Bindings, Term, TooMuchWork, fits

MOST_STATEMENTS = 10_000
MOST_PATTERNS = 100


class BadPatch(VaultError):
    """A patch that can be read but is none that is applied here (422). `reason` is a stable word.

    Reasons: no_patch, several_patches, twice, no_formula, nested, stray_formula, variable, blank_node, too_large,
    too_much_work, not_a_statement, unsupported, order.
    """

    code: ClassVar[str] = "bad_patch"

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail[:300]


class Unmet(VaultError):
    """What a patch counts on is not so (409). `reason` is no_match, several_matches or missing."""

    code: ClassVar[str] = "patch_unmet"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Patch:
    """What must be there, what goes and what comes. IRIs that begin with `mark` are variables.

    Blank nodes in `where` stand for anything; in `inserts` (SPARQL only) for something new; `deletes` has none.
    """

    where: tuple[ox.Triple, ...]
    deletes: tuple[ox.Triple, ...]
    inserts: tuple[ox.Triple, ...]
    mark: str

    @property
    def empty(self) -> bool:
        """Whether it changes nothing, whatever it is applied to."""
        return not (self.where or self.deletes or self.inserts)

    @property
    def modes(self) -> frozenset[str]:
        """The modes it needs on what it changes (`server-n3-patch-where`); append always, or it would need nothing."""
        wanted = {"append"}
        if self.where or self.deletes:
            wanted.add("read")
        if self.deletes:
            wanted.add("write")
        return frozenset(wanted)


def checked(patch: Patch) -> Patch:
    """The same patch, if it keeps the rules that need no graph. Raises BadPatch."""
    if len(patch.where) > MOST_PATTERNS:
        raise BadPatch("too_large", f"at most {MOST_PATTERNS} patterns")
    if len(patch.deletes) + len(patch.inserts) > MOST_STATEMENTS:
        raise BadPatch("too_large", f"at most {MOST_STATEMENTS} statements")
    known = _variables(patch.where, patch.mark)
    if not _variables((*patch.deletes, *patch.inserts), patch.mark) <= known:
        raise BadPatch("variable", "one that `where` does not have")
    if any(isinstance(term, ox.BlankNode) for term in _terms(patch.deletes)):
        raise BadPatch("blank_node", "what goes has to be named")
    return patch


def apply(patch: Patch, graph: Iterable[ox.Triple]) -> list[ox.Triple]:
    """The graph after the patch, what is new at the end. Raises Unmet, BadPatch("too_much_work", "not_a_statement")."""
    kept = dict.fromkeys(graph)
    found = _only(patch, kept)
    going = [_filled(triple, found) for triple in patch.deletes]
    if any(statement not in kept for statement in going):
        raise Unmet("missing")
    for statement in going:
        kept.pop(statement, None)
    fresh: Bindings = {term: ox.BlankNode() for term in _terms(patch.inserts) if isinstance(term, ox.BlankNode)}
    return list(kept | dict.fromkeys(_filled(triple, found | fresh) for triple in patch.inserts))


def _only(patch: Patch, graph: Iterable[ox.Triple]) -> Bindings:
    try:
        found = fits(patch.where, graph, lambda term: isinstance(term, ox.NamedNode) and _is(term, patch.mark))
    except TooMuchWork:
        raise BadPatch("too_much_work", "`where` fits in too many ways to try them all") from None
    if len(found) != 1:
        raise Unmet("several_matches" if found else "no_match")
    return found[0]


def _filled(triple: ox.Triple, found: Bindings) -> ox.Triple:
    terms = (found.get(term, term) for term in (triple.subject, triple.predicate, triple.object))
    try:
        return ox.Triple(*terms)  # type: ignore[arg-type]
    except TypeError:
        raise BadPatch("not_a_statement", "a variable stands where its value cannot") from None


def _terms(triples: Iterable[ox.Triple]) -> set[Term]:
    return {term for one in triples for term in (one.subject, one.predicate, one.object)}


def _variables(triples: Iterable[ox.Triple], mark: str) -> set[Term]:
    return {term for term in _terms(triples) if isinstance(term, ox.NamedNode) and _is(term, mark)}


def _is(term: ox.NamedNode, mark: str) -> bool:
    return term.value.startswith(mark)
