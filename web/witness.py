"""`kluis witness serve`: a witness in a process of its own, which knows neither vault nor consent.

It answers `POST /add-checkpoint` and `GET /<origin hash>/checkpoint` (C2SP tlog-witness, submission and monitoring
prefix in one), and `POST /add-handover` for a log whose key was replaced. What it says is under its own key; what it
remembers lies in a folder of its own.
"""

import asyncio
import json
import os
import socket
import sqlite3
import stat
import sys
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from federation.errors import FederationError
from federation.heads import Heads
from federation.policy import read_policy
from federation.witness import LARGEST, Head, Refused, Submission, judge, read_handover, read_submission
from keys.cosign import cosign, read_key, witness_vkey, write_key
from keys.errors import KeysError
from keys.harden import harden
from keys.secret import Private
from keys.sign import new_signer


class Witness:
    """A witness as an ASGI app: its name and key, the logs it knows, the heads it remembers."""

    def __init__(self, name: str, private: Private, logs: Collection[str], heads: Heads) -> None:
        """Know the logs with these vkeys; a name that ends in `/*` stands for all half-years of a log."""
        self.name, self.vkey = name, witness_vkey(name, private)
        self._private, self._logs, self._heads = private, tuple(logs), heads
        self.app = Starlette(
            routes=[
                Route("/add-checkpoint", self.add_checkpoint, methods=["POST"]),
                Route("/add-handover", self.add_handover, methods=["POST"]),
                Route("/{place}/checkpoint", self.checkpoint, methods=["GET"]),
            ]
        )

    async def add_checkpoint(self, request: Request) -> Response:
        """Cosign, or say why not, with the status that the specification gives each case."""
        return await self._answered(request, lambda body: (body, []))

    async def add_handover(self, request: Request) -> Response:
        """The same for a log whose key was replaced, with what proves it; from then on the old key signs no more."""
        return await self._answered(request, read_handover)

    async def _answered(self, request: Request, read: Callable[[bytes], tuple[bytes, list[str]]]) -> Response:
        try:
            body, hands = read(await _body(request))
            asked = await asyncio.to_thread(read_submission, body, self._logs, self._heads.heirs, hands)
            line = await asyncio.to_thread(self.cosign, asked, int(datetime.now(UTC).timestamp()))
        except Refused as refused:
            return Response(refused.body, refused.status, {"content-type": refused.media})
        return PlainTextResponse(line)

    async def checkpoint(self, request: Request) -> Response:
        """The checkpoint that was cosigned last under a name."""
        note = await asyncio.to_thread(self._heads.shown, request.path_params["place"])
        return PlainTextResponse(note) if note else PlainTextResponse("nothing cosigned under this name\n", 404)

    def cosign(self, asked: Submission, at: int) -> str:
        """Judge against the head that is remembered, remember the new one, and only then give the line (`at`: POSIX).

        Raises Refused. If we crash after the new head is durable, the log hears of it at its next try (409).
        """
        line = cosign(asked.text, self.name, self._private, at)

        def decide(last: Head) -> str:
            judge(asked, last)
            return asked.note + line

        self._heads.move(asked.head.origin, decide, asked.chain)
        return line


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise Refused(413, "too large")
    return bytes(body)


class _Server(uvicorn.Server):
    """uvicorn that says when it listens."""

    told = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the one line that others wait for."""
        await super().startup(sockets)
        print(self.told, flush=True)  # noqa: T201


command = typer.Typer(add_completion=False)


@command.command()
def serve(
    data: Annotated[Path, typer.Option(help="A directory for what the witness remembers.")],
    key: Annotated[Path, typer.Option(help="Its private key, mode 0600; made at the first start, with --name.")],
    name: Annotated[str | None, typer.Option(help="Its name, e.g. city.example/witness; only to make a key.")] = None,
    log: Annotated[
        list[str] | None, typer.Option(help="The vkey of a log to cosign; may be repeated. HOST/log/*: each half-year.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="A policy file (C2SP tlog-policy) whose logs to cosign.")] = None,
    host: Annotated[str, typer.Option(help="The interface to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any that is free.")] = 8480,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Cosign the logs of others: each checkpoint that continues what was cosigned before, and no other."""
    harden()
    try:
        told = policy.read_text(encoding="utf-8") if policy else "quorum none"
        logs = read_policy("\n".join([*(f"log {one}" for one in log or []), told])).logs
        if not logs:
            _stop("no log to cosign: give --log VKEY or --policy FILE")
        witness = Witness(*_key(key, name), logs, Heads(data))
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (FederationError, KeysError, ValueError, sqlite3.Error) as error:
        _stop(str(error))
    except OSError as error:
        _stop(f"{error.filename or f'port {port}'}: {error.strerror}")
    url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    ready = {"witness": witness.name, "vkey": witness.vkey, "url": url, "logs": len(logs)}
    server = _Server(uvicorn.Config(witness.app, access_log=False, log_level="warning", server_header=False))
    server.told = json.dumps(ready) if as_json else f"{witness.name} listens on {url}\nvkey: {witness.vkey}"
    server.run(sockets=[listening])


def _key(path: Path, name: str | None) -> tuple[str, Private]:
    """The witness's name and key; made if the file is not there yet and a name is given. Raises KeysError, OSError."""
    if not path.exists():
        if name is None:
            _stop(f"{path} is not there: give --name to make a key")
        text = write_key(name, new_signer())
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        _stop(f"{path} can be read by others: chmod 600 {path}")
    try:
        found, private = read_key(path.read_text(encoding="utf-8"))
    except (KeysError, ValueError):  # never what is in it: it may be another key
        _stop(f"{path} holds no private key of a witness: give the file that a first start with --name made")
    if name not in (None, found):
        _stop(f"the key in {path} is of {found}, not of {name}")
    return found, private


def _stop(line: str) -> NoReturn:
    print(f"kluis: {line}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(2)


if __name__ == "__main__":
    command(prog_name="kluis witness serve")
