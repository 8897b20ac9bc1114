"""In which ways patterns fit a graph: none, one, or more than one. Nothing else is asked of them.

A few patterns can fit in more ways than can be tried, so the work is bounded, not the size of what is given: every
statement that is held against a pattern is counted.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import pyoxigraph as ox

MOST_WORK = 100_000
"""Statements held against patterns for one question; about a quarter of a second."""
ENOUGH = 2

Term = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple
Bindings = dict[Term, Term]
_Statement = tuple[Term, Term, Term]


class TooMuchWork(Exception):
    """More than `MOST_WORK` statements would have to be looked at."""


def fits(where: Sequence[ox.Triple], graph: Iterable[ox.Triple], is_variable: Callable[[Term], bool]) -> list[Bindings]:
    """At most two different ways to give the variables of `where` a value so that all of it is in the graph.

    Blank nodes in `where` stand for anything too, but their values make no difference. Raises TooMuchWork.
    """
    search = _Search([_parts(one) for one in graph], is_variable)
    search.go([_parts(one) for one in where], {})
    return search.found


class _Search:
    """One depth-first search: the pattern with the fewest candidates first, until two ways are found."""

    def __init__(self, statements: list[_Statement], is_variable: Callable[[Term], bool]) -> None:
        self.found: list[Bindings] = []
        self._is_variable, self._work = is_variable, 0
        self._all = statements
        self._known = set(statements)
        self._by: tuple[dict[Term, list[_Statement]], ...] = (defaultdict(list), defaultdict(list), defaultdict(list))
        for statement in statements:
            for index, term in zip(self._by, statement, strict=True):
                index[term].append(statement)

    def go(self, left: list[_Statement], bound: Bindings) -> None:
        """Bind what is left, in every way, until there is enough."""
        if not left:
            self._keep(bound)
            return
        best = min(range(len(left)), key=lambda place: self._few(left[place], bound))
        pattern, others = left[best], left[:best] + left[best + 1 :]
        for statement in self._candidates(pattern, bound):
            self._count(1)
            more = self._bind(pattern, statement, bound)
            if more is not None:
                self.go(others, bound | more)
            if len(self.found) == ENOUGH:
                return

    def _keep(self, bound: Bindings) -> None:
        told = {name: value for name, value in bound.items() if self._is_variable(name)}
        if told not in self.found:
            self.found.append(told)

    def _few(self, pattern: _Statement, bound: Bindings) -> int:
        self._count(1)
        return len(self._candidates(pattern, bound))

    def _candidates(self, pattern: _Statement, bound: Bindings) -> Sequence[_Statement]:
        """The shortest list that every statement which fits the pattern is in."""
        lists: list[Sequence[_Statement]] = [self._all]
        for index, term in zip(self._by, pattern, strict=True):
            value = bound.get(term, term)
            if not self._open(value):
                lists.append(index.get(value, ()))
        if len(lists) == len(pattern) + 1:
            whole = tuple(bound.get(term, term) for term in pattern)
            return (whole,) if whole in self._known else ()
        return min(lists, key=len)

    def _bind(self, pattern: _Statement, statement: _Statement, bound: Bindings) -> Bindings | None:
        """What this statement would give the pattern's open places, None if it does not fit."""
        more: Bindings = {}
        for term, value in zip(pattern, statement, strict=True):
            if self._open(term):
                if bound.get(term, more.setdefault(term, value)) != value:
                    return None
            elif term != value:
                return None
        return more

    def _open(self, term: Term) -> bool:
        return isinstance(term, ox.BlankNode) or self._is_variable(term)

    def _count(self, steps: int) -> None:
        self._work += steps
        if self._work > MOST_WORK:
            raise TooMuchWork


def _parts(triple: ox.Triple) -> _Statement:
    return triple.subject, triple.predicate, triple.object
