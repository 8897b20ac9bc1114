"""Channels that are open at this moment: who listens, what waits for them, and their end the moment they may not.

The writer tells what it stored and whose access it changed; both arrive on the loop before anybody is answered for that
commit. A channel that may no longer be is cut off there and then: what had not left does not leave any more. Nothing
here outlives the process.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import orjson

from consent import follow
from consent.follow import Following
from keys.secret import fresh_bytes
from keys.text import b64
from vault import gates
from vault.errors import LogUnavailable
from vault.news import News
from vault.solid import notifications
from vault.solid.notifications import Wish

if TYPE_CHECKING:
    from vault.vault import Vault

QUEUE: Final = 1000
"""Changes that wait for one listener; who falls further behind is cut off, and reads again."""
UNCLAIMED: Final = timedelta(seconds=60)
"""How long an address to connect to is good for."""
TICK: Final = 5.0  # seconds between two looks at the clock
Put = Callable[[bytes], Awaitable[None]]
_log = logging.getLogger("kluis.channels")


@dataclass(eq=False)
class Channel:
    """One listener: what waits for it, and why it is over ("" while it is not)."""

    following: Following
    root: str
    waiting: deque[News] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    first: bytes = b""  # sent before anything else
    over: str = ""
    work: asyncio.Task[None] | None = None

    @property
    def wish(self) -> Wish:
        """What it asked for."""
        return self.following.wish

    def take(self, news: News) -> None:
        """Have it told of a change. One that asked for less at a time is told the newest only."""
        if self.over or news.at < self.wish.start:
            return
        if self.wish.rate:
            self.waiting.clear()
        if len(self.waiting) >= QUEUE:
            self.end("slow")
            return
        self.waiting.append(news)
        self.woken.set()

    def end(self, why: str) -> None:
        """Cut it off: whatever was on its way out stays here."""
        if not self.over:
            self.over = why
            self.waiting.clear()
            if self.work is not None and self.work is not asyncio.current_task():
                self.work.cancel()
            self.woken.set()


class Channels:
    """All open channels of this process; made with the house."""

    def __init__(self, vault: "Vault", clock: Callable[[], datetime]) -> None:
        self._vault, self._clock = vault, clock
        self._open: dict[bytes, set[Channel]] = {}  # by everything that could end one
        self._unclaimed: dict[str, tuple[Channel, datetime]] = {}
        self.stirred = asyncio.Event()
        """Set when something was stored: for who works off what lies in the database."""
        self.cuts: list[Callable[[], None]] = []
        """Called when access changed, before that is answered: for who is sending what lies in the database."""

    def listen(self) -> None:
        """Have the writer tell this loop. Idempotent; for the loop that serves."""
        loop = asyncio.get_running_loop()

        def later(work: Callable[..., None], what: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it every listener
                loop.call_soon_threadsafe(work, what)

        self._vault.db.told = lambda news: later(self._told, news)
        self._vault.db.shut = lambda changed: later(self._shut, changed)

    def count(self, whose: bytes) -> int:
        """How many are open for a gate or in a pod."""
        return len(self._open.get(whose, ()))

    def open(self, following: Following, root: str) -> Channel:
        """A channel that takes in what happens from now on; who leaves hands it to `close`."""
        self.listen()
        made = Channel(following, root)
        for key in _keys(following):
            self._open.setdefault(key, set()).add(made)
        self._look(made, self._clock())  # its end may have been told between its entry and now, to nobody
        return made

    def offer(self, following: Following, root: str) -> str:
        """A channel for who connects within a minute with the secret that this returns; nobody else, and once."""
        secret = b64(fresh_bytes(32))
        self._unclaimed[secret] = (self.open(following, root), self._clock() + UNCLAIMED)
        return secret

    def greet(self, secret: str) -> None:
        """Have who connects with this secret told first that the topic is not what it saw last (feature `state`)."""
        channel, now = self._unclaimed[secret][0], gates.ms(self._clock())
        thing = channel.root + channel.following.path
        channel.first = orjson.dumps(notifications.activity("Update", thing, b64(fresh_bytes(16)), now))
        channel.woken.set()

    def claim(self, secret: str) -> Channel | None:
        """The channel of a secret, if it is still to be had."""
        found, until = self._unclaimed.pop(secret, (None, None))
        if found is None or until is None:
            return None
        if self._clock() >= until or found.over:
            self.close(found)
            return None
        return found

    def close(self, channel: Channel, why: str = "left") -> None:
        """Forget a channel."""
        channel.end(why)
        for key in _keys(channel.following):
            kept = self._open.get(key, set())
            kept.discard(channel)
            if not kept:
                self._open.pop(key, None)

    def end_all(self) -> None:
        """Cut off everybody: the server stops."""
        for one in self._all():
            self.close(one, "stopping")
        self._unclaimed.clear()

    def tick(self) -> None:
        """Cut off who is past her time, and forget addresses that nobody connected to."""
        now = self._clock()
        for secret in [secret for secret, (_, until) in self._unclaimed.items() if now >= until]:
            self.close(self._unclaimed.pop(secret)[0])
        for one in self._all():
            self._look(one, now)

    def _all(self) -> set[Channel]:
        return {one for channels in self._open.values() for one in channels}

    async def run(self) -> None:
        """Look at the clock for ever."""
        self.listen()
        while True:
            await asyncio.sleep(TICK)
            try:
                self.tick()
            except Exception as error:  # noqa: BLE001 -- one bad turn must not stop the clock; names only, never data
                _log.error("a look at the channels failed: %s", type(error).__name__)

    async def serve(self, channel: Channel, put: Put) -> None:
        """Send what happens until the channel is over; each handing-over behind one durable entry.

        The task that this runs in is what `end` cancels; a message that was not handed to the connection by then is
        never sent.
        """
        channel.work = asyncio.current_task()
        if channel.over:
            return
        try:
            await self._sent(channel, put)
        except LogUnavailable:
            channel.end("log")
        except asyncio.CancelledError:
            if not channel.over:
                raise
        finally:
            channel.work = None
            self.close(channel)

    async def _sent(self, channel: Channel, put: Put) -> None:
        while not channel.over:
            await channel.woken.wait()
            channel.woken.clear()
            news = list(channel.waiting)
            channel.waiting.clear()
            if not news and not channel.first:
                continue
            first, channel.first = channel.first, b""
            paths = [one.path for one in news] or [channel.following.path]
            index = await follow.tell(self._vault, channel.following, paths, self._clock())
            if index is None:
                channel.end("refused")
                return
            for text in [*([first] if first else []), *(_text(channel, one) for one in news)]:
                await put(text)
            self._vault.log.served(index)
            if channel.wish.rate:
                await asyncio.sleep(channel.wish.rate / 1000)

    def _told(self, news: tuple[News, ...]) -> None:
        self.stirred.set()
        for one in news:
            for channel in list(self._open.get(one.pod, ())):
                if notifications.concerns(channel.following.topic, one):
                    channel.take(one)
                if channel.over:
                    self.close(channel)

    def _shut(self, changed: frozenset[bytes]) -> None:
        """Cut off, before the change is answered, who may no longer listen after it."""
        for cut in self.cuts:
            cut()
        now = self._clock()
        for one in {one for key in changed for one in self._open.get(key, ())}:
            self._look(one, now)

    def _look(self, channel: Channel, now: datetime) -> None:
        try:
            stands = follow.stands(self._vault, channel.following, now)
        except Exception as error:  # noqa: BLE001 -- what cannot be read lets nobody listen
            _log.error("a channel could not be checked: %s", type(error).__name__)
            stands = False
        if not stands:
            self.close(channel, "ended")


def _keys(one: Following) -> set[bytes]:
    """The pod, gate, session and app of a listener."""
    guard = (one.guard.gate, one.guard.pod or b"") if one.guard else ()
    return {one.pod, *guard, one.session, one.facts.client.encode()} - {b""}


def _text(channel: Channel, news: News) -> bytes:
    return orjson.dumps(notifications.message(channel.root, channel.following.topic, news, b64(fresh_bytes(16))))
