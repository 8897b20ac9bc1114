"""Asking strangers about strangers: an issuer for its keys, a WebID for its issuers, and never without bound.

Anybody can write a token that names an issuer nobody knows, so who was good before is asked freely and of the others
so many a minute. The fetcher does the rest: parallel questions are one fetch, answers and failures are remembered.
"""

from collections import deque
from datetime import datetime
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from consent.recent import Recent
from federation import webid
from federation.errors import NotAllowed
from federation.fetch import Fetcher

NEW_ISSUERS: Final = 30
"""Issuers that were never good which are asked in any minute."""
NEW_WEBIDS: Final = 60
"""Documents of WebIDs not seen before which are fetched in any minute, for all issuers."""
NEW_OF_ONE: Final = 20
"""The same for one issuer, so that none can use us against others."""
GUESTS: Final = 30
"""Issuers and documents asked in any minute for one pod about agents that its own lists name."""
_MOST_KEYS: Final = 64


class Issuers:
    """What is known of foreign issuers, for one event loop."""

    def __init__(self, fetcher: Fetcher, hosts: frozenset[str] | None = None) -> None:
        """`hosts`: the only hosts whose issuers are asked; None for any."""
        self._fetcher, self._hosts = fetcher, hosts
        self._issuers, self._webids = _Ration(NEW_ISSUERS), _Ration(NEW_WEBIDS)
        self._of: Recent[_Ration] = Recent(1024, 3600)
        self._guests: Recent[_Ration] = Recent(4096, 3600)

    async def keys(self, issuer: str, kid: str, now: datetime, guest: bytes = b"") -> tuple[dict[str, Any], ...]:
        """The issuer's public keys; for one that is not among them it is asked again, once in 30 s.

        `guest`: the pod of whose ration it comes, after `expected` said yes; "" for that of strangers.
        Raises FederationError; NotAllowed("host") for one that the operator did not name, ("budget") for one too many.
        """
        name = self._named(issuer)
        (self._ration_of(guest, now) if guest else self._issuers).take(name, now)
        found = await webid.keys(self._fetcher, issuer, now, kid or None)
        return tuple(found[:_MOST_KEYS])

    async def expected(self, issuer: str, agent: str, pod: bytes, now: datetime) -> bool:
        """Whether an agent that the lists of a pod name says that this issuer speaks for it; before that was asked.

        Strangers who use up the ration of all can so not keep out whom a citizen let in: a made-up issuer is in no such
        document, so it takes nothing of the pod's own ration. Raises as `keys` does.
        """
        self._named(issuer)
        self._ration_of(pod, now).take(agent.partition("#")[0], now)
        return await webid.speaks_for(self._fetcher, issuer, agent, now)

    def _named(self, issuer: str) -> str:
        name = _name(issuer)
        if self._hosts is not None and name.hostname not in self._hosts:
            raise NotAllowed("host")
        return name.geturl()

    def _ration_of(self, pod: bytes, now: datetime) -> "_Ration":
        own = self._guests.get(pod, now)
        if own is None:
            own = _Ration(GUESTS)
            self._guests.put(pod, own, now)
        return own

    async def named(self, issuer: str, agent: str, now: datetime) -> bool:
        """Whether the agent's own document names the issuer, which has just been shown to have signed its token.

        Raises FederationError.
        """
        name, place = _name(issuer).geturl(), agent.partition("#")[0]
        self._issuers.good(name, now)
        own = self._of.get(name.encode(), now)
        if own is None:
            own = _Ration(NEW_OF_ONE)
            self._of.put(name.encode(), own, now)
        for ration in (own, self._webids):
            ration.take(place, now)
        found = await webid.speaks_for(self._fetcher, issuer, agent, now)
        if found:
            for ration in (own, self._webids):
                ration.good(place, now)
        return found


class _Ration:
    """So many new names in any minute; those that were good within the hour are free, and so is asking again."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: deque[float] = deque()
        self._asked: Recent[bool] = Recent(most, 60)
        self._good: Recent[bool] = Recent(4096, 3600)

    def take(self, name: str, now: datetime) -> None:
        """Count a name. Raises NotAllowed("budget")."""
        key, at = name.encode(), now.timestamp()
        if self._good.get(key, now) or self._asked.get(key, now):
            return
        while self._times and not at - 60 < self._times[0] <= at:
            self._times.popleft()
        if len(self._times) >= self._most:
            raise NotAllowed("budget")
        self._times.append(at)
        self._asked.put(key, True, now)

    def good(self, name: str, now: datetime) -> None:
        """It was no made-up name."""
        self._good.put(name.encode(), True, now)


def _name(issuer: str) -> SplitResult:
    """The issuer in one spelling, as far as case and a last slash go."""
    try:
        parts = urlsplit(issuer.rstrip("/"))
        return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower())
    except ValueError:
        raise NotAllowed("url") from None
