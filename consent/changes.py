"""What a new version of a grant would change, row by row: pure, so that the page marks exactly what the model says.

Replacing and merging never leave the purpose, the controller or the legal basis of the grant: another purpose is
another grant. A row keeps the fields it names, so that fields a later version of a shape brings are not gained.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from consent.errors import OAuthError
from consent.oauth.management import Action
from consent.request import choose, consistent
from consent.terms import Datum, Terms

Mark = Literal["added", "removed", "changed", "same"]
_SAME_PURPOSE: Final = ("client", "controller", "purpose_code", "legal_basis", "kind")
_SAME_WORDS: Final = ("purpose_version", "purpose_text", "mode")
_PLACES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("how-long", ("expires", "mode", "max_uses", "max_per_day")),
    ("why", ("purpose_version", "purpose_text")),
    ("doing", ("actions",)),
    ("where", ("storage", "retention")),
    ("who-else", ("recipients",)),
    ("automated", ("automated", "processing")),
)
"""What else of an agreement a page marks: the name of its place there, and the terms that stand in it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the old or the new version, and what happens to it."""

    datum: Datum
    mark: Mark


def proposed(before: Terms, asked: Terms, action: Action) -> Terms:
    """What would hold if everything that is asked were allowed.

    Raises ``OAuthError`` ``invalid_authorization_details`` for another purpose, or if rows would contradict.
    """
    alike = _SAME_PURPOSE if action == "replace" else (*_SAME_PURPOSE, *_SAME_WORDS)
    if any(getattr(before, name) != getattr(asked, name) for name in alike) or asked.pod not in ("", before.pod):
        raise OAuthError("invalid_authorization_details", "A grant for another purpose is another grant.")
    asked = replace(asked, pod=before.pod)
    if action == "replace":
        return asked
    named = {datum.key for datum in asked.data}
    data = (*(datum for datum in before.data if datum.key not in named), *asked.data)
    consistent(data)
    return replace(asked, data=data, actions=tuple(dict.fromkeys((*before.actions, *asked.actions))))


def rows(before: Terms, after: Terms) -> tuple[Row, ...]:
    """Every row of both versions, those that stay or come first, in the order of the new version."""
    old, new = {datum.key: datum for datum in before.data}, {datum.key for datum in after.data}
    kept = (Row(datum, _mark(old.get(datum.key), datum)) for datum in after.data)
    return (*kept, *(Row(datum, "removed") for datum in before.data if datum.key not in new))


def facts(before: Terms, after: Terms) -> tuple[str, ...]:
    """The places of the page, other than rows of data, of which something changes."""
    return tuple(
        place for place, names in _PLACES if any(_value(before, name) != _value(after, name) for name in names)
    )


def decided(
    before: Terms, after: Terms, action: Action, ticked: set[str], duration: str | None, now: datetime
) -> Terms:
    """What the citizen allows: rows that stay, required new ones, and the optional new ones she ticked.

    An optional row that would change and is not ticked stays as it was when merging, and goes when replacing.
    Raises ``BadChoice`` as ``consent.request.choose`` does.
    """
    stays = {row.datum.key for row in rows(before, after) if row.mark == "same"}
    settled = replace(after, data=tuple(_needed(datum) if datum.key in stays else datum for datum in after.data))
    chosen = choose(settled, ticked - stays, duration, now)  # a special row is ticked also where it stays
    kept = {datum.key for datum in chosen.data}
    data = [datum for datum in after.data if datum.key in kept]
    if action == "merge":
        data += [datum for datum in before.data if datum.key not in kept]
    consistent(data)
    return replace(chosen, data=tuple(data))


def step(before: Terms, after: Terms) -> Literal["amended", "renewed"]:
    """What the new version is: given again for another time, or something else as well."""
    only_time = not facts(before, replace(after, expires=before.expires))
    return "renewed" if only_time and all(row.mark == "same" for row in rows(before, after)) else "amended"


def added(before: Terms | None, after: Terms) -> Terms:
    """The new version with only the rows that the old one did not have in the same form."""
    old = () if before is None else tuple(_needed(datum) for datum in before.data)
    return replace(after, data=tuple(datum for datum in after.data if _needed(datum) not in old))


def _mark(old: Datum | None, new: Datum) -> Mark:
    if old is None:
        return "added"
    return "same" if _needed(old) == _needed(new) else "changed"


def _needed(datum: Datum) -> Datum:
    """The row as if the app had to have it: whether it must does not change what it opens."""
    return replace(datum, necessity="required", because="")


def _value(terms: Terms, name: str) -> Any:
    found = getattr(terms, name)
    return _set(found) if name in ("actions", "processing") else found


def _set(values: Iterable[str]) -> frozenset[str]:
    return frozenset(values)
