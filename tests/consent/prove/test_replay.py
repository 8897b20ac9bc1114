"""C6: a proof or assertion that was used is refused for as long as it would count, by a server that was killed too.

Real time, a real process, kill -9: what the server knew of it must be on disk before it answered.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from consent.jws import read
from consent.oauth.dpop import SKEW
from tests.consent import sample
from tests.consent.prove.served import Served, furnished, give, redeem
from tests.consent.prove.wire import FORM, Key, Line
from tests.proof import figure, proving, rounds

ONE, BATCH = "/pods/an/interests/a.jsonld", "/api/records?category=pd:Interest"
AT_ONCE, KILLS = 24, 4
pytestmark = pytest.mark.timeout(600)


@dataclass
class Copied:
    """One request as a thief has it: exactly these bytes."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    answered: int = 0  # status of the first use, 0 if the server died under it
    wins: int = 0

    async def send(self, line: Line) -> int:
        """Send it; 0 if no answer came."""
        try:
            status = (await line.send(self.method, self.path, self.headers, self.body)).status
        except (OSError, asyncio.IncompleteReadError):
            status = 0
        self.wins += status == 200
        return status


def ahead(key: Key, method: str, path: str, token: str, seconds: int) -> str:
    """A proof of a client whose clock runs ahead: it counts longest."""
    proof = key.proof(method, path, token)
    claims = dict(read(proof.encode()).claims) | {"iat": int(time.time()) + seconds}
    return sample.compact({"typ": "dpop+jwt", "alg": "ES256", "jwk": sample.public(key.dpop)}, claims, key.dpop)


def requests(key: Key, access: str, refresh: str, count: int) -> list[Copied]:
    """Reads and refreshes, proofs of now and of clients that run ahead."""
    made = []
    for number in range(count):
        skew = (0, SKEW - 5)[number % 2]
        if number % 4 < 3:
            path = (ONE, BATCH)[number // 4 % 2]
            shown = {"authorization": f"DPoP {access}", "dpop": ahead(key, "GET", path, access, skew)}
            made.append(Copied("GET", path, shown))
        else:
            headers = {"content-type": FORM, "dpop": ahead(key, "POST", "/oauth/token", "", skew)}
            made.append(Copied("POST", "/oauth/token", headers,
                               key.form(grant_type="refresh_token", refresh_token=refresh)))  # fmt: skip
    return made


async def all_at_once(place: Served, copied: list[Copied]) -> list[int]:
    lines = [place.line() for _ in copied]
    told = await asyncio.gather(*(one.send(line) for one, line in zip(copied, lines, strict=True)))
    for line in lines:
        line.close()
    return list(told)


async def test_c6_a_used_proof_is_refused_during_its_whole_window_by_a_server_that_was_killed_too(
    tmp_path: Path,
) -> None:
    replays, kills = 0, KILLS if proving() else 1
    wanted, odd = rounds(AT_ONCE, "C6"), set[int]()
    async with furnished(tmp_path / "city") as (place, vault, session):
        told = await redeem(vault, (await give(vault, session))[1])
    copied: list[Copied] = []
    end = 0.0
    for kill in range(kills + 1):
        with place.serving() as process:
            odd |= set(await all_at_once(place, [one for one in copied if one.answered]))
            await all_at_once(place, [one for one in copied if not one.answered])
            replays += len(copied)
            if kill == kills:
                break
            fresh = requests(place.key, told["access_token"], told["refresh_token"], AT_ONCE)
            used, dying = fresh[: AT_ONCE * 3 // 4], fresh[AT_ONCE * 3 // 4 :]
            for one, status in zip(used, await all_at_once(place, used), strict=True):
                one.answered = status
            assert {one.answered for one in used} == {200}
            under_way = asyncio.create_task(all_at_once(place, dying))
            await asyncio.sleep(0.02 * kill)
            place.kill(process)
            await under_way
            copied += fresh
            end = time.monotonic() + 2 * SKEW
    with place.serving():
        while (proving() and time.monotonic() < end) or replays < wanted:
            odd |= set(await all_at_once(place, copied))
            replays += len(copied)
            await asyncio.sleep(2 if proving() else 0)
    figure("C6", sum(max(0, one.wins - 1) for one in copied), replays)
    figure("C6 requests whose server died under them", sum(one.wins == 0 or not one.answered for one in copied), kills)
    assert [one.path for one in copied if one.wins > 1] == []
    assert odd <= {400, 401}, odd
