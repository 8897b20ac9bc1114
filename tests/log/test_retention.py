"""Months that are over can be read by nobody; the log says so itself, and every check still holds."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from consent import report
from consent.accounts import passphrase
from consent.accounts.people import Newcomer, enroll, found_office
from tests.conftest import Clock
from tests.consent.test_report import READ
from tests.house import ALL_INTERESTS, Household
from tests.log.test_times import noted
from tests.web.made_log import NODE, in_node
from tests.web.test_log_check import verdict
from tests.web.test_shards import answered, enter, exported
from vault import fsck
from vault.gates import ms
from vault.log import retention, withheld
from vault.log.entry import Intent
from vault.tables import AppReceipt, RecordKey
from vault.vault import Vault
from web.verify import LogBroken, check_records, read_directory

KEPT = 2  # months


async def month(house: Household, year: int, number: int) -> None:
    """A month in which An does something, and its clockwork."""
    house.clock.now = datetime(year, number, 3, tzinfo=UTC)
    await noted(house)
    await tick(house)


async def tick(house: Household) -> None:
    await retention.sweep(house.vault, house.clock(), KEPT, KEPT)
    await house.vault.publish()


@pytest.fixture
async def aged(house: Household) -> Household:
    """November 2026 to March 2027: two months are kept beside the running one, so November and December are over."""
    for year, number in ((2026, 12), (2027, 1), (2027, 2), (2027, 3)):
        await month(house, year, number)
    await tick(house)
    await enter(house)
    await house.vault.epochs.sum_up(house.vault.log, house.clock())
    await house.vault.publish()
    return house


async def test_a_month_that_is_over_can_be_read_by_nobody_and_is_called_ended(aged: Household) -> None:
    told = aged.told()
    kinds = [line["type"] for line in told]
    ended = kinds.count("ended")
    assert ended > 3 and kinds[:ended] == ["ended"] * ended and "broken" not in kinds
    times = [datetime.fromtimestamp(line["time"] / 1000, UTC) for line in told[ended:]]
    assert min(times) >= datetime(2027, 1, 1, tzinfo=UTC)
    page = await aged.http.get("/me/log", headers={"cookie": f"kluis={aged.cookie}"})
    assert page.text.count("ouder dan de termijn") == ended


async def test_the_checks_of_page_and_export_hold_and_count_ended_lines(aged: Household) -> None:
    good, page = await verdict(aged)
    assert good and f"{len(aged.told())} regel" in page
    log = read_directory(aged.house.settings.data, aged.vault.log.ledger.vkey)
    seen, told = check_records(log, await exported(aged), settled=True), aged.told()
    over = [line["type"] for line in told].count("ended")
    assert (seen.checked, seen.withheld, seen.ended) == (len(told), 0, over)
    with aged.vault.db.reading() as tx:
        assert withheld.counted(tx, aged.session.pod) == withheld.Count(len(told), len(told), over, 0)
    assert fsck.check(aged.house.settings.data / "vault", aged.house.settings.data / "shares") == []


async def test_a_key_that_was_taken_away_too_early_is_no_end(aged: Household) -> None:
    own = aged.session.pod.id
    newest = max(row.period for row in aged.vault.db.read.find(RecordKey, pod=own))
    await aged.vault.db.write(lambda tx: tx.remove(RecordKey, pod=own, period=newest))
    assert {"broken", "ended"} <= {line["type"] for line in aged.told()}
    assert (await verdict(aged))[0] is False
    log = read_directory(aged.house.settings.data, aged.vault.log.ledger.vkey)
    with pytest.raises(LogBroken, match="does not say that it ended"):
        check_records(log, await exported(aged))


@pytest.mark.skipif(NODE is None, reason="node is not installed: verify.js cannot be run here")
async def test_her_own_device_takes_an_end_only_from_the_log_itself(aged: Household, tmp_path: Path) -> None:
    told = await answered(aged)
    ended = sum(entry["record"] is None for entry in told["entries"])

    def changed(**parts: Any) -> dict[str, Any]:
        return json.loads(json.dumps(told)) | parts  # type: ignore[no-any-return]

    early = changed()
    early["entries"][ended]["record"] = early["entries"][ended]["nonce"] = None
    forged = changed()
    forged["ended"]["leaf"] = forged["entries"][-1]["leaf"]
    dropped = changed()
    del dropped["entries"][1]
    jobs = [("check", [log, None, [], ms(aged.clock())]) for log in (told, changed(ended=None), early, forged, dropped)]
    good, unsaid, soon, false, hole = in_node(tmp_path, jobs)
    assert good["ok"] and good["ended"] == ended > 0
    assert [(one["ok"], one["line"]) for one in (unsaid, soon, false, hole)] == [
        (False, 1), (False, ended + 1), (False, None), (False, 2),
    ]  # fmt: skip


async def test_the_end_is_said_and_published_before_any_key_is_deleted(house: Household) -> None:
    for year, number in ((2026, 12), (2027, 1)):
        await month(house, year, number)
    keys = len(house.vault.db.read.find(RecordKey))
    house.clock.now = datetime(2027, 2, 3, tzinfo=UTC)
    await noted(house)
    assert await retention.sweep(house.vault, house.clock(), KEPT, KEPT) == 0
    assert retention.ended(house.vault.db.read) is not None
    assert await retention.sweep(house.vault, house.clock(), KEPT, KEPT) == 0, "it is not published yet"
    assert len(house.vault.db.read.find(RecordKey)) >= keys
    await house.vault.publish()
    assert await retention.sweep(house.vault, house.clock(), KEPT, KEPT) > 0
    assert await retention.sweep(house.vault, house.clock(), KEPT, KEPT) == 0


async def test_a_clock_that_jumps_years_ahead_ends_nothing(house: Household) -> None:
    house.clock.now = datetime(2036, 1, 1, tzinfo=UTC)
    await noted(house)
    for _ in range(3):
        await tick(house)
    assert retention.ended(house.vault.db.read) is None
    assert "ended" not in {line["type"] for line in house.told()}


async def test_the_dpos_totals_are_complete_over_what_is_kept(vault: Vault, clock: Clock) -> None:
    (made,) = await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    await enroll(vault, "an", "An", "citizen", "an", None, clock())
    pod = vault.pod("an")
    assert pod is not None
    for year, number in ((2026, 12), (2027, 1), (2027, 2), (2027, 3)):
        clock.now = datetime(year, number, 3, tzinfo=UTC)
        await vault.log.append(Intent(pod.id, READ, clock()))
        for _ in range(2):
            await retention.sweep(vault, clock(), KEPT, KEPT)
            await vault.publish()
    opened = await passphrase.login(vault, "dpo", made.codes[0], clock())
    assert opened is not None
    told = await report.totals(vault, opened[1], clock())
    assert told.damaged == () and told.opened == told.entries
    assert sum(row.entries for row in told.rows if row.client == "kluis-recommender") == 3
    assert told.since >= datetime(2027, 1, 1, tzinfo=UTC)


async def test_what_was_kept_for_an_apps_receipt_ends_with_its_month(house: Household) -> None:
    await house.grant(ALL_INTERESTS)
    assert house.vault.db.read.find(AppReceipt)
    for year, number in ((2026, 12), (2027, 1), (2027, 2), (2027, 3)):
        await month(house, year, number)
    await tick(house)
    over = retention.ended(house.vault.db.read)
    assert over is not None and house.vault.db.read.find(AppReceipt) == []
