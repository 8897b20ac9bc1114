"""Denials leave a line, and a flood of them one a minute: where nobody is known it stands in the office's log."""

import pytest

from consent.accounts import passphrase
from consent.accounts.sessions import log_private
from tests.house import Household
from vault.log import tally, views

FORM = {"client_assertion": "x", "client_assertion_type": "x"}


async def in_the_office(house: Household) -> list[tuple[str, str, int]]:
    """The denials in the office's log, once their minute is over: action, rule and count."""
    house.clock.forward(minutes=1)
    await tally.flush(house.vault.log, house.clock())
    officer = await passphrase.login(house.vault, "dpo", house.officer, house.clock())
    assert officer is not None
    with log_private(officer[1]) as private:
        told = [line.told for line in views.lines(house.vault, officer[1].pod, private)]
    return [(one["action"], one["rule"], one["count"]) for one in told if one["type"] == "denial"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/oauth/par", ("ask", "invalid_client", 40)),
        ("POST", "/oauth/token", ("token", "invalid_client", 40)),
        ("GET", "/dpo", ("read", "unauthenticated", 40)),
        ("POST", "/me/take-away", ("write", "unauthenticated", 40)),
        ("POST", "/api/operator/erase", ("operate", "role", 40)),
    ],
)
async def test_a_flood_of_denials_leaves_one_line_with_their_number(
    house: Household, method: str, path: str, expected: tuple[str, str, int]
) -> None:
    kept = house.vault.log.shards.kept
    for _ in range(40):
        answer = await house.http.request(method, path, data=FORM if method == "POST" else None)
        assert answer.status_code in (303, 401, 404), answer.text
    assert house.vault.log.shards.kept == kept
    assert await in_the_office(house) == [expected]


async def test_who_has_another_role_sees_in_her_own_log_that_her_session_tried(house: Household) -> None:
    for path in ("/dpo", "/api/dpo/totals", "/dpo"):
        assert (await house.http.get(path, headers={"cookie": f"kluis={house.cookie}"})).status_code == 403
    assert await in_the_office(house) == []
    told = house.told()[-1]
    assert (told["type"], told["rule"], told["count"]) == ("denial", "role", 3)
