"""A city's epoch: 525,000 slots are summed up in a second of one thread, and requests do not notice."""

import asyncio
import hashlib
import time

from keys.secret import Secret
from tests.house import Household
from tests.proof import figure, proving, rounds
from vault.log import slots
from web import jobs

KEY = Secret(bytes(range(32)))


def states(count: int) -> bytes:
    """So many pods, each with a head of its own."""
    return b"".join([slots.state(n % 900 + 1, hashlib.sha256(b"%d" % n).digest()) for n in range(count)])


def test_an_epoch_of_a_whole_city_takes_a_second_of_one_processor() -> None:
    count = rounds(5_000, "L5c")
    held = states(count)
    taken = []
    for epoch in range(3):
        begun = time.thread_time()
        slots.root(list(slots.blocks(KEY, 29_000_000 + epoch, held)))
        taken.append(time.thread_time() - begun)
    print(f"CPU seconds for {count} slots: {[round(one, 3) for one in taken]}")
    figure("L5c", round(min(taken), 3), count)


async def test_requests_go_on_while_a_city_is_summed_up(house: Household) -> None:
    """The loop gets its turn all the time: no pause is as long as the work."""
    epochs, count = house.vault.epochs, 100_000 if proving() else 20_000
    epochs._states = bytearray(states(count))
    work = asyncio.create_task(asyncio.to_thread(lambda: list(slots.blocks(KEY, 1, epochs._states))))
    alone = time.perf_counter()
    await work
    alone = time.perf_counter() - alone
    work = asyncio.create_task(asyncio.to_thread(_summed, epochs._states))
    turns, longest = 0, 0.0
    while not work.done():
        begun = time.perf_counter()
        await asyncio.sleep(0)
        longest, turns = max(longest, time.perf_counter() - begun), turns + 1
    print(
        f"{count} slots: {alone:.3f} s of work, {turns} turns of the loop meanwhile, the longest wait {longest:.4f} s"
    )
    assert turns > 50


def _summed(held: bytearray) -> None:
    for _ in slots.blocks(KEY, 1, held):
        jobs._let_others_in()
