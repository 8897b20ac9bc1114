"""A client process that races withdrawals: it reads with many tokens while An takes the grants back, and counts.

    python -m tests.consent.prove.racer < PLAN

PLAN is one JSON object: base, cookie, csrf, app, dpop (private JWKs), seed, wave, per, lanes, grants [[id, refresh]].
Printed per grant: one line of JSON (`Race`). A wave is a few grants whose requests run in random order over all lanes;
each grant's withdrawal is one of them, so that reads of it are under way at that very moment.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.consent.prove.wire import FORM, Answer, Key, Line

PATHS = ("/pods/an/interests/a.jsonld", "/pods/an/interests/a.jsonld", "/api/records?category=pd:Interest")
FINE = (200, 401)


@dataclass
class Race:
    """What one grant lived through. Moments in s: `pressed`, `answered`, `last` by CLOCK_MONOTONIC (`last` = when the
    last request that succeeded began), `wall` = time of the press.
    """

    grant: str
    pressed: float = 0.0
    answered: float = float("inf")
    wall: float = 0.0
    last: float = 0.0
    asked: int = 0  # requests sent
    served: int = 0  # of these answered with data, cut ones included
    cut: int = 0
    late: int = 0  # begun after the withdrawal's answer
    leaks: int = 0  # of these answered with data
    entries: int = 0  # answers with data that name their log entry
    odd: list[str] = field(default_factory=list)
    refresh: str = ""
    active: bool = True
    _begun: list[float] = field(default_factory=list)

    def heard(self, answer: Answer) -> None:
        """One read came back."""
        self.asked += 1
        self.served += answer.status == 200
        self.cut += not answer.whole
        self.entries += answer.status == 200 and "kluis-entry" in answer.headers
        self._begun.append(answer.sent if answer.status == 200 else -answer.sent)
        if answer.status not in FINE:
            self.odd.append(f"{answer.status} {answer.body[:200]!r}")

    def judged(self) -> "Race":
        """Once all is in: which requests began after the answer, and which of them succeeded all the same."""
        self.late = sum(abs(begun) > self.answered for begun in self._begun)
        self.leaks = sum(begun > self.answered for begun in self._begun)
        self.last = max((begun for begun in self._begun if begun > 0), default=0.0)
        self._begun = []
        return self


class Racer:
    """One client process."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan, self.chance = plan, random.Random(plan["seed"])
        self.key = Key(plan["base"], plan["app"], plan["dpop"])
        self.lines = [Line(plan["base"]) for _ in range(plan["lanes"])]
        self.hers = {"cookie": f"kluis={plan['cookie']}", "sec-fetch-site": "same-origin",
                     "kluis-form": plan["csrf"], "content-type": FORM}  # fmt: skip

    async def wave(self, grants: list[list[str]]) -> list[Race]:
        """Race some grants, then look at what is left of them."""
        races = {grant: Race(grant) for grant, _ in grants}
        told = await asyncio.gather(*(self.key.renew(line, refresh) for line, (_, refresh) in self._each(grants)))
        tokens = {grant: answer.json()["access_token"] for answer, (grant, _) in zip(told, grants, strict=True)}
        work = [(grant, path) for grant in races for path in self.chance.choices(PATHS, k=self.plan["per"] - 1)]
        self.chance.shuffle(work)
        for grant in races:  # somewhere in the second and third fifth
            work.insert(self.chance.randint(len(work) // 5, 3 * len(work) // 5), (grant, ""))
        queue = iter(work)

        async def lane(line: Line) -> None:
            for grant, path in queue:
                if path:
                    races[grant].heard(await self.key.get(line, path, tokens[grant]))
                else:
                    await self.withdraw(line, races[grant])
                    races[grant].heard(await self.key.get(line, PATHS[0], tokens[grant]))  # at once

        await asyncio.gather(*(lane(line) for line in self.lines))
        await asyncio.gather(*(self.look(line, races[grant], tokens[grant], refresh)
                               for line, (grant, refresh) in self._each(grants)))  # fmt: skip
        return [race.judged() for race in races.values()]

    def _each(self, grants: list[list[str]]) -> Iterator[tuple[Line, list[str]]]:
        """A connection for each grant of a wave."""
        return zip(self.lines, grants, strict=False)

    async def withdraw(self, line: Line, race: Race) -> None:
        race.wall = time.time()
        answer = await line.send("POST", f"/api/grants/{race.grant}/withdraw", self.hers)
        race.pressed, race.answered = answer.sent, answer.heard
        if answer.status != 200:
            race.odd.append(f"withdrawal {answer.status} {answer.body[:200]!r}")

    async def look(self, line: Line, race: Race, token: str, refresh: str) -> None:
        """After the withdrawal: the refresh token, and what introspection says of both tokens."""
        renewed = await self.key.renew(line, refresh)
        race.refresh = str(renewed.json().get("error", renewed.status))
        told = [(await self.key.post(line, "/oauth/introspect", token=one)).json() for one in (token, refresh)]
        race.active = told != [{"active": False}] * 2

    async def run(self) -> None:
        grants, size = self.plan["grants"], self.plan["wave"]
        for start in range(0, len(grants), size):
            for race in await self.wave(grants[start : start + size]):
                print(json.dumps(asdict(race)), flush=True)
        for line in self.lines:
            line.close()


if __name__ == "__main__":
    asyncio.run(Racer(json.load(sys.stdin)).run())
