"""SN1 and SN2: a withdrawal ends what is on its way; once it is answered no message leaves, and the socket closes."""

import asyncio
import time
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from consent import follow
from consent.call import Call
from consent.follow import Following
from tests.conftest import BASE
from tests.house import ALL_INTERESTS, Granted, Household
from tests.log.acts import ONGOING
from tests.proof import figure, rounds
from tests.web.notifications.listening import served
from tests.web.pushing import until
from vault.solid.notifications import SOCKET, Wish

pytestmark = [pytest.mark.enable_socket, pytest.mark.timeout(600)]
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


async def test_of_ten_changes_that_race_each_withdrawal_none_is_told_after_the_answer(
    house: Household,
) -> None:
    changes = rounds(150, "SN1")
    grants = changes // 10
    sent: list[list[bytes]] = [[] for _ in range(grants)]
    answered = [-1] * grants  # how much each had been told when the withdrawal was answered
    open_now = []
    done: list[int] = []
    at_once = asyncio.Semaphore(16)
    for number in range(grants):
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

    await asyncio.gather(*(stop(n) for n in range(grants)), *(change(n) for n in range(changes)))
    await asyncio.gather(*(task for _, task in open_now))
    told = [len(texts) for texts in sent]
    late = sum(text - before for text, before in zip(told, answered, strict=True))
    figure("SN1", late, len(done))
    assert answered == told
    assert sum(told) > grants and told[-1] > told[0]
    assert house.house.channels.count(house.session.pod.id) == 0
    await _logged(house, sum(told))


async def test_the_socket_of_an_app_closes_when_its_withdrawal_is_answered(house: Household) -> None:
    """Over real sockets, all open at once; how long after her answer each of them saw its end (0 if before it)."""
    turns = rounds(5, "SN2")
    waits = list[float]()

    async def closed(socket: ClientConnection) -> float:
        await socket.wait_closed()
        return time.perf_counter()

    async with served(house) as there:
        listening = []
        for _ in range(turns):
            granted = await house.grant(ALL_INTERESTS, **ONGOING)
            answer = await there.ask(PATH, granted.access, topic=f"{BASE}/pods/an/interests/")
            socket = await there.connect(answer.json()["receiveFrom"])
            listening.append((granted, asyncio.create_task(closed(socket)), socket))
        assert house.house.channels.count(house.session.pod.id) == turns
        for granted, end, socket in listening:
            assert not end.done()
            await house.withdraw(granted)
            answered = time.perf_counter()
            waits.append(max(0.0, await asyncio.wait_for(end, 30) - answered))
            assert socket.close_code == 1008
    figure("SN2", round(max(waits) * 1000, 1), len(waits))
    assert max(waits) < 1


async def _logged(house: Household, told: int) -> None:
    """Everything that was told stands in her log; a line may count what a withdrawal then held back."""
    await house.vault.log.settle()
    counted: list[dict[str, Any]] = [line for line in house.told() if line["action"] == "notify"]
    allowed = sum(line["count"] for line in counted if line["decision"] == "allowed")
    assert allowed >= told
