"""A withdrawal against everything that is on its way: once it is answered not one message leaves."""

import asyncio
from typing import Any

import pytest

from consent import follow
from consent.call import Call
from consent.follow import Following
from tests.conftest import BASE
from tests.house import ALL_INTERESTS, Granted, Household
from tests.log.acts import ONGOING
from tests.web.pushing import until
from vault.solid.notifications import SOCKET, Wish

pytestmark = pytest.mark.timeout(300)
GRANTS, CHANGES = 100, 1000
PATH = "/notifications/WebSocketChannel2023/"


async def follower(house: Household, granted: Granted) -> Following:
    """A channel of an app, as the route makes it."""
    shown = house.shown("POST", PATH, granted.access)
    call = Call("POST", BASE + PATH, "an", "/interests/", (shown["authorization"].encode(),),
                (shown["dpop"].encode(),), follows=True)  # fmt: skip
    wish = Wish(SOCKET, f"{BASE}/pods/an/interests/")
    found = await follow.begin(house.vault, call, house.session.pod, wish, lambda _: 0, house.clock())
    assert isinstance(found, Following), found
    return found


async def test_of_a_thousand_changes_that_race_a_hundred_withdrawals_none_is_told_after_the_answer(
    house: Household,
) -> None:
    sent: list[list[bytes]] = [[] for _ in range(GRANTS)]
    answered = [-1] * GRANTS  # how much each had been told when the withdrawal was answered
    open_now = []
    done: list[int] = []
    at_once = asyncio.Semaphore(16)
    for number in range(GRANTS):
        granted = await house.grant(ALL_INTERESTS, **ONGOING)
        channel = house.house.channels.open(await follower(house, granted), BASE + "/pods/an")

        async def put(text: bytes, number: int = number) -> None:
            await asyncio.sleep(0)  # a connection that is slow for a moment
            sent[number].append(text)

        open_now.append((granted, asyncio.create_task(house.house.channels.serve(channel, put))))

    async def stop(number: int) -> None:
        await until(lambda: len(done) >= number * 9, 120)
        await house.withdraw(open_now[number][0])
        answered[number] = len(sent[number])

    async def change(number: int) -> None:
        async with at_once:
            await house.keep(f"/interests/{number}.jsonld", {"n": number})
        done.append(number)

    await asyncio.gather(*(stop(n) for n in range(GRANTS)), *(change(n) for n in range(CHANGES)))
    await asyncio.gather(*(task for _, task in open_now))
    told = [len(texts) for texts in sent]
    assert answered == told
    assert sum(told) > GRANTS and told[-1] > told[0]
    assert house.house.channels.count(house.session.pod.id) == 0
    await _logged(house, sum(told))


async def _logged(house: Household, told: int) -> None:
    """Everything that was told stands in her log; a line may count what a withdrawal then held back."""
    await house.vault.log.settle()
    counted: list[dict[str, Any]] = [line for line in house.told() if line["action"] == "notify"]
    allowed = sum(line["count"] for line in counted if line["decision"] == "allowed")
    assert allowed >= told
