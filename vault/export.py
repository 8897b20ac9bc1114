"""Taking a whole pod along: every resource, opened through the door behind one entry per compartment, as one tar.

All entries are durable before the first byte leaves. The tar is written as it is read: `pod/...` with every body as
it was stored, what else she takes (consent.papers), and last `kluis.json`, which tells media types, times, digests,
containers, custody and access lists.
"""

import tarfile
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, Protocol

from keys.text import canonical
from vault import acls, door
from vault.door import Batch
from vault.gates import ms
from vault.keysets import Keys
from vault.moving.leave import Leaver, plain
from vault.permit import Permit
from vault.pod import compartments, parent
from vault.sealed import Opened
from vault.vault import PodFacts, Vault

FORMAT = "kluis/take-away/v1"
CONTENTS = "kluis.json"
Form = Literal["kluis", "css"]
_BLOCK = 512


class Digest(Protocol):
    """A hash that takes in a body piece by piece."""

    def update(self, data: bytes, /) -> None:
        """Take in a piece."""


async def gather(vault: Vault, permits: Iterable[tuple[Permit, Keys]], at: datetime) -> list[Batch]:
    """Ask the door for every compartment of the permits; each leaves its entry. Raises what `door.records` raises."""
    return [await door.records(vault, permit, keys, at, described=True) for permit, keys in permits]


async def packed(
    vault: Vault,
    pod: PodFacts,
    batches: Iterable[Batch],
    at: datetime,
    form: Form = "kluis",
    papers: AsyncIterator[tuple[str, bytes]] | None = None,
) -> AsyncIterator[bytes]:
    """The tar (POSIX pax) in pieces. Breaks off with Denied when the session ends meanwhile: such a tar has no end.

    `papers` are further files, by their name in the tar.

    In the form `css` the files have the names by which Community Solid Server serves them, with access lists and
    descriptions beside them (vault.moving.leave), in a folder of the pod's name.
    """
    told, containers, beside = list[dict[str, Any]](), list[str](), dict[str, str]()
    leaver = Leaver() if form == "css" else None
    async for piece in _resources(pod, batches, leaver, told, containers):
        yield piece
    access = _access(vault, pod, [*(one["path"] for one in told), *containers])
    if leaver is not None:
        yield b"".join(_folder(f"{pod.name}{plain(path)}", ms(at)) for path in sorted(containers))
        for file, body in leaver.rest(access):
            yield _member(f"{pod.name}{file}", body, ms(at))
    if papers is not None:
        async for name, body in papers:
            beside[name] = sha256(body).hexdigest()
            yield _member(name, body, ms(at))
    contents = canonical(
        {
            "format": FORMAT,
            "pod": f"{vault.base}/pods/{pod.name}/",
            "time": ms(at),
            "resources": told,
            "containers": sorted(containers),
            "papers": beside,
            "custody": {home.container: home.custody for home in compartments(vault, pod)},
            "access": access,
        }
    )
    yield _member(CONTENTS, contents, ms(at)) + bytes(2 * _BLOCK)


async def _resources(
    pod: PodFacts, batches: Iterable[Batch], leaver: Leaver | None, told: list[dict[str, Any]], containers: list[str]
) -> AsyncIterator[bytes]:
    """Every resource as a member of the tar; what there is to tell of it and the containers are added to the lists."""
    for batch in batches:
        async for item in batch.items:
            if item.body is None:
                containers.append(item.label.path)
                continue
            digest = sha256()
            async for piece in _file(item, _named(pod, leaver, item), digest):
                yield piece
            told.append(_told(item, digest.hexdigest()))


def _named(pod: PodFacts, leaver: Leaver | None, item: Opened) -> str:
    """What a resource is called in the tar; "" for a description that a leaver puts beside others at the end."""
    if leaver is None:
        return f"pod{item.label.path}"
    file = leaver.file(item.label.path, item.label.media, item.body or b"")
    return f"{pod.name}{file}" if file else ""


async def _file(item: Opened, name: str, digest: Digest) -> AsyncIterator[bytes]:
    """One member of the tar, nothing without a name; `digest` takes in the body either way."""
    size = item.label.size if item.large else len(item.body or b"")
    if name:
        yield _head(name, size, item.label.modified)
    async for piece in _pieces(item):
        digest.update(piece)
        if name:
            yield piece
    if name:
        yield bytes(-size % _BLOCK)


async def _pieces(item: Opened) -> AsyncIterator[bytes]:
    """The body, a large one piece by piece."""
    if item.large is None:
        yield item.body or b""
        return
    async for piece in item.large.pieces():
        yield piece


def _told(item: Opened, digest: str) -> dict[str, Any]:
    label = item.label
    told = {
        "path": label.path,
        "media": label.media,
        "size": label.size,
        "version": item.version,
        "source": label.source,
    }
    return told | {"created": label.created, "modified": label.modified, "sha256": digest}


def _access(vault: Vault, pod: PodFacts, paths: list[str]) -> dict[str, str]:
    """The access lists of these resources and of every container above them, as Turtle."""
    above = set(paths)
    for path in paths:
        while path != "/":
            path = parent(path)  # noqa: PLW2901 -- walks up
            above.add(path)
    lists = {path: acls.stored(vault, pod, path) for path in sorted(above)}
    return {path: turtle.decode() for path, turtle in lists.items() if turtle is not None}


def _head(name: str, size: int, modified: int) -> bytes:
    facts = tarfile.TarInfo(name)
    facts.size, facts.mtime, facts.mode = size, modified // 1000, 0o600
    return facts.tobuf(tarfile.PAX_FORMAT)


def _folder(name: str, modified: int) -> bytes:
    facts = tarfile.TarInfo(name.rstrip("/"))
    facts.type, facts.mtime, facts.mode = tarfile.DIRTYPE, modified // 1000, 0o700
    return facts.tobuf(tarfile.PAX_FORMAT)


def _member(name: str, body: bytes, modified: int) -> bytes:
    return _head(name, len(body), modified) + body + bytes(-len(body) % _BLOCK)
