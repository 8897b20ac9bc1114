"""`kluis bench`: what requests cost a vault of its own, as a table or as JSON."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from web.terminal import answer, out, told

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


def take_measures(
    port: Annotated[int, typer.Option(min=1, max=65534, help="A free port; the next one must be free too.")] = 8480,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Each figure is the median of so many rounds.")] = 3,
    as_json: Json = False,
) -> None:
    """Measure what requests cost a vault of its own, which is thrown away: CPU time, latencies, ratios."""
    from web import bench

    with told():
        taken = bench.run(port, lambda: datetime.now(UTC), rounds)
        if as_json:
            answer(taken)
            return
        table = Table("case", "requests", "CPU ms each", "p50 ms", "p99 ms", box=None)
        for one in taken["cases"]:
            table.add_row(*(str(value) for value in one.values()))
        out.print(table)
        for name, value in taken["ratios"].items():
            out.print(f"{name}: {value}", markup=False)
        for name in taken["not_done"]:
            out.print(f"{name}: this vault does not do it", markup=False)
