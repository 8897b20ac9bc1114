"""A real vault behind the pods, with a list that lets everybody write in one place."""

from typing import Any, cast

import pytest

from keys.secret import Seed
from tests.conftest import Clock
from tests.web.pods.client import CARD, OWNER, ROOT, Client, FakeHouse
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
