"""L1: three readers that are not ours accept the true log and none of ten thousand lies about it."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from consent.accounts.people import Newcomer, found_office
from tests.browser.conftest import CHROMIUM
from tests.conftest import Clock
from tests.proof import figure, rounds
from tests.verifiers import judges
from tests.verifiers.claims import CHANGES, Claim, Truth, lie
from vault.log.entry import Facts, Intent
from vault.log.tiles import Ledger
from vault.tables import Checkpoint, Entry
from vault.vault import Vault
from web.verify import tile_name

SIZES = (2, 3, 4, 7, 8, 100, 256, 257, 511, 512, 700)
TRUE = 300
SEED = 11


@pytest.fixture
async def logs(vault: Vault, clock: Clock) -> list[Truth]:
    """Two half-years of one log as the product wrote and signed them, and the truth about each."""
    await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    await _grow(vault, clock)
    clock.now += timedelta(days=60)
    await _grow(vault, clock)
    return [_truth(vault, ledger) for ledger in vault.log.shards.all]


async def _grow(vault: Vault, clock: Clock) -> None:
    """Write entries into the half-year of the clock, and publish a checkpoint at many sizes of it."""

    def one() -> Coroutine[Any, Any, Any]:
        return vault.log.append(Intent(vault.office, Facts("admin", "read totals"), clock()))

    await one()  # the first of a half-year brings its seam along
    for size in SIZES:
        await asyncio.gather(*(one() for _ in range(size - vault.log.ledger.tree.size)))
        if vault.log.ledger.tree.size == size:
            await vault.publish()


def _truth(vault: Vault, ledger: Ledger) -> Truth:
    rows = vault.db.read.find(Entry, order_by="idx")
    leaves = [row.leaf for row in rows[ledger.first : ledger.first + ledger.size]]
    notes = {row.size: row.note for row in vault.db.read.find(Checkpoint, first=ledger.first)}
    return Truth(ledger.origin, ledger.vkey, leaves, notes)


def shown(ledger: Ledger, truth: Truth, claim: Claim) -> Claim:
    """The claim of the truth as the product proves it: its own audit path and its own proof of growth."""
    size, old = (int(note.split("\n")[1]) for note in (claim.note, claim.old))
    proof, tree = ledger.tree.inclusion(claim.index, size), ledger.tree.consistency(old, size)
    leaf, notes = truth.leaves[claim.index], truth.notes
    return Claim(ledger.vkey, ledger.origin, notes[size], leaf, claim.index, tuple(proof), notes[old], tuple(tree))


def told(vault: Vault, logs: Sequence[Truth], random: Random) -> list[Claim]:
    """What the product says of its logs, every entry at the edge of a tile among it."""
    picked = [(number, log.any(random)) for number, log in enumerate(logs) for _ in range(TRUE)]
    picked += [(n, log.claim(at, 700, 256)) for n, log in enumerate(logs) for at in (0, 255, 256, 511, 512, 699)]
    return [shown(vault.log.shards.all[number], logs[number], claim) for number, claim in picked]


def lies(logs: Sequence[Truth], random: Random, many: int, *, growth: bool) -> list[Claim]:
    """Claims with one thing changed, each of a meaning that is true of no log; every kind of change among them."""
    made = [lie(random, logs, growth=growth) for _ in range(many)]
    kinds = Counter(name for name, _ in made)
    assert set(kinds) >= set(CHANGES) - (set() if growth else {"growth"}), kinds
    assert min(kinds.values()) > many / 100, kinds
    return [claim for _, claim in made]


Answers = Callable[[Sequence[Claim]], Sequence[str]]


def judged(vault: Vault, logs: Sequence[Truth], name: str, answers: Answers, *, growth: bool = True) -> None:
    """Every true claim is accepted, every lie refused; the figure is the number of lies that were believed.

    Without `growth` the reader does not look at proofs of growth, and no lie is about them alone.
    """
    random, many = Random(SEED), rounds(1_000, name)  # the same lies every time
    good, bad = told(vault, logs, random), lies(logs, random, many, growth=growth)
    assert all(any(log.holds(claim) for log in logs) for claim in good)
    said = list(answers(good + bad))
    assert len(said) == len(good) + many
    assert judges.accepted(said[: len(good)]) == len(good), [one for one in said[: len(good)] if one != "ok"][:3]
    assert not judges.unforeseen(said)
    believed = [claim for claim, one in zip(bad, said[len(good) :], strict=True) if one == "ok"]
    figure(name, len(believed), many)
    assert not believed, believed[:3]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go verifier, or a skip that says what is missing."""
    try:
        return judges.build(tmp_path_factory.mktemp("go"))
    except judges.Absent as absent:
        print(f"NOT RUN: {absent}", file=sys.stderr)
        pytest.skip(str(absent))


async def test_gos_own_log_packages_believe_the_log_and_no_lie(vault: Vault, logs: list[Truth], program: Path) -> None:
    judged(vault, logs, "L1a", lambda claims: judges.by_go(program, [claim.line() for claim in claims]))


async def test_pymerkle_believes_the_log_and_no_lie(vault: Vault, logs: list[Truth]) -> None:
    judge = judges.Merkle({log.origin: log.leaves for log in logs})
    judged(vault, logs, "L1b", lambda claims: [judge(claim) for claim in claims], growth=False)


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed (apt-get install chromium)")
async def test_the_shipped_script_in_a_browser_believes_the_log_and_no_lie(vault: Vault, logs: list[Truth]) -> None:
    with ThreadPoolExecutor(1) as beside:  # Playwright must not meet the loop of the vault
        judged(vault, logs, "L1c", lambda claims: beside.submit(judges.by_webcrypto, claims).result())


def lay_out(vault: Vault, ledger: Ledger, folder: Path) -> list[Path]:
    """Every tile and bundle of a half-year as files, as the server shows them."""
    made = []
    for level in ("entries", "0", "1"):
        count = ledger.size >> (8 if level == "1" else 0)
        for first in range(0, count, 256):
            index, width = first // 256, min(256, count - first)
            bundle = level == "entries"
            body = ledger.bundle(vault.db.read, index, width) if bundle else ledger.tile(int(level), index, width)
            path = folder / "tile" / level / tile_name(index, width)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            made.append(path)
    return made


async def test_go_recomputes_the_root_from_the_tiles_and_notices_every_changed_byte(
    vault: Vault, logs: list[Truth], program: Path, tmp_path: Path
) -> None:
    random, lines = Random(SEED), []
    for number, (log, ledger) in enumerate(zip(logs, vault.log.shards.all, strict=True)):
        for turn in range(60):
            folder = tmp_path / f"{number}-{turn}"
            files = lay_out(vault, ledger, folder)
            if turn:
                path = random.choice(files)
                path.write_bytes(_spoilt(random, path.read_bytes()))
            told = {"vkey": log.vkey, "origin": log.origin, "note": ledger.note, "tiles": str(folder)}
            lines.append(json.dumps(told, ensure_ascii=False))
    said = judges.by_go(program, lines)
    assert [one == "ok" for one in said] == [turn == 0 for _ in logs for turn in range(60)]


def _spoilt(random: Random, data: bytes) -> bytes:
    """A bit turned, the end cut off or made longer, or two neighbours swapped."""
    at, step = random.randrange(len(data)), 68 if len(data) % 68 == 0 else 32
    place = at // step * step
    swapped = data[:place] + data[place + step : place + 2 * step] + data[place : place + step]
    flipped = data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]
    made = random.choice([flipped, flipped, data[:at], data + b"\0", swapped + data[place + 2 * step :]])
    return made if made != data else flipped
