"""C4 and C5: what may happen once happens once, however many try at the same moment, over real sockets.

Every try has a connection of its own, open before the race; a server that is asked a hundred times at once decides.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from keys.text import b64
from tests.consent import sample
from tests.consent.prove.served import Served, furnished, give, redeem
from tests.consent.prove.wire import FORM, Answer, Key, Line
from tests.proof import figure, rounds

BATCH, ONE = "/api/records?category=pd:Interest", "/pods/an/interests/a.jsonld"
FEW, CROWD, PAIR, COPIES, RACES = 2, 100, 40, 32, 5
ONCE = {"recurrence": {"mode": "once", "max_uses": 1}}
SEVEN = {"recurrence": {"mode": "ongoing", "max_uses": 7}}
DAILY = {"recurrence": {"mode": "ongoing", "max_per_day": 7}}
LIMITS = (("C4", ONCE, 1), ("C4a", SEVEN, 7), ("C4b", DAILY, 7))
Try = Callable[[Line], Awaitable[Answer]]
pytestmark = pytest.mark.timeout(900)


@dataclass
class Crowd:
    """A served house and many open connections to it."""

    place: Served
    key: Key
    lines: list[Line]

    async def at_once(self, calls: Iterable[Try]) -> list[Answer]:
        """All of these at the same moment."""
        return list(await asyncio.gather(*(call(line) for line, call in zip(self.lines, calls, strict=False))))

    async def reads(self, token: str) -> bool:
        """Whether a token still opens something."""
        return (await self.key.get(self.lines[0], ONE, token)).status == 200


@contextlib.asynccontextmanager
async def crowd(place: Served) -> AsyncIterator[Crowd]:
    """Serve, and open all connections."""
    with place.serving():
        lines = [place.line() for _ in range(CROWD)]
        for line in lines:
            await line.opened()
        yield Crowd(place, place.key, lines)
        for line in lines:
            line.close()


def reading(key: Key, path: str, token: str) -> Try:
    return lambda line: key.get(line, path, token)


def redeeming(key: Key, code: str) -> Try:
    return lambda line: key.redeem(line, code)


def renewing(key: Key, refresh: str) -> Try:
    return lambda line: key.renew(line, refresh)


def copies(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> list[Try]:
    """The very same request, byte for byte, many times."""
    return [lambda line: line.send(method, path, headers, body)] * COPIES


def won(answers: list[Answer]) -> int:
    return sum(answer.status == 200 for answer in answers)


async def test_c4_a_grant_of_so_many_uses_gives_exactly_so_many_to_a_hundred_at_once(tmp_path: Path) -> None:
    tokens: dict[str, list[str]] = {}
    async with furnished(tmp_path / "city") as (place, vault, session):
        for name, limit, _ in LIMITS:
            codes = [(await give(vault, session, **limit))[1] for _ in range(rounds(FEW, name))]
            tokens[name] = [(await redeem(vault, code))["access_token"] for code in codes]
    wrong = []
    async with crowd(place) as all_at:
        for name, _, uses in LIMITS:
            bad = [said for token in tokens[name] if (said := await misused(all_at, token, uses))]
            figure(name, len(bad), len(tokens[name]))
            wrong += bad
    assert wrong == []


async def misused(all_at: Crowd, token: str, uses: int) -> str:
    """A hundred uses at once and three more: "" if exactly so many won."""
    paths = [ONE, BATCH] * (CROWD // 2)
    answers = await all_at.at_once(reading(all_at.key, path, token) for path in paths)
    late = [await all_at.reads(token) for _ in range(3)]
    refused = {answer.status for answer in answers} - {200}
    held = won(answers) == uses and not any(late) and refused <= {401, 429}
    return "" if held else f"{won(answers)} of {uses}, then {late}, refused with {refused}"


async def test_c5_a_code_shown_forty_times_at_once_has_at_most_one_winner_and_that_one_keeps_nothing(
    tmp_path: Path,
) -> None:
    count, two, alive = rounds(FEW, "C5"), 0, 0
    async with furnished(tmp_path / "city") as (place, vault, session):
        codes = [(await give(vault, session))[1] for _ in range(count)]  # each lives 60 s
    async with crowd(place) as all_at:
        for code in codes:
            answers = await all_at.at_once([redeeming(all_at.key, code)] * PAIR)
            two += won(answers) != 1
            for answer in answers:
                assert answer.status == 200 or answer.json()["error"] == "invalid_grant"
                alive += answer.status == 200 and await all_at.reads(answer.json()["access_token"])
    figure("C5", two, count)
    figure("C5a", alive, count)
    assert (two, alive) == (0, 0)


async def test_c5_copies_of_one_request_at_once_have_one_winner_whatever_they_copy(tmp_path: Path) -> None:
    count, token_wins, read_wins, push_wins = -(-rounds(FEW, "C5b") // RACES), [], [], []
    async with furnished(tmp_path / "city") as (place, vault, session):
        told = await redeem(vault, (await give(vault, session))[1])
    async with crowd(place) as all_at:
        key, access = all_at.key, told["access_token"]
        for _ in range(count):
            headers = {"content-type": FORM, "dpop": key.proof("POST", "/oauth/token")}
            renew = key.form(grant_type="refresh_token", refresh_token=told["refresh_token"])
            token_wins.append(await all_at.at_once(post(renew, headers)))
            shared = key.proof("POST", "/oauth/token")  # one proof, each with an assertion of its own
            again = [key.form(grant_type="refresh_token", refresh_token=told["refresh_token"]) for _ in range(COPIES)]
            token_wins.append(
                await all_at.at_once(
                    call for body in again for call in post(body, {"content-type": FORM, "dpop": shared})[:1]
                )
            )
            access = next(one.json()["access_token"] for one in token_wins[-1] if one.status == 200)
            for path in (ONE, BATCH):
                shown = key.shown("GET", path, access)
                read_wins.append(await all_at.at_once(copies("GET", path, shown)))
            push_wins.append(await all_at.at_once(await pushes(key)))
    wins = [won(answers) for answers in token_wins + read_wins] + [
        sum(answer.status == 201 for answer in answers) for answers in push_wins]  # fmt: skip
    figure("C5b", sum(win != 1 for win in wins), len(wins))
    assert wins == [1] * len(wins)


def post(body: bytes, headers: dict[str, str]) -> list[Try]:
    """The very same token request, many times."""
    return copies("POST", "/oauth/token", headers, body)


async def pushes(key: Key) -> list[Try]:
    """The very same pushed request, many times."""
    detail = sample.detail(locations=[f"{key.base}/pods/an/"])
    body = key.form(response_type="code", redirect_uri=sample.RETURN, code_challenge=sample.CHALLENGE,
                    code_challenge_method="S256", authorization_details=orjson.dumps([detail]).decode())  # fmt: skip
    headers = {"content-type": FORM, "dpop": key.proof("POST", "/oauth/par")}
    return copies("POST", "/oauth/par", headers, body)


async def test_c5_what_a_refresh_wins_against_a_withdrawal_opens_nothing_after_it(tmp_path: Path) -> None:
    count, alive, both = rounds(FEW, "C5c"), 0, 0
    async with furnished(tmp_path / "city") as (place, vault, session):
        codes = [await give(vault, session) for _ in range(count)]
        given = [(b64(grant), (await redeem(vault, code))["refresh_token"]) for grant, code in codes]
    async with crowd(place) as all_at:
        for grant, refresh in given:
            renew = [renewing(all_at.key, refresh)] * PAIR
            stop = copies("POST", f"/api/grants/{grant}/withdraw", place.hers())[:1]
            answers = await all_at.at_once([*renew[: PAIR // 2], *stop, *renew[PAIR // 2 :]])
            assert answers.pop(PAIR // 2).status == 200
            both += 0 < won(answers) < PAIR
            for answer in answers:
                alive += answer.status == 200 and await all_at.reads(answer.json()["access_token"])
    figure("C5c", alive, count)
    figure("C5c rounds in which some refreshes came before and some after", both, count)
    assert alive == 0
