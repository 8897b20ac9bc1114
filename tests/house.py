"""A furnished house: an office, An with her pod and her records, an app that may ask her, behind the real ASGI app.

Nothing is replaced. Consent is given through the functions behind the consent page; every other call is HTTP.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson

from consent import asks, clients, endings, gate, grants, issue, solid
from consent.accounts import passphrase, people
from consent.accounts.people import Newcomer, enroll, found_office
from consent.accounts.sessions import SessionFacts, log_private
from consent.asks import Shown
from consent.oauth.clients import Client
from consent.oauth.dpop import Proof
from consent.oauth.par import Pushed
from consent.request import choose, parse
from keys.secret import fresh_bytes
from keys.text import b64
from tests.conftest import BASE, Clock
from tests.consent import sample
from vault import store
from vault.log import views
from vault.vault import Vault
from web.app import House, create
from web.middleware import App
from web.recommending import Recommender
from web.settings import Settings
from web.timekeeper import Timekeeper

RECORDS = {
    "/interests/a.jsonld": {"@type": "pd:Interest", "schema:about": ["jazz"], "schema:name": "geheim"},
    "/loans/a.jsonld": {"@type": "kluis:LibraryLoan", "schema:name": "Tin Pan", "schema:about": ["strips"],
                        "schema:startTime": "2026-10-01"},
    "/person/a.jsonld": {"@type": "pd:PostalCode", "schema:postalCode": "2018"},
}  # fmt: skip
INTERESTS = {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"}
ALL_INTERESTS = {"category": "pd:Interest", "necessity": "required"}


@dataclass(frozen=True)
class Granted:
    """What the app holds after An allowed it."""

    id: bytes
    access: str
    refresh: str


@dataclass
class Household:
    """The house, An's open session, and a client that talks to the house as the world does."""

    vault: Vault
    clock: Clock
    house: House
    app: App
    http: httpx.AsyncClient
    session: SessionFacts
    cookie: str
    codes: tuple[str, ...]
    officer: str = ""  # a recovery code of the DPO's officer, whose user name is "dpo"
    secrets: dict[str, str] = field(default_factory=dict)

    # ------------------------------------------------------------ what the world sends

    def proof(self, method: str, path: str, token: str = "", key: Any = sample.PROOF_KEY, **changes: Any) -> str:
        """A fresh DPoP proof; `changes` replace claims, None leaves one out."""
        said = {"jti": b64(fresh_bytes(12)), "htm": method, "htu": BASE + path.partition("?")[0],
                "iat": int(self.clock().timestamp())}  # fmt: skip
        if token:
            said["ath"] = b64(sha256(token.encode()).digest())
        claims = {name: value for name, value in {**said, **changes}.items() if value is not None}
        return sample.compact({"typ": "dpop+jwt", "alg": "ES256", "jwk": sample.public(key)}, claims, key)

    def shown(self, method: str, path: str, token: str, **changes: Any) -> dict[str, str]:
        """The two headers of an authorised request."""
        return {"authorization": f"DPoP {token}", "dpop": self.proof(method, path, token, **changes)}

    async def call(self, method: str, path: str, token: str = "", headers: dict[str, str] | None = None,
                   content: bytes | None = None) -> httpx.Response:  # fmt: skip
        """One request, with token and proof if a token is given."""
        own = self.shown(method, path, token) if token else {}
        return await self.http.request(method, path, headers=own | (headers or {}), content=content)

    async def raw(self, method: str, path: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> int:
        """One request whose path goes out exactly as it is; returns the status."""
        status = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            status.append(message.get("status"))

        host = (b"host", BASE.split("//")[1].encode())
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
                 "path": path.decode("latin-1"), "raw_path": path, "query_string": b"", "root_path": "", "server": None,
                 "headers": [host, *headers], "client": ("127.0.0.1", 1)}  # fmt: skip
        await self.app(scope, receive, send)
        return int(status[0])

    async def jwt(self) -> str:
        """An access token under An's own client credentials (Solid-OIDC)."""
        if not self.secrets:
            account = people.find(self.vault, "an")
            assert account is not None
            made = await solid.credentials(self.vault, self.session.pod, account.webid, "Laptop", self.clock())
            self.secrets = {"id": made.client_id, "secret": made.client_secret}
        basic = httpx.BasicAuth(self.secrets["id"], self.secrets["secret"])
        form = {"grant_type": "client_credentials", "scope": "webid"}
        proof = {"dpop": self.proof("POST", "/oauth/token")}
        answer = await self.http.post("/oauth/token", data=form, headers=proof, auth=basic)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    # ------------------------------------------------------------ what An does

    async def grant(
        self, *data: dict[str, Any], tick: Sequence[str] = (), app: Client = sample.APP, **changes: Any
    ) -> Granted:
        """Cultuurgids, registered as `app`, asks for `data` and An allows it, with the rows in `tick`."""
        now = self.clock()
        terms = parse(sample.detail(datatypes=list(data), **changes), app, BASE, now)
        said = Pushed("cultuurgids", sample.RETURN, sample.CHALLENGE, sample.JKT, terms, state="s")
        asked = await asks.push(self.vault, said, Shown(Proof(sample.JKT, fresh_bytes(32), 2**50), None), now)
        await asks.show(self.vault, self.session, asked, {"hash": "h", "language": "nl", "version": "1"}, now)
        asked = asks.find(self.vault, b64(asked.handle), "cultuurgids", now)
        chosen = choose(asked.terms.for_pod("an"), set(tick), "asked", now)
        code = await grants.give(self.vault, self.session, asked, chosen, now)
        told = await self._redeem(code)
        return Granted(asked.handle, told["access_token"], told["refresh_token"])

    async def _redeem(self, code: str) -> dict[str, Any]:
        at = int(self.clock().timestamp())
        own = sample.assertion(jti=b64(fresh_bytes(12)), iat=at, exp=at + 60)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": sample.RETURN,
                "code_verifier": sample.VERIFIER}  # fmt: skip
        request = sample.token_request(assert_=own, **form)
        return await issue.answer(self.vault, request, [self.proof("POST", "/oauth/token").encode()], self.clock())

    async def press(self, path: str) -> httpx.Response:
        """Press a button of one of An's own pages."""
        same = {"sec-fetch-site": "same-origin", "cookie": f"kluis={self.cookie}"}
        return await self.http.post(path, data={"csrf": self.session.csrf}, headers=same)

    async def withdraw(self, granted: Granted) -> None:
        """An takes a grant back."""
        assert await endings.withdraw(self.vault, self.session, granted.id, self.clock())

    async def keep(self, path: str, record: Any) -> None:
        """An stores a record in one of her compartments."""
        permit, _ = gate.own(self.session, path.split("/")[1], "write", path)
        await store.write(self.vault, permit, path, "application/ld+json", orjson.dumps(record), self.clock())

    def told(self) -> list[dict[str, Any]]:
        """An's own log, oldest first."""
        with log_private(self.session) as private:
            return [line.told for line in views.lines(self.vault, self.session.pod, private)]

    async def quiet(self) -> None:
        """Wait until everything queued so far is durable."""
        await self.vault.db.write(lambda tx: None)


@contextlib.asynccontextmanager
async def household(vault: Vault, clock: Clock, data: Path, **more: Any) -> AsyncIterator[Household]:
    """Furnish a vault and open the front door; `more` are further settings."""
    (dirk,) = await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    made = await enroll(vault, "an", "An Peeters", "citizen", "an", None, clock())
    await clients.register(vault, sample.APP, clock())
    opened = await passphrase.login(vault, "an", made.codes[0], clock())
    assert opened is not None
    keeper = Timekeeper(clock, lambda: clock().timestamp(), None)
    settings = Settings(data=data, base_url=BASE, **more)
    house = House(vault, settings, clock, Recommender(data / "ask.sock"), keeper=keeper)
    app = create(house, clockwork=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        one = Household(vault, clock, house, app, http, opened[1], opened[0], made.codes, dirk.codes[0])
        for path, record in RECORDS.items():
            await one.keep(path, record)
        yield one
