"""A large body that is being read: any part of it, a segment at a time, as long as its gate stays open.

Made by the door alone, behind the entry that allows it; the key of the segments lives until `close`.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from keys.errors import KeysError
from keys.seal import SEGMENT
from vault.database import Tx
from vault.errors import DamagedItem, Stale

NAMED = "SELECT 1 FROM body WHERE store = :store"
ONE = "SELECT data FROM segment WHERE store = :store AND number = :number"


@dataclass(slots=True)
class Large:
    """A body of `size` bytes; `gate` raises Denied once it closed, `reading` counts who reads which store."""

    size: int
    store: bytes
    tx: Tx
    reading: Counter[bytes]
    gate: Callable[[], None]
    part: Callable[[int, bytes], bytes]
    wipe: Callable[[], None]
    told: Callable[[], Awaitable[None]]
    after: Callable[[bytes], Awaitable[None]]
    closed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.reading[self.store] += 1

    async def pieces(self, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to `stop`, opening no segment that holds none of them.

        Raises Denied when the gate closed under way, DamagedItem (after a second entry) for what does not open, Stale
        for what was replaced long before.
        """
        stop = self.size if stop is None else stop
        for number in range(start // SEGMENT, -(-stop // SEGMENT)):
            self.gate()
            begin = number * SEGMENT
            yield (await self._open(number))[max(start - begin, 0) : stop - begin]

    async def whole(self) -> bytes:
        """All of it at once: only for a body whose size the caller has bounded."""
        return b"".join([piece async for piece in self.pieces()])

    async def _open(self, number: int) -> bytes:
        found = self.tx.run(ONE, store=self.store, number=number)
        if not found and not self.tx.run(NAMED, store=self.store):
            raise Stale("replaced before it was read")
        try:
            return self.part(number, found[0][0])
        except (KeysError, IndexError) as error:
            await self.told()
            raise DamagedItem(f"segment {number} of {self.store.hex()} does not open") from error

    async def close(self) -> None:
        """Forget the key; once nobody reads a store that was replaced meanwhile, it is removed."""
        if self.closed:
            return
        self.closed = True
        self.wipe()
        self.reading[self.store] -= 1
        if self.reading[self.store] == 0:
            del self.reading[self.store]
            await self.after(self.store)
