"""L10: whatever can give something of a pod away leaves exactly the entry that says so, of the right type and purpose.

Everything is enumerated from the product itself and must be declared (tests.log.declared); what is declared to leave a
line is acted out, allowed and denied, and its lines are read with the log key of the citizen; what is declared to open
nothing is called by everybody there is, with a witness at every opening function.
"""

from collections import Counter
from collections.abc import Callable

import pytest
from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from consent import gate
from consent.accounts import passphrase
from consent.accounts.people import enroll
from keys.text import b64
from tests.house import ALL_INTERESTS, Household
from tests.log import foreign_acts
from tests.log.acts import ONGOING
from tests.log.declared import LEAVES, SILENT, by_app
from tests.log.everything import pods, routes
from tests.log.stage import Line, Stage, stage
from vault import door
from vault.shares import Want
from vault.unlocked import reach

pytestmark = pytest.mark.timeout(300)


def named(house: Household) -> set[str]:
    return {*routes(house.app.pages), *pods()}  # type: ignore[attr-defined]


async def test_every_route_is_declared_once_and_nothing_is_declared_that_is_no_route(house: Household) -> None:
    assert not SILENT.keys() & LEAVES.keys()
    assert foreign_acts.LEAVES.keys() <= LEAVES.keys()
    assert named(house) ^ {*SILENT, *LEAVES} == set()


@pytest.mark.parametrize("route", LEAVES)
async def test_a_route_leaves_exactly_the_lines_that_say_what_it_did(
    route: str, house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(house, monkeypatch) as one:
        for number, (act, lines) in enumerate([*LEAVES[route], *foreign_acts.LEAVES.get(route, ())]):
            await act(one)
            taken, left = list(one.taken), await one.left()
            assert route in taken, (number, taken)
            assert Counter(left) == Counter(lines), number
            assert lines or one.opened() == set(), number
        assert one.watching.faults == []


async def test_what_is_declared_to_open_nothing_opens_nothing_for_anybody(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(house, monkeypatch) as one:
        callers = await everybody(one)
        for route in sorted(SILENT):
            for who, headers in callers.items():
                await one.begin()
                status = await call(one, route, headers(route))
                assert (one.opened(), await one.left()) == (set(), []), (route, who)
                assert status < 500 or status == 503, (route, who)
        assert one.watching.faults == []


Headers = Callable[[str], dict[str, str]]


async def everybody(one: Stage) -> dict[str, Headers]:
    """An, the officer, another citizen, an app, a program of An's, and a stranger; each as the headers it sends."""
    house = one.house
    made = await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    bo = await passphrase.login(house.vault, "bo", made.codes[0], house.clock())
    assert bo is not None
    granted, program = await house.grant(ALL_INTERESTS, **ONGOING), await house.jwt()
    one.grant = b64(granted.id)

    def browser(cookie: str, csrf: str) -> Headers:
        return lambda _: {"cookie": f"kluis={cookie}", "kluis-form": csrf, "sec-fetch-site": "same-origin"}

    def token(text: str) -> Headers:
        return lambda route: house.shown(route.partition(" ")[0], one.address(route), text)

    return {
        "an": browser(house.cookie, house.session.csrf),
        "officer": browser(one.officer[0], one.officer[1].csrf),
        "bo": browser(bo[0], bo[1].csrf),
        "app": token(granted.access),
        "program": token(program),
        "stranger": lambda _: {},
    }


async def call(one: Stage, route: str, headers: dict[str, str]) -> int:
    """One request along a route."""
    method, path = route.partition(" ")[0], one.address(route)
    answer = await one.house.http.request("GET" if method == "MOUNT" else method, path, headers=headers)
    one.house.http.cookies.clear()
    return answer.status_code


# ---------------------------------------------------------------- these tests can fail


async def test_a_planted_route_that_nobody_declared_is_noticed(house: Household) -> None:
    pages: FastAPI = house.app.pages  # type: ignore[attr-defined]

    async def planted() -> None:
        """Nobody says what this does."""

    pages.add_api_route("/api/planted", planted, methods=["POST"])
    pages.mount("/planted", FastAPI())
    assert named(house) - {*SILENT, *LEAVES} == {"POST /api/planted", "MOUNT /planted"}


def test_a_route_of_a_kind_that_is_not_known_is_not_left_out() -> None:
    with pytest.raises(AttributeError):
        routes(FastAPI(routes=[WebSocketRoute("/live", lambda _: None)]))


async def test_a_planted_route_that_gives_content_past_the_log_is_noticed(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(house, monkeypatch) as one:

        async def planted() -> None:
            """Opens a compartment with a share that no entry released."""
            want = Want("session", house.session.handle)
            with house.vault.shares.take(house.session.pod.id, [want])[want] as share:
                reach(house.session.keys, share).wipe()  # type: ignore[arg-type]  # mypy refuses it too

        house.app.pages.add_api_route("/api/planted", planted)  # type: ignore[attr-defined]
        await one.begin()
        assert (await house.http.get("/api/planted")).status_code == 200
        assert (one.opened(), await one.left()) == ({"session"}, [])
        assert one.watching.faults == ["act: session Root names no entry"]


async def test_a_planted_route_that_is_declared_to_open_nothing_and_does_is_noticed(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(house, monkeypatch) as one:

        async def planted() -> str:
            """Reads through the door, behind an entry, which names no purpose."""
            permit, keys = gate.own(house.session, "loans", "read", "/loans/a.jsonld")
            return (await door.read(house.vault, permit, keys, "/loans/a.jsonld", house.clock())).kind

        house.app.pages.add_api_route("/api/planted", planted)  # type: ignore[attr-defined]
        await one.begin()
        assert (await house.http.get("/api/planted")).json() == "resource"
        assert {"label", "body"} <= one.opened()
        (line,) = await one.left()
        assert line == Line("access", "read", rule="session", category="kluis:LibraryLoan", outcome="served", count=1)
        assert line != by_app("read", category="kluis:LibraryLoan")  # nor is it taken for an app's
