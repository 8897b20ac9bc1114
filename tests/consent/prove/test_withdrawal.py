"""C1 to C3: a withdrawal bites. Requests race withdrawals over real sockets; what began after the answer gets nothing.

One server process, several client processes, one receiver of pushes; every moment is the client's own (one clock for
all processes of a machine). Afterwards the directory is opened and each grant's evidence is looked up.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from consent import events, grants, receipts
from consent.accounts.sessions import SessionFacts, log_private
from consent.tables import Token
from keys.text import b64, unb64
from tests.consent import sample
from tests.consent.prove.racer import Race
from tests.consent.prove.served import ROOT, Served, furnished, give, redeem
from tests.consent.prove.wire import Answer
from tests.proof import figure, rounds
from tests.web.pushing import Inbox, receiver
from vault.log import views
from vault.vault import Vault

FEW, PER, CLIENTS, WAVE, LANES = 8, 100, 2, 4, 8
WITHDRAWALS = rounds(FEW, "C1a")
pytestmark = pytest.mark.timeout(120 + 2 * WITHDRAWALS)


def race(place: Served, given: list[tuple[str, str]], per: int) -> list[dict[str, Any]]:
    """Race these grants (id, refresh token) from several client processes."""
    plan = {"base": place.base, "cookie": place.cookie, "csrf": place.csrf, "app": sample.APP_KEY,
            "dpop": sample.PROOF_KEY, "wave": WAVE, "per": per, "lanes": LANES}  # fmt: skip
    clients = []
    for number in range(CLIENTS):
        client = subprocess.Popen([sys.executable, "-m", "tests.consent.prove.racer"], cwd=ROOT, text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        assert client.stdin is not None
        json.dump(plan | {"seed": number, "grants": given[number::CLIENTS]}, client.stdin)
        client.stdin.close()
        clients.append(client)
    found = []
    for client in clients:
        with client:
            assert client.stdout is not None
            found += [json.loads(line) for line in client.stdout]
        assert client.returncode == 0
    return found


def pushed(inbox: Inbox, races: list[dict[str, Any]]) -> dict[str, float]:
    """Per grant the seconds from the press until its app had the token in hand; waits for the last ones."""
    until = time.monotonic() + 30
    while len(inbox.lines) < len(races) and time.monotonic() < until:
        time.sleep(0.1)
    wall = {one["grant"]: one["wall"] for one in races}
    told = {}
    for one in inbox.lines:
        said = json.loads(unb64(one["token"].split(".")[1]))
        assert [event["grant_event"] for event in said["events"].values()] == ["withdrawn"]
        told[said["sub_id"]["id"]] = one["at"] - wall[said["sub_id"]["id"]]
    return told


def evidence(vault: Vault, session: SessionFacts, races: list[dict[str, Any]]) -> list[str]:
    """What is missing, or there and should not be, of grants that were withdrawn."""
    with log_private(session) as private:
        lines = [line.told for line in views.lines(vault, session.pod, private)]
    by_grant = Counter((line.get("grant", ""), line["type"], line["action"]) for line in lines)
    kept = Counter(b64(one.grant) for one in grants.kept_receipts(vault, session.pod))
    states = Counter(
        (b64(one.grant), receipts.open_receipt(one.jws, vault.issuer_public)["event"]["event_state"])
        for one in grants.kept_receipts(vault, session.pod)
    )
    wrong = []
    for one in races:
        ident, found = unb64(one["grant"]), grants.load(vault, unb64(one["grant"]))
        steps = [step.state for step in events.history(vault, session.pod, ident)]
        reads = by_grant[one["grant"], "access", "read"]
        denials = sum(n for (grant, kind, act), n in by_grant.items()
                      if grant == one["grant"] and kind == "denial" and act == "read")  # fmt: skip
        held = {
            "state": found is not None and found.state == "withdrawn",
            "events": {"requested", "shown", "given", "withdrawn"} <= set(steps),
            "receipts": kept[one["grant"]] == 2 and states[one["grant"], "dpv:ConsentWithdrawn"] == 1,
            "entry": by_grant[one["grant"], "consent", "withdraw"] == 1,
            "reads in the log": reads == one["served"] == one["entries"],
            "refusals in the log": denials == one["asked"] - one["served"],
            "no key": grants.keys_left(vault, ident) == 0 and vault.shares.count("grant", ident) == 0,
            "no wrap": all(row.wrap is None for row in vault.db.read.find(Token, grant=ident)),
        }
        wrong += [f"{one['grant']} {name}" for name, good in held.items() if not good]
    return wrong


def test_a_race_counts_as_a_leak_what_began_after_the_answer_and_got_data_even_if_it_was_cut() -> None:
    one = Race("g", pressed=1.0, answered=2.0)
    for status, sent, whole in ((200, 0.5, True), (200, 1.9, True), (401, 2.1, True), (200, 2.2, False)):
        one.heard(Answer(status, {"kluis-entry": "1"}, b"", sent, 9.0, whole))
    told = one.judged()
    assert (told.asked, told.served, told.cut, told.late, told.leaks, told.last) == (4, 3, 1, 2, 1, 2.2)


async def test_c1_nothing_that_began_after_the_answer_of_a_withdrawal_succeeds(tmp_path: Path) -> None:
    per = max(PER, -(-rounds(FEW * PER, "C1") // WITHDRAWALS))
    with receiver() as inbox:
        async with furnished(tmp_path / "city", inbox.uri) as (place, vault, session):
            given = []
            for _ in range(WITHDRAWALS):  # a code lives for a minute
                grant, code = await give(vault, session)
                given.append((b64(grant), (await redeem(vault, code))["refresh_token"]))
        with place.serving():
            begun = time.monotonic()
            races = await asyncio.to_thread(race, place, given, per)
            took = time.monotonic() - begun
            reached = await asyncio.to_thread(pushed, inbox, races)
    with place.opened() as vault:
        wrong = evidence(vault, await place.session(vault), races)
    told(races, reached, wrong, took)
    assert [one for race in races for one in race["odd"]] == []
    assert len(races) == WITHDRAWALS and all(one["late"] and one["served"] for one in races)
    assert sum(one["leaks"] for one in races) == 0
    assert [one for one in races if one["refresh"] != "invalid_grant" or one["active"]] == []
    assert wrong == []
    assert len(reached) == WITHDRAWALS


def told(races: list[dict[str, Any]], reached: dict[str, float], wrong: list[str], took: float) -> None:
    """The figures."""
    asked, count = sum(one["asked"] for one in races), len(races)
    answers = [1000 * (one["answered"] - one["pressed"]) for one in races]
    bite = [1000 * max(0.0, one["last"] - one["pressed"]) for one in races]
    figure("C1", sum(one["leaks"] for one in races), asked)
    figure("C1a", sum(one["refresh"] != "invalid_grant" or one["active"] for one in races), count)
    figure("C1b", len({line.split()[0] for line in wrong}), count)
    figure("C1c", count - len(reached), count)
    figure("C1 requests begun after the answer", sum(one["late"] for one in races), asked)
    figure("C1 requests served", sum(one["served"] for one in races), asked)
    figure("C1 requests a second", round(asked / took), asked)
    figure("C2 median ms from the press to the last begin that still succeeded", round(median(bite), 1), count)
    figure("C3 maximum ms from the press to the last begin that still succeeded", round(max(bite), 1), count)
    figure("C2 median ms until it bites, from the press to the answer", round(median(answers), 1), count)
    figure("C3 maximum ms until it bites, from the press to the answer", round(max(answers), 1), count)
    for name, of in (("median", median), ("maximum", max)):
        figure(f"C1c {name} ms from the press to the app's receiver", round(1000 * of(reached.values() or [-1])), count)
