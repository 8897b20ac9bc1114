"""RDF that changes its address: the same statements, with names of the old server replaced by ours.

Written anew as Turtle. Whoever wants the bytes as they were keeps them apart (vault.moving.pods does).
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

import pyoxigraph as ox

from vault.errors import VaultError
from vault.solid import rdf
from vault.solid.rdf import TURTLE
from vault.solid.wac import ACL

Rename = Callable[[str], str]
SOLID: Final = "http://www.w3.org/ns/solid/terms#"
PIM: Final = "http://www.w3.org/ns/pim/space#"
FORMAT: Final = "http://www.w3.org/ns/ma-ont#format"
_TYPE: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
_KNOWN: Final = {"agent", "agentClass", "agentGroup", "origin", "condition", "accessTo", "default", "mode", "owner",
                 "delegates"}  # fmt: skip
_OURS: Final = {SOLID + "oidcIssuer", PIM + "storage"}
"""What a profile says of the server that its WebID lives on: only ours may stand there."""
_SERVERS_OWN: Final = {(_TYPE, PIM + "Storage")}
Terms = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple


class NotUnderstood(VaultError):
    """An access list that says something we do not know: what it allows must not be guessed."""

    code: ClassVar[str] = "acl_not_understood"


def acl(body: bytes, base: str, rename: Rename) -> tuple[bytes, bool]:
    """An access list at `base` (its old address) under ours, and whether we let in fewer than it says.

    `acl:defaultForNew`, the old name of `acl:default`, is written as the new one. Raises BadRdf, NotUnderstood.
    """
    moved, narrowed = [], False
    for one in _renamed(_said(body, TURTLE, base), rename):
        said = one.predicate.value
        if said == ACL + "defaultForNew":
            one = ox.Triple(one.subject, ox.NamedNode(ACL + "default"), one.object)  # noqa: PLW2901
        elif said.startswith(ACL) and said.removeprefix(ACL) not in _KNOWN:
            raise NotUnderstood(f"an access list says {said}")
        narrowed |= said in (ACL + "agentGroup", ACL + "origin", ACL + "condition")
        moved.append(one)
    return _turtle(moved), narrowed


def owned(made: bytes, webid: str, target: str, here: str) -> bytes:
    """An access list at `here` with one authorization more: `webid` has every mode on `target`."""
    rule = (
        f"<{here}#kluis-owner> <{_TYPE}> <{ACL}Authorization>; <{ACL}agent> <{webid}>; <{ACL}accessTo> <{target}>; "
        f"<{ACL}default> <{target}>; <{ACL}mode> <{ACL}Read>, <{ACL}Write>, <{ACL}Control>.\n"
    )
    return made + rule.encode()


def description(body: bytes, base: str, rename: Rename) -> tuple[bytes, str]:
    """A `.meta` at `base` under our address, without what a server says there by itself; and the media type it told.

    b"" if nothing remains. Raises BadRdf.
    """
    kept, media, told = [], "", _said(body, TURTLE, base)
    for one in _renamed(told, rename):
        if one.predicate.value == FORMAT:
            media = one.object.value if isinstance(one.object, ox.Literal) else media
        elif not (isinstance(one.object, ox.NamedNode) and (one.predicate.value, one.object.value) in _SERVERS_OWN):
            kept.append(one)
    return (_anew(kept, told, body) if kept else b""), media


def profile(body: bytes, media: str, base: str, rename: Rename, ours: bytes, webid: str) -> bytes:
    """A profile under our address: all its statements but issuer and storage, and those of `ours` that it lacks; the
    very bytes if nothing of it changes.

    `ours` is the profile that a new pod of `webid` has (Turtle). Raises BadRdf.
    """
    told = _said(body, media, base)
    kept = [one for one in _renamed(told, rename) if one.predicate.value not in _OURS]
    said = {one.predicate for one in kept if one.subject == ox.NamedNode(webid)}
    own = _said(ours, TURTLE, webid.partition("#")[0])
    kept += [one for one in own if one.subject == ox.NamedNode(webid) and one.predicate not in said]
    return _anew(kept, told, body)


def _said(body: bytes, media: str, base: str) -> list[ox.Triple]:
    """The statements, blank nodes by names of ours."""
    return rdf.settled(rdf.graph(body, media, base))


def _renamed(triples: Iterable[ox.Triple], rename: Rename) -> list[ox.Triple]:
    return [ox.Triple(_name(one.subject, rename), one.predicate, _name(one.object, rename)) for one in triples]


def _name(term: Terms, rename: Rename) -> Any:
    return ox.NamedNode(rename(term.value)) if isinstance(term, ox.NamedNode) else term


def _anew(triples: list[ox.Triple], told: list[ox.Triple], body: bytes) -> bytes:
    """The triples as Turtle; the very bytes they came in if nothing about what those told changed."""
    return body if set(triples) == set(told) else _turtle(triples)


def _turtle(triples: Iterable[ox.Triple]) -> bytes:
    return ox.serialize(triples, format=ox.RdfFormat.TURTLE) or b""
