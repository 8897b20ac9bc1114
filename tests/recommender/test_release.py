"""A release of the public model: nobody is in it who does not give now, and too few are nobody at all."""

import json
import stat
from dataclasses import replace
from datetime import timedelta

import httpx
import numpy as np
import pytest

from consent import purposes
from recommender import generator, rank
from recommender.ask import Desk
from recommender.contributions import Copies
from recommender.contributor import GRANTS, PURPOSE, READS, TEXT, Contributor
from recommender.errors import BadData, NoGrant, Spent
from recommender.features import GROUPS
from recommender.profile import LOANS, TICKETS
from recommender.release import BUDGET, EPSILON, Terms, ledger, release, write_ledger
from recommender.train import city_catalogue
from recommender.wallet import Wallet, prepare
from tests.recommender.conftest import NOW
from tests.recommender.vault_standin import BASE, REGISTRATION, Vault

TERMS = Terms(b"s" * 32, epsilon=3.0, fewest=30)


def giving(small, count, seed=3):
    """Records of `count` people, by pod, as copies hold them."""
    found = {}
    for n, citizen in enumerate(generator.population(count, np.random.default_rng(seed), small.town, NOW)):
        loans = [{"@id": f"/loans/{k}", "schema:name": loan.book.title, "schema:startTime": loan.start.isoformat()}
                 for k, loan in enumerate(citizen.loans)]  # fmt: skip
        tickets = [t | {"@id": f"/tickets/{k}"} for k, t in enumerate(generator.tickets(citizen, small.town))]
        found[f"pod{n}"] = {LOANS: loans, TICKETS: tickets}
    return found


def text(model):
    return model.booster.model_to_string(), json.dumps(model.card), json.dumps(model.popularity), (
        model.kin and model.kin.weights.tobytes())  # fmt: skip


def test_who_withdrew_is_not_in_the_next_release_bit_for_bit(small):
    given = giving(small, 40)
    gone = {pod: records for pod, records in given.items() if pod != "pod7"}
    never = dict(sorted(gone.items(), reverse=True))
    after, _ = release(gone, small.catalogue, small.model, (), TERMS, NOW)
    world, _ = release(never, small.catalogue, small.model, (), TERMS, NOW)
    before, _ = release(given, small.catalogue, small.model, (), TERMS, NOW)
    assert text(after) == text(world)
    assert text(before)[0] != text(after)[0]


def test_too_few_contributors_make_a_model_of_content_alone_that_costs_nothing(small):
    model, spent = release(giving(small, 5), small.catalogue, small.model, (), TERMS, NOW)
    nobody, _ = release({}, small.catalogue, small.model, (), TERMS, NOW)
    assert text(model) == text(nobody) and spent == () and model.kin is None
    assert model.card["epsilon"] == 0 and "content alone" in model.card["basis"]


def test_a_release_is_paid_for_once_a_month_and_never_beyond_the_budget(small, tmp_path):
    given = giving(small, 30)
    model, spent = release(given, small.catalogue, small.model, (), TERMS, NOW)
    assert [(s.purpose, s.month, s.epsilon) for s in spent] == [("model improvement", "2026-11", EPSILON)]
    assert model.card["epsilon"] == EPSILON and "no formal epsilon" in model.card["limits"]
    with pytest.raises(Spent, match="2026-11"):
        release(given, small.catalogue, small.model, spent, TERMS, NOW)
    dear = replace(TERMS, epsilon=BUDGET)
    with pytest.raises(Spent, match="budget"):
        release(given, small.catalogue, small.model, spent, dear, NOW + timedelta(days=31))
    write_ledger(tmp_path, spent)
    assert ledger(tmp_path) == spent
    (tmp_path / "ledger.json").write_text("[3]")
    with pytest.raises(BadData, match="not a ledger"):
        ledger(tmp_path)


def test_a_released_model_comes_back_from_text_and_its_trees_come_apart(small, tmp_path):
    model, _ = release(giving(small, 60), small.catalogue, small.model, (), TERMS, NOW)
    rank.save(model, tmp_path)
    again = rank.load(tmp_path)
    assert (again.kin.weights == model.kin.weights).all() and again.kin.ids == model.kin.ids
    assert again.popularity == model.popularity and set(again.groups) == set(GROUPS)
    table = np.random.default_rng(1).random((5, len(GROUPS)))
    assert (again.trees.part(LOANS, table[:, 8:14]) == model.trees.part(LOANS, table[:, 8:14])).all()


def test_a_copy_is_the_owners_alone_and_a_damaged_one_is_named(tmp_path):
    copies = Copies(tmp_path / "c")
    copies.keep("an", {LOANS: [{"@id": "/l"}]})
    path = tmp_path / "c" / "an.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert copies.read() == {"an": {LOANS: [{"@id": "/l"}]}}
    path.write_text("[")
    with pytest.raises(BadData, match=r"an\.json"):
        copies.read()
    assert copies.drop("an") and not copies.drop("an") and copies.pods == set()
    with pytest.raises(BadData):
        copies.keep("../an", {})


def test_the_purpose_of_improvement_is_registered_and_asks_for_no_more_than_it_reads():
    purpose = purposes.purpose(PURPOSE)
    assert set(purpose.highest) == set(READS) and set(TEXT) == {"nl", "en"}


class Giving:
    """A contributor's agent before a vault that has the purpose registered."""

    def __init__(self, folder, small):
        self.vault = Vault(prepare(folder, REGISTRATION), {TICKETS}, small.records(), PURPOSE, TEXT, READS)
        self.vault.now = NOW
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.vault))
        self.giver, self.copies = Contributor(Wallet(folder, GRANTS), http), Copies(folder / "contributions")

    async def grant(self, pod="an"):
        await self.giver.authorize(pod, NOW)
        assert await self.giver.granted("good", self.vault.pushed.state, BASE, NOW) == pod

    async def gather(self):
        return await self.giver.gather(self.copies, "2026-11", NOW, lambda *_: None)


async def test_a_contribution_is_read_under_its_own_grant_that_names_the_model_and_is_gone_once_she_stops(
    small, tmp_path
):
    here = Giving(tmp_path / "r", small)
    await here.grant()
    assert {d.category for d in here.vault.pushed.terms.data} == {LOANS, TICKETS}
    assert here.vault.pushed.terms.storage["copy"] == "durable"
    assert await here.gather() == 1
    assert here.vault.notes == {"model 2026-11"}
    assert here.copies.read()["an"][LOANS] == small.records()[LOANS]
    assert not (tmp_path / "r" / "grants.json").exists()
    here.vault.withdrawn = True
    assert await here.gather() == 0
    assert here.copies.read() == {} and not list((tmp_path / "r" / "contributions").glob("an*"))
    with pytest.raises(NoGrant):
        await here.giver.records("an", LOANS, NOW)


async def test_a_copy_without_a_grant_here_goes_with_the_next_reading(small, tmp_path):
    here = Giving(tmp_path / "r", small)
    here.copies.keep("stranger", {LOANS: []})
    assert await here.gather() == 0 and here.copies.pods == set()


async def test_the_desk_asks_for_the_grant_to_improve_only_when_told_and_forgets_both(small, tmp_path):
    here = Giving(tmp_path / "r", small)
    desk = Desk(here.giver, small.catalogue, small.model, tmp_path / "r", NOW, giver=here.giver)

    async def ask(**question):
        return json.loads(await desk.answer(json.dumps(question).encode(), NOW))

    assert (await ask(ask="authorize", pod="an", aim="model"))["request_uri"]
    state = here.vault.pushed.state
    assert (await ask(ask="granted", code="good", state=state, iss=BASE))["pod"] == "an"
    assert (await ask(ask="gather", version="2026-11")) == {"ok": True, "contributors": 1}
    assert desk.copies.pods == {"an"}
    await ask(ask="forget", pod="an")
    assert desk.copies.pods == set() and here.giver.wallet.grant("an") is None


def test_the_catalogue_of_the_city_holds_books_works_and_events(small):
    media = {entry.medium for entry in city_catalogue(small.town).entries}
    assert {"book", "work", "concert", "exhibition"} <= media
