"""The demo city: people, apps and data made by our own generator, put in through the same doors as everything else."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from consent import clients, deposits, gate, solid
from consent.accounts import people
from consent.accounts.people import Enrolled, Newcomer
from consent.accounts.roles import Role
from consent.oauth.clients import Client, Registration
from keys.sign import new_es256
from keys.text import b64
from recommender import contributor, generator, wallet
from recommender.catalogue import Catalogue, book_entry, work_entry
from recommender.sources import intake
from vault import store
from vault.planned import Parcel
from vault.vault import Vault

SEED = 2026
CITIZENS = 24
MEDIA = "application/ld+json"
VERSION = "2026-11-01"
EVENTS = "dpv:ProvideEventRecommendations"
SERVICE = "dpv:ServicePersonalisation"
SOURCES = ("mijnbib", "folio", "uitdatabank")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Person:
    """Somebody whose login is printed. The passphrases are the demo's own and public."""

    user: str
    name: str
    role: Role
    pod: str | None
    passphrase: str


PEOPLE = (
    Person("an", "An Peeters", "citizen", "an", "jazz in de leeszaal"),
    Person("youssef", "Youssef Amrani", "citizen", "youssef", "met de kinderen naar zee"),
    Person("mia", "Mia Lindqvist", "citizen", "mia", "drie dagen in de stad"),
    Person("devi", "Devi Janssens", "developer", None, "eerst lezen dan bouwen"),
    Person("plantin", "Museum Plantin-Moretus", "institution", None, "letters van lood en licht"),
    Person("otto", "Otto Claes", "operator", None, "de lichten blijven aan"),
)
OFFICERS = (
    Person("dora", "Dora Maes", "dpo", None, "tellen zonder te weten wie"),
    Person("dirk", "Dirk Wouters", "dpo", None, "vier ogen zien meer"),
)


@dataclass(frozen=True)
class DemoApp:
    """An app of the demo city and what it was registered for."""

    slug: str
    name: str
    controller: str
    code: str
    text: dict[str, str]
    categories: tuple[str, ...]
    trust: str = "city"


def _texts(nl: str, en: str) -> dict[str, str]:
    return {"nl": nl, "en": en}


APPS = (
    DemoApp("cultuurgids", "Cultuurgids", "https://cultuur.stad.example/org", EVENTS,
            _texts("Activiteiten voorstellen die bij je passen.", "Suggest activities that suit you."),
            ("pd:Interest", "kluis:LibraryLoan", "pd:PostalCode")),
    DemoApp("uitgelezen", "Uitgelezen", "https://bibliotheek.example/org", SERVICE,
            _texts("Leestips geven.", "Give reading tips."), ("kluis:LibraryLoan",)),
    DemoApp("buurtagenda", "Buurtagenda", "https://dewijk.example/org", EVENTS,
            _texts("Activiteiten in je buurt tonen.", "Show activities near you."), ("pd:PostalCode", "pd:Interest")),
    DemoApp("museumgids", "Museumgids", "https://musea.example/org", EVENTS,
            _texts("Een bezoek voorstellen dat bij je past.", "Suggest a visit that suits you."),
            ("pd:Interest", "kluis:Ticket")),
    DemoApp("ticketvlug", "TicketVlug", "https://ticketvlug.example/org", SERVICE,
            _texts("Tickets sneller klaarzetten.", "Get tickets ready sooner."), ("kluis:Ticket",), "unverified"),
)  # fmt: skip
RECOMMENDER = DemoApp(
    "kluis-recommender", "Suggesties van Kluis", "https://cultuur.stad.example/org", EVENTS,
    _texts("Verrassende activiteiten en boeken voor je zoeken.", "Look for surprising activities and books for you."),
    ("pd:Interest", "kluis:LibraryLoan", "kluis:Ticket", "kluis:Derived", "pd:PostalCode"),
)  # fmt: skip
IMPROVING = Registration(contributor.PURPOSE, VERSION, contributor.TEXT, contributor.READS, approved_by="city")


@dataclass
class Seeder:
    """Fills one empty vault. What must be kept outside the database goes to `folder` (0600)."""

    vault: Vault
    folder: Path
    now: datetime
    callback: str
    tell: Tell

    async def fill(self, recommender: Path) -> None:
        """Make the whole city."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.tell("the DPO's office")
        officers = [Newcomer(p.user, p.name, p.passphrase, demo=True) for p in OFFICERS]
        unlockers = _kept(await people.found_office(self.vault, officers, self.now))
        self.tell(f"{len(PEOPLE)} people with a passphrase (Argon2id takes its time)")
        for person in PEOPLE:
            unlockers |= _kept([await self._person(person)])
        self.write("unlockers.json", unlockers)
        await self._apps(recommender)
        await self._sources()
        await self._credentials()
        await self._citizens(recommender)

    async def _person(self, p: Person) -> Enrolled:
        return await people.enroll(self.vault, p.user, p.name, p.role, p.pod, p.passphrase, self.now, demo=True)

    async def _apps(self, recommender: Path) -> None:
        self.tell(f"{len(APPS) + 1} apps")
        told = []
        for app in APPS:
            key = new_es256()
            self.write(f"{app.slug}.jwk", key)
            client = await self._register(app, f"app-{app.slug}", wallet.public(key), self.callback.format(app.slug))
            told.append(self._told(app, client, f"{app.slug}.jwk"))
        me = wallet.Registration(self.vault.base, RECOMMENDER.controller, VERSION, RECOMMENDER.text)
        public = wallet.prepare(recommender, me)
        client = await self._register(RECOMMENDER, wallet.CLIENT_ID, public, me.redirect_uri)
        told.append(self._told(RECOMMENDER, client, str(recommender / "client.jwk")))
        self.write("apps.json", told)

    async def _register(self, app: DemoApp, client_id: str, jwk: dict[str, str], redirect_uri: str) -> Client:
        """Only Cultuurgids listens: its server side runs in the demo (`web.demoapp`)."""
        purpose = Registration(app.code, VERSION, app.text, app.categories, approved_by="city")
        trust: Any = app.trust
        purposes = (purpose, IMPROVING) if app is RECOMMENDER else (purpose,)
        client = Client(client_id, app.name, app.controller, (redirect_uri,), (jwk,), purposes, trust)
        if app is APPS[0]:
            client = replace(client, push_uri=redirect_uri.removesuffix("callback") + "push")
        return await clients.register(self.vault, client, self.now)

    def _told(self, app: DemoApp, client: Client, key_file: str) -> dict[str, Any]:
        return {
            "client_id": client.client_id,
            "name": client.name,
            "key_file": str((self.folder / key_file).resolve()),
            "redirect_uri": client.redirect_uris[0],
            "controller": client.controller,
            "purposes": [{"code": app.code, "version": VERSION, "text": app.text}],
        }

    async def _sources(self) -> None:
        told = []
        for name in SOURCES:
            key = new_es256()
            self.write(f"source-{name}.jwk", key)
            client = await deposits.register(self.vault, name, (wallet.public(key),), self.now)
            path = str((self.folder / f"source-{name}.jwk").resolve())
            told.append({"name": name, "client_id": client.client_id, "key_file": path})
        self.write("sources.json", told)

    async def _credentials(self) -> None:
        told = {}
        for person in PEOPLE:
            pod = self.vault.pod(person.pod) if person.pod else None
            account = people.find(self.vault, person.user)
            if pod is not None and account is not None:
                made = await solid.credentials(self.vault, pod, account.webid, "Eigen programma's", self.now)
                told[person.user] = {"client_id": made.client_id, "client_secret": made.client_secret}
        self.write("credentials.json", told)

    async def _citizens(self, recommender: Path) -> None:
        """Everybody's loans, interests and tickets; the citizens nobody logs in as have recovery codes only."""
        rng = np.random.default_rng(SEED)
        town = generator.city(self.now, rng)
        crowd = generator.population(CITIZENS, rng, town, self.now)
        self.tell(f"{CITIZENS} citizens, {len(town.books)} books, {len(town.events)} events")
        named = [p.pod for p in PEOPLE if p.pod]
        pods = [*named, *(f"inwoner{n}" for n in range(len(named) + 1, CITIZENS + 1))]
        for pod, citizen in zip(pods, crowd, strict=True):
            if pod not in named:
                await people.enroll(self.vault, pod, f"Inwoner {citizen.number}", "citizen", pod, None, self.now)
            await self._deposit(pod, citizen, town)
        events = intake.read("uitdatabank", generator.uitdatabank_page(town)).records
        shelf = Catalogue([*map(book_entry, town.books), *map(work_entry, town.works)])
        shelf.with_events(event.body for event in events).save(recommender / "catalogue.json")

    async def _deposit(self, pod: str, citizen: generator.Citizen, town: generator.City) -> None:
        loans = intake.read("mijnbib", generator.loans_file(citizen))
        await self._put(pod, "kluis:LibraryLoan", "loans", [(i.name, i.body) for i in loans.records], "mijnbib")
        for curie, container, bodies in (
            ("pd:Interest", "interests", generator.interests(citizen)),
            ("kluis:Ticket", "tickets", generator.tickets(citizen, town)),
        ):
            rows = [(f"{container}-{n}", body) for n, body in enumerate(bodies, 1)]
            await self._put(pod, curie, container, rows, "demo")

    async def _put(self, pod: str, curie: str, container: str, rows: list[tuple[str, Any]], source: str) -> None:
        facts = self.vault.pod(pod)
        assert facts is not None  # noqa: S101 -- made just before
        permit = gate.deposit(facts, curie, f"source-{source}")
        parcels = [Parcel(f"/{container}/{name}.jsonld", MEDIA, orjson.dumps(body)) for name, body in rows]
        await store.deposit(self.vault, permit, parcels, self.now, source)

    def write(self, name: str, content: Any) -> None:
        """Keep something beside the database, readable by its owner alone."""
        wallet.write_private(self.folder / name, content)


def _kept(enrolled: list[Enrolled]) -> dict[str, str]:
    return {b64(one.account): one.demo for one in enrolled}


def read(folder: Path, name: str) -> Any:
    """What `Seeder.write` kept."""
    return json.loads((folder / name).read_text(encoding="utf-8"))


def seeded(folder: Path) -> bool:
    """Whether the city was finished; a half-made one is made anew."""
    return (folder / "ready").exists()


def finish(folder: Path) -> None:
    """Mark the city as finished, durably."""
    handle = os.open(folder / "ready", os.O_WRONLY | os.O_CREAT, 0o600)
    os.fsync(handle)
    os.close(handle)


def person_row(person: Person) -> dict[str, Any]:
    """A person as `kluis demo --json` lists people, without login link."""
    return {k: v for k, v in asdict(person).items() if v is not None}
