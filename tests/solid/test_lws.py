"""Linked Web Storage, spoken only by a house whose operator asked for it."""

from pathlib import Path

import pytest

from tests.conftest import BASE, Clock
from tests.house import household
from tests.solid.client import POD, TURTLE, Agent
from tests.solid.requirements import shows
from vault.vault import Vault

LWS = "application/lws+json"
MANY = "public/many/"


@shows("lws")
async def test_linked_web_storage_is_shut_unless_it_is_asked_for_and_then_describes_itself_and_lists_by_pages(
    vault: Vault, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vault.solid.lws.PAGE", 2)
    async with household(vault, clock, tmp_path) as shut:
        an = Agent(shut, await shut.jwt())
        for name in "abc":
            assert (await an("PUT", f"{MANY}{name}.ttl", "<#a> <#b> <#c> .", TURTLE)).status_code == 201
        assert (await shut.http.get("/.well-known/lws-configuration")).status_code == 404
        assert (await an("GET", MANY, accept=LWS)).status_code == 406
        settings = shut.house.settings.model_copy(update={"lws": True})
        object.__setattr__(shut.house, "settings", settings)
        about = await Agent(shut)("GET", ".well-known/solid", accept=LWS)
        assert about.headers["content-type"] == LWS and about.json()["id"] == POD
        first = await an("GET", MANY, accept=LWS)
        assert (first.json()["totalItems"], len(first.json()["items"])) == (3, 2)
        following = [part for part in first.headers["link"].split(", ") if 'rel="next"' in part]
        (second,) = [part.partition(">")[0].strip("< ") for part in following]
        last = await an("GET", second.removeprefix(BASE), accept=LWS)
        seen = [one["id"] for answer in (first, last) for one in answer.json()["items"]]
        assert seen == [f"{POD}{MANY}{name}.ttl" for name in "abc"] and 'rel="next"' not in last.headers["link"]
