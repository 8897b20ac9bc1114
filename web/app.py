"""The front door put together: one house, its routes, its clockwork, and the server that carries it."""

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from consent.accounts import people
from keys.custodian import FileCustodian
from keys.harden import harden
from vault import office
from vault.vault import Vault, open_vault
from web import jobs, pods, problems
from web.middleware import App, Front
from web.pages.views import STATIC
from web.recommending import Recommender
from web.routes import (
    accounts,
    consents,
    erasure,
    health,
    log,
    oauth,
    operator,
    records,
    security,
    sources,
    suggestions,
)
from web.settings import Settings, SettingsError


@dataclass(frozen=True)
class House:
    """Everything a route may use."""

    vault: Vault
    settings: Settings
    clock: Callable[[], datetime]
    recommender: Recommender

    @property
    def base(self) -> str:
        """The address that people and apps use, without a last slash."""
        return self.vault.base

    @property
    def issuer_key(self) -> dict[str, str]:
        """The private key that signs tokens and receipts."""
        return self.vault.issuer


def wall_clock() -> datetime:
    """Now. The only clock of the server."""
    return datetime.now(UTC)


def open_house(settings: Settings, custodian: Path, clock: Callable[[], datetime] = wall_clock) -> House:
    """Open the data directory behind the settings. Raises the vault's errors."""
    base = settings.base_url.rstrip("/")
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    holder = FileCustodian.open(f"file:{custodian}")
    vault = open_vault(settings.vault_dir, settings.shares_dir, holder, base, clock())
    return House(vault, settings, clock, Recommender(settings.recommender_dir / "ask.sock"))


def pages(house: House, *, clockwork: bool = True) -> FastAPI:
    """The FastAPI app of everything but pods."""

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(jobs.run(house)) if clockwork else None
        yield
        if work is not None:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            await jobs.tick(house, last=True)

    app = FastAPI(title="Kluis", version="0.1.0", lifespan=life, docs_url="/docs", redoc_url=None)
    app.state.house = house
    problems.install(app)
    for module in (accounts, consents, erasure, health, log, oauth, operator, records, security, sources, suggestions):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def create(house: House, *, operator: bool = False, clockwork: bool = True) -> App:
    """The whole server as one ASGI app. `operator` marks what comes in over the operator's socket."""
    return Front(pages(house, clockwork=clockwork), pods.create(house), house.base, operator=operator)


async def run(
    house: House, ready: Callable[[], None], stop: asyncio.Event, extra: Sequence[tuple[App, int]] = ()
) -> None:
    """Serve on TCP and on the operator's socket until `stop`. `ready` is called once all of them answer.

    `extra` are further apps with their ports, on the same interface.
    """
    settings = house.settings
    socket = settings.control_socket
    socket.unlink(missing_ok=True)
    servers = [
        _server(create(house), host=settings.host, port=settings.port),
        _server(create(house, operator=True, clockwork=False), uds=str(socket)),
        *(_server(app, host=settings.host, port=port) for app, port in extra),
    ]
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    while not all(server.started for server in servers):
        if any(task.done() for task in tasks):
            stop.set()
            break
        await asyncio.sleep(0.01)
    else:
        socket.chmod(0o600)
        ready()
    await stop.wait()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)
    socket.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: several servers share one loop, and its owner listens."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def _server(app: App, **where: object) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http="httptools",
        access_log=False,  # paths are personal data
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        **where,  # type: ignore[arg-type]
    )
    return _Server(config)


def serve(settings: Settings, *, as_json: bool = False) -> None:
    """`kluis serve`: one process, one writer. Raises SettingsError or the vault's errors before anything is served."""
    harden()
    house = open_house(settings, _custodian(settings))
    try:
        if house.vault.has_unlockers("demo"):
            raise SettingsError(
                f"{settings.data} holds demo unlockers: `kluis serve` does not serve it, use `kluis demo`"
            )
        told = json.dumps({"base": house.base}) if as_json else f"Kluis serves {house.base}"
        uvloop.run(_until_told(house, lambda: print(told, flush=True)))  # noqa: T201
    finally:
        house.vault.close()


def _custodian(settings: Settings) -> Path:
    """The custodian's file; made at the very first start, never for a directory that already holds data."""
    path = settings.custodian_file
    if not path.exists() and not settings.vault_dir.exists():
        FileCustodian.create(path)
        print(f"made {path}: keep a copy where the data is not", file=sys.stderr)  # noqa: T201
    return path


async def _found_office(house: House) -> None:
    """At the very first start: the DPO's office with two officers, whose recovery codes are shown this once."""
    if house.vault.pod(office.NAME) is not None:
        return
    officers = [people.Newcomer(user, "DPO") for user in ("dpo-1", "dpo-2")]
    made = await people.found_office(house.vault, officers, house.clock())
    for who, enrolled in zip(officers, made, strict=True):
        print(f"{who.user} logs in with one of: {'  '.join(enrolled.codes)}  (shown once)", file=sys.stderr)  # noqa: T201


async def _until_told(house: House, ready: Callable[[], None]) -> None:
    await _found_office(house)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(house, ready, stop)
