"""The clockwork of the server: checkpoints on a fixed clock, outcomes, sums of denials, stale sessions."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from consent import endings
from consent.accounts import sessions
from vault.errors import LogUnavailable
from vault.log import tally

if TYPE_CHECKING:
    from web.app import House

_log = logging.getLogger("kluis.jobs")


def all_of(house: "House") -> list[Coroutine[None, None, None]]:
    """Everything that ticks beside the requests: the clockwork, and the watch over the log's witnesses if any."""
    return [run(house)] + ([house.watching.run(house)] if house.watching else [])


async def run(house: "House") -> None:
    """Tick for ever. A tick that fails because the log cannot be written is simply tried again at the next."""
    while True:
        await asyncio.sleep(house.settings.log_clock)
        try:
            await tick(house)
        except Exception as error:  # noqa: BLE001 -- one bad turn must not stop the clock; names only, never data
            _log.error("a turn of the clockwork failed: %s", type(error).__name__)


async def tick(house: "House", *, last: bool = False) -> None:
    """One turn: write outcomes and closed minutes, end stale sessions, then publish what is durable."""
    vault, now = house.vault, house.clock()
    try:
        await vault.log.settle()
        await tally.flush(vault.log, now, all_of_them=last)
        await sessions.sweep(vault, now)
        await endings.sweep(vault, now)
        await vault.publish()
        if house.watching:
            house.watching.wake.set()
    except LogUnavailable:
        return
