"""`kluis clock`: whether the server believes the machine's clock, and saying that it may."""

from pathlib import Path
from typing import Annotated

import typer

from web.settings import load
from web.terminal import answer, operator, told

clock = typer.Typer(help="The server's clock, which is not believed when it jumps ahead.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Data = Annotated[Path | None, typer.Option(help="The data directory (KLUIS_DATA).")]


@clock.command()
def show(data: Data = None, as_json: Json = False) -> None:
    """Show what the server takes for now, and what the machine's clock says. Exit code 1 if they do not agree."""
    with told(), operator(load(data=data)) as client:
        found = client.clock()
        answer(found, as_json=as_json)
        if not found["believed"]:
            raise typer.Exit(1)


@clock.command()
def accept(data: Data = None, as_json: Json = False) -> None:
    """Say that the machine's clock is right. The log's time never goes back: look at the clock first."""
    with told(), operator(load(data=data)) as client:
        answer(client.accept_clock(), as_json=as_json)
