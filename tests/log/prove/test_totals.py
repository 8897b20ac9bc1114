"""L8: the DPO's totals are those of the log to the last entry, and her key opens nothing about a person."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

import pytest

from consent import report
from consent.accounts import passphrase
from consent.accounts.people import Newcomer, enroll, found_office
from keys.context import ctx
from keys.dropbox import collect
from keys.errors import KeysError
from keys.records import open_record
from keys.secret import Private, RecordKey
from keys.text import b64
from tests.conftest import Clock
from tests.proof import figure, rounds
from vault import office
from vault.log.append import DPO
from vault.log.entry import Facts, Guard, Intent
from vault.tables import Entry, Record, RecordKey as KeyRow
from vault.vault import Vault

CITIZENS = 6
APPS = ("cultuurgids", "kluis-recommender", "uit-agenda", "")
PURPOSES = ("dpv:ProvidePersonalisedRecommendations", "dpv:ServiceProvision", "dpv:ResearchAndDevelopment")
CATEGORIES = ("pd:Interest", "kluis:LibraryLoan", "kluis:Ticket", "pd:PostalCode")
ACTIONS = ("read", "list", "append", "write", "derive")
Cell = tuple[int, str, str, str, str, str, str]


@dataclass
class Seen:
    """What the DPO's key opened, while it was open."""

    opened: office.Opened | None = None
    foreign: int = 0


async def test_the_totals_are_exact_and_name_nobody(
    vault: Vault, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    many, random = rounds(300, "L8a"), Random(8)
    (officer,) = await found_office(vault, [Newcomer("dpo", "Dirk")], clock())
    people = [f"burger-{number}-canary" for number in range(CITIZENS)]
    for name in people:
        await enroll(vault, name, name.title(), "citizen", name, None, clock())
    book, things, private = await _live(vault, clock, random, people, many)

    entered = await passphrase.login(vault, "dpo", officer.codes[0], clock())
    assert entered is not None
    seen = Seen()
    monkeypatch.setattr(office, "read", _watched(vault, seen))
    told = await report.totals(vault, entered[1], clock())

    assert (told.opened, told.damaged) == (told.entries, ()) and told.entries == _private_entries(vault)
    assert seen.opened is not None
    cells, counted = Counter[Cell](), Counter[Cell]()
    for record in seen.opened.records:
        if record["purpose"] in PURPOSES:
            cell = tuple(record[name] for name in ("hour", *CELL))
            cells[cell] += 1
            counted[cell] += record["count"]
    wrong = [cell for cell in {*book, *cells} if (book[cell], things[cell]) != (cells[cell], counted[cell])]
    wrong += list(_folded(book, things) ^ _rows(told))  # what she reads has the same sums over all hours
    text = json.dumps(seen.opened.records)
    personal = [value for value in {*private, *people} if value in text]
    figure("L8a", len(wrong), many)
    figure("L8b", len(personal), many)
    figure("L8c", seen.foreign, many)
    assert (wrong, personal, seen.foreign) == ([], [], 0)


CELL = ("client", "purpose", "legal_basis", "category", "action", "decision")


async def _live(
    vault: Vault, clock: Clock, random: Random, people: list[str], many: int
) -> tuple[Counter[Cell], Counter[Cell], set[str]]:
    """`many` events over some weeks and past a new year, and a book of them: entries, things, and personal values."""
    book, things, private = Counter[Cell](), Counter[Cell](), set[str]()
    for number in range(many):
        clock.forward(minutes=random.randrange(1, max(2, 100_000 // many * 2)))
        name, app = random.choice(people), random.choice(APPS)
        pod = vault.pod(name)
        assert pod is not None
        decision, closed = random.choice(["allowed", "allowed", "denied"]), random.random() < 0.1
        path, grant, agent = f"/p-{number}-canary", b64(random.randbytes(16)), f"https://{name}.example/#{number}"
        facts = Facts(
            "access" if decision == "allowed" else "denial", random.choice(ACTIONS), decision, "grant",
            category=random.choice(CATEGORIES), resources=(path,), count=random.randrange(50), bytes=number,
            client=app or f"person-{number}-canary", client_name=f"naam-{number}-canary", app=app, agent=agent,
            purpose=random.choice(PURPOSES), legal_basis=random.choice(["6(1)(a)", "6(1)(e)"]), grant=grant,
            request=f"r-{number}-canary", note=f"n-{number}-canary",
        )  # fmt: skip
        guards = (Guard(random.randbytes(16), 1),) if closed else ()  # a gate that is not there refuses
        await vault.log.append(Intent(pod.id, facts, clock(), guards=guards))
        if closed:
            decision = "denied"
        hour = int(clock().timestamp()) // 3600
        cell = (hour, app, facts.purpose, facts.legal_basis, facts.category, facts.action, decision)
        book[cell] += 1
        things[cell] += 0 if closed else facts.count
        private |= {path, grant, agent, facts.client_name, facts.request, facts.note, b64(pod.id), pod.id.hex()}
        private |= set() if app else {facts.client}
    clock.now += timedelta(seconds=1)
    return book, things, private


def _watched(vault: Vault, seen: Seen) -> Any:
    """The office's own reading, and beside it every attempt to open pods' records with the same key."""
    real = office.read

    def read(lines: Any, letters: Any, privates: Mapping[bytes, Private]) -> office.Opened:
        seen.foreign = sum(_foreign(vault, private) for private in privates.values())
        seen.opened = real(lines, letters, privates)
        return seen.opened

    return read


def _foreign(vault: Vault, private: Private) -> int:
    """How many pod records open with this key: by their own key's letter, or under any key that it does open."""
    origins = [ledger.origin for ledger in vault.log.shards.all]
    letters = [(row, origin, pod) for row in vault.db.read.find(KeyRow) for origin in origins for pod in (row.pod, DPO)]
    opened = [(row, key) for row, origin, pod in letters if (key := _collected(private, row, origin, pod or DPO))]
    assert opened, "the key opens its own records: else nothing was tried"
    keys, kinds = [key for _, key in opened[-3:]], ("record", "dpo-record")
    tries = product(keys, kinds, origins, vault.db.read.find(Record))
    return sum(row.pod != b"" for row, _ in opened) + sum(_opens(*one) for one in tries)


def _collected(private: Private, row: KeyRow, origin: str, pod: bytes) -> RecordKey | None:
    try:
        return collect(private, ctx("record-key", pod, origin, row.id), row.sealed, RecordKey)
    except KeysError:
        return None


def _opens(key: RecordKey, kind: Any, origin: str, record: Record) -> bool:
    try:
        open_record(key, kind, origin, record.key, record.entry, record.sealed)
    except KeysError:
        return False
    return True


def _private_entries(vault: Vault) -> int:
    """Private entries after the one that made the office."""
    first = min(row.idx for row in vault.db.read.find(Record, pod=vault.office))
    return sum(row.idx > first and row.leaf[1] == 0 for row in vault.db.read.find(Entry))


def _folded(book: Counter[Cell], things: Counter[Cell]) -> set[tuple[Any, ...]]:
    entries, counts = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for cell, one in book.items():
        entries[cell[1:]] += one
        counts[cell[1:]] += things[cell]
    return {(*cell, counts[cell], entries[cell]) for cell in entries}


def _rows(told: report.Totals) -> set[tuple[Any, ...]]:
    names = [field.name for field in fields(report.Row)]
    return {tuple(getattr(row, name) for name in names) for row in told.rows if row.purpose in PURPOSES}
