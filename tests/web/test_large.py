"""Large bodies: sealed while they come in, opened a segment at a time, whole or not there at all."""

import asyncio
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from hashlib import shake_128
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from keys.seal import CHUNK, SEGMENT
from tests.conftest import Clock
from tests.house import Household
from vault import fsck
from vault.large import Large
from vault.solid.ranges import MOST, Part, parse
from vault.tables import Segment, Upload
from web.pods import create
from web.settings import Settings

FILM = "/pods/an/inbox/film.bin"
BINARY = {"content-type": "application/octet-stream"}
SIZES = [SEGMENT + 1, SEGMENT + CHUNK, 2 * SEGMENT - 1, 2 * SEGMENT, 2 * SEGMENT + 1, 5 * SEGMENT + 77, 4_194_304]
BODY = shake_128(b"film").digest(5 * SEGMENT + 77)


def noise(size: int) -> bytes:
    return shake_128(str(size).encode()).digest(size)


def litter(house: Household) -> int:
    """Segments that no body names."""
    found = house.vault.db.read.run("SELECT count(*) FROM segment WHERE store NOT IN (SELECT store FROM body)")
    return int(found[0][0]) + len(house.vault.db.read.find(Upload))


def faults(house: Household) -> list[str]:
    folder = house.vault.db.folder
    return fsck.check(folder, folder.parent / "shares")


async def put(house: Household, token: str, body: bytes, path: str = FILM, **more: str) -> httpx.Response:
    return await house.call("PUT", path, token, BINARY | more, body)


@pytest.mark.parametrize("size", SIZES)
async def test_a_large_body_comes_back_byte_for_byte_and_the_directory_is_sound(house: Household, size: int) -> None:
    token, body = await house.jwt(), noise(size)
    made = await put(house, token, body)
    assert made.status_code == 201, made.text
    assert house.vault.db.read.run("SELECT count(*) FROM segment")[0][0] > 1
    read = await house.call("GET", FILM, token)
    assert (read.status_code, read.content == body, read.headers["content-length"]) == (200, True, str(size))
    assert read.headers["etag"] == made.headers["etag"] and read.headers["accept-ranges"] == "bytes"
    await house.quiet()
    assert faults(house) == [] and litter(house) == 0
    assert not house.vault.reading


async def test_head_tells_what_get_tells_and_opens_no_segment(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.jwt()
    await put(house, token, BODY)
    monkeypatch.setattr(Large, "_open", None)
    head = await house.call("HEAD", FILM, token)
    monkeypatch.undo()
    read = await house.call("GET", FILM, token)
    told = [{k: v for k, v in one.headers.items() if k != "kluis-entry"} for one in (head, read)]
    assert told[0] == told[1] and head.content == b""
    assert [line["action"] for line in house.told()][-2:] == ["read", "read"]


async def test_a_small_head_reads_no_body_from_the_database(house: Household) -> None:
    token = await house.jwt()
    await put(house, token, b"klein")
    said: list[str] = []
    house.vault.db.read.raw.set_trace_callback(said.append)
    head = await house.call("HEAD", FILM, token)
    house.vault.db.read.raw.set_trace_callback(None)
    assert head.headers["content-length"] == "5"
    assert not any("b.data" in one for one in said) and any("b.size" in one for one in said)


async def test_every_slice_of_the_body_is_the_slice_of_the_plain_one(house: Household) -> None:
    token = await house.jwt()
    await put(house, token, BODY)
    size = len(BODY)
    near = st.sampled_from([0, 1, CHUNK - 1, CHUNK, SEGMENT - 1, SEGMENT, SEGMENT + 1, size - 1, size, size + 9])
    places = st.one_of(near, st.integers(0, size + 5))
    asks: list[str] = []

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(places, places, st.sampled_from(["{}-{}", "{}-", "-{}"]))
    def collect(first: int, last: int, form: str) -> None:
        asks.append("bytes=" + form.format(first, last))

    collect()
    for asked in asks:
        answer = await house.call("GET", FILM, token, {"range": asked})
        wanted = parse(asked, size)
        if wanted == "unsatisfiable":
            assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}"), asked
        elif wanted is None:
            assert (answer.status_code, answer.content == BODY) == (200, True), asked
        else:
            part = wanted[0]
            assert (answer.status_code, answer.content == BODY[part.start : part.stop]) == (206, True), asked
            assert answer.headers["content-range"] == f"bytes {part.start}-{part.stop - 1}/{size}"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("bytes=0-0", (Part(0, 1),)), ("bytes=5-", (Part(5, 10),)), ("bytes=-3", (Part(7, 10),)),
        ("bytes=-30", (Part(0, 10),)), ("bytes=8-99", (Part(8, 10),)), ("bytes=10-", "unsatisfiable"),
        ("bytes=-0", "unsatisfiable"), ("bytes=5-4", None), ("bytes=a-b", None), ("bytes=", None), ("lines=1-2", None),
        ("bytes=1-2,5-6", (Part(1, 3), Part(5, 7))), ("bytes=5-6, ,1-2", (Part(5, 7), Part(1, 3))),
        ("bytes=0-9,0-9", None), ("bytes=" + ",".join(["1-1"] * (MOST + 1)), None), ("Bytes=1-1", (Part(1, 2),)),
        ("bytes=0-99999999999999999999", None), ("bytes=-", None), ("bytes=--1", None), ("bytes=1-2-3", None),
        ("bytes=\u0661-\u0662", None), ("bytes=\u00b2-", None), ("bytes=+1-2", None),
        ("bytes=" + "0-0," * 100_000, None), ("bytes=0-0, bytes=1-1", None), ("bytes 0-1", None),
        ("bytes=0-4,2-9", None), ("bytes=999999999999999999-", "unsatisfiable"),
        ("bytes=-999999999999999999", (Part(0, 10),)), ("bytes=20-,1-1", (Part(1, 2),)),
        ("bytes=" + "9" * 19 + "-", None), (None, None),
    ],
)  # fmt: skip
def test_what_a_range_header_asks_for(asked: str | None, wanted: Any) -> None:
    assert parse(asked, 10) == wanted


async def test_several_ranges_come_as_parts_and_only_their_segments_are_opened(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, opened = await house.jwt(), list[int]()
    await put(house, token, BODY)
    real = Large._open

    async def counted(self: Large, number: int) -> bytes:
        opened.append(number)
        return await real(self, number)

    monkeypatch.setattr(Large, "_open", counted)
    answer = await house.call("GET", FILM, token, {"range": f"bytes=0-9,{SEGMENT - 5}-{SEGMENT + 4},-7"})
    assert (answer.status_code, opened) == (206, [0, 0, 1, 5])
    assert int(answer.headers["content-length"]) == len(answer.content)
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=HTTP.clone(cte_type="8bit")).parsebytes(head + answer.content)
    told = [part["content-range"] for part in message.iter_parts()]
    size = len(BODY)
    assert told == [
        f"bytes 0-9/{size}", f"bytes {SEGMENT - 5}-{SEGMENT + 4}/{size}", f"bytes {size - 7}-{size - 1}/{size}",
    ]  # fmt: skip
    for wanted in (BODY[:10], BODY[SEGMENT - 5 : SEGMENT + 5], BODY[-7:]):
        assert b"\r\n\r\n" + wanted + b"\r\n--" in answer.content


async def test_if_range_gives_the_whole_of_another_version_and_converted_forms_have_no_ranges(house: Household) -> None:
    token = await house.jwt()
    tag = (await put(house, token, b"0123456789")).headers["etag"]
    modified = (await house.call("HEAD", FILM, token)).headers["last-modified"]
    for given_, status in ((tag, 206), (modified, 206), ('"other"', 200), (f"W/{tag}", 200)):
        answer = await house.call("GET", FILM, token, {"range": "bytes=2-3", "if-range": given_})
        assert (answer.status_code, answer.content) == (status, b"23" if status == 206 else b"0123456789")
    turtle, path = b"<#a> <#b> <#c>.\n", "/pods/an/inbox/a.ttl"
    await house.call("PUT", path, token, {"content-type": "text/turtle"}, turtle)
    same = await house.call("GET", path, token, {"range": "bytes=0-3"})
    other = await house.call("GET", path, token, {"range": "bytes=0-3", "accept": "application/ld+json"})
    assert (same.status_code, same.content, other.status_code) == (206, turtle[:4], 200)
    assert "accept-ranges" not in other.headers


async def cut(house: Household, token: str, after: int) -> list[Any]:
    """PUT a body that breaks off after so many segments; what the server said to it."""
    pieces = [BODY[at * SEGMENT : (at + 1) * SEGMENT] or b"x" for at in range(after)]
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    coming, said = iter([*messages, {"type": "http.disconnect"}]), list[Any]()

    async def receive() -> Any:
        return next(coming)

    async def send(message: Any) -> None:
        said.append(message)

    shown = house.shown("PUT", FILM, token) | BINARY
    headers = [(b"host", b"localhost:8400"), *((k.lower().encode(), v.encode()) for k, v in shown.items())]
    scope = {"type": "http", "method": "PUT", "raw_path": FILM.encode(), "path": FILM, "headers": headers}
    await create(_house(house))(scope, receive, send)
    return said


@pytest.mark.parametrize("after", range(1, 7))
async def test_a_cut_upload_leaves_the_old_content_and_no_litter(house: Household, after: int) -> None:
    token = await house.jwt()
    await put(house, token, BODY[: 2 * SEGMENT])
    assert await cut(house, token, after) == []
    read = await house.call("GET", FILM, token)
    assert read.content == BODY[: 2 * SEGMENT]
    assert litter(house) == 0 and faults(house) == []


async def test_a_store_that_a_crash_left_behind_is_gone_after_the_next_start(house: Household) -> None:
    from vault import quota

    pod = house.vault.pod("an")
    assert pod is not None

    def crashed(tx: Any) -> None:
        quota.reserve(tx, pod.id, b"s" * 16, 5, 10**9)
        tx.add(Segment(store=b"s" * 16, number=0, data=b"rests"))

    await house.vault.db.write(crashed)
    assert litter(house) == 2 and faults(house) == []
    await house.vault.db.write(quota.clear)
    assert litter(house) == 0


async def test_replacing_and_deleting_a_large_body_leaves_nothing_of_it(house: Household) -> None:
    token = await house.jwt()
    for body in (BODY, BODY[::-1], b"klein", BODY):
        assert (await put(house, token, body)).status_code in (201, 204)
        assert (await house.call("GET", FILM, token)).content == body
        assert litter(house) == 0 and faults(house) == []
    assert (await house.call("DELETE", FILM, token)).status_code == 204
    assert house.vault.db.read.run("SELECT count(*) FROM segment")[0][0] == 0 and faults(house) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE segment SET number = number + 100",
        "DELETE FROM segment WHERE number = 5",
        "UPDATE segment SET data = substr(data, 1, length(data) - 16400) WHERE number = 2",
        "UPDATE segment SET data = (SELECT data FROM segment WHERE number = 1) WHERE number = 3",
        "UPDATE segment SET data = CAST(substr(data, 1, 9) || x'ff' || substr(data, 11) AS BLOB) WHERE number = 0",
    ],
)
async def test_a_segment_that_was_moved_cut_swapped_or_changed_is_never_served(house: Household, change: str) -> None:
    token = await house.jwt()
    await put(house, token, BODY)
    await house.vault.db.write(lambda tx: tx.run(change))
    try:
        read = await house.call("GET", FILM, token)
    except Exception:  # noqa: BLE001 -- the stream broke off, however this client says so
        read = None
    assert read is None or (BODY.startswith(read.content) and read.content != BODY)
    assert house.told()[-1]["rule"] == "damaged"
    assert not house.vault.reading


async def test_a_withdrawal_in_mid_stream_ends_it(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    from vault.errors import Denied

    token = await house.jwt()
    await put(house, token, BODY)
    sent = 0
    real = Large._open

    async def then_closed(self: Large, number: int) -> bytes:
        nonlocal sent
        sent += 1
        if number == 1:

            def shut() -> None:
                raise Denied("withdrawn")

            self.gate = shut
        return await real(self, number)

    monkeypatch.setattr(Large, "_open", then_closed)
    read = await _tried(house, token)
    assert sent == 2 and len(read) <= 2 * SEGMENT
    assert not house.vault.reading


async def _tried(house: Household, token: str) -> bytes:
    try:
        return (await house.call("GET", FILM, token)).content
    except Exception:  # noqa: BLE001 -- the stream broke off
        return b""


async def test_a_client_that_goes_away_stops_the_opening(house: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    token, opened = await house.jwt(), list[int]()
    await put(house, token, BODY)
    real = Large._open

    async def counted(self: Large, number: int) -> bytes:
        opened.append(number)
        return await real(self, number)

    monkeypatch.setattr(Large, "_open", counted)
    headers = [(k.lower().encode(), v.encode()) for k, v in house.shown("GET", FILM, token).items()]
    gone, messages = asyncio.Event(), list[Any]()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)
        if message.get("body"):
            gone.set()
            await asyncio.sleep(0.01)

    scope = {"type": "http", "method": "GET", "raw_path": FILM.encode(), "path": FILM}
    host = (b"host", b"localhost:8400")
    await create(_house(house))(scope | {"headers": [host, *headers]}, receive, send)
    assert len(opened) < 3
    assert not house.vault.reading


def _house(house: Household) -> Any:
    class Small:
        vault, base, clock = house.vault, house.vault.base, house.clock
        settings = Settings(base_url=house.vault.base)

    return Small


async def test_a_full_quota_is_507_even_in_a_race_and_deleting_makes_room(house: Household) -> None:
    token = await house.jwt()
    await put(house, token, BODY, "/pods/an/inbox/0.bin")
    pod = house.vault.pod("an")
    assert pod is not None
    from vault import quota

    one = house.vault.db.read.run("SELECT max(size) FROM body")[0][0]
    house.vault.quota = quota.used(house.vault.db.read, pod.id) + 2 * one + 1000
    raced = await asyncio.gather(*(put(house, token, BODY, f"/pods/an/inbox/{n}.bin") for n in range(1, 7)))
    codes = [one.status_code for one in raced]
    assert codes.count(507) >= 4 and set(codes) <= {201, 507}
    assert next(one for one in raced if one.status_code == 507).json()["type"] == "urn:kluis:problem:quota"
    assert quota.used(house.vault.db.read, pod.id) <= house.vault.quota
    assert litter(house) == 0 and faults(house) == []
    house.vault.quota = quota.used(house.vault.db.read, pod.id)
    assert (await put(house, token, b"x", "/pods/an/inbox/x")).status_code == 507
    assert house.told()[-1]["rule"] == "quota"
    assert (await house.call("DELETE", "/pods/an/inbox/0.bin", token)).status_code == 204
    assert (await put(house, token, b"x", "/pods/an/inbox/x")).status_code == 201


async def test_a_single_body_above_the_largest_is_413_and_leaves_nothing(house: Household) -> None:
    token = await house.jwt()
    app = create(_house(house), largest=2 * SEGMENT)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=house.vault.base)

    async def chunked() -> AsyncIterator[bytes]:
        for at in range(4):
            yield BODY[at * SEGMENT : (at + 1) * SEGMENT]

    for content in (BODY, chunked()):
        answer = await http.put(FILM, headers=house.shown("PUT", FILM, token) | BINARY, content=content)
        assert answer.status_code == 413
    assert litter(house) == 0
    assert (await house.call("GET", FILM, token)).status_code == 404


async def test_reading_goes_on_in_a_version_that_is_replaced_meanwhile(house: Household, clock: Clock) -> None:
    token = await house.jwt()
    await put(house, token, BODY)
    store = house.vault.db.read.run("SELECT store FROM body WHERE store <> x''")[0][0]
    house.vault.reading[store] += 1
    await put(house, token, b"nieuw")
    assert house.vault.db.read.run("SELECT count(*) FROM segment WHERE store = :s", s=store)[0][0] == 6
    from vault import staging

    del house.vault.reading[store]
    await staging.sweep(house.vault, store)
    assert litter(house) == 0
