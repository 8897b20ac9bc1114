"""The house every test lives in: a real vault in a temporary directory, with a stopped clock."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from keys.custodian import FileCustodian
from vault.vault import Vault, open_vault

if TYPE_CHECKING:
    from tests.house import Household

BASE = "http://localhost:8400"
START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@dataclass
class Clock:
    """Time stands still until a test moves it."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **kwargs: float) -> None:
        self.now += timedelta(**kwargs)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path, clock: Clock) -> Iterator[Vault]:
    custodian = FileCustodian.create(tmp_path / "custodian")
    made = open_vault(tmp_path / "vault", tmp_path / "shares", custodian, BASE, clock())
    yield made
    made.close()


@pytest.fixture
async def house(vault: Vault, clock: Clock, tmp_path: Path) -> AsyncIterator["Household"]:
    """A vault with people in it, behind the real front door."""
    from tests.house import household

    async with household(vault, clock, tmp_path) as furnished:
        yield furnished
