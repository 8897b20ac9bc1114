"""Permits as this process checks them: made by the server, for this very question, used here once.

It holds the server's public keys only, so it can check a permit and make none. A used permit is remembered until it
would have run out; one from before this process started counts as used, for nobody here knows better.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from consent.jws import BadJws, Jws, read
from consent.questions import CITIZEN, LIFE, TYP, digest
from recommender.errors import NoPermit

ALGS: Final = frozenset({"ES256"})
AHEAD: Final = 5_000
"""Milliseconds that the server's clock may run ahead of this one's: they are the same machine's."""
Keys = Callable[[str, datetime], Awaitable[Mapping[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class Permit:
    """What a permit allows: a question about `pod` by `client` (`citizen`: she herself) for `purpose`.

    `state` stands for what an answer rests on (live grants, what they open, her wishes): "" when there is no grant, and
    another text after any change, so that an answer may be given again under the same state and no other.
    """

    pod: str
    client: str
    purpose: str
    state: str

    @property
    def herself(self) -> bool:
        """Whether the citizen asks in her own session: she alone sees her own things in the reasons."""
        return self.client == CITIZEN


class Permits:
    """Checks permits and remembers the used ones. Safe under concurrent calls of one loop."""

    def __init__(self, issuer: str, audience: str, keys: Keys, started: datetime) -> None:
        self._issuer, self._audience, self._keys = issuer, audience, keys
        self._started = _ms(started)
        self._used: dict[str, int] = {}

    async def spend(self, question: Mapping[str, Any], now: datetime) -> Permit:
        """Use up the permit of a question. Raises NoPermit, Unreachable (the keys cannot be fetched)."""
        shown = question.get("permit")
        if not isinstance(shown, str):
            raise NoPermit("a question about somebody needs a permit")
        try:
            jws = read(shown)
            jws.verify(await self._keys(str(jws.header.get("kid")), now) or {}, ALGS)
        except BadJws as bad:
            raise NoPermit(f"this is no permit: {bad}") from bad
        said = jws.claims
        self._demand(jws, question, _ms(now))
        self._forget(_ms(now))
        if said["jti"] in self._used:
            raise NoPermit("this permit was used before")
        self._used[said["jti"]] = said["exp"] * 1000
        return Permit(said["sub"], said["client"], said["purpose"], said["state"])

    def _demand(self, jws: Jws, question: Mapping[str, Any], now: int) -> None:
        """Everything that must hold of a permit whose signature does. Raises NoPermit."""
        said = jws.claims
        texts = ("iss", "aud", "sub", "client", "purpose", "question", "state", "jti")
        if jws.header.get("typ") != TYP or not all(isinstance(said.get(name), str) for name in texts):
            raise NoPermit("this is no permit")
        if not all(isinstance(said.get(name), int) and not isinstance(said[name], bool) for name in ("at", "exp")):
            raise NoPermit("this is no permit")
        if (said["iss"], said["aud"]) != (self._issuer, self._audience):
            raise NoPermit("this permit is for somebody else")
        if (
            not self._started <= said["at"] <= now + AHEAD
            or now >= said["exp"] * 1000
            or now - said["at"] > LIFE * 1000
        ):
            raise NoPermit("this permit is not of now")
        if said["sub"] != question.get("pod"):
            raise NoPermit("this permit is for another pod")
        if said["question"] != _digest(question):
            raise NoPermit("this permit is for another question")

    def _forget(self, now: int) -> None:
        self._used = {jti: until for jti, until in self._used.items() if now < until}


def _digest(question: Mapping[str, Any]) -> str:
    try:
        return digest(question)
    except ValueError:
        return ""


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
