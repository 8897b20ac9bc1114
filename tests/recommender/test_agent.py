"""The recommender gets in like any other app, and is out the moment the citizen says so."""

import asyncio
import json
import stat
from datetime import timedelta

import httpx
import pytest

from recommender.agent import Agent
from recommender.ask import Desk, attend
from recommender.errors import BadData, Closed, NoGrant, Unreachable
from recommender.profile import INTERESTS, LOANS, POSTAL, TICKETS
from recommender.wallet import Wallet, prepare
from tests.recommender.conftest import NOW
from tests.recommender.vault_standin import BASE, REGISTRATION, Vault

ALL = {LOANS, TICKETS, "kluis:Derived", "pd:PostalCode#postal_district"}


class House:
    def __init__(self, folder, small, ticked=ALL):
        self.folder = folder
        self.vault = Vault(prepare(folder, REGISTRATION), ticked, small.records())
        self.vault.now = NOW
        self.agent = Agent(Wallet(folder), httpx.AsyncClient(transport=httpx.MockTransport(self.vault)))
        self.desk = Desk(self.agent, small.catalogue, small.model, folder, NOW)

    async def grant(self, pod="an"):
        await self.agent.authorize(pod, NOW)
        return await self.agent.granted("good", self.vault.pushed.state, BASE, NOW)

    async def put(self, **question):
        """A question about a citizen, with the permit for it."""
        return await self.ask(**self.vault.permit(**question))

    async def ask(self, **question):
        return json.loads(await self.desk.answer(json.dumps(question).encode(), NOW))


@pytest.fixture
def house(tmp_path, small):
    return House(tmp_path / "recommender", small)


async def test_it_asks_by_the_book_and_reads_what_was_granted(house, small):
    assert await house.grant() == "an"
    assert await house.agent.records("an", LOANS, NOW) == small.records()[LOANS]
    assert house.vault.pushed.terms.pod == "an"
    assert {d.category: d.necessity for d in house.vault.pushed.terms.data} == {
        INTERESTS: "required", LOANS: "optional", TICKETS: "optional", "kluis:Derived": "optional",
        POSTAL: "optional",
    }  # fmt: skip


async def test_a_category_she_left_closed_is_not_even_asked_for(tmp_path, small):
    house = House(tmp_path / "r", small, ticked=set())
    await house.grant()
    with pytest.raises(Closed):
        await house.agent.records("an", LOANS, NOW)
    assert "GET /api/records" not in house.vault.seen


@pytest.mark.parametrize("wrong", [{"state": "x"}, {"iss": "https://evil.example"}, {"code": "bad"}])
async def test_an_answer_that_was_not_asked_for_gives_no_grant(house, wrong):
    await house.agent.authorize("an", NOW)
    answer = {"code": "good", "state": house.vault.pushed.state, "iss": BASE} | wrong
    with pytest.raises(NoGrant):
        await house.agent.granted(**answer, now=NOW)
    assert house.agent.wallet.grant("an") is None


async def test_a_state_works_once_and_not_for_ever(house):
    await house.grant()
    with pytest.raises(NoGrant):
        await house.agent.granted("good", house.vault.pushed.state, BASE, NOW)
    await house.agent.authorize("an", NOW)
    with pytest.raises(NoGrant):
        await house.agent.granted("good", house.vault.pushed.state, BASE, NOW + timedelta(minutes=10))


async def test_a_token_that_has_run_out_is_renewed(house):
    await house.grant()
    house.vault.now = NOW + timedelta(minutes=6)
    await house.agent.records("an", LOANS, house.vault.now)
    assert house.vault.live == 2


async def test_after_withdrawal_nothing_is_read_and_the_tokens_are_gone(house):
    await house.grant()
    house.vault.withdrawn = True
    with pytest.raises(NoGrant):
        await house.agent.records("an", LOANS, NOW)
    assert Wallet(house.folder).grant("an") is None
    assert "access-1" not in (house.folder / "grants.json").read_text()


async def test_a_vault_that_is_away_costs_no_grant(house):
    await house.grant()
    house.vault.down = True
    with pytest.raises(Unreachable):
        await house.agent.records("an", LOANS, NOW)
    house.vault.down = False
    assert await house.agent.records("an", LOANS, NOW)


async def test_a_demanded_nonce_is_given(house):
    house.vault.nonce = "n-1"
    assert await house.grant() == "an"


async def test_keys_and_tokens_are_readable_by_the_owner_only_and_survive_a_restart(house):
    await house.grant()
    for name in ("client.jwk", "dpop.jwk", "grants.json", "client.json"):
        assert stat.S_IMODE((house.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(house.folder.stat().st_mode) == 0o700
    key = json.loads((house.folder / "client.jwk").read_text())
    assert prepare(house.folder, REGISTRATION)["x"] == key["x"]
    assert Wallet(house.folder).grant("an") == house.agent.wallet.grant("an")


def test_a_damaged_folder_is_named(tmp_path):
    with pytest.raises(BadData, match=r"client\.json"):
        Wallet(tmp_path)
    prepare(tmp_path, REGISTRATION)
    (tmp_path / "grants.json").write_text('{"an": 3}')
    with pytest.raises(BadData, match="not the recommender's folder"):
        Wallet(tmp_path)


async def test_suggestions_name_what_was_read_and_are_kept_once_in_the_pod(house, small):
    await house.grant()
    told = await house.put(ask="suggest", pod="an", k=12)
    assert len(told["suggestions"]) == 12
    assert {r["category"]: r["count"] for r in told["read"]} == {c: len(r) for c, r in small.records().items()}
    evidence = {reason["evidence_id"] for s in told["suggestions"] for reason in s["reasons"]}
    assert evidence and evidence <= {r["@id"] for part in small.records().values() for r in part if "@id" in r}
    await house.put(ask="suggest", pod="an", k=12)
    assert len(house.vault.appended) == 1
    assert house.vault.appended[0]["@type"] == "kluis:Derived"


async def test_without_a_grant_or_with_nothing_open_there_is_no_suggestion(tmp_path, house, small):
    assert (await house.put(ask="suggest", pod="an", k=3))["refused"] == "no grant"
    await house.grant()
    house.vault.withdrawn = True
    assert (await house.put(ask="suggest", pod="an", k=3))["refused"] == "no grant"
    assert (await house.put(ask="suggest", pod="an", k=3))["refused"] == "no grant"


async def test_reasons_come_only_from_what_was_read(tmp_path, small):
    house = House(tmp_path / "r", small, ticked=set())
    await house.grant()
    told = await house.put(ask="suggest", pod="an", k=12)
    status = {r["category"]: r["status"] for r in told["read"]}
    assert status == {LOANS: "closed", INTERESTS: "read", TICKETS: "closed", POSTAL: "closed"}
    assert {x["category"] for s in told["suggestions"] for x in s["reasons"]} <= {INTERESTS}
    assert told["stored"] is False and house.vault.appended == []


async def test_imported_events_join_the_catalogue_and_its_file(house, small):
    event = {"@id": "https://x.example/e", "schema:name": "Nieuw", "schema:about": ["jazz"]}
    told = await house.ask(ask="catalogue", events=[event])
    assert told == {"ok": True, "added": 1, "replaced": 0, "entries": len(small.catalogue.entries) + 1}
    assert "Nieuw" in (house.folder / "catalogue.json").read_text()


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"3", b"\xff\xff", b'{"ask":["x"]}', b'{"ask":"x"}', b'{"ask":"suggest"}', b"[" * 100_000,
     b'{"ask":"suggest","pod":"../an"}', b'{"ask":"suggest","pod":"an","k":"3"}', b'{"ask":"catalogue","events":[1]}',
     b'{"ask":"catalogue","events":[{"@id":"x"}]}', b'{"ask":"granted","code":1}', b'{"ask":"forget","pod":3}'],
)  # fmt: skip
async def test_a_bad_line_gets_an_answer_and_changes_nothing(house, line):
    told = json.loads(await house.desk.answer(line, NOW))
    assert told.get("error") or told.get("refused") == "no permit"
    assert not (house.folder / "catalogue.json").exists()


async def test_the_socket_answers_line_by_line_and_ends_at_one_that_is_too_long(house, tmp_path):
    path = tmp_path / "s"
    server = await asyncio.start_unix_server(lambda r, w: attend(house.desk, r, w, lambda: NOW), path, limit=1000)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"ask":"ready"}\nnonsense\n{"ask":"forget","pod":"an"}\n')
    told = [json.loads(await reader.readline()) for _ in range(3)]
    assert [set(t) & {"ready", "error", "ok"} for t in told] == [{"ready"}, {"error"}, {"ok"}]
    writer.write(b"x" * 5000 + b"\n")
    assert json.loads(await reader.readline())["error"] == "line too long"
    assert await reader.read() == b""
    writer.close()
    server.close()
    await server.wait_closed()


async def test_no_error_repeats_a_token_or_code(house):
    await house.agent.authorize("an", NOW)
    told = await house.ask(ask="granted", code="very-secret-code", state=house.vault.pushed.state, iss=BASE)
    assert told["refused"] == "no grant"
    assert "very-secret-code" not in json.dumps(told)
