"""`kluis demo`: seed a small city once, then serve it with the recommender and the demo site beside it."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from consent import grants
from consent.accounts import links, people
from keys.custodian import FileCustodian
from keys.harden import harden
from keys.text import b64
from vault import database
from vault.errors import Locked
from web import city
from web.app import House, open_house, run as serve_house, taken, wall_clock
from web.demoapp import NAME, DemoApp
from web.recommending import Away
from web.settings import Settings, environment
from web.site import site

LINK_LIFE = timedelta(hours=12)
READY_SECONDS = 120


class DemoError(Exception):
    """The demo cannot start; the message is one line that says why and what to do."""

    code = "demo"


def run(*, port: int = 8400, data: Path, reset: bool = False, as_json: bool = False) -> None:
    """Seed if needed and serve until SIGTERM or Ctrl-C; every child process ends too.

    Raises DemoError or the vault's errors.
    """
    harden()
    out = Console(stderr=True, quiet=as_json)
    settings = Settings(data=data, base_url=f"http://localhost:{port}", port=port, log_clock=2.0)
    if reset and data.exists():
        if not (data / "demo").exists():
            raise DemoError(f"{data} is not a demo directory; it is not reset")
        _idle(settings)
    for one in (port, port + 1):
        if taken(settings.host, one):
            raise DemoError(f"port {one} is taken; choose --port")
    if reset and data.exists():
        shutil.rmtree(data)
    house = _open(settings, out)
    try:
        uvloop.run(_serve(house, as_json))
    finally:
        house.vault.close()


def _open(settings: Settings, out: Console) -> House:
    data = settings.data
    folder = data / "demo"
    custodian, made = data / "custodian", city.seeded(folder)
    if not made:
        _clear(settings)
        FileCustodian.create(custodian)
        out.print("[yellow]demo only: the custodian's key lies in the data directory[/]")
    house = open_house(settings, f"file:{custodian}", wall_clock)
    if not made:
        callback = f"http://127.0.0.1:{settings.port + 1}/apps/{{}}/callback"
        seeder = city.Seeder(house.vault, folder, wall_clock(), callback, lambda line: out.print(f"  seeding {line}"))
        asyncio.run(seeder.fill(settings.recommender_dir))
        city.finish(folder)
    return house


def _clear(settings: Settings) -> None:
    """An empty demo directory; what a seeding left half-made goes. Raises DemoError for anything else in it."""
    data = settings.data
    if data.exists():
        if any(data.iterdir()) and not (data / "demo").exists():
            raise DemoError(f"{data} holds something else than a demo city; choose another --data")
        _idle(settings)
        shutil.rmtree(data)
    data.mkdir(mode=0o700, parents=True)
    (data / "demo").mkdir(mode=0o700)


def _idle(settings: Settings) -> None:
    """See that nobody serves the city. Raises DemoError."""
    try:
        database.free(settings.vault_dir)
    except Locked as locked:
        raise DemoError(str(locked)) from None


async def _serve(house: House, as_json: bool) -> None:
    child = _recommender(house)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    announced: list[asyncio.Task[None]] = []

    def ready() -> None:
        announced.append(loop.create_task(_announce(house, child, as_json, stop)))

    try:
        await serve_house(house, ready, stop, extra=[(site(house.base, _cultuurgids(house)), house.settings.port + 1)])
    finally:
        _end(child)
    for task in announced:
        task.cancel()


def _cultuurgids(house: House) -> DemoApp:
    """The demo site's app, with its own key as an app would keep it."""
    told = next(app for app in city.read(house.settings.data / "demo", "apps.json") if app["name"] == NAME)
    return DemoApp(house.base, told, json.loads(Path(told["key_file"]).read_text(encoding="utf-8")), house.clock)


def _recommender(house: House) -> subprocess.Popen[bytes]:
    """The recommender in a process of its own: its own keys, no access to the vault's files."""
    folder = str(house.settings.recommender_dir.resolve())
    env = environment() | {"KLUIS_BASE_URL": house.base, "KLUIS_RECOMMENDER_DATA": folder}
    command = [sys.executable, "-m", "recommender", "serve", "--data", str(house.settings.data)]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)  # noqa: S603 -- our own program


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


async def _announce(house: House, child: subprocess.Popen[bytes], as_json: bool, stop: asyncio.Event) -> None:
    await _awake(house, child, stop)
    told = await _told(house)
    if as_json:
        print(json.dumps(told), flush=True)  # noqa: T201 -- the contract: the first line of standard output
    else:
        _print(told, Console())


async def _awake(house: House, child: subprocess.Popen[bytes], stop: asyncio.Event) -> None:
    for _ in range(READY_SECONDS * 5):
        try:
            await house.recommender.ask("ready")
        except Away:
            if child.poll() is not None:
                stop.set()
                raise DemoError("the recommender's process ended") from None
            await asyncio.sleep(0.2)
        else:
            return
    stop.set()


async def _told(house: House) -> dict[str, Any]:
    """The line of `kluis demo --json`, exactly as the contract says."""
    vault, folder = house.vault, house.settings.data / "demo"
    credentials = city.read(folder, "credentials.json")
    rows = []
    for person in (*city.PEOPLE, *city.OFFICERS):
        account = people.find(vault, person.user)
        if account is None:  # she erased her pod: the city goes on without her
            continue
        token = await links.new_link(vault, account.id, house.clock() + LINK_LIFE)
        row = city.person_row(person) | {"login": f"{house.base}/login/demo/{token}"}
        if person.pod:
            row |= {"webid": account.webid, "pod": f"{house.base}/pods/{person.pod}/"} | credentials.get(
                person.user, {}
            )
        rows.append(row)
    apps = [app | {"grants": _grants(house, app["client_id"])} for app in city.read(folder, "apps.json")]
    ledger = vault.log.ledger
    return {
        "base": house.base,
        "people": rows,
        "apps": apps,
        "sources": city.read(folder, "sources.json"),
        "log": {"origin": ledger.origin, "key": ledger.vkey},
        "data": str(house.settings.data.resolve()),
    }


def _grants(house: House, client: str) -> list[dict[str, str]]:
    pods = [pod for person in city.PEOPLE if person.pod and (pod := house.vault.pod(person.pod))]
    given = [grant for pod in pods for grant in grants.listing(house.vault, pod) if grant.terms.client == client]
    now = house.clock()
    return [{"id": b64(g.id), "pod": g.pod.name, "state": grants.state_at(g, now)} for g in given]


def _print(told: dict[str, Any], out: Console) -> None:
    out.print(
        f"\n[bold]Kluis demo city[/]   (data in {told['data']}, reset: kluis demo --reset, stop: Ctrl-C)",
        soft_wrap=True,
    )
    out.print("  one-time links, each opens once; after that, name and passphrase:")
    for row in told["people"]:
        known = f"{row['user']}: {row['passphrase']}"
        out.print(f"  {row['role']:<12} {row['name']:<24} {row['login']}  {known}", soft_wrap=True, highlight=False)
    base = told["base"]
    host, _, port = base.replace("localhost", "127.0.0.1").rpartition(":")
    out.print(
        f"  Vault {base}/   API {base}/docs   Log {base}/transparency   Demo site {host}:{int(port) + 1}/",
        soft_wrap=True,
    )
    out.print(
        "  Try: 1 open the demo site and let Cultuurgids ask  2 Logboek: check  "
        "3 Toegang: stop the app, read again -> refused",
        soft_wrap=True,
    )
