"""Reading a take-away file again: everything in it is checked before anything of it is stored.

The tar came out of an age file, so nobody but who knew its passphrase wrote it; that may still be anybody. It is never
unpacked to a disk, is not compressed, and has to be exactly what its own list of contents says.
"""

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import orjson

from vault.errors import BadTakeAway
from vault.export import CONTENTS, FORMAT
from vault.packets import ENDING
from vault.solid import ldp, paths, rdf
from vault.solid.scan import JSON_LD, BadRdf, scan

MOST: Final = 20_000
INSIDE: Final = "pod"


@dataclass(frozen=True, slots=True)
class Piece:
    """One resource: its path, media type and body."""

    path: str
    media: str
    body: bytes


@dataclass(frozen=True, slots=True)
class TakeAway:
    """What a file holds: the address of the pod it was taken from, its resources, every container, and the custody of
    those at the top.
    """

    pod: str
    pieces: tuple[Piece, ...]
    custody: Mapping[str, str]
    containers: tuple[str, ...] = ()


def unpack(tar: bytes) -> TakeAway:
    """The content of a take-away tar. Raises BadTakeAway, which names what is wrong."""
    try:
        bodies = dict(_members(tar))
        told = orjson.loads(bodies.pop(CONTENTS, b""))
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise BadTakeAway("this is no take-away file of this version of Kluis")
        pieces = tuple(_piece(one, bodies) for one in told["resources"])
        custody = {str(name): str(how) for name, how in told.get("custody", {}).items()}
        containers = tuple(sorted(_container(path) for path in told.get("containers", ())))
        _papers(told.get("papers", {}), bodies)
        source = str(told["pod"])
    except (tarfile.TarError, RecursionError, OverflowError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadTakeAway("this is no take-away file, or it is damaged") from error
    if bodies:
        raise BadTakeAway(f"{_shown(next(iter(bodies)))} is not in the list of contents")
    _distinct(pieces)
    # A description comes after what it describes: it is stored only where that stands.
    return TakeAway(source, tuple(sorted(pieces, key=lambda one: paths.subject_of(one.path) is not None)), custody,
                    containers)  # fmt: skip


def _members(tar: bytes) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as opened:
        for member in opened:
            if not member.isreg() or member.issparse() or member.name in seen or len(seen) > MOST:
                raise BadTakeAway(f"{_shown(member.name)} is no plain file, comes twice, or is one of more than {MOST}")
            seen.add(member.name)
            read = opened.extractfile(member)
            yield member.name, read.read() if read else b""


def _piece(told: Any, bodies: dict[str, bytes]) -> Piece:
    path, media = told["path"], told["media"]
    body = bodies.pop(f"{INSIDE}{path}", None)
    if body is None or (len(body), sha256(body).hexdigest()) != (told["size"], told["sha256"]):
        raise BadTakeAway(f"{_shown(path)} is missing or not as its list says")
    try:
        target = paths.parse(f"/pods/a{path}".encode())
        media = ldp.media_type(media)
        if rdf.is_rdf(media):
            scan(body, media)
    except (paths.BadPath, ldp.BadMedia, BadRdf) as error:
        raise BadTakeAway(f"{_shown(path)} is not taken: {error}") from error
    if target.path != path or target.container or target.kind not in ("resource", "meta"):
        raise BadTakeAway(f"{_shown(path)} is no name of a resource")
    if path.endswith(ENDING) and not (media == JSON_LD and isinstance(orjson.loads(body), dict)):
        raise BadTakeAway(f"{_shown(path)} is no record")
    return Piece(path, media, body)


def _container(path: Any) -> str:
    """The path of a container, as it is listed."""
    try:
        target = paths.parse(f"/pods/a{path}".encode())
    except paths.BadPath as error:
        raise BadTakeAway(f"{_shown(path)} is not taken: {error}") from error
    if target.path != path or not target.container or target.kind != "resource":
        raise BadTakeAway(f"{_shown(path)} is no name of a container")
    return target.path


def _papers(listed: Any, bodies: dict[str, bytes]) -> None:
    """Her grants, receipts and log are for herself to keep: looked at whether they are whole, and not brought back."""
    for name, digest in listed.items():
        if name.startswith(f"{INSIDE}/") or sha256(bodies.pop(name, b"")).hexdigest() != digest:
            raise BadTakeAway(f"{_shown(name)} is missing or not as its list says")


def _distinct(pieces: tuple[Piece, ...]) -> None:
    """Refuse a resource that lies below another one."""
    names = {piece.path for piece in pieces}
    for piece in pieces:
        if any(above[:-1] in names for above in paths.ancestors(piece.path)[:-1]):
            raise BadTakeAway(f"{_shown(piece.path)} lies below a resource")


def _shown(name: object) -> str:
    """A name out of a stranger's file, fit to be shown: short and printable."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(name))[:200]
