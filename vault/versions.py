"""The citizen's check for rollback: what is stored against what the log says last (keys.md, Rollback).

Every write names (resource, version, digest) in its sealed record, which the public tree commits to. Only the citizen
can open those, so only this check also notices a server that puts back an old copy *and* rewrites what lies beside
its records; `vault.fsck` compares the latter without her.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from vault.blobs import kept_digest
from vault.database import Tx
from vault.keyring import stored_digest
from vault.log.versions import GONE, parts, touched
from vault.log.views import ENDED, Line

STORED = """
SELECT r.id, r.version, r.digest, r.form, r.label, b.data, b.size
FROM resource r LEFT JOIN body b ON b.id = r.id WHERE r.pod = :pod
"""


@dataclass(frozen=True, slots=True)
class Differs:
    """Something stored that is not what the log says last; `seq` is the line that says so, 0 if none does."""

    what: str
    seq: int


def rolled_back(tx: Tx, pod: bytes, lines: list[Line]) -> list[Differs]:
    """The citizen's check: all her resources and her keyring against the last line of her own log about each."""
    last: dict[bytes, tuple[int, bytes, int]] = {}
    ring, ring_seq = "", 0
    over = any(line.outcome == ENDED for line in lines)  # what such a line said of a version is no longer known
    for line in lines:
        fields = line.told
        if "keyring" in fields:
            ring, ring_seq = fields["keyring"], line.seq
        for rid, version, digested in parts(touched(fields.get("versions", ()))):
            last[rid] = (version, digested, line.seq)
    differing = [rid for rid in _differing(tx, pod, last) if rid in last or not over]
    found = [Differs(rid.hex(), last.get(rid, (0, b"", 0))[2]) for rid in differing]
    if ring != stored_digest(tx, pod) and (ring or not over):
        found.append(Differs("keyring", ring_seq))
    return found


def _differing(tx: Tx, pod: bytes, last: dict[bytes, tuple[int, bytes, int]]) -> Iterable[bytes]:
    seen = set()
    for rid, version, kept, form, label, body, size in tx.run(STORED, pod=pod):
        seen.add(rid)
        real = GONE if form == "gone" else kept_digest(label, body, size)
        if real != kept or last.get(rid, (0, b"", 0))[:2] != (version, kept):
            yield rid
    yield from (rid for rid in last if rid not in seen)
