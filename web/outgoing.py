"""What goes out: every message of the outbox on its way to its app, one lane for each app.

The outbox in the database is the truth; what stands here is only when to try whom. A start begins with nothing but
that table. A lane has its own task, its own pauses and at most four tries at once, so no receiver waits for another.
"""

import asyncio
import contextlib
import heapq
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from consent import clients, outbox
from consent.errors import BadTerms
from consent.oauth.clients import Client
from consent.outbox import Message
from consent.signals import sealed
from federation.push import LONGEST, Breaker, Courier, Held, pause
from keys.errors import KeysError
from keys.secret import fresh_bytes

if TYPE_CHECKING:
    from web.app import House

AT_ONCE: Final = 4
LOOK: Final = 0.5  # seconds between two looks at the clock while a lane has nothing due
SWEEP: Final = 60.0  # seconds between two looks at the outbox when nobody wakes us
_log = logging.getLogger("kluis.outgoing")


@dataclass(order=True)
class _Waiting:
    due: datetime
    number: int
    message: Message = field(compare=False)
    tries: int = field(default=0, compare=False)


@dataclass
class _Lane:
    """The messages of one app, soonest first, and how its receiver does."""

    queue: list[_Waiting] = field(default_factory=list)
    breaker: Breaker = field(default_factory=Breaker)
    work: asyncio.Task[None] | None = None


class Outgoing:
    """Everything that is on its way; made with the house, run by its clockwork."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._lanes: dict[str, _Lane] = {}
        self._known: set[bytes] = set()
        self._after = 0
        self._number = 0
        self._cleared: datetime | None = None

    # ------------------------------------------------------------ what waits

    def gather(self, house: "House") -> None:
        """Take up what came into the outbox since last time."""
        for message in outbox.since(house.vault, self._after):
            self._after = max(self._after, message.after)
            if message.id not in self._known:
                self._known.add(message.id)
                self._queue(message, house.clock())

    def waiting(self, client: str) -> list[Message]:
        """What an app still has to be told, oldest first."""
        lane = self._lanes.get(client, _Lane())
        return sorted((one.message for one in lane.queue), key=lambda one: (one.after, one.id))

    def tries(self, message: Message) -> int:
        """How often a message was tried since this process started."""
        lane = self._lanes.get(message.signal.client, _Lane())
        return next((one.tries for one in lane.queue if one.message.id == message.id), 0)

    async def fetched(self, house: "House", client: str, jtis: frozenset[str]) -> None:
        """An app says that it has these tokens: they are struck off, for good. What an erasure took is forgotten."""
        lane, now = self._lanes.get(client, _Lane()), house.clock()
        found = [one.message for one in lane.queue if one.message.signal.jti in jtis]
        await asyncio.gather(*(outbox.told(house.vault, message, "poll", now) for message in found))
        gone = [one.message for one in lane.queue if not outbox.stands(house.vault, one.message)]
        self._forget(lane, [*found, *gone])

    def _queue(self, message: Message, due: datetime, tries: int = 0) -> None:
        self._number += 1
        lane = self._lanes.setdefault(message.signal.client, _Lane())
        heapq.heappush(lane.queue, _Waiting(due, self._number, message, tries))

    def _forget(self, lane: _Lane, messages: list[Message]) -> None:
        gone = {message.id for message in messages}
        self._known -= gone
        lane.queue = [one for one in lane.queue if one.message.id not in gone]
        heapq.heapify(lane.queue)

    # ------------------------------------------------------------ what runs

    async def run(self, house: "House") -> None:
        """Deliver for ever: at once when something was committed, and what is left after each pause."""
        woken, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone: the next start sends it
                loop.call_soon_threadsafe(woken.set)

        house.vault.db.wake = wake
        async with asyncio.TaskGroup() as lanes:
            while True:
                await self._turn(house, lanes)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), SWEEP)
                woken.clear()

    async def _turn(self, house: "House", lanes: asyncio.TaskGroup) -> None:
        try:
            self.gather(house)
            await self._clear(house)
            for client, lane in self._lanes.items():
                if lane.queue and (lane.work is None or lane.work.done()) and _receiver(house, client):
                    lane.work = lanes.create_task(self._serve(house, client, lane))
        except Exception as error:  # noqa: BLE001 -- one bad turn must not end the work; names only, never data
            _log.error("looking through the outbox failed: %s", type(error).__name__)

    async def _clear(self, house: "House") -> None:
        """Give up what was tried for long enough; looked for once a minute."""
        if self._cleared is not None and house.clock() - self._cleared < timedelta(seconds=SWEEP):
            return
        self._cleared = house.clock()
        for lane in list(self._lanes.values()):
            old = [one.message for one in lane.queue if one.message.outdated(house.clock())]
            await asyncio.gather(*(outbox.give_up(house.vault, message, house.clock()) for message in old))
            self._forget(lane, old)

    async def _serve(self, house: "House", client: str, lane: _Lane) -> None:
        """Work off one lane until it is empty."""
        while lane.queue:
            if not self._ready(lane, house.clock()):
                await asyncio.sleep(LOOK)
                continue
            if (receiver := _receiver(house, client)) is None:
                return
            batch = self._due(lane, house.clock())
            await asyncio.gather(*(self._try(house, receiver, lane, one) for one in batch))

    def _ready(self, lane: _Lane, now: datetime) -> bool:
        """A due time beyond the longest pause was set by a clock that ran ahead and was set right since."""
        due = lane.queue[0].due
        return not lane.breaker.open(now) and not now < due <= now + LONGEST

    def _due(self, lane: _Lane, now: datetime) -> list[_Waiting]:
        """What may be tried now; after a failure a single one, until the receiver is well again."""
        most = 1 if lane.breaker.failures else AT_ONCE
        return [heapq.heappop(lane.queue) for _ in range(most) if lane.queue and self._ready(lane, now)]

    async def _try(self, house: "House", receiver: Client, lane: _Lane, one: _Waiting) -> None:
        """One try of one message; whatever happens it is struck off or stands in its lane again."""
        message, done = one.message, False
        try:
            if not outbox.stands(house.vault, message):
                done = True
                return
            token = sealed(message.signal, house.base, house.issuer_key)
            got = await self._courier.deliver(receiver.push_uri, token, receiver.push_token)
            now = house.clock()
            if isinstance(got, Held):
                one.due = now + pause(one.tries, _chance()) if got.alive else now
                lane.breaker = Breaker() if got.alive else lane.breaker.failed(now, _chance())
                return
            lane.breaker = Breaker()
            await outbox.told(house.vault, message, "push", now)
            done = True
        except Exception as error:  # noqa: BLE001 -- the log cannot be written, say: it is sent again; never data
            _log.error("telling an app failed: %s", type(error).__name__)
            one.due = house.clock() + pause(one.tries, _chance())
        finally:
            if done:
                self._known.discard(message.id)
            else:
                one.tries += 1
                heapq.heappush(lane.queue, one)


def _receiver(house: "House", client: str) -> Client | None:
    """The app, if it has somewhere to be told."""
    try:
        found = clients.find(house.vault, client)
    except (BadTerms, KeysError):
        return None
    return found if found is not None and found.push_uri else None


def _chance() -> float:
    return int.from_bytes(fresh_bytes(4)) / 2**32
