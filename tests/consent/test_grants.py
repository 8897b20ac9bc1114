"""The life of a grant in a real vault: given, used, refreshed, raced, taken back."""

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from consent import answers, asks, clients, endings, events, gate, grants, issue, receipts, solid
from consent.accounts import passphrase
from consent.accounts.people import Newcomer, enroll, found_office
from consent.accounts.sessions import SessionFacts, log_private
from consent.asks import Asked, Shown
from consent.errors import CodeReused, OAuthError
from consent.oauth import dpop, tokens
from consent.oauth.dpop import Proof
from consent.oauth.par import Pushed
from consent.request import choose, parse
from consent.tables import GrantKeyRow, Token
from consent.terms import Terms
from keys.grants import read_token
from keys.sign import thumbprint
from keys.text import b64
from tests.conftest import Clock
from tests.consent import sample
from vault import door, gates, store
from vault.errors import Denied
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
        call = gate.Call(
            "GET",
            url,
            "an",
            path,
            (f"DPoP {access}".encode(),),
            tuple(self.proof(url, method="GET", access=access)),
            batch=batch,
        )
        admitted = await gate.admit(self.vault, call, self.now)
        if isinstance(admitted, gate.Denial):
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
    await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    made = await enroll(vault, "an", "An Peeters", "citizen", "an", None, clock())
    opened = await passphrase.login(vault, "an", made.codes[0], clock())
    assert opened is not None
    _, session = opened
    for path, record in RECORDS.items():
        permit, _ = gate.own(session, path.split("/")[1], "write", path)
        await store.write(vault, permit, path, "application/ld+json", orjson.dumps(record), clock())
    await clients.register(vault, sample.APP, clock())
    await clients.register(vault, sample.OTHER_APP, clock())
    return City(vault, clock, session)


async def test_a_given_grant_opens_what_it_covers_and_nothing_else(city: City) -> None:
    grant, code = await city.allow({LOAN_TOPICS})
    answer = await city.redeem(code)
    access = answer["access_token"]
    assert (await city.read(access, "/interests/a.jsonld"))["schema:about"] == ["jazz"]
    assert "schema:name" not in await city.read(access, "/interests/a.jsonld")
    assert (await city.read(access, "/answers/loans-interest_topics_k10-P1Y.jsonld"))["schema:about"] == ["strips"]
    for path in ("/loans/a.jsonld", "/person/a.jsonld", "/answers/person-postal_district.jsonld", "/tickets/"):
        denied = await city.read(access, path)
        assert isinstance(denied, gate.Denial)
        assert denied.code == "insufficient_authorization_details"
    assert answer["grant_id"] == b64(grant)
    assert [row["category"] for row in answer["authorization_details"][0]["datatypes"]] == [
        "pd:Interest",
        "kluis:LibraryLoan",
    ]


async def test_a_derived_answer_gives_no_key_to_its_source(city: City) -> None:
    grant, _ = await city.allow({LOAN_TOPICS})
    keyed = {row.compartment for row in city.vault.db.read.find(GrantKeyRow, grant=grant)}
    pod = city.session.pod
    assert keyed == {pod.compartment("interests"), pod.compartment("answers")}


async def test_a_grant_that_only_writes_gets_no_key(city: City) -> None:
    asked = await city.ask(actions=["append"], datatypes=[{"category": "kluis:Derived", "necessity": "required"}])
    grant, _ = await city.allow(asked=asked)
    assert city.vault.db.read.find(GrantKeyRow, grant=grant) == []
    assert city.vault.shares.count("grant", grant) == 0


async def test_the_same_code_twice_has_one_winner_and_the_grant_ends(city: City) -> None:
    grant, code = await city.allow()
    done = await asyncio.gather(*(city.redeem(code) for _ in range(10)), return_exceptions=True)
    won = [one for one in done if isinstance(one, dict)]
    assert len(won) == 1
    assert all(isinstance(one, CodeReused | dict) or getattr(one, "code", "") == "invalid_grant" for one in done)
    assert grants.keys_left(city.vault, grant) == 0
    denied = await city.read(won[0]["access_token"], "/interests/a.jsonld")
    assert denied.code == "invalid_token"


async def test_a_code_that_comes_back_later_takes_its_tokens_down_whoever_shows_it(city: City) -> None:
    grant, code = await city.allow()
    answer = await city.redeem(code)
    city.clock.forward(seconds=120)
    with pytest.raises(CodeReused):
        await city.redeem(code, client="other")
    found = grants.load(city.vault, grant)
    assert found is not None
    assert found.state == "ended"
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.renew(answer["refresh_token"])


async def test_a_code_is_too_late_after_a_minute(city: City) -> None:
    _, code = await city.allow()
    city.clock.forward(seconds=60)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.redeem(code)


@pytest.mark.parametrize("wrong", [{"client": "other"}, {"key": sample.APP_KEY}, {"code_verifier": "b" * 43}])
async def test_a_code_of_another_client_or_key_is_refused_and_logged(city: City, wrong: dict[str, Any]) -> None:
    _, code = await city.allow()
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.redeem(code, **wrong)
    rules = {"client": "other client", "key": "other key", "code_verifier": "invalid_grant"}
    assert city.told()[-1] == ("denial", "token", rules[next(iter(wrong))])
    assert "access_token" in await city.redeem(code)


async def test_a_refresh_token_stays_and_belongs_to_its_client_and_key(city: City) -> None:
    _, code = await city.allow()
    refresh = (await city.redeem(code))["refresh_token"]
    for wrong in ({"client": "other"}, {"key": sample.APP_KEY}):
        with pytest.raises(OAuthError, match="invalid_grant"):
            await city.renew(refresh, **wrong)
    for _ in range(2):
        city.clock.forward(days=60)
        renewed = await city.renew(refresh)
        assert "refresh_token" not in renewed
        assert (await city.read(renewed["access_token"], "/interests/a.jsonld"))["schema:about"] == ["jazz"]
    city.clock.forward(days=90)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.renew(refresh)


async def test_a_withdrawal_leaves_no_key_and_bites_at_the_next_request(city: City) -> None:
    grant, code = await city.allow({LOAN_TOPICS})
    answer = await city.redeem(code)
    assert grants.keys_left(city.vault, grant) == 2 + 2 + 2
    assert await endings.withdraw(city.vault, city.session, grant, city.now)
    assert grants.keys_left(city.vault, grant) == 0
    denied = await city.read(answer["access_token"], "/interests/a.jsonld")
    assert denied.code == "invalid_token"
    assert city.told()[-1] == ("denial", "read", "withdrawn")
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.renew(answer["refresh_token"])
    assert await endings.withdraw(city.vault, city.session, grant, city.now)


async def test_a_withdrawal_beats_a_race_of_refreshes(city: City) -> None:
    grant, code = await city.allow()
    refresh = (await city.redeem(code))["refresh_token"]
    steps = [city.renew(refresh), endings.withdraw(city.vault, city.session, grant, city.now), city.renew(refresh)]
    done = await asyncio.gather(*steps, return_exceptions=True)
    assert grants.keys_left(city.vault, grant) == 0
    for one in done:
        if isinstance(one, dict):
            assert (await city.read(one["access_token"], "/interests/a.jsonld")).code == "invalid_token"


async def test_yesterdays_database_does_not_bring_a_withdrawn_grant_back(city: City) -> None:
    grant, code = await city.allow()
    access = (await city.redeem(code))["access_token"]
    assert (await city.read(access, "/interests/a.jsonld"))["schema:about"] == ["jazz"]
    read = city.vault.db.read
    wraps, keys = read.find(Token, grant=grant), read.find(GrantKeyRow, grant=grant)
    await endings.withdraw(city.vault, city.session, grant, city.now)

    def restore(tx: Any) -> None:
        tx.remove(Token, grant=grant)
        tx.run("UPDATE gate SET state = 'live', epoch = 1 WHERE id = :g", g=grant)
        for row in (*wraps, *keys):
            tx.add(row)

    await city.vault.db.write(restore)
    with pytest.raises(Denied, match="needs_renewal"):
        await city.read(access, "/interests/a.jsonld")


async def test_a_grant_for_a_session_ends_with_it(city: City) -> None:
    asked = await city.ask(recurrence={"mode": "session"})
    _, code = await city.allow(asked=asked)
    access = (await city.redeem(code))["access_token"]
    assert (await city.read(access, "/interests/a.jsonld"))["schema:about"] == ["jazz"]
    found = grants.load(city.vault, asked.handle)
    assert found is not None
    assert found.terms.expires == city.session.ends


async def test_a_code_given_before_a_withdrawal_opens_nothing_after_it(city: City) -> None:
    grant, code = await city.allow()
    await endings.withdraw(city.vault, city.session, grant, city.now)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.redeem(code)


async def test_nobody_withdraws_the_grant_of_somebody_else(city: City) -> None:
    grant, _ = await city.allow()
    made = await enroll(city.vault, "youssef", "Youssef", "citizen", "youssef", None, city.now)
    opened = await passphrase.login(city.vault, "youssef", made.codes[0], city.now)
    assert opened is not None
    assert not await endings.withdraw(city.vault, opened[1], grant, city.now)
    found = grants.load(city.vault, grant)
    assert found is not None
    assert found.state == "live"


async def test_a_grant_is_over_at_its_end_exactly(city: City) -> None:
    grant, code = await city.allow()
    refresh = (await city.redeem(code))["refresh_token"]
    found = grants.load(city.vault, grant)
    assert found is not None
    for days in (80, 80):
        city.clock.forward(days=days)
        access = (await city.renew(refresh))["access_token"]
        if found.terms.expires - gates.ms(city.now) < 90 * gates.DAY_MS:
            break
    city.clock.forward(milliseconds=found.terms.expires - gates.ms(city.now))
    denied = await city.read(access, "/interests/a.jsonld")
    assert denied.code == "invalid_token"
    assert grants.state_at(found, city.now) == "expired"
    assert await endings.sweep(city.vault, city.now) == 1
    assert grants.keys_left(city.vault, grant) == 0
    assert await endings.sweep(city.vault, city.now) == 0


async def test_a_grant_for_once_gives_one_read_and_no_refresh_token(city: City) -> None:
    asked = await city.ask(recurrence={"mode": "once", "max_uses": 1})
    _, code = await city.allow(asked=asked)
    answer = await city.redeem(code)
    assert "refresh_token" not in answer
    tries = [city.read(answer["access_token"], "/interests/a.jsonld") for _ in range(5)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, dict) for one in done) == 1
    found = grants.load(city.vault, asked.handle)
    assert found is not None
    assert grants.state_at(found, city.now) == "used_up"
    assert await endings.sweep(city.vault, city.now) == 1
    assert grants.keys_left(city.vault, asked.handle) == 0


async def test_a_request_is_decided_once_and_by_the_session_that_opened_it(city: City) -> None:
    asked = await city.ask()
    done = await asyncio.gather(*(city.allow(asked=asked) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(one, tuple) for one in done) == 1
    assert all(isinstance(one, tuple | OAuthError) for one in done)
    asked = await city.ask()
    await asks.refuse(city.vault, city.session, asked, city.now)
    with pytest.raises(OAuthError, match="invalid_request_uri"):
        asks.find(city.vault, b64(asked.handle), "cultuurgids", city.now)
    with pytest.raises(OAuthError):
        await city.allow(asked=asked)


async def test_a_request_that_nobody_opened_is_gone_after_a_minute_and_a_half(city: City) -> None:
    terms = parse(sample.detail(), sample.APP, sample.BASE, city.now)
    said = Pushed("cultuurgids", sample.RETURN, sample.CHALLENGE, sample.JKT, terms)
    pushed = [
        await asks.push(city.vault, said, Shown(Proof("", bytes([n]) * 32, 2**50), None), city.now) for n in (1, 2)
    ]
    await asks.keep(city.vault, pushed[0], city.now)
    city.clock.forward(seconds=asks.LIFETIME_S)
    assert asks.find(city.vault, b64(pushed[0].handle), "cultuurgids", city.now).said == said
    with pytest.raises(OAuthError, match="invalid_request_uri"):
        asks.find(city.vault, b64(pushed[1].handle), "cultuurgids", city.now)


async def test_a_replayed_proof_or_assertion_is_refused(city: City) -> None:
    _, code = await city.allow()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": sample.RETURN,
            "code_verifier": sample.VERIFIER}  # fmt: skip
    first, proof = city.assertion(), city.proof()
    refresh = (await issue.answer(city.vault, sample.token_request(assert_=first, **form), proof, city.now))[
        "refresh_token"
    ]
    renew = {"grant_type": "refresh_token", "refresh_token": refresh}
    with pytest.raises(OAuthError, match="invalid_dpop_proof"):
        await issue.answer(city.vault, sample.token_request(assert_=city.assertion(), **renew), proof, city.now)
    with pytest.raises(OAuthError, match="invalid_client"):
        await issue.answer(city.vault, sample.token_request(assert_=first, **renew), city.proof(), city.now)


async def test_an_app_may_give_its_grant_back(city: City) -> None:
    grant, code = await city.allow()
    answer = await city.redeem(code)
    other = clients.find(city.vault, "other")
    assert other is not None
    await issue.revoke(city.vault, other, answer["refresh_token"], city.now)
    assert issue.introspect(city.vault, sample.APP, answer["access_token"], city.now)["active"]
    assert issue.introspect(city.vault, other, answer["access_token"], city.now) == {"active": False}
    await issue.revoke(city.vault, sample.APP, answer["access_token"], city.now)
    assert issue.introspect(city.vault, sample.APP, answer["access_token"], city.now) == {"active": False}
    await issue.revoke(city.vault, sample.APP, answer["refresh_token"], city.now)
    assert grants.keys_left(city.vault, grant) == 0


async def test_every_step_is_an_event_a_receipt_or_a_line_and_stays_after_withdrawal(city: City) -> None:
    grant, _ = await city.allow()
    await endings.withdraw(city.vault, city.session, grant, city.now)
    pod = city.session.pod
    assert [step.state for step in events.history(city.vault, pod, grant)] == [
        "requested",
        "shown",
        "given",
        "withdrawn",
    ]
    kept = [receipts.open_receipt(one.jws, city.vault.issuer_public) for one in grants.kept_receipts(city.vault, pod)]
    assert [one["event"]["event_type"] for one in kept] == ["given", "withdrawn"]
    assert kept[0]["privacy_notice"] == {"digest": "h", "version": "1"}
    steps = [(kind, action) for kind, action, _ in city.told() if kind in ("consent", "key event")]
    assert steps[-4:] == [("consent", "ask"), ("consent", "give"), ("key event", "wrap keys"), ("consent", "withdraw")]


async def test_an_ended_session_gives_nothing(city: City) -> None:
    from consent.accounts import sessions

    asked = await city.ask()
    await sessions.end(city.vault, city.session, city.now)
    with pytest.raises(Exception, match=r"ended|gone|access_denied"):
        await city.allow(asked=asked)
    assert grants.load(city.vault, asked.handle) is None


async def test_the_preview_is_what_the_app_then_gets(city: City) -> None:
    asked = await city.ask()
    found = await answers.sources(city.vault, city.session, asked.terms, city.now, "preview")
    assert answers.worked_out(asked.terms.data[1], found["kluis:LibraryLoan"], city.now)["schema:about"] == ["strips"]


async def test_credentials_of_a_person_give_short_tokens_until_she_withdraws(city: City) -> None:
    made = await solid.credentials(city.vault, city.session.pod, city.session.webid, "Laptop", city.now)
    client = clients.find(city.vault, made.client_id)
    assert client is not None

    async def token() -> str:
        proof = dpop.check_proof(city.proof(), "POST", f"{sample.BASE}/oauth/token", city.now)
        return (await solid.token(city.vault, client, Shown(proof, None), city.now))[0]

    said = tokens.verify_token(await token(), [city.vault.issuer_public], sample.BASE, city.now)
    assert (said.webid, said.grant_id, said.epoch) == (city.session.webid, b64(made.grant), 1)
    assert said.jkt == thumbprint(sample.PROOF_KEY)
    await endings.withdraw(city.vault, city.session, made.grant, city.now)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await token()


async def test_no_secret_of_a_token_is_stored(city: City, tmp_path: Any) -> None:
    _, code = await city.allow()
    answer = await city.redeem(code)
    shown = [code, answer["access_token"], answer["refresh_token"]]
    secrets = [bytes(read_token(text).secret.view()) for text in shown]
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert read_token(code).handle in held
    assert not any(secret in held for secret in secrets)
    assert not any(text.split(".")[1].encode() in held for text in shown)


async def test_stored_terms_belong_to_their_grant(city: City) -> None:
    one, _ = await city.allow()
    two, _ = await city.allow({LOAN_TOPICS})
    first = grants.load(city.vault, one)
    assert first is not None
    assert isinstance(first.terms, Terms)
    assert {g.id for g in grants.listing(city.vault, city.session.pod)} == {one, two}
    assert len(city.vault.db.read.find(Token, grant=one)) == 1
