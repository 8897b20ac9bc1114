"""What every source returns: typed items, and rejects with a reason a person can act on."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

CONTEXT = {"schema": "https://schema.org/", "kluis": "urn:kluis:ns:"}
FILE = -1
Topics = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True)
class Item:
    """One thing to store: `name` is the resource name without extension, `body` its JSON-LD.

    `identity` holds normalised identifiers; two items that share any of them are the same thing, whatever
    the source.
    """

    name: str
    category: str
    body: dict[str, Any]
    identity: tuple[str, ...]


@dataclass(frozen=True)
class Reject:
    """Why a record is not stored; `index` is its position in the file from 0, or `FILE` for the file as a whole."""

    index: int
    reason: str

    def __str__(self) -> str:
        return f"{'file' if self.index == FILE else f'record {self.index + 1}'}: {self.reason}"


@dataclass(frozen=True)
class Intake:
    """The outcome of reading one file; every record of the file that concerns the patron is in exactly one list."""

    records: list[Item]
    rejects: list[Reject]


class Refused(Exception):
    """This record (or file) is not taken in; the message is the reason shown."""


def resource_name(source: str, identity: str) -> str:
    """A stable name that tells nothing: importing the same file twice gives the same names."""
    return f"{source}-{blake2b(identity.encode(), digest_size=10).hexdigest()}"
