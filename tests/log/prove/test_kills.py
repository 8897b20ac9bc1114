"""L2: kill -9 at 500 random moments and points of the code, under load: nothing served unlogged, nothing told is lost.

Each chain of rounds goes on with the directory that the kill before left behind. After each kill another process opens
it as a server would, reads the citizen's log with her key, and everything that was acknowledged.
"""

import asyncio
import json
import random
import shutil
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from consent import gate
from consent.accounts import sessions
from keys.custodian import FileCustodian
from keys.merkle import verify_consistency
from keys.secret import fresh_bytes
from keys.text import b64, unb64
from tests.conftest import BASE, START, Clock
from tests.consent import sample
from tests.house import ALL_INTERESTS, Household, household
from tests.log.prove.forked import POINTS, house_at, in_fork, served, warm
from tests.proof import figure, rounds
from vault import door, fsck, gates
from vault.log import views
from vault.vault import Vault, open_vault
from web.app import create

ROUNDS = rounds(4, "L2a")
CHAIN = 25  # rounds on one directory
NEVER: dict[str, Any] = {"seq": 0, "size": 0, "root": "", "state": "live"}  # what was seen before the first round
PUBLIC = "/pods/an/public/"
pytestmark = [
    pytest.mark.timeout(120 + 4 * ROUNDS),
    # A client that finds nobody at a socket leaves it to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass(frozen=True)
class Known:
    """What the clients hold."""

    access: str
    program: str
    cookie: str
    csrf: str
    grant: str


@dataclass
class Told:
    """What one client heard and what it had sent when the server died."""

    known: Known
    socket: Path
    name: str
    turns: int = 0
    entries: dict[int, tuple[str, str]] = field(default_factory=dict)  # entry -> action and path it must say
    stored: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    states: set[str] = field(default_factory=set)  # of the grant, of which one must hold
    odd: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Do the same things over and over until nobody answers."""
        way = httpx.HTTPTransport(
            uds=str(self.socket), verify=False, trust_env=False
        )  # loading certificates takes long
        with httpx.Client(transport=way, base_url=BASE, timeout=20, trust_env=False) as http:
            try:
                while not self.odd:
                    self.turns += 1
                    self.turn(http)
            except httpx.TransportError:
                return

    def turn(self, http: httpx.Client) -> None:
        """One turn of this client."""
        raise NotImplementedError

    def ask(self, http: httpx.Client, method: str, path: str, token: str, says: tuple[str, str], body: str = "") -> int:
        """One call with a token; what the entry that the answer names must say is kept before its body is read."""
        headers = {"authorization": f"DPoP {token}", "dpop": proof(method, path, token), "content-type": "text/plain"}
        with http.stream(method, path, headers=headers, content=body.encode() or None) as answer:
            if answer.status_code < 300:
                self.entries[int(answer.headers["kluis-entry"])] = says
            text = answer.read().decode()
        if method == "GET" and answer.status_code == 200 and path in self.stored and text != self.stored[path]:
            self.odd.append(f"{path} was read as {text!r}")
        return answer.status_code


class Program(Told):
    """A program of An's: it writes new files and one again and again, and reads them."""

    def turn(self, http: httpx.Client) -> None:
        for name in (f"{self.name}-{self.turns}", f"{self.name}-again"):
            path, body = f"{PUBLIC}{name}.txt", f"{name} {self.turns} " * 20
            self.sent[path] = body
            self.expect(self.ask(http, "PUT", path, self.known.program, ("write", path[8:]), body), 201, 204)
            self.stored[path] = self.sent.pop(path)
            self.expect(self.ask(http, "GET", path, self.known.program, ("read", path[8:])), 200)

    def expect(self, status: int, *good: int) -> None:
        if status not in good:
            self.odd.append(f"status {status}")


class Reader(Told):
    """The app: it reads one record and all of them, while An restricts it and lets it go on."""

    def turn(self, http: httpx.Client) -> None:
        one, batch = "/pods/an/interests/a.jsonld", "/api/records?category=pd:Interest"
        for path, says in ((one, "/interests/a.jsonld"), (batch, "/interests/")):
            status = self.ask(http, "GET", path, self.known.access, ("read", says))
            if status not in (200, 401, 403):  # 403: restricted after the gate had looked, noticed by the writer
                self.odd.append(f"{path} {status}")


class Citizen(Told):
    """An: she restricts the app's grant and lets it go on."""

    def turn(self, http: httpx.Client) -> None:
        step, state = ("resume", "live") if "restricted" in self.states else ("restrict", "restricted")
        headers = {"cookie": f"kluis={self.known.cookie}", "sec-fetch-site": "same-origin"}
        self.states = self.states | {state}
        told = http.post(f"/api/grants/{self.known.grant}/{step}", data={"csrf": self.known.csrf}, headers=headers)
        if told.status_code != 200:
            self.odd.append(f"{step} {told.status_code} {told.text}")
        self.states = {state}


def proof(method: str, path: str, token: str) -> str:
    """A fresh DPoP proof of the app's or the program's key."""
    said = {"jti": b64(fresh_bytes(12)), "htm": method, "htu": BASE + path.partition("?")[0],
            "iat": int(START.timestamp()), "ath": b64(sha256(token.encode()).digest())}  # fmt: skip
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": sample.public(sample.PROOF_KEY)}
    return sample.compact(header, said, sample.PROOF_KEY)


# ---------------------------------------------------------------- in processes of their own


def furnish(folder: Path) -> dict[str, str]:
    """A directory with an office and An, who let an app and a program in."""

    async def furnished() -> dict[str, str]:
        custodian = FileCustodian.create(folder / "custodian")
        vault = open_vault(folder / "data" / "vault", folder / "data" / "shares", custodian, BASE, START)
        async with household(vault, Clock(), folder / "data") as house:
            told = await _held(house)
        vault.close()
        return told

    return asyncio.run(furnished())


async def _held(house: Household) -> dict[str, str]:
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    return {"access": granted.access, "program": await house.jwt(), "cookie": house.cookie,
            "csrf": house.session.csrf, "grant": b64(granted.id)}  # fmt: skip


def look(folder: Path, known: Known, before: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Open the directory as a server would, and compare it with what was acknowledged."""
    house = house_at(folder)
    vault = house.vault
    session = sessions.find(vault, known.cookie, START)
    assert session is not None
    with sessions.log_private(session) as private:
        lines = views.lines(vault, session.pod, private, before["seq"])
    said = {line.index: line.told for line in lines}
    silent = [index for index, says in told["entries"].items() if not _says(said.get(int(index)), says)]
    lost = asyncio.run(_lost(vault, session, told))
    state = gates.read(vault.db.read, unb64(known.grant))
    assert state is not None
    if state.state not in told["states"]:
        lost.append(f"the grant is {state.state}, not {told['states']}")
    head = _grown(vault, before)
    faults = fsck.check(house.settings.vault_dir, house.settings.shares_dir, vault.state)
    faults += [f"line {line.index} is broken" for line in lines if line.broken]
    newest = max((line.seq for line in lines), default=before["seq"])
    vault.close()
    return {"silent": silent, "lost": lost, "faults": faults, "seq": newest, "state": state.state, **head}


def _says(line: dict[str, Any] | None, says: tuple[str, str]) -> bool:
    """Whether a durable line is of an allowed access that did this to that."""
    if line is None:
        return False
    return [line["type"], line["decision"], line["action"], line["resources"]] == [
        "access",
        "allowed",
        says[0],
        [says[1]],
    ]


async def _lost(vault: Vault, session: sessions.SessionFacts, told: dict[str, Any]) -> list[str]:
    gone = []
    for path, body in told["stored"].items():
        permit, keys = gate.own(session, "public", "read", path[8:])
        found = await door.read(vault, permit, keys, path[8:], START)
        if found.kind != "resource" or found.body.decode() not in (body, told["sent"].get(path)):
            gone.append(f"{path}: {found.kind} {found.body[:60]!r}")
    return gone


def _grown(vault: Vault, before: dict[str, Any]) -> dict[str, Any]:
    """The new head after everything so far; it must go on from the one that was published last."""
    ledger = vault.log.ledger
    assert ledger.size >= before["size"], "a published head is gone"
    size = asyncio.run(vault.publish())
    assert size == vault.log.shards.kept
    if before["size"]:
        verify_consistency(before["size"], size, ledger.consistency(before["size"], size),
                           bytes.fromhex(before["root"]), ledger.tree.root())  # fmt: skip
    return {"size": size, "root": ledger.tree.root().hex()}


# ---------------------------------------------------------------- the rounds


def hammer(folder: Path, known: Known, state: str, number: int, chance: random.Random) -> list[Told]:
    """Load a server with clients and kill it under them, at a moment or at a point of its code.

    `state` is the grant's before that.
    """
    point, turn = "", 0
    if number % 2:
        point, turn = chance.choice(POINTS), chance.choice((1, -1)) * chance.randint(1, 40)
    kinds = (Program, Program, Program, Reader, Reader, Citizen)
    clients = [kind(known, folder / "http", f"r{number}c{n}") for n, kind in enumerate(kinds)]
    clients[-1].states = {state}
    with served(folder, point, turn) as kill:
        threads = [threading.Thread(target=client.run) for client in clients]
        for thread in threads:
            thread.start()
        enough, until = chance.randint(0, 60), time.monotonic() + 3
        while sum(len(client.entries) for client in clients) < enough and any(one.is_alive() for one in threads):
            if time.monotonic() > until:  # a busy machine
                break
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.01))
        kill()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
    return clients


def heard(clients: list[Told]) -> dict[str, Any]:
    """What all clients of a round were told, for another process."""
    odd = [odd for client in clients for odd in client.odd]
    assert odd == []
    told: dict[str, Any] = {"states": [], "entries": {}, "stored": {}, "sent": {}}
    for client in clients:
        for name in ("entries", "stored", "sent"):
            assert not told[name].keys() & getattr(client, name).keys()
            told[name] |= getattr(client, name)
        told["states"] += sorted(client.states)
    return told


def test_kill_9_anywhere_under_load_leaves_nothing_served_unlogged_and_loses_nothing_told(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    chance, made = random.Random(seed), tmp_path / "made"
    made.mkdir()
    known = Known(**in_fork(lambda: furnish(made)))
    warm(lambda: look(made, known, NEVER, {"states": ["live"], "entries": {}, "stored": {}, "sent": {}}))
    warm(lambda: create(house_at(made)))
    reads = writes = 0
    silent, lost, faults = [], [], []
    for number in range(ROUNDS):
        folder = tmp_path / f"chain{number // CHAIN}"
        if number % CHAIN == 0:
            shutil.copytree(made, folder)
            before = NEVER
        told = heard(hammer(folder, known, before["state"], number, chance))
        before = in_fork(partial(look, folder, known, before, json.loads(json.dumps(told))))
        silent += before["silent"]
        lost += before["lost"]
        faults += before["faults"]
        reads, writes = reads + len(told["entries"]), writes + len(told["stored"])
        if number % CHAIN == CHAIN - 1:
            shutil.rmtree(folder)
            print(f"{number + 1} rounds: {reads} requests, {writes} files; {len(silent)}, {len(lost)}, {len(faults)}")
    print(f"rounds {ROUNDS} seed {seed}: {reads} acknowledged requests with an entry, {writes} files")
    figure("L2a", len(silent), ROUNDS)
    figure("L2b", len(lost), ROUNDS)
    figure("L2c", len(faults), ROUNDS)
    assert (silent, lost, faults) == ([], [], []), f"seed {seed}"
    assert writes > ROUNDS
