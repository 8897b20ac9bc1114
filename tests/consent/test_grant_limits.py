"""Limits and edges of a grant: its end, its uses, its session, its single decision."""

import asyncio
from typing import Any

import pytest

from consent import answers, asks, clients, endings, events, grants, issue, receipts, solid
from consent.accounts import passphrase, sessions
from consent.accounts.people import enroll
from consent.asks import Shown
from consent.call import Denial
from consent.errors import OAuthError
from consent.oauth import dpop, tokens
from consent.oauth.dpop import Proof
from consent.oauth.par import Pushed
from consent.request import parse
from consent.tables import Token
from consent.terms import Terms
from keys.grants import read_token
from keys.sign import thumbprint
from keys.text import b64
from tests.consent import sample
from tests.consent.city import LOAN_TOPICS, City
from vault import gates


async def test_a_grant_for_a_session_ends_with_it(city: City) -> None:
    asked = await city.ask(recurrence={"mode": "session"})
    _, code = await city.allow(asked=asked)
    access = (await city.redeem(code))["access_token"]
    assert (await city.read(access, "/interests/a.jsonld"))["schema:about"] == ["jazz"]
    found = grants.load(city.vault, asked.handle)
    assert found is not None
    assert found.terms.expires == city.session.ends


async def test_after_her_session_ended_nothing_of_a_grant_for_it_works(city: City) -> None:
    told = await city.redeem((await city.allow(asked=await city.ask(recurrence={"mode": "session"})))[1])
    _, later = await city.allow(asked=await city.ask(recurrence={"mode": "session"}))
    lasting = await city.redeem((await city.allow())[1])
    await sessions.end(city.vault, city.session, city.now)
    refused = await city.read(told["access_token"], "/interests/a.jsonld")
    assert isinstance(refused, Denial) and refused.code == "invalid_token"
    held = issue.hold(city.vault, told["access_token"], "kat")
    assert held is not None and not held.live(city.now)
    for late in (city.renew(told["refresh_token"]), city.redeem(later)):
        with pytest.raises(OAuthError, match="invalid_grant"):
            await late
    assert (await city.renew(lasting["refresh_token"]))["access_token"]


async def test_a_session_that_nobody_uses_ends_with_the_grants_for_it(city: City) -> None:
    told = await city.redeem((await city.allow(asked=await city.ask(recurrence={"mode": "session"})))[1])
    for _ in range(2):
        city.clock.forward(minutes=10)
        told |= await city.renew(told["refresh_token"])
        await sessions.touch(city.vault, city.session, city.now)
    city.clock.forward(minutes=15)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.renew(told["refresh_token"])


async def test_a_code_of_days_ago_from_somebodys_history_ends_nothing(city: City) -> None:
    grant, code = await city.allow()
    refresh = (await city.redeem(code))["refresh_token"]
    city.clock.forward(days=1, minutes=2)
    await endings.sweep(city.vault, city.now)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.redeem(code)
    assert city.vault.db.read.find(Token, grant=grant, kind="kac") == []
    assert (await city.renew(refresh))["access_token"]


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


async def test_u19_the_preview_is_what_the_app_then_gets(city: City) -> None:
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
