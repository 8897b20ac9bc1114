"""The registry of data categories, and the fixed data language in which a citizen reads about them.

What a consent page says about data comes from here alone, never from an app (consent.md, rule U6).
Rungs of the minimisation ladder: 1 yes/no answer, 2 band, 3 fields, 4 single resources, 5 the whole container.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal

from consent.errors import UnknownCategory

Rung = Literal[1, 2, 3, 4, 5]
Family = Literal["personal", "interests", "preferences", "transactions", "behaviour"]
Words = Mapping[str, str]  # language -> text; "nl" always present


@dataclass(frozen=True, slots=True)
class Answer:
    """A derived answer: its rung, and what it tells and does not tell."""

    name: str
    rung: Rung
    tells: Words
    hides: Words


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of data: its container, its family, who may open it, and the words for it.

    ``dated`` categories hold records with a ``schema:startTime``: only there can a window be enforced.
    Apps may add or change records only where ``app_writes``: what services deposit stays as deposited. ``special``
    ones (GDPR 9) ask for a passkey, a card of their own and a reviewed app, and suggest nothing (consent.special).
    """

    curie: str
    container: str
    family: Family
    label: Words
    whole: Words
    fields: Mapping[str, Words]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    custody: Literal["sealed", "managed"] = "sealed"
    special: bool = False
    dated: bool = False
    app_writes: bool = False

    @property
    def shape(self) -> str:
        """The name of the fields as they are now, with a hash of them: another field makes another shape."""
        named = sha256("\n".join(sorted(self.fields)).encode()).hexdigest()[:16]
        return f"urn:kluis:shape:{self.curie.partition(':')[2]}:{named}"

    @property
    def ladder(self) -> tuple[Rung, ...]:
        """The rungs this category offers, lowest first."""
        derived: set[Rung] = {answer.rung for answer in self.answers.values()}
        return tuple(sorted(derived | ({3, 4, 5} if self.fields else {4, 5})))


def _words(nl: str, en: str) -> Words:
    return {"nl": nl, "en": en}


_NAME = _words("Titel", "Title")
_ABOUT = _words("Onderwerpen", "Topics")
_SOURCE = _words("Van welke dienst het komt", "Which service it came from")
_WHEN: Final[Mapping[str, Words]] = {
    "schema:name": _NAME,
    "schema:about": _ABOUT,
    "schema:startTime": _words("Begindatum", "Start date"),
    "schema:endTime": _words("Einddatum", "End date"),
    "kluis:source": _SOURCE,
}
_LOAN: Final[Mapping[str, Words]] = {
    **_WHEN,
    "schema:author": _words("Maker", "Maker"),
    "schema:additionalType": _words("Soort werk", "Kind of work"),
    "kluis:branch": _words("Filiaal", "Branch"),
    "kluis:item": _words("Nummer van het exemplaar", "Number of the copy"),
}
_TICKET: Final[Mapping[str, Words]] = {
    **_WHEN,
    "schema:location": _words("Plaats", "Place"),
    "kluis:event": _words("Welke activiteit", "Which activity"),
}
_TOPICS = "interest_topics_k10"


def _topics(tells_nl: str, tells_en: str) -> Mapping[str, Answer]:
    hides = _words("Geen titels en geen datums.", "No titles and no dates.")
    return {_TOPICS: Answer(_TOPICS, 2, _words(tells_nl, tells_en), hides)}


_PLACE: Final[Mapping[str, Answer]] = {
    "is_resident": Answer(
        "is_resident",
        1,
        _words("Of je in de stad woont: ja of nee", "Whether you live in the city: yes or no"),
        _words("Geen adres en geen postcode.", "No address and no postal code."),
    ),
    "postal_district": Answer(
        "postal_district",
        2,
        _words("Het district waar je woont", "The district you live in"),
        _words("Geen adres en geen straat.", "No address and no street."),
    ),
}

_BIRTH = _words("Geen geboortedatum.", "No date of birth.")
_AGE: Final[Mapping[str, Answer]] = {
    "age_over_18": Answer(
        "age_over_18",
        1,
        _words("Of je 18 jaar of ouder bent: ja of nee", "Whether you are 18 or older: yes or no"),
        _BIRTH,
    ),
    "age_over_13": Answer(
        "age_over_13",
        1,
        _words("Of je 13 jaar of ouder bent: ja of nee", "Whether you are 13 or older: yes or no"),
        _BIRTH,
    ),
    "age_band": Answer(
        "age_band",
        2,
        _words("Je leeftijd, ruw: zoals 25 tot 44 jaar", "Your age, roughly: such as 25 to 44"),
        _words("Geen geboortedatum en geen juiste leeftijd.", "No date of birth and no exact age."),
    ),
}

_ALL: Final = (
    Category(
        "kluis:LibraryLoan",
        "loans/",
        "transactions",
        _words("Je leningen in de bibliotheek", "Your library loans"),
        _words("Alles over je leningen, ook titels en datums", "Everything about your loans, titles and dates too"),
        _LOAN,
        _topics("Onderwerpen van je leningen", "Topics of your loans"),
        dated=True,
    ),
    Category(
        "pd:Interest",
        "interests/",
        "interests",
        _words("Je interesses", "Your interests"),
        _words("Alles wat je bij je interesses bewaart", "Everything you keep with your interests"),
        {"schema:about": _ABOUT, "schema:name": _NAME, "kluis:source": _SOURCE},
        _topics("Onderwerpen van je interesses", "Topics of your interests"),
    ),
    Category(
        "kluis:Ticket",
        "tickets/",
        "transactions",
        _words("Je tickets", "Your tickets"),
        _words("Alles over je tickets, ook titels en datums", "Everything about your tickets, titles and dates too"),
        _TICKET,
        _topics("Onderwerpen van je tickets", "Topics of your tickets"),
        dated=True,
    ),
    Category(
        "kluis:Card",
        "card/",
        "transactions",
        _words("Je A-kaart", "Your A-card"),
        _words("Alles over je kaart, ook je punten", "Everything about your card, your points too"),
        {
            "schema:name": _words("Naam van de kaart", "Name of the card"),
            "schema:identifier": _words("Kaartnummer", "Card number"),
            "kluis:points": _words("Je punten", "Your points"),
            "kluis:source": _SOURCE,
        },
    ),
    Category(  # who gets more back from her health fund gets it: it tells about health and income
        "kluis:SocialTariff",
        "tariff/",
        "personal",
        _words("Of je kansentarief hebt", "Whether you have the social tariff"),
        _words("Alles over je kansentarief", "Everything about your social tariff"),
        {
            "kluis:entitled": _words("Of je er recht op hebt: ja of nee", "Whether you are entitled: yes or no"),
            "schema:validThrough": _words("Tot wanneer het geldt", "Until when it holds"),
        },
        special=True,
    ),
    Category(
        "pd:PostalCode",
        "person/",
        "personal",
        _words("Waar je woont", "Where you live"),
        _words("Je volledige postcode", "Your full postal code"),
        {"schema:postalCode": _words("Je postcode", "Your postal code"), "kluis:source": _SOURCE},
        _PLACE,
    ),
    Category(
        "pd:Age",
        "age/",
        "personal",
        _words("Hoe oud je bent", "How old you are"),
        _words("Je geboortedatum", "Your date of birth"),
        {"schema:birthDate": _words("Je geboortedatum", "Your date of birth"), "kluis:source": _SOURCE},
        _AGE,
    ),
    Category(
        "kluis:Derived",
        "derived/",
        "preferences",
        _words("Je suggesties", "Your suggestions"),
        _words("Alle suggesties die voor jou gemaakt zijn", "All suggestions made for you"),
        {"schema:name": _NAME, "schema:about": _ABOUT},
        app_writes=True,
    ),
    Category(
        "kluis:Answers",
        "answers/",
        "behaviour",
        _words("Antwoorden uit je gegevens", "Answers from your data"),
        _words("Alle antwoorden die uit je gegevens berekend zijn", "All answers worked out from your data"),
        {},
    ),
    Category(
        "kluis:File",
        "",
        "personal",
        _words("Je andere bestanden", "Your other files"),
        _words("De bestanden in de mappen die je aankruist", "The files in the folders you tick"),
        {},
        custody="managed",
        app_writes=True,
    ),
)
CATEGORIES: Final[Mapping[str, Category]] = {category.curie: category for category in _ALL}
_BY_CONTAINER: Final[Mapping[str, Category]] = {c.container: c for c in _ALL if c.container}


def category(curie: str) -> Category:
    """The registered category; raises ``UnknownCategory``: unknown means refuse."""
    try:
        return CATEGORIES[curie]
    except KeyError:
        raise UnknownCategory("not a registered data category") from None


def category_at(path: str) -> Category:
    """The category of a path inside a pod (``/loans/x.jsonld``); anything not registered is ``kluis:File``."""
    top, slash, _ = path.removeprefix("/").partition("/")
    return _BY_CONTAINER.get(top + slash, CATEGORIES["kluis:File"])


def describe(curie: str, fields: tuple[str, ...] | None, derived: str | None, language: str = "nl") -> tuple[str, str]:
    """(title, detail) in the registry's own words for what would be shared; raises ``UnknownCategory``.

    ``KeyError`` cannot leave it for terms that ``consent.request.parse`` accepted.
    """
    kind = category(curie)
    if derived is not None:
        answer = kind.answers[derived]
        return _in(answer.tells, language), _in(answer.hides, language)
    if fields is None:
        return _in(kind.label, language), _in(kind.whole, language) + "."
    return _in(kind.label, language), ", ".join(_in(kind.fields[name], language) for name in fields) + "."


def _in(words: Words, language: str) -> str:
    return words.get(language, words["nl"])
