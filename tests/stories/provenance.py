"""Where keys come from: every opening function of the product is watched, and each key keeps the log entries behind it.

A share that the writer released names its entry; what is derived with it or opened under it inherits that. So at any
unwrap one can ask which entries allowed it, whether they are durable at that moment, of the same pod, and of the
request under way. What needs no entry is listed here by name: it opens neither content nor a compartment.
"""

import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from keys import dropbox, secret, tree, unseal
from keys.context import _unframed, place
from keys.secret import GrantKey, Private, RecordKey, Released, Secret

# Opened without a share, so without an entry: control data of the live server; a grant's key by a token (it opens no
# compartment without the grant's share); and the citizen's own log by her cookie, down to its records.
FREE: frozenset[tuple[str, type]] = frozenset(
    {
        ("state", bytes),
        ("gk", GrantKey),
        ("session", Private),
        ("record-key", RecordKey),
        ("record", bytes),
        ("old-log", Private),
    }
)
PODS_FIRST = frozenset({"unlock", "root", "ck", "ck-grant", "dek", "label", "body", "session"})
Place = tuple[tuple[str, ...], str]


@dataclass
class Watch:
    """What was opened, and what was opened without a good entry."""

    database: sqlite3.Connection
    first: int = 0  # entries from here on are of the request under way
    step: str = ""

    def __post_init__(self) -> None:
        self.faults: list[str] = []
        self.seen: Counter[Place] = Counter()
        self.callers: set[tuple[str, str]] = set()  # (opening function, module that called it)
        self._entries: dict[int, tuple[Secret, frozenset[int]]] = {}
        self._turn = threading.RLock()

    def begin(self, step: str) -> None:
        """A new request: what it opens must name an entry written from now on."""
        (self.first,) = self.database.execute("SELECT coalesce(max(idx) + 1, 0) FROM entry").fetchone()
        self.step = step

    def behind(self, key: Secret) -> frozenset[int]:
        """The entries behind a key."""
        own = frozenset({key.entry}) if isinstance(key, Released) else frozenset[int]()
        held = self._entries.get(id(key))
        return own | (held[1] if held else frozenset())

    def inherit(self, made: object, *parents: Secret | None) -> None:
        """A key that came from others has their entries behind it."""
        entries = frozenset().union(*(self.behind(parent) for parent in parents if parent is not None))
        if isinstance(made, Secret) and entries:
            with self._turn:
                self._entries[id(made)] = (made, entries)  # kept, so that no other key gets its number

    def opening(self, key: Secret, context: bytes, kind: type) -> None:
        """Something is about to be opened: note it, and whether an entry allowed it."""
        where = place(context)
        with self._turn:
            self.seen[where, kind.__name__] += 1
            fault = self._fault(where[0], key, context, kind)
            if fault:
                self.faults.append(f"{self.step}: {'/'.join(where)} {kind.__name__} {fault}")

    def _fault(self, what: str, key: Secret, context: bytes, kind: type) -> str:
        entries = self.behind(key)
        if not entries:
            return "" if (what, kind) in FREE else "names no entry"
        for entry in entries:
            row = self.database.execute("SELECT pod, outcome FROM record WHERE idx = ?", (entry,)).fetchone()
            if row is None:
                return f"names entry {entry}, which is not durable"
            if row[1] == "refused":
                return f"names entry {entry}, which refused it"
            if what in PODS_FIRST and row[0] != _unframed(context)[1]:
                return f"names entry {entry} of another pod"
            if entry < self.first:
                return f"names entry {entry} of an earlier request"
        return ""


def watch(monkeypatch: pytest.MonkeyPatch, database: str) -> Watch:
    """Put a witness in every module that knows a function by which keys are made or things are opened."""
    watching = Watch(sqlite3.connect(f"file:{database}?mode=ro", uri=True, check_same_thread=False))

    def derive(
        made: Callable[..., Any], key: Secret, context: bytes, share: Any = None, *rest: Any, **more: Any
    ) -> Any:
        found = made(key, context, share, *rest, **more)
        watching.inherit(found, key, share)
        return found

    def opened(opens: Callable[..., Any], key: Secret, context: bytes, sealed: bytes, kind: type = bytes) -> Any:
        watching.opening(key, context, kind)
        found = opens(key, context, sealed) if kind is bytes else opens(key, context, sealed, kind)
        watching.inherit(found, key)
        return found

    def passed(opens: Callable[..., Any], *given: Any) -> Any:
        return opens(*given)

    for function, witness in (
        (secret.derive, derive), (unseal.unseal, opened), (unseal.unseal_secret, opened),
        (unseal.unseal_record, opened), (dropbox.collect, opened),
        (tree.unwrap, passed),
    ):  # fmt: skip
        _everywhere(monkeypatch, watching, function, witness)
    return watching


def _everywhere(monkeypatch: pytest.MonkeyPatch, watching: Watch, function: Any, witness: Any) -> None:
    full = f"{function.__module__}.{function.__name__}"
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in {"keys", "vault", "consent", "recommender", "federation", "web"}:
            for own in [own for own, value in vars(module).items() if value is function]:
                monkeypatch.setattr(module, own, _noting(watching, full, name, function, witness))


def _noting(watching: Watch, full: str, module: str, function: Any, witness: Any) -> Callable[..., Any]:
    def noted(*given: Any, **more: Any) -> Any:
        watching.callers.add((full, f"{module.replace('.', '/')}.py"))
        return witness(function, *given, **more)

    return noted
