"""The registry of purposes: W3C DPV 2.3 codes with their place in its hierarchy, and what each may ask for.

A grant for a child purpose never authorises its parent: purposes are compared for equality, the hierarchy
only groups them on pages and in reports. A category that a purpose does not list is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from consent import categories
from consent.categories import Rung, Words
from consent.errors import UnknownPurpose

DPV: Final = "https://w3id.org/dpv#"
PD: Final = "https://w3id.org/dpv/pd#"
GDPR: Final = "https://w3id.org/dpv/legal/eu/gdpr#"

CONSENT_BASES: Final = frozenset(
    {"eu-gdpr:A6-1-a-explicit-consent", "eu-gdpr:A6-1-a-non-explicit-consent", "eu-gdpr:A9-2-a"}
)
LEGAL_BASES: Final = CONSENT_BASES | {"eu-gdpr:A6-1-b", "eu-gdpr:A6-1-c", "eu-gdpr:A6-1-e"}

OWN_WORK: Final = "dpv:RequestedServiceProvision"
OWN_WORK_VERSION: Final = "1"
OWN_WORK_TEXT: Final[Words] = {
    "nl": "Voor jou werken in je kluis.",
    "en": "Work in your pod on your behalf.",
}


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why data is used: DPV code, broader DPV codes, our own label, and the highest rung per category."""

    code: str
    broader: tuple[str, ...]
    label: Words
    highest: Mapping[str, Rung]

    @property
    def iri(self) -> str:
        """The full DPV IRI."""
        return DPV + self.code.removeprefix("dpv:")


def _words(nl: str, en: str) -> Words:
    return {"nl": nl, "en": en}


_CULTURE: Final[Mapping[str, Rung]] = {
    "pd:Interest": 5,
    "kluis:LibraryLoan": 5,
    "kluis:Ticket": 5,
    "kluis:Derived": 5,
    "pd:PostalCode": 2,
    "pd:Age": 2,
}
_STATISTICS: Final[Mapping[str, Rung]] = {
    "pd:Interest": 2,
    "kluis:LibraryLoan": 2,
    "kluis:Ticket": 2,
    "pd:PostalCode": 2,
    "pd:Age": 2,
}
_SERVICE: Final[Mapping[str, Rung]] = {
    **_CULTURE,
    "pd:PostalCode": 5,
    "kluis:Card": 5,
    "kluis:File": 5,
    "kluis:SocialTariff": 3,
}

_IMPROVEMENT: Final[Mapping[str, Rung]] = {"kluis:LibraryLoan": 5, "kluis:Ticket": 5}

_ALL: Final = (
    Purpose("dpv:Purpose", (), _words("Doel", "Purpose"), {}),
    Purpose("dpv:Personalisation", ("dpv:Purpose",), _words("Afstemmen op jou", "Fit to you"), {}),
    Purpose("dpv:ServiceManagement", ("dpv:Purpose",), _words("Een dienst beheren", "Manage a service"), {}),
    Purpose(
        "dpv:ServicePersonalisation",
        ("dpv:Personalisation", "dpv:ServiceManagement"),
        _words("Een dienst op jou afstemmen", "Fit a service to you"),
        _CULTURE,
    ),
    Purpose(
        "dpv:UserInterfacePersonalisation",
        ("dpv:ServicePersonalisation",),
        _words("Het scherm op jou afstemmen", "Fit the screen to you"),
        {"pd:Interest": 3, "kluis:Derived": 3},
    ),
    Purpose(
        "dpv:ProvidePersonalisedRecommendations",
        ("dpv:ServicePersonalisation",),
        _words("Dingen voorstellen die bij je passen", "Suggest things that suit you"),
        _CULTURE,
    ),
    Purpose(
        "dpv:ProvideEventRecommendations",
        ("dpv:ProvidePersonalisedRecommendations",),
        _words("Activiteiten voorstellen die bij je passen", "Suggest activities that suit you"),
        _CULTURE,
    ),
    Purpose(
        "dpv:ProvideProductRecommendations",
        ("dpv:ProvidePersonalisedRecommendations",),
        _words("Boeken en andere werken voorstellen", "Suggest books and other works"),
        _CULTURE,
    ),
    Purpose(
        "dpv:ServiceProvision",
        ("dpv:ServiceManagement",),
        _words("Een dienst leveren", "Provide a service"),
        _SERVICE,
    ),
    Purpose(
        OWN_WORK,
        ("dpv:ServiceProvision",),
        _words("Een dienst leveren die je vraagt", "Provide a service you ask for"),
        _SERVICE,
    ),
    Purpose(
        "dpv:ImproveExistingProductsAndServices",
        ("dpv:ServiceManagement",),
        _words("Diensten beter maken voor iedereen", "Make services better for everybody"),
        _IMPROVEMENT,
    ),
    Purpose("dpv:EnforceSecurity", ("dpv:Purpose",), _words("Beveiligen", "Security"), {}),
    Purpose("dpv:Verification", ("dpv:EnforceSecurity",), _words("Nakijken", "Checking"), {}),
    Purpose(
        "dpv:IdentityVerification",
        ("dpv:Verification",),
        _words("Nakijken wie je bent", "Check who you are"),
        {"pd:PostalCode": 2, "pd:Age": 2, "kluis:Card": 3},
    ),
    Purpose("dpv:PublicBenefit", ("dpv:Purpose",), _words("Algemeen belang", "Public benefit"), {}),
    Purpose(
        "dpv:ProvideOfficialStatistics",
        ("dpv:PublicBenefit",),
        _words("Statistiek maken", "Make statistics"),
        _STATISTICS,
    ),
    Purpose(
        "dpv:ImprovePublicServices",
        ("dpv:PublicBenefit",),
        _words("Diensten van de stad beter maken", "Improve public services"),
        _STATISTICS,
    ),
    Purpose("dpv:ServiceMonitoring", ("dpv:ServiceManagement",), _words("Een dienst opvolgen", "Follow a service"), {}),
    Purpose(
        "dpv:ServiceUsageAnalytics",
        ("dpv:ServiceMonitoring",),
        _words("Nagaan hoe een dienst gebruikt wordt", "See how a service is used"),
        _STATISTICS,
    ),
    Purpose("dpv:Marketing", ("dpv:Purpose",), _words("Reclame en promotie", "Marketing"), {}),
    Purpose("dpv:Advertising", ("dpv:Marketing",), _words("Reclame", "Advertising"), {}),
    Purpose(
        "dpv:PersonalisedAdvertising",
        ("dpv:Advertising", "dpv:Personalisation"),
        _words("Reclame op jou afstemmen", "Fit advertising to you"),
        {"pd:Interest": 2},
    ),
    Purpose(
        "dpv:TargetedAdvertising",
        ("dpv:PersonalisedAdvertising",),
        _words("Reclame richten op jou", "Aim advertising at you"),
        {"pd:Interest": 2},
    ),
)
PURPOSES: Final[Mapping[str, Purpose]] = {purpose.code: purpose for purpose in _ALL}


def purpose(code: str) -> Purpose:
    """The registered purpose; raises ``UnknownPurpose``: unknown means refuse."""
    try:
        return PURPOSES[code]
    except KeyError:
        raise UnknownPurpose("not a registered purpose") from None


def ancestors(code: str) -> frozenset[str]:
    """All broader codes of a purpose, itself excluded; for grouping only, never for deciding."""
    direct = purpose(code).broader
    return frozenset(direct).union(*(ancestors(parent) for parent in direct))


def highest_rung(code: str, category: str) -> Rung | None:
    """The highest rung this purpose may ask of a category; ``None`` if it may not ask at all."""
    return purpose(code).highest.get(category)


def lowest(code: str, category: str) -> dict[str, object] | None:
    """The least this purpose can ask of a category: the yes/no answer or band it begins with, or else the rung; None if
    it may not ask at all.
    """
    top, kind = highest_rung(code, category), categories.category(category)
    if top is None:
        return None
    answers = sorted((one.rung, one.name) for one in kind.answers.values() if one.rung <= top)
    least = {"derived": answers[0][1]} if answers else {"rung": kind.ladder[0]}
    return {"category": category, **least}


def withdrawable(legal_basis: str) -> bool:
    """Whether the citizen withdraws (consent, contract) or, for tasks of law and public interest, objects."""
    return legal_basis in CONSENT_BASES or legal_basis == "eu-gdpr:A6-1-b"
