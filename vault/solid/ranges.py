"""Range requests (RFC 9110 14): which bytes a client asks for, and the form that several parts are sent in."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final, Literal

MOST: Final = 16  # parts of one answer; who asks for more gets the whole
_SPEC = re.compile(r"([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` up to, not including, `stop`."""

    start: int
    stop: int

    def told(self, size: int) -> str:
        """Content-Range of this part of `size` bytes."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def parse(header: str | None, size: int) -> tuple[Part, ...] | Literal["unsatisfiable"] | None:
    """The parts asked for of a body of `size` bytes, in the order asked for.

    None stands for the whole: no or another unit, a form that is none, more parts than MOST, or parts that together
    hold more than the whole. "unsatisfiable" if none of them has a byte in it (416).
    """
    unit, equals, text = (header or "").partition("=")
    specs = [_SPEC.fullmatch(one.strip(" \t")) for one in text.split(",") if one.strip(" \t")]
    if unit.strip(" \t").lower() != "bytes" or not equals or not specs or len(specs) > MOST:
        return None
    parts = []
    for spec in specs:
        if spec is None or (spec[2] and int(spec[2]) < int(spec[1])):
            return None
        if spec[3]:
            parts.append(Part(max(size - int(spec[3]), 0), size if int(spec[3]) else 0))
        else:
            parts.append(Part(int(spec[1]), min(int(spec[2]) + 1, size) if spec[2] else size))
    kept = tuple(part for part in parts if part.start < part.stop)
    if not kept:
        return "unsatisfiable"
    return None if len(kept) > 1 and sum(part.stop - part.start for part in kept) > size else kept


def still(if_range: str | None, tag: str, modified: datetime | None) -> bool:
    """Whether If-Range lets a range through: without it, or with this very strong tag or date (RFC 9110 13.1.5)."""
    if if_range is None or if_range == tag:
        return True
    return modified is not None and if_range == format_datetime(modified, usegmt=True)


@dataclass(frozen=True, slots=True)
class Several:
    """The frame of `multipart/byteranges` around several parts of one body."""

    boundary: str
    media: str
    size: int

    def before(self, part: Part) -> bytes:
        """What stands before a part."""
        head = f"\r\n--{self.boundary}\r\nContent-Type: {self.media}\r\nContent-Range: {part.told(self.size)}\r\n\r\n"
        return head.encode("latin-1")

    @property
    def end(self) -> bytes:
        """What stands after the last one."""
        return f"\r\n--{self.boundary}--\r\n".encode("ascii")

    def length(self, parts: tuple[Part, ...]) -> int:
        """How long the whole answer is."""
        return sum(len(self.before(part)) + part.stop - part.start for part in parts) + len(self.end)
