"""Whatever stands in a closed category changes nothing: byte-equal suggestions, scores and read log."""

import asyncio
import json
import random

import httpx

from recommender.agent import Agent
from recommender.ask import Desk
from recommender.profile import INTERESTS, LOANS, POSTAL, TICKETS
from recommender.wallet import Wallet, prepare
from tests.proof import figure, rounds
from tests.recommender.conftest import NOW
from tests.recommender.vault_standin import BASE, REGISTRATION, Vault

OPTIONAL = {LOANS: LOANS, TICKETS: TICKETS, POSTAL: "pd:PostalCode#postal_district"}


def changed(records: list[dict], rng: random.Random) -> list[dict]:
    """The category after a change, an addition, a deletion, or sealed so that nothing in it can be read."""
    how, found = rng.choice(["change", "add", "delete", "encrypt"]), [dict(one) for one in records]
    if how == "add" or not found:
        return [*found, {"@id": f"/planted/{rng.random()}", "schema:about": [rng.choice(["jazz", "oorlog"])]}]
    place = rng.randrange(len(found))
    if how == "change":
        found[place] |= {"schema:name": "Iets anders", "schema:about": ["sport"], "kluis:value": "2660"}
    elif how == "delete":
        del found[place]
    else:
        return [{"@id": one.get("@id", ""), "ciphertext": rng.randbytes(16).hex()} for one in found]
    return found


def told(small, folder, records: dict, opened: set[str]) -> bytes:
    """The whole answer of a fresh process to one question."""
    vault = Vault(prepare(folder, REGISTRATION), opened, records)
    vault.now = NOW
    agent = Agent(Wallet(folder), httpx.AsyncClient(transport=httpx.MockTransport(vault)))
    desk = Desk(agent, small.catalogue, small.model, folder, NOW)

    async def asked() -> bytes:
        await agent.authorize("an", NOW)
        await agent.granted("good", vault.pushed.state, BASE, NOW)
        return await desk.answer(json.dumps(vault.permit(ask="suggest", pod="an", k=12)).encode(), NOW)

    return asyncio.run(asked())


def test_a_closed_category_changes_not_a_byte(small, tmp_path):
    rng, differences, heard, cases = random.Random(8), 0, 0, rounds(6, "RO1")
    before: dict[tuple, bytes] = {}
    for _ in range(cases):
        number = rng.randrange(len(small.people))
        closed = rng.choice(list(OPTIONAL))
        opened = frozenset(key for c, key in OPTIONAL.items() if c != closed and rng.random() < 0.7)
        records = small.records(number)
        if (number, opened) not in before:
            before[number, opened] = told(small, tmp_path / "r", records, set(opened))
        after = told(small, tmp_path / "r", records | {closed: changed(records[closed], rng)}, set(opened))
        differences += after != before[number, opened]
        heard += b'"suggestions"' in after
    control = told(small, tmp_path / "r", small.records() | {INTERESTS: []}, set())
    assert control != told(small, tmp_path / "r", small.records(), set()), "what is open must count"
    figure("RO1", differences, cases)
    assert differences == 0 and heard == cases
