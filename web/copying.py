"""`kluis backup` and `kluis restore`: what they do stands in `vault.backup` and `vault.restore`, what they say here."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.progress import Progress

from web.settings import load
from web.terminal import answer, err, told

Data = Annotated[Path | None, typer.Option(help="The data directory (KLUIS_DATA).")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
NOT_IN_IT: Final = [
    "the custodian: keep its own copy, apart from this one",
    "shares of grants and sessions: after a restore apps ask for their grants again, people log in again",
    "the recommender's data: it is made anew",
]


def make_backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Where backups are kept.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Back up the data directory; the server may go on. Share backups older than 7 days in DIR are deleted."""
    from vault import backup

    with told():
        settings, now = load(data=data), datetime.now(UTC)
        with Progress(console=err, transient=True) as bars:
            bar = bars.add_task("copying", total=None)

            def copied(done: int, total: int) -> None:
                bars.update(bar, completed=done, total=total)

            made = backup.make(settings.vault_dir, settings.shares_dir, target, now, copied)
        said: dict[str, Any] = {
            "vault": str(made.vault.folder),
            "entries": made.vault.told["entries"],
            "shares": str(made.shares.folder),
            "shares_good_until": (now + backup.KEPT).isoformat(timespec="seconds"),
            "pruned": made.pruned,
            "not_in_it": NOT_IN_IT,
        }
        answer(
            said if as_json else said | {"pruned": len(made.pruned), "not_in_it": "; ".join(NOT_IN_IT)}, as_json=as_json
        )


def put_back(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="Where `kluis backup` wrote to.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Put the newest backup of DIR back into a data directory that is empty or stopped, and check it."""
    from vault import fsck, restore

    with told():
        settings = load(data=data)
        done = restore.restore(source, settings.vault_dir, settings.shares_dir, datetime.now(UTC))
        faults = fsck.check(settings.vault_dir, settings.shares_dir)
    for fault in faults:
        err.print(fault, markup=False)
    answer(
        {
            "vault": str(done.vault.folder),
            "made": done.vault.time.isoformat(timespec="seconds"),
            "shares": str(done.shares.folder) if done.shares else "as they stood",
            "shares_put_back": done.put or 0,
            "set_aside": str(done.aside) if done.aside else "nothing",
            "faults": faults if as_json else len(faults),
            "checked": "without the server's key; `kluis fsck`, where the custodian is at hand, sees more",
        },
        as_json=as_json,
    )
    if faults:
        raise typer.Exit(1)
