"""Replacing and merging: a new version under a new key, the old tokens dead in the same write, nobody else's grant."""

from dataclasses import replace
from typing import Any

import pytest

from consent import amend, asks, endings, events, grants, issue, locks, narrowing, waiting
from consent.accounts import passphrase
from consent.accounts.people import enroll
from consent.asks import Asked, Shown
from consent.call import Denial
from consent.errors import OAuthError
from consent.oauth.dpop import Proof
from consent.oauth.par import Pushed
from consent.request import parse
from consent.tables import GrantKeyRow, Token
from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent import sample
from tests.consent.city import City
from vault.errors import Denied
from vault.shares import Want

ABOUT = {"category": "pd:Interest", "fields": ["schema:about"], "necessity": "required"}
INTERESTS = {"category": "pd:Interest", "necessity": "required"}
LOANS = {"category": "kluis:LibraryLoan", "necessity": "required"}
NOTICE = {"hash": "h", "language": "nl", "version": "1"}
MINE, LENT = "/interests/a.jsonld", "/loans/a.jsonld"


def said(city: City, grant: bytes, action: Any, *rows: dict[str, Any], **changes: Any) -> Pushed:
    terms = parse(sample.detail(datatypes=list(rows), **changes), sample.APP, sample.BASE, city.now)
    return Pushed("cultuurgids", sample.RETURN, sample.CHALLENGE, sample.JKT, terms, state="s", action=action,
                  grant=b64(grant))  # fmt: skip


async def ask(city: City, grant: bytes, action: Any, *rows: dict[str, Any], **changes: Any) -> Asked:
    pushed = said(city, grant, action, *rows, **changes)
    await amend.check(city.vault, pushed, city.now)
    asked = await asks.push(city.vault, pushed, Shown(Proof(sample.JKT, fresh_bytes(32), 2**50), None), city.now)
    await asks.show(city.vault, city.session, asked, NOTICE, city.now)
    return asks.find(city.vault, b64(asked.handle), "cultuurgids", city.now)


async def allow(city: City, asked: Asked) -> str:
    terms, before = amend.chosen(city.vault, city.session, asked, set(), "asked", city.now)
    return await grants.give(city.vault, city.session, asked, terms, city.now, before)


async def amended(city: City, grant: bytes, action: Any, *rows: dict[str, Any], **changes: Any) -> dict[str, Any]:
    asked = await ask(city, grant, action, *rows, **changes)
    return await city.redeem(await allow(city, asked))


async def granted(city: City, *rows: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    grant, code = await city.allow(asked=await city.ask(datatypes=list(rows)))
    return grant, await city.redeem(code)


def found(city: City, grant: bytes) -> grants.GrantFacts:
    facts = grants.load(city.vault, grant)
    assert facts is not None
    return facts


async def test_a_replaced_grant_keeps_its_id_and_opens_what_was_asked_now(city: City) -> None:
    grant, _ = await granted(city, ABOUT)
    tokens = await amended(city, grant, "replace", LOANS)
    assert tokens["grant_id"] == b64(grant) and found(city, grant).version == 2
    assert (await city.read(tokens["access_token"], LENT))["schema:name"] == "Tin Pan"
    denied = await city.read(tokens["access_token"], MINE)
    assert isinstance(denied, Denial) and denied.code == "insufficient_authorization_details"


async def test_a_merged_grant_opens_both_and_no_field_more_than_before(city: City) -> None:
    grant, _ = await granted(city, ABOUT)
    tokens = await amended(city, grant, "merge", LOANS)
    assert (await city.read(tokens["access_token"], LENT))["schema:name"] == "Tin Pan"
    read = await city.read(tokens["access_token"], MINE)
    assert read["schema:about"] == ["jazz"] and "schema:name" not in read


@pytest.mark.parametrize("action", ["replace", "merge"])
async def test_the_old_tokens_die_in_the_same_write(city: City, action: str) -> None:
    grant, old = await granted(city, ABOUT)
    before = {row.handle for row in city.vault.db.read.find(Token, grant=grant)}
    await amended(city, grant, action, LOANS)
    denied = await city.read(old["access_token"], MINE)
    assert isinstance(denied, Denial) and denied.code == "invalid_token"
    with pytest.raises(OAuthError, match="invalid_grant"):
        await city.renew(old["refresh_token"])
    told = issue.introspect(city.vault, sample.APP, old["refresh_token"], city.now)
    assert told == {"active": False}
    assert all(row.wrap is None for row in city.vault.db.read.find(Token, grant=grant) if row.handle in before)


async def test_a_new_version_has_a_new_key_and_new_shares_and_the_old_ones_are_gone(city: City) -> None:
    grant, _ = await granted(city, INTERESTS)
    place = city.session.pod.compartment("interests")
    old, before = city.vault.db.read.find(GrantKeyRow, grant=grant), city.vault.keyring(city.session.pod).grants
    await amended(city, grant, "merge", LOANS)
    new = city.vault.db.read.find(GrantKeyRow, grant=grant)
    assert b"" not in {row.keyed for row in new} and not {row.wrap for row in old} & {row.wrap for row in new}
    assert city.vault.shares.deleted(Want("grant", grant, place)) and city.vault.shares.count("grant", grant) == 2
    assert city.vault.keyring(city.session.pod).grants[grant, place] != before[grant, place]
    assert city.vault.shares.narrowed()[grant] == 2  # an old copy of the database brings nothing back


async def test_a_changed_grant_can_be_changed_narrowed_frozen_and_withdrawn_like_any_other(city: City) -> None:
    grant, _ = await granted(city, ABOUT)
    await amended(city, grant, "merge", LOANS)
    tokens = await amended(city, grant, "replace", INTERESTS, LOANS)
    assert found(city, grant).version == 3
    assert await narrowing.narrow(city.vault, city.session, grant, ["pd:Interest"], city.now)
    assert city.vault.shares.count("grant", grant) == 1
    assert (await city.read(tokens["access_token"], MINE))["schema:name"] == "geheim"
    tokens = await amended(city, grant, "merge", LOANS)
    assert (await city.read(tokens["access_token"], LENT))["schema:name"] == "Tin Pan"
    await narrowing.restrict(city.vault, city.session, grant, city.now, on=True)
    with pytest.raises(Denied, match="restricted"):
        await city.read(tokens["access_token"], MINE)
    await endings.withdraw(city.vault, city.session, grant, city.now)
    assert grants.keys_left(city.vault, grant) == 0


async def test_a_new_lock_reaches_a_changed_grant(city: City) -> None:
    grant, _ = await granted(city, INTERESTS)
    tokens = await amended(city, grant, "merge", LOANS)
    await locks.change(city.vault, city.session, ["interests"], city.now, rewrap=True)
    assert (await city.read(tokens["access_token"], MINE))["schema:about"] == ["jazz"]


async def test_refusing_leaves_the_old_grant_as_it_was(city: City) -> None:
    grant, tokens = await granted(city, ABOUT)
    before = found(city, grant)
    asked = await ask(city, grant, "merge", LOANS)
    await asks.refuse(city.vault, city.session, asked, city.now)
    assert replace(found(city, grant), uses=before.uses, last=before.last) == before
    assert (await city.read(tokens["access_token"], MINE))["schema:about"] == ["jazz"]
    assert (await city.renew(tokens["refresh_token"]))["grant_id"] == b64(grant)


async def test_the_change_stands_in_log_history_and_a_receipt_of_its_own(city: City) -> None:
    grant, _ = await granted(city, ABOUT)
    await amended(city, grant, "merge", LOANS)
    steps = events.history(city.vault, city.session.pod, grant)
    assert [step.state for step in steps] == ["requested", "shown", "given", "amended"]
    assert steps[-1].detail["version"] == 2 and steps[-1].detail["by"] == "merge"
    assert ("consent", "amend", "session") in city.told()
    kept = [one for one in grants.kept_receipts(city.vault, city.session.pod) if one.grant == grant]
    assert len(kept) == 2


async def test_the_same_again_for_longer_is_a_renewal(city: City) -> None:
    grant, code = await city.allow(asked=await city.ask(datatypes=[ABOUT], expires="2026-12-01T00:00:00Z"))
    await city.redeem(code)
    await amended(city, grant, "replace", ABOUT)
    assert events.history(city.vault, city.session.pod, grant)[-1].state == "renewed"
    city.clock.now = city.clock.now.replace(year=2027, month=4, day=30)
    assert grants.state_at(found(city, grant), city.now) == "live"


@pytest.mark.parametrize("action", ["replace", "merge"])
async def test_another_apps_grant_and_an_unknown_one_get_the_same_answer_and_are_logged(
    city: City, action: str
) -> None:
    grant, _ = await granted(city, ABOUT)
    stranger = replace(said(city, grant, action, ABOUT), client_id="other")
    answers = []
    for pushed in (stranger, replace(stranger, grant=b64(bytes(16))), replace(stranger, grant="x"),
                   replace(stranger, grant="~")):  # fmt: skip
        with pytest.raises(OAuthError) as refused:
            await amend.check(city.vault, pushed, city.now)
        answers.append((refused.value.code, refused.value.description, refused.value.detail))
    assert set(map(str, answers)) == {str(answers[0])} and answers[0][0] == "invalid_grant_id"
    assert ("denial", "ask", "other client") in city.told()


@pytest.mark.parametrize("end", ["withdrawn", "restricted", "expired"])
async def test_a_grant_that_is_not_live_cannot_be_changed(city: City, end: str) -> None:
    grant, _ = await granted(city, ABOUT)
    asked = await ask(city, grant, "merge", LOANS)
    if end == "withdrawn":
        await endings.withdraw(city.vault, city.session, grant, city.now)
    elif end == "restricted":
        await narrowing.restrict(city.vault, city.session, grant, city.now, on=True)
    else:
        city.clock.now = city.clock.now.replace(year=2027, month=5, day=1, hour=0)  # exactly its end
    with pytest.raises(OAuthError, match="access_denied"):
        amend.standing(city.vault, city.session, asked, city.now)
    later = said(city, grant, "merge", LOANS, expires="2027-06-01T00:00:00Z")
    with pytest.raises(OAuthError, match="invalid_grant_id"):
        await amend.check(city.vault, later, city.now)


async def test_another_purpose_is_refused_when_it_is_pushed_and_logged(city: City) -> None:
    grant, _ = await granted(city, ABOUT)
    other = said(city, grant, "merge", ABOUT)
    laundered = replace(other, terms=replace(other.terms, purpose_code="dpv:TargetedAdvertising"))
    with pytest.raises(OAuthError, match="invalid_authorization_details"):
        await amend.check(city.vault, laundered, city.now)
    assert ("denial", "ask", "other purpose") in city.told()


async def test_two_changes_at_once_have_one_winner(city: City) -> None:
    grant, _ = await granted(city, ABOUT)
    first, second = await ask(city, grant, "merge", LOANS), await ask(city, grant, "replace", INTERESTS)
    await allow(city, first)
    old = replace(found(city, grant), version=1, epoch=1)
    with pytest.raises(OAuthError, match="access_denied"):
        await grants.give(city.vault, city.session, second, second.terms.for_pod("an"), city.now, old)
    assert found(city, grant).version == 2


async def test_from_now_on_stays_from_when_it_was_given_and_a_new_row_begins_now(city: City) -> None:
    row = {**LOANS, "since": "grant"}
    grant, _ = await granted(city, row)
    first = [one.generation for one in city.vault.db.read.find(GrantKeyRow, grant=grant)]
    await amended(city, grant, "merge", INTERESTS)
    place = city.session.pod.compartment("loans")
    rows = city.vault.db.read.find(GrantKeyRow, grant=grant, compartment=place)
    assert [one.generation for one in rows] == first


async def test_a_request_that_changes_a_grant_waits_on_the_list_like_any_other(city: City) -> None:
    grant, _ = await granted(city, ABOUT)
    await ask(city, grant, "merge", LOANS)
    (one,) = waiting.of_citizen(city.vault, city.session, city.now)
    assert one.asked.said.grant == b64(grant) and one.here and not one.deferred


async def test_a_request_about_anothers_grant_that_a_victim_opens_is_denied(city: City) -> None:
    """The attacker's own grant and request, finished in somebody else's browser: her pod has no such grant."""
    grant, _ = await granted(city, ABOUT)
    asked = await ask(city, grant, "merge", LOANS)
    made = await enroll(city.vault, "bo", "Bo", "citizen", "bo", None, city.now)
    opened = await passphrase.login(city.vault, "bo", made.codes[0], city.now)
    assert opened is not None
    with pytest.raises(OAuthError, match="access_denied"):
        amend.standing(city.vault, opened[1], asked, city.now)
    with pytest.raises(OAuthError, match="access_denied"):
        amend.chosen(city.vault, opened[1], asked, set(), "asked", city.now)
    assert found(city, grant).version == 1
