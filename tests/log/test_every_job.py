"""L10, beside the routes: turns of the clockwork, commands, and every way by which bytes can leave the process.

Each is declared here with what it leaves or why it opens nothing; what is not declared fails.
"""

import ast
import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from consent import endings, gate, outbox
from consent.accounts import passphrase, sessions
from keys import age
from tests.conftest import START
from tests.house import ALL_INTERESTS, Household
from tests.log import everything
from tests.log.declared import LEAVES, agreed
from tests.log.stage import STATEMENT, Line, Stage, stage
from tests.stories.provenance import watch
from tests.test_contracts import ROOT
from tests.web import test_leaving
from tests.web.pushing import listens, receiver, running, until
from tests.web.test_leaving import ASKED, PHRASE, Place
from tests.web.test_watching import Watched
from vault import store
from vault.log import retention, tally
from web import jobs
from web.app import open_house
from web.cli import app

pytestmark = pytest.mark.timeout(300)
place = test_leaving.place

Turn = tuple[Callable[[Stage], Awaitable[object]], list[Line]]
NO_CONTENT = "writes what is durable already in another form, or forgets what is over; it has no key to anything"


async def grants_end(one: Stage) -> None:
    """A grant is over and is ended."""
    await one.house.grant(ALL_INTERESTS, expires="2026-11-23T00:00:00Z", recurrence={"mode": "ongoing"})
    one.house.clock.forward(days=5)
    await one.begin()
    assert await endings.sweep(one.house.vault, one.house.clock()) == 1


async def sessions_end(one: Stage) -> None:
    """A session that nobody uses is ended."""
    one.house.clock.forward(minutes=16)
    await one.begin()
    assert await sessions.sweep(one.house.vault, one.house.clock()) >= 1


async def denials_are_summed(one: Stage) -> None:
    """Denials of a minute become one line."""
    await tally.add(one.house.vault.log, one.house.session.pod.id, "invalid_token", one.house.clock())
    one.watching.begin("act")
    one._first = one.watching.first
    assert await tally.flush(one.house.vault.log, one.house.clock(), all_of_them=True) == 1


async def months_end(one: Stage) -> None:
    """A month is over: the log says so for everybody, then its record keys go."""
    for _ in range(3):
        one.house.clock.forward(days=31)
        permit = gate.deposit(one.house.session.pod, "pd:Interest", "source-mijnbib")
        await store.deposit(one.house.vault, permit, [], one.house.clock(), "mijnbib")
    await one.begin()
    await retention.sweep(one.house.vault, one.house.clock(), 1, 1)


EXPIRED = Line("key event", "session expired", rule="session")


async def witnesses_are_asked(one: Stage) -> None:
    """No witness answers for a minute, then all of them do: both are said in the office's log."""
    watched = Watched(one.house.house, one.house.clock, one.house.house.settings.data / "watched")
    await watched.turn()
    watched.away("gent", "brugge")
    one.house.clock.forward(seconds=61)
    await one.begin()
    shards = one.house.vault.log.shards
    before, asking = shards.kept, asyncio.create_task(watched.watching.run(watched.house))
    for more in (1, 2):
        for waited in range(1, 2000):
            if shards.kept >= before + more:
                break
            await asyncio.sleep(0.01)
            if waited % 50 == 0:  # on a busy machine a witness may have been too late: it is asked again
                one.house.clock.forward(seconds=11)
                watched.watching.wake.set()
        watched.away()
        watched.watching.wake.set()
    asking.cancel()
    await watched.http.aclose()


async def epoch_begins(one: Stage) -> None:
    """An epoch is over: what every pod's log holds is stated for everybody, as hashes."""
    await jobs.sum_up(one.house.house)
    one.house.clock.forward(minutes=2)
    await one.begin()
    await jobs.sum_up(one.house.house)


TURNS: dict[str, str | Turn] = {
    **dict.fromkeys(["asyncio.sleep", "_for_ever", "turn", "sum_up"], "waits for, or is one turn of all that follows"),
    "run": "starts all that follows",
    "house.watching.run": (witnesses_are_asked, [
        Line("admin", "raise log alarm", rule="quorum", whose="office"),
        Line("admin", "end log alarm", rule="quorum", whose="office")]),
    "house.outgoing.run": "tells apps what happened to their grants, with the line below",
    "house.channels.run": "cuts off who listens too long; what is told leaves a line",
    "house.knocking.run": "tells webhooks what happened, never the content, each try behind a line of its own",
    "house.vault.publish": NO_CONTENT,
    "house.vault.epochs.sum_up": (epoch_begins, [STATEMENT]),
    "vault.log.settle": NO_CONTENT,
    "vault.publish": NO_CONTENT,
    "vault.forget_proofs": NO_CONTENT,
    "uses.sweep": NO_CONTENT,
    "tally.flush": (denials_are_summed, [Line("denial", "read", "denied", "invalid_token", count=1)]),
    "sessions.sweep": (sessions_end, [replace(EXPIRED, whose=whose) for whose in ("an", "office")]),
    "dynamic.sweep": NO_CONTENT,
    "endings.sweep": (grants_end, [agreed("end", "expired")]),
    "retention.sweep": (months_end, [STATEMENT]),
}  # fmt: skip

BY_HTTP = "asks the server over HTTP or its socket, by a route that is declared; it opens no vault itself"
NO_KEYS = "reads the directory without any citizen's key"
ITSELF = "the server itself, whose routes and turns are declared"
APP = "an app like any other, in its own process: `GET /api/records` with its own grant"
COMMANDS = {
    "kluis serve": ITSELF, "kluis demo": ITSELF, "kluis recommender": APP,
    "kluis train": "made-up people and public data", "kluis bench": "made-up people, in a vault that is thrown away",
    "kluis evaluate": "sets of interactions that are no pod's",
    "kluis check": "settings only", "kluis fsck": NO_KEYS, "kluis backup": NO_KEYS, "kluis restore": NO_KEYS,
    "kluis witness serve": "cosigns heads of other vaults, in a process that knows no pod",
    "kluis demo tamper": "changes one stored row of a demo city, and can read none",
    "kluis log verify": "what everybody may fetch", "kluis log prove": "what everybody may fetch",
    "kluis log export": BY_HTTP, "kluis import": BY_HTTP, "kluis app register": BY_HTTP,
    "kluis custodian rotate": BY_HTTP, "kluis log rotate": BY_HTTP,
    "kluis clock show": BY_HTTP, "kluis clock accept": BY_HTTP,
    "kluis export": "by HTTP where a server runs, else as after a login, with the same lines",
    "kluis erase": "by HTTP where a server runs, else as the operator, with the same lines",
}  # fmt: skip

SENDERS = {
    "federation/fetch.py": "public documents are fetched; what is sent is their address, a checkpoint, a token that "
    "tells an app what happened to its grant, or a message to a webhook that something changed: none holds content, "
    "and each has its line",
    "recommender/__main__.py": "the recommender's own process, which answers on a socket to the server alone",
    "recommender/agent.py": APP,
    "vault/moving/reading.py": "starts a process without keys that reads the folder of another server",
    "vault/solid/limited.py": "starts a process without keys or environment that reads bodies that are hard to read",
    "web/app.py": "asks whether a port is taken",
    "web/bench.py": "starts a demo city of its own; what its program sends goes by routes that are declared",
    "web/benchwire.py": "a Solid program at that city, under credentials of its own",
    "web/client.py": "a command's way to the server",
    "web/demo.py": "starts the recommender's process",
    "web/demoapp.py": "the demo city's app: outside, with its own grant",
    "web/recommending.py": "the questions below",
    "web/witness.py": "the witness's own process: it asks whether a port is taken",
}
BESIDE = {
    "federation/fetch.py create_task": "fetches a public document again",
    "federation/fetch.py shield": "waits for a public document that others wait for too",
    "recommender/__main__.py create_task": "fetches what the vault tells of the recommender's own grants",
    "recommender/__main__.py start_unix_server": SENDERS["recommender/__main__.py"],
    "vault/database.py Thread": "the writer, which writes the entries",
    "vault/moving/reading.py Popen": SENDERS["vault/moving/reading.py"],
    "vault/solid/limited.py Popen": SENDERS["vault/solid/limited.py"],
    "vault/log/handover.py shield": "the change of the log's key, which a call that goes away does not stop",
    "web/app.py create_task": "the servers and the clockwork",
    "web/connections.py call_later": "ends a connection that waits too long",
    "web/moving.py create_task": "brings in several resources of one pod at once, each with its lines",
    "web/pods.py create_task": "notices that the client of a body went away",
    "web/jobs.py create_task": "the clockwork, whose turns are declared",
    "web/outgoing.py create_task": "tells apps what happened to their grants, with the line below",
    "web/routes/notifications.py create_task": "sends one stream, with a line for what is told",
    "web/sockets.py create_task": "sends on one socket, with a line for what is told",
    "web/knocking.py create_task": "tells webhooks what happened, with a line for each try",
    "web/cli.py execv": APP,
    "web/cli.py execve": APP,
    "web/bench.py Popen": SENDERS["web/bench.py"],
    "web/demo.py Popen": SENDERS["web/demo.py"],
    "web/demo.py create_task": "says when the recommender is awake",
}
# Every question to the recommender and the only fields it may carry: names of pods and of requests, public events, what
# a host offers everybody, and the permit, which says who asks.
QUESTIONS = {
    "ready": set(), "plain": {"k"}, "catalogue": {"events"}, "authorize": {"pod", "aim"},
    "granted": {"code", "state", "iss"},
    "suggest": {"pod", "k", "permit"}, "rank": {"pod", "candidates", "n", "permit"},
    "layout": {"pod", "actions", "permit"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("found", "declared"),
    [(everything.turns, TURNS), (everything.commands, COMMANDS), (everything.senders, SENDERS),
     (everything.beside, BESIDE), (everything.questions, QUESTIONS)],
    ids=["turns", "commands", "senders", "beside", "questions"],
)  # fmt: skip
def test_everything_is_declared_and_nothing_is_declared_that_is_not_there(
    found: Callable[[], list[str]], declared: dict[str, Any]
) -> None:
    assert set(found()) ^ declared.keys() == set()


@pytest.mark.parametrize("turn", [name for name, told in TURNS.items() if not isinstance(told, str)])
async def test_a_turn_of_the_clockwork_leaves_exactly_its_lines_and_opens_nothing(
    turn: str, house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    act, lines = TURNS[turn]
    assert callable(act)
    async with stage(house, monkeypatch) as one:
        await act(one)
        assert (await one.left(), one.opened()) == (lines, set())


async def test_a_turn_of_the_clockwork_with_nothing_over_leaves_no_line(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(house, monkeypatch) as one:
        await one.begin()
        await jobs.tick(house.house, last=True)
        assert (await one.left(), one.opened(), one.watching.faults) == ([], set(), [])


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize("command", [name for name, why in COMMANDS.items() if why == BY_HTTP])
def test_a_command_that_goes_by_http_can_do_nothing_without_a_server(
    command: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("a command opened the vault itself")

    monkeypatch.setattr("web.app.open_vault", opened)
    (place.data.parent / "jwk.json").write_text("{}")
    more = {"kluis log export": ["--user", "an", "--out", "x"], "kluis import": ["mijnbib", "jwk.json", "--pod", "an"],
            "kluis app register": ["--name", "x", "--controller", "x", "--redirect-uri", "x", "--jwks", "jwk.json",
                                   "--purpose", "x", "--text-nl", "x"]}.get(command, [])  # fmt: skip
    where = [] if command == "kluis log export" else ["--data", str(place.data)]
    done = CliRunner().invoke(app, [*command.split()[1:], *more, *where], input=ASKED)
    assert done.exit_code == 2 and not isinstance(done.exception, AssertionError), (done.output, done.exception)


@pytest.mark.parametrize("command", ["fsck", "check", "backup"])
def test_a_command_without_keys_opens_nothing_and_leaves_no_line(
    command: str,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching = watch(monkeypatch, str(place.settings.vault_dir / "kluis.db"))
    before = entries(place)
    watching.seen.clear()
    more = [str(place.data.parent / "copy")] if command == "backup" else []
    done = CliRunner().invoke(app, [command, *more, "--data", str(place.data)])
    assert done.exit_code == 0, done.output
    assert {where[0] for where, _ in watching.seen} <= {"state"}  # control data of the server, no key of a pod
    assert entries(place) == before
    watching.database.close()


def entries(place: Place) -> int:
    house = open_house(place.settings, str(place.settings.custodian_uri), lambda: START)
    kept = house.vault.log.shards.kept
    house.vault.close()
    return kept


def told_in(place: Place, at: datetime) -> list[tuple[str, str, str]]:
    """An's log as she reads it in a new session, without the lines of that login."""
    from consent.accounts.sessions import log_private
    from vault.log import views

    async def read() -> list[tuple[str, str, str]]:
        house = open_house(place.settings, str(place.settings.custodian_uri), lambda: at)
        opened = await passphrase.login(house.vault, "an", PHRASE, at)
        assert opened is not None
        with log_private(opened[1]) as private:
            lines = [line.told for line in views.lines(house.vault, opened[1].pod, private)]
        house.vault.close()
        return [(told["type"], told["action"], told["decision"]) for told in lines[:-2]]

    return asyncio.run(read())


def test_the_command_export_without_a_server_leaves_the_lines_that_the_page_leaves(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = told_in(place, START)
    watching = watch(monkeypatch, str(place.settings.vault_dir / "kluis.db"))
    done = CliRunner().invoke(app, ["export", "--pod", "an", "--out", "an.age", "--data", str(place.data)], input=ASKED)
    assert done.exit_code == 0, done.output
    monkeypatch.undo()
    monkeypatch.setattr(age, "WORK", 10)
    watching.database.close()
    left = told_in(place, datetime.now(START.tzinfo))[len(before) + 2 :]
    page = [(line.type, line.action, line.decision) for line in LEAVES["POST /me/take-away"][0][1]]
    assert left[:2] == [("unlock", "login", "allowed"), ("key event", "login", "allowed")]
    assert left[2:-1] == page and left[-1] == ("key event", "logout", "allowed")


# ---------------------------------------------------------------- what is sent


@pytest.mark.parametrize(
    ("days", "line"), [(0, agreed("tell app", "withdrawn")), (8, agreed("give up telling app", "withdrawn"))]
)
async def test_what_an_app_is_told_of_its_grant_leaves_its_line_and_opens_nothing(
    house: Household, monkeypatch: pytest.MonkeyPatch, days: int, line: Line
) -> None:
    with receiver() as inbox:
        app = await listens(house, inbox.uri)
        held = await house.grant(ALL_INTERESTS)
        await house.withdraw(held)
        async with stage(house, monkeypatch) as one:
            house.clock.forward(days=days)
            await one.begin()
            async with running(house):
                await until(lambda: not outbox.since(house.vault, 0))
            assert (await one.left(), one.opened(), one.watching.faults) == ([line], set(), [])
    assert len(inbox.lines) == (0 if days else 1) and app.push_uri == inbox.uri


async def test_the_recommender_is_told_names_alone_and_nothing_is_opened_for_it(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(json.loads(await reader.readline()))
        writer.write(json.dumps({"request_uri": "x", "client_id": "x"}).encode() + b"\n")
        writer.close()

    socket: Path = house.house.recommender.socket
    server = await asyncio.start_unix_server(answer, str(socket))
    async with stage(house, monkeypatch) as one:
        await one.begin()
        for method, path in (("GET", "/api/suggestions"), ("GET", "/me/suggestions"), ("POST", "/me/suggestions/ask"),
                             ("GET", "/me/suggestions/granted?code=c&state=s&iss=i")):  # fmt: skip
            await one.mine(method, path)
        assert (await one.left(), one.opened()) == ([], set())
    server.close()
    assert {one["ask"] for one in asked} == {"suggest", "plain", "authorize", "granted"}
    for one in asked:
        assert one.keys() - {"ask"} <= QUESTIONS[one["ask"]]
    assert all(one.get("pod", "an") == "an" for one in asked)


def test_no_question_carries_more_than_it_may() -> None:
    """The fields as they stand in the sources, for questions that are asked elsewhere too."""
    for source in (ROOT / "web").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and everything.called(node) == "ask" and node.args:
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    assert {word.arg for word in node.keywords} <= QUESTIONS[name.value], source
