"""`kluis demo` never wipes a city that is served nor starts on a taken port; its site lets Cultuurgids ask for real."""

import re
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from consent import clients, copies, grants, outbox, signals
from keys.sign import new_es256
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.house import Household
from tests.stories.city import free_port
from vault.database import Database
from web import demo
from web.app import serve
from web.demoapp import MOST, DemoApp
from web.settings import Settings, SettingsError
from web.site import site

HERE = "http://127.0.0.1:8401"
CALLBACK = f"{HERE}/apps/cultuurgids/callback"
OWN = {"sec-fetch-site": "same-origin", "accept": "text/html"}


@pytest.fixture
def busy() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield held.getsockname()[1]


def test_a_city_that_is_served_is_never_wiped(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    served = Database(tmp_path / "vault")
    try:
        with pytest.raises(demo.DemoError, match=r"another process works in .*; stop it first"):
            demo.run(port=free_port(), data=tmp_path, reset=True, as_json=True)
    finally:
        served.close()
    assert (tmp_path / "demo").exists() and (tmp_path / "vault" / "kluis.db").exists()


@pytest.mark.parametrize("before", [0, 1])
def test_on_a_taken_port_nothing_is_made_and_the_way_out_is_named(tmp_path: Path, busy: int, before: int) -> None:
    with pytest.raises(demo.DemoError, match=f"port {busy} is taken; choose --port"):
        demo.run(port=busy - before, data=tmp_path / "city", as_json=True)
    assert not (tmp_path / "city").exists()


def test_a_server_makes_no_keys_when_its_port_is_taken(tmp_path: Path, busy: int) -> None:
    key = tmp_path / "key"
    settings = Settings(data=tmp_path / "data", port=busy, custodian=f"file:{key}")
    with pytest.raises(SettingsError, match=f"port {busy} is taken"):
        serve(settings)
    assert not key.exists() and not (tmp_path / "data").exists()


@dataclass
class Visitor:
    """An's browser on the demo site and in the vault."""

    house: Household
    app: DemoApp
    site: httpx.AsyncClient

    async def allowed(self) -> httpx.Response:
        """She presses the button, allows both rows, and comes back."""
        back = await self.answered("allow")
        return await self.site.get(back, follow_redirects=True)

    async def answered(self, decision: str) -> str:
        begun = await self.site.get(re.findall(r'href="(/apps/[^"]+)"', (await self.site.get("/")).text)[0])
        cookie = {"cookie": f"kluis={self.house.cookie}"}
        assert begun.status_code == 303 and begun.headers["location"].startswith(f"{BASE}/oauth/authorize?")
        page = await self.house.http.get(begun.headers["location"], headers=OWN | cookie)
        fields: dict[str, Any] = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]+)"', page.text))
        fields |= {"decision": decision, "data": ["kluis:LibraryLoan#interest_topics_k10"]}
        done = await self.house.http.post("/oauth/authorize", data=fields, headers=OWN | cookie)
        assert done.status_code == 303 and done.headers["location"].startswith(CALLBACK)
        return str(done.headers["location"])


@pytest.fixture
async def visitor(house: Household) -> AsyncIterator[Visitor]:
    key = new_es256()
    ours = replace(sample.APP, client_id="app-gids", redirect_uris=(CALLBACK,), jwks=(sample.public(key),))
    await clients.register(house.vault, ours, house.clock())
    purpose = {"code": ours.purposes[0].code, "version": ours.purposes[0].version, "text": ours.purposes[0].text}
    told = {"client_id": "app-gids", "redirect_uri": CALLBACK, "controller": ours.controller, "purposes": [purpose]}
    app = DemoApp(BASE, told, key, house.clock, httpx.ASGITransport(house.app))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(site(BASE, app)), base_url=HERE) as http:
        yield Visitor(house, app, http)


async def test_the_button_asks_for_real_and_the_app_shows_what_it_got(visitor: Visitor) -> None:
    page = await visitor.allowed()
    assert page.status_code == 200 and "<li>jazz</li>" in page.text and "Lees opnieuw" in page.text
    assert "code=" not in str(page.url)
    assert "geheim" not in page.text


async def test_after_a_withdrawal_reading_again_is_refused(visitor: Visitor) -> None:
    page = await visitor.allowed()
    (given,) = grants.listing(visitor.house.vault, visitor.house.session.pod)
    assert (await visitor.house.press(f"/me/access/{b64(given.id)}/withdraw")).status_code == 303
    again = re.findall(r'href="([^"]*read[^"]*)"', page.text)[0]
    told = (await visitor.site.get(again)).text
    assert told.count("Geweigerd: deze app heeft geen toegang (meer). (401") == 2
    assert "jazz" not in told


async def test_a_frozen_app_is_told_from_one_that_never_might_read_this(visitor: Visitor) -> None:
    page = await visitor.allowed()
    (given,) = grants.listing(visitor.house.vault, visitor.house.session.pod)
    assert (await visitor.house.press(f"/me/access/{b64(given.id)}/restrict")).status_code == 303
    told = (await visitor.site.get(str(page.url))).text
    assert told.count("Geweigerd: je hebt deze app bevroren.") == 2 and "niet toegestaan" not in told


async def test_a_token_that_ran_out_is_renewed_as_long_as_the_grant_lives(visitor: Visitor) -> None:
    page = await visitor.allowed()
    visitor.house.clock.forward(hours=2)
    assert "<li>jazz</li>" in (await visitor.site.get(str(page.url))).text


async def test_a_refusal_gives_the_app_nothing_and_it_says_so(visitor: Visitor) -> None:
    told = (await visitor.site.get(await visitor.answered("deny"))).text
    assert "kreeg geen toegang" in told and "/me/requests" in told and "access_denied" not in told


async def test_an_answer_from_elsewhere_or_a_second_time_is_not_taken(visitor: Visitor) -> None:
    back = await visitor.answered("allow")
    forged = re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Fevil.example", back)
    assert (await visitor.site.get(forged)).status_code == 502
    assert (await visitor.site.get(back)).status_code == 303
    assert (await visitor.site.get(back)).status_code == 502


async def test_what_comes_in_is_escaped_and_only_so_many_visits_are_kept(visitor: Visitor) -> None:
    first = urlsplit(await visitor.answered("deny")).query
    page = await visitor.site.get("/apps/cultuurgids/callback?error=<script>&" + first.partition("&")[2])
    assert "&lt;script&gt;" in page.text and "<script>" not in page.text
    for _ in range(MOST):
        await visitor.app.ask()
    assert "Je kan dit venster sluiten" in (await visitor.site.get(f"/apps/x/callback?{first}")).text
    assert len(visitor.app._visits) == MOST


async def pushed(visitor: Visitor) -> list[str]:
    """Everything that waits for the app, as the tokens that would be pushed."""
    vault = visitor.house.vault
    return [signals.sealed(one.signal, BASE, vault.issuer) for one in outbox.of_pod(vault, visitor.house.session.pod)]


async def test_the_app_hears_what_happens_to_its_grant_once_and_signs_that_it_deleted(visitor: Visitor) -> None:
    await visitor.allowed()
    house = visitor.house
    (given,) = grants.listing(house.vault, house.session.pod)
    await house.press(f"/me/access/{b64(given.id)}/withdraw")
    await house.press(f"/me/access/{b64(given.id)}/copy/delete")
    tokens = await pushed(visitor)
    for token in tokens * 2:  # at least once is often twice
        assert (await visitor.site.post("/apps/cultuurgids/push", content=token)).status_code == 202
    page = (await visitor.site.get("/apps/cultuurgids/heard")).text
    assert page.count("<li>") == 2 and "de toegang is gestopt" in page and "wis je kopie" in page
    found = grants.load(house.vault, given.id)
    assert found is not None
    copy = copies.of_grant(house.vault, found, house.clock())
    assert copy is not None and copy.state == "deleted"


async def test_the_app_takes_no_message_that_the_vault_did_not_sign_for_it(visitor: Visitor) -> None:
    await visitor.allowed()
    vault, signal = visitor.house.vault, signals.Signal("j", "g", "app-gids", "withdrawn", {}, 0)
    good = signals.sealed(signal, BASE, vault.issuer)
    bad = [signals.sealed(signal, "https://evil.example", vault.issuer), signals.sealed(signal, BASE, new_es256()),
           signals.sealed(replace(signal, client="other"), BASE, vault.issuer), good[:-2], "x",
           "x" * 40_000]  # fmt: skip
    for token in bad:
        answer = await visitor.site.post("/apps/cultuurgids/push", content=token)
        assert answer.status_code == 400 and answer.json()["err"] == "invalid_request", token[:40]
    assert "Nog niets" in (await visitor.site.get("/apps/cultuurgids/heard")).text
    assert (await visitor.site.post("/apps/cultuurgids/push", content=good)).status_code == 202
