"""What a description may not say: what the server says itself (`server-protect-containment`, `-resource-metadata`)."""

from collections.abc import Iterable

import pyoxigraph as ox

_LDP = "http://www.w3.org/ns/ldp#"
_STAT = "http://www.w3.org/ns/posix/stat#"
_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_EVERYWHERE = {_LDP + "contains", _STAT + "size", _STAT + "mtime"}
_OF_SUBJECT = {"http://purl.org/dc/terms/modified"}
_TYPES = {_LDP + "Resource", _LDP + "Container", _LDP + "BasicContainer", "http://www.w3.org/ns/pim/space#Storage"}


def protected(triples: Iterable[ox.Triple], subject: str) -> bool:
    """Whether one of these statements is the server's own: what is contained, sizes, times, and the subject's types.

    `subject` is the URL of what is described.
    """
    return any(_own(one, subject) for one in triples)


def _own(triple: ox.Triple, subject: str) -> bool:
    if triple.predicate.value in _EVERYWHERE:
        return True
    if triple.subject != ox.NamedNode(subject):
        return False
    if triple.predicate.value != _TYPE:
        return triple.predicate.value in _OF_SUBJECT
    return isinstance(triple.object, ox.NamedNode) and triple.object.value in _TYPES
