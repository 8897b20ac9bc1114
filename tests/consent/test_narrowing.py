"""Less of a grant: what was taken out opens nothing in any copy; a restriction deletes nothing."""

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from consent import endings, grants, issue, narrowing, signed
from consent.call import Denial
from consent.errors import BadChoice, OAuthError
from consent.tables import Grant, GrantKeyRow
from keys.text import b64
from tests.consent.city import City
from tests.house import ALL_INTERESTS, Household
from vault.errors import DamagedItem, Denied
from vault.shares import Want

LOANS, INTERESTS = "kluis:LibraryLoan", "pd:Interest"
ROWS = [{"category": name, "necessity": "required"} for name in (LOANS, INTERESTS)]


async def granted(city: City) -> tuple[bytes, dict[str, str]]:
    grant, code = await city.allow(asked=await city.ask(datatypes=ROWS))
    return grant, await city.redeem(code)


async def test_a_narrowed_grant_opens_what_is_left_with_the_same_tokens(city: City) -> None:
    grant, tokens = await granted(city)
    assert await narrowing.narrow(city.vault, city.session, grant, [INTERESTS], city.now)
    assert (await city.read(tokens["access_token"], "/interests/a.jsonld"))["schema:about"] == ["jazz"]
    denied = await city.read(tokens["access_token"], "/loans/a.jsonld")
    assert isinstance(denied, Denial) and denied.code == "insufficient_authorization_details"
    access = (await city.renew(tokens["refresh_token"]))["access_token"]
    assert (await city.read(access, "/interests/a.jsonld"))["schema:about"] == ["jazz"]


async def test_narrowing_deletes_share_and_wraps_of_what_was_taken_out(city: City) -> None:
    grant, _ = await granted(city)
    loans, interests = (city.session.pod.compartment(name) for name in ("loans", "interests"))
    await narrowing.narrow(city.vault, city.session, grant, [INTERESTS], city.now)
    assert city.vault.shares.count("grant", grant) == 1
    assert city.vault.shares.deleted(Want("grant", grant, loans))
    assert {row.compartment for row in city.vault.db.read.find(GrantKeyRow, grant=grant)} == {interests}
    assert {cid for of, cid in city.vault.keyring(city.session.pod).grants if of == grant} == {interests}
    found = grants.load(city.vault, grant)
    assert found is not None and (found.version, found.terms.compartments) == (2, (INTERESTS,))
    assert ("key event", "narrow", "session") in city.told()
    assert len([kept for kept in grants.kept_receipts(city.vault, city.session.pod) if kept.grant == grant]) == 2


async def test_an_old_copy_of_the_database_does_not_bring_back_what_was_taken_out(city: City) -> None:
    grant, tokens = await granted(city)
    loans = city.session.pod.compartment("loans")
    before = [(r, city.vault.db.read.get(Grant, grant)) for r in city.vault.db.read.find(GrantKeyRow, grant=grant)]
    await narrowing.narrow(city.vault, city.session, grant, [INTERESTS], city.now)

    def restore(tx: object) -> None:
        wrap, old = next(one for one in before if one[0].compartment == loans)
        assert old is not None
        tx.add(wrap)  # type: ignore[attr-defined]
        tx.remove(Grant, id=grant)  # type: ignore[attr-defined]
        tx.add(old)  # type: ignore[attr-defined]

    await city.vault.db.write(restore)
    with pytest.raises(Denied, match="needs_renewal"):
        await city.read(tokens["access_token"], "/loans/a.jsonld")


async def test_a_share_store_put_back_is_swept_when_it_is_opened(city: City, tmp_path: Path) -> None:
    from vault.shares import Shares

    grant, _ = await granted(city)
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / "shares" / "shares.db", copy / "shares.db")
    await narrowing.narrow(city.vault, city.session, grant, [INTERESTS], city.now)
    shutil.copy(tmp_path / "shares" / "deleted.db", copy / "deleted.db")
    with closing(sqlite3.connect(copy / "shares.db")) as raw:
        assert raw.execute("SELECT count(*) FROM share WHERE owner = ?", (grant,)).fetchone() == (2,)
    store = Shares(copy)
    assert store.count("grant", grant) == 1
    store.close()


@pytest.mark.parametrize("keep", [[], ["pd:Location"]])
async def test_a_grant_is_narrowed_to_some_of_its_own_rows(city: City, keep: list[str]) -> None:
    grant, _ = await granted(city)
    with pytest.raises(BadChoice):
        await narrowing.narrow(city.vault, city.session, grant, keep, city.now)


async def test_a_restriction_stops_everything_and_deletes_nothing(city: City) -> None:
    grant, tokens = await granted(city)
    kept = grants.keys_left(city.vault, grant)
    assert await narrowing.restrict(city.vault, city.session, grant, city.now, on=True)
    assert not await narrowing.restrict(city.vault, city.session, grant, city.now, on=True)
    with pytest.raises(Denied, match="restricted"):
        await city.read(tokens["access_token"], "/interests/a.jsonld")
    with pytest.raises(OAuthError, match="access_denied"):
        await city.renew(tokens["refresh_token"])
    assert grants.keys_left(city.vault, grant) == kept
    assert await narrowing.restrict(city.vault, city.session, grant, city.now, on=False)
    assert (await city.read(tokens["access_token"], "/interests/a.jsonld"))["schema:about"] == ["jazz"]


async def test_a_restricted_grant_still_ends_at_its_end(city: City) -> None:
    grant, _ = await granted(city)
    await narrowing.restrict(city.vault, city.session, grant, city.now, on=True)
    city.clock.forward(days=400)
    assert await endings.sweep(city.vault, city.now) == 1
    assert grants.keys_left(city.vault, grant) == 0


async def test_a_withdrawn_grant_is_neither_narrowed_nor_restricted(city: City) -> None:
    grant, _ = await granted(city)
    await endings.withdraw(city.vault, city.session, grant, city.now)
    assert not await narrowing.narrow(city.vault, city.session, grant, [INTERESTS], city.now)
    assert not await narrowing.restrict(city.vault, city.session, grant, city.now, on=True)
    assert not await narrowing.restrict(city.vault, city.session, grant, city.now, on=False)


async def test_terms_that_the_citizen_did_not_sign_are_refused_everywhere(city: City) -> None:
    """Somebody with the server's own keys widens a grant: the seal is right, the signature is not."""
    from keys.secret import Private

    grant, tokens = await granted(city)
    await narrowing.narrow(city.vault, city.session, grant, [INTERESTS], city.now)
    held = issue.hold(city.vault, tokens["refresh_token"], "krt")
    assert held is not None
    wide = (await city.ask(datatypes=ROWS)).terms.for_pod("an")
    with Private.fresh() as other:
        forged = signed.row(city.session.pod, grant, 2, held.grant.created, wide, other)
    changed = {name: getattr(forged, name) for name in ("sealed", "commitment", "signature")}
    await city.vault.db.write(lambda tx: tx.change(Grant, {"id": grant}, **changed))
    with pytest.raises(DamagedItem, match=grant.hex()):
        grants.load(city.vault, grant)
    with pytest.raises(DamagedItem, match=grant.hex()):
        await city.read(tokens["access_token"], "/loans/a.jsonld")


async def test_narrowing_and_pausing_over_http(house: Household) -> None:
    granted = await house.grant({"category": LOANS, "necessity": "required"}, ALL_INTERESTS)
    path, shown = f"/api/grants/{b64(granted.id)}", {"sec-fetch-site": "same-origin", "cookie": f"kluis={house.cookie}"}
    fields = {"csrf": house.session.csrf, "keep": INTERESTS}
    restricted = await house.http.post(f"{path}/restrict", data=fields, headers=shown)
    assert restricted.json()["state"] == "restricted"
    closed = await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)
    assert closed.status_code == 403
    resumed = await house.http.post(f"{path}/resume", data=fields, headers=shown)
    assert resumed.json()["state"] == "live"
    narrowed = await house.http.post(f"{path}/narrow", data=fields, headers=shown)
    assert [row["category"] for row in narrowed.json()["terms"]["data"]] == [INTERESTS]
    assert (await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)).status_code == 200
    assert (await house.call("GET", "/pods/an/loans/a.jsonld", granted.access)).status_code == 403
    foreign = await house.http.post(f"{path}/narrow", data={"keep": INTERESTS}, headers=shown)
    assert foreign.status_code == 403
    wrong = await house.http.post(f"{path}/narrow", data={**fields, "keep": "pd:Location"}, headers=shown)
    assert wrong.status_code == 400


async def test_a_sooner_end_is_the_end_of_every_token_and_is_never_a_later_one(city: City) -> None:
    grant, tokens = await granted(city)
    before = grants.load(city.vault, grant)
    assert before is not None
    soon = int(city.now.timestamp() * 1000) + 60_000
    assert await narrowing.narrow(city.vault, city.session, grant, [LOANS, INTERESTS], city.now, until=soon)
    after = grants.load(city.vault, grant)
    assert after is not None and after.terms == replace(before.terms, expires=soon)
    assert (await city.read(tokens["access_token"], "/loans/a.jsonld"))["@type"] == LOANS
    for late in (soon, before.terms.expires, soon - 60_000):
        with pytest.raises(BadChoice):
            await narrowing.narrow(city.vault, city.session, grant, [LOANS, INTERESTS], city.now, until=late)
    city.clock.forward(minutes=1)
    denied = await city.read(tokens["access_token"], "/loans/a.jsonld")
    assert isinstance(denied, Denial) and denied.code == "invalid_token"
    assert await endings.sweep(city.vault, city.now) == 1
    assert grants.keys_left(city.vault, grant) == 0
