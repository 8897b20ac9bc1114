"""Works of art and craft on show in museums of the city: facts, with our own Dutch subject words.

A line each, fields parted by a bar: title, maker, year, museum; the subject words are the vocabulary of the books.
"""

from dataclasses import dataclass
from functools import lru_cache

from recommender.sources.document import normal

_ROWS = """
De oestereetster|James Ensor|1882|KMSKA|schilderkunst familie vlaanderen
De intrige|James Ensor|1890|KMSKA|schilderkunst humor maatschappij
De aanbidding der koningen|Peter Paul Rubens|1624|KMSKA|schilderkunst religie antwerpen
Heilige Barbara|Jan van Eyck|1437|KMSKA|schilderkunst religie middeleeuwen
Madonna bij de fontein|Jan van Eyck|1439|KMSKA|schilderkunst religie natuur
De zeven sacramenten|Rogier van der Weyden|1445|KMSKA|schilderkunst religie middeleeuwen
Madonna omringd door serafijnen en cherubijnen|Jean Fouquet|1452|KMSKA|schilderkunst religie middeleeuwen
De roze strikken|Paul Delvaux|1937|KMSKA|schilderkunst liefde psychologie
Musicerende engelen|Hans Memling|1490|KMSKA|schilderkunst muziek religie
Het zotte geweld|Rik Wouters|1912|Middelheimmuseum|beeldhouwkunst dans
King and Queen|Henry Moore|1953|Middelheimmuseum|beeldhouwkunst geschiedenis
Balzac|Auguste Rodin|1897|Middelheimmuseum|beeldhouwkunst biografie taal
Misconceivable|Erwin Wurm|2010|Middelheimmuseum|beeldhouwkunst humor zee
Bridge Without a Name|Ai Weiwei|2012|Middelheimmuseum|beeldhouwkunst architectuur migratie azië
Biblia Polyglotta|Christoffel Plantin|1573|Museum Plantin-Moretus|taal religie geschiedenis
Theatrum Orbis Terrarum|Abraham Ortelius|1570|Museum Plantin-Moretus|reizen wetenschap geschiedenis
Cruydeboeck|Rembert Dodoens|1554|Museum Plantin-Moretus|natuur gezondheid wetenschap
De drukpersen van Plantin|Officina Plantiniana|1600|Museum Plantin-Moretus|techniek taal antwerpen
"""
_POSTCODES = {"Middelheimmuseum": "2020"}


@dataclass(frozen=True)
class Work:
    """One work; `id` is a URN of our own."""

    id: str
    title: str
    maker: str
    year: int
    house: str
    postcode: str
    topics: tuple[str, ...]


@lru_cache(maxsize=1)
def works() -> tuple[Work, ...]:
    """All works, always in the same order."""
    return tuple(_work(*line.split("|")) for line in _ROWS.strip().splitlines())


def _work(title: str, maker: str, year: str, house: str, topics: str) -> Work:
    name = f"urn:kluis:work:{normal(title).replace(' ', '-')}"
    return Work(name, title, maker, int(year), house, _POSTCODES.get(house, "2000"), tuple(topics.split()))
