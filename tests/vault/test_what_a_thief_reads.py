"""The rows of the list "What a stolen main database tells": each read out of a copy of the file, with no key at hand.

These tests succeed where the vault leaks: they show that the list is true, and each ends with what is *not* told.
"""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from consent import locks, narrowing
from consent.accounts import passphrase
from consent.accounts.people import enroll
from keys.text import b64
from tests.conftest import BASE, START
from tests.house import ALL_INTERESTS, INTERESTS, Granted, Household
from tests.log.test_page import append, together
from tests.web.test_sources import deliver, loans
from vault import custody, erasure
from vault.blobs import padme
from vault.log import tally
from vault.log.entry import Facts, Intent
from vault.log.versions import parts

MS = int(START.timestamp() * 1000)
Row = dict[str, Any]


class Copy:
    """The main database as a thief has it."""

    def __init__(self, house: Household) -> None:
        self.raw = sqlite3.connect(f"file:{house.vault.db.path}?mode=ro", uri=True)
        self.raw.row_factory = sqlite3.Row
        self.pod = house.session.pod.id

    def rows(self, table: str, **equals: Any) -> list[Row]:
        where = " AND ".join(f'"{name}" = ?' for name in equals) or "1"
        found = self.raw.execute(f'SELECT * FROM "{table}" WHERE {where}', tuple(equals.values()))
        return [dict(row) for row in found]

    def everything(self) -> bytes:
        """All values of all tables in one heap."""
        tables = [name for (name,) in self.raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return b"|".join(
            v if isinstance(v, bytes) else str(v).encode() for t in tables for r in self.rows(t) for v in r.values()
        )


@pytest.fixture
def thief(house: Household) -> Iterator[Copy]:
    copy = Copy(house)
    with closing(copy.raw):
        yield copy


async def read(house: Household, granted: Granted, path: str = "/interests/a.jsonld") -> None:
    assert (await house.call("GET", f"/pods/an{path}", granted.access)).status_code == 200
    await house.quiet()


async def test_t1_the_pods_and_the_rows_of_each_can_be_counted(house: Household, thief: Copy) -> None:
    await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    bo = house.vault.pod("bo")
    assert bo is not None
    assert len(thief.rows("pod")) == 3  # the office, An and Bo
    counted = {table: Counter(row["pod"] for row in thief.rows(table)) for table in ("resource", "record", "unlocker")}
    assert counted["resource"][thief.pod] == counted["resource"][bo.id] + len(("a", "a", "a"))
    assert all(count[thief.pod] > 0 and count[bo.id] > 0 for count in counted.values())
    await erasure.erase(house.vault, bo, "operator", house.clock())
    assert (len(thief.rows("pod")), len(thief.rows("erased"))) == (2, 1)
    assert b"An Peeters" not in thief.everything()  # not whose pods


async def test_t2_the_order_of_everything_written_can_be_read(house: Household, thief: Copy) -> None:
    before = len(thief.rows("record", pod=thief.pod))
    await house.keep("/interests/first.jsonld", {"n": 1})
    await house.keep("/interests/second.jsonld", {"n": 2})
    later = thief.rows("record", pod=thief.pod)[before:]
    pod = house.session.pod
    stored = [[rid for rid, *_ in parts(row["touched"])] for row in sorted(later, key=lambda row: row["idx"])]
    assert (
        pod.resource("/interests/first.jsonld") in stored[0] and pod.resource("/interests/second.jsonld") in stored[1]
    )
    assert [row["seq"] for row in later] == [before + 1, before + 2]
    sheets = len(thief.rows("dporecord"))
    one = append(house.vault, Intent(pod.id, Facts("admin", "x"), house.clock()))
    await asyncio.gather(*await together(house.vault, one, one))
    assert len(thief.rows("dporecord")) - sheets == 1 and len(thief.rows("record", pod=thief.pod)) == before + 4


async def test_t3_the_moments_of_logins_decisions_and_ends_can_be_read(house: Household, thief: Copy) -> None:
    house.clock.forward(minutes=7)
    granted = await house.grant(ALL_INTERESTS)
    (grant,) = thief.rows("grant", id=granted.id)
    assert thief.rows("session")[0]["created"] == MS and grant["created"] == MS + 7 * 60_000
    assert {row["at"] for row in thief.rows("grantevent", grant=granted.id)} == {grant["created"]}
    assert thief.rows("gate", id=granted.id)[0]["not_after"] > grant["created"]


async def test_t4_the_month_of_a_pods_log_lines_and_the_hour_of_anybodys_can_be_read(
    house: Household, thief: Copy
) -> None:
    house.clock.forward(days=40)
    await house.vault.log.append(Intent(thief.pod, Facts("admin", "late"), house.clock()))
    months = {row["id"]: row["period"] for row in thief.rows("recordkey", pod=thief.pod)}
    hours = {row["id"]: row["period"] for row in thief.rows("recordkey", pod=b"")}
    last = max(thief.rows("record", pod=thief.pod), key=lambda row: row["idx"])
    when = START.replace(month=12, day=31)
    assert months[last["key"]] == (when.year - 1970) * 12 + when.month - 1
    sheet = thief.rows("dporecord", idx=last["idx"])[0]
    assert hours[sheet["key"]] == int(house.clock().timestamp()) // 3600
    assert str(int(house.clock().timestamp())).encode() not in last["sealed"]  # not the minute


@pytest.mark.parametrize("size", [10, 1000, 50_000])
async def test_t5_sizes_are_told_padded_for_content_and_as_they_are_for_decisions(
    house: Household, thief: Copy, size: int
) -> None:
    await house.keep("/loans/size.jsonld", "x" * (size - 2))
    (body,) = thief.rows("body", id=house.session.pod.resource("/loans/size.jsonld"))
    chunks = padme(size + 8) // 16_384 + 1
    assert len(body["data"]) == 57 + 16 * chunks + padme(size + 8)
    assert padme(size + 8) <= 1.12 * (size + 8)
    long = []
    for user, length in (("u1", 5), ("u2", 25)):
        await enroll(house.vault, user, "N" * length, "citizen", user, None, house.clock())
        pod = house.vault.pod(user)
        assert pod is not None
        long.append(len(thief.rows("account", pod=pod.id)[0]["sealed"]))
    assert long[1] - long[0] == 20  # a name of twenty letters more


async def test_t6_how_often_a_gate_was_used_on_a_day_and_how_it_stands_can_be_read(
    house: Household, thief: Copy
) -> None:
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    for _ in range(3):
        await read(house, granted)
    (use,) = thief.rows("grantuse", gate=granted.id)
    assert (use["count"], datetime.fromtimestamp(use["day"] * 86_400, UTC).date()) == (3, START.date())
    assert thief.rows("gate", id=granted.id)[0]["state"] == "live"
    await house.withdraw(granted)
    assert thief.rows("gate", id=granted.id)[0]["state"] == "withdrawn"
    await deliver(house, loans("1"), {"pod": "an"})
    (visit,) = thief.rows("agentuse", pod=thief.pod)
    assert (visit["count"], len(visit["mark"])) == (1, 16)  # that somebody came; not who


async def test_t7_which_entry_stored_which_version_and_whether_it_was_read_can_be_read(
    house: Household, thief: Copy
) -> None:
    rid = house.session.pod.resource("/interests/a.jsonld")
    assert thief.rows("resource", id=rid)[0]["form"] == "deposit"
    await read(house, await house.grant(ALL_INTERESTS))
    assert thief.rows("resource", id=rid)[0]["form"] == "own"  # somebody has read it
    await house.keep("/interests/a.jsonld", {"n": 2})
    history = [(row["idx"], number) for row in thief.rows("record") for one, number, _ in parts(row["touched"])
               if one == rid]  # fmt: skip
    assert [number for _, number in sorted(history)] == [1, 2] and thief.rows("resource", id=rid)[0]["version"] == 2


async def test_t8_which_records_lie_together_and_when_locks_changed_can_be_read(house: Household, thief: Copy) -> None:
    pod = house.session.pod
    await house.keep("/loans/b.jsonld", {"n": 1})
    await locks.change(house.vault, house.session, ["loans"], house.clock())
    await house.keep("/loans/c.jsonld", {"n": 1})
    one, two, three = (thief.rows("resource", id=pod.resource(f"/loans/{name}.jsonld"))[0] for name in "abc")
    assert one["parent"] == two["parent"] == three["parent"] and one["compartment"] == three["compartment"]
    assert (one["generation"], two["generation"], three["generation"]) == (1, 1, 2)
    assert {row["custody"] for row in thief.rows("compartment", pod=pod.id)} == {"sealed", "managed"}
    assert b"loans" not in thief.everything()  # not what they are called


async def test_t9_how_many_ways_in_a_pod_has_and_of_which_kind_can_be_read(house: Household, thief: Copy) -> None:
    await enroll(house.vault, "bo", "Bo", "citizen", "bo", "zeven groene fietsen", house.clock())
    bo = house.vault.pod("bo")
    assert bo is not None
    kinds = {row["kind"]: row["params"] for row in thief.rows("unlocker", pod=bo.id)}
    assert set(kinds) == {"passphrase", "recovery"} and kinds["passphrase"].startswith("$argon2id$v=19$m=65536")
    ring = json.loads(thief.rows("keyring", pod=bo.id)[0]["body"])
    assert "passphrase" in json.dumps(ring)


async def test_t10_which_records_one_source_delivered_to_a_pod_can_be_read(house: Household, thief: Copy) -> None:
    assert (await deliver(house, loans("1", "2", "3"), {"pod": "an"}))[0].status_code == 200
    marks = Counter(row["source"] for row in thief.rows("resource", pod=thief.pod) if row["source"])
    assert list(marks.values()) == [3]
    (mark,) = marks
    assert mark != b"mijnbib" and len(mark) == 16  # not which source, and in another pod it is another mark


async def test_t11_the_roles_of_accounts_and_who_is_logged_in_can_be_read(house: Household, thief: Copy) -> None:
    roles = Counter(row["role"] for row in thief.rows("account"))
    assert roles == {"dpo": 1, "citizen": 1}
    (account,) = thief.rows("account", role="citizen")
    assert account["pod"] == thief.pod and thief.rows("session")[0]["account"] == account["id"]
    assert len(account["user_mac"]) == 32 and b"An Peeters" not in thief.everything()  # not who they are


async def test_t12_the_ids_of_apps_and_sources_and_which_grants_are_a_persons_own_programs_can_be_read(
    house: Household, thief: Copy
) -> None:
    await house.jwt()
    await deliver(house, loans("1"), {"pod": "an"})
    own = next(row["id"] for row in thief.rows("client") if row["id"].startswith("solid-"))
    assert {"cultuurgids", "source-mijnbib"} < {row["id"] for row in thief.rows("client")}
    assert own.removeprefix("solid-") in {b64(row["id"]) for row in thief.rows("grant")}
    assert b"Cultuurgids" not in thief.everything()  # not how they are called on a page


async def test_t13_the_steps_and_tokens_of_a_grant_can_be_read_but_not_for_whom_it_is(
    house: Household, thief: Copy
) -> None:
    granted = await house.grant(ALL_INTERESTS)
    steps = [row["state"] for row in thief.rows("grantevent", grant=granted.id)]
    assert steps[:2] == ["requested", "shown"] and "given" in steps
    assert Counter(row["kind"] for row in thief.rows("token", grant=granted.id)) == {"kac": 1, "kat": 1, "krt": 1}
    assert thief.rows("receipt", grant=granted.id)
    about = [row for table in ("grant", "token", "grantevent", "receipt", "grantkey", "pushed", "gate")
             for row in thief.rows(table)]  # fmt: skip
    assert not any(value == "cultuurgids" for row in about for value in row.values())  # not which app, nor what for


async def test_t14_which_compartments_and_generations_a_grant_opens_can_be_read(house: Household, thief: Copy) -> None:
    one = await house.grant(ALL_INTERESTS)
    two = await house.grant(INTERESTS)
    wraps = {row["grant"]: (row["compartment"], row["generation"]) for row in thief.rows("grantkey")}
    assert wraps[one.id] == wraps[two.id] == (house.session.pod.compartment("interests"), 1)
    assert await narrowing.restrict(house.vault, house.session, one.id, house.clock(), on=True)
    assert thief.rows("gate", id=one.id)[0]["state"] == "restricted"


async def test_t15_how_calls_ended_can_be_read(house: Household, thief: Copy) -> None:
    granted = await house.grant(ALL_INTERESTS)
    await house.withdraw(granted)
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)).status_code == 401
    await tally.add(house.vault.log, thief.pod, "invalid_token", house.clock())
    await house.vault.log.settle()
    assert {row["outcome"] for row in thief.rows("record")} <= {"served", "unknown", "refused"}
    assert [(row["pod"], row["reason"], row["count"]) for row in thief.rows("tally")] == [
        (thief.pod, "read invalid_token", 1)
    ]


async def test_t16_failed_logins_in_a_row_can_be_counted_but_not_whose(house: Household, thief: Copy) -> None:
    for _ in range(2):
        assert await passphrase.login(house.vault, "bo", "niet de zin", house.clock()) is None
    (row,) = thief.rows("throttle")
    assert row["failures"] == 2 and len(row["user_mac"]) == 32


async def test_t17_the_address_the_office_and_the_custody_key_of_each_pod_can_be_read(
    house: Household, thief: Copy
) -> None:
    told = {row["key"]: row["value"] for row in thief.rows("meta")}
    assert told["office"] == house.vault.office and BASE.split("//")[1] in told["host"].decode()
    key = house.vault.custodian.custody_id
    assert {row["wrapped"][:16] for row in thief.rows("rootwrap", parent="custody")} == {key}
    await custody.rotate(house.vault, house.clock())
    assert {row["wrapped"][:16] for row in thief.rows("rootwrap", parent="custody")} == {
        house.vault.custodian.custody_id
    }


async def test_s1_a_stolen_share_store_tells_whose_shares_live_and_which_are_gone(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    pod, folder = house.session.pod.id, house.vault.db.folder.parent / "shares"
    with closing(sqlite3.connect(f"file:{folder / 'shares.db'}?mode=ro", uri=True)) as raw:
        kinds = Counter(row[0] for row in raw.execute("SELECT kind FROM share WHERE pod = ?", (pod,)))
    assert kinds == {"custody": 1, "unlock": 2, "session": 1, "grant": 1}
    await house.withdraw(granted)
    with closing(sqlite3.connect(f"file:{folder / 'deleted.db'}?mode=ro", uri=True)) as raw:
        assert raw.execute("SELECT DISTINCT kind, owner FROM deleted").fetchall() == [("grant", granted.id)]
