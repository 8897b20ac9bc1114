"""Every column of every table is declared: sealed, a meaningless id, public, or a row of the list in SECURITY.md.

A new column fails here until somebody has said what a thief of the file reads in it.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.house import ALL_INTERESTS, Household
from tests.web.test_sources import deliver, loans

ROOT = Path(__file__).resolve().parents[2]
SEALED = "sealed"  # an envelope or a letter: opens with a key that is in no table
ID = "id"  # 16 random bytes, or a keyed hash: finds a row and says nothing by itself
HASH = "hash"  # a hash that is looked up or compared, of what cannot be guessed without a key
PUBLIC = "public"  # a public key, a signature, a commitment: made to be shown to anybody

# What stands in each column. `T1` to `T17` are the rows of the list "What a stolen main database tells".
MAIN: dict[str, dict[str, str]] = {
    "account": {"id": ID, "user_mac": HASH, "role": "T11", "pod": "T1 T11", "sealed": SEALED},
    "acl": {"id": ID, "pod": "T1", "sealed": SEALED},
    "agentuse": {"pod": "T1", "mark": HASH, "day": "T6", "count": "T6"},
    "appreceipt": {"idx": "T15", "entry": ID, "pod": "T1", "sealed": SEALED},
    "body": {"id": ID, "version": "T7", "size": "T5", "store": ID, "data": SEALED},
    "checkpoint": {"first": "T2", "size": "T2", "note": PUBLIC},
    "client": {"id": "T12", "kind": "T12", "sealed": SEALED},
    "compartment": {"id": ID, "generation": "T8", "pod": "T1", "custody": "T8", "wrapped": SEALED, "public": PUBLIC,
                    "private": SEALED, "sealed": SEALED},
    "controlkey": {"name": "T17", "sealed": SEALED},
    "dporecord": {"idx": "T2", "entry": ID, "key": "T4", "sealed": SEALED},
    "entry": {"idx": "T2", "leaf": PUBLIC},
    "epoch": {"number": "T2", "idx": "T2", "entries": "T2", "slots": "T1", "roots": PUBLIC},
    "erased": {"name_mac": "T1"},
    "gate": {"id": ID, "pod": "T1", "epoch": "T6", "state": "T6", "not_after": "T3", "uses_left": "T6",
             "per_day": "T6", "day": "T6", "day_left": "T6"},
    "grant": {"id": ID, "pod": "T1", "version": "T13", "created": "T3", "sealed": SEALED, "commitment": PUBLIC,
              "signature": PUBLIC},
    "grantevent": {"id": "T2", "grant": "T13", "pod": "T1", "at": "T3", "state": "T13", "sealed": SEALED},
    "grantkey": {"grant": "T14", "compartment": "T14", "generation": "T14", "pod": "T1", "form": "T14",
                 "keyed": "T14", "wrap": SEALED},
    "grantuse": {"gate": "T6", "day": "T6", "count": "T6"},
    "hook": {"id": ID, "pod": "T1", "gate": "T13", "topic": "T8", "sealed": SEALED},
    "knock": {"number": "T2", "id": ID, "hook": "T13", "pod": "T1", "sealed": SEALED},
    "jti": {"id": HASH, "until": "T3"},
    "keyring": {"pod": "T1", "version": "T9", "body": "T8 T9 T14", "signature": PUBLIC, "annex": "T8",
                "annex_signature": PUBLIC},
    "link": {"handle": ID, "auth": HASH, "account": "T11", "expires": "T3", "used": "T11"},
    "meta": {"key": "T17", "value": "T17"},
    "month": {"period": "T4", "first": "T2"},
    "oldlog": {"pod": "T1", "public": PUBLIC, "sealed": SEALED},
    "outbox": {"id": ID, "pod": "T1", "after": "T2", "sealed": SEALED},
    "pod": {"id": "T1", "name_mac": HASH, "identity": PUBLIC, "box": PUBLIC, "sealed": SEALED},
    "podhead": {"pod": "T1", "seq": "T2", "head": HASH},
    "pushed": {"handle": ID, "expires": "T3", "session": "T13", "pod": "T1", "done": "T13", "sealed": SEALED},
    "receipt": {"id": ID, "grant": "T13", "pod": "T1", "at": "T3", "sealed": SEALED},
    "record": {"idx": "T2", "pod": "T1", "seq": "T2", "entry": ID, "key": "T4", "sealed": SEALED, "outcome": "T15",
               "touched": "T7", "proof": HASH},
    "recordkey": {"id": ID, "pod": "T1", "period": "T4", "box": PUBLIC, "sealed": SEALED},
    "registered": {"id": "T12", "auth": HASH, "until": "T12"},
    "resource": {"id": ID, "pod": "T1", "parent": "T8", "compartment": "T8", "generation": "T8", "version": "T7",
                 "form": "T7", "dek": SEALED, "label": SEALED, "digest": HASH, "source": "T10"},
    "rootwrap": {"pod": "T1", "parent": "T17", "child": "T17", "wrapped": "sealed T17"},
    "segment": {"store": ID, "number": "T5", "data": SEALED},
    "session": {"handle": ID, "auth": HASH, "account": "T11", "pod": "T1", "root": SEALED, "log": SEALED,
                "created": "T3", "seen": "T3", "sealed": SEALED},
    "shard": {"first": "T2", "origin": "T17"},
    "slot": {"number": "T1", "pod": "T1", "ended": "T2"},
    "tally": {"pod": "T1", "reason": "T15", "minute": "T3", "count": "T15"},
    "throttle": {"user_mac": HASH, "failures": "T16", "until": "T3"},
    "tile": {"first": "T2", "level": PUBLIC, "idx": PUBLIC, "hashes": PUBLIC},
    "token": {"handle": ID, "auth": HASH, "kind": "T13", "grant": "T13", "pod": "T1", "epoch": "T13", "expires": "T3",
              "used": "T13", "wrap": SEALED, "sealed": SEALED},
    "unlocker": {"id": ID, "pod": "T1", "kind": "T9", "params": "T9", "public": PUBLIC, "sealed": SEALED},
    "upload": {"store": ID, "pod": "T1", "size": "T5"},
    "usage": {"pod": "T1", "bytes": "T5"},
}  # fmt: skip
# The second store: `S1` is the row about it; `share` is what opens nothing without the other half.
SHARES = {
    "share": {"kind": "S1", "owner": "S1", "part": "S1", "pod": "S1", "value": "share"},
    "deleted": {"kind": "S1", "owner": "S1", "part": "S1"},
}
SIZED = frozenset({"T5"})  # told by the length of what is sealed, in no column of its own


def columns(path: Path) -> dict[str, set[str]]:
    """Every column of every table of a file as it lies on disk."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: {row[1] for row in raw.execute(f'PRAGMA table_info("{name}")')} for name in tables}


def undeclared(found: dict[str, set[str]], declared: dict[str, dict[str, str]]) -> set[str]:
    """Columns that stand on one side only, as `table.column`."""
    there = {f"{table}.{column}" for table, names in found.items() for column in names}
    return there ^ {f"{table}.{column}" for table, names in declared.items() for column in names}


def rows_told() -> set[str]:
    """The numbers of the list in SECURITY.md."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| ([TS]\d+) \|", text, re.MULTILINE))


def marked(mark: str) -> list[tuple[str, str]]:
    return [(table, name) for table, names in MAIN.items() for name, what in names.items() if mark in what.split()]


async def test_every_column_of_the_main_database_is_declared(house: Household) -> None:
    assert undeclared(columns(house.vault.db.path), MAIN) == set()


def test_every_column_of_the_share_store_is_declared(vault: object, tmp_path: Path) -> None:
    found = columns(tmp_path / "shares" / "shares.db") | columns(tmp_path / "shares" / "deleted.db")
    assert undeclared(found, SHARES) == set()


async def test_a_new_column_without_a_declaration_fails(house: Household) -> None:
    before = undeclared(columns(house.vault.db.path), MAIN)
    with closing(sqlite3.connect(house.vault.db.path)) as raw, raw:
        raw.execute("ALTER TABLE grantkey ADD COLUMN app TEXT")
        raw.execute("CREATE TABLE visit (who TEXT)")
    assert undeclared(columns(house.vault.db.path), MAIN) - before == {"grantkey.app", "visit.who"}


def test_every_row_of_the_published_list_stands_for_a_column_and_every_clear_column_for_a_row() -> None:
    said = {word for names in (MAIN | SHARES).values() for what in names.values() for word in what.split()}
    assert said - {SEALED, ID, HASH, PUBLIC, "share"} | SIZED == rows_told()


@pytest.fixture
async def used(house: Household) -> Household:
    """A house in which every table but a few has rows."""
    granted = await house.grant(ALL_INTERESTS)
    await house.call("GET", "/pods/an/interests/a.jsonld", granted.access)
    await house.call("PUT", "/pods/an/notes/a.txt", await house.jwt(), {"content-type": "text/plain"}, b"dag")
    await deliver(house, loans("1", "2"), {"pod": "an"})
    await house.vault.publish()
    await house.quiet()
    return house


def values(house: Household, table: str, column: str) -> list[bytes]:
    with closing(sqlite3.connect(f"file:{house.vault.db.path}?mode=ro", uri=True)) as raw:
        found = [row[0] for row in raw.execute(f'SELECT "{column}" FROM "{table}"')]
    return [value for value in found if value is not None and value != b""]


async def test_what_is_declared_sealed_is_an_envelope_or_a_letter_and_no_two_are_alike(used: Household) -> None:
    seen: list[bytes] = []
    for table, column in marked(SEALED):
        for value in values(used, table, column):
            own = value[16:] if table == "rootwrap" and value[:1] != b"\x01" else value  # behind the custody key's id
            form, least = (b"\x02", 29) if table in ("record", "dporecord") else (b"\x01", 57)
            assert own[:1] == form and len(own) >= least, (table, column)
            seen.append(own)
    assert len(seen) > 150 and len({value[1:33] for value in seen}) == len(seen)


async def test_what_is_declared_an_id_or_a_hash_is_as_long_as_one(used: Household) -> None:
    for mark, sizes in ((ID, {16}), (HASH, {16, 32})):
        found = [value for table, column in marked(mark) for value in values(used, table, column)]
        assert len(found) > 50 and {len(value) for value in found} <= sizes, mark
