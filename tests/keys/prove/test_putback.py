"""K1, rollback: whatever of a pod's past is put back past the server, `fsck` or the citizen's own check names it.

One house with a long past, many rounds. Each round puts something old in the place of what is there, asks both checks
as they are, and puts the tables back. What `fsck` must notice without any key, what with the server's key, and what
only the citizen can notice stands in MUTATIONS.
"""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consent import gate, locks
from consent.accounts.sessions import log_private
from tests.house import ALL_INTERESTS, Household
from tests.proof import figure, rounds
from vault import fsck, store
from vault.log import views
from vault.log.versions import item, parts, proof, proof_key, touched
from vault.versions import rolled_back

FEW = 40
TABLES = ("resource", "body", "keyring", "record")
Rows = tuple[tuple[Any, ...], tuple[Any, ...] | None]  # of `resource` and of `body`


@dataclass
class Past:
    """What stood in the tables at each moment: resources by id, and the keyring."""

    pod: bytes
    raw: sqlite3.Connection
    moments: list[dict[bytes, Rows]] = field(default_factory=list)
    keyrings: list[tuple[Any, ...]] = field(default_factory=list)

    def note(self) -> None:
        """Remember this moment."""
        bodies = {row[0]: row for row in self.raw.execute("SELECT * FROM body")}
        rows = self.raw.execute("SELECT * FROM resource WHERE pod = ?", (self.pod,))
        self.moments.append({row[0]: (row, bodies.get(row[0])) for row in rows})
        ring = self.raw.execute("SELECT * FROM keyring WHERE pod = ?", (self.pod,)).fetchone()
        if ring not in self.keyrings:
            self.keyrings.append(ring)

    @property
    def now(self) -> dict[bytes, Rows]:
        return self.moments[-1]

    def changed(self, moment: dict[bytes, Rows]) -> list[bytes]:
        """What has another version now than at this moment."""
        return [rid for rid in moment if version(moment[rid]) != version(self.now[rid])]

    def older(self, rng: np.random.Generator, *, bodied: bool = False) -> tuple[bytes, Rows]:
        """A resource, and how it stood at some moment when it was of another version."""
        was = [
            (rid, rows)
            for moment in self.moments
            for rid, rows in moment.items()
            if version(rows) != version(self.now[rid]) and not (bodied and (rows[1] is None or not self.now[rid][1]))
        ]
        return was[int(rng.integers(len(was)))]  # fmt: skip

    def put(self, rid: bytes, rows: Rows | None) -> None:
        """Put these rows in the place of what is there; None takes it away."""
        for table, row in zip(("resource", "body"), rows or (None, None), strict=True):
            self.raw.execute(f"DELETE FROM {table} WHERE id = ?", (rid,))
            if row is not None:
                self.raw.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """One transaction inside the block, and every table as it was after it."""
        kept = {table: self.raw.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}
        try:
            yield
        finally:
            self.raw.execute("BEGIN")
            for table, rows in kept.items():
                self.raw.execute(f"DELETE FROM {table}")
                self.raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
            self.raw.execute("COMMIT")


def version(rows: Rows) -> tuple[Any, ...]:
    """What tells two versions of a resource apart: its digest and its body."""
    return rows[0][9], rows[1]


def one(house: Household, past: Past, rng: np.random.Generator) -> None:
    """An older version of one resource, also of one that was removed."""
    past.put(*past.older(rng))


def several(house: Household, past: Past, rng: np.random.Generator) -> None:
    """Some resources as they all stood at one moment."""
    moments = [(moment, changed) for moment in past.moments if (changed := past.changed(moment))]
    moment, changed = moments[int(rng.integers(len(moments)))]
    for rid in rng.permutation(len(changed))[: int(rng.integers(1, len(changed) + 1))]:
        past.put(changed[int(rid)], moment[changed[int(rid)]])


def half(house: Household, past: Past, rng: np.random.Generator) -> None:
    """The envelope of an older body, under the row of today or a row that was made to fit it."""
    rid, rows = past.older(rng, bodied=True)
    row, body = past.now[rid]
    assert rows[1] is not None and body is not None
    as_today = (rid, body[1], *rows[1][2:])
    past.put(rid, (row, as_today) if rng.random() < 0.5 else ((*rows[0][:5], row[5], *rows[0][6:]), as_today))


def lost(house: Household, past: Past, rng: np.random.Generator) -> None:
    """A resource taken away as if it had never been."""
    rids = sorted(past.now)
    past.put(rids[int(rng.integers(len(rids)))], None)


def beside(house: Household, past: Past, rng: np.random.Generator) -> None:
    """An older version, and what stands beside the records made to agree with it, without the server's key."""
    _agree(past, past.older(rng), lambda row, listed: row)


def beside_with_key(house: Household, past: Past, rng: np.random.Generator) -> None:
    """The same by somebody who has the server's key."""
    with proof_key(house.vault.state) as key:
        _agree(past, past.older(rng), lambda row, listed: proof(key, row[0], row[1], listed, row[2]))


def keyring(house: Household, past: Past, rng: np.random.Generator) -> None:
    """An older keyring, with every signature it had."""
    past.raw.execute("DELETE FROM keyring WHERE pod = ?", (past.pod,))
    old = past.keyrings[int(rng.integers(len(past.keyrings) - 1))]
    past.raw.execute(f"INSERT INTO keyring VALUES ({', '.join('?' * len(old))})", old)


def _agree(past: Past, was: tuple[bytes, Rows], proven: Callable[[Any, bytes], Any]) -> None:
    """Leave out of every list what came after the version put back."""
    rid, rows = was
    past.put(rid, rows)
    rows_of = "SELECT idx, entry, sealed, touched, proof FROM record"
    for index, entry, sealed, listed, old in past.raw.execute(rows_of).fetchall():
        told = [part for part in parts(listed) if part[0] != rid or part[1] <= rows[0][5]]
        fewer = touched(item(*part) for part in told)
        if fewer != listed:
            mark = proven((index, entry, sealed), fewer)
            past.raw.execute("UPDATE record SET touched = ?, proof = ? WHERE idx = ?",
                             (fewer, mark if isinstance(mark, bytes) else old, index))  # fmt: skip


# What notices it besides the citizen: `fsck` alone, `fsck` with the server's key, or nobody.
Mutation = Callable[[Household, Past, np.random.Generator], None]
MUTATIONS: tuple[tuple[Mutation, str], ...] = (
    (one, "fsck"), (several, "fsck"), (half, "fsck"), (lost, "fsck"), (beside, "key"), (beside_with_key, "nobody"),
    (keyring, "nobody"),
)  # fmt: skip


@pytest.fixture
async def lived(house: Household) -> AsyncIterator[tuple[Household, Past]]:
    """A pod with a past: records changed, removed and made again, grants, locks, containers of a plain program."""
    raw = sqlite3.connect(house.vault.db.path, isolation_level=None, timeout=30)
    raw.execute("PRAGMA synchronous = OFF")
    past = Past(house.session.pod.id, raw)
    past.note()
    for turn in range(4):
        for name in "abc":
            await house.keep(f"/interests/{name}.jsonld", {"@type": "pd:Interest", "schema:about": [f"{name}{turn}"]})
            await house.keep(f"/loans/{name}.jsonld", {"@type": "kluis:LibraryLoan", "schema:name": f"{name}{turn}"})
        jwt, text = await house.jwt(), {"content-type": "text/plain"}
        await house.call("PUT", f"/pods/an/notes{turn}/a.txt", jwt, text, b"dag")
        await house.grant(ALL_INTERESTS)
        past.note()
        gone = f"/loans/{'abc'[turn % 3]}.jsonld"
        permit, _ = gate.own(house.session, "loans", "delete", gone)
        await store.remove(house.vault, permit, gone, house.clock())
        past.note()
    await locks.change(house.vault, house.session, ["loans"], house.clock())
    await house.quiet()
    past.note()
    with closing(raw):
        yield house, past


def noticed(house: Household, folder: Path) -> tuple[bool, bool, bool]:
    """Who says that something is wrong: `fsck`, `fsck` with the server's key, the citizen's own check."""
    plain = fsck.check(folder / "vault", folder / "shares")
    keyed = fsck.check(folder / "vault", folder / "shares", house.vault.state)
    with log_private(house.session) as private:
        hers = rolled_back(
            house.vault.db.read, house.session.pod.id, views.lines(house.vault, house.session.pod, private)
        )
    return bool(plain), bool(keyed), bool(hers)


async def test_k1_nothing_old_that_is_put_back_goes_unnoticed(lived: tuple[Household, Past], tmp_path: Path) -> None:
    house, past = lived
    count, rng = rounds(FEW, "K1c"), np.random.default_rng(20261123)
    tried, accepted = Counter[str](), []
    assert noticed(house, tmp_path) == (False, False, False)  # a healthy pod: so it is the mutation that is named
    for number in range(count):
        mutation, who = MUTATIONS[number % len(MUTATIONS)]
        with past.undone():
            past.raw.execute("BEGIN")
            mutation(house, past, rng)
            past.raw.execute("COMMIT")
            plain, keyed, hers = noticed(house, tmp_path)
        tried[mutation.__name__] += 1
        if not hers or (who == "fsck" and not plain) or (who in ("fsck", "key") and not keyed):
            accepted.append((mutation.__name__, plain, keyed, hers))
    assert noticed(house, tmp_path) == (False, False, False)
    figure("K1c", len(accepted), sum(tried.values()))
    assert accepted == [] and min(tried.values()) >= count // len(MUTATIONS)
