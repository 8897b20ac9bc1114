"""ETags and the preconditions that name them (RFC 9110 8.8.3 and 13).

A tag is `"<version part>.<representation>"`: strong, one per representation, the version part keyed so that it tells
nothing about the content and cannot be guessed. A write that names any representation of the current version names
that version.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from typing import Literal

from vault.solid.rdf import JSON_LD, N_TRIPLES, RDF_XML, TURTLE

_SUFFIX = {TURTLE: "t", JSON_LD: "j", N_TRIPLES: "n", RDF_XML: "x"}
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
Failed = Literal["not_modified", "precondition_failed"]


def etag(key: bytes, version: int, media: str) -> str:
    """The strong tag of one representation. `key` is 16 to 64 bytes that only this vault and resource have."""
    return f'"{_version_part(key, version)}.{_SUFFIX.get(media.partition(";")[0].strip(), "o")}"'


def evaluate_read(if_match: str | None, if_none_match: str | None, tag: str, key: bytes, version: int) -> Failed | None:
    """What a GET or HEAD must answer instead of the representation `tag` of `version`, None if nothing."""
    if if_match is not None and not _names(if_match, key, version):
        return "precondition_failed"
    if if_none_match is not None and (if_none_match.strip() == "*" or tag in _tags(if_none_match, weak=True)):
        return "not_modified"
    return None


def evaluate_write(
    if_match: str | None, if_none_match: str | None, key: bytes, version: int | None
) -> Failed | int | Literal["absent"] | None:
    """What a write may expect of the store, or "precondition_failed"; `version` is None while nothing is stored.

    An int or "absent" must be checked again in the transaction that writes; None means that any state will do.
    """
    if if_match is not None and (version is None or not _names(if_match, key, version)):
        return "precondition_failed"
    if if_none_match is not None and version is not None and _names(if_none_match, key, version, weak=True):
        return "precondition_failed"
    if if_match is None and if_none_match is None:
        return None
    return "absent" if version is None else version


def _names(header: str, key: bytes, version: int, *, weak: bool = False) -> bool:
    """Whether a list of tags (or `*`) names some representation of `version`. If-Match compares strongly."""
    if header.strip() == "*":
        return True
    part = _version_part(key, version)
    return any(tag[1:].partition(".")[0] == part for tag in _tags(header, weak=weak))


def _tags(header: str, *, weak: bool) -> list[str]:
    return [f'"{opaque}"' for mark, opaque in _TAG.findall(header) if weak or not mark]


def _version_part(key: bytes, version: int) -> str:
    digest = hashlib.blake2b(version.to_bytes(8, "big"), key=key, digest_size=12, person=b"kluis etag").digest()
    return urlsafe_b64encode(digest).decode("ascii")
