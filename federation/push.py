"""Pushing a Security Event Token to one receiver (RFC 8935), and when to try again.

The address is one that an app registered, so it is as little trusted as any: the guarded fetcher refuses inner
addresses at the connection itself, follows nothing, and reads a small answer for a few seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from consent.signals import MEDIA
from federation.errors import FederationError
from federation.fetch import Fetcher, Limits, Resolve, resolve

FIRST: Final = timedelta(seconds=2)
LONGEST: Final = timedelta(hours=1)
HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})
GOOD: Final = frozenset({200, 202, 204})  # RFC 8935 section 2.2 says 202; receivers that answer the others took it too
_MORE: Final[Mapping[str, str]] = {"accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver has the token."""


@dataclass(frozen=True, slots=True)
class Held:
    """It has not, or did not say so; `why` is a stable word. `alive` if this very token is what it objects to (RFC 8935
    section 2.4, always 400): then others need not wait.
    """

    why: str
    alive: bool = False


@dataclass(frozen=True, slots=True)
class Breaker:
    """How one receiver does: failures in a row, and until when it is left alone (None: not)."""

    failures: int = 0
    until: datetime | None = None

    def open(self, now: datetime) -> bool:
        """Whether it is to be left alone now; not for longer than any pause, whatever the clock did meanwhile."""
        return self.until is not None and now < self.until <= now + LONGEST

    def failed(self, now: datetime, chance: float) -> "Breaker":
        """One more failure. `chance` in [0, 1) spreads the tries of many servers."""
        return Breaker(self.failures + 1, now + pause(self.failures, chance))


def pause(failures: int, chance: float) -> timedelta:
    """How long to wait after so many earlier failures: doubled each time up to an hour, of that a half to the whole."""
    whole: timedelta = min(FIRST * (1 << min(failures, 20)), LONGEST)
    return whole / 2 + whole / 2 * chance


@dataclass(frozen=True)
class Courier:
    """Delivers tokens. With `near`, as on a development server, also to http on this very machine, and nowhere else."""

    near: bool = False
    lookup: Resolve = resolve
    limits: Limits = field(default_factory=Limits)
    _fetchers: dict[str, Fetcher] = field(default_factory=dict)

    async def deliver(self, url: str, token: str, bearer: str = "") -> Taken | Held:
        """One try. Never raises for what a receiver does; `bearer` is what the app asked us to show it."""
        more = dict(_MORE) | ({"authorization": f"Bearer {bearer}"} if bearer else {})
        try:
            reply = await self._fetcher(url).post(url, token.encode(), MEDIA, **more)
        except FederationError as error:
            return Held(error.reason)
        return Taken() if reply.status in GOOD else Held(f"status {reply.status}", alive=reply.status == 400)

    def allows(self, url: str) -> bool:
        """Whether an address may be delivered to at all, as far as it says itself; its name is not looked up."""
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in HERE:
            return False
        return self._fetcher(url).allows(url)

    async def post(self, url: str, body: bytes, media: str, more: Mapping[str, str]) -> int | Held:
        """One try of any small message: the status of the answer, Held if there was none. Never raises for a peer."""
        try:
            return (await self._fetcher(url).post(url, body, media, **more)).status
        except FederationError as error:
            return Held(error.reason)

    def _fetcher(self, url: str) -> Fetcher:
        """One for the world, and one for each address on this machine that development may use."""
        parts = urlsplit(url)
        own = f"{parts.scheme}://{parts.netloc}" if self.near and parts.scheme == "http" else ""
        if own not in self._fetchers:
            named = frozenset({own}) if own else frozenset[str]()
            self._fetchers[own] = Fetcher(own=named, limits=self.limits, lookup=self.lookup)
        return self._fetchers[own]
