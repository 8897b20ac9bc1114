"""Which representation an `Accept` header asks for (RFC 9110 12.5.1, Solid `server-representation-turtle-jsonld`)."""

from typing import NamedTuple

from vault.solid.fields import split
from vault.solid.rdf import JSON_LD, N_TRIPLES, TURTLE, is_rdf

_OFFERED = (TURTLE, JSON_LD, N_TRIPLES)


class _Range(NamedTuple):
    kind: str
    subtype: str
    quality: float


def offers(stored: str) -> tuple[str, ...]:
    """The media types a resource can be read in, the stored one first. Only RDF has more than one."""
    if not is_rdf(stored):
        return (stored,)
    return (stored, *(media for media in _OFFERED if media != stored))


def choose(accept: str | None, stored: str, *also: str) -> str | None:
    """The best media type for `accept`, None if nothing fits (406). Ties go to what is stored.

    `also` are further types in which it can be shown, if they are wished for more than any other.
    `stored` may carry parameters; ranges are compared without theirs. A header that holds no range at all asks for
    nothing in particular.
    """
    ranges = _ranges(accept or "")
    if not ranges:
        return stored
    ranked = [(_quality(media, ranges), -place, media) for place, media in enumerate((*offers(stored), *also))]
    quality, _, best = max(ranked)
    return best if quality > 0 else None


def _ranges(accept: str) -> list[_Range]:
    found = []
    for part in split(accept, ","):
        name, *parameters = split(part, ";")
        kind, slash, subtype = name.strip().lower().partition("/")
        if slash and kind and subtype and (kind != "*" or subtype == "*"):
            found.append(_Range(kind, subtype, _weight(parameters)))
    return found


def _quality(media: str, ranges: list[_Range]) -> float:
    """The weight of the most specific range that covers `media`; 0 if none does."""
    kind, _, subtype = media.partition(";")[0].strip().lower().partition("/")
    for wanted in ((kind, subtype), (kind, "*"), ("*", "*")):
        weights = [r.quality for r in ranges if (r.kind, r.subtype) == wanted]
        if weights:
            return max(weights)
    return 0.0


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "q":
            digits = value.strip()
            plain = len(digits) <= 5 and digits.replace(".", "", 1).isdecimal() and digits.isascii()
            return min(float(digits), 1.0) if plain else 0.0
    return 1.0
