"""Attack list C (consent.md 6): races, edges of time, and the log of others; the rows are named in test_c_solid.py."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from keys.text import b64
from tests.conftest import BASE
from tests.consent.attacks.party import RECORDS, Party, asking
from tests.consent.attacks.test_c_solid import bo
from tests.house import INTERESTS, Household


@pytest.fixture
def app(house: Household) -> Party:
    return Party(house)


async def test_a_one_time_grant_raced_by_a_hundred_has_one_winner(app: Party) -> None:
    got = await app.redeem(await app.code(**asking(recurrence={"mode": "once", "max_uses": 1})))
    assert "refresh_token" not in got.json()
    tried = await asyncio.gather(*(app.read(got.json()["access_token"]) for _ in range(100)))
    served = [one for one in tried if one.status_code == 200]
    assert len(served) == 1
    assert {one.status_code for one in tried} <= {200, 401, 429}
    assert not any("jazz" in one.text for one in tried if one is not served[0])


async def test_no_read_that_begins_after_a_withdrawal_succeeds_and_each_is_logged(house: Household) -> None:
    """A body under way is broken off: whoever got a byte of it has a line in her log."""
    granted, over = await house.grant(INTERESTS), asyncio.Event()
    early: list[Heard] = []
    late: list[Heard] = []

    async def reads() -> None:
        for _ in range(40):
            found = late if over.is_set() else early
            found.append(await hear(house, RECORDS, granted.access))

    async def withdraws() -> None:
        await asyncio.sleep(0.02)
        await house.withdraw(granted)
        over.set()

    await asyncio.gather(*(reads() for _ in range(8)), withdraws())
    assert {one.status for one in late} == {401}
    assert not any(b"jazz" in one.body for one in (*early, *late) if not (one.status == 200 and one.whole))
    told = [line for line in house.told() if line["type"] == "access" and line.get("grant") == b64(granted.id)]
    assert len(told) == sum(one.status == 200 for one in early)


@dataclass
class Heard:
    """What came over the wire of one answer: `whole` if it was ended, not broken off."""

    status: int = 0
    body: bytes = b""
    whole: bool = False


async def hear(house: Household, path: str, token: str) -> Heard:
    """One read, kept also when its body is broken off."""
    place, _, query = path.partition("?")
    shown = {"host": BASE.partition("//")[2]} | house.shown("GET", path, token)
    headers = [(name.encode(), value.encode()) for name, value in shown.items()]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": "GET",
             "path": place, "raw_path": place.encode(), "query_string": query.encode(), "root_path": "", "server": None,
             "headers": headers, "client": ("127.0.0.1", 1)}  # fmt: skip
    found, asked = Heard(), [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not asked:
            await asyncio.Event().wait()  # the reader stays
        return asked.pop()

    async def send(message: Any) -> None:
        found.status = message.get("status", found.status)
        found.body += message.get("body", b"")
        found.whole = message["type"] == "http.response.body" and not message.get("more_body", False)

    await house.app(scope, receive, send)
    return found


async def test_another_citizens_log_grants_and_receipts_are_404_or_empty(app: Party) -> None:
    got, his = await app.allowed(), {"cookie": f"kluis={await bo(app.house)}"}
    (receipt, *_) = (await app.house.http.get("/api/receipts", headers=owned(app.house))).json()["receipts"]
    for path in (f"/api/grants/{got['grant_id']}", f"/api/receipts/{receipt['id']}", f"/me/receipts/{receipt['id']}"):
        assert (await app.house.http.get(path, headers=owned(app.house))).status_code == 200, path
        assert (await app.house.http.get(path, headers=his)).status_code == 404, path
    for path in ("/api/log", "/api/log/export", "/api/grants", "/api/receipts", "/me/log"):
        seen = await app.house.http.get(path, headers=his)
        assert seen.status_code == 200, path
        assert not any(word in seen.text for word in (got["grant_id"], "cultuurgids", "Cultuurgids", "An Peeters"))
        shown = await app.read(got["access_token"], path)  # and an app's token is no session
        assert shown.status_code in (303, 401), path


def owned(house: Household) -> dict[str, str]:
    return {"cookie": f"kluis={house.cookie}"}


async def test_at_its_very_end_a_grant_is_denied(house: Household) -> None:
    ends = f"{house.clock().replace(second=0):%Y-%m-%dT%H:%M}:59Z"
    granted = await house.grant(INTERESTS, expires=ends)
    house.clock.forward(seconds=58)
    assert (await house.call("GET", RECORDS, granted.access)).status_code == 200
    house.clock.forward(seconds=1)
    assert (await house.call("GET", RECORDS, granted.access)).status_code == 401
