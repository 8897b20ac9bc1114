"""The part of `vault.fsck` about what is signed or proven: keyrings, grants, and the newest version of every resource.

Without any key it notices a stale or foreign row, a swapped public key, a widened grant. Given the server's state key
it also notices a sealed record that was changed, and a list of versions that was cut or rewritten beside it. A thief
who holds that key as well is noticed by the citizen's own check alone (`vault.versions`).
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from keys.errors import Damaged, KeysError
from keys.keyring import Keyring, Signed, open_keyring
from keys.secret import StateKey
from keys.sign import verify
from vault.log.grantform import message
from vault.log.versions import fits, parts, proof_key

PODS = """
SELECT p.id, p.identity, p.box, k.version, k.body, k.signature, k.annex, k.annex_signature
FROM pod p LEFT JOIN keyring k ON k.pod = p.id
"""
BOXES = "SELECT id, generation, custody, public FROM compartment WHERE pod = ?"
WAYS = "SELECT id, kind, public FROM unlocker WHERE pod = ?"
GRANTS = "SELECT id, version, created, commitment, signature FROM grant WHERE pod = ?"
TOUCHED = """
SELECT r.idx, r.entry, r.touched, CAST(r.sealed AS BLOB), r.proof FROM record r
WHERE r.pod IN (SELECT id FROM pod) ORDER BY r.idx
"""
STORED = "SELECT id, pod, version, digest FROM resource"


def faults(db: sqlite3.Connection, state: StateKey | None) -> Iterator[str]:
    """Every fault, a line each."""
    grants = bool(db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'grant'").fetchone())
    for pod, identity, box, *row in db.execute(PODS).fetchall():
        ring = _ring(pod, identity, row)
        if ring is None:
            yield f"the keyring of pod {_hex(pod)} is not signed by its owner"
            continue
        yield from _swapped(db, ring, box)
        if grants:
            yield from _unsigned(db, ring)
    yield from _rolled_back(db, state)


def _ring(pod: bytes, identity: bytes, row: list[Any]) -> Keyring | None:
    version, body, signature, annex, annex_signature = row
    try:
        ring = open_keyring(pod, identity, Signed(body, signature), Signed(annex, annex_signature) if annex else None)
    except (KeysError, KeyError, ValueError, TypeError):
        return None
    return ring if ring.version == version else None


def _swapped(db: sqlite3.Connection, ring: Keyring, box: bytes) -> Iterator[str]:
    """Public keys that are stored otherwise than the keyring says."""
    if ring.log != box:
        yield f"the log key of pod {_hex(ring.pod)} is not as its keyring says"
    yield from _logs(db, ring)
    newest: dict[bytes, str] = {}
    for cid, generation, custody, public in db.execute(BOXES, (ring.pod,)):
        known = ring.compartments.get(cid)
        if known is None or known.publics.get(generation) != public:
            yield f"generation {generation} of compartment {_hex(cid)} is not as its keyring says"
        newest[cid] = custody
    for cid, known in ring.compartments.items():
        if newest.get(cid) != known.custody:
            yield f"compartment {_hex(cid)} is not as its keyring says"
    if {uid: (kind, public) for uid, kind, public in db.execute(WAYS, (ring.pod,))} != dict(ring.unlockers):
        yield f"the ways into pod {_hex(ring.pod)} are not as its keyring says"


def _logs(db: sqlite3.Connection, ring: Keyring) -> Iterator[str]:
    """Log keys that records are sealed to and the keyring never named, and named ones that were not kept."""
    used = {box for (box,) in db.execute("SELECT DISTINCT box FROM recordkey WHERE pod = ?", (ring.pod,))}
    if used - ring.logs:
        yield f"records of pod {_hex(ring.pod)} are sealed to a key that its keyring never named"
    kept = {public for (public,) in db.execute("SELECT public FROM oldlog WHERE pod = ?", (ring.pod,))}
    if kept != ring.logs - {ring.log}:
        yield f"the log keys of pod {_hex(ring.pod)} from before are not as its keyring says"


def _unsigned(db: sqlite3.Connection, ring: Keyring) -> Iterator[str]:
    """Grants that neither the citizen nor, for her own credentials, her managed signing key signed."""
    for grant, version, created, blinded, signature in db.execute(GRANTS, (ring.pod,)):
        told = message(ring.pod, grant, version, created, blinded)
        if not any(_signed(key, told, signature) for key in (ring.identity, ring.msign)):
            yield f"grant {_hex(grant)} is not the one its citizen signed"


def _signed(public: bytes, told: bytes, signature: bytes) -> bool:
    try:
        verify(public, told, signature)
    except Damaged:
        return False
    return True


def _rolled_back(db: sqlite3.Connection, state: StateKey | None) -> Iterator[str]:
    """Resources that are not of the version that was stored last."""
    key, last = proof_key(state) if state else None, dict[bytes, tuple[int, bytes]]()
    for index, entry, listed, sealed, proven in db.execute(TOUCHED):
        if key is not None and not fits(key, index, entry, listed, sealed, proven):
            yield f"what stands beside the record of entry {index}, or the record itself, was changed"
        last.update({rid: (version, digested) for rid, version, digested in parts(listed)})
    for rid, pod, version, digested in db.execute(STORED):
        if last.pop(rid, None) != (version, digested):
            yield f"resource {_hex(rid)} of pod {_hex(pod)} is not of the version that was stored last"
    for rid in last:
        yield f"resource {_hex(rid)} was stored and is not there"


def _hex(data: bytes) -> str:
    return data.hex().upper()
