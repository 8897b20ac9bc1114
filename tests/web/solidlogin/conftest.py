"""A house and a Solid app that asks An to work in her pod."""

from collections.abc import AsyncIterator

import pytest

from tests.house import Household
from tests.web.solidlogin.app import SolidApp, solid_app


@pytest.fixture
async def app(house: Household) -> AsyncIterator[SolidApp]:
    async with solid_app(house) as made:
        yield made
