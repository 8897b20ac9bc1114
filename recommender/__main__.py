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
from recommender import rank
from recommender.agent import Agent, connection
from recommender.ask import LINE, Desk, attend
from recommender.books import books
from recommender.catalogue import Catalogue, book_entry, load as load_catalogue
from recommender.errors import BadData, RecommenderError
from recommender.evaluate import CLOSABLE, PROTOCOLS, evaluate
from recommender.hearing import Hearing, listen
from recommender.train import Trained, train
from recommender.wallet import Wallet

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
    learn = commands.add_parser("train", help="train on simulated citizens and print the figures")
    learn.add_argument("--data", type=Path, required=True, help="the data directory")
    learn.add_argument("--people", type=int, default=500)
    learn.add_argument("--seed", type=int, default=1)
    learn.add_argument("--json", action="store_true")
    learn.set_defaults(run=_train)
    judge = commands.add_parser("evaluate", help="write ranked lists for an interaction set")
    judge.add_argument("--data", type=Path, required=True, help="folder with interactions.csv.gz and items.csv.gz")
    judge.add_argument("--protocol", choices=PROTOCOLS, default="weak")
    judge.add_argument("--out", type=Path, required=True)
    judge.add_argument("--close", action="append", choices=CLOSABLE, default=[])
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
    learnt = _learn(_folder(options), options.people, options.seed)
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
    if people < 20:
        raise BadData("--people: at least 20 are needed to learn anything")
    learnt = train(_clock(), np.random.default_rng(seed), people)
    rank.save(learnt.model, folder)
    return learnt


def _evaluate(options: argparse.Namespace) -> int:
    count = evaluate(options.data, options.protocol, options.out, options.close)
    told = {"people": count, "protocol": options.protocol, "out": str(options.out)}
    print(json.dumps(told) if options.json else f"{count} lists in {options.out}")
    return 0


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
    if not (folder / "card.json").exists():
        _learn(folder, 500, 1)
    shelf = folder / "catalogue.json"
    catalogue = load_catalogue(shelf) if shelf.exists() else Catalogue(map(book_entry, books()))
    asyncio.run(_listen(folder, wallet, catalogue, rank.load(folder)))
    return 0


def _complain(what: str) -> None:
    print(f"recommender: a signal of the vault was not obeyed yet: {what}", file=sys.stderr, flush=True)


async def _listen(folder: Path, wallet: Wallet, catalogue: Catalogue, model: rank.Model) -> None:
    """Serve the socket until SIGTERM or SIGINT; the socket is 0600 from its first moment."""
    path = folder / "ask.sock"
    path.unlink(missing_ok=True)
    async with connection() as http:
        desk = Desk(Agent(wallet, http), catalogue, model, folder, _clock())
        hearing = Hearing(desk.agent, desk.drop)
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
