"""`python -m recommender serve|train|evaluate`: the process of its own that `kluis recommender|train|evaluate` run.

Beside the web floor this is the only place that reads the clock and the environment.
"""

import argparse
import asyncio
import fcntl
import json
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from keys.harden import harden
from keys.secret import fresh_bytes
from recommender import rank
from recommender.agent import Agent, connection
from recommender.ask import LINE, Desk, attend
from recommender.books import books
from recommender.catalogue import Catalogue, book_entry, load as load_catalogue, work_entry
from recommender.contributions import Copies
from recommender.contributor import GRANTS, Contributor
from recommender.errors import BadData, RecommenderError
from recommender.evaluate import CLOSABLE, MODELS, PROTOCOLS, Asked, evaluate
from recommender.hearing import Hearing, listen
from recommender.release import Terms, ledger, release, write_ledger
from recommender.train import Trained, train
from recommender.wallet import Wallet, write_private
from recommender.works import works

WIN = 0.3


def main(arguments: list[str] | None = None) -> int:
    """Run one sub-command; 0 only on success, 2 for input that cannot be used."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except RecommenderError as error:
        print(f"recommender: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"recommender: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="recommender", description=__doc__)
    commands = parser.add_subparsers(required=True)
    serve = commands.add_parser("serve", help="answer on DATA/recommender/ask.sock")
    serve.add_argument("--data", type=Path, required=True, help="the data directory")
    serve.set_defaults(run=_serve)
    learn = commands.add_parser("train", help="rebuild the model from live contributors and print the figures")
    learn.add_argument("--data", type=Path, required=True, help="the data directory")
    learn.add_argument("--people", type=int, default=500)
    learn.add_argument("--seed", type=int, default=1)
    learn.add_argument("--json", action="store_true")
    learn.set_defaults(run=_train)
    judge = commands.add_parser("evaluate", help="write ranked lists for an interaction set")
    judge.add_argument("--data", type=Path, required=True, help="folder with interactions.csv(.gz) and items.csv(.gz)")
    judge.add_argument("--protocol", choices=PROTOCOLS, default="weak")
    judge.add_argument("--out", type=Path, required=True)
    judge.add_argument("--close", action="append", choices=CLOSABLE, default=[])
    judge.add_argument("--model", choices=MODELS, default="ranker", help="bar: plain EASE with recency and ratings")
    judge.add_argument("--dial", type=int, choices=range(4), default=0, help="leaps in every ten places")
    judge.add_argument("--hide", type=int, default=0, metavar="ROWS", help="hide each person's newest rows")
    judge.add_argument(
        "--epsilon", type=float, default=0.0, help="privacy noise as with 110,000 contributors; 0 = none"
    )
    judge.add_argument("--json", action="store_true")
    judge.set_defaults(run=_evaluate)
    return parser


def _clock() -> datetime:
    return datetime.now(UTC)


def _folder(options: argparse.Namespace) -> Path:
    """The recommender's own folder; KLUIS_RECOMMENDER_DATA puts it on another volume."""
    own = os.environ.get("KLUIS_RECOMMENDER_DATA")
    folder = Path(own) if own else Path(options.data) / "recommender"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _train(options: argparse.Namespace) -> int:
    folder = _folder(options)
    _gather(folder)
    learnt = _learn(folder, options.people, options.seed)
    figures = {
        "ndcg20": round(learnt.ndcg, 4),
        "popularity_ndcg20": round(learnt.popularity_ndcg, 4),
        "gain": round(learnt.gain, 4),
        "cpu_seconds": round(learnt.seconds, 1),
        "data": "simulated",
    }
    if options.json:
        print(json.dumps(figures))
    else:
        print(
            f"NDCG@20 {learnt.ndcg:.4f}, popularity {learnt.popularity_ndcg:.4f} ({learnt.gain:+.0%}), "
            f"on simulated citizens held back; {learnt.seconds:.1f} CPU seconds"
        )
    return 0 if learnt.gain >= WIN else 1


def _learn(folder: Path, people: int, seed: int) -> Trained:
    """Rebuild the model from nothing but the catalogue, made-up citizens, and the copies of live contributors."""
    if people < 20:
        raise BadData("--people: at least 20 are needed to learn anything")
    now, tell = _clock(), _bar if sys.stderr.isatty() else _silent
    tell("training", 0.0)
    learnt = train(now, np.random.default_rng(seed), people)
    tell("training", 0.5)
    given, terms = Copies(folder / "contributions").read(), Terms(_secret(folder))
    model, spent = release(given, _catalogue(folder), learnt.model, ledger(folder), terms, now)
    write_ledger(folder, spent)
    rank.save(model, folder)
    tell("training", 1.0)
    return learnt


def _secret(folder: Path) -> bytes:
    """What the noise of releases is drawn with: made once, never shown; with it noise could be taken off again."""
    path = folder / "noise.json"
    if not path.exists():
        write_private(path, {"secret": fresh_bytes(32).hex()})
    try:
        return bytes.fromhex(json.loads(path.read_text("utf-8"))["secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadData(f"{path}: cannot be read ({error})") from error


def _catalogue(folder: Path) -> Catalogue:
    shelf = folder / "catalogue.json"
    return (
        load_catalogue(shelf) if shelf.exists() else Catalogue([*map(book_entry, books()), *map(work_entry, works())])
    )


def _gather(folder: Path) -> None:
    """Have the copies read anew, by the process that holds the tokens, or where none runs by this one."""
    if not (folder / GRANTS).exists():
        return
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            asyncio.run(_told(folder))
        else:
            asyncio.run(_read(folder))


async def _read(folder: Path) -> None:
    now, tell = _clock(), _bar if sys.stderr.isatty() else _silent
    async with connection() as http:
        giver = Contributor(Wallet(folder, GRANTS), http)
        await giver.gather(Copies(folder / "contributions"), f"{now:%Y-%m}", now, tell)


async def _told(folder: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(folder / "ask.sock"), limit=LINE)
    writer.write(json.dumps({"ask": "gather", "version": f"{_clock():%Y-%m}"}).encode() + b"\n")
    answer = json.loads(await reader.readline())
    writer.close()
    if not answer.get("ok"):
        raise BadData(f"contributions could not be read: {answer.get('error', 'no answer')}")


def _evaluate(options: argparse.Namespace) -> int:
    asked = Asked(
        protocol=options.protocol,
        close=frozenset(options.close),
        model=options.model,
        dial=options.dial,
        hide=options.hide,
        epsilon=options.epsilon,
    )
    count = evaluate(options.data, options.out, asked, _bar if sys.stderr.isatty() else _silent)
    told = {"people": count, "protocol": options.protocol, "out": str(options.out)}
    print(json.dumps(told) if options.json else f"{count} lists in {options.out}")
    return 0


def _bar(stage: str, part: float) -> None:
    """A progress bar on standard error."""
    done = round(part * 30)
    print(f"\r{stage:<10}[{'#' * done}{'.' * (30 - done)}]", end="\n" if part == 1 else "", file=sys.stderr, flush=True)


def _silent(*_: object) -> None:
    """No progress bar where nobody looks."""


def _serve(options: argparse.Namespace) -> int:
    harden()
    folder = _folder(options)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadData(f"{folder}: another recommender runs here") from None
        return _open(folder)


def _open(folder: Path) -> int:
    """Serve from a folder that this process holds; a folder without a model gets one first."""
    wallet = Wallet(folder)
    if not (folder / "kin.json").exists():
        _learn(folder, 500, 1)
    asyncio.run(_listen(folder, wallet, _catalogue(folder), rank.load(folder)))
    return 0


def _complain(what: str) -> None:
    print(f"recommender: a signal of the vault was not obeyed yet: {what}", file=sys.stderr, flush=True)


async def _listen(folder: Path, wallet: Wallet, catalogue: Catalogue, model: rank.Model) -> None:
    """Serve the socket until SIGTERM or SIGINT; the socket is 0600 from its first moment."""
    path = folder / "ask.sock"
    path.unlink(missing_ok=True)
    async with connection() as http:
        giver = Contributor(Wallet(folder, GRANTS), http)
        desk = Desk(Agent(wallet, http), catalogue, model, folder, _clock(), giver=giver)
        hearing = Hearing(desk.agent, desk.drop, (giver.wallet, desk.copies))
        heard = asyncio.create_task(listen(hearing, _clock, asyncio.sleep, _complain))
        mask = os.umask(0o177)
        try:
            server = await asyncio.start_unix_server(lambda r, w: attend(desk, r, w, _clock), path, limit=LINE)
        finally:
            os.umask(mask)
        stop = asyncio.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
        print(f"ready {path}", flush=True)
        await stop.wait()
        server.close()
        heard.cancel()
    path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
