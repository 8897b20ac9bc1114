"""`kluis export` and `kluis erase`: the citizen's last two errands, as commands.

Both are HTTP clients of the vault that serves; only where nobody serves the data directory do they take its lock and do
it themselves. What is sealed leaves by its citizen's own passphrase alone: no operator can export a pod.
"""

import asyncio
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vault.errors import Locked
from web.client import Unanswered
from web.settings import Settings, load
from web.terminal import answer, operator, server, stop, told

if TYPE_CHECKING:
    from vault.export import Form
    from web.app import House

Base = Annotated[str | None, typer.Option(help="The address of the vault (KLUIS_BASE_URL).")]
Data = Annotated[Path | None, typer.Option(help="The data directory (KLUIS_DATA).")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
User = Annotated[str | None, typer.Option(help="Your name in the vault, if it is not the pod's.")]


def take_along(
    pod: Annotated[str, typer.Option(help="Your pod.")],
    target: Annotated[Path, typer.Option("--out", help="Where to write the file (age format, a tar inside).")],
    form: Annotated[
        Literal["kluis", "css"], typer.Option(help="kluis, or css: files as Community Solid Server keeps them.")
    ] = "kluis",
    user: User = None,
    base: Base = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take everything in your pod along, in one file under a passphrase of its own."""
    from consent.accounts.people import FEWEST_LETTERS, LONGEST

    with told():
        settings = load(base_url=base, data=data)
        secret = typer.prompt("Passphrase of the vault", hide_input=True, err=True)
        phrase = typer.prompt("Passphrase for the file", hide_input=True, err=True, confirmation_prompt=True)
        if not FEWEST_LETTERS <= len(phrase) <= LONGEST:
            stop(f"nothing taken: the passphrase for the file has {FEWEST_LETTERS} to {LONGEST} characters")
        if base is None and idle(settings):
            with open_here(settings) as house:
                taken = asyncio.run(_everything(house, user or pod, secret, phrase, form))
        else:
            with server(settings) as client:
                client.login(user or pod, secret)
                taken = client.take_along(phrase, "solid" if form == "css" else "data")
                client.logout()
        found = _checked(taken, phrase, pod)
        keep(target, taken)
        answer({"file": str(target), "pod": pod, "resources": found, "bytes": len(taken)}, as_json=as_json)


def erase(
    pod: Annotated[str, typer.Argument(help="The pod: your own, or of somebody who asked for it at the desk.")],
    yes: Annotated[bool, typer.Option("--yes", help="There is no way back: after 7 days not from any backup.")] = False,
    user: User = None,
    base: Base = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Erase a pod for good: your own with --base, or as operator of the data directory."""
    if not yes:
        stop("nothing erased: there is no way back, so say --yes")
    with told():
        settings = load(base_url=base, data=data)
        if base is not None:
            entry = _own(settings, user or pod, pod)
        elif idle(settings):
            with open_here(settings) as house:
                entry = asyncio.run(_here(house, pod))
        else:
            with operator(settings, ", or give --base") as client:
                entry = client.erase(pod)["entry"]
        answer({"pod": pod, "entry": entry}, as_json=as_json)


def _own(settings: Settings, user: str, pod: str) -> int:
    secret = typer.prompt("Passphrase", hide_input=True, err=True)
    with server(settings) as client:
        client.login(user, secret)
        try:
            return client.erase_own(pod, secret)
        except Unanswered:
            client.logout()
            raise


async def _here(house: "House", pod: str) -> int:
    from consent import erasure

    facts = house.vault.pod(pod)
    if facts is None:
        raise Unanswered(f"{house.settings.data} holds no pod {pod}")
    return await erasure.by_operator(house.vault, facts, house.clock())


async def _everything(house: "House", user: str, secret: str, phrase: str, form: "Form") -> bytes:
    """The file, made without a server: a session as after any login, ended before this returns."""
    from consent import takeaway
    from consent.accounts import passphrase, sessions

    login = await passphrase.login(house.vault, user, secret, house.clock())
    if login is None:
        raise Unanswered(f"{house.settings.data} does not know this name with this passphrase")
    session = login[1]
    try:
        return await _locked(await takeaway.everything(house.vault, session, house.clock(), form), phrase)
    finally:
        await sessions.end(house.vault, session, house.clock())


async def _locked(pieces: AsyncIterator[bytes], phrase: str) -> bytes:
    from keys.age import Writer

    writer = Writer(passphrase=phrase)
    return writer.head + b"".join([writer.add(piece) async for piece in pieces]) + writer.end()


def _checked(taken: bytes, phrase: str, pod: str) -> int:
    """How many resources are in the file; it is opened to the end, so that what is kept is whole. Raises Unanswered."""
    from keys.age import unlock

    with tarfile.open(fileobj=io.BytesIO(unlock(taken, passphrase=phrase))) as tar:
        member = tar.extractfile("kluis.json")
        contents = json.load(member) if member else {}
    if not str(contents.get("pod", "")).endswith(f"/pods/{pod}/"):
        raise Unanswered(f"this is not the pod {pod}: nothing written")
    return len(contents["resources"])


def keep(target: Path, taken: bytes) -> None:
    """Write the file whole or not at all, mode 0600; it is on the disk when this returns."""
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        file.write(taken)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def idle(settings: Settings) -> bool:
    """Whether there is a vault that nobody serves."""
    from vault import database

    if not (settings.vault_dir / "kluis.db").exists():
        return False
    try:
        database.free(settings.vault_dir)
    except Locked:
        return False
    return True


@contextmanager
def open_here(settings: Settings) -> Iterator["House"]:
    """The house of a directory that nobody serves, with its lock."""
    from web.app import open_house, wall_clock

    house = open_house(settings, settings.custodian_uri, wall_clock)
    try:
        yield house
    finally:
        house.vault.close()
