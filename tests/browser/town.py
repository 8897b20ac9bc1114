"""A house that really serves, in a thread with its own loop and port, and newcomers whenever a test wants one."""

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import orjson

from consent import asks, clients, gate, grants, solid
from consent.accounts import passphrase, sessions
from consent.accounts.people import Newcomer, enroll, found_office
from consent.asks import Shown
from consent.oauth.clients import Client
from consent.oauth.dpop import Proof
from consent.oauth.par import Pushed
from consent.request import choose, parse
from keys.custodian import FileCustodian
from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent import sample
from tests.house import RECORDS
from tests.stories.city import free_port
from vault import store
from vault.solid.access import Language
from web.app import House, open_house, run, wall_clock
from web.settings import Settings

PHRASE = "zeven groene fietsen"
T = TypeVar("T")


@dataclass(frozen=True)
class Person:
    """A citizen and what she knows."""

    user: str
    passphrase: str
    code: str


class Town:
    """One server on http://localhost:PORT; `newcomer` enrols somebody in it while it serves."""

    def __init__(self, folder: Path, access: Language = "wac") -> None:
        port = free_port()
        self.base = f"http://localhost:{port}"
        FileCustodian.create(folder / "custodian")
        self._folder = folder
        self._settings = Settings(data=folder / "data", base_url=self.base, port=port, access=access)
        self._numbers, self._ready = count(1), threading.Event()
        self._loop, self._stop = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="town", daemon=True)
        self._thread.start()
        assert self._ready.wait(30), "the house did not open"

    def newcomer(self) -> Person:
        """Enrol a citizen with a passphrase and a recovery code."""
        name = f"burger-{next(self._numbers)}"
        made = self._do(enroll(self.house.vault, name, name.title(), "citizen", name, PHRASE, wall_clock()))
        return Person(name, PHRASE, made.codes[0])

    def credentials(self, who: Person) -> solid.Credentials:
        """Make client credentials for a plain Solid program of hers."""
        pod = self.house.vault.pod(who.user)
        assert pod is not None
        webid = f"{self.base}/pods/{who.user}/profile/card#me"
        return self._do(solid.credentials(self.house.vault, pod, webid, "Laptop", wall_clock()))

    def furnish(self, who: Person) -> None:
        """Put a loan and an interest into her pod, and give Cultuurgids a grant over both."""
        self._do(self._furnish(who))

    def ask(self, app: Client, detail: dict[str, Any]) -> str:
        """Let an app ask whoever opens the address that comes back; where it lives is put in."""
        return self._do(self._ask(app, detail))

    async def _ask(self, app: Client, detail: dict[str, Any]) -> str:
        vault, now = self.house.vault, wall_clock()
        if clients.find(vault, app.client_id) is None:
            await clients.register(vault, app, now)
        until = (now + timedelta(days=180)).strftime("%Y-%m-%dT%H:%M:%SZ")
        terms = parse(detail | {"locations": [f"{self.base}/pods/"], "expires": until}, app, self.base, now)
        said = Pushed(app.client_id, sample.RETURN, sample.CHALLENGE, sample.JKT, terms, state="s")
        asked = await asks.push(vault, said, Shown(Proof(sample.JKT, fresh_bytes(32), 2**50), None), now)
        query = {"client_id": app.client_id, "request_uri": asked.request_uri}
        return f"{self.base}/oauth/authorize?{urlencode(query)}"

    async def _furnish(self, who: Person) -> None:
        vault, now = self.house.vault, wall_clock()
        opened = await passphrase.login(vault, who.user, who.passphrase, now)
        assert opened is not None
        session = opened[1]
        for path, record in RECORDS.items():
            permit, _ = gate.own(session, path.split("/")[1], "write", path)
            await store.write(vault, permit, path, "application/ld+json", orjson.dumps(record), now)
        if clients.find(vault, sample.APP.client_id) is None:
            await clients.register(vault, sample.APP, now)
        rows = [{"category": name, "necessity": "required"} for name in ("kluis:LibraryLoan", "pd:Interest")]
        until = (now + timedelta(days=180)).strftime("%Y-%m-%dT%H:%M:%SZ")
        detail = sample.detail(locations=[f"{self.base}/pods/{who.user}/"], datatypes=rows, expires=until)
        terms = parse(detail, sample.APP, self.base, now)
        said = Pushed("cultuurgids", sample.RETURN, sample.CHALLENGE, sample.JKT, terms, state="s")
        shown = Shown(Proof(sample.JKT, fresh_bytes(32), 2**50), None)
        asked = await asks.push(vault, said, shown, now)
        await asks.show(vault, session, asked, {"hash": "h", "language": "nl", "version": "1"}, now)
        asked = asks.find(vault, b64(asked.handle), "cultuurgids", now)
        chosen = choose(asked.terms.for_pod(who.user), set(), "asked", now)
        await grants.give(vault, session, asked, chosen, now)
        await sessions.end(vault, session, now)

    def stop(self) -> None:
        """End the server and let go of the data."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._live())
        self._loop.close()

    async def _live(self) -> None:
        self.house: House = open_house(self._settings, f"file:{self._folder / 'custodian'}")
        try:
            await found_office(self.house.vault, [Newcomer("dpo", "Dirk")], wall_clock())
            await run(self.house, self._ready.set, self._stop)
        finally:
            self.house.vault.close()
