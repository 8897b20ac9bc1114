"""A thief with the whole server: every file and every key in it, and patience. Shares no code with what it attacks.

It takes every 32 bytes it finds as a key, alone, derived, and derived together with every share, and tries them on
every wrap, letter and column of the database in its right context, until nothing new opens.
"""

import hmac
import json
import sqlite3
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.keys.independent import framed, open_letter

Name = tuple[object, ...]
ENVELOPE = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"
TABLES = ("pod", "rootwrap", "unlocker", "compartment", "resource", "body", "recordkey", "oldlog", "record",
          "dporecord", "session", "grant", "token", "grantkey", "shard", "meta", "controlkey", "account", "acl",
          "client")  # fmt: skip


def ctx(kind: str, *fields: bytes | str | int) -> bytes:
    """keys.md, Exact forms."""
    plain = [f.to_bytes(8, "big") if isinstance(f, int) else f.encode() if isinstance(f, str) else f for f in fields]
    return framed(f"kluis/{kind}/v1".encode(), *plain)


def derived(secret: bytes, context: bytes, share: bytes = b"") -> bytes:
    """KEY(secret[, share], context)."""
    prk = hmac.digest(bytes(32), secret + share, "sha256")
    return hmac.digest(prk, context + b"\x01", "sha256")


def unseal(key: bytes, context: bytes, sealed: bytes) -> bytes | None:
    """The plaintext of an envelope, or None."""
    if sealed[:1] == b"\x02":
        return unseal_record(key, context, sealed)
    info = ENVELOPE + sealed[1:25] + context
    first = hmac.digest(key, info + b"\x01", "sha256")
    second = hmac.digest(key, first + info + b"\x02", "sha256")
    third = hmac.digest(key, second + info + b"\x03", "sha256")
    if (second + third)[12:44] != sealed[25:57]:
        return None
    out, rest = b"", sealed[57:]
    for number in range(len(rest) // 16400 + 1):
        nonce = bytes(a ^ b for a, b in zip(second[:12], number.to_bytes(12, "big"), strict=True))
        out += AESGCM(first).decrypt(nonce, rest[number * 16400 : (number + 1) * 16400], b"")
    return out


def unseal_record(key: bytes, context: bytes, sealed: bytes) -> bytes | None:
    """The same for log records."""
    try:
        return AESGCM(key).decrypt(sealed[1:13], sealed[13:], context)
    except InvalidTag:
        return None


def database(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that matters, read past the server."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        raw.row_factory = sqlite3.Row
        return {table: [dict(row) for row in raw.execute(f'SELECT * FROM "{table}"')] for table in TABLES}


def secret_of(token: str) -> bytes:
    """The secret half of a token's text."""
    return urlsafe_b64decode(token.partition(".")[2] + "=")


@dataclass(frozen=True)
class Lock:
    """Something sealed: what it is called, its context, whether it is a letter, and how keys may be bent for it."""

    name: Name
    context: bytes
    sealed: bytes
    letter: bool = False
    bent: bool = False

    def ways(self, key: bytes, shares: Iterable[bytes]) -> Iterable[bytes]:
        """The key itself and, for a lock that a secret of a person or bearer may open, all it derives to."""
        yield key
        if self.bent:
            yield derived(key, self.context)
            yield from (derived(key, self.context, share) for share in shares)

    def opened(self, key: bytes) -> bytes | None:
        """What is inside, or None."""
        if not self.letter:
            return unseal(key, self.context, self.sealed)
        try:
            return open_letter(key, self.context, self.sealed)
        except (InvalidTag, ValueError):
            return None


class Thief:
    """Everything that can be reached from a stolen directory and `extra` secrets, by name."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]], shares: Path, custodian: Path, *extra: bytes) -> None:
        self.rows, self.open, self._tried = rows, dict[Name, bytes](), set[tuple[Name, bytes]]()
        with closing(sqlite3.connect(shares)) as raw:
            self.shares = [row[0] for row in raw.execute("SELECT value FROM share")]
        kept = json.loads(custodian.read_text())
        secrets = [urlsafe_b64decode(kept[role]["secret"] + "=") for role in ("state", "custody")]
        clear = [v for table in rows.values() for row in table for v in row.values() if _is_key(v)]
        self.keys = dict.fromkeys([*secrets, *self.shares, *clear, *extra])
        for pod in rows["pod"]:  # control keys: the state key with a custody share, neither of them a person's
            self.keys |= dict.fromkeys(derived(s, ctx("control", pod["id"]), h) for s in secrets for h in self.shares)
        self._locks = [*self._control(), *self._roots(), *self._content(), *self._log()]
        self._run()

    def reached(self, kind: str) -> set[Name]:
        """The names of this kind that were opened."""
        return {name[1:] for name in self.open if name[0] == kind}

    def _run(self) -> None:
        """Until nothing new opens: what opens may be a key, and control data names further contexts."""
        while True:
            before = len(self.open)
            for lock in [*self._locks, *self._granted()]:
                if lock.name not in self.open:
                    self._attack(lock)
            if len(self.open) == before:
                return

    def _attack(self, lock: Lock) -> None:
        for key in [k for k in self.keys if (lock.name, k) not in self._tried]:
            self._tried.add((lock.name, key))
            for way in lock.ways(key, self.shares):
                inside = lock.opened(way)
                if inside is not None:
                    self.open[lock.name] = inside
                    self.keys |= dict.fromkeys(key for key in (way, inside) if _is_key(key))  # both may open more
                    return

    def _control(self) -> Iterable[Lock]:
        for table, column in (("pod", "id"), ("compartment", "id"), ("grant", "id"), ("token", "handle"), ("acl", "id"),
                              ("controlkey", "name"), ("account", "id"), ("client", "id")):  # fmt: skip
            for row in self.rows[table]:
                place = row[column].encode() if isinstance(row[column], str) else row[column]
                yield Lock(("column", table, place), ctx("state", table, place, "sealed"), row["sealed"])

    def _roots(self) -> Iterable[Lock]:
        for r in self.rows["rootwrap"]:
            name = ("root", r["pod"], r["parent"], r["child"])
            sealed = r["wrapped"][16:] if r["parent"] == "custody" else r["wrapped"]  # behind the custody key's id
            yield Lock(name, ctx("root", r["pod"], r["parent"], r["child"]), sealed, bent=True)
        for r in self.rows["unlocker"]:
            yield Lock(("rk", r["pod"], r["id"]), ctx("unlock", r["pod"], r["id"], r["kind"]), r["sealed"], True, True)
        for r in self.rows["session"]:
            context = ctx("session", r["pod"], r["handle"], r["account"])
            yield Lock(("rk", r["pod"], r["handle"]), context, r["root"], bent=True)
            yield Lock(("log", r["pod"], r["handle"]), context, r["log"], bent=True)
        for r in self.rows["compartment"]:
            here = (r["id"], r["generation"])
            yield Lock(("ck", r["custody"], r["id"]), ctx("ck", r["pod"], r["custody"], *here), r["wrapped"], bent=True)
            yield Lock(("pair", r["custody"], r["id"]), ctx("ck", r["pod"], "pair", *here), r["private"], bent=True)

    def _content(self) -> Iterable[Lock]:
        custody = {r["id"]: r["custody"] for r in self.rows["compartment"]}
        bodies = {r["id"]: r["data"] for r in self.rows["body"]}
        for r in self.rows["resource"]:
            name, here = (custody[r["compartment"]], r["compartment"], r["id"]), (r["pod"], r["id"], r["version"])
            box = ctx("dek", r["pod"], r["compartment"], r["generation"], r["id"], r["version"], r["form"])
            yield Lock(("dek", *name), box, r["dek"], letter=r["form"] == "deposit")
            yield Lock(("label", *name), ctx("label", *here), r["label"])
            if r["id"] in bodies:
                yield Lock(("body", *name), ctx("body", *here, sha256(r["label"]).digest()), bodies[r["id"]])

    def _log(self) -> Iterable[Lock]:
        origin = self.rows["shard"][0]["origin"]
        for r in self.rows["recordkey"]:
            yield Lock(
                ("recordkey", r["id"]), ctx("record-key", r["pod"] or bytes(16), origin, r["id"]), r["sealed"], True
            )
        for r in self.rows["oldlog"]:
            yield Lock(("log", r["pod"], r["public"]), ctx("old-log", r["pod"], r["public"]), r["sealed"], True)
        for table, kind in (("record", "record"), ("dporecord", "dpo-record")):
            for r in self.rows[table]:
                yield Lock((table, r["idx"]), ctx(kind, origin, r["key"], r["entry"]), r["sealed"])

    def _granted(self) -> Iterable[Lock]:
        """Wraps whose contexts stand in control data: opened first, like everything else."""
        for r in self.rows["token"]:
            told = self.open.get(("column", "token", r["handle"]))
            if told is not None and r["wrap"] is not None:
                bound = json.loads(told)
                context = ctx("gk", r["pod"], r["grant"], r["kind"], r["handle"], bound["client"], bound["jkt"])
                yield Lock(("gk", r["grant"], r["handle"]), context, r["wrap"], bent=True)
        for r in self.rows["grantkey"]:
            told = self.open.get(("column", "grant", r["grant"]))
            if told is not None:
                terms, here = json.loads(told), (r["compartment"], r["generation"])
                words = (terms["client"], terms["purpose_code"], terms["purpose_version"])
                context = ctx("ck-grant", self._pods[r["grant"]], r["grant"], *words, *here)
                yield Lock(("ck", "sealed", r["compartment"]), context, r["wrap"], bent=True)

    @cached_property
    def _pods(self) -> dict[bytes, bytes]:
        return {r["id"]: r["pod"] for r in self.rows["grant"]}


def _is_key(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 32
