"""The page of one's own log: a page at a time, filtered on the server, and what the device is given to check it."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keys.text import unb64
from tests.house import Household
from tests.web.test_shards import enter
from vault.log import search, views
from vault.log.entry import Facts, Intent

READ = Facts("access", "read", rule="grant", category="pd:Interest", client="app-1", client_name="Leesclub", count=1)
DENIED = replace(READ, type="denial", decision="denied", rule="withdrawn", client="app-2", client_name="TicketVlug",
                 category="kluis:LibraryLoan")  # fmt: skip


async def filled(house: Household, lines: int = 30) -> None:
    """An app reads on one day, another is refused on the next; then she logs in again."""
    for facts in (READ, DENIED):
        for _ in range(lines):
            await house.vault.log.append(Intent(house.session.pod.id, facts, house.clock()))
        house.clock.forward(days=1)
    await enter(house)


async def shown(house: Household, query: str = "") -> tuple[list[int], str]:
    """The numbers of the lines on a page, and the address of the next."""
    answer = await house.http.get(f"/me/log{query}", headers={"cookie": f"kluis={house.cookie}"})
    assert answer.status_code == 200, answer.text
    older = re.search(r'<a class="btn" href="([^"]+)">Oudere regels', answer.text)
    return [int(n) for n in re.findall(r'data-seq="(\d+)"', answer.text)], older[1].replace(
        "&amp;", "&"
    ) if older else ""


async def every(house: Household, query: str = "") -> list[int]:
    """The numbers on this page and all older ones."""
    found, older = await shown(house, query)
    while older:
        more, older = await shown(house, older.removeprefix("/me/log"))
        found += more
    return found


def with_fields(house: Household, **asked: Any) -> list[int]:
    """The numbers of her lines with these fields, newest first."""
    told = reversed(house.told())
    return [line["seq"] for line in told if all(line.get(name) == value for name, value in asked.items())]


async def test_pages_show_every_line_once_newest_first(house: Household) -> None:
    await filled(house, 230)
    first, older = await shown(house)
    assert len(first) == 200 and older
    assert await every(house) == list(range(len(house.told()), 0, -1))


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?app=app-1", {"client": "app-1"}),
        ("?category=kluis:LibraryLoan", {"category": "kluis:LibraryLoan"}),
        ("?kind=denial", {"type": "denial"}),
        ("?denied=1", {"decision": "denied"}),
        ("?app=app-1&denied=1", {"client": "app-1", "decision": "denied"}),
        ("?kind=erasure", {"type": "erasure"}),
    ],
)
async def test_a_filter_finds_all_lines_it_asks_for_and_no_other(
    house: Household, monkeypatch: pytest.MonkeyPatch, query: str, fields: dict[str, str]
) -> None:
    await filled(house)
    expected = with_fields(house, **fields)
    assert await every(house, query) == expected
    monkeypatch.setattr(search, "SCAN", 7)  # a long log is looked through a piece at a time
    monkeypatch.setattr(search, "STEP", 3)
    assert await every(house, query) == expected


async def test_days_are_days_of_the_city_both_included(house: Household) -> None:
    await house.keep("/interests/b.jsonld", {})
    house.clock.forward(days=2)
    await filled(house, 5)
    day = house.clock() - timedelta(days=2)
    reads, refusals = with_fields(house, client="app-1"), with_fields(house, client="app-2")
    assert await every(house, f"?since={day:%Y-%m-%d}&until={day:%Y-%m-%d}") == reads
    later = [seq for seq in range(len(house.told()), 0, -1) if seq >= min(reads)]
    assert await every(house, f"?since={day:%Y-%m-%d}") == later and set(refusals + reads) <= set(later)
    assert set(await every(house, f"?until={day - timedelta(days=1):%Y-%m-%d}")).isdisjoint(reads + refusals)
    assert await every(house, "?since=nonsense&until=2026-99-99") == list(range(len(house.told()), 0, -1))


async def test_the_device_gets_all_lines_in_parts_and_its_slot_in_the_epochs_it_names(house: Household) -> None:
    await filled(house)
    cookie = {"cookie": f"kluis={house.cookie}"}
    made = []
    for _ in range(3):
        house.clock.forward(minutes=1)
        made.append(await house.vault.epochs.sum_up(house.vault.log, house.clock()))
    await house.vault.publish()
    numbers = [one.epoch for one in made if one]
    told = (await house.http.get("/api/log/check", headers=cookie)).json()
    lines = [
        line
        for since, below in ((1, 20), (20, 2**52))
        for line in (await house.http.get(f"/api/log/lines?since={since}&below={below}", headers=cookie)).json()[
            "entries"
        ]
    ]
    assert [line["seq"] for line in lines] == list(range(1, told["head"]["seq"] + 1))
    assert [f'"epoch":{n}' in one["body"] for one, n in zip(told["slots"], numbers[:0:-1], strict=True)] == [True, True]
    one = (await house.http.get(f"/api/log/slots?epoch={numbers[0]}", headers=cookie)).json()["slots"]
    assert len(one) == 1 and f'"epoch":{numbers[0]}' in one[0]["body"] and len(unb64(one[0]["salt"])) == 32


@pytest.mark.parametrize("path", ["/api/log/check", "/api/log/lines", "/api/log/slots"])
async def test_nobody_without_a_session_gets_any_of_it(house: Household, path: str) -> None:
    assert (await house.http.get(path)).status_code == 401


@pytest.mark.parametrize("query", ["epoch=-1", "epoch=x", "epoch=99999999999999999999", "&".join(["epoch=1"] * 17)])
async def test_an_epoch_that_is_none_is_refused_by_name(house: Household, query: str) -> None:
    answer = await house.http.get(f"/api/log/slots?{query}", headers={"cookie": f"kluis={house.cookie}"})
    assert answer.status_code in (400, 422)


async def test_the_start_page_opens_no_more_of_a_long_log_than_today(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(house, 600)
    today = replace(READ, client_name="Vandaag Gelezen", grant="G" * 22)
    before = replace(READ, client_name="Gisteren Gelezen", grant="G" * 22)
    for facts in (before, today):
        await house.vault.log.append(Intent(house.session.pod.id, facts, house.clock()))
        house.clock.forward(days=1 if facts is before else 0)
    await enter(house)
    opened: list[int] = []
    real = views.back

    def counted(*asked: Any) -> list[views.Line]:
        lines = real(*asked)
        opened.extend(line.seq for line in lines)
        return lines

    monkeypatch.setattr(views, "back", counted)
    monkeypatch.setattr(views, "lines", None)  # nothing opens them all
    page = (await house.http.get("/me", headers={"cookie": f"kluis={house.cookie}"})).text
    assert "Vandaag Gelezen" in page and "Gisteren Gelezen" not in page
    assert 0 < len(opened) <= search.STEP
