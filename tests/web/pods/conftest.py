"""A real vault behind the pods, with a list that lets everybody write in one place."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from keys.secret import Seed
from tests.conftest import Clock
from tests.federation.sink import sink
from tests.web.pods.client import CARD, OWNER, ROOT, Client, FakeHouse
from tests.web.pods.elsewhere import Elsewhere, House, share
from vault import pod as podmaking
from vault.pod import Blueprint, NewUnlocker
from vault.solid.wac import owner_acl
from vault.vault import PodFacts, Vault
from web import pods


@pytest.fixture
async def an(vault: Vault, clock: Clock) -> PodFacts:
    def two(seed: bytes) -> list[NewUnlocker]:
        return [NewUnlocker("recovery", "", Seed(bytes([b]) * 32)) for b in seed]

    await podmaking.found_office(vault, two(b"ab"), clock())
    plan = Blueprint(
        {"loans": "kluis:LibraryLoan"},
        resources=(("/profile/card", "text/turtle", CARD), ("/settings/secret", "text/plain", b"secret")),
        acls=(
            ("/", owner_acl(OWNER, f"{ROOT}/")),
            ("/profile/", owner_acl(OWNER, f"{ROOT}/profile/", ("read",))),
            ("/public/", owner_acl(OWNER, f"{ROOT}/public/", ("read", "write", "control"))),
            ("/inbox/", owner_acl(OWNER, f"{ROOT}/inbox/", ("append",))),
        ),
    )
    return await podmaking.create(vault, "an", "citizen", two(b"cd"), plan, clock())


@pytest.fixture
async def ask(vault: Vault, clock: Clock, an: PodFacts) -> Client:
    return Client(pods.create(cast("Any", FakeHouse(vault, clock))))


@pytest.fixture
async def there(vault: Vault, clock: Clock, an: PodFacts) -> AsyncIterator[Elsewhere]:
    """A server elsewhere whose agent may read in `public/`, with one app only in `settings/`."""
    async with sink() as found:
        made = Elsewhere(found, House(vault, clock))
        await share(vault, an, "/public/", made.me, clock)
        await share(vault, an, "/settings/", made.me, clock, client="https://app.example/id")
        assert (await made.ask("PUT", "public/a", b"shared", content_type="text/plain")).status == 201
        made.asked.clear()
        yield made
