"""Taking a whole pod along: every resource, opened through the door behind one entry per compartment, as one tar.

All entries are durable before the first byte leaves. The tar is written as it is read: `pod/...` with every body as
it was stored, and last `kluis.json`, which tells media types, times, digests, custody and access lists.
"""

import tarfile
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any

from keys.text import canonical
from vault import acls, door
from vault.door import Batch
from vault.gates import ms
from vault.keysets import Keys
from vault.permit import Permit
from vault.pod import compartments, parent
from vault.sealed import Opened
from vault.vault import PodFacts, Vault

FORMAT = "kluis/take-away/v1"
CONTENTS = "kluis.json"
_BLOCK = 512


async def gather(vault: Vault, permits: Iterable[tuple[Permit, Keys]], at: datetime) -> list[Batch]:
    """Ask the door for every compartment of the permits; each leaves its entry. Raises what `door.records` raises."""
    return [await door.records(vault, permit, keys, at) for permit, keys in permits]


async def packed(vault: Vault, pod: PodFacts, batches: Iterable[Batch], at: datetime) -> AsyncIterator[bytes]:
    """The tar (POSIX pax) in pieces. Breaks off with Denied when the session ends meanwhile: such a tar has no end."""
    told: list[dict[str, Any]] = []
    for batch in batches:
        async for item in batch.items:
            size, digest = item.label.size if item.large else len(item.body or b""), sha256()
            yield _head(f"pod{item.label.path}", size, item.label.modified)
            async for piece in _pieces(item):
                digest.update(piece)
                yield piece
            yield bytes(-size % _BLOCK)
            told.append(_told(item, digest.hexdigest()))
    contents = canonical(
        {
            "format": FORMAT,
            "pod": f"{vault.base}/pods/{pod.name}/",
            "time": ms(at),
            "resources": told,
            "custody": {home.container: home.custody for home in compartments(vault, pod)},
            "access": _access(vault, pod, [one["path"] for one in told]),
        }
    )
    yield _member(CONTENTS, contents, ms(at)) + bytes(2 * _BLOCK)


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


def _member(name: str, body: bytes, modified: int) -> bytes:
    return _head(name, len(body), modified) + body + bytes(-len(body) % _BLOCK)
