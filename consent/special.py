"""Special categories (GDPR 9): who may ask for them, and who never gets them, whatever a citizen was shown.

Suggestions never use them: not the recommender's own app, not an app that recommends or profiles, not a purpose whose
aim is to fit something to a person.
"""

from collections.abc import Iterable
from typing import Final

from consent import categories, purposes
from consent.errors import OAuthError
from consent.terms import Datum, Terms

RECOMMENDER: Final = "kluis-recommender"
_FITTING: Final = "dpv:Personalisation"
_PROFILES: Final = frozenset({"dpv:Profiling", "dpv:AutomatedDecisionMaking", "dpv:ScoringOfIndividuals"})


def check(terms: Terms, trust: str) -> Terms:
    """The terms as asked, if they may be. Raises ``OAuthError`` ``invalid_authorization_details``."""
    if not any(datum.special for datum in terms.data):
        return terms
    if trust != "city":
        raise OAuthError("invalid_authorization_details", "Only reviewed apps may ask for special categories.")
    if any(closed(terms, datum) for datum in terms.data):
        raise OAuthError("invalid_authorization_details", "A special category is never used to suggest or to profile.")
    return terms


def closed(terms: Terms, datum: Datum) -> bool:
    """Whether a row is of a special category and the terms would let it feed suggestions or a profile."""
    return _registered(datum) and (
        terms.client == RECOMMENDER
        or "recommend" in terms.actions
        or terms.automated != "none"
        or not _PROFILES.isdisjoint(terms.processing)
        or _fits(terms.purpose_code)
    )


def rows(data: Iterable[Datum]) -> tuple[Datum, ...]:
    """The rows that the citizen decides about on a card of their own."""
    return tuple(datum for datum in data if datum.special or _registered(datum))


def _registered(datum: Datum) -> bool:
    kind = categories.CATEGORIES.get(datum.category)
    return kind is not None and kind.special


def _fits(code: str) -> bool:
    """Whether a purpose is to fit something to a person; one that is not registered counts as if it were."""
    return code not in purposes.PURPOSES or _FITTING in purposes.ancestors(code) | {code}
