"""Webhooks on their way: every message that waits in the database, one lane for each receiver, in order.

The rows are the truth, so a start begins with nothing else. Each try writes its own line first, in which the writer
asks whether the webhook may still be told; a withdrawal takes the rows away in its own unit, and what is on its way at
that moment is broken off before the citizen is answered.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson

from consent import follow
from consent.follow import Following
from federation.messagesig import signed
from federation.push import Breaker, Courier, Held
from keys.errors import KeysError
from keys.secret import fresh_bytes
from keys.text import b64
from vault import hooks
from vault.hooks import Waiting
from vault.solid.notifications import MEDIA, message

if TYPE_CHECKING:
    from web.app import House

AT_ONCE: Final = 64
LOOK: Final = 0.5  # seconds between two looks at the clock while a receiver is left alone
SWEEP: Final = 30.0  # seconds between two looks at the table when nobody wakes us
KEPT: Final = timedelta(hours=24)
"""How long a receiver may fail before its channel is over."""
UNWANTED: Final = frozenset({404, 410})
ENOUGH: Final = 3
"""Answers in a row that say "not here": then the channel is over."""
_log = logging.getLogger("kluis.knocking")


@dataclass
class _Lane:
    """How one receiver does: failures, since when, how often it said that it is not there, and who works on it."""

    breaker: Breaker = field(default_factory=Breaker)
    since: datetime | None = None
    unwanted: int = 0
    next: datetime | None = None  # not before this, where the client asked for less at a time
    work: asyncio.Task[None] | None = None

    def ready(self, now: datetime) -> bool:
        """Whether it may be tried now."""
        return not self.breaker.open(now) and (self.next is None or now >= self.next)


class Knocking:
    """Everything that is on its way to webhooks; made with the house, run by its clockwork."""

    def __init__(self, courier: Courier) -> None:
        self.courier = courier
        self._lanes: dict[bytes, _Lane] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def run(self, house: "House") -> None:
        """Deliver for ever: at once when something was stored, and what is left after each pause."""
        house.channels.cuts.append(lambda: self._cut(house))
        async with asyncio.TaskGroup() as lanes:
            while True:
                house.channels.stirred.clear()
                try:
                    self._turn(house, lanes)
                except Exception as error:  # noqa: BLE001 -- one bad turn must not end the work; never data
                    _log.error("looking through the webhooks failed: %s", type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(house.channels.stirred.wait(), SWEEP)

    def _turn(self, house: "House", lanes: asyncio.TaskGroup) -> None:
        waiting = hooks.busy(house.vault.db.read)
        for gone in self._lanes.keys() - set(waiting):
            if (work := self._lanes[gone].work) is None or work.done():
                del self._lanes[gone]
        for ident in waiting:
            lane = self._lanes.setdefault(ident, _Lane())
            if lane.work is None or lane.work.done():
                lane.work = lanes.create_task(self._serve(house, ident, lane))

    def _cut(self, house: "House") -> None:
        """Break off what is on its way to a webhook that ended."""
        for ident, lane in self._lanes.items():
            if lane.work is not None and not lane.work.done() and not _stands(house, ident):
                lane.work.cancel()

    async def _serve(self, house: "House", ident: bytes, lane: _Lane) -> None:
        """Work off one lane until nothing waits or its channel is over."""
        try:
            while (one := follow.hook(house.vault, ident)) is not None:
                pod = house.vault.pod_by_id(one.pod)
                found = hooks.first(house.vault.db.read, pod, ident) if pod else None
                if found is None:
                    return
                if found.news.at < one.wish.start:
                    await house.vault.db.write(partial(hooks.took, number=found.number))
                elif lane.ready(house.clock()):
                    async with self._turns:
                        await self._try(house, one, found, lane)
                else:
                    await asyncio.sleep(LOOK)
        except (KeysError, ValueError) as error:  # a damaged row tells nobody anything
            _log.error("a webhook cannot be read: %s", type(error).__name__)
            await house.vault.db.write(lambda tx: hooks.remove(tx, ident))
        except Exception as error:  # noqa: BLE001 -- the log cannot be written, say: the next turn goes on; never data
            _log.error("telling a webhook failed: %s", type(error).__name__)

    async def _try(self, house: "House", one: Following, found: Waiting, lane: _Lane) -> None:
        """One try of one message, behind a line of its own."""
        index = await follow.tell(house.vault, one, [found.news.path], house.clock())
        if index is None:
            await follow.end_hook(house.vault, one, "refused", house.clock())
            return
        got = await self._send(house, one, found)
        now = house.clock()
        if isinstance(got, int) and 200 <= got < 300:
            house.vault.log.served(index)
            lane.breaker, lane.since, lane.unwanted = Breaker(), None, 0
            lane.next = now + timedelta(milliseconds=one.wish.rate)
            await house.vault.db.write(lambda tx: hooks.took(tx, found.number))
            return
        lane.unwanted = lane.unwanted + 1 if got in UNWANTED else 0
        lane.since, lane.breaker = lane.since or now, lane.breaker.failed(now, _chance())
        if lane.unwanted >= ENOUGH or now - lane.since >= KEPT:
            why = "unwanted" if lane.unwanted else "unreachable"
            await follow.end_hook(house.vault, one, why, now)

    async def _send(self, house: "House", one: Following, found: Waiting) -> int | Held:
        pod = house.vault.pod_by_id(one.pod)
        if pod is None:
            return Held("gone")
        root = f"{house.base}/pods/{pod.name}"
        body = orjson.dumps(message(root, one.topic, found.news, b64(found.id)))
        url = one.wish.send_to
        headers = signed(house.issuer_key, url, body, MEDIA, house.clock())
        return await self.courier.post(url, body, MEDIA, headers)


def _stands(house: "House", ident: bytes) -> bool:
    try:
        one = follow.hook(house.vault, ident)
    except (KeysError, ValueError):
        return False
    return one is not None and follow.stands(house.vault, one, house.clock())


def _chance() -> float:
    return int.from_bytes(fresh_bytes(4)) / 2**32
