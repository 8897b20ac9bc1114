"""The DPO's totals: complete, checked against the public tree, and without a person in them."""

from dataclasses import fields

import orjson
import pytest

from consent import locks, report
from consent.accounts import passphrase, sessions
from consent.accounts.people import Newcomer, enroll, found_office
from tests.conftest import Clock
from tests.consent.test_locks import new_locks
from vault import office
from vault.errors import Conflict, Denied
from vault.log.entry import Facts, Intent, dpo_record
from vault.pod import compartment
from vault.tables import DpoRecord, RecordKey
from vault.vault import PodFacts, Vault

READ = Facts(
    "access", "read", rule="grant", category="pd:Interest", count=3,
    client="kluis-recommender", app="kluis-recommender",
    purpose="dpv:ProvidePersonalisedRecommendations", legal_basis="6(1)(a)", grant="G", resources=("/interests/a",),
    agent="http://localhost:8400/pods/an/profile/card#me", client_name="Kluis",
)  # fmt: skip


async def officer(vault: Vault, clock: Clock) -> sessions.SessionFacts:
    (made,) = await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    opened = await passphrase.login(vault, "dpo", made.codes[0], clock())
    assert opened is not None
    return opened[1]


async def test_totals_equal_the_log_exactly(vault: Vault, clock: Clock) -> None:
    session = await officer(vault, clock)
    await enroll(vault, "an", "An", "citizen", "an", None, clock())
    pod = vault.pod("an")
    assert pod is not None
    for _ in range(7):
        await vault.log.append(Intent(pod.id, READ, clock()))
        clock.forward(minutes=20)  # record keys change by the hour
    told = await report.totals(vault, session, clock())
    entries_before_office = 1
    assert told.opened == told.entries == vault.log.ledger.tree.size - entries_before_office
    assert told.damaged == ()
    (row,) = [row for row in told.rows if row.client == "kluis-recommender"]
    assert (row.purpose, row.legal_basis, row.category) == (READ.purpose, "6(1)(a)", "pd:Interest")
    assert (row.action, row.decision, row.count, row.entries) == ("read", "allowed", 21, 7)
    assert sum(r.entries for r in told.rows) == told.entries
    (own,) = [row for row in told.rows if row.action == "read totals"]
    assert own.entries == 1
    assert (told.until - told.since).total_seconds() == 2 * 3600


async def test_a_missing_swapped_or_altered_record_is_counted_as_not_opened(vault: Vault, clock: Clock) -> None:
    session = await officer(vault, clock)
    await enroll(vault, "an", "An", "citizen", "an", None, clock())
    pod = vault.pod("an")
    assert pod is not None
    places = [(await vault.log.append(Intent(pod.id, READ, clock()))).index for _ in range(4)]
    rows = {place: vault.db.read.get(DpoRecord, place) for place in places}
    first, second = rows[places[1]], rows[places[2]]
    assert first is not None
    assert second is not None
    altered = bytearray(second.sealed)
    altered[-1] ^= 1
    await vault.db.write(lambda tx: tx.remove(DpoRecord, idx=places[0]))
    await vault.db.write(lambda tx: tx.change(DpoRecord, {"idx": places[1]}, sealed=second.sealed, entry=second.entry))
    await vault.db.write(lambda tx: tx.change(DpoRecord, {"idx": places[2]}, sealed=bytes(altered)))
    await vault.db.write(lambda tx: tx.remove(DpoRecord, idx=1))  # the very first one
    told = await report.totals(vault, session, clock())
    assert told.damaged == (1, *places[:3])
    assert told.opened == told.entries - 4


async def test_a_dpo_record_and_a_row_have_no_place_for_a_person() -> None:
    told = orjson.loads(dpo_record(READ, 1_790_000_000_000))
    assert set(told) == {"hour", "client", "purpose", "legal_basis", "category", "action", "decision", "count"}
    assert {f.name for f in fields(report.Row)} == set(told) - {"hour"} | {"entries"}
    assert b"/pods/" not in dpo_record(READ, 0)


async def test_nobody_but_an_officer_reads_totals(vault: Vault, clock: Clock) -> None:
    await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    made = await enroll(vault, "an", "An", "citizen", "an", None, clock())
    opened = await passphrase.login(vault, "an", made.codes[0], clock())
    assert opened is not None
    with pytest.raises(Denied, match="role"):
        await report.totals(vault, opened[1], clock())


async def test_an_ended_session_reads_no_totals(vault: Vault, clock: Clock) -> None:
    session = await officer(vault, clock)
    await sessions.end(vault, session, clock())
    with pytest.raises(Denied, match="ended"):
        await report.totals(vault, session, clock())


async def test_without_the_office_key_no_record_opens(vault: Vault, clock: Clock) -> None:
    from keys.dropbox import pair

    await officer(vault, clock)
    keys, (private, _) = office.letters(vault), pair()
    for privates in ({}, {box: private for box, _ in keys.values()}):
        opened = office.read(office.sheets(vault, vault.office), keys, privates)
        assert (opened.records, len(opened.damaged)) == ((), opened.entries)


async def test_the_key_of_the_dpo_is_new_every_year_and_records_of_all_years_stay_readable(
    vault: Vault, clock: Clock
) -> None:
    (made,) = await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    await enroll(vault, "an", "An", "citizen", "an", None, clock())
    pod = vault.pod("an")
    assert pod is not None

    async def comes_in() -> sessions.SessionFacts:
        opened = await passphrase.login(vault, "dpo", made.codes[0], clock())
        assert opened is not None
        return opened[1]

    for year in range(3):
        await vault.log.append(Intent(pod.id, READ, clock()))
        told = await report.totals(vault, await comes_in(), clock())
        assert (told.opened, told.damaged) == (told.entries, ())
        again = await report.totals(vault, await comes_in(), clock())  # once a year, not once a visit
        assert again.damaged == ()
        assert len({box for box, _ in office.letters(vault).values()}) == year + 1
        clock.forward(days=365)
    newest = compartment(vault, the_office(vault), office.CONTAINER)
    assert newest.generation == 3
    last = vault.db.read.find(DpoRecord, order_by="idx DESC")[0]
    key = vault.db.read.get(RecordKey, last.key)
    assert key is not None and key.box == newest.public  # what is written now is sealed to the newest only


async def test_when_all_locks_of_the_office_are_changed_its_records_stay_readable(vault: Vault, clock: Clock) -> None:
    session = await officer(vault, clock)
    await report.totals(vault, session, clock())
    session = await new_locks(vault, session, clock())
    with pytest.raises(Conflict, match="office"):
        await locks.set_custody(vault, session, office.CONTAINER, "managed", clock())
    told = await report.totals(vault, session, clock())
    assert (told.opened, told.damaged) == (told.entries, ())


async def test_a_year_passes_without_an_officer_and_nothing_is_cut(vault: Vault, clock: Clock) -> None:
    session = await officer(vault, clock)
    await report.totals(vault, session, clock())
    await sessions.end(vault, session, clock())
    await enroll(vault, "an", "An", "citizen", "an", "een lange wachtzin", clock())
    opened = await passphrase.login(vault, "an", "een lange wachtzin", clock())
    clock.forward(days=400)
    assert opened is not None
    assert not await locks.yearly(vault, opened[1], clock())  # a citizen's session opens no office
    assert not await locks.yearly(vault, session, clock())  # nor does an officer's that has ended
    assert compartment(vault, the_office(vault), office.CONTAINER).generation == 1


def the_office(vault: Vault) -> PodFacts:
    found = vault.pod_by_id(vault.office)
    assert found is not None
    return found
