"""A city of several apps in which people consent at random, and a book of what they consented to.

The book is the test's own model: moments, not keys. Nothing in it asks the vault what a grant covers.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np

from consent import asks, clients, grants, issue
from consent.accounts.sessions import SessionFacts
from consent.asks import Shown
from consent.oauth.clients import Client, Registration
from consent.oauth.dpop import Proof
from consent.oauth.par import Pushed
from consent.request import choose, parse
from keys.secret import fresh_bytes
from keys.sign import thumbprint
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.house import Household
from tests.keys.prove.copies import Bearer, Unit

VERSION = "2026-11-01"
APPS = {
    "gids": "dpv:ProvideEventRecommendations",
    "balie": "dpv:ServiceProvision",
    "boek": "dpv:ServicePersonalisation",
}
OPEN = {"kluis:LibraryLoan": "loans", "pd:Interest": "interests", "pd:PostalCode": "person"}
DERIVED = {
    "kluis:LibraryLoan": "interest_topics_k10",
    "pd:Interest": "interest_topics_k10",
    "pd:PostalCode": "postal_district",
}


def app(name: str) -> Client:
    """An app, registered for one purpose and every category."""
    said = Registration(APPS[name], VERSION, sample.TEXT, tuple(OPEN), "city")
    key = (sample.public(sample.APP_KEY),)
    return Client(name, name.title(), f"https://{name}.example/", (sample.RETURN,), key, (said,), trust="city")


@dataclass
class Row:
    """One row of a consent as the book knows it."""

    key: str
    container: str
    since: bool
    asked: dict[str, Any]


def some_rows(rng: np.random.Generator, name: str) -> list[Row]:
    """A random subset of what an app may ask: each category whole, or as a derived answer."""
    rows = []
    for curie in rng.permutation(list(OPEN))[: int(rng.integers(1, 4))].tolist():
        derived = rng.random() < 0.35 or (curie == "pd:PostalCode" and name != "balie")
        since = not derived and curie == "kluis:LibraryLoan" and rng.random() < 0.5
        more = {"derived": DERIVED[curie]} if derived else {"since": "grant"} if since else {}
        key = f"{curie}#{DERIVED[curie]}" if derived else curie
        said = {"category": curie, "necessity": "required", **more}
        rows.append(Row(key, "answers" if derived else OPEN[curie], since, said))
    return rows


@dataclass
class Consent:
    """A consent in the book: its rows, per container the first stretch it opens, and the moment it was given."""

    bearer: Bearer
    rows: list[Row]
    at: int
    until: datetime
    starts: dict[str, int] = field(default_factory=dict)
    restricted: bool = False

    @property
    def containers(self) -> set[str]:
        return {row.container for row in self.rows}


class City:
    """An's pod and the apps."""

    def __init__(self, house: Household) -> None:
        self.house, self.vault, self.clock, self.nonce = house, house.vault, house.clock, 0

    async def open(self) -> None:
        for name in APPS:
            await clients.register(self.vault, app(name), self.clock())

    async def give(self, session: SessionFacts, name: str, rows: list[Row], until: datetime) -> Bearer:
        """An app asks for rows, the citizen allows them, the app redeems its code."""
        now, client, pod = self.clock(), app(name), session.pod
        purpose = {"code": APPS[name], "text": sample.TEXT, "version": VERSION}
        detail = sample.detail(locations=[f"{BASE}/pods/{pod.name}/"], datatypes=[row.asked for row in rows],
                               purpose=purpose, controller=client.controller, expires=instant(until))  # fmt: skip
        said = Pushed(name, sample.RETURN, sample.CHALLENGE, sample.JKT, parse(detail, client, BASE, now), state="s")
        asked = await asks.push(self.vault, said, Shown(Proof(sample.JKT, fresh_bytes(32), 2**50), None), now)
        await asks.show(self.vault, session, asked, {"hash": "h", "language": "nl", "version": "1"}, now)
        asked = asks.find(self.vault, b64(asked.handle), name, now)
        chosen = choose(asked.terms.for_pod(pod.name), set(), "asked", now)
        code = await grants.give(self.vault, session, asked, chosen, now)
        told = await self._redeem(name, code)
        tokens = (code, told["access_token"], told["refresh_token"])
        jkt = thumbprint(sample.PROOF_KEY)
        return Bearer(pod.id, asked.handle, name, (APPS[name], VERSION), jkt, tokens)

    async def _redeem(self, name: str, code: str) -> dict[str, Any]:
        at = int(self.clock().timestamp())
        own = sample.assertion(iss=name, sub=name, jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": sample.RETURN,
                "code_verifier": sample.VERIFIER}  # fmt: skip
        request = sample.token_request(assert_=own, **form)
        proof = self.house.proof("POST", "/oauth/token").encode()
        return await issue.answer(self.vault, request, [proof], self.clock())


def instant(when: datetime) -> str:
    """RFC 3339 with a Z."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_hours(rng: np.random.Generator, now: datetime) -> datetime:
    """Some end between half an hour and two days ahead."""
    return now + timedelta(minutes=int(rng.integers(30, 2880)))


def seed_of(name: str) -> int:
    """A fixed seed per proof."""
    return int.from_bytes(sha256(name.encode()).digest()[:4], "big")


@dataclass
class Book:
    """What was written when, where locks were changed, and what is consented."""

    moment: int = 10
    stretches: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # container -> (generation, first moment)
    written: dict[str, tuple[str, int]] = field(default_factory=dict)  # path -> container, moment
    live: list[Consent] = field(default_factory=list)

    def tick(self) -> int:
        self.moment += 1
        return self.moment

    def note(self, path: str) -> None:
        """A record was written."""
        container = path.split("/")[1]
        self.stretches.setdefault(container, [(1, 0)])
        self.written[path] = (container, self.tick())

    def cut(self, container: str) -> None:
        """From this moment on everything new lies under a new key."""
        there = self.stretches[container]
        there.append((there[-1][0] + 1, self.tick()))

    def cut_for_consent(self, container: str) -> None:
        """A consent "from now on" cuts off what is there, unless nothing came since the last cut."""
        first = self.stretches[container][-1][1]
        if any(place == container and at >= first for place, at in self.written.values()):
            self.cut(container)

    def merge(self, container: str) -> None:
        """The old stretches become as few as the consents that live allow, under new numbers."""
        there = self.stretches[container]
        starts = {one.starts[container] for one in self.live if container in one.containers}
        self.stretches[container] = list(enumerate(sorted({there[0][1]} | starts), there[-1][0] + 1))

    def consent(self, bearer: Bearer, rows: list[Row], until: datetime) -> Consent:
        """A consent was given: from the newest stretch on, or from the first."""
        one = Consent(bearer, rows, self.tick(), until)
        for row in rows:
            there = self.stretches[row.container]
            one.starts[row.container] = there[-1 if row.since else 0][1]
        self.live.append(one)
        return one

    def units(self, one: Consent, places: dict[str, bytes]) -> set[Unit]:
        """The keys that a consent gives."""
        return {(places[container], generation) for container in one.containers
                for generation, first in self.stretches[container] if first >= one.starts[container]}  # fmt: skip

    def paths(self) -> set[str]:
        """The records that some consent covers, by when they were written and nothing else."""
        return {path for path, (container, at) in self.written.items() for one in self.live for row in one.rows
                if row.container == container and (not row.since or at > one.at)}  # fmt: skip
