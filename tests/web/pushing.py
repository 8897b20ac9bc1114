"""What the tests of what goes out share: receivers in processes of their own, apps that listen there, their grants."""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import IO, Any

from joserfc import jws
from joserfc.jwk import ECKey

from consent import asks, clients, grants
from consent.asks import Shown
from consent.oauth.clients import Client
from consent.oauth.dpop import Proof
from consent.oauth.par import Pushed
from consent.request import choose, parse
from consent.tables import ClientRow
from keys.secret import fresh_bytes
from keys.text import b64
from tests.conftest import BASE
from tests.consent import sample
from tests.house import ALL_INTERESTS, Household
from tests.test_contracts import ROOT

LASTING = {"storage": {"country": "BE", "copy": "durable"}, "retention": "P10D"}


@dataclass
class Inbox:
    """One receiver: its address, and what it took so far."""

    uri: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    def look(self) -> list[dict[str, Any]]:
        """Everything that came in until now."""
        return self.lines

    def tokens(self) -> list[str]:
        return [one["token"] for one in self.lines]

    def read(self, stream: IO[str]) -> None:
        """Take down what the process prints, until it ends."""
        for line in stream:
            self.lines.append(json.loads(line))


@contextlib.contextmanager
def receiver(mode: str = "good") -> Iterator[Inbox]:
    """A running receiver."""
    command = [sys.executable, "-m", "tests.web.receiver", mode]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        inbox = Inbox(f"http://127.0.0.1:{int(process.stdout.readline())}/signals")
        reading = threading.Thread(target=inbox.read, args=(process.stdout,))
        reading.start()
        try:
            yield inbox
        finally:
            process.kill()
            reading.join()


async def listens(house: Household, uri: str, name: str = "cultuurgids", token: str = "") -> Client:
    """An app that is told at this address."""
    app = replace(sample.APP, client_id=name, push_uri=uri, push_token=token)
    if clients.find(house.vault, name) is None:
        return await clients.register(house.vault, app, house.clock())

    def again(tx: Any) -> None:
        tx.remove(ClientRow, id=name)
        clients.put(house.vault, tx, app)

    await house.vault.db.write(again)
    return app


async def given(house: Household, app: Client = sample.APP, *data: dict[str, Any], **changes: Any) -> bytes:
    """An allows an app something; the id of the grant."""
    now = house.clock()
    terms = parse(sample.detail(datatypes=list(data) or [ALL_INTERESTS], **changes), app, BASE, now)
    said = Pushed(app.client_id, sample.RETURN, sample.CHALLENGE, sample.JKT, terms, state="s")
    asked = await asks.push(house.vault, said, Shown(Proof(sample.JKT, fresh_bytes(32), 2**50), None), now)
    await asks.show(house.vault, house.session, asked, {"hash": "h", "language": "nl", "version": "1"}, now)
    asked = asks.find(house.vault, b64(asked.handle), app.client_id, now)
    await grants.give(house.vault, house.session, asked, choose(asked.terms.for_pod("an"), set(), "asked", now), now)
    return asked.handle


@contextlib.asynccontextmanager
async def running(house: Household) -> AsyncIterator[None]:
    """What goes out goes out."""
    work = asyncio.create_task(house.house.outgoing.run(house.house))
    try:
        await asyncio.sleep(0)
        yield
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def until(there: Callable[[], object], seconds: float = 10) -> float:
    """Wait until something is so; how long it took, in seconds."""
    begun = time.monotonic()
    while not there():
        assert time.monotonic() - begun < seconds, "it did not happen"
        await asyncio.sleep(0.01)
    return time.monotonic() - begun


def opened(house: Household, token: str) -> dict[str, Any]:
    """What a token says, verified by a library that is not ours, with the key that everybody can fetch."""
    key = ECKey.import_key(house.vault.issuer_public)
    found = jws.deserialize_compact(token.encode(), key, algorithms=["ES256"])
    assert found.headers()["typ"] == "secevent+jwt"
    told = json.loads(found.payload)
    assert isinstance(told, dict)
    return told


def event(house: Household, token: str) -> tuple[str, dict[str, Any]]:
    """The one event in a token: its type and what it says."""
    ((kind, said),) = opened(house, token)["events"].items()
    return kind, said
