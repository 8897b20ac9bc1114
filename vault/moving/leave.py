"""A pod as a folder that Community Solid Server 7 can serve: leaving is as easy as coming.

The names are those that `vault.moving.names` reads: `name$.ext` where a URL's own ending says another media type, an
`.acl` beside what it is about, and for a media type without an extension `$.unknown` with the type in the `.meta`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from vault.moving.names import UNKNOWN, extension, media as media_of
from vault.solid.moved import FORMAT

META: Final = ".meta"
_KEPT: Final = re.compile(r"(%(?:25)*(?:2F|5C))")
_SYMBOLS: Final = str.maketrans({letter: f"%{ord(letter):02X}" for letter in '<>:"|?*'})


class Leaver:
    """Names every file of one pod that leaves, and keeps what has to stand in descriptions until the end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._told: dict[str, bytes] = {}
        self._described: dict[str, bytes] = {}

    def file(self, path: str, media: str, body: bytes) -> str | None:
        """The name of a resource's file; None for a description, which comes with `rest`."""
        if path.endswith(META):
            self._described[path.removesuffix(META)] = body
            return None
        name, bare = plain(path), media.partition(";")[0]
        if media_of(name) == media:
            return name
        ending = extension(media) if bare == media else ""
        if not ending or media_of(f"x.{ending}") != media:
            ending = UNKNOWN
            literal = media.replace("\\", "\\\\").replace('"', '\\"')
            self._told[path] = f'<> <{FORMAT}> "{literal}".\n'.encode()
        return f"{name}$.{ending}"

    def rest(self, lists: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
        """Every description and access list with the name of its file."""
        for path in sorted(self._told.keys() | self._described.keys()):
            yield f"{plain(path)}{META}", self._told.get(path, b"") + self._described.get(path, b"")
        for path, turtle in lists.items():
            yield f"{plain(path)}.acl", turtle.encode()


def plain(path: str) -> str:
    """The file name of a path: decoded, but for encoded slashes and what no file system wants in a name."""
    parts = _KEPT.split(path)
    return "".join(one if number % 2 else unquote(one).translate(_SYMBOLS) for number, one in enumerate(parts))
