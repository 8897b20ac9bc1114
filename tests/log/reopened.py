"""The same house after its process ended and another one began."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx

from keys.custodian import FileCustodian
from tests.conftest import BASE
from tests.house import Household
from vault.vault import Vault, open_vault
from web.app import House, create


def again(folder: Path, house: Household) -> Vault:
    """The directory opened anew at the house's time; the first process must be gone."""
    custodian = FileCustodian.open(f"file:{folder / 'custodian'}")
    return open_vault(folder / "vault", folder / "shares", custodian, BASE, house.clock())


@contextlib.asynccontextmanager
async def reopened(house: Household, folder: Path) -> AsyncIterator[Household]:
    """The house with a new process, in which An's session goes on."""
    vault = again(folder, house)
    anew = House(vault, house.house.settings, house.clock, house.house.recommender)
    app = create(anew, clockwork=False)
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
            yield replace(house, vault=vault, house=anew, app=app, http=http)
    finally:
        vault.close()
