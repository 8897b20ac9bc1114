"""The rules of the Solid Protocol for one request, as values: modes needed, methods, headers, names for new things."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote

from vault.errors import VaultError
from vault.solid import notifications
from vault.solid.fields import split
from vault.solid.paths import DESCRIPTION, Kind, Target, auxiliary
from vault.solid.rdf import JSON_LD, N_TRIPLES, TURTLE, is_rdf

LDP = "http://www.w3.org/ns/ldp#"
PIM = "http://www.w3.org/ns/pim/space#"
SOLID = "http://www.w3.org/ns/solid/terms#"
INBOX = "/inbox/"
N3 = "text/n3"
SPARQL = "application/sparql-update"
MAX_NAME = 100
_CONTAINER_TYPES = {LDP + "Container", LDP + "BasicContainer"}
_WRITABLE_RDF = f"{TURTLE}, {JSON_LD}, {N_TRIPLES}"
_NOTHING: frozenset[str] = frozenset()
_NAME = "[A-Za-z0-9!#$&^_.+-]{1,100}"
_MEDIA = re.compile(f"{_NAME}/{_NAME}")
_PARAMETER = re.compile(_NAME + r'=([A-Za-z0-9!#$%&\'*+.^_`|~-]{1,100}|"[\x20\x21\x23-\x5b\x5d-\x7e]{0,150}")')
_UTF8 = {"charset=utf-8", 'charset="utf-8"', "charset=utf8"}


class BadMedia(VaultError):
    """A Content-Type that no body can be stored under; `reason` is missing, malformed or charset."""

    code: ClassVar[str] = "bad_media"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Needs:
    """The modes a request needs, all of them: on what it names (for an ACL: on its subject) and on the container above.

    Modes are closed upwards by whoever grants them: who may write may append.
    """

    resource: frozenset[str]
    container: frozenset[str]


def needs(method: str, kind: Kind, exists: bool, patch: frozenset[str] = _NOTHING) -> Needs:
    """What `method` needs (WAC 5.1 and the creation rules of the Solid Protocol).

    An ACL needs control of its subject whatever the method; a `.meta` needs of its subject what it would need itself.
    For POST the resource is the name that the server chose. Creating needs append above; so does deleting need write.
    `patch` are the modes that a PATCH needs by what it says.
    """
    if method == "OPTIONS" or kind == "description":
        return Needs(_NOTHING, _NOTHING)
    if kind == "acl":
        return Needs(frozenset({"control"}), _NOTHING)
    if method in ("GET", "HEAD"):
        return Needs(frozenset({"read"}), _NOTHING)
    if method == "POST":
        return Needs(frozenset({"append"}), frozenset({"append"}))
    if method == "PATCH":
        return Needs(patch, _NOTHING if exists or kind == "meta" else frozenset({"append"}))
    if kind == "meta" or (method == "PUT" and exists):
        return Needs(frozenset({"write"}), _NOTHING)
    return Needs(frozenset({"write"}), frozenset({"write" if method == "DELETE" else "append"}))


def methods(target: Target) -> tuple[str, ...]:
    """The methods a target allows, by its name alone: whether it exists must not show (`server-allow-methods`).

    The root and its list are never deleted (`server-delete-protect-root-container`); POST is for containers,
    whose PATCH is always refused with 409 (`server-protect-containment`); the storage description is read only.
    """
    if target.kind == "acl":
        return ("OPTIONS", "HEAD", "GET", "PUT", "PATCH", *(() if target.subject == "/" else ("DELETE",)))
    if target.kind == "description":
        return ("OPTIONS", "HEAD", "GET")
    if target.path == "/":
        return ("OPTIONS", "HEAD", "GET", "POST", "PATCH")
    if target.container:
        return ("OPTIONS", "HEAD", "GET", "PUT", "POST", "PATCH", "DELETE")
    return ("OPTIONS", "HEAD", "GET", "PUT", "PATCH", "DELETE")


def accepts(target: Target) -> dict[str, str]:
    """The `Accept-Put`, `Accept-Post` and `Accept-Patch` headers of a target (`server-accept-headers`)."""
    allowed = methods(target)
    found = {}
    if "PUT" in allowed:
        found["Accept-Put"] = _writable(target)
    if "POST" in allowed:
        found["Accept-Post"] = JSON_LD if target.path == INBOX else "*/*"
    if "PATCH" in allowed and not target.container:
        found["Accept-Patch"] = f"{N3}, {SPARQL}"
    return found


def _writable(target: Target) -> str:
    if target.kind == "acl":
        return f"{TURTLE}, {JSON_LD}"
    return _WRITABLE_RDF if target.container or target.kind == "meta" else "*/*"


def links(root: str, target: Target, owner: str) -> list[str]:
    """The `Link` values of a target: types, ACL, description, storage description; owner and storage on the root.

    `root` is the pod's absolute URL without its last slash, `owner` a WebID.
    """
    found = [_link(LDP + "Resource", "type")]
    if target.container:
        found += [_link(LDP + "Container", "type"), _link(LDP + "BasicContainer", "type")]
    for relation, ending in (("acl", auxiliary(target.path, "acl")), ("describedby", auxiliary(target.path, "meta"))):
        if ending:
            found.append(_link(root + ending, relation))
    found.append(_link(root + DESCRIPTION, SOLID + "storageDescription"))
    if target.path in ("/", "/profile/card"):
        found.append(_link(root + INBOX, LDP + "inbox"))
    if target.path == "/":
        found += [_link(PIM + "Storage", "type"), _link(owner, SOLID + "owner")]
    return found


def description(root: str, owner: str) -> bytes:
    """The storage description of a pod as Turtle (`server-storage-description-resource`), made from its name only."""
    said = f"<{root}/> a <{PIM}Storage> ; <{SOLID}owner> <{owner}> .\n".encode()
    return said + notifications.statements(root.rpartition("/pods/")[0], f"{root}/")


def wants_container(link_fields: Iterable[str]) -> bool:
    """Whether the `Link` headers of a request ask for a container (`rel="type"`, LDP 5.2.3.4)."""
    for part in (part for field in link_fields for part in split(field, ",")):
        reference, *parameters = split(part, ";")
        relations = [p.partition("=")[2].strip().strip('"') for p in parameters if p.strip().lower().startswith("rel=")]
        if reference.strip().strip("<>") in _CONTAINER_TYPES and "type" in " ".join(relations).split():
            return True
    return False


def media_type(content_type: str | None) -> str:
    """The media type to store a body under: RDF types bare, others with their parameters. Raises BadMedia.

    RDF is UTF-8 (`server-content-type-missing`: a body without a type is refused).
    """
    if content_type is None or not content_type.strip():
        raise BadMedia("missing")
    name, *parameters = (part.strip() for part in split(content_type, ";"))
    kept = [p for p in parameters if p]
    if not _MEDIA.fullmatch(name) or len(kept) > 5 or not all(_PARAMETER.fullmatch(p) for p in kept):
        raise BadMedia("malformed")
    if not is_rdf(name.lower()):
        return "; ".join((name.lower(), *kept))
    if any(p.lower().startswith("charset=") and p.lower() not in _UTF8 for p in kept):
        raise BadMedia("charset")
    return name.lower()


def slug(wanted: str | None, fresh: str) -> str:
    """A safe name for a POST: `wanted` (the Slug field, RFC 5023 9.7) if something of it is left, else `fresh`.

    Letters and digits of any script stay; no dot begins it, no hidden ending (`.acl`, `.meta`) remains, no slash.
    """
    text = unicodedata.normalize("NFKC", unquote((wanted or "")[:1000], errors="replace"))
    kept = "".join(letter if letter.isalnum() or letter in "-_.~" else "-" for letter in text if letter.isprintable())
    name = re.sub(r"-{2,}", "-", kept)[:MAX_NAME].strip("-.")
    while name.lower().endswith((".acl", ".meta")):
        name = name.rpartition(".")[0].strip("-.")
    return quote(name, safe="~") or fresh


def _link(reference: str, relation: str) -> str:
    return f'<{reference}>; rel="{relation}"'
