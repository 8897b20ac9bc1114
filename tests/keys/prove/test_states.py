"""K2: in every state of consent, keys open what is consented and nothing else; without the shares they open nothing."""

from collections import Counter
from pathlib import Path

import numpy as np

from consent import endings, locks, narrowing
from consent.accounts import passphrase
from tests.house import RECORDS, Household
from tests.keys.prove.consents import APPS, Book, City, Consent, Row, in_hours, seed_of, some_rows
from tests.keys.prove.copies import Bearer, Copies
from tests.proof import figure, rounds

FEW, MOST = 25, 8
ACTS = {"give": 30, "withdraw": 12, "narrow": 14, "restrict": 8, "expire": 5, "cut": 8, "merge": 5, "write": 18}
TOPICS = ["jazz", "strips", "opera"]


class Life:
    """A citizen's life, one random step at a time, done in the vault and noted in the book."""

    def __init__(self, house: Household, city: City) -> None:
        self.house, self.city, self.book = house, city, Book()
        self.rng, self.done, self.bearers = np.random.default_rng(seed_of("K2")), Counter[str](), list[Bearer]()
        for path in RECORDS:
            self.book.note(path)

    async def step(self) -> None:
        """Something happens; whatever is not possible now becomes a consent."""
        weights = np.array(list(ACTS.values()), float)
        act = str(self.rng.choice(list(ACTS), p=weights / weights.sum()))
        if act in ("withdraw", "narrow", "restrict", "expire") and not self.book.live:
            act = "give"
        if act == "give" and len(self.book.live) >= MOST:
            act = "withdraw"
        self.done[act] += 1
        await getattr(self, act)()

    def one(self) -> Consent:
        return self.book.live[int(self.rng.integers(len(self.book.live)))]

    async def give(self) -> None:
        name = str(self.rng.choice(list(APPS)))
        rows, until = some_rows(self.rng, name), in_hours(self.rng, self.house.clock())
        bearer = await self.city.give(self.house.session, name, rows, until)
        for row in rows:
            self._prepared(row)
        self.bearers.append(bearer)
        self.book.consent(bearer, rows, until)

    def _prepared(self, row: Row) -> None:
        if row.container == "answers":
            source = {"kluis:LibraryLoan": "loans", "pd:Interest": "interests"}.get(row.asked["category"], "person")
            self.book.note(f"/answers/{source}-{row.asked['derived']}.jsonld")
        if row.since:
            self.book.cut_for_consent(row.container)

    async def withdraw(self) -> None:
        one = self.one()
        assert await endings.withdraw(self.house.vault, self.house.session, one.bearer.grant, self.house.clock())
        self.book.live.remove(one)

    async def narrow(self) -> None:
        one = self.one()
        kept = [row for row in one.rows if self.rng.random() < 0.6] or one.rows[:1]
        keys = {row.key for row in kept}
        house = self.house
        assert await narrowing.narrow(house.vault, house.session, one.bearer.grant, keys, house.clock())
        one.rows = kept

    async def restrict(self) -> None:
        """A restriction takes no key away; the gate alone keeps the app out, and keeps it out until she resumes."""
        one, house = self.one(), self.house
        one.restricted = not one.restricted
        assert await narrowing.restrict(house.vault, house.session, one.bearer.grant, house.clock(), on=one.restricted)

    async def expire(self) -> None:
        clock = self.house.clock
        clock.now = max(clock.now, min(one.until for one in self.book.live))
        await endings.sweep(self.house.vault, clock())
        self.book.live = [one for one in self.book.live if one.until > clock.now]
        opened = await passphrase.login(self.house.vault, "an", self.house.codes[0], clock())
        assert opened is not None
        self.house.session = opened[1]

    async def cut(self) -> None:
        container = self._container()
        await locks.change(self.house.vault, self.house.session, [container], self.house.clock())
        self.book.cut(container)

    async def merge(self) -> None:
        container = self._container()
        await locks.change(self.house.vault, self.house.session, [container], self.house.clock(), rewrap=True)
        self.book.merge(container)

    async def write(self) -> None:
        container = str(self.rng.choice(["loans", "interests", "person"]))
        path = f"/{container}/{self.done['write']}.jsonld"
        record = {"schema:about": [str(self.rng.choice(TOPICS))], "schema:startTime": "2099-01-01"}
        await self.house.keep(path, record)
        self.book.note(path)

    def _container(self) -> str:
        return str(self.rng.choice(list(self.book.stretches)))


def differences(life: Life, copies: Copies) -> list[str]:
    """Where keys and consent disagree, for every app that ever held a token, and for the records themselves."""
    pod, book = life.house.session.pod, life.book
    places = {container: pod.compartment(container) for container in book.stretches}
    live = {one.bearer.grant: one for one in book.live}
    found, opened = list[str](), {}
    for bearer in life.bearers:
        keys = copies.by_tokens(bearer)
        opened.update(keys)
        consented = book.units(live[bearer.grant], places) if bearer.grant in live else set()
        if set(keys) != consented:
            found.append(
                f"keys of {bearer.client}: {len(set(keys) - consented)} more, {len(consented - set(keys))} less"
            )
    readable, covered = copies.records(opened.items()), {pod.resource(path) for path in book.paths()}
    if readable != covered:
        found.append(f"records: {len(readable - covered)} more, {len(covered - readable)} less")
    return found


async def test_k2_in_every_state_of_consent_keys_open_what_is_consented_and_nothing_else(
    house: Household, tmp_path: Path
) -> None:
    city, count = City(house), rounds(FEW, "K2a")
    await city.open()
    life, wrong, bare, most = Life(house, city), list[str](), 0, 0
    for number in range(count):
        await life.step()
        await house.quiet()
        copies = Copies(house.vault.db.path, tmp_path / "shares" / "shares.db")
        wrong += [f"{number}: {said}" for said in differences(life, copies)[:1]]
        most = max(most, len(life.book.live))
        copies.shares = {}
        bare += sum(len(copies.by_tokens(one.bearer)) for one in life.book.live)
    figure("K2a", len(wrong), count)
    figure("K2b", bare, count)
    assert (wrong, bare) == ([], 0)
    assert most > 3 and set(life.done) >= ({"give", "write"} if count < 100 else set(ACTS)), life.done
