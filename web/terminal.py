"""How commands talk: one line for what went wrong, one answer in words or JSON, and the two ways to a server."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console

from federation.errors import FederationError
from keys.errors import KeysError
from vault.errors import VaultError
from web.client import Client, Unanswered
from web.settings import Settings, SettingsError
from web.verify import LogBroken

out, err = Console(soft_wrap=True, highlight=False), Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def told() -> Iterator[None]:
    """Turn what may go wrong into one line on standard error and the right exit code."""
    try:
        yield
    except LogBroken as broken:
        stop(str(broken), code=1)
    except (SettingsError, Unanswered, VaultError, KeysError, FederationError) as error:
        stop(str(error))
    except OSError as error:
        stop(f"{error.filename or 'file'}: {error.strerror}")


def stop(line: str, code: int = 2) -> NoReturn:
    """End with one line that says why."""
    err.print(f"kluis: {line}", markup=False)
    raise typer.Exit(code)


def answer(told: Mapping[str, Any], *, as_json: bool = True) -> None:
    """Print a result: one JSON object, or a line per field."""
    if as_json:
        out.print(json.dumps(told, ensure_ascii=False), markup=False)
        return
    for name, value in told.items():
        out.print(
            f"{name.replace('_', ' ')}: {value if isinstance(value, str | int) else json.dumps(value)}", markup=False
        )


@contextmanager
def server(settings: Settings) -> Iterator[Client]:
    """A connection to the vault at its own address."""
    client = Client(settings.base_url)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def operator(settings: Settings, instead: str = "") -> Iterator[Client]:
    """A connection to the vault that serves this data directory, by its socket; `instead`: what else may help."""
    if not settings.control_socket.exists():
        stop(f"nothing serves {settings.data}: start `kluis serve`, or name what is served with --data{instead}")
    client = Client(settings.base_url, settings.control_socket)
    try:
        yield client
    finally:
        client.close()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises SettingsError if it is none."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise SettingsError(f"{path} holds no JSON object")
    return read
