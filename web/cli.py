"""`kluis`: every command. What writes to a running vault goes through HTTP like everybody else.

Exit codes: 0 done, 1 checked and found wrong (or a file not taken in), 2 not possible as asked. With `--json` the
answer is one JSON object on standard output; messages go to standard error.
"""

import os
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from rich.table import Table

from keys.secret import StateKey
from web import copying, leaving
from web.cli_bench import take_measures
from web.cli_clock import clock
from web.cli_log import log, reading
from web.client import assertion
from web.quorum import read_cosigned
from web.settings import Settings, custodian_path, explain, findings, load
from web.terminal import answer, err, operator, out, read_json, server, stop, told
from web.verify import check_records

app = typer.Typer(name="kluis", help="A privacy-first personal data vault.", no_args_is_help=True, add_completion=False)
demo_app = typer.Typer(help="A small demo city on this machine.")
apps = typer.Typer(help="Apps that may ask citizens for a grant.", no_args_is_help=True)
keys = typer.Typer(help="The server's own key.", no_args_is_help=True)
app.add_typer(demo_app, name="demo")
witnesses = typer.Typer(help="A witness: it cosigns the logs of other vaults.", no_args_is_help=True)
app.add_typer(log, name="log")
app.add_typer(clock, name="clock")
app.add_typer(witnesses, name="witness")
app.add_typer(apps, name="app")
app.add_typer(keys, name="custodian")
app.command("bench")(take_measures)
app.command("backup")(copying.make_backup)
app.command("restore")(copying.put_back)
app.command("export")(leaving.take_along)
app.command("erase")(leaving.erase)

if TYPE_CHECKING:
    from web.moving import Asked

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Data = Annotated[Path | None, typer.Option(help="The data directory (KLUIS_DATA).")]
Base = Annotated[str | None, typer.Option(help="The address of the vault (KLUIS_BASE_URL).")]


RECOMMENDER = [sys.executable, "-m", "recommender"]
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@demo_app.callback(invoke_without_command=True)
def serve_demo(
    context: typer.Context,
    port: Annotated[
        int, typer.Option(min=1, max=65534, help="The vault's port; the demo site takes the next one.")
    ] = 8400,
    data: Annotated[Path, typer.Option(help="Where the demo city lives.")] = Path("kluis-demo"),
    reset: Annotated[bool, typer.Option("--reset", help="Begin anew: the directory is emptied first.")] = False,
    as_json: Json = False,
) -> None:
    """Seed a small demo city and serve it, with one-time login links."""
    if context.invoked_subcommand is not None:
        return
    from web import demo

    with told():
        try:
            demo.run(port=port, data=data, reset=reset, as_json=as_json)
        except demo.DemoError as error:
            stop(str(error))


@demo_app.command("tamper")
def tamper_with_demo(
    data: Annotated[Path, typer.Option(help="Where the demo city lives.")] = Path("kluis-demo"),
    as_json: Json = False,
) -> None:
    """Change one stored line of a citizen's log behind the server's back, to see that everybody notices."""
    from web import tamper
    from web.demo import DemoError

    with told():
        try:
            done = tamper.tamper(data)
        except DemoError as error:
            stop(str(error))
        answer(asdict(done), as_json=as_json)


@app.command()
def serve(data: Data = None, as_json: Json = False) -> None:
    """Serve the vault of the data directory."""
    from web.app import serve

    with told():
        serve(load(data=data), as_json=as_json)


@app.command(context_settings=PASSED_ON, add_help_option=False)
def recommender(context: typer.Context, data: Data = None) -> None:
    """Run the recommender: its own process, an app like any other."""
    _become("serve", data, context.args)


@app.command(context_settings=PASSED_ON, add_help_option=False)
def train(context: typer.Context, data: Data = None) -> None:
    """Rebuild the model of everybody from those who let their data improve it now."""
    _become("train", data, context.args)


@app.command(context_settings=PASSED_ON, add_help_option=False)
def evaluate(context: typer.Context) -> None:
    """Judge the recommender on an interaction set."""
    os.execv(sys.executable, [*RECOMMENDER, "evaluate", *context.args])  # noqa: S606


@app.command()
def check(data: Data = None, as_json: Json = False) -> None:
    """Show every setting with its source, and what is unwise or missing in them."""
    with told():
        settings = load(data=data)
        rows, unwise, demo = explain(settings), findings(settings), (settings.data / "demo").is_dir()
        if demo:
            unwise.append(f"{settings.data} is a demo city with its own key; serve it with `kluis demo`")
        if as_json:
            answer(
                {
                    "settings": [dict(zip(("name", "value", "source"), row, strict=True)) for row in rows],
                    "findings": unwise,
                }
            )
        else:
            table = Table("setting", "value", "source", box=None)
            for row in rows:
                table.add_row(*row)
            out.print(table)
            for line in unwise:
                err.print(f"note: {line}", markup=False)
        _ = settings.witness_policy
        if not demo:
            _ = settings.custodian_uri


@app.command("fsck")
def check_directory(data: Data = None, as_json: Json = False) -> None:
    """Check every invariant of the data directory that shows without a citizen; may run beside the server.

    Where the custodian can be read, its state key also tells whether anything beside a record was rewritten.
    """
    from vault import fsck

    with told():
        settings = load(data=data)
        faults = fsck.check(settings.vault_dir, settings.shares_dir, _state_key(settings))
        under = fsck.custody(settings.vault_dir)
    for fault in faults:
        err.print(fault, markup=False)
    answer({"faults": faults if as_json else len(faults), "pods_by_custody_key": under}, as_json=as_json)
    if faults:
        raise typer.Exit(1)


@log.command()
def verify(
    base: Base = None,
    data: Annotated[Path | None, typer.Option(help="Read a data directory instead of a server; needs --key.")] = None,
    export: Annotated[Path | None, typer.Option(help="Your own records, as taken from the log page.")] = None,
    key: Annotated[str | None, typer.Option(help="The log's verification key, as published.")] = None,
    policy: Annotated[
        Path | None, typer.Option(help="A policy file (C2SP tlog-policy): demand cosignatures of its witnesses.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute the log's whole root, check its signature, and your export and its cosignatures against it."""
    with told(), reading(base, data, key) as read:
        checked, cosigned = (read(), 0) if policy is None else read_cosigned(read, policy)
        seen = None
        if export is not None:
            with export.open(encoding="utf-8") as lines:
                seen = check_records(checked, lines)
        verdict: dict[str, Any] = {
            "origin": checked.head.origin,
            "entries": checked.entries,
            "size": checked.head.size,
            "root": checked.head.root.hex(),
        }
        if policy is not None:
            verdict |= {"cosigned": cosigned}
        if seen is not None:
            verdict |= {"records": seen.checked, "records_waiting": seen.waiting}
            verdict |= {"records_withheld": seen.withheld, "records_ended": seen.ended}
        answer({**verdict, "verdict": "ok"}, as_json=as_json)


@witnesses.command("serve", context_settings=PASSED_ON, add_help_option=False)
def serve_witness(context: typer.Context) -> None:
    """Cosign the logs of others, in a process of its own that knows nothing of a vault."""
    os.execv(sys.executable, [sys.executable, "-m", "web.witness", *context.args])  # noqa: S606


@keys.command()
def rotate(data: Data = None, as_json: Json = False) -> None:
    """Replace the custody key: a new one, every pod under it, the old one destroyed. Goes on where it broke off."""
    with told(), operator(load(data=data)) as client:
        done = client.rotate()
        answer(done, as_json=as_json)
        if done["left"]:
            raise typer.Exit(1)


@log.command("rotate")
def rotate_log(data: Data = None, as_json: Json = False) -> None:
    """Replace the log's key; the old one certifies the new one in the log.

    Who trusts the old key follows, witnesses of Kluis too. Tell other witnesses the key this prints.
    """
    with told(), operator(load(data=data)) as client:
        answer(client.rotate_log(), as_json=as_json)


@apps.command()
def register(
    name: Annotated[str, typer.Option(help="The name people will read.")],
    controller: Annotated[str, typer.Option(help="Who answers for it, as a URI.")],
    redirect_uri: Annotated[list[str], typer.Option(help="Where people return to; may be repeated.")],
    jwks: Annotated[Path, typer.Option(help="The app's public keys (RFC 7517).")],
    purpose: Annotated[str, typer.Option(help="Why, as a DPV code.")],
    text_nl: Annotated[str, typer.Option(help="Why, in plain Dutch.")],
    text_en: Annotated[str | None, typer.Option(help="The same in English.")] = None,
    text_fr: Annotated[str | None, typer.Option(help="The same in French.")] = None,
    text_de: Annotated[str | None, typer.Option(help="The same in German.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="A category it may ask for; at least one.")] = None,
    justify: Annotated[
        list[str] | None,
        typer.Option(help="Why it asks more of one than usual, as CATEGORY=RUNG=TEXT; may be repeated."),
    ] = None,
    push_uri: Annotated[str | None, typer.Option(help="Where it is told of its grants (RFC 8935).")] = None,
    push_token: Annotated[
        Path | None, typer.Option(help="A file with the bearer token to show there.", exists=True, dir_okay=False)
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Register an app and its purpose, as operator of the vault that serves this data directory."""
    texts = {"nl": text_nl, "en": text_en, "fr": text_fr, "de": text_de}
    shown = push_token.read_text(encoding="utf-8").strip() if push_token else ""
    with told(), operator(load(data=data)) as client:
        answer(
            client.register(
                {
                    "client_name": name,
                    "controller": controller,
                    "redirect_uris": redirect_uri,
                    "jwks": read_json(jwks),
                    "token_endpoint_auth_method": "private_key_jwt",
                    "purposes": [
                        {
                            "code": purpose,
                            "text": {language: text for language, text in texts.items() if text},
                            "categories": category or [],
                            **({"justifications": [_justified(one) for one in justify]} if justify else {}),
                        }
                    ],
                    "push_uri": push_uri or "",
                    "push_token": shown,
                }
            ),
            as_json=as_json,
        )


@app.command("import")
def import_file(
    source: Annotated[str, typer.Argument(help="The format, e.g. mijnbib, folio or uitdatabank.")],
    file: Annotated[Path, typer.Argument(help="The file to take in; of css and nss the server's folder.", exists=True)],
    pod: Annotated[str | None, typer.Option(help="Whose pod; none for the public catalogue, or for all pods.")] = None,
    patron: Annotated[str | None, typer.Option(help="Which person of the file, if it holds several.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be stored, store nothing.")] = False,
    keep_good: Annotated[
        bool, typer.Option("--keep-good", help="Store the rest when some records are rejected.")
    ] = False,
    base: Base = None,
    key: Annotated[
        Path | None, typer.Option(help="The source's private key (JWK); else the operator's socket.")
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="The source's id, with --key.")] = None,
    base_url: Annotated[str | None, typer.Option(help="css, nss: the old address, if the folder tells none.")] = None,
    invitations: Annotated[
        Path, typer.Option(help="css, nss: the file to which each new pod's way in is written.")
    ] = Path("kluis-invitations.jsonl"),
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Deposit a file of a data source. One bad record and nothing is stored, unless --keep-good.

    With css or nss: bring in the pods of a Community Solid Server or Node Solid Server, each whole or not at all.
    """
    if source in ("css", "nss"):
        from web.moving import Asked

        kind: Literal["css", "nss"] = "css" if source == "css" else "nss"
        _move_in(Asked(kind, file, pod, base_url, dry_run, keep_good, invitations), data, as_json=as_json)
        return
    if file.is_dir():
        stop(f"{file} is a folder: only css and nss take one")
    asked = {"pod": pod, "patron": patron, "dry-run": "1" if dry_run else None, "keep-good": "1" if keep_good else None}
    with told():
        settings, body, bearer = load(data=data, base_url=base), file.read_bytes(), None
        if (key is None) != (client_id is None) or (base is not None and key is None):
            stop("--base needs --key and --client-id; without them the operator's socket is used")
        if key is not None and client_id is not None:
            signed = {"pod": pod, "patron": patron, "keep_good": keep_good}
            bearer = assertion(read_json(key), client_id, settings.base_url, body, datetime.now(UTC), **signed)
        with server(settings) if bearer else operator(settings, ", or give --base, --key and --client-id") as client:
            query = {name: value for name, value in asked.items() if value is not None}
            taken = client.deposit(source, body, query, bearer)
    rejects = taken.pop("rejects", [])
    if not as_json and "read" in taken:
        good = taken.pop("read")
        taken = {"source": source, "good": f"{good} of {good + len(rejects)}"} | taken
    for reject in rejects:
        err.print(_reject(reject), markup=False)
    answer(taken | ({"rejects": rejects} if as_json else {"rejected": len(rejects)}), as_json=as_json)
    if rejects and not keep_good:
        raise typer.Exit(1)


def _move_in(asked: "Asked", data: Path | None, *, as_json: bool) -> None:
    """Bring pods in and say what became of each."""
    from web.moving import move_in

    with told():
        done = move_in(load(data=data), asked)
    said = done.told(asked)
    if not as_json:
        for one in (*said.pop("rejects"), *said.pop("notes")):
            err.print(_reject(one), markup=False)
        said |= {"rejected": len(done.rejects), "changed": len(done.notes)}
    answer(said, as_json=as_json)
    if done.failed:
        raise typer.Exit(1)


def _state_key(settings: Settings) -> StateKey | None:
    """The server's key of control data, where its custodian is at hand."""
    from keys.custody import custodian

    demo = settings.data / "custodian"  # a demo city has its key beside its data
    if (settings.data / "demo").is_dir() and demo.exists():
        return custodian(f"file:{demo}").state_key()
    if settings.custodian is None or not custodian_path(settings.custodian).exists():
        return None
    return custodian(settings.custodian_uri).state_key()


def _justified(text: str) -> dict[str, object]:
    """CATEGORY=RUNG=TEXT as registration metadata."""
    category, rung, why = (*text.split("=", 2), "", "")[:3]
    if not rung.isdecimal() or not why:
        stop("--justify expects CATEGORY=RUNG=TEXT, such as 'pd:PostalCode=3=Om te leveren.'")
    return {"category": category, "rung": int(rung), "text": why}


def _reject(reject: Any) -> str:
    """One line for one rejected record; what came over the wire is shown as text, whatever it is."""
    line = reject if isinstance(reject, str) else " ".join(str(part) for part in dict(reject).values())
    return "".join(letter if letter.isprintable() else "?" for letter in line)


def _become(command: str, data: Path | None, arguments: list[str]) -> NoReturn:
    """Go on as the recommender's own process: only there lives the ranker."""
    with told():
        settings = load(data=data)
    own = {} if settings.recommender_data is None else {"KLUIS_RECOMMENDER_DATA": str(settings.recommender_data)}
    os.execve(sys.executable, [*RECOMMENDER, command, "--data", str(settings.data), *arguments], os.environ | own)  # noqa: S606


def main() -> None:
    """Entry point of `kluis`."""
    app()
