"""The decision itself: terms and one request in, ``Allowed`` or ``Refusal`` out. Pure; unknown means refuse.

State (epoch, uses, withdrawal) belongs to the gate; what stands here is everything the terms alone can answer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from consent import categories, special
from consent.schema import RAR_TYPE
from consent.terms import Datum, Terms

Code = Literal["expired", "purpose", "action", "category", "derived_only", "answer", "resource", "container", "mode"]
WRITES: Final = frozenset({"append", "write", "delete"})
_SOLID_NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "read": frozenset({"read"}),
    "list": frozenset({"read"}),
    "append": frozenset({"append", "write"}),
    "write": frozenset({"write"}),
    "delete": frozenset({"write"}),
    "control": frozenset({"control"}),
}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: an action on a category, perhaps on one pod path or one derived answer.

    ``purpose_header`` is the ``Kluis-Purpose`` header, ``None`` if absent. ``list`` reads a container. ``managed``: the
    citizen put this compartment under the custodian, whatever the registry says of its category.
    """

    action: str
    category: str
    path: str | None = None
    answer: str | None = None
    purpose_header: str | None = None
    managed: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, within ``datum``: its fields, resources, window and since still bind the answer.

    ``datum`` is ``None`` for solid terms only: there access control on the resource decides further.
    """

    datum: Datum | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """No: a stable code, and what a client would have to ask for; never whether anything is there."""

    code: Code
    hint: Mapping[str, object]


def decide(terms: Terms, ask: Ask, now: datetime) -> Allowed | Refusal:
    """Whether ``terms`` cover ``ask`` at ``now`` (aware). Equal to the end is past it."""
    if now.timestamp() * 1000 >= terms.expires:
        return _refuse("expired", ask)
    if ask.purpose_header is not None and ask.purpose_header != terms.purpose_code:
        return _refuse("purpose", ask)
    return _solid(terms, ask) if terms.kind == "solid" else _rar(terms, ask)


def decide_all(terms: Terms, ask: Ask, actions: Iterable[str], now: datetime) -> Allowed | Refusal:
    """The same for several actions at once: the first refusal, else what the last of them is allowed."""
    said = [decide(terms, replace(ask, action=action), now) for action in actions]
    return next((one for one in said if isinstance(one, Refusal)), said[-1])


def hint(category: str, action: str = "read") -> dict[str, object]:
    """The smallest authorization detail that would be needed, from the public registry only."""
    return {"type": RAR_TYPE, "actions": [action], "datatypes": [{"category": category}]}


def _rar(terms: Terms, ask: Ask) -> Allowed | Refusal:
    if ask.answer is not None or ask.category == "kluis:Answers":
        return _answer(terms, ask)
    action = "read" if ask.action == "list" else ask.action
    if action not in terms.actions:
        return _refuse("action", ask)
    rows = [datum for datum in terms.data if datum.category == ask.category and not special.closed(terms, datum)]
    if not rows:
        return _refuse("category", ask)
    direct = [datum for datum in rows if datum.derived is None]
    if not direct:
        return _refuse("derived_only", ask)
    return _direct(_together(direct), ask)


def _direct(datum: Datum, ask: Ask) -> Allowed | Refusal:
    kind = categories.CATEGORIES.get(datum.category)
    if kind is None:
        return _refuse("category", ask)
    if ask.action in WRITES and not (kind.app_writes and datum.fields is None):
        return _refuse("action", ask)
    if ask.path is not None and categories.category_at(ask.path) != kind:
        return _refuse("category", ask)
    if ask.path is not None and datum.resources is not None and ask.path not in datum.resources:
        return _refuse("resource", ask)
    return Allowed(datum)


def _together(rows: list[Datum]) -> Datum:
    """One datum that means all of ``rows``; they share their limits (``consent.request`` sees to it).

    If stored terms break that rule, only the first row counts: less is safe.
    """
    first = rows[0]
    alike = [r for r in rows if (r.window, r.since, r.resources) == (first.window, first.since, first.resources)]
    if any(row.fields is None for row in alike):
        return replace(first, fields=None)
    return replace(first, fields=tuple(dict.fromkeys(name for row in alike for name in row.fields or ())))


def _answer(terms: Terms, ask: Ask) -> Allowed | Refusal:
    """A derived answer: read by name, or by the path at which it is stored; never listed, never written."""
    if ask.action != "read" or not {"read", "derive"} & set(terms.actions):
        return _refuse("action", ask)
    if ask.answer is None and ask.path is None:
        return _refuse("answer", ask)
    for datum in terms.data:
        if datum.derived is not None and _names(datum, ask) and not special.closed(terms, datum):
            return Allowed(datum)
    return _refuse("answer", ask)


def _names(datum: Datum, ask: Ask) -> bool:
    if datum.category not in categories.CATEGORIES or ask.category not in (datum.category, "kluis:Answers"):
        return False
    by_name = ask.answer is None or ask.answer == datum.derived
    return by_name and (ask.path is None or ask.path == datum.answer_path)


def _solid(terms: Terms, ask: Ask) -> Allowed | Refusal:
    if ask.path is None or ask.answer is not None:
        return _refuse("container", ask)
    kind = categories.category_at(ask.path)
    if not (kind.custody == "managed" or ask.managed) or ask.category != kind.curie or kind.special:
        return _refuse("category", ask)  # for what is special nobody was asked, wherever it lies
    if not _inside(ask.path, terms.containers):
        return _refuse("container", ask)
    if not _SOLID_NEEDS.get(ask.action, frozenset()) & set(terms.modes):
        return _refuse("mode", ask)
    return Allowed(None)


def _inside(path: str, containers: tuple[str, ...]) -> bool:
    """Whether ``path`` lies in a granted container; ``/`` grants everything managed in the pod."""
    return any(path.startswith(container) and container.endswith("/") for container in containers)


def _refuse(code: Code, ask: Ask) -> Refusal:
    return Refusal(code, hint(ask.category, "read" if ask.action == "list" else ask.action))
