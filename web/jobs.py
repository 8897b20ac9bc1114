"""The clockwork of the server: checkpoints on a fixed clock, outcomes, denials, proofs, sessions, retention, epochs.

Epochs have a clock of their own, since summing up a big city takes a second of a thread.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Final

from consent import dynamic, endings
from consent.accounts import sessions
from vault.errors import LogUnavailable
from vault.log import retention, tally, uses

if TYPE_CHECKING:
    from web.app import House

SECOND: Final = 1.0
_log = logging.getLogger("kluis.jobs")


def all_of(house: "House") -> list[Coroutine[None, None, None]]:
    """Everything beside the requests: the clockwork, what goes out, and the watch over the log's witnesses if any."""
    work = [run(house), house.outgoing.run(house), house.channels.run(), house.knocking.run(house)]
    return work + ([house.watching.run(house)] if house.watching else [])


async def run(house: "House") -> None:
    """Tick for ever."""
    async with asyncio.TaskGroup() as clocks:
        clocks.create_task(_for_ever(house.settings.log_clock, lambda: tick(house)))
        clocks.create_task(_epochs(house))


async def _epochs(house: "House") -> None:
    """The first summary is published at once: after a pause of the server nobody should find only old ones."""
    with contextlib.suppress(LogUnavailable):
        await sum_up(house)
        await house.vault.publish()
    await _for_ever(SECOND, lambda: sum_up(house))


async def _for_ever(pause: float, turn: Callable[[], Awaitable[None]]) -> None:
    """A turn that fails, because the log cannot be written or otherwise, is simply tried again at the next."""
    while True:
        await asyncio.sleep(pause)
        try:
            await turn()
        except Exception as error:  # noqa: BLE001 -- one bad turn must not stop the clock; names only, never data
            _log.error("a turn of the clockwork failed: %s", type(error).__name__)


async def sum_up(house: "House") -> None:
    """State the summary of a new epoch, if one has begun (vault.log.epochs)."""
    await house.vault.epochs.sum_up(house.vault.log, house.clock(), _let_others_in)


def _let_others_in() -> None:
    """Give up the interpreter between two blocks, so that requests wait a millisecond for it and not a second."""
    time.sleep(0)


async def tick(house: "House", *, last: bool = False) -> None:
    """One turn: write outcomes and closed minutes, forget old proofs, end stale sessions and months, then publish."""
    vault, now = house.vault, house.clock()
    try:
        await vault.log.settle()
        await tally.flush(vault.log, now, all_of_them=last)
        await vault.forget_proofs(now)
        await sessions.sweep(vault, now)
        await endings.sweep(vault, now)
        await dynamic.sweep(vault, now)
        await retention.sweep(vault, now, house.settings.log_months, house.settings.log_dpo_months)
        await uses.sweep(vault.db, now)
        await vault.publish()
        if house.watching:
            house.watching.wake.set()
    except LogUnavailable:
        return
