"""Attack list D (consent.md 6): who works inside and wants more, one test per row."""

import shutil
from pathlib import Path

import httpx
import pytest

from consent import endings, grants
from consent.accounts.people import enroll
from consent.accounts.roles import Role
from consent.categories import CATEGORIES
from keys.text import b64
from tests.conftest import Clock
from tests.house import INTERESTS, RECORDS, Household
from tests.log.everything import PODS
from tests.vault.test_backup import opened, put_back, taken
from tests.web.fronts import addresses
from tests.web.test_roles import enter
from web.app import create

SECRETS = ("geheim", "Tin Pan", "2018", "jazz", "strips")
"""Words that stand in An's records and nowhere else."""


@pytest.mark.parametrize("role", ["dpo", "operator", "institution", "developer"])
async def test_staff_reach_no_content_at_any_address_and_the_citizen_sees_their_try(
    house: Household, role: Role
) -> None:
    granted = await house.grant(INTERESTS)
    cookie = {"cookie": f"kluis={await enter(house, role)}", "accept": "*/*", "sec-fetch-site": "same-origin"}
    ways = addresses(house.app.pages, {"GET"}, granted)  # type: ignore[attr-defined]
    pods = [("GET", path) for path in [*PODS.values(), *RECORDS, "/loans/", "/interests/"]]
    for method, address in [*ways, *[(m, a if a.startswith("/pods") else f"/pods/an{a}") for m, a in pods]]:
        answer = await house.http.request(method, address, headers=cookie, params={"category": "kluis:LibraryLoan"})
        assert not any(word in answer.text for word in SECRETS), (role, address)
        if address.startswith("/pods/an/") and address not in PODS.values():
            assert answer.status_code == 401, (role, address)
    mine = await house.http.get(f"/api/grants/{b64(granted.id)}", headers=cookie)
    assert mine.status_code == 404, "a grant of somebody else is not there"
    assert (await house.http.post(f"/me/access/{b64(granted.id)}/withdraw", headers=cookie)).status_code == 403
    assert (await house.call("GET", "/api/records?category=pd:Interest", granted.access)).status_code == 200


async def test_the_operators_socket_has_no_address_that_gives_content(house: Household) -> None:
    granted = await house.grant(INTERESTS)
    operator = create(house.house, operator=True, clockwork=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(operator), base_url=house.vault.base) as socket:
        for _, address in addresses(house.app.pages, {"GET"}, granted):  # type: ignore[attr-defined]
            answer = await socket.get(address, params={"category": "kluis:LibraryLoan"})
            assert not any(word in answer.text for word in SECRETS), address
        for path in RECORDS:
            assert (await socket.get(f"/pods/an{path}")).status_code == 401


async def test_the_dpo_sees_totals_and_no_name_no_pod_and_no_record(house: Household) -> None:
    granted = await house.grant(INTERESTS)
    await house.call("GET", "/api/records?category=pd:Interest", granted.access)
    cookie = {"cookie": f"kluis={await enter(house, 'dpo')}"}
    told = await house.http.get("/api/dpo/totals", headers=cookie)
    assert told.status_code == 200 and any(row["client"] == "cultuurgids" for row in told.json()["rows"])
    for word in (*SECRETS, "An Peeters", "/pods/an", house.session.webid, b64(house.session.pod.id)):
        assert word not in told.text


async def test_the_recommender_outside_its_grant_gets_the_answer_of_any_other_app_and_it_is_logged(
    house: Household,
) -> None:
    """One gate for all: the recommender is an app whose token covers what she ticked and nothing more."""
    granted = await house.grant(INTERESTS)
    outside = [f"/api/records?category={curie}" for curie in CATEGORIES if curie not in ("pd:Interest", "kluis:File")]
    for path in (*outside, "/pods/an/loans/a.jsonld", "/pods/an/person/a.jsonld", "/api/answers/interest_topics_k10"):
        refused = await house.call("GET", path, granted.access)
        assert refused.status_code == 403, path
        assert 'error="insufficient_authorization_details"' in refused.headers["www-authenticate"], path
        line = house.told()[-1]
        assert (line["type"], line["decision"], line["client"]) == ("denial", "denied", "cultuurgids"), path


async def test_a_restored_copy_of_the_database_does_not_revive_a_withdrawn_grant(
    house: Household, tmp_path: Path, clock: Clock
) -> None:
    granted, other = await house.grant(INTERESTS), await house.grant(INTERESTS)
    taken(house, tmp_path / "kept")
    assert await endings.withdraw(house.vault, house.session, granted.id, clock())
    shutil.copytree(tmp_path / "shares", tmp_path / "new" / "shares")
    put_back(tmp_path / "kept", tmp_path / "new", clock)
    vault = opened(tmp_path / "new", house.house.settings.data, clock)
    try:
        revived, kept = (grants.load(vault, one.id) for one in (granted, other))
        assert revived is not None and kept is not None
        assert (revived.state, kept.state) == ("ended", "live")
        assert vault.shares.count("grant", granted.id) == 0
    finally:
        vault.close()


async def test_an_operator_is_no_way_around_the_roles(house: Household) -> None:
    await enroll(house.vault, "op", "Op", "operator", None, "zeven groene fietsen", house.clock())
    cookie = {"cookie": f"kluis={await enter(house, 'operator')}"}
    for path in ("/dpo", "/api/dpo/totals", "/me/data", "/me/access", "/dev", "/insight"):
        assert (await house.http.get(path, headers=cookie)).status_code == 403, path
