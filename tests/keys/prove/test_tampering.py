"""K1 at the vault: whoever writes past the server, bits or other rows' columns, is served nothing of it by the door.

Each round changes one stored column on the way of one reader, asks for the resource, and puts it back.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from consent import gate
from consent.accounts import passphrase
from consent.accounts.people import enroll
from keys.errors import KeysError
from tests.house import ALL_INTERESTS, Granted, Household
from tests.proof import figure, rounds
from vault import door
from vault.errors import VaultError

FEW = 60
PATH = "/interests/a.jsonld"


@dataclass(frozen=True)
class Column:
    """A sealed column that a reader's way leads through: its table, its name, and which row."""

    table: str
    name: str
    where: str
    params: tuple[bytes, ...]


class Tamperer:
    """Writes to the database past the server, and takes it back."""

    def __init__(self, path: Path) -> None:
        self.raw = sqlite3.connect(path, isolation_level=None, timeout=30)

    def read(self, column: Column) -> bytes:
        row = self.raw.execute(f'SELECT {column.name} FROM "{column.table}" WHERE {column.where}', column.params)
        return bytes(row.fetchone()[0])

    def write(self, column: Column, value: bytes) -> None:
        sql = f'UPDATE "{column.table}" SET {column.name} = ? WHERE {column.where}'
        assert self.raw.execute(sql, (value, *column.params)).rowcount == 1

    def elsewhere(self) -> list[bytes]:
        """Every sealed value of the database: other pods, compartments, versions, grants, purposes, types."""
        columns = (("token", "wrap"), ("token", "sealed"), ("grantkey", "wrap"), ("grant", "sealed"),
                   ("resource", "dek"), ("record", "sealed"),
                   ("resource", "label"), ("body", "data"), ("compartment", "wrapped"), ("compartment", "private"),
                   ("rootwrap", "wrapped"), ("session", "root"), ("unlocker", "sealed"))  # fmt: skip
        return [bytes(v) for t, c in columns for (v,) in self.raw.execute(f'SELECT {c} FROM "{t}"') if v is not None]


@pytest.fixture
async def city(house: Household) -> tuple[Household, Granted, bytes]:
    """Two pods, two grants, two versions and both forms of data keys; and what An's grant reads, as it was before."""
    granted, _ = [await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"}) for _ in range(2)]
    for text in ("jazz", "opera"):
        await house.keep("/interests/b.jsonld", {"@type": "pd:Interest", "schema:about": [text]})
    made = await enroll(house.vault, "bo", "Bo", "citizen", "bo", None, house.clock())
    assert await passphrase.login(house.vault, "bo", made.codes[0], house.clock())
    answer = await house.call("GET", f"/pods/an{PATH}", granted.access)
    assert answer.status_code == 200
    await house.quiet()
    return house, granted, answer.content


def ways(house: Household, granted: Granted) -> dict[str, list[Column]]:
    """The sealed columns on the way of an app and on that of the citizen herself."""
    pod = house.session.pod
    rid, cid = pod.resource(PATH), pod.compartment("interests")
    content = [Column("resource", "dek", "id = ?", (rid,)), Column("resource", "label", "id = ?", (rid,)),
               Column("body", "data", "id = ?", (rid,))]  # fmt: skip
    token = "grant = ? AND kind = 'kat'"
    app = [Column("token", "wrap", token, (granted.id,)), Column("token", "sealed", token, (granted.id,)),
           Column("grantkey", "wrap", "grant = ? AND compartment = ?", (granted.id, cid)),
           Column("grant", "sealed", "id = ?", (granted.id,))]  # fmt: skip
    mine = [Column("session", "root", "handle = ?", (house.session.handle,)),
            Column("compartment", "wrapped", "id = ?", (cid,))]  # fmt: skip
    return {"app": content + app, "citizen": content + mine}


async def served(house: Household, granted: Granted, reader: str, expected: bytes) -> bool:
    """Whether the reader was given anything."""
    if reader == "app":
        answer = await house.call("GET", f"/pods/an{PATH}", granted.access)
        assert answer.status_code == 200 or expected not in answer.content
        return answer.status_code == 200
    permit, keys = gate.own(house.session, "interests", "read", PATH)
    row = house.vault.db.read.run("SELECT root FROM session WHERE handle = :handle", handle=house.session.handle)
    try:
        found = await door.read(house.vault, permit, replace(keys, wrap=row[0][0]), PATH, house.clock())
    except (KeysError, VaultError):
        return False
    return found.kind == "resource"


def mutated(rng: np.random.Generator, before: bytes, elsewhere: list[bytes]) -> tuple[str, bytes]:
    """One bit, a cut, a tail, or another row's column in the place of this one."""
    way = ("flip", "cut", "tail", "swap")[int(rng.integers(4))]
    if way == "flip":
        at, bad = int(rng.integers(len(before) * 8)), bytearray(before)
        bad[at // 8] ^= 1 << at % 8
        return way, bytes(bad)
    if way == "cut":
        return way, before[: int(rng.integers(len(before)))]
    if way == "tail":
        return way, before + rng.bytes(int(rng.integers(1, 64)))
    others = [value for value in elsewhere if value != before]
    return way, others[int(rng.integers(len(others)))]


async def test_k1_no_change_past_the_server_is_served_to_anybody(city: tuple[Household, Granted, bytes]) -> None:
    house, granted, expected = city
    count, rng = rounds(FEW, "K1b"), np.random.default_rng(20261122)
    tried, accepted = Counter[str](), []
    columns = [(reader, column) for reader, way in ways(house, granted).items() for column in way]
    tamperer = Tamperer(house.vault.db.path)
    with closing(tamperer.raw):
        elsewhere = tamperer.elsewhere()
        for number in range(count):
            reader, column = columns[number % len(columns)]
            before = tamperer.read(column)
            way, bad = mutated(rng, before, elsewhere)
            tamperer.write(column, bad)
            tried[way] += 1
            if await served(house, granted, reader, expected):
                accepted.append((way, reader, column.table, column.name))
            await house.quiet()
            tamperer.write(column, before)
        for reader in ("app", "citizen"):
            assert await served(house, granted, reader, expected)  # put back, it opens: it was the change that shut it
    figure("K1b", len(accepted), sum(tried.values()))
    assert accepted == []
