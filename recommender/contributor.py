"""The recommender's other grant: to read what somebody borrowed and saw, for making the public model better.

A grant of its own, with its own purpose, tokens and log lines: nobody gives it by wanting suggestions.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from recommender.agent import Agent, Http, Records
from recommender.contributions import Copies
from recommender.errors import Closed, NoGrant
from recommender.profile import LOANS, TICKETS
from recommender.wallet import Registration, Wallet

PURPOSE: Final = "dpv:ImproveExistingProductsAndServices"
TEXT: Final = {
    "nl": "De suggesties voor iedereen beter maken. Er blijft een kopie tot je dit stopt.",
    "en": "Make everybody's suggestions better. A copy is kept until you stop this.",
}
READS: Final = (LOANS, TICKETS)
GRANTS: Final = "contributions.json"
RETENTION: Final = "P31D"
Tell = Callable[[str, float], None]


def improving(registration: Registration) -> Registration:
    """How the same client is registered for this purpose."""
    return replace(registration, purpose_code=PURPOSE, purpose_text=TEXT)


class Contributor(Agent):
    """Asks for contributions and reads them. Its wallet holds no token for anybody's suggestions."""

    def __init__(self, wallet: Wallet, http: Http) -> None:
        """`wallet` was opened with `GRANTS`."""
        wallet.registration = improving(wallet.registration)
        super().__init__(wallet, http)

    def details(self, pod: str, now: datetime) -> dict[str, Any]:
        """What is asked: loans, and tickets if she wants; a durable copy until the next release after she stops."""
        needed = {LOANS: "required", TICKETS: "optional"}
        return super().details(pod, now) | {
            "actions": ["read"],
            "datatypes": [{"category": c, "necessity": n} for c, n in needed.items()],
            "processing": ["dpv:Analyse"],
            "automated_decision": "none",
            "storage": {"country": "BE", "copy": "durable"},
            "retention": RETENTION,
        }

    async def gather(self, copies: Copies, version: str, now: datetime, tell: Tell) -> int:
        """Read every contributor's records anew into `copies`; how many contribute. The entry that each read leaves
        names the model it is for.

        Who has withdrawn, or has no grant here any more, has no copy when this returns. Raises Unreachable: then the
        copies read so far stand, and nothing is trained.
        """
        pods = self.wallet.pods
        for gone in copies.pods - set(pods):
            copies.drop(gone)
        for n, pod in enumerate(pods):
            tell("reading", n / len(pods))
            try:
                copy = {c: found for c in READS if (found := await self._read(pod, c, version, now))}
            except NoGrant:
                copies.drop(pod)
                continue
            if self.wallet.grant(pod) is None:  # she stopped while it was read, and her copy is gone already
                copies.drop(pod)
            else:
                copies.keep(pod, copy)
        tell("reading", 1.0)
        return len(copies.pods)

    async def _read(self, pod: str, category: str, version: str, now: datetime) -> Records | None:
        try:
            return await self.records(pod, category, now, note=f"model {version}")
        except Closed:
            return None
