"""Copies of both stores, and an opener that asks nobody and decides nothing: it tries what keys alone open.

It knows what the holders of secrets know: their tokens and what these are bound to, a cookie, a recovery code.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from keys.context import ctx
from keys.custody import Custodian, reach
from keys.dropbox import collect
from keys.errors import KeysError
from keys.grants import read_token, unwrap_gk
from keys.secret import CompartmentKey, DataKey, GrantKey, ManagedRoot, Private, Released, Root, derive
from keys.tree import unwrap
from keys.unlock import read_code, unlock
from keys.unseal import unseal

TABLES = ("token", "grantkey", "compartment", "resource", "body", "session", "unlocker", "rootwrap")
Unit = tuple[bytes, int]  # compartment and generation
Row = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Bearer:
    """What an app keeps of a grant."""

    pod: bytes
    grant: bytes
    client: str
    purpose: tuple[str, str]
    jkt: str
    tokens: tuple[str, ...]


def attempt(opening: Callable[[], T]) -> T | None:
    """What opens, or None."""
    try:
        return opening()
    except KeysError:
        return None


def rows_of(database: Path, table: str) -> list[Row]:
    """Every row of a table, read past the server."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as raw:
        raw.row_factory = sqlite3.Row
        return [dict(row) for row in raw.execute(f'SELECT * FROM "{table}"')]


class Copies:
    """Rows of the database and of the share store; without `shares` the thief got the database alone."""

    def __init__(self, database: Path, shares: Path | None) -> None:
        rows = {table: rows_of(database, table) for table in TABLES}
        self.tokens = {row["handle"]: row for row in rows["token"]}
        self.bodies = {row["id"]: row["data"] for row in rows["body"]}
        self.rows, self.wraps = rows, dict[bytes, list[Row]]()
        for row in rows["grantkey"]:
            self.wraps.setdefault(row["grant"], []).append(row)
        found = rows_of(shares, "share") if shares else []
        self.shares = {(r["kind"], r["owner"], r["part"]): Released(r["value"], 0) for r in found}

    # ------------------------------------------------------------ what an app opens

    def by_tokens(self, bearer: Bearer) -> dict[Unit, CompartmentKey]:
        """Every compartment key that any of a grant's tokens leads to."""
        found: dict[Unit, CompartmentKey] = {}
        for gk in self._grant_keys(bearer):
            for row in self.wraps.get(bearer.grant, []):
                if (ck := attempt(lambda gk=gk, row=row: self._granted(bearer, gk, row))) is not None:  # type: ignore[misc]
                    found[row["compartment"], row["generation"]] = ck
        return found

    def _grant_keys(self, bearer: Bearer) -> Iterator[GrantKey]:
        """The same key under every token that has a wrap: the first that opens is enough."""
        for token in map(read_token, bearer.tokens):
            row = self.tokens.get(token.handle)
            if row is not None and row["wrap"] is not None:
                here = (bearer.pod, bearer.grant, token.kind, token.handle, bearer.client, bearer.jkt)
                yield unwrap_gk(token.secret, ctx("gk", *here), row["wrap"])
                return

    def _granted(self, bearer: Bearer, gk: GrantKey, row: Row) -> CompartmentKey:
        cid, share = row["compartment"], self.shares.get(("grant", bearer.grant, row["compartment"]))
        here = (bearer.pod, bearer.grant, bearer.client, *bearer.purpose, cid, row["generation"])
        context = ctx("ck-grant", *here)
        if row["form"] == "letter":
            place = ctx("grant-pair", bearer.pod, bearer.grant, cid)
            return collect(derive(gk, place, share, Private), context, row["wrap"], CompartmentKey)
        return unwrap(derive(gk, context, share), context, row["wrap"], CompartmentKey)

    # ------------------------------------------------------------ what a person and the server's own key open

    def by_code(self, pod: bytes, code: str) -> Root | None:
        """The pod's root by a recovery code."""
        for row in self.rows["unlocker"]:
            share = self.shares.get(("unlock", row["id"], b""))
            if row["pod"] == pod and share is not None:
                here = (pod, row["id"], row["kind"], row["public"], row["sealed"])
                if (root := unlock(read_code(code), share, *here)) is not None:
                    return root
        return None

    def by_cookie(self, cookie: str) -> Root | None:
        """The pod's root by the cookie of a session."""
        token = read_token(cookie)
        for row in self.rows["session"]:
            if row["handle"] == token.handle:
                context = ctx("session", row["pod"], token.handle, row["account"])
                key = derive(token.secret, context, self.shares.get(("session", token.handle, b"")))
                return attempt(lambda key=key, row=row, context=context: unwrap(key, context, row["root"], Root))  # type: ignore[misc]
        return None

    def by_custodian(self, pod: bytes, custodian: Custodian) -> ManagedRoot | None:
        """The pod's managed root by the server's own key."""
        share = self.shares.get(("custody", pod, b""))
        for row in self.rows["rootwrap"]:
            if share is not None and (row["pod"], row["parent"]) == (pod, "custody"):
                return attempt(lambda share=share, row=row: reach(custodian, pod, share, row["wrapped"]))  # type: ignore[misc]
        return None

    def under(self, pod: bytes, root: Root | ManagedRoot | None) -> dict[Unit, CompartmentKey]:
        """Every compartment key that hangs under a root."""
        custody = "sealed" if isinstance(root, Root) else "managed"
        rows = [r for r in self.rows["compartment"] if (r["pod"], r["custody"]) == (pod, custody) and root is not None]
        return {
            (r["id"], r["generation"]): unwrap(root, ctx("ck", pod, custody, r["id"], r["generation"]), r["wrapped"],
                                               CompartmentKey)
            for r in rows if root is not None
        }  # fmt: skip

    # ------------------------------------------------------------ what keys open

    def records(self, keys: Iterable[tuple[Unit, CompartmentKey]]) -> set[bytes]:
        """Ids of the resources whose body these keys open."""
        pairs, held, found = {(r["id"], r["generation"]): r for r in self.rows["compartment"]}, dict(keys), set()
        for row in self.rows["resource"]:
            unit = (row["compartment"], row["generation"])
            if row["id"] in self.bodies and unit in held and self._body(row, held[unit], pairs[unit]):
                found.add(row["id"])
        return found

    def _body(self, row: Row, ck: CompartmentKey, box: Row) -> bytes:
        """The body itself. Raises Damaged: whoever holds the right key opens everything that lies under it."""
        pod, rid, version, form = row["pod"], row["id"], row["version"], row["form"]
        context = ctx("dek", pod, row["compartment"], row["generation"], rid, version, form)
        if form == "deposit":
            pair = unwrap(ck, ctx("ck", pod, "pair", row["compartment"], row["generation"]), box["private"], Private)
            dek = collect(pair, context, row["dek"], DataKey)
        else:
            dek = unwrap(ck, context, row["dek"], DataKey)
        return unseal(dek, ctx("body", pod, rid, version, sha256(row["label"]).digest()), self.bodies[rid])
