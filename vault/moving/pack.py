"""Loads of pods on their way in: how what was read of one pod is packed for the server that takes it (web.arrivals).

A load is a JSON head behind its length (4 bytes, big-endian), then the bodies one after the other, as the head lists
them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from vault.moving.bring import Bringer, Content

LENGTH: Final = 4
LARGE: Final = 8 * 1024 * 1024  # bytes of bodies after which a load is closed
MANY: Final = 500


@dataclass(frozen=True, slots=True)
class Packed:
    """One load: its bytes, how many resources are in it, how many bytes those have, and whether the pod is whole."""

    load: bytes
    count: int
    size: int
    whole: bool


@dataclass
class _Part:
    """A load that is being packed."""

    contents: list[Content] = field(default_factory=list)
    size: int = 0

    def add(self, one: Content) -> None:
        """Put one more in."""
        self.contents.append(one)
        self.size += len(one.body)


def loads(bringer: Bringer, many: int = MANY, large: int = LARGE) -> Iterator[Packed]:
    """The loads of one pod, each of `many` resources or `large` bytes. The first has all access lists.

    Raises BadTree if the folder changed meanwhile.
    """
    lists, containers = bringer.lists(), sorted(bringer.draft.containers)
    part = _Part()
    for one in bringer.contents():
        full = part.size >= large or len(part.contents) >= many or part.size + len(one.body) > 2 * large
        if part.contents and full:
            yield _packed(bringer, part, lists, containers, whole=False)
            part, lists, containers = _Part(), {}, []
        part.add(one)
    yield _packed(bringer, part, lists, containers, whole=True)


def _packed(bringer: Bringer, part: _Part, lists: Mapping[str, bytes], containers: list[str], *, whole: bool) -> Packed:
    home = bringer.draft.home
    head = {
        "name": home.name,
        "from": home.base,
        "source": bringer.draft.server,
        "whole": whole,
        "codes": [],
        "containers": containers,
        "lists": {path: turtle.decode() for path, turtle in lists.items()},
        "resources": [[one.path, one.media, len(one.body), one.modified] for one in part.contents],
    }
    return Packed(
        _joined(orjson.dumps(head), *(one.body for one in part.contents)), len(part.contents), part.size, whole
    )


def invited(load: bytes, codes: Sequence[str]) -> bytes:
    """The first load of a new pod with the codes of its invitation, which whoever read the folder does not know."""
    at = LENGTH + int.from_bytes(load[:LENGTH], "big")
    return _joined(orjson.dumps(orjson.loads(load[LENGTH:at]) | {"codes": list(codes)}), load[at:])


def _joined(head: bytes, *bodies: bytes) -> bytes:
    return b"".join((len(head).to_bytes(LENGTH, "big"), head, *bodies))
