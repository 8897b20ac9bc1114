"""What only the operator's socket does: over the network these addresses do not exist."""

import httpx

from keys.text import b64
from tests.conftest import BASE
from tests.house import Household
from web.app import create

ROTATE = "/api/operator/custodian/rotate"


async def test_the_custody_key_is_replaced_by_the_operator_and_nobody_else(house: Household) -> None:
    old = house.vault.custodian.custody_id
    assert (await house.press(ROTATE)).status_code == 404
    assert house.vault.custodian.custody_ids == (old,)
    socket = httpx.ASGITransport(app=create(house.house, operator=True, clockwork=False))
    async with httpx.AsyncClient(transport=socket, base_url=BASE) as operator:
        told = (await operator.post(ROTATE)).json()
    assert told == {"key": b64(house.vault.custodian.custody_id), "moved": 2, "left": 0, "destroyed": [b64(old)]}


async def test_the_logs_key_is_replaced_by_the_operator_and_nobody_else(house: Household) -> None:
    old, there = house.vault.log.ledger.vkey, "/api/operator/log/rotate"
    assert (await house.press(there)).status_code == 404
    assert house.vault.log.ledger.vkey == old
    socket = httpx.ASGITransport(app=create(house.house, operator=True, clockwork=False))
    async with httpx.AsyncClient(transport=socket, base_url=BASE) as operator:
        told = (await operator.post(there)).json()
    assert told == {"key": house.vault.log.ledger.vkey} and told["key"] != old
