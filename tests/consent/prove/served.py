"""A house that is furnished in one process and then served by another: `kluis serve`, on a real socket.

Consent is given through the functions behind the consent page; what is proved goes over HTTP to the server process.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson

from consent import asks, clients, gate, grants, issue
from consent.accounts import passphrase
from consent.accounts.people import Newcomer, enroll, found_office
from consent.accounts.sessions import SessionFacts
from consent.asks import Shown
from consent.oauth.dpop import Proof
from consent.oauth.par import Pushed
from consent.oauth.server import TokenRequest
from consent.request import choose, parse
from keys.custodian import FileCustodian
from keys.secret import fresh_bytes
from keys.text import b64
from tests.consent import sample
from tests.consent.prove.wire import Key, Line
from tests.house import ALL_INTERESTS, RECORDS
from tests.stories.city import ENVIRONMENT, ROOT, free_port
from vault import store
from vault.vault import Vault, open_vault

COMMAND = [sys.executable, "-c", "from web.cli import main; main()", "serve", "--json"]


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Served:
    """A data directory with An in it, and where it is served."""

    folder: Path
    port: int = field(default_factory=free_port)
    cookie: str = ""
    csrf: str = ""
    code: str = ""  # An's recovery code

    @property
    def base(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def key(self) -> Key:
        """The app."""
        return Key(self.base, sample.APP_KEY, sample.PROOF_KEY)

    def line(self) -> Line:
        return Line(self.base)

    # ------------------------------------------------------------ before and after it is served

    @contextlib.contextmanager
    def opened(self) -> Iterator[Vault]:
        """The vault in this process, while nobody serves it."""
        there = self.folder / "custodian"
        custodian = FileCustodian.open(f"file:{there}") if there.exists() else FileCustodian.create(there)
        vault = open_vault(self.folder / "data" / "vault", self.folder / "data" / "shares", custodian, self.base, now())
        try:
            yield vault
        finally:
            vault.close()

    async def session(self, vault: Vault) -> SessionFacts:
        """An logs in."""
        found = await passphrase.login(vault, "an", self.code, now())
        assert found is not None
        self.cookie, self.csrf = found[0], found[1].csrf
        return found[1]

    # ------------------------------------------------------------ while it is served

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """`kluis serve` for the length of a block; SIGTERM at its end, if it still runs."""
        env = {"KLUIS_DATA": str(self.folder / "data"), "KLUIS_CUSTODIAN": f"file:{self.folder / 'custodian'}",
               "KLUIS_PORT": str(self.port), "KLUIS_BASE_URL": self.base}  # fmt: skip
        with (
            (self.folder / "errors").open("ab") as errors,
            subprocess.Popen(
                COMMAND, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT, text=True, env=ENVIRONMENT | env
            ) as process,
        ):
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, (self.folder / "errors").read_text()[-3000:]
            try:
                yield process
            finally:
                process.terminate()
                process.wait(60)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """kill -9."""
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)

    def hers(self) -> dict[str, str]:
        """The headers of a press on one of An's own pages."""
        return {"cookie": f"kluis={self.cookie}", "sec-fetch-site": "same-origin", "kluis-form": self.csrf,
                "content-type": "application/x-www-form-urlencoded"}  # fmt: skip


@contextlib.asynccontextmanager
async def furnished(folder: Path, push_uri: str = "") -> AsyncIterator[tuple[Served, Vault, SessionFacts]]:
    """Make the directory: an office, An with her records, the app; then consent can be given until the block ends."""
    place = Served(folder)
    (folder / "data").mkdir(parents=True)
    with place.opened() as vault:
        await found_office(vault, [Newcomer("dpo", "Dirk")], now())
        made = await enroll(vault, "an", "An Peeters", "citizen", "an", None, now())
        place.code = made.codes[0]
        await clients.register(vault, replace(sample.APP, push_uri=push_uri), now())
        session = await place.session(vault)
        for path, record in RECORDS.items():
            await keep(vault, session, path, record)
        yield place, vault, session


async def keep(vault: Vault, session: SessionFacts, path: str, record: Any) -> None:
    """An stores a record."""
    permit, _ = gate.own(session, path.split("/")[1], "write", path)
    await store.write(vault, permit, path, "application/ld+json", orjson.dumps(record), now())


async def give(
    vault: Vault, session: SessionFacts, *data: dict[str, Any], tick: Sequence[str] = (), **changes: Any
) -> tuple[bytes, str]:
    """The app asks and An allows it: the grant's id and the code."""
    base, at = vault.base, now()
    said = {"locations": [f"{base}/pods/an/"], "recurrence": {"mode": "ongoing"}} | changes
    detail = sample.detail(datatypes=list(data) or [ALL_INTERESTS], **said)
    terms = parse(detail, sample.APP, base, at)
    pushed = Pushed("cultuurgids", sample.RETURN, sample.CHALLENGE, sample.JKT, terms, state="s")
    asked = await asks.push(vault, pushed, Shown(Proof(sample.JKT, fresh_bytes(32), 2**50), None), at)
    await asks.show(vault, session, asked, {"hash": "h", "language": "nl", "version": "1"}, at)
    asked = asks.find(vault, b64(asked.handle), "cultuurgids", at)
    chosen = choose(asked.terms.for_pod("an"), set(tick), "asked", at)
    return asked.handle, await grants.give(vault, session, asked, chosen, at)


async def redeem(vault: Vault, code: str) -> dict[str, Any]:
    """The tokens of a code, by the function behind the token endpoint."""
    key = Key(vault.base, sample.APP_KEY, sample.PROOF_KEY)
    form = key.form(grant_type="authorization_code", code=code, redirect_uri=sample.RETURN,
                    code_verifier=sample.VERIFIER)  # fmt: skip
    asked = TokenRequest(dict(parse_qsl(form.decode())), {}, "POST", f"{vault.base}/oauth/token", vault.base)
    return await issue.answer(vault, asked, [key.proof("POST", "/oauth/token").encode()], now())
