"""Every invariant of a data directory that can be seen without a key, each as one question that must find nothing.

A way in or a pod whose share is on the list of deleted ones was ended on purpose and came back with a backup: it opens
nothing, and is no fault. The state key, where it is at hand, adds one question: that nothing beside a record was
rewritten (vault.fsck_signed).

Read-only and without the directory's lock, so it may run beside a live server; what the server changes meanwhile is
seen in one snapshot per file.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from keys.errors import KeysError, Misuse
from keys.merkle import Tree, leaf_hash
from keys.note import read_checkpoint
from keys.seal import HEAD
from keys.secret import StateKey
from keys.text import b64
from vault import fsck_signed
from vault.blobs import FRONT, TAIL, kept_digest
from vault.database import VERSION
from vault.errors import DamagedItem
from vault.log import slots
from vault.log.entry import statement
from vault.log.shards import seam

# Each comment is the sentence told for every row of the question below it.
QUESTIONS = """
-- the log has no entry {}
SELECT e.idx - 1 FROM entry e LEFT JOIN entry b ON b.idx = e.idx - 1 WHERE e.idx > 0 AND b.idx IS NULL

-- entry {} has not the form of an entry
SELECT idx FROM entry WHERE substr(leaf, 1, 1) <> x'01'
OR NOT (substr(leaf, 2, 1) = x'00' AND length(leaf) = 66 OR substr(leaf, 2, 1) = x'02' AND length(leaf) > 2)

-- entry {} is of no half-year
SELECT min(idx) FROM entry HAVING count(*) > 0 AND min(idx) < (SELECT coalesce(min(first), 1) FROM shard)

-- the half-year {} has no entry
SELECT s.origin FROM shard s LEFT JOIN entry e ON e.idx = s.first WHERE e.idx IS NULL

-- the checkpoint of {} entries is of no half-year
SELECT c.size FROM checkpoint c LEFT JOIN shard s ON s.first = c.first WHERE s.first IS NULL

-- entry {} has no record
SELECT e.idx FROM entry e LEFT JOIN record r ON r.idx = e.idx WHERE r.idx IS NULL AND substr(e.leaf, 2, 1) = x'00'

-- the receipt of entry {} has no record
SELECT a.idx FROM appreceipt a LEFT JOIN record r ON r.idx = a.idx AND r.pod = a.pod WHERE r.idx IS NULL

-- the record of entry {} has no entry
SELECT r.idx FROM record r LEFT JOIN entry e ON e.idx = r.idx WHERE e.idx IS NULL

-- pod {} has no record {}
SELECT hex(r.pod), r.seq - 1 FROM record r LEFT JOIN record b ON b.pod = r.pod AND b.seq = r.seq - 1
WHERE r.seq > 1 AND b.idx IS NULL

-- pod {} says it has {} records
SELECT hex(h.pod), h.seq FROM podhead h WHERE h.seq <> (SELECT max(seq) FROM record r WHERE r.pod = h.pod)

-- pod {} has no slot
SELECT hex(p.id) FROM pod p LEFT JOIN slot s ON s.pod = p.id AND s.ended IS NULL WHERE s.number IS NULL

-- there is no slot {}
SELECT s.number - 1 FROM slot s LEFT JOIN slot b ON b.number = s.number - 1 WHERE s.number > 0 AND b.number IS NULL

-- epoch {} has no statement
SELECT p.number FROM epoch p LEFT JOIN entry e ON e.idx = p.idx
WHERE e.idx IS NULL OR substr(e.leaf, 2, 1) <> x'02'

-- pod {} has fewer than two ways in
SELECT hex(p.id) FROM pod p WHERE (SELECT count(*) FROM unlocker u WHERE u.pod = p.id) < 2

-- pod {} has no custody share
SELECT hex(p.id) FROM pod p LEFT JOIN shares.share s ON s.kind = 'custody' AND s.owner = p.id AND s.pod = p.id
WHERE s.owner IS NULL AND p.id NOT IN (SELECT owner FROM gone.deleted WHERE kind = 'custody')

-- unlocker {} has no share
SELECT hex(u.id) FROM unlocker u LEFT JOIN shares.share s ON s.kind = 'unlock' AND s.owner = u.id AND s.pod = u.pod
WHERE s.owner IS NULL AND u.id NOT IN (SELECT owner FROM gone.deleted WHERE kind = 'unlock')

-- a share of {} {} outlives its gate
SELECT DISTINCT s.kind, hex(s.owner) FROM shares.share s LEFT JOIN gate g ON g.id = s.owner
WHERE s.kind IN ('grant', 'session') AND (g.id IS NULL OR g.state NOT IN ('live', 'restricted'))

-- a share of unlocker {} outlives it
SELECT hex(s.owner) FROM shares.share s LEFT JOIN unlocker u ON u.id = s.owner
WHERE s.kind = 'unlock' AND u.id IS NULL AND s.pod IN (SELECT id FROM pod)

-- compartment {} is of no pod
SELECT hex(c.id) FROM compartment c LEFT JOIN pod p ON p.id = c.pod WHERE p.id IS NULL

-- compartment {} has custody {}
SELECT hex(id), custody FROM compartment WHERE custody NOT IN ('sealed', 'managed')

-- resource {} is sealed to a compartment that is not there
SELECT hex(r.id) FROM resource r
LEFT JOIN compartment c ON c.id = r.compartment AND c.generation = r.generation AND c.pod = r.pod
WHERE c.id IS NULL AND r.form <> 'gone'

-- resource {} lies in a container that is not there
SELECT hex(r.id) FROM resource r LEFT JOIN resource p ON p.id = r.parent AND p.pod = r.pod AND p.form <> 'gone'
WHERE p.id IS NULL AND r.form <> 'gone'

-- the body of {} is of another version
SELECT hex(b.id) FROM body b LEFT JOIN resource r ON r.id = b.id AND r.version = b.version AND r.form <> 'gone'
WHERE r.id IS NULL

-- the body of {} has not the size that stands beside it
SELECT hex(id) FROM body WHERE store = x'' AND size <> length(data)

-- segments of {} are missing
SELECT hex(b.id) FROM body b WHERE b.store <> x'' AND (b.size, 1) IS NOT
(SELECT sum(length(s.data)) + 57, max(s.number) + 1 = count(*) FROM segment s WHERE s.store = b.store)

-- the segments {} are of no body
SELECT DISTINCT hex(s.store) FROM segment s WHERE s.store NOT IN (SELECT store FROM body)
AND s.store NOT IN (SELECT store FROM upload)

-- the segments {} of a body are on the list of what is removed
SELECT hex(u.store) FROM upload u JOIN body b ON b.store = u.store

-- {} bodies have the segments {}
SELECT count(*), hex(store) FROM body WHERE store <> x'' GROUP BY store HAVING count(*) > 1

-- bytes are counted or under way for {}, which is no pod
SELECT hex(pod) FROM usage WHERE pod NOT IN (SELECT id FROM pod)
UNION SELECT hex(pod) FROM upload WHERE size > 0 AND pod NOT IN (SELECT id FROM pod)

-- pod {} holds {} bytes, not {}
SELECT hex(p.id), coalesce(sum(b.size), 0), coalesce((SELECT u.bytes FROM usage u WHERE u.pod = p.id), 0)
FROM pod p LEFT JOIN resource r ON r.pod = p.id LEFT JOIN body b ON b.id = r.id GROUP BY p.id
HAVING coalesce(sum(b.size), 0) <> coalesce((SELECT u.bytes FROM usage u WHERE u.pod = p.id), 0)

-- the access rules of {} are of no pod
SELECT hex(a.id) FROM acl a LEFT JOIN pod p ON p.id = a.pod WHERE p.id IS NULL
"""

ENDS = """
SELECT b.id, CAST(b.data AS BLOB), substr((SELECT data FROM segment WHERE store = b.store ORDER BY number), 1, :front),
substr((SELECT data FROM segment WHERE store = b.store ORDER BY number DESC), -:tail) FROM body b WHERE b.store <> x''
"""
SHARDS = """
SELECT first, origin, coalesce(lead(first) OVER (ORDER BY first), (SELECT max(idx) + 1 FROM entry)) FROM shard
ORDER BY first
"""
LEAVES = "SELECT CAST(leaf AS BLOB) FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"


def check(folder: Path, shares: Path, state: StateKey | None = None) -> list[str]:
    """Every fault of the main database in `folder` and the share store in `shares`, a line each; none is an empty list.

    Raises DamagedItem if one of their files is missing, is no database, or is of another version.
    """
    try:
        with closing(_open(folder / "kluis.db", shares / "shares.db")) as db:
            return list(_faults(db, state))
    except sqlite3.Error as error:
        raise DamagedItem(f"{folder} and {shares} cannot be read: {error}") from error


def custody(folder: Path) -> dict[str, int]:
    """How many pods' managed roots hang under each custody key, by its id. Raises DamagedItem."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'kluis.db'}?mode=ro", uri=True)) as db:
            question = "SELECT substr(wrapped, 1, 16), count(*) FROM rootwrap WHERE parent = 'custody' GROUP BY 1"
            return {b64(key): count for key, count in db.execute(question)}
    except sqlite3.Error as error:
        raise DamagedItem(f"{folder} cannot be read: {error}") from error


def _open(main: Path, shares: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"file:{main}?mode=ro", uri=True)
    db.execute("ATTACH ? AS shares", (f"file:{shares}?mode=ro",))
    db.execute("ATTACH ? AS gone", (f"file:{shares.with_name('deleted.db')}?mode=ro",))
    found = db.execute("SELECT CAST(value AS BLOB) FROM meta WHERE key = 'version'").fetchone()
    if found is None or found[0] != VERSION:
        raise DamagedItem(f"{main} is of another version than {VERSION.decode()}")
    db.execute("BEGIN")
    return db


def _faults(db: sqlite3.Connection, state: StateKey | None) -> Iterator[str]:
    for name in ("main", "shares"):
        for (line,) in db.execute(f"PRAGMA {name}.integrity_check"):
            if line != "ok":
                yield f"{name} database: {line}"
    for block in QUESTIONS.split("-- ")[1:]:
        told, _, question = block.partition("\n")
        for row in db.execute(question):
            yield told.format(*row)
    yield from _changed(db)
    yield from _parted(db)
    yield from fsck_signed.faults(db, state)
    yield from _unsigned(db)
    yield from _unsummed(db)


def _unsummed(db: sqlite3.Connection) -> Iterator[str]:
    """Epochs whose kept roots do not lead to the one that their statement tells."""
    kept = "SELECT p.number, CAST(p.roots AS BLOB), CAST(e.leaf AS BLOB) FROM epoch p JOIN entry e ON e.idx = p.idx"
    for number, roots, leaf in db.execute(kept):
        try:
            told = slots.read(leaf[2:])
            good = (
                told is not None and slots.root([roots[at : at + 32] for at in range(0, len(roots), 32)]) == told.root
            )
        except KeysError:
            good = False
        if not good:
            yield f"epoch {number} is not the one that was stated"


def _changed(db: sqlite3.Connection) -> Iterator[str]:
    """Resources whose envelopes do not have the digest in their row.

    Damage, not forgery: who can write the one can write the other. That an envelope is the one that was stored shows
    only when a key opens it.
    """
    rows = db.execute(
        "SELECT r.id, r.digest, CAST(r.label AS BLOB), CAST(b.data AS BLOB), b.size"
        " FROM resource r LEFT JOIN body b ON b.id = r.id WHERE r.form <> 'gone'"
    )
    for rid, stored, label, body, size in rows:
        if kept_digest(label, body, size) != stored:
            yield f"resource {rid.hex().upper()} does not have the digest that stands beside it"


def _parted(db: sqlite3.Connection) -> Iterator[str]:
    """Large bodies whose segments do not begin and end as their row says."""
    for rid, told, first, last in db.execute(ENDS, {"front": FRONT - HEAD, "tail": TAIL}):
        if (told[HEAD:FRONT], told[-TAIL:]) != (first, last):
            yield f"the segments of {rid.hex().upper()} are not those of its body"


def _unsigned(db: sqlite3.Connection) -> Iterator[str]:
    """Checkpoints that the entries do not lead to. Their signature is the affair of `kluis log verify`."""
    before: tuple[str, Tree] | None = None
    for first, origin, end in db.execute(SHARDS).fetchall():
        tree, begins = Tree(), b""
        for (leaf,) in db.execute(LEAVES, (first, end)):
            begins = begins or leaf
            tree.append(leaf_hash(leaf))
        if before is not None and begins != statement(seam(origin, before[0], before[1].size, before[1].root())):
            yield f"entry {first} does not say how the half-year before it ended"
        before = origin, tree
        for level, idx, hashes in db.execute("SELECT level, idx, hashes FROM tile WHERE first = ?", (first,)):
            if not _is_tile(tree, level, idx, hashes):
                yield f"tile {level}/{idx} of {origin.rpartition('/')[2]} is not that of the entries"
        yield from _differs(db, first, origin, tree)


def _is_tile(tree: Tree, level: int, idx: int, hashes: bytes) -> bool:
    try:
        return tree.tile(level, idx) == hashes
    except Misuse:
        return False


def _differs(db: sqlite3.Connection, first: int, origin: str, tree: Tree) -> Iterator[str]:
    for size, note in db.execute("SELECT size, note FROM checkpoint WHERE first = ? ORDER BY size", (first,)):
        try:
            told = read_checkpoint(note.partition("\n\n")[0] + "\n")
            good = told == (origin, size, tree.root(size))
        except KeysError:
            good = False
        if not good:
            yield f"the log differs from its checkpoint of {size} entries of {origin.rpartition('/')[2]}"
            return  # later ones differ for the same reason
