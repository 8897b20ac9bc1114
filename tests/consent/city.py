"""A citizen with data, an app with a key, and everything between them, on a real vault."""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from consent import asks, clients, gate, grants, issue
from consent.accounts import passphrase
from consent.accounts.people import Newcomer, enroll, found_office
from consent.accounts.sessions import SessionFacts, log_private
from consent.asks import Asked, Shown
from consent.call import Call, Denial
from consent.oauth.dpop import Proof
from consent.oauth.par import Pushed
from consent.request import choose, parse
from keys.text import b64
from tests.conftest import Clock
from tests.consent import sample
from vault import door, store
from vault.log import views
from vault.vault import Vault

LOAN_TOPICS = "kluis:LibraryLoan#interest_topics_k10"
RECORDS = {
    "/interests/a.jsonld": {"@type": "pd:Interest", "schema:about": ["jazz"], "schema:name": "geheim"},
    "/loans/a.jsonld": {"@type": "kluis:LibraryLoan", "schema:name": "Tin Pan", "schema:about": ["strips"],
                        "schema:startTime": "2026-10-01"},
    "/person/a.jsonld": {"@type": "pd:PostalCode", "schema:postalCode": "2018"},
}  # fmt: skip


@dataclass
class City:
    """An, logged in, with a few records; and an app that may ask her."""

    vault: Vault
    clock: Clock
    session: SessionFacts
    nonce: int = 0
    officer: str = ""  # a recovery code of the DPO's officer, whose user name is "dpo"

    @property
    def now(self) -> Any:
        return self.clock()

    def proof(
        self, url: str = "", key: Any = sample.PROOF_KEY, method: str = "POST", access: str | None = None
    ) -> list[bytes]:
        self.nonce += 1
        claims = {"jti": f"p{self.nonce}", "htm": method, "htu": url or f"{sample.BASE}/oauth/token",
                  "iat": int(self.now.timestamp())}  # fmt: skip
        if access:
            from hashlib import sha256

            claims["ath"] = b64(sha256(access.encode()).digest())
        return [sample.compact({"typ": "dpop+jwt", "alg": "ES256", "jwk": sample.public(key)}, claims, key).encode()]

    def assertion(self, client: str = "cultuurgids") -> str:
        self.nonce += 1
        at = int(self.now.timestamp())
        return sample.assertion(iss=client, sub=client, jti=f"a{self.nonce}", iat=at, exp=at + 60)

    async def ask(self, **changes: Any) -> Asked:
        terms = parse(sample.detail(**changes), sample.APP, sample.BASE, self.now)
        said = Pushed("cultuurgids", sample.RETURN, sample.CHALLENGE, sample.JKT, terms, state="s")
        self.nonce += 1
        shown = Shown(Proof(sample.JKT, self.nonce.to_bytes(32, "big"), 2**50), None)
        asked = await asks.push(self.vault, said, shown, self.now)
        await asks.show(self.vault, self.session, asked, {"hash": "h", "language": "nl", "version": "1"}, self.now)
        return asks.find(self.vault, b64(asked.handle), "cultuurgids", self.now)

    async def allow(self, ticked: set[str] = frozenset(), asked: Asked | None = None) -> tuple[bytes, str]:  # type: ignore[assignment]
        asked = asked or await self.ask()
        terms = choose(asked.terms.for_pod("an"), set(ticked), "asked", self.now)
        return asked.handle, await grants.give(self.vault, self.session, asked, terms, self.now)

    async def redeem(
        self, code: str, *, key: Any = sample.PROOF_KEY, client: str = "cultuurgids", **form: Any
    ) -> dict[str, Any]:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": sample.RETURN,
                  "code_verifier": sample.VERIFIER, **form}  # fmt: skip
        request = sample.token_request(assert_=self.assertion(client), **fields)
        return await issue.answer(self.vault, request, self.proof(key=key), self.now)

    async def renew(self, refresh: str, **other: Any) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        request = sample.token_request(assert_=self.assertion(other.get("client", "cultuurgids")), **form)
        return await issue.answer(self.vault, request, self.proof(key=other.get("key", sample.PROOF_KEY)), self.now)

    async def read(self, access: str, path: str, *, batch: bool = False) -> Any:
        url = f"{sample.BASE}{path}"
        call = Call(
            "GET",
            url,
            "an",
            path,
            (f"DPoP {access}".encode(),),
            tuple(self.proof(url, method="GET", access=access)),
            batch=batch,
        )
        admitted = await gate.admit(self.vault, call, self.now)
        if isinstance(admitted, Denial):
            return admitted
        if batch:
            found = await door.records(self.vault, admitted.permit, admitted.keys, self.now)
            return [admitted.limited(one.body or b"", one.label.media, self.now) async for one in found.items]
        opened = await door.read(self.vault, admitted.permit, admitted.keys, path, self.now)
        return orjson.loads(admitted.limited(opened.body, opened.media, self.now) or b"null")

    def told(self) -> list[tuple[str, str, str]]:
        with log_private(self.session) as private:
            lines = [line.told for line in views.lines(self.vault, self.session.pod, private)]
        return [(line["type"], line["action"], line["rule"]) for line in lines]


@pytest.fixture
async def city(vault: Vault, clock: Clock) -> City:
    clock.now = sample.NOW
    (dirk,) = await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    made = await enroll(vault, "an", "An Peeters", "citizen", "an", None, clock())
    opened = await passphrase.login(vault, "an", made.codes[0], clock())
    assert opened is not None
    _, session = opened
    for path, record in RECORDS.items():
        permit, _ = gate.own(session, path.split("/")[1], "write", path)
        await store.write(vault, permit, path, "application/ld+json", orjson.dumps(record), clock())
    await clients.register(vault, sample.APP, clock())
    await clients.register(vault, sample.OTHER_APP, clock())
    return City(vault, clock, session, officer=dirk.codes[0])
