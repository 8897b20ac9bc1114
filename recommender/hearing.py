"""What the vault tells the recommender about its grants, taken as any app must: checked, obeyed, and then confirmed.

Signals (RFC 8417) are fetched (RFC 8936), because this process listens on no network. Whatever was told, everything
kept of that pod is dropped; an end forgets the tokens as well; asked to delete, it signs that it did.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from consent.jws import BadJws, read
from consent.signals import ENDS, TYP
from recommender.agent import Agent
from recommender.contributions import Copies
from recommender.errors import Unreachable
from recommender.wallet import Wallet

PAUSE: Final = 3.0
"""Seconds between two fetches. A withdrawal does not wait for one: no token opens anything after it."""
ALGS: Final = frozenset({"ES256"})


class Hearing:
    """Fetches and obeys. `drop(pod)` forgets what is kept of a pod for its suggestions, beside tokens.

    `giving`: the wallet of the grants to improve the model and the declared copies that rest on them. The end of such a
    grant deletes the copy, which is attested at once: nobody has to ask for it first.
    """

    def __init__(self, agent: Agent, drop: Callable[[str], None], giving: tuple[Wallet, Copies] | None = None) -> None:
        self._agent, self._drop, self._giving = agent, drop, giving
        self._taken: list[str] = []

    async def turn(self, now: datetime) -> int:
        """Fetch once and obey all of it; returns how many signals there were. Raises Unreachable.

        A signal is confirmed with the next fetch, after it was obeyed: one that fails comes again.
        """
        told = await self._agent.signals(self._taken, now)
        self._taken = []
        for jti, token in told.items():
            claims = await self._checked(token, now)
            if claims is not None:
                await self._obey(claims, now)
            self._taken.append(jti)
        return len(told)

    async def _checked(self, token: str, now: datetime) -> Mapping[str, Any] | None:
        """What a signal says, if the vault signed it for us; None for one that is not to be believed."""
        try:
            jws = read(token)
            jws.verify(await self._agent.issuer_key(str(jws.header.get("kid")), now) or {}, ALGS)
        except BadJws:
            return None
        me = self._agent.wallet.registration
        ours = (jws.claims.get("iss"), jws.claims.get("aud")) == (me.base, me.client_id)
        return jws.claims if ours and jws.header.get("typ") == TYP else None

    async def _obey(self, claims: Mapping[str, Any], now: datetime) -> None:
        subject, events = claims.get("sub_id"), claims.get("events")
        grant = subject.get("id") if isinstance(subject, dict) else None
        if not isinstance(grant, str) or not isinstance(events, dict):
            return
        for said in events.values():
            event = said.get("grant_event") if isinstance(said, dict) else None
            ended = event in ENDS or event == "delete"
            if self._giving is not None and (pod := self._giving[0].pod_of(grant)) is not None:
                wallet, copies = self._giving
                copies.drop(pod)
                if ended:  # before the tokens go: where it cannot be handed in, the signal comes again
                    await self._agent.attest(grant, now)
                _forget(wallet, pod, ended=ended)
                continue
            if (pod := self._agent.wallet.pod_of(grant)) is not None:
                self._drop(pod)
                _forget(self._agent.wallet, pod, ended=ended)
            if event == "delete":
                await self._agent.attest(grant, now)


def _forget(wallet: Wallet, pod: str, *, ended: bool) -> None:
    """A pod's tokens go with the end of its grant; else they are renewed before use."""
    held = wallet.grant(pod)
    if ended or held is None:
        wallet.forget(pod)
    else:
        wallet.keep(pod, replace(held, expires=0))


async def listen(
    hearing: Hearing, clock: Callable[[], datetime], wait: Callable[[float], Any], told: Callable[[str], None]
) -> None:
    """Fetch for ever. A vault that is away is asked again after the pause; nothing else ends the work."""
    while True:
        try:
            await hearing.turn(clock())
        except Unreachable:
            pass
        except Exception as error:  # noqa: BLE001 -- one bad signal must not end the hearing; names only, never data
            told(type(error).__name__)
        await wait(PAUSE)
