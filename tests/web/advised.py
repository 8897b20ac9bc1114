"""A house with the recommender at work in it: its own keys and socket, its own grant, over the real front door."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from consent import asks, clients, grants
from consent.oauth.clients import Client, Registration
from consent.oauth.par import REQUEST_URI
from consent.request import choose
from recommender import wallet
from recommender.agent import Agent
from recommender.ask import LINE, Desk, attend
from recommender.contributor import GRANTS, PURPOSE, READS, TEXT, Contributor
from recommender.hearing import Hearing
from tests.conftest import BASE
from tests.house import Granted, Household
from tests.recommender.conftest import Small

CATEGORIES = ("pd:Interest", "kluis:LibraryLoan", "kluis:Ticket", "kluis:Derived")
ME = wallet.Registration(BASE, "https://stad.example/org", "1", {"nl": "Dingen voor je zoeken."})
RECOMMENDS = {"datatypes": [{"category": "kluis:Derived", "necessity": "required"}]}
DERIVED = {"category": "kluis:Derived", "necessity": "required"}


@dataclass
class Advised:
    """The house and its recommender."""

    house: Household
    desk: Desk
    hearing: Hearing
    small: Small

    async def grant(self, tick: Sequence[str] = CATEGORIES[1:], agent: Agent | None = None) -> bytes:
        """An lets the recommender in, as it asks for it itself; returns the grant's id."""
        house, agent, now = self.house, agent or self.desk.agent, self.house.clock()
        uri = await agent.authorize("an", now)
        handle = uri.removeprefix(REQUEST_URI)
        asked = asks.find(house.vault, handle, wallet.CLIENT_ID, now)
        await asks.show(house.vault, house.session, asked, {"hash": "h", "language": "nl", "version": "1"}, now)
        asked = asks.find(house.vault, handle, wallet.CLIENT_ID, now)
        chosen = choose(asked.terms.for_pod("an"), set(tick), "asked", now)
        code = await grants.give(house.vault, house.session, asked, chosen, now)
        (state,) = agent._pending
        await agent.granted(code, state, BASE, now)
        return bytes(asked.handle)

    async def fill(self) -> None:
        """An's pod holds what a citizen of the small city has."""
        records = self.small.records()
        for curie, place in (("kluis:LibraryLoan", "loans"), ("pd:Interest", "interests"), ("kluis:Ticket", "tickets")):
            for number, record in enumerate(records[curie]):
                body = {name: value for name, value in record.items() if name != "@id"}
                await self.house.keep(f"/{place}/{number}.jsonld", body)

    async def app(self, *actions: str) -> Granted:
        """Cultuurgids may do this with An's suggestions."""
        return await self.house.grant(DERIVED, actions=list(actions))

    async def by_app(self, granted: Granted, path: str, body: Any = None, method: str = "POST") -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        return await self.house.call(method, path, granted.access, {"content-type": "application/json"}, content)

    async def hers(self, method: str, path: str, body: Any = None, **form: str) -> httpx.Response:
        """An herself: JSON to the API, or a form of a page of hers."""
        session = self.house.session
        own = {"sec-fetch-site": "same-origin", "cookie": f"kluis={self.house.cookie}", "kluis-form": session.csrf}
        if body is not None:
            return await self.house.http.request(method, path, headers=own, json=body)
        data = {"csrf": session.csrf, **form} if method == "POST" else None
        return await self.house.http.request(method, path, headers=own, data=data)

    async def turn_on(self, *kinds: str) -> None:
        for kind in kinds:
            answer = await self.hers("POST", "/me/suggestions/kind", name=kind, on="yes")
            assert answer.status_code == 303, answer.text

    def read(self) -> list[str]:
        """The categories that the recommender opened, as An's log has them."""
        return [line["category"] for line in self.house.told()
                if line.get("client") == wallet.CLIENT_ID and line["action"] == "read"]  # fmt: skip


@contextlib.asynccontextmanager
async def advised(house: Household, small: Small, folder: Path) -> AsyncIterator[Advised]:
    """Start the recommender's desk on its socket."""
    key = wallet.prepare(folder, ME)
    purpose = Registration(wallet.PURPOSE, "1", ME.purpose_text, (*CATEGORIES, "pd:PostalCode"), "city")
    back, name = (ME.redirect_uri,), "Suggesties van Kluis"
    better = Registration(PURPOSE, "1", TEXT, READS, "city")
    client = Client(wallet.CLIENT_ID, name, ME.controller, back, (key,), (purpose, better), "city")
    await clients.register(house.vault, client, house.clock())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house.app), base_url=BASE) as http:
        agent = Agent(wallet.Wallet(folder), http)
        giver = Contributor(wallet.Wallet(folder, GRANTS), http)
        desk = Desk(agent, small.catalogue, small.model, folder, house.clock(), giver)
        server = await asyncio.start_unix_server(
            lambda r, w: attend(desk, r, w, house.clock), str(house.house.recommender.socket), limit=LINE
        )
        one = Advised(house, desk, Hearing(agent, desk.drop, (giver.wallet, desk.copies)), small)
        await one.fill()
        yield one
        server.close()
        await server.wait_closed()
