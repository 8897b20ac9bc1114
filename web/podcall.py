"""One request to a pod, and what reading and writing need of it: headers, addresses, versions, the gate, the body."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from consent.call import Admission, Call, Denial
from consent.gate import admit
from vault import store
from vault.solid import ldp
from vault.solid.paths import Target, subject_of
from web.middleware import Receive, TooLarge
from web.visitors import announced

if TYPE_CHECKING:
    from web.app import House

INLINE = 256 * 1024  # a longer body goes to the vault in segments, while it comes in
PARSED = 4 * 1024 * 1024  # the longest body that is read whole, since it must be parsed
LONG = 64 * 1024  # JSON beyond this is read beside the event loop
T = TypeVar("T")


class Gone(Exception):
    """The client left in the middle of its body: nothing is stored and nobody is answered."""


@dataclass(frozen=True)
class Asked:
    """One request: the house, method, canonical target, raw path, headers, the way to its body, its largest size, and
    what follows the path.
    """

    house: "House"
    method: str
    target: Target
    raw: bytes
    headers: list[tuple[bytes, bytes]]
    receive: Receive
    largest: int
    query: bytes = b""

    @property
    def root(self) -> str:
        """The pod's absolute URL without its last slash."""
        return f"{self.house.base}/pods/{self.target.pod}"

    @property
    def owner(self) -> str:
        """The WebID of the pod's citizen."""
        return f"{self.root}/profile/card#me"

    def values(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of a header."""
        return tuple(value for key, value in self.headers if key == name)

    def text(self, name: bytes) -> str | None:
        """A header as one list (RFC 9110 5.3), None if it is absent."""
        found = self.values(name)
        return b", ".join(found).decode("latin-1") if found else None

    def version(self, path: str) -> int | None:
        """The version stored at a path of this pod, None for nothing or no such pod. Opens no content."""
        pod = self.house.vault.pod(self.target.pod)
        return None if pod is None else store.version_of(self.house.vault, pod, path)

    def key(self, path: str) -> bytes:
        """The key of a path's tags: its id, a keyed hash that only this vault can work out.

        A storage description is the same for a pod that exists and one that does not, and so must its tag be.
        """
        pod = None if self.target.kind == "description" else self.house.vault.pod(self.target.pod)
        return pod.resource(path) if pod else bytes(16)

    async def admit(self, path: str, *, exists: bool, patch: frozenset[str] = frozenset()) -> Admission | Denial:
        """Ask the gate for this method on a path, for a description on that of its subject; `patch` as for `ldp.needs`.

        The proof is compared with the path as the client wrote it.
        """
        return await self.decided(await self.called(path, exists=exists, patch=patch))

    async def decided(self, call: Call) -> Admission | Denial:
        """What the gate says of a call."""
        return await admit(self.house.vault, call, self.house.clock())

    async def called(self, path: str, *, exists: bool, patch: frozenset[str] = frozenset()) -> Call:
        """What `admit` asks the gate. For a stranger's token this waits for a stranger's server."""
        needs = ldp.needs(self.method, self.target.kind, exists, patch)
        written = "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in self.raw)
        call = Call(
            self.method,
            self.house.base + written,
            self.target.pod,
            subject_of(path) or path,
            self.values(b"authorization"),
            self.values(b"dpop"),
            self.text(b"kluis-purpose"),
            self.target.kind,
            needs.resource,
            needs.container,
            prefer=self.values(b"prefer"),
            origin=self.text(b"origin"),
        )
        return await announced(self.house, call)

    async def body(self, most: int) -> bytes:
        """The whole body. Raises Gone if it was cut off, TooLarge past `most`; either way nothing is stored."""
        return b"".join([piece async for piece in self.pieces(most)])

    async def pieces(self, most: int) -> AsyncGenerator[bytes, None]:
        """The body as it comes in. Raises as `body` does."""
        length, seen = self.text(b"content-length") or "", 0
        if length.isdecimal() and int(length) > most:
            raise TooLarge("the body is too large")
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Gone
            piece, more = message.get("body", b""), message.get("more_body", False)
            seen += len(piece)
            if seen > most:
                raise TooLarge("the body is too large")
            yield piece

    async def begun(self) -> tuple[bytes, AsyncGenerator[bytes, None] | None]:
        """The body if it is short, else its beginning and the way to what follows."""
        held, pieces = bytearray(), self.pieces(self.largest)
        async for piece in pieces:
            held += piece
            if len(held) > INLINE:
                return bytes(held), pieces
        return bytes(held), None


async def after(begun: bytes, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The whole body again of which the beginning was taken already."""
    yield begun
    async for piece in pieces:
        yield piece


async def beside(body: bytes, work: Callable[[], T]) -> T:
    """Do the work here if the body is short, else in a thread, so that others are served meanwhile."""
    return work() if len(body) <= LONG else await asyncio.to_thread(work)
