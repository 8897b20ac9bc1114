"""Sending a body, whole or the parts of it that were asked for, without holding more of it than one segment."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from keys.secret import fresh_bytes
from vault.large import Large
from vault.solid import ranges
from vault.solid.ranges import Part, Several
from web.replies import Reply, problem

BYTES = {"Accept-Ranges": "bytes"}


def ranged(reply: Reply, wanted: str | None, large: Large | None, size: int) -> Reply:
    """An answer 200 with the body of `size` bytes that its client wants of it: all, some parts (206), or none (416).

    The body is in the reply, or it is `large`. A reply to HEAD has neither, and only tells the size.
    """
    parts = ranges.parse(wanted, size)
    headers = {**reply.headers, **BYTES}
    if parts == "unsatisfiable":
        return problem(416, "range", "No such bytes", {**BYTES, "Content-Range": f"bytes */{size}"})
    if parts is None:
        return Reply(200, headers, reply.body, _whole(large), size)
    if len(parts) == 1:
        part = parts[0]
        headers["Content-Range"] = part.told(size)
        body = reply.body[part.start : part.stop]
        return Reply(206, headers, body, _whole(large, part), part.stop - part.start)
    several = Several(fresh_bytes(16).hex(), headers["Content-Type"], size)
    headers["Content-Type"] = f"multipart/byteranges; boundary={several.boundary}"
    return Reply(206, headers, b"", _parted(several, parts, reply.body, large), several.length(parts))


def _whole(large: Large | None, part: Part | None = None) -> AsyncGenerator[bytes, None] | None:
    if large is None:
        return None
    return _pieces(large, part or Part(0, large.size))


async def _pieces(large: Large, part: Part) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(large.pieces(part.start, part.stop)) as pieces:
            async for piece in pieces:
                yield piece
    finally:
        await large.close()


async def _parted(
    several: Several, parts: tuple[Part, ...], body: bytes, large: Large | None
) -> AsyncGenerator[bytes, None]:
    try:
        for part in parts:
            yield several.before(part)
            if large is None:
                yield body[part.start : part.stop]
            else:
                async for piece in large.pieces(part.start, part.stop):
                    yield piece
        yield several.end
    finally:
        if large is not None:
            await large.close()
