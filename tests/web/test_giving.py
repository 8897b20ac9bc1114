"""She may let her loans and tickets make everybody's list better, apart from her own; when she stops, the copy goes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consent import grants
from keys.text import b64
from tests.house import Household
from tests.recommender.conftest import Small, small  # noqa: F401 -- a fixture
from tests.web.advised import Advised, advised

PAGE = "/me/suggestions"


@pytest.fixture
async def an(house: Household, small: Small, tmp_path: Path) -> AsyncIterator[Advised]:  # noqa: F811
    async with advised(house, small, tmp_path / "recommender") as one:
        yield one


async def test_who_gives_only_for_everybodys_list_gets_no_suggestions_of_her_own(an: Advised) -> None:
    assert an.desk.giver is not None
    await an.grant(("kluis:Ticket",), an.desk.giver)
    page = (await an.hers("GET", PAGE)).text
    assert "Bekijk de aanvraag" in page and "Dan gaat de kopie meteen weg" in page
    assert "kluis-personalised" not in (await an.hers("GET", PAGE)).headers
    assert (await an.hers("GET", "/api/suggestions")).json()["refused"]


async def test_the_page_asks_for_that_grant_by_itself_and_stopping_deletes_the_copy_with_a_signed_line(
    an: Advised,
) -> None:
    assert an.desk.giver is not None
    asked = await an.hers("POST", f"{PAGE}/ask", aim="model")
    assert asked.status_code == 303 and len(an.desk.giver._pending) == 1 and not an.desk.agent._pending
    an.desk.giver._pending.clear()
    await an.grant()
    given = await an.grant(("kluis:Ticket",), an.desk.giver)
    now = an.house.clock()
    assert await an.desk.giver.gather(an.desk.copies, "2026-11", now, lambda *_: None) == 1
    [copy] = an.desk.copies.read().values()
    assert set(copy) == {"kluis:LibraryLoan", "kluis:Ticket"}
    an.house.clock.forward(seconds=2)
    stopped = await an.hers("POST", f"/me/access/{b64(given)}/withdraw")
    assert stopped.status_code in (200, 303), stopped.text
    await an.house.quiet()
    an.house.clock.forward(seconds=2)
    await an.hearing.turn(an.house.clock())
    assert an.desk.copies.pods == set() and an.desk.giver.wallet.grant("an") is None
    assert an.desk.agent.wallet.grant("an") is not None
    assert [line["action"] for line in an.house.told()].count("attest deletion") == 1
    assert {grants.state_at(one, an.house.clock()) for one in grants.listing(an.house.vault, an.house.session.pod)} == {
        "live", "withdrawn"}  # fmt: skip
