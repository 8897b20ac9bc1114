"""C1d, C1e: an answer that is on its way when its grant ends is cut, and the app sees that it is broken.

Once inside the server's own process, where the withdrawal falls between two records exactly; once over real sockets,
where what the kernels already hold is all that still arrives.
"""

import asyncio
import random
import socket
from pathlib import Path
from typing import Any

import pytest

from keys.text import b64
from tests.consent.prove.served import furnished, give, keep, redeem
from tests.house import ALL_INTERESTS, Household
from tests.proof import figure, rounds

BATCH = "/api/records?category=pd:Interest"
FEW, RECORDS, BIG, SIZE = 8, 24, 150, 60_000
pytestmark = pytest.mark.timeout(300)


async def streamed(house: Household, token: str, stop: int, grant: Any) -> tuple[int, int, bool]:
    """Read the batch; An withdraws while chunk number `stop` is under way. Records before and after, whether whole."""
    before, after, whole, chunks = 0, 0, False, 0
    headers = [(name.encode(), value.encode()) for name, value in house.shown("GET", BATCH, token).items()]
    path, _, query = BATCH.partition("?")
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": "GET",
             "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "server": None,
             "headers": [(b"host", house.vault.base.split("//")[1].encode()), *headers],
             "client": ("127.0.0.1", 1)}  # fmt: skip

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("nobody sends")

    async def send(message: Any) -> None:
        nonlocal before, after, whole, chunks
        if message["type"] != "http.response.body":
            assert message["status"] == 200
            return
        body = message.get("body", b"")
        whole = whole or not message.get("more_body", False)
        count = body.count(b'"schema:name"')
        before, after = before + count * (chunks <= stop), after + count * (chunks > stop)
        if chunks == stop:
            await house.withdraw(grant)
        chunks += 1

    try:
        await house.app(scope, receive, send)
    except BaseException as cut:  # however a server tells its front that the answer is broken
        if isinstance(cut, AssertionError):
            raise
    return before, after, whole


async def test_c1_not_one_more_record_leaves_after_a_withdrawal_in_the_middle_of_an_answer(house: Household) -> None:
    count, chance, late, finished, cut = rounds(FEW, "C1d"), random.Random(2), 0, 0, 0
    for number in range(RECORDS):
        await house.keep(f"/interests/s{number}.jsonld", {"@type": "pd:Interest", "schema:name": f"n{number}"})
    for _ in range(count):
        granted = await house.grant(ALL_INTERESTS)
        stop = chance.randint(1, RECORDS)
        before, after, whole = await streamed(house, granted.access, stop, granted)
        late, finished, cut = late + after, finished + whole, cut + (before < RECORDS + 1)
    figure("C1d", late, count)
    figure("C1d answers that broke off before their last record", cut, count)
    assert late == 0
    assert cut >= count // 2 and finished <= count - cut


async def slow(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that takes in little at a time."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
    return await asyncio.open_connection(sock=made, limit=4096)


async def test_c1_an_answer_that_is_read_slowly_over_a_socket_ends_broken_after_the_withdrawal(tmp_path: Path) -> None:
    count, finished, most = rounds(FEW // 2, "C1e"), 0, 0
    async with furnished(tmp_path / "city") as (place, vault, session):
        for number in range(BIG):
            record = {"@type": "pd:Interest", "schema:name": f"n{number}", "schema:about": ["x" * SIZE]}
            await keep(vault, session, f"/interests/s{number}.jsonld", record)
        given = [(b64(grant), await redeem(vault, code)) for grant, code in [
            await give(vault, session, ALL_INTERESTS) for _ in range(count)]]  # fmt: skip
    with place.serving():
        line, key = place.line(), place.key
        for grant, told in given:
            reader, writer = await slow(place.port)
            shown = key.shown("GET", BATCH, told["access_token"])
            head = "".join(f"{name}: {value}\r\n" for name, value in shown.items())
            writer.write(f"GET {BATCH} HTTP/1.1\r\nhost: localhost:{place.port}\r\n{head}\r\n".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            first = await reader.readexactly(2000)
            assert (await line.send("POST", f"/api/grants/{grant}/withdraw", place.hers())).status == 200
            rest = b""
            try:
                while part := await reader.read(65_536):
                    rest += part
            except ConnectionError:
                pass
            writer.close()
            finished += rest.endswith(b"0\r\n\r\n") or (first + rest).count(b'"schema:name"') >= BIG
            most = max(most, len(rest))
        line.close()
    figure("C1e", finished, count)
    figure("C1e most bytes that were in flight, of an answer of", BIG * SIZE, 1)
    figure("C1e most bytes that were in flight", most, count)
    assert finished == 0 and most < BIG * SIZE // 2
