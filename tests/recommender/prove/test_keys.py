"""The recommender in the whole house, with every opening counted in keys: none outside what was granted."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from consent import asks, clients, grants, suggesting
from consent.accounts.sessions import log_private
from consent.oauth.clients import Client, Registration as Registered
from consent.request import choose
from recommender.agent import Agent
from recommender.ask import Desk
from recommender.profile import INTERESTS
from recommender.wallet import CLIENT_ID, Registration, Wallet, prepare
from tests.conftest import BASE
from tests.house import Household
from tests.proof import figure
from tests.stories.provenance import watch
from vault import pod as pods
from vault.log import views

TEXT = {"nl": "Voorstellen die bij je passen."}
ASKS = ("pd:Interest", "kluis:LibraryLoan", "kluis:Ticket", "kluis:Derived", "pd:PostalCode")


async def test_no_key_outside_a_granted_category_is_unwrapped_for_a_suggestion(
    house: Household, small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = Registration(BASE, "https://stad.example/org", "1", TEXT)
    jwk = prepare(tmp_path, me)
    purpose = Registered(me.purpose_code, "1", TEXT, ASKS, "city")
    client = Client(CLIENT_ID, "Suggesties", me.controller, (me.redirect_uri,), (jwk,), (purpose,), "city")
    await clients.register(house.vault, client, house.clock())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(house.app), base_url=BASE) as http:
        agent = Agent(Wallet(tmp_path), http)
        desk = Desk(agent, small.catalogue, small.model, tmp_path, house.clock())
        await allow(house, agent)
        await house.quiet()
        witness, opened = watch(monkeypatch, str(house.vault.db.path)), list[bytes]()
        note = witness.opening

        def opening(key: object, context: bytes, kind: type) -> None:
            opened.append(context)
            note(key, context, kind)  # type: ignore[arg-type]

        monkeypatch.setattr(witness, "opening", opening)
        witness.begin("suggest")
        before = len(lines(house))
        opened.clear()
        question = {"ask": "suggest", "pod": "an", "k": 12}
        permit = suggesting.permit(house.vault, suggesting.herself(house.session), question, house.clock())
        told = await desk._suggest(question | {"permit": permit}, house.clock())
        during = list(opened)
        witness.database.close()
    here = {c.container: c.id for c in pods.compartments(house.vault, house.session.pod)}
    closed = [cid for container, cid in here.items() if container.strip("/") != "interests"]
    outside = sum(cid in context for context in during for cid in closed)
    figure("RO2", outside)
    assert outside == 0 and len(closed) > 2
    assert any(here[name] in context for name in here if name.strip("/") == "interests" for context in during)
    assert not witness.faults
    reads = [line for line in lines(house)[before:] if line.told["action"] == "read"]
    read = {(one["category"], one["entry"]) for one in told["read"] if one["status"] == "read"}
    logged = {(line.told["category"], str(line.index)) for line in reads}
    assert read == logged and {category for category, _ in read} == {INTERESTS}
    evidence = {r["category"] for s in told["suggestions"] for r in s["reasons"]}
    assert evidence <= {category for category, _ in logged}


def lines(house: Household) -> list[Any]:
    """An's own log, oldest first, each line with its place in the log."""
    with log_private(house.session) as private:
        return list(views.lines(house.vault, house.session.pod, private))


async def allow(house: Household, agent: Agent) -> None:
    """An allows the request for her interests alone, none of the optional rows."""
    now = house.clock()
    uri = await agent.authorize("an", now)
    asked = asks.find(house.vault, uri.rsplit(":", 1)[1], CLIENT_ID, now)
    await asks.show(house.vault, house.session, asked, {"hash": "h", "language": "nl", "version": "1"}, now)
    chosen = choose(asked.terms.for_pod("an"), set(), "asked", now)
    code = await grants.give(house.vault, house.session, asked, chosen, now)
    [state] = agent._pending
    assert await agent.granted(code, state, BASE, now) == "an"
