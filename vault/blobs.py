"""Turning a resource into what is stored: a label envelope and a body envelope under a data key of their own.

Every write goes through the drop box: the data key is HPKE-sealed to the compartment's public key, so writing needs
no secret and resource, parents and log entry are one transaction (docs/decisions/0002). Opening is vault.door's alone.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from keys.context import ctx
from keys.dropbox import deliver
from keys.seal import seal
from keys.secret import DataKey
from vault.database import bare
from vault.tables import Body, Resource

LABEL_BLOCK = 128
Hang = Callable[[bytes, DataKey], bytes]
FRONT, TAIL = 96, 16  # of an envelope: what its digest is over
KINDS_OF = {"path": str, "media": str, "size": int, "created": int, "modified": int, "source": str}
LAST_MS = 253_402_300_799_999  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Label:
    """What a resource is called and looks like: pod path, media type, exact size, times in milliseconds, source."""

    path: str
    media: str
    size: int
    created: int
    modified: int
    source: str = ""

    @property
    def when(self) -> datetime:
        """The moment of the last change."""
        return datetime.fromtimestamp(self.modified / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource lives: its pod, compartment, generation, the public half of the compartment key, its ids."""

    pod: bytes
    compartment: bytes
    generation: int
    public: bytes
    parent: bytes
    resource: bytes


def padme(size: int) -> int:
    """The padded length of `size` bytes: at most 12 % more, log log size bits leaked (Padme, PURBs 2019)."""
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    low = exponent - exponent.bit_length()
    mask = (1 << max(low, 0)) - 1
    return (size + mask) & ~mask


def pad(data: bytes, block: int = 0) -> bytes:
    """Prefix the true length and fill up with zeros to a Padme size, or to a multiple of `block`."""
    framed = len(data).to_bytes(8, "big") + data
    full = -(-len(framed) // block) * block if block else padme(len(framed))
    return framed.ljust(full, b"\0")


def unpad(framed: bytes) -> bytes:
    """Undo `pad`."""
    size = int.from_bytes(framed[:8], "big")
    return framed[8 : 8 + size]


def read_label(data: bytes) -> Label:
    """A label as it was stored. Raises ValueError if a field is missing, strange or of another kind: a source may have
    sealed anything.
    """
    told = orjson.loads(data)
    if not isinstance(told, dict) or told.keys() != KINDS_OF.keys():
        raise ValueError("not a label")
    if any(type(told[name]) is not kind for name, kind in KINDS_OF.items()):
        raise ValueError("a field of a label is of another kind")
    if not all(0 <= told[name] <= LAST_MS for name in ("size", "created", "modified")):
        raise ValueError("a number of a label is out of range")
    return Label(**told)


def received(place: Place, dek: bytes, label: bytes, body: bytes, mark: bytes) -> tuple[Resource, Body]:
    """Version 1 of what its source sealed itself: nothing of it can be opened here (vault.packets checks its form)."""
    return _row(place, 1, dek, label, digest([label, body]), mark), Body(
        id=place.resource, version=1, size=len(body), data=body
    )


def enclose(
    place: Place,
    version: int,
    label: Label,
    body: bytes | None,
    mark: bytes = b"",
    hang: Hang | None = None,
) -> tuple[Resource, Body | None]:
    """Seal one version. `body` None makes a container; `mark` tells which source deposited it, as a keyed hash.

    `hang` wraps the data key under the compartment's where that is at hand, as at the making of a pod: then nothing is
    left to rewrap at the first reading.
    """
    with DataKey.fresh() as dek:
        head = seal(dek, ctx("label", place.pod, place.resource, version), pad(orjson.dumps(label), LABEL_BLOCK))
        parts = [head]
        stored = None
        if body is not None:
            context = ctx("body", place.pod, place.resource, version, hashlib.sha256(head).digest())
            data = seal(dek, context, pad(body))
            stored = bare(Body, id=place.resource, version=version, size=len(data), store=b"", data=data)
            parts.append(data)
        if hang is None:
            letter = deliver(place.public, dek_context(place, version, "deposit"), dek)
        else:
            letter = hang(dek_context(place, version, "own"), dek)
    return _row(place, version, letter, head, digest(parts), mark, "deposit" if hang is None else "own"), stored


@dataclass(frozen=True, slots=True)
class Staged:
    """A large body that lies in its store already: its key, the size of the body and of its envelope, both its ends."""

    store: bytes
    dek: DataKey
    size: int
    stored: int
    ends: bytes


def enclose_staged(place: Place, version: int, label: Label, staged: Staged) -> tuple[Resource, Body]:
    """Make a version of what came in by segments. Label and segments share a key that nothing else is sealed under."""
    context = ctx("label", place.pod, place.resource, version)
    head = seal(staged.dek, context, pad(orjson.dumps(label), LABEL_BLOCK))
    letter = deliver(place.public, dek_context(place, version, "deposit"), staged.dek)
    body = Body(id=place.resource, version=version, size=staged.stored, store=staged.store, data=staged.ends)
    return _row(place, version, letter, head, kept_digest(head, staged.ends, staged.stored), b""), body


def _row(
    place: Place, version: int, dek: bytes, label: bytes, told: bytes, mark: bytes, form: str = "deposit"
) -> Resource:
    return bare(
        Resource,
        id=place.resource,
        pod=place.pod,
        parent=place.parent,
        compartment=place.compartment,
        generation=place.generation,
        version=version,
        form=form,
        dek=dek,
        label=label,
        digest=told,
        source=mark,
    )


def dek_context(place: Place, version: int, form: str) -> bytes:
    """The context a data key is bound to (keys.md, `dek`)."""
    return ctx("dek", place.pod, place.compartment, place.generation, place.resource, version, form)


def digest(parts: list[bytes]) -> bytes:
    """The version digest that goes into the log: over each envelope's header and last tag, never over plaintext."""
    told = hashlib.sha256()
    for part in parts:
        told.update(_ends(part, len(part)))
    return told.digest()


def kept_digest(label: bytes, data: bytes | None, size: int | None) -> bytes:
    """The same of a resource as it lies in the tables; of a large body the ends are there, and its whole size."""
    return hashlib.sha256(_ends(label, len(label)) + (b"" if data is None else _ends(data, size or 0))).digest()


def _ends(part: bytes, size: int) -> bytes:
    return part[:FRONT] + part[-TAIL:] + size.to_bytes(8, "big")
