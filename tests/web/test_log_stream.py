"""One's own log, however long, never holds up anybody else: a thread opens it a few lines at a time."""

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from consent.accounts import sessions
from consent.accounts.sessions import SessionFacts
from tests.house import Household
from vault.log import views
from vault.vault import Vault
from web import logstream

PAGE = 5
EVERY = [
    "/api/log",
    "/api/log?proofs=1",
    "/api/log?since=3",
    "/api/log/export",
    "/api/log/export?format=aj",
    "/api/log/export?format=balp",
    "/me/security",
    "/me/access",
    "/me/log",
]


class Opened:
    """How many lines were opened in this thread of the loop, and in each handing over to another."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.loop, self.threads, self.at_once, self.most = threading.get_ident(), 0, 0, 0
        self.in_loop = 0
        opening, shaping = views._Reader.line, logstream._shaped

        def line(reader: Any, *row: Any) -> Any:
            self.in_loop += threading.get_ident() == self.loop
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            return opening(reader, *row)

        def shaped(*asked: Any) -> str | None:
            self.threads, self.at_once = self.threads + 1, 0
            return shaping(*asked)

        patch.setattr(views._Reader, "line", line)
        patch.setattr(logstream, "_shaped", shaped)
        patch.setattr(logstream, "PAGE", PAGE)


async def many(house: Household) -> int:
    """A log of some lines; how many."""
    for number in range(3 * PAGE):
        await house.keep(f"/interests/{number}.jsonld", {})
    await house.vault.publish()
    return len(house.told())


async def get(house: Household, path: str) -> Any:
    return await house.http.get(path, headers={"cookie": f"kluis={house.cookie}"})


@pytest.mark.parametrize("path", EVERY)
async def test_no_line_is_ever_opened_on_the_loop(house: Household, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    await many(house)
    opened = Opened(monkeypatch)
    assert (await get(house, path)).status_code == 200
    assert opened.in_loop == 0


@pytest.mark.parametrize("path", [path for path in EVERY if path.startswith("/api")])
async def test_one_handing_over_opens_a_page_and_no_more_and_all_lines_go_out(
    house: Household, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    lines, whole = await many(house), (await get(house, path)).text
    opened = Opened(monkeypatch)
    assert (await get(house, path)).text == whole
    assert opened.most <= PAGE and opened.threads >= (lines - 2) // PAGE


async def test_the_answer_of_lines_has_each_once_in_order_and_from_where_it_was_asked(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = await many(house)
    monkeypatch.setattr(logstream, "PAGE", PAGE)
    entries = (await get(house, "/api/log")).json()["entries"]
    assert [one["seq"] for one in entries] == list(range(1, lines + 1))
    assert entries[6:] == (await get(house, "/api/log?since=7")).json()["entries"]
    assert (await get(house, f"/api/log?since={lines + 1}")).json()["entries"] == []


async def test_a_pod_whose_locks_never_changed_opens_no_line_to_say_so(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Opened(monkeypatch)
    assert (await get(house, "/me/security")).status_code == 200
    assert opened.at_once == 0


async def test_a_head_published_while_the_lines_go_out_changes_no_proof(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proofs are all of the heads that stand at the beginning of the answer."""
    await many(house)
    whole, shaping = (await get(house, "/api/log?proofs=1")).json(), logstream._shaped
    await house.keep("/interests/later.jsonld", {})
    answer = (await get(house, "/api/log?proofs=1")).json()
    assert answer["entries"][: len(whole["entries"])] == whole["entries"] and answer["entries"][-1]["proof"] is None
    sizes = [ledger.size for ledger in house.vault.log.shards.all]

    def slow(*asked: Any) -> str | None:
        ledger = house.vault.log.shards.current
        ledger.show(ledger.sign(), [])
        return shaping(*asked)

    monkeypatch.setattr(logstream, "_shaped", slow)
    later = (await get(house, "/api/log?proofs=1")).json()
    assert later["entries"] == answer["entries"] and [ledger.size for ledger in house.vault.log.shards.all] != sizes


@pytest.mark.parametrize("path", [path for path in EVERY if path.startswith("/api")])
async def test_a_session_that_ends_while_the_lines_go_out_gets_no_more_of_them_and_no_end(
    house: Household, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    await many(house)
    whole, sending = (await get(house, path)).text, logstream._sent
    monkeypatch.setattr(logstream, "PAGE", PAGE)

    async def sent(vault: Vault, session: SessionFacts, *asked: Any) -> AsyncIterator[str]:
        parts = 0
        async for part in sending(vault, session, *asked):
            yield part
            parts += 1
            if parts == 2:  # the beginning, and the first lines
                await sessions.end(vault, session, house.clock())

    monkeypatch.setattr(logstream, "_sent", sent)
    told = (await get(house, path)).text
    assert 0 < len(told) < len(whole) and not told.rstrip().endswith(whole.rstrip()[-4:])
