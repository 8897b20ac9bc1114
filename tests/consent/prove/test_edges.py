"""C10: the edges of a grant: another pod, an older version, its last millisecond. Inside works, outside does not."""

import random
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from consent import grants
from consent.accounts.people import enroll
from keys.text import b64
from tests.consent.prove.test_refused import Trial
from tests.house import ALL_INTERESTS, Granted, Household
from tests.proof import figure, rounds
from tests.web.test_managing import ABOUT, LOANS, app, browser, push
from tests.web.test_oauth import App, Browser
from vault import gates

__all__ = ["app", "browser"]
FEW = 6
READS = ("/api/records?category=pd:Interest", "/pods/an/interests/a.jsonld", "/pods/an/interests/")
OTHERS = (b"/pods/bo/interests/a.jsonld", b"/pods/bo/interests/", b"/pods/bo/", b"/pods/bo/profile/card",
          b"/pods/an/../bo/interests/a.jsonld", b"/pods/an/%2e%2e/bo/interests/a.jsonld",
          b"/pods/an%2f..%2fbo/interests/a.jsonld", b"/pods/bo/interests/a.jsonld/", b"/pods/bo//interests/a.jsonld",
          b"/pods/BO/interests/a.jsonld", b"/pods/nobody/interests/a.jsonld", b"/pods/bo/interests/.acl")  # fmt: skip


async def served(house: Household, granted: Granted) -> list[str]:
    """The addresses at which a token still gives something, its refresh token among them."""
    found = [path for path in READS if (await house.call("GET", path, granted.access)).status_code == 200]
    told: httpx.Response = await Trial(house, granted).renew()
    return [*found, "refresh"] if told.status_code == 200 else found


def at(house: Household, moment: int) -> None:
    """The clock stands at this millisecond."""
    house.clock.now += timedelta(milliseconds=moment - gates.ms(house.clock()))


async def test_c10_a_grant_opens_to_its_last_millisecond_and_nothing_at_its_end(house: Household) -> None:
    chance, count, late, early = random.Random(10), rounds(FEW, "C10"), 0, 0
    for _ in range(count):
        until = house.clock() + timedelta(seconds=chance.randint(2, 200))
        granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"},
                                    expires=until.strftime("%Y-%m-%dT%H:%M:%SZ"))  # fmt: skip
        found = grants.load(house.vault, granted.id)
        assert found is not None
        at(house, found.terms.expires - 1)
        early += await served(house, granted) != [*READS, "refresh"]
        for later in (0, 1, chance.randint(2, 10_000)):
            at(house, found.terms.expires + later)
            late += len(await served(house, granted))
    figure("C10", late, count)
    figure("C10a", early, count)
    assert (late, early) == (0, 0)


async def test_c10_a_token_opens_nothing_in_another_pod_and_the_try_is_in_the_log_of_its_own(house: Household) -> None:
    await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    outside = 0
    for path in OTHERS:
        shown = house.shown("GET", path.decode(), granted.access)
        status = await house.raw("GET", path, [(name.encode(), value.encode()) for name, value in shown.items()])
        outside += status not in (400, 401, 403, 404)
        if path.startswith(b"/pods/bo/interests/a.jsonld") and not path.endswith(b"/"):
            line = house.told()[-1]
            assert (line["type"], line["rule"]) == ("denial", "other pod")
    figure("C10b", outside, len(OTHERS))
    assert outside == 0
    assert (await house.call("GET", READS[0], granted.access)).status_code == 200


async def test_c10_tokens_of_an_older_version_open_nothing_of_the_new_one(
    house: Household, app: App, browser: Browser
) -> None:
    count, old = rounds(FEW, "C10c"), 0
    for number in range(count):
        granted = await house.grant(ABOUT, recurrence={"mode": "ongoing"})
        page = await browser.open(await push(app, b64(granted.id), ("merge", "replace")[number % 2], ABOUT, LOANS,
                                             retention=f"P{number + 1}D"))  # fmt: skip
        pressed = await browser.press(page, "allow", ("kluis:LibraryLoan",))
        code = parse_qs(urlsplit(pressed.headers["location"]).query)["code"][0]
        old += len(await served(house, granted))
        new: dict[str, Any] = (await app.redeem(code)).json()
        assert (await house.call("GET", READS[0], new["access_token"])).status_code == 200
        old += len(await served(house, granted))
    figure("C10c", old, count)
    assert old == 0
