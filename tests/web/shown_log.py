"""A small log as a server shows it, with one pod's export; every part may be spoilt by a test."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from keys.merkle import Tree, leaf_hash
from keys.note import checkpoint, sign_note, vkey
from keys.sign import new_signer, signer_public
from keys.text import b64, canonical

ORIGIN = "localhost/log/2026h2"
SIZE = 300  # one full tile and a partial one


class ShownLog:
    """A log as a server would show it, and one pod's export of it; every part may be spoilt."""

    def __init__(self) -> None:
        self.signer = new_signer()
        self.key = vkey(ORIGIN, signer_public(self.signer))
        self.lines: list[dict[str, object]] = []
        self.leaves: list[bytes] = []
        self.tree = Tree()
        prev = ""
        for index in range(SIZE):
            nonce, action = bytes([index % 256]) * 64, "read" if index else "create pod"
            app, own = {"action": action}, {"seq": index + 1, "prev": prev}
            told = sha256(b"kluis/pod-record-app/v1" + nonce[:32] + canonical(app)).digest()
            rest = sha256(b"kluis/pod-record-own/v1" + nonce[32:] + canonical(own)).digest()
            record, commitment = {"app": app, "own": own}, sha256(b"kluis/pod-record/v2" + told + rest).digest()
            self.lines.append(
                {"index": index, "shard": ORIGIN, "seq": index + 1, "record": record, "nonce": b64(nonce)}
            )
            self.leaves.append(b"\x01\x00" + commitment + bytes([7]) * 32)
            self.tree.append(leaf_hash(self.leaves[-1]))
            prev = b64(sha256(commitment).digest())
        self.head: dict[str, object] = {"seq": SIZE, "head": prev, "kept": SIZE}
        self.notes = [self.sign(100), self.sign(SIZE)]

    def sign(self, size: int) -> str:
        return sign_note(checkpoint(ORIGIN, size, self.tree.root(size)), ORIGIN, self.signer)

    def fetch(self, path: str) -> bytes:
        if path == "/log/checkpoint":
            return self.notes[-1].encode()
        kind, name = path.removeprefix("/log/2026h2/tile/").split("/", 1)
        index, _, width = name.partition(".p/")
        if kind == "0":
            return self.tree.tile(0, int(index), int(width or 256))
        first = int(index) * 256
        return b"".join(b"\x00\x42" + leaf for leaf in self.leaves[first : first + int(width or 256)])

    def export(self) -> Iterator[str]:
        return (json.dumps(line) for line in (*self.lines, self.head))

    def store(self, folder: Path) -> None:
        (folder / "vault").mkdir()
        with closing(sqlite3.connect(folder / "vault" / "kluis.db")) as db, db:
            db.execute("CREATE TABLE entry (idx INTEGER PRIMARY KEY, leaf BLOB)")
            db.execute("CREATE TABLE shard (first INTEGER PRIMARY KEY, origin TEXT)")
            db.execute("CREATE TABLE checkpoint (first INTEGER, size INTEGER, note TEXT, PRIMARY KEY (first, size))")
            db.execute("INSERT INTO shard VALUES (0, ?)", (ORIGIN,))
            db.executemany("INSERT INTO entry VALUES (?, ?)", list(enumerate(self.leaves)))
            db.executemany("INSERT INTO checkpoint VALUES (0, ?, ?)", [(100, self.notes[0]), (SIZE, self.notes[1])])
