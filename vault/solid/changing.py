"""A patch from bytes to bytes: read, applied to what is stored, and written back as what that was.

The server does this itself with what is small and simple; the rest is a job of `vault.solid.limited`.
"""

from collections.abc import Callable
from typing import Final

from vault.solid import described, n3patch, rdf, sparql
from vault.solid.patch import Patch, apply

LANGUAGES: Final[dict[str, Callable[[bytes, str], Patch]]] = {"n3": n3patch.read, "sparql": sparql.read}
FEW: Final = 1  # patterns in `where` that cannot be joined in so many ways that it takes long


class Protected(Exception):
    """A patch of what the server says itself."""


def read(patch: bytes, language: str, base: str) -> Patch:
    """The patch in a document in one of LANGUAGES. Raises BadRdf, BadPatch."""
    return LANGUAGES[language](patch, base)


def simple(patch: Patch) -> bool:
    """Whether applying it to a small body takes a short time, whatever is in both."""
    return len(patch.where) <= FEW


def changed(patch: Patch, old: bytes, media: str, base: str, about: str | None) -> bytes:
    """The body after the patch, in its own media type.

    `about` is the URL of what a description describes, None for any other resource. Raises Unmet, BadPatch, BadRdf,
    Protected.
    """
    before = rdf.graph(old, media, base) if old.strip() else []
    after = apply(patch, before)
    if about is not None and described.protected(set(before) ^ set(after), about):
        raise Protected
    body = rdf.written(after, media)
    rdf.scan(body, media)
    return body
