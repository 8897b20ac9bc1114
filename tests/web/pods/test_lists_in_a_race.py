"""A list that changes while somebody is on her way in counts already: for a read, a listing, a long body."""

import asyncio
from typing import Any

import pytest

from keys.seal import SEGMENT
from tests.conftest import BASE
from tests.house import Household
from tests.log.acts import TEXT
from tests.web.test_large import BODY
from vault.large import Large

TURTLE = {"content-type": "text/turtle"}
OWNER = (
    "@prefix acl: <http://www.w3.org/ns/auth/acl#>. <#o> a acl:Authorization; "
    f"acl:agent <{BASE}/pods/an/profile/card#me>; acl:accessTo <./>; acl:default <./>; "
    "acl:mode acl:Read, acl:Write, acl:Control ."
)
EVERYBODY = (
    "<#e> a acl:Authorization; acl:agentClass <http://xmlns.com/foaf/0.1/Agent>; acl:accessTo <./>; "
    "acl:default <./>; acl:mode acl:Read ."
)
FOLDER = "/pods/an/notes/"


async def listed(house: Household, said: str) -> None:
    answer = await house.call("PUT", FOLDER + ".acl", await house.jwt(), TURTLE, said.encode())
    assert answer.status_code == 204, answer.text


@pytest.mark.parametrize("path", [f"{FOLDER}a.txt", FOLDER, f"{FOLDER}none", f"{FOLDER}a.txt.meta"])
async def test_a_read_that_was_let_in_by_the_list_before_gives_nothing(
    house: Household, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    await house.call("PUT", f"{FOLDER}a.txt", await house.jwt(), TEXT, b"dag")
    await listed(house, OWNER + EVERYBODY)
    real, inside, go = house.vault.log.append, asyncio.Event(), asyncio.Event()

    async def held(intent: Any) -> Any:
        if intent.facts.rule == "public":
            inside.set()
            await go.wait()
        return await real(intent)

    monkeypatch.setattr(house.vault.log, "append", held)
    asked = asyncio.create_task(house.http.get(path))
    await inside.wait()
    await listed(house, OWNER)
    go.set()
    answer = await asked
    assert (answer.status_code, b"dag" in answer.content) == (403, False)
    await house.vault.log.settle()
    assert [line["decision"] for line in house.told() if line.get("rule") == "access changed"] == ["denied"]


async def test_a_long_body_ends_where_the_list_was_changed(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    path, token = f"{FOLDER}film", await house.jwt()
    made = await house.call("PUT", path, token, {"content-type": "application/octet-stream"}, BODY)
    assert made.status_code == 201
    await listed(house, OWNER + EVERYBODY)
    real, opened = Large._open, list[int]()

    async def then_changed(self: Large, number: int) -> bytes:
        opened.append(number)
        if number == 1:
            await listed(house, OWNER)
        return await real(self, number)

    monkeypatch.setattr(Large, "_open", then_changed)
    try:
        got = (await house.http.get(path)).content
    except Exception:  # noqa: BLE001 -- the stream broke off
        got = b""
    assert len(got) <= 2 * SEGMENT and max(opened) <= 2
