"""K4: what the keys cost, as ratios to one AEAD open of the same 1 KB, and as a share of a whole logged request.

The yardstick of K4a and K4b is a *static open*: a key that opens one thing, once, its cipher set up and used. That is
what a read would cost if there were no tree of keys and each resource had one key at hand, and it is what the way
itself does four times over: every key in it is fresh to the request and opens exactly one thing, for nothing secret
is kept from one request to the next. Against a cipher object that was set up long ago and is used for ever the same
way is a larger multiple (`K4a-ready`, `K4b-ready`): told beside them, without a bound, because a vault that keeps such
an object keeps an opened key in memory. Half of the way is the primitives themselves: six HKDF and four AEAD.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from statistics import median
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consent import gate, locks
from consent.gate import TOKEN
from consent.tables import Session
from keys.context import ctx
from keys.dropbox import collect, deliver, pair
from keys.grants import Token, new_token, unwrap_ck, unwrap_gk, wrap_ck, wrap_gk
from keys.seal import seal
from keys.secret import CompartmentKey, DataKey, GrantKey, Private, Share, fresh_bytes
from keys.tree import unwrap, wrap
from keys.unseal import unseal
from tests.house import ALL_INTERESTS, Household
from tests.keys.places import GRANT, PART, POD, RESOURCE
from tests.proof import figure, proving, rounds
from vault import door, store
from vault.planned import Parcel
from vault.shares import Want
from vault.tables import Resource

BODY = bytes(1024)
CONNECTIONS = 16
FEW = 20


class Way:
    """A token and everything that hangs under it, as the database would hold it: its secret, and wraps."""

    def __init__(self) -> None:
        self.token: Token = new_token("kat")
        self.share, gk, ck, dek = Share.fresh(), GrantKey.fresh(), CompartmentKey.fresh(), DataKey.fresh()
        self.gk = ctx("gk", POD, GRANT, "kat", self.token.handle, "client", "jkt")
        self.ck = ctx("ck-grant", POD, GRANT, "client", "dpv:Personalisation", "2026-11", PART, 1)
        self.own, self.deposit = (ctx("dek", POD, PART, 1, RESOURCE, 1, form) for form in ("own", "deposit"))
        self.pair = ctx("ck", POD, "pair", PART, 1)
        self.body = ctx("body", POD, RESOURCE, 1, bytes(32))
        private, public = pair()
        self.wrapped_gk = wrap_gk(self.token.secret, self.gk, gk)
        self.wrapped_ck = wrap_ck(gk, self.share, self.ck, ck)
        self.wrapped_dek, self.letter = wrap(ck, self.own, dek), deliver(public, self.deposit, dek)
        self.private, self.sealed = wrap(ck, self.pair, private), seal(dek, self.body, BODY)

    def compartment(self) -> CompartmentKey:
        """Token secret -> GK -> CK."""
        with unwrap_gk(self.token.secret, self.gk, self.wrapped_gk) as gk:
            return unwrap_ck(gk, self.share, self.ck, self.wrapped_ck)

    def read(self) -> bytes:
        """A second or later read."""
        with self.compartment() as ck, unwrap(ck, self.own, self.wrapped_dek, DataKey) as dek:
            return unseal(dek, self.body, self.sealed)

    def first(self) -> bytes:
        """The first read of a deposit, which also wraps the key again for the next one."""
        with (
            self.compartment() as ck,
            unwrap(ck, self.pair, self.private, Private) as private,
            collect(private, self.deposit, self.letter, DataKey) as dek,
        ):
            wrap(ck, self.own, dek)
            return unseal(dek, self.body, self.sealed)


def ratio(slow: Callable[[], Any], fast: Callable[[], Any], times: int) -> float:
    """Median of the one over median of the other, taken turn by turn so that both see the same machine."""
    taken: tuple[list[int], list[int]] = [], []
    for _ in range(times):
        for work, into in ((slow, taken[0]), (fast, taken[1])):
            begun = time.perf_counter_ns()
            work()
            into.append(time.perf_counter_ns() - begun)
    return median(taken[0]) / median(taken[1])


def test_k4_the_whole_way_from_a_token_costs_at_most_so_many_opens() -> None:
    way, key = Way(), fresh_bytes(32)
    sealed = AESGCM(key).encrypt(bytes(12), BODY, None)

    def static() -> bytes:
        """One open under a key that opens one thing once: its cipher is set up and used."""
        return AESGCM(key).decrypt(bytes(12), sealed, None)

    kept = AESGCM(key)

    def ready() -> bytes:
        """One open with a cipher that was set up long ago."""
        return kept.decrypt(bytes(12), sealed, None)

    assert way.read() == way.first() == static() == ready() == BODY
    for name, work in (("K4a", way.read), ("K4b", way.first)):
        times = rounds(FEW, name)
        figure(name, round(ratio(work, static, times), 1), times)
        figure(f"{name}-ready", round(ratio(work, ready, times), 1), times)


async def test_k4_keys_are_a_small_share_of_a_durably_logged_request(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The door's own time with keys, measured inside real requests: all it unwraps and opens, label and body."""
    granted = await house.grant(ALL_INTERESTS, recurrence={"mode": "ongoing"})
    await house.keep("/interests/kb.jsonld", {"@type": "pd:Interest", "schema:about": ["x" * 900]})
    spent: list[int] = []
    opened = door._Chain.open

    def timed(chain: Any, row: Any, **some: Any) -> Any:
        begun = time.perf_counter_ns()
        try:
            return opened(chain, row, **some)
        finally:
            spent.append(time.perf_counter_ns() - begun)

    monkeypatch.setattr(door._Chain, "open", timed)
    path, each = "/pods/an/interests/kb.jsonld", max(1, rounds(FEW, "K4c") // CONNECTIONS)
    walls: list[int] = []

    async def connection() -> None:
        for _ in range(each):
            headers = house.shown("GET", path, granted.access)
            begun = time.perf_counter_ns()
            answer = await house.http.get(path, headers=headers)
            walls.append(time.perf_counter_ns() - begun)
            assert answer.status_code == 200

    assert (await house.call("GET", path, granted.access)).status_code == 200  # the first read, which rewraps
    spent.clear()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    assert len(spent) == len(walls) == each * CONNECTIONS
    figure("K4c", round(100 * median(spent) / median(walls), 2), len(walls))


def test_k5_the_keys_of_a_compartment_are_rewrapped_in_little_time() -> None:
    count, old, new = rounds(FEW, "K5b"), CompartmentKey.fresh(), CompartmentKey.fresh()
    rows = [n.to_bytes(16, "big") for n in range(count)]
    stored = [(wrap(old, ctx("dek", POD, PART, 1, row, 1, "own"), DataKey.fresh()), row) for row in rows]
    begun = time.process_time()
    for wrapped, row in stored:
        with unwrap(old, ctx("dek", POD, PART, 1, row, 1, "own"), wrapped, DataKey) as dek:
            wrap(new, ctx("dek", POD, PART, 2, row, 1, "own"), dek)
    figure("K5b", round(time.process_time() - begun, 3), count)


async def test_k5_a_whole_compartment_is_rewrapped_in_little_time(house: Household) -> None:
    count, pod = rounds(FEW, "K5d"), house.session.pod
    parcels = [Parcel(f"/loans/k5-{n}.jsonld", "application/ld+json", b"{}") for n in range(count)]
    await store.deposit(
        house.vault, gate.deposit(pod, "kluis:LibraryLoan", "mijnbib"), parcels, house.clock(), "mijnbib"
    )
    spent = []
    for _ in range(3):  # the first of them opens the deposits
        begun = time.process_time()
        await locks.change(house.vault, house.session, ["loans"], house.clock(), rewrap=True)
        spent.append(time.process_time() - begun)
    rows = house.vault.db.read.find(Resource, compartment=pod.compartment("loans"))
    assert len(rows) >= count and {row.form for row in rows} == {"own"}
    figure("K5d", round(min(spent[1:]), 3), count)


async def test_k5_a_withdrawal_is_one_write_and_its_shares_are_gone_when_it_returns(house: Household) -> None:
    granted = await house.grant(ALL_INTERESTS)
    await house.quiet()
    assert house.vault.shares.count("grant", granted.id) > 0
    before = house.vault.db.queued
    await house.withdraw(granted)
    writes = house.vault.db.queued - before
    assert house.vault.shares.count("grant", granted.id) == 0
    figure("K5a", writes)
    assert writes == 1


@pytest.mark.skipif(not proving(), reason="fills the tables with half a million rows; runs in `make prove-keys`")
async def test_k5_look_ups_stay_flat_as_sessions_tokens_and_shares_grow(house: Household) -> None:
    many, few = rounds(0, "K5c"), 5_000
    found: dict[str, list[float]] = {}
    await house.grant(ALL_INTERESTS)
    for size in (few, many):
        grow(house, size)
        for name, seconds in look_ups(house, size).items():
            found.setdefault(name, []).append(seconds)
    figure("K5c", round(max(large / small for small, large in found.values()), 2), many)


def grow(house: Household, size: int) -> None:
    """Fill sessions, tokens and shares up to `size` rows, handles spread like real ones; copies of a real row."""
    pod, vault = house.session.pod.id, house.vault
    vault.shares._raw.execute("BEGIN")
    vault.shares._raw.executemany(
        "INSERT OR IGNORE INTO share VALUES ('session', ?, x'', ?, ?)",
        ((handle(n), pod, bytes(32)) for n in range(size)),
    )
    vault.shares._raw.execute("COMMIT")
    with closing(sqlite3.connect(vault.db.path, isolation_level=None, timeout=60)) as raw:
        for table in ("session", "token"):
            columns = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
            row = dict(zip(columns, raw.execute(f"SELECT * FROM {table} LIMIT 1").fetchone(), strict=True))
            row.pop("handle")
            sql = f"INSERT OR IGNORE INTO {table} (handle, {', '.join(map(quoted, row))}) VALUES (?{', ?' * len(row)})"
            raw.execute("BEGIN")
            raw.executemany(sql, ((handle(n), *row.values()) for n in range(size)))
            raw.execute("COMMIT")


def handle(n: int) -> bytes:
    """A handle spread like a random one."""
    return sha256(n.to_bytes(8, "big")).digest()[:16]


def quoted(name: str) -> str:
    return f'"{name}"'


def look_ups(house: Household, size: int) -> dict[str, float]:
    """Median time of each look-up over random handles, through the functions that requests use."""
    rng, pod = np.random.default_rng(7), house.session.pod.id
    handles = [handle(int(n)) for n in rng.integers(size, size=3000)]
    asked: dict[str, Callable[[bytes], Any]] = {
        "session": lambda one: house.vault.db.read.get(Session, one),
        "token": lambda one: house.vault.db.read.run(TOKEN, handle=one, compartment=b"") or pytest.fail("no token"),
        "share": lambda one: house.vault.shares.take(pod, [Want("session", one)])[Want("session", one)],
    }
    taken: dict[str, float] = {}
    for name, ask in asked.items():
        times = []
        for one in handles:
            begun = time.perf_counter_ns()
            assert ask(one) is not None
            times.append(time.perf_counter_ns() - begun)
        taken[name] = median(times[500:])  # after the pages that everything needs are there
    return taken
