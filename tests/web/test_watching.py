"""The server and its witnesses: what is kept, what is shown to whom, and what still works while data is held back."""

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from consent.accounts import passphrase
from consent.accounts.people import Newcomer, enroll, found_office
from federation.errors import Diverged
from federation.policy import every_shard, read_policy
from federation.remembered import Remembered
from federation.watch import Alarm, Watch
from keys.cosign import cosignatures, witness_vkey
from keys.custodian import FileCustodian
from keys.sign import new_signer
from tests.conftest import BASE, START, Clock
from tests.federation.cosigning import Direct
from tests.house import INTERESTS, Household
from vault.vault import Vault, open_vault
from web import jobs, watching
from web.app import House, create
from web.recommending import Recommender
from web.settings import Settings, SettingsError
from web.watching import Watching

INTEREST = "/pods/an/interests/a.jsonld"


class Watched:
    """A house with two witnesses, of which one is enough, in this very process."""

    def __init__(self, house: House, clock: Clock, folder: Path, *, fail_closed: bool = False) -> None:
        self.clock, self.direct = clock, Direct()
        key = every_shard(house.vault.log.ledger.vkey)
        names = ("gent.test/witness", "brugge.test/witness")
        self.witnesses = [self.direct.witness(folder / name[:4], key, name=name) for name in names]
        lines = [f"witness {one.name} {one.vkey} {one.url}" for one in self.witnesses]
        self.policy = read_policy("\n".join([*lines, "group two any gent brugge", "quorum two"]))
        self.remembered = Remembered(folder / "witnessed")
        watch = Watch(self.policy, self.direct, clock())
        self.watching = Watching(watch, self.remembered, fail_closed=fail_closed)
        self.house = replace(house, watching=self.watching)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(create(self.house, clockwork=False)), base_url=BASE
        )  # fmt: skip

    async def turn(self, **later: float) -> None:
        """The clockwork and then the watch, after so long."""
        self.clock.forward(**later)
        await jobs.tick(self.house)
        await self.watching.turn(self.house)

    def away(self, *names: str) -> None:
        self.direct.away = {f"https://{name}.test" for name in names}

    def signers(self) -> int:
        note = self.house.vault.log.ledger.note
        return len(cosignatures(note, [one.vkey for one in self.witnesses]))


@pytest.fixture
async def watched(house: Household, tmp_path: Path) -> AsyncIterator[Watched]:
    made = Watched(house.house, house.clock, tmp_path)
    yield made
    await made.http.aclose()


@pytest.fixture
async def closed(house: Household, tmp_path: Path) -> AsyncIterator[Watched]:
    made = Watched(house.house, house.clock, tmp_path, fail_closed=True)
    yield made
    await made.http.aclose()


async def test_cosignatures_are_served_with_the_checkpoint_and_are_there_after_a_restart(
    watched: Watched, clock: Clock, tmp_path: Path
) -> None:
    await watched.turn()
    served = (await watched.http.get("/log/checkpoint")).text
    assert len(cosignatures(served, [one.vkey for one in watched.witnesses])) == 2
    assert list(watched.remembered.notes()) == [served]
    watched.house.vault.close()
    again = open_vault(tmp_path / "vault", tmp_path / "shares", FileCustodian(tmp_path / "custodian"), BASE, clock())
    assert again.log.ledger.note == served
    again.close()


async def test_what_comes_late_is_added_and_nothing_is_asked_twice_for_nothing(watched: Watched) -> None:
    watched.away("gent")
    await watched.turn()
    assert watched.signers() == 1
    posts = watched.direct.posts
    await watched.turn(seconds=5)
    assert watched.direct.posts == posts, "a quorum that is ten seconds old at most needs nobody"
    watched.away()
    await watched.turn(seconds=10)
    assert watched.signers() == 2


async def test_a_growing_log_is_cosigned_as_it_grows(watched: Watched, house: Household) -> None:
    sizes = []
    for _ in range(3):
        await house.keep(f"/interests/{len(sizes)}.jsonld", {"@type": "pd:Interest"})
        await watched.turn(seconds=10)
        sizes.append(watched.house.vault.log.ledger.size)
        assert watched.signers() == 2
    assert sizes == sorted(set(sizes))


async def test_a_closed_half_year_gets_its_last_cosignatures_and_the_next_one_its_own(watched: Watched) -> None:
    await watched.turn()
    watched.clock.forward(days=60)
    await enroll(watched.house.vault, "mia", "Mia", "citizen", "mia", None, watched.clock())
    await watched.turn()
    shards = watched.house.vault.log.shards.all
    assert [ledger.half for ledger in shards] == ["2026h2", "2027h1"]
    for ledger in shards:
        assert len(cosignatures(ledger.note, [one.vkey for one in watched.witnesses])) == 2
    assert len(list(watched.remembered.notes())) == 2


async def alarmed(watched: Watched) -> None:
    """Nobody answers for more than a minute."""
    await watched.turn()
    watched.away("gent", "brugge")
    await watched.turn(seconds=61)


async def test_the_alarm_is_seen_wherever_people_look_and_clears_by_itself(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "kluis.log"):
        await alarmed(watched)
        ready = await watched.http.get("/readyz")
        assert (ready.status_code, ready.json()["log"]["alarm"]["kind"]) == (200, "quorum")
        assert "kluis_log_alarm 1" in (await watched.http.get("/metrics")).text
        assert 'id="log-alarm"' in (await watched.http.get("/transparency")).text
        entries = watched.house.vault.log.shards.kept
        await watched.turn(seconds=5)
        assert watched.house.vault.log.shards.kept == entries, "one line in the office's log, not one a turn"
        watched.away()
        await watched.turn(seconds=5)
    assert (await watched.http.get("/readyz")).json()["log"]["alarm"] is None
    assert 'id="log-alarm"' not in (await watched.http.get("/transparency")).text
    assert [record.message.split(":")[0] for record in caplog.records] == ["alarm", "the witnesses cosign again"]


async def test_the_alarm_and_its_end_stand_in_the_offices_log_and_on_the_officers_page(
    vault: Vault, clock: Clock, tmp_path: Path
) -> None:
    (made,) = await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    house = House(vault, Settings(data=tmp_path, base_url=BASE), clock, Recommender(tmp_path / "ask.sock"))
    watched = Watched(house, clock, tmp_path)
    await alarmed(watched)
    opened = await passphrase.login(vault, "dpo", made.codes[0], clock())
    assert opened is not None
    cookie = {"cookie": f"kluis={opened[0]}"}
    assert 'id="log-alarm"' in (await watched.http.get("/dpo", headers=cookie)).text
    watched.away()
    await watched.turn(seconds=5)
    assert 'id="log-alarm"' not in (await watched.http.get("/dpo", headers=cookie)).text
    rows = (await watched.http.get("/api/dpo/totals", headers=cookie)).json()["rows"]
    assert {row["action"] for row in rows} >= {"raise log alarm", "end log alarm"}
    await watched.http.aclose()


async def test_while_data_is_held_back_withdrawing_and_reading_ones_own_log_still_work(
    closed: Watched, house: Household
) -> None:
    granted = await house.grant(INTERESTS)
    assert (await house.call("GET", INTEREST, granted.access)).status_code == 200
    await alarmed(closed)
    held = await house.call("GET", INTEREST, granted.access)
    assert (held.status_code, held.json()["type"]) == (503, "urn:kluis:problem:log-unavailable")
    batch = await house.call("GET", "/api/records?category=pd:Interest", granted.access)
    assert batch.status_code == 503
    ready = await closed.http.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "held")
    assert house.told()
    await house.withdraw(granted)
    assert house.told()[-1]["action"] == "withdraw"
    closed.away()
    await closed.turn(seconds=5)
    assert (await closed.http.get("/readyz")).status_code == 200
    await house.keep("/interests/c.jsonld", {"@type": "pd:Interest"})


async def test_without_that_setting_an_alarm_stops_no_data(watched: Watched, house: Household) -> None:
    granted = await house.grant(INTERESTS)
    await alarmed(watched)
    assert (await house.call("GET", INTEREST, granted.access)).status_code == 200


def test_a_start_hears_the_witnesses_and_without_them_begins_with_the_alarm(
    vault: Vault, clock: Clock, tmp_path: Path
) -> None:
    direct = Direct()
    key = every_shard(vault.log.ledger.vkey)
    one = direct.witness(tmp_path / "gent", key, name="gent.test")
    policy = read_policy(f"witness gent {one.vkey} {one.url}\nquorum gent")
    remembered = Remembered(tmp_path / "witnessed")
    vault.close()
    for away, kind in (("", ""), ("https://gent.test", "quorum")):
        direct.away = {away}
        made = Watching(Watch(policy, direct, clock()), remembered, fail_closed=True)
        restart(made, clock, tmp_path)
        alarm = made.watch.alarm(clock())
        assert (alarm.kind if alarm else "") == kind
        assert bool(made.held(clock())) == bool(kind)


def restart(made: Watching, clock: Clock, tmp_path: Path) -> None:
    """Open the directory as a start of the server does."""
    hear = partial(made.begin, clock=clock)
    custodian = FileCustodian(tmp_path / "custodian")
    open_vault(tmp_path / "vault", tmp_path / "shares", custodian, BASE, clock(), hear).close()


def test_an_objection_that_nobody_settled_ends_every_start(vault: Vault, clock: Clock, tmp_path: Path) -> None:
    policy, remembered = read_policy("quorum none"), Remembered(tmp_path / "witnessed")
    vault.close()
    remembered.keep_objection(Alarm("fork", clock(), "gent has seen another log"))
    for _ in range(2):
        with pytest.raises(Diverged, match=r"gent has seen another log.*then delete .*objection\.json"):
            restart(Watching(Watch(policy, Direct(), clock()), remembered, fail_closed=False), clock, tmp_path)
    (tmp_path / "witnessed" / "objection.json").unlink()
    restart(Watching(Watch(policy, Direct(), clock()), remembered, fail_closed=False), clock, tmp_path)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("quorum W0", "line 1"),
        ("witness w nonsense https://w.test; quorum w", "line 1"),
        ("/nowhere/policy", "No such file"),
    ],
)
def test_a_policy_that_does_not_read_is_a_wrong_setting(value: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        _ = Settings(data=Path("x"), log_witnesses=value).witness_policy


def test_a_witness_without_an_address_is_a_wrong_setting() -> None:
    policy = f"witness gent {witness_vkey('gent.test', new_signer())}; quorum gent"
    with pytest.raises(SettingsError, match="names no address of gent"):
        _ = Settings(data=Path("x"), log_witnesses=policy).witness_policy


def test_plain_http_is_for_witnesses_that_are_near(tmp_path: Path) -> None:
    policy = f"witness gent {witness_vkey('gent.test', new_signer())} http://gent.test; quorum gent"
    with pytest.raises(SettingsError, match="KLUIS_LOG_WITNESSES_NEAR"):
        _ = Settings(data=tmp_path, log_witnesses=policy).witness_policy
    assert Settings(data=tmp_path, log_witnesses=policy, log_witnesses_near=True).witness_policy is not None


def test_a_policy_stands_in_the_setting_or_in_a_file(tmp_path: Path) -> None:
    lines = [f"witness gent {witness_vkey('gent.test', new_signer())} https://gent.test:8443", "quorum gent"]
    (tmp_path / "policy").write_text("\n".join(lines))
    inline, filed = (
        Settings(data=Path("x"), log_witnesses=value) for value in ("; ".join(lines), str(tmp_path / "policy"))
    )
    assert inline.witness_policy == filed.witness_policy
    assert watching.watching(Settings(data=Path("x")), START) is None
