"""Loads of pods on their way in: how the operator's program packs them, and how the server takes them.

A load is a JSON head behind its length (4 bytes, big-endian), then the bodies one after the other, as the head lists
them. The program read and rewrote them (vault.moving); what a writer over HTTP is held to is checked here again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from consent.accounts import arriving
from consent.accounts.arriving import Arrival
from keys.errors import WrongSecret
from vault.arrival import Arriving, Load
from vault.errors import BadLoad
from vault.moving.bring import Bringer, Content
from vault.solid.ldp import BadMedia
from vault.solid.paths import BadPath
from vault.solid.scan import BadRdf

if TYPE_CHECKING:
    from web.app import House

LENGTH: Final = 4
LARGE: Final = 8 * 1024 * 1024  # bytes of bodies after which a load is closed
MANY: Final = 500


@dataclass
class _Part:
    """A load that is being packed."""

    contents: list[Content] = field(default_factory=list)
    size: int = 0

    def add(self, one: Content) -> None:
        """Put one more in."""
        self.contents.append(one)
        self.size += len(one.body)

    @property
    def full(self) -> bool:
        """Whether it should go."""
        return self.size >= LARGE or len(self.contents) >= MANY


def loads(bringer: Bringer, codes: Sequence[str]) -> Iterator[tuple[bytes, int, int]]:
    """The loads of one pod, each with its number of resources and their bytes. The first has all access lists.

    Without `codes` it goes on with a pod that came in part. Raises BadTree if the folder changed meanwhile.
    """
    lists, containers = bringer.lists(), sorted(bringer.draft.containers)
    part, first = _Part(), True
    for one in bringer.contents():
        if part.contents and (part.full or part.size + len(one.body) > 2 * LARGE):
            yield _packed(bringer, part, lists if first else {}, containers if first else [], codes, whole=False)
            part, first, codes = _Part(), False, ()
        part.add(one)
    yield _packed(bringer, part, lists if first else {}, containers if first else [], codes, whole=True)


def _packed(
    bringer: Bringer, part: _Part, lists: Mapping[str, bytes], containers: list[str], codes: Sequence[str], *,
    whole: bool,
) -> tuple[bytes, int, int]:  # fmt: skip
    home = bringer.draft.home
    head = orjson.dumps(
        {
            "name": home.name,
            "from": home.base,
            "source": bringer.draft.server,
            "whole": whole,
            "codes": list(codes),
            "containers": containers,
            "lists": {path: turtle.decode() for path, turtle in lists.items()},
            "resources": [[one.path, one.media, len(one.body), one.modified] for one in part.contents],
        }
    )
    body = b"".join((len(head).to_bytes(LENGTH, "big"), head, *(one.body for one in part.contents)))
    return body, len(part.contents), part.size


async def take(house: "House", body: bytes) -> int:
    """Take one load in; how many resources are new. Raises BadLoad and what consent.accounts.arriving raises."""
    who, codes, load = _read(body)
    try:
        if not codes:
            return await arriving.go_on(house.vault, who, load, house.clock())
        await arriving.arrive(house.vault, who, codes, load, house.clock())
    except (BadPath, BadMedia, BadRdf, WrongSecret) as error:
        raise BadLoad(str(error)) from error
    return len(load.resources)


def _read(body: bytes) -> tuple[Arrival, list[str], Load]:
    at = LENGTH + int.from_bytes(body[:LENGTH], "big")
    try:
        head: dict[str, Any] = orjson.loads(body[LENGTH:at])
        listed = []
        for path, media, size, modified in head["resources"]:
            listed.append(Arriving(str(path), str(media), body[at : at + size], max(0, int(modified))))
            at += size
        load = Load(str(head["source"]), listed, [str(one) for one in head["containers"]],
                    {str(path): str(turtle).encode() for path, turtle in head["lists"].items()})  # fmt: skip
        who = Arrival(str(head["name"]), str(head["from"]), bool(head["whole"]))
        codes = [str(code) for code in head["codes"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadLoad("this is no load of a pod") from error
    if at != len(body):
        raise BadLoad("the bodies of this load are not as long as it says")
    return who, codes, load
