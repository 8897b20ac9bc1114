"""`kluis log prove` and `export`: one entry or receipt proven, and one's own log taken away."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from web.leaving import keep
from web.receipt import check_receipt
from web.settings import load
from web.terminal import answer, server, stop, told
from web.verify import Verified, prove, read_directory, read_log

log = typer.Typer(help="Check the access log from outside; replace its key.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Base = Annotated[str | None, typer.Option(help="The address of the vault (KLUIS_BASE_URL).")]


class Form(StrEnum):
    """The forms in which a citizen can take her log away."""

    jsonl = "jsonl"
    aj = "aj"
    balp = "balp"


COUNTED = {Form.jsonl: b'"record":', Form.aj: b"<usage>", Form.balp: b'"resourceType": "AuditEvent"'}


@log.command("prove")
def prove_entry(
    what: Annotated[str, typer.Argument(help="The entry's place in the log, from 0; or an app's receipt to check.")],
    base: Base = None,
    data: Annotated[Path | None, typer.Option(help="Read a data directory instead of a server; needs --key.")] = None,
    key: Annotated[str | None, typer.Option(help="The log's verification key, as published.")] = None,
    target: Annotated[Path | None, typer.Option("--out", help="Write the proof to a file (.tlog-proof).")] = None,
    as_json: Json = False,
) -> None:
    """Print a proof (C2SP tlog-proof) that an entry is in the log; or check a receipt without any server.

    With --base the log is asked about keys that came before or after the one you give.
    """
    with told():
        if not what.isdecimal():
            _receipt(Path(what), key, base, as_json=as_json)
            return
        with reading(base, data, key) as read:
            proof = prove(read(), int(what))
        if target is not None:
            target.write_text(proof, encoding="utf-8")
            answer({"index": int(what), "file": str(target)}, as_json=as_json)
        elif as_json:
            answer({"index": int(what), "proof": proof}, as_json=True)
        else:
            sys.stdout.write(proof)


def _receipt(file: Path, key: str | None, base: str | None, *, as_json: bool) -> None:
    if not file.exists():
        stop(f"{file} is neither the place of an entry in the log, a number from 0, nor a receipt on this machine")
    if key is None:
        stop("a receipt is checked with --key: it cannot vouch for itself; the key stands in /transparency.json")
    text = file.read_text(encoding="utf-8")
    if base is None:
        shown = check_receipt(text, key)
    else:
        with server(load(base_url=base)) as client:
            shown = check_receipt(text, key, client.fetch)
    answer({"origin": shown.origin, "index": shown.index, "proves": shown.told, "verdict": "ok"}, as_json=as_json)


@log.command()
def export(
    user: Annotated[str, typer.Option(help="Your name in the vault; the passphrase is asked for.")],
    target: Annotated[Path, typer.Option("--out", help="Where to write your records.")],
    form: Annotated[
        Form, typer.Option("--format", help="jsonl has the proofs; aj and balp suit other systems.")
    ] = Form.jsonl,
    base: Base = None,
    as_json: Json = False,
) -> None:
    """Take your own log away; as jsonl it is what `kluis log verify --export` reads."""
    with told(), server(load(base_url=base)) as client:
        client.login(user, typer.prompt("Passphrase", hide_input=True, err=True))
        taken = client.fetch("/api/log/export" + ("" if form is Form.jsonl else f"?format={form.value}"))
        client.logout()
        keep(target, taken)
        answer({"file": str(target), "records": taken.count(COUNTED[form])}, as_json=as_json)


@contextmanager
def reading(base: str | None, data: Path | None, key: str | None) -> Iterator[Callable[[], Verified]]:
    """What reads the whole log and checks it, from a server or from a directory; its entries can be asked within."""
    if data is not None:
        if key is None:
            stop("--data needs --key: a directory cannot vouch for itself; the key stands in /transparency.json")
        yield partial(read_directory, data, key)
        return
    with server(load(base_url=base)) as client:
        yield lambda: read_log(client.fetch, key or client.log_key())
