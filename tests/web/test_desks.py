"""Where people land after their login: each role on a page that has something for it, and on nobody else's."""

import pytest

from consent.accounts.people import enroll
from consent.accounts.roles import ROLES, Role
from tests.house import Household
from tests.web.test_accounts import log_in
from web.pages.desk import DESKS, HOME

PHRASE = "zeven groene fietsen"


def test_every_role_has_a_place_to_land() -> None:
    assert set(HOME) == set(ROLES) and "/me/security" not in HOME.values()


@pytest.mark.parametrize("role", ["developer", "institution", "operator"])
async def test_a_role_without_a_pod_lands_on_a_page_that_says_what_it_has_and_where(
    house: Household, role: Role
) -> None:
    await enroll(house.vault, "devi", "Devi", role, None, PHRASE, house.clock())
    done = await log_in(house.http, "devi", PHRASE)
    assert done.headers["location"] == HOME[role]
    shown = await house.http.get(HOME[role])
    assert shown.status_code == 200 and DESKS[role].lead in shown.text and DESKS[role].not_yet in shown.text
    assert 'href="/me/security"' in shown.text and (await house.http.get("/me/security")).status_code == 200
    for place in DESKS[role].places:
        if place.link:
            assert (await house.http.get(place.link)).status_code == 200, place.link
    for other in set(HOME.values()) - {HOME[role]}:
        refused = await house.http.get(other, headers={"accept": "text/html"})
        assert refused.status_code == 403 and f'href="{HOME[role]}">Naar het begin' in refused.text
    assert "sloten" not in (await house.http.get("/me/security")).text
    assert (await house.http.get("/me/security/locks")).status_code == 403


async def test_a_citizen_and_a_stranger_do_not_get_these_pages(house: Household) -> None:
    for desk in DESKS.values():
        assert (await house.http.get(desk.path)).headers["location"].startswith("/login")
        mine = await house.http.get(desk.path, headers={"cookie": f"kluis={house.cookie}"})
        assert mine.status_code == 403
