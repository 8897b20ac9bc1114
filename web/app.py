"""The front door put together: one house, its routes, its clockwork, and the server that carries it."""

import asyncio
import contextlib
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from consent.accounts import people
from consent.clients import near
from federation.fetch import Fetcher
from federation.issuers import Issuers
from federation.push import Courier
from keys.custody import custodian as open_custodian, new_custodian
from keys.harden import harden
from vault import office
from vault.log.times import last_in
from vault.vault import Vault, open_vault
from web import jobs, pods, problems, sockets
from web.channels import Channels
from web.connections import guarded
from web.filling import Filling
from web.knocking import Knocking
from web.methods import allowed
from web.middleware import App, Front
from web.outgoing import Outgoing
from web.pages.views import STATIC
from web.recommending import Recommender
from web.routes import (
    access,
    accounts,
    arrivals,
    consents,
    copies,
    data,
    desks,
    docs,
    dpo,
    erasure,
    feedback,
    fill,
    health,
    invitation,
    leaving,
    locks,
    log,
    logout,
    lws,
    notifications,
    oauth,
    operator,
    ownlog,
    receipts,
    records,
    registration,
    requests,
    sealed,
    security,
    signals,
    sources,
    suggest,
    suggestions,
    surprise,
    takeaway,
)
from web.settings import Settings, SettingsError
from web.timekeeper import Timekeeper, passed
from web.watching import Watching, watching

ROUTES = (
    access,
    accounts,
    arrivals,
    invitation,
    consents,
    copies,
    data,
    desks,
    docs,
    dpo,
    erasure,
    feedback,
    fill,
    health,
    leaving,
    locks,
    log,
    logout,
    notifications,
    oauth,
    operator,
    ownlog,
    receipts,
    records,
    registration,
    requests,
    sealed,
    security,
    signals,
    sources,
    suggest,
    suggestions,
    surprise,
    takeaway,
)


@dataclass(frozen=True)
class House:
    """Everything a route may use."""

    vault: Vault
    settings: Settings
    clock: Callable[[], datetime]
    recommender: Recommender
    watching: Watching | None = None
    keeper: Timekeeper | None = None
    outgoing: Outgoing = field(init=False)
    channels: Channels = field(init=False)
    knocking: Knocking = field(init=False)
    filling: Filling = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "filling", Filling())
        courier = Courier(near=near(self.base))
        object.__setattr__(self, "outgoing", Outgoing(courier))
        object.__setattr__(self, "channels", Channels(self.vault, self.clock))
        object.__setattr__(self, "knocking", Knocking(courier))

    @cached_property
    def fetcher(self) -> Fetcher:
        """The one way out to other servers; in development, documents of apps on this machine may be fetched too."""
        return Fetcher(loopback=self.development)

    @cached_property
    def issuers(self) -> Issuers:
        """Who vouches for agents from elsewhere. Its documents push none of `fetcher`'s out: anybody can name some."""
        return Issuers(Fetcher(loopback=self.development), self.settings.trusted_hosts)

    @property
    def development(self) -> bool:
        """Whether this is a house on somebody's own machine: only there is the base plain http."""
        return self.base.startswith("http:")

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


def open_house(settings: Settings, custodian: str, clock: Callable[[], datetime] | None = None) -> House:
    """Open the data directory of the settings, once its witnesses were heard. Raises the vault's errors, Diverged.

    Without a `clock` it is the machine's, held against the time that passed since the log's last entry.
    """
    keeper = None if clock else Timekeeper(wall_clock, passed, last_in(settings.vault_dir))
    clock = clock or keeper or wall_clock
    base = settings.base_url.rstrip("/")
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    watched = watching(settings, clock())
    hear = partial(watched.begin, clock=clock) if watched else None
    vault = open_vault(settings.vault_dir, settings.shares_dir, open_custodian(custodian), base, clock(), hear)
    vault.access, vault.quota = settings.access, settings.pod_quota
    vault.log.held = watched.held(clock()) if watched else ""
    vault.log.doubt = keeper.doubt if keeper else str
    return House(vault, settings, clock, Recommender(settings.recommender_dir / "ask.sock"), watched, keeper)


def pages(house: House, *, clockwork: bool = True) -> FastAPI:
    """The FastAPI app of everything but pods."""

    @contextlib.asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        work = [asyncio.create_task(one) for one in jobs.all_of(house)] if clockwork else []
        yield
        for one in work:
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await one
        if work:
            await jobs.tick(house, last=True)

    app = FastAPI(title="Kluis", version="0.1.0", lifespan=life, docs_url=None, redoc_url=None)
    app.state.house = house
    app.state.methods = partial(allowed, [route for module in ROUTES for route in module.router.routes])
    problems.install(app)
    for module in (*ROUTES, lws) if house.settings.lws else ROUTES:
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def create(house: House, *, operator: bool = False, clockwork: bool = True) -> App:
    """The whole server as one ASGI app. `operator` marks what comes in over the operator's socket."""
    pods_app = pods.create(house, house.settings.largest_resource)
    pages_app = pages(house, clockwork=clockwork)
    return Front(
        pages_app,
        pods_app,
        house.base,
        sockets.create(house),
        methods=pages_app.state.methods,
        operator=operator,
        wait=house.settings.slow_body,
    )


async def run(
    house: House, ready: Callable[[], None], stop: asyncio.Event, extra: Sequence[tuple[App, int]] = ()
) -> None:
    """Serve on TCP and on the operator's socket until `stop`. `ready` is called once all of them answer.

    `extra` are further apps with their ports, on the same interface.
    """
    settings = house.settings
    control = settings.control_socket
    control.unlink(missing_ok=True)
    servers = [
        _server(create(house), house, host=settings.host, port=settings.port),
        _server(create(house, operator=True, clockwork=False), house, uds=str(control)),
        *(_server(app, house, host=settings.host, port=port) for app, port in extra),
    ]
    tasks = [asyncio.create_task(server.serve()) for server in servers]
    while not all(server.started for server in servers):
        if any(task.done() for task in tasks):
            stop.set()
            break
        await asyncio.sleep(0.01)
    else:
        control.chmod(0o600)
        ready()
    await stop.wait()
    house.channels.end_all()
    for server in servers:
        server.should_exit = True
    await asyncio.gather(*tasks)
    control.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: several servers share one loop, and its owner listens."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def _server(app: App, house: House, **where: object) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=guarded(house.settings.slow_headers, house.settings.slow_body),
        ws="websockets-sansio",
        ws_max_size=sockets.LARGEST,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        ws_per_message_deflate=False,
        access_log=False,  # paths are personal data
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        **where,  # type: ignore[arg-type]
    )
    return _Server(config)


def taken(host: str, port: int) -> bool:
    """Whether somebody listens there already."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


def serve(settings: Settings, *, as_json: bool = False) -> None:
    """`kluis serve`: one process, one writer. Raises SettingsError or the vault's errors before anything is served."""
    harden()
    if taken(settings.host, settings.port):
        raise SettingsError(f"port {settings.port} is taken; choose another KLUIS_PORT")
    house = open_house(settings, _custodian(settings))
    try:
        if house.vault.has_unlockers("demo"):
            raise SettingsError(
                f"{settings.data} holds demo unlockers: `kluis serve` does not serve it, use `kluis demo`"
            )
        for told in filter(None, (house.vault.lost.told, house.vault.log.doubt())):
            print(told, file=sys.stderr)  # noqa: T201
        told = json.dumps({"base": house.base}) if as_json else f"Kluis serves {house.base}"
        uvloop.run(_until_told(house, lambda: print(told, flush=True)))  # noqa: T201
    finally:
        house.vault.close()


def _custodian(settings: Settings) -> str:
    """The custodian's address; its keys are made at the very first start, never for a directory that holds data."""
    uri = settings.custodian_uri
    if not settings.vault_dir.exists():
        with contextlib.suppress(FileExistsError):
            made = new_custodian(uri)
            told = f"made {made}: keep a copy" if uri.startswith("file:") else "made keys in the token: keep a backup"
            print(f"{told} where the data is not", file=sys.stderr)  # noqa: T201
    return uri


async def _found_office(house: House) -> None:
    """At the very first start: the DPO's office with two officers.

    Their recovery codes are on disk before the office exists, so a crash at any moment leaves either no office, or one
    whose codes are in the file. As long as the file is there every start says so.
    """
    codes = house.settings.data / "office-codes.txt"
    if house.vault.pod(office.NAME) is None:
        officers = [people.Newcomer(user, "DPO") for user in ("dpo-1", "dpo-2")]

        def keep(made: Sequence[people.Enrolled]) -> None:
            told = (f"{who.user}: {'  or  '.join(m.codes)}\n" for who, m in zip(officers, made, strict=True))
            _keep(codes, "".join(told))

        await people.found_office(house.vault, officers, house.clock(), keep)
    if codes.exists():
        told = f"the DPO's officers log in with the codes in {codes}: move it to a safe place and delete it"
        print(told, file=sys.stderr)  # noqa: T201


def _keep(path: Path, text: str) -> None:
    """Write a secret text, mode 0600, whole or not at all; it is on disk when this returns."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def _until_told(house: House, ready: Callable[[], None]) -> None:
    await _found_office(house)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(house, ready, stop)
