"""Two at once, and at the wrong moment: nothing comes back that was deleted, no name stands twice, no body is torn."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import shake_128
from types import SimpleNamespace
from typing import Any

import pytest

from consent import endings
from keys.seal import SEGMENT
from keys.text import unb64
from tests.house import Household
from tests.web.test_large import BODY, FILM, faults, litter, put
from vault import door, quota
from vault.tables import Body, Upload, Usage
from web import podwrite
from web.middleware import Front

HERE = "/pods/an/inbox/"
TEXT = {"content-type": "text/plain"}


def before_the_write(monkeypatch: pytest.MonkeyPatch, first: Callable[[], Awaitable[Any]]) -> None:
    """Let something else happen once, after everything about a write was looked at and before it is done."""
    real, done = podwrite._write, False

    async def later(*given: Any) -> Any:
        nonlocal done
        if not done:
            done = True
            await first()
        return await real(*given)

    monkeypatch.setattr(podwrite, "_write", later)


@pytest.mark.parametrize("body", [b"klein", BODY], ids=["short", "large"])
async def test_what_is_deleted_between_admission_and_write_is_not_made_again(
    house: Household, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    token = await house.jwt()
    await put(house, token, b"eerst")
    before_the_write(monkeypatch, lambda: house.call("DELETE", FILM, token))
    raced = await put(house, token, body)
    assert (raced.status_code, raced.json()["type"]) == (409, "urn:kluis:problem:changed")
    assert (house.told()[-1]["decision"], house.told()[-1]["rule"]) == ("denied", "vanished")
    assert (await house.call("GET", FILM, token)).status_code == 404
    assert litter(house) == 0 and faults(house) == []
    assert (await put(house, token, body)).status_code == 201


@pytest.mark.parametrize(
    ("one", "other"), [("x", "x/"), ("x/", "x"), ("x", "x/y"), ("x/y", "x"), ("x/y/", "x"), ("x", "x/y/z/")]
)
async def test_of_a_name_with_and_without_slash_only_one_is_ever_made(
    house: Household, monkeypatch: pytest.MonkeyPatch, one: str, other: str
) -> None:
    token = await house.jwt()
    before_the_write(monkeypatch, lambda: house.call("PUT", HERE + other, token, TEXT))
    raced = await house.call("PUT", HERE + one, token, TEXT)
    assert (raced.status_code, raced.json()["type"]) == (409, "urn:kluis:problem:slash")
    found = [(await house.call("GET", HERE + name, token)).status_code for name in ("x", "x/")]
    assert sorted(found) == [200, 404]
    assert house.told()[-3]["rule"] == "slash"


async def test_a_description_makes_no_container_that_was_deleted_meanwhile(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.jwt()
    assert (await house.call("PUT", f"{HERE}x/", token)).status_code == 201
    before_the_write(monkeypatch, lambda: house.call("DELETE", f"{HERE}x/", token))
    raced = await house.call("PUT", f"{HERE}x/.meta", token, {"content-type": "text/turtle"}, b"<#a> <#b> <#c>.")
    assert raced.status_code == 409
    for path in ("x/", "x/.meta"):
        assert (await house.call("GET", HERE + path, token)).status_code == 404


async def test_head_of_what_is_deleted_while_it_is_looked_at_says_so(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, path = await house.jwt(), f"{HERE}a.ttl"
    await house.call("PUT", path, token, {"content-type": "text/turtle"}, b"<#a> <#b> <#c>.")
    real, once = door._append, [True]

    async def late(*given: Any, **more: Any) -> Any:
        done = await real(*given, **more)
        if once.pop() if once else False:
            assert (await house.call("DELETE", path, token)).status_code == 204
        return done

    monkeypatch.setattr(door, "_append", late)
    head = await house.call("HEAD", path, token, {"accept": "application/ld+json"})
    assert head.status_code == 404
    assert "damaged" not in [line["rule"] for line in house.told()]


async def test_a_body_replaced_between_its_entry_and_its_opening_is_read_whole(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.jwt()
    await put(house, token, BODY)
    real, once = door._append, [True]

    async def late(*given: Any, **more: Any) -> Any:
        done = await real(*given, **more)
        if once.pop() if once else False:
            assert (await put(house, token, b"nieuw")).status_code == 204
        return done

    monkeypatch.setattr(door, "_append", late)
    read = await house.call("GET", FILM, token)
    assert (read.status_code, read.content == BODY) == (200, True)
    assert "damaged" not in [line["rule"] for line in house.told()]
    await house.quiet()
    assert not house.vault.reading and litter(house) == 0 and faults(house) == []


async def spoken(house: Household, app: Any, token: str, send: Any, **more: str) -> None:
    """GET of the film by ASGI, its client still there."""
    shown = house.shown("GET", FILM, token) | more
    headers = [(b"host", b"localhost:8400"), *((k.lower().encode(), v.encode()) for k, v in shown.items())]
    scope = {"type": "http", "method": "GET", "raw_path": FILM.encode(), "path": FILM, "headers": headers}

    async def receive() -> Any:
        await asyncio.sleep(60)

    await app(scope, receive, send)


@pytest.mark.parametrize("range_", ["bytes=0-", "bytes=0-9,300000-300009"])
async def test_a_client_gone_before_the_first_byte_leaves_no_key_and_no_reader(house: Household, range_: str) -> None:
    token = await house.jwt()
    await put(house, token, BODY)

    async def gone(_: Any) -> None:
        raise OSError("gone")

    assert isinstance(house.app, Front)
    await spoken(house, house.app, token, gone, range=range_)
    assert not house.vault.reading
    assert (await house.call("DELETE", FILM, token)).status_code == 204
    assert litter(house) == 0


async def test_a_real_withdrawal_lets_at_most_one_more_segment_out(house: Household) -> None:
    token = await house.jwt()
    body = shake_128(b"long").digest(12 * SEGMENT)
    await put(house, token, body)
    grant = unb64(house.told()[-1]["grant"])
    sent, after, ended = bytearray(), 0, False

    async def send(message: Any) -> None:
        nonlocal after, ended
        piece = message.get("body", b"")
        sent.extend(piece)
        if ended and piece:
            after += 1
        if len(sent) >= 3 * SEGMENT and not ended:
            assert await endings.withdraw(house.vault, house.session, grant, house.clock())
            ended = True
        assert not ended or message.get("more_body", True), "a body that was cut off looks whole"

    await spoken(house, house.app, token, send)
    assert ended and after <= 1 and body.startswith(sent)
    assert not house.vault.reading
    assert (await house.call("GET", FILM, token)).status_code == 401


async def test_a_limited_grant_is_refused_a_patch_whatever_is_there(house: Household) -> None:
    """Whether a patch fits is an answer about everything that is stored, fields that are not shown included."""
    from consent.call import Admission
    from consent.terms import Datum
    from web import podpatch

    admitted = Admission(None, None, Datum("kluis:File", fields=("schema:about",)))  # type: ignore[arg-type]

    asked = SimpleNamespace(target=SimpleNamespace(path="/public/a.jsonld", container=False, kind="resource"))
    reply = podpatch._refused(asked, admitted, existed=True)  # type: ignore[arg-type]
    assert reply is not None and reply.status == 422


async def test_the_check_of_a_directory_finds_what_is_wrong_with_segments_and_counts(house: Household) -> None:
    token = await house.jwt()
    await put(house, token, BODY)
    store, size = house.vault.db.read.run("SELECT store, size FROM body WHERE store <> x''")[0]
    assert faults(house) == []
    planted: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any]]] = [
        (
            "on the list of what is removed",
            lambda tx: tx.add(Upload(store=store, pod=house.session.pod.id, size=0)),
            lambda tx: tx.remove(Upload, store=store),
        ),
        (
            "2 bodies have the segments",
            lambda tx: tx.add(Body(id=b"x" * 16, version=1, size=size, store=store, data=b"")),
            lambda tx: tx.remove(Body, id=b"x" * 16),
        ),
        (
            "which is no pod",
            lambda tx: tx.add(Usage(pod=b"x" * 16, bytes=5)),
            lambda tx: tx.remove(Usage, pod=b"x" * 16),
        ),
        (
            "bytes, not",
            lambda tx: quota.count(tx, house.session.pod.id, 1),
            lambda tx: quota.count(tx, house.session.pod.id, -1),
        ),
    ]
    for said, fault, back in planted:
        await house.vault.db.write(fault)
        assert [line for line in faults(house) if said in line], said
        await house.vault.db.write(back)
        assert faults(house) == []


async def test_a_start_removes_no_segment_that_a_body_names(house: Household) -> None:
    token = await house.jwt()
    await put(house, token, BODY)
    store = house.vault.db.read.run("SELECT store FROM body WHERE store <> x''")[0][0]
    await house.vault.db.write(lambda tx: tx.add(Upload(store=store, pod=house.session.pod.id, size=0)))
    await house.vault.db.write(quota.clear)
    assert (await house.call("GET", FILM, token)).content == BODY
    assert faults(house) == []
