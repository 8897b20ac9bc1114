"""Whether an app may ask this citizen again: pure, from what she decided before (consent.md, U14 and U20).

What is compared is app, purpose and categories, never the legal basis: who was refused consent cannot come back with
another ground. A request for all that was refused and more is the same request.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from consent.errors import UnknownPurpose
from consent.purposes import CONSENT_BASES, ancestors
from consent.terms import Terms

WINDOW: Final = timedelta(days=30)
"""How long the same request is not shown again after a refusal."""
MARKETING: Final = "dpv:Marketing"
Why = Literal["asked_too_soon", "no_fallback", "objected"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that the citizen refused, or a grant that she objected to; `at` in ms."""

    at: int
    client: str
    purpose: str
    categories: frozenset[str]
    basis: str
    objected: bool = False
    controller: str = ""


def barred(refused: Iterable[Refused], asked: Terms, now: datetime) -> Why | None:
    """Why this request is not shown to her, None if it is."""
    mine = [one for one in refused if (one.client, one.purpose) == (asked.client, asked.purpose_code)]
    if any(one.objected for one in mine):
        return "objected"
    if is_marketing(asked.purpose_code) and any(
        one.objected and is_marketing(one.purpose) and _same(one, asked) for one in refused
    ):
        return "objected"
    if asked.legal_basis not in CONSENT_BASES and any(one.basis in CONSENT_BASES for one in mine):
        return "no_fallback"
    since = int((now - WINDOW).timestamp() * 1000)
    wanted = categories(asked)
    soon = any(one.at > since and one.categories <= wanted for one in mine)
    return "asked_too_soon" if soon else None


def _same(one: Refused, asked: Terms) -> bool:
    """Whether it is the same app, or another of whoever stands behind it: to them she objected."""
    return one.client == asked.client or one.controller == asked.controller


def categories(terms: Terms) -> frozenset[str]:
    """What is asked for, as far as it counts for being the same request."""
    return frozenset(datum.category for datum in terms.data)


def is_marketing(purpose: str) -> bool:
    """Whether a purpose is direct marketing: an objection to it is absolute (GDPR 21(2) and (3))."""
    try:
        return purpose == MARKETING or MARKETING in ancestors(purpose)
    except UnknownPurpose:
        return False


def kept(terms: Terms) -> dict[str, Any]:
    """What a refusal keeps of the request, for the event."""
    return {
        "client": terms.client,
        "client_name": terms.client_name,
        "controller": terms.controller,
        "kind": terms.kind,
        "purpose": terms.purpose_code,
        "categories": sorted(categories(terms)),
        "basis": terms.legal_basis,
    }


def read(at: int, detail: dict[str, Any], *, objected: bool) -> Refused:
    """A refusal or objection as its event keeps it."""
    what, by = frozenset(detail["categories"]), detail.get("controller", "")
    return Refused(at, detail["client"], detail["purpose"], what, detail["basis"], objected, by)
