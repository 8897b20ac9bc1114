"""Large bodies on their way in: sealed in segments while they arrive, never whole in memory, never in clear on disk.

The segments are committed in small units to a store of their own that no body names yet. The one transaction of the
write (`vault.store`) then names it; a body that was cut off leaves a store without a body, which is removed at once,
or after a crash at the next start (docs/decisions/0025).
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

from keys.context import ctx
from keys.seal import SEGMENT, SegmentSealer
from keys.secret import DataKey, fresh_bytes
from vault import quota
from vault.blobs import FRONT, TAIL, Staged, padme
from vault.database import Tx
from vault.errors import LogUnavailable
from vault.tables import Segment, Upload
from vault.vault import PodFacts, Vault

AT_ONCE: Final = 4  # segments in one unit of the writer: 1 MiB
SWEPT: Final = 16
SOME = "SELECT number FROM segment WHERE store = :store LIMIT :some"
LITTER = "SELECT EXISTS(SELECT 1 FROM upload WHERE store = :store)"


@asynccontextmanager
async def staged(vault: Vault, pod: PodFacts, path: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[Staged]:
    """Take in a body and give what `store.write` needs to make it a version; what nobody made one is removed after.

    Raises Conflict("quota"), LogUnavailable with a full disk, and whatever `pieces` raises.
    """
    store = fresh_bytes(16)
    with DataKey.fresh() as dek:
        try:
            yield await _take(vault, pod, ctx("segments", pod.id, pod.resource(path), store), store, dek, pieces)
        finally:
            with suppress(LogUnavailable):  # a full disk: the next start removes it
                await sweep(vault, store)


async def _take(
    vault: Vault, pod: PodFacts, context: bytes, store: bytes, dek: DataKey, pieces: AsyncIterator[bytes]
) -> Staged:
    sealer, size, stored, number = SegmentSealer(dek, context), 0, 0, 0
    front, last, waiting = sealer.head, b"", list[Segment]()
    async for segment, real in _segments(pieces):
        last, size = sealer.seal(segment), size + real
        if not number:
            front = (front + last)[:FRONT]
        waiting.append(Segment(store=store, number=number, data=last))
        stored, number = stored + len(last), number + 1
        if len(waiting) == AT_ONCE:
            await vault.db.write(partial(_put, vault, pod.id, store, waiting))
            waiting = []
    await vault.db.write(partial(_put, vault, pod.id, store, waiting))
    return Staged(store, dek, size, stored + len(sealer.head), front + last[-TAIL:])


async def _segments(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[bytes, int]]:
    """The body padded and cut into segments, each with how many bytes of it are not padding; the last one is short."""
    held, size = bytearray(), 0
    async for piece in pieces:
        held += piece
        size += len(piece)
        while len(held) >= SEGMENT:
            yield bytes(held[:SEGMENT]), SEGMENT
            del held[:SEGMENT]
    left, padding = len(held), padme(size) - size
    while left + padding >= SEGMENT:
        yield bytes(held).ljust(SEGMENT, b"\0"), left
        padding -= SEGMENT - left
        held.clear()
        left = 0
    yield bytes(held) + bytes(padding), left


def _put(vault: Vault, pod: bytes, store: bytes, rows: list[Segment], tx: Tx) -> None:
    quota.reserve(tx, pod, store, sum(len(row.data) for row in rows), vault.quota)
    for row in rows:
        tx.add(row)


@asynccontextmanager
async def held(vault: Vault, stores: Iterable[bytes | None]) -> AsyncIterator[None]:
    """Keep the stores of rows that were just read: whoever replaces their bodies meanwhile leaves them to be opened."""
    kept = [store for store in stores if store]
    vault.reading.update(kept)
    try:
        yield
    finally:
        for store in kept:
            vault.reading[store] -= 1
            if not vault.reading[store]:
                del vault.reading[store]
                await sweep(vault, store)


async def sweep(vault: Vault, store: bytes) -> None:
    """Remove a store that no body names, in small units, unless somebody still reads it: then she does it after."""
    if not vault.db.read.run(LITTER, store=store)[0][0]:
        return
    while not vault.reading[store] and await vault.db.write(partial(_less, store)):
        pass


def _less(store: bytes, tx: Tx) -> bool:
    """Remove some segments of a store that is litter; whether there may be more."""
    if not tx.run(LITTER, store=store)[0][0]:
        return False
    some = [number for (number,) in tx.run(SOME, store=store, some=SWEPT)]
    for number in some:
        tx.remove(Segment, store=store, number=number)
    if len(some) < SWEPT:
        tx.remove(Upload, store=store)
    return len(some) == SWEPT
