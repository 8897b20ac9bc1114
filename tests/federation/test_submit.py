"""Asking witnesses: what each answer means, what a lying or broken one can do, how far a set address goes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from federation.errors import FederationError
from federation.fetch import Fetcher
from federation.policy import Witness
from federation.submit import Agreed, Objects, Published, Silent, submit
from keys.cosign import cosign, witness_vkey
from keys.note import read_checkpoint, split
from keys.sign import new_signer
from tests.federation.cosigning import Direct, SmallLog
from tests.federation.fetching import NOW, QUICK, run
from tests.federation.sink import Sink, reply, sink

pytestmark = pytest.mark.enable_socket


def published(log: SmallLog, size: int | None = None) -> Published:
    note = log.note(size)
    return Published(note, read_checkpoint(split(note)[0]), log.vkey)


def ask(direct: Fetcher, one: Witness, log: SmallLog, known: int = 0, size: int | None = None) -> Any:
    return run(submit(direct, one, published(log, size), log.tree.consistency, known, NOW))


def test_a_witness_that_remembers_nothing_one_that_is_behind_and_one_that_forgot_all_cosign(tmp_path: Path) -> None:
    log, direct = SmallLog().grow(50), Direct()
    one = direct.witness(tmp_path / "one", log.vkey)
    assert isinstance(ask(direct, one, log, size=20), Agreed)
    assert isinstance(ask(direct, one, log, known=0, size=30), Agreed)  # it says 20, and is asked again from there
    forgot = direct.witness(tmp_path / "two", log.vkey, name="two.test")
    assert isinstance(ask(direct, forgot, log, known=30), Agreed)


def test_a_witness_that_has_seen_more_objects_and_shows_our_own_signature(tmp_path: Path) -> None:
    log, direct = SmallLog().grow(50), Direct()
    one = direct.witness(tmp_path, log.vkey)
    ask(direct, one, log)
    told = ask(direct, one, log, size=20)
    assert isinstance(told, Objects)
    assert (told.kind, told.seen) == ("rollback", 50)
    assert read_checkpoint(split(told.proof)[0]).size == 50


def test_a_witness_that_has_seen_another_tree_objects_and_proves_it(tmp_path: Path) -> None:
    log, direct = SmallLog().grow(50), Direct()
    one = direct.witness(tmp_path, log.vkey)
    ask(direct, one, log, size=40)
    for size in (40, 60):
        told = ask(direct, one, log.fork(30, "other", size))
        assert isinstance(told, Objects)
        assert (told.kind, told.seen) == ("fork", 40)
        assert read_checkpoint(split(told.proof)[0]).root == log.tree.root(40)


def test_a_witness_that_does_not_know_the_log_is_silent(tmp_path: Path) -> None:
    direct = Direct()
    one = direct.witness(tmp_path, SmallLog().vkey)
    assert ask(direct, one, SmallLog("else.test/log/2026h2").grow(3)) == Silent("status 404")
    assert ask(direct, one, SmallLog().grow(3)) == Silent("status 403")
    direct.away.add(one.url)
    assert ask(direct, one, SmallLog().grow(3)) == Silent("connect")


SIGNER, OTHER = new_signer(), new_signer()
LOG = SmallLog().grow(9)
SIZE = {"Content_Type": "text/x.tlog.size"}
TEXT = LOG.note().rpartition("\n\n")[0] + "\n"
ANSWERS = {
    "a cosignature of another key": (reply(cosign(TEXT, "w.test", OTHER, 9).encode()), Silent("key")),
    "a cosignature of another text": (
        reply(cosign(LOG.note(3).rpartition("\n\n")[0] + "\n", "w.test", SIGNER, 9).encode()),
        Silent("form"),
    ),
    "nothing": (reply(b""), Silent("form")),
    "a page": (reply(b"<html>welcome</html>\n"), Silent("form")),
    "no text": (reply(b"\xff\xfe\n"), Silent("form")),
    "a size without its type": (reply(b"3\n", "409 Conflict"), Silent("form")),
    "a size that is none": (reply(b"03\n", "409 Conflict", **SIZE), Silent("form")),
    "a negative size": (reply(b"-3\n", "409 Conflict", **SIZE), Silent("form")),
    "always another size": (reply(b"3\n", "409 Conflict", **SIZE), Silent("busy")),
    "another place": (reply(b"", "307 Temporary Redirect", Location="https://a.test/"), Silent("status")),
    "broken": (reply(b"", "503 Service Unavailable"), Silent("status")),
    "too much": (reply(b"x" * 70_000), Silent("too_large")),
    "half an answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nx", Silent("broken")),
    "a larger size, unproven": (reply(b"99\n", "409 Conflict", **SIZE), Objects("rollback", 99)),
    "a refusal, unproven": (reply(b"no\n", "422 Unprocessable Entity"), Objects("fork", 0)),
}


def near(found: Sink, **more: Any) -> Fetcher:
    return Fetcher(near=frozenset({found.origin}), limits=QUICK, **more)


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_a_witness_answers_nothing_is_believed_without_its_signature(name: str) -> None:
    async def story() -> Any:
        async with sink(lambda _: ANSWERS[name][0]) as found:
            one = Witness("w", witness_vkey("w.test", SIGNER), found.origin)
            return await submit(near(found), one, published(LOG), LOG.tree.consistency, 0, NOW)

    assert run(story()) == ANSWERS[name][1]


def test_a_good_cosignature_is_taken_over_a_real_connection() -> None:
    async def story() -> Any:
        async with sink(lambda _: reply(cosign(TEXT, "w.test", SIGNER, 9).encode())) as found:
            one = Witness("w", witness_vkey("w.test", SIGNER), found.origin)
            return await submit(near(found), one, published(LOG), LOG.tree.consistency, 0, NOW), found.requests

    told, requests = run(story())
    assert isinstance(told, Agreed)
    assert requests[0].startswith("POST /add-checkpoint HTTP/1.1")


async def post(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FederationError) as caught:
        await fetcher.post(url, b"x", "text/plain")
    return str(caught.value.reason)


def test_a_witness_on_an_inner_address_is_reached_only_where_the_operator_said_so() -> None:
    async def story() -> None:
        async with sink() as found:
            for host in ("127.0.0.1", "localhost", "[::1]"):
                assert await post(Fetcher(limits=QUICK), f"http://{host}:{found.port}/add-checkpoint") == "scheme"
                ports = frozenset({found.port})
                assert await post(Fetcher(ports=ports, limits=QUICK), f"https://{host}:{found.port}/") == "address"
            other = near(found)
            assert await post(other, f"http://127.0.0.1:{found.port}/") == "scheme"  # only the address that was named
            assert await post(other, f"http://localhost:{found.port + 1}/") == "scheme"
            assert found.connections == 0

    run(story())


def test_a_slow_witness_costs_no_more_than_the_limit() -> None:
    async def story() -> str:
        async with sink() as found:
            found.hold = 5
            begin = asyncio.get_running_loop().time()
            reason = await post(near(found), found.origin + "/add-checkpoint")
            assert asyncio.get_running_loop().time() - begin < 3
            return reason

    assert run(story()) == "timeout"
