"""Check a log from outside: all entries against the signed root, exported records against the entries.

An independent reader. Of the code that writes the log it shares only `keys.merkle` and `keys.note`; entry bundles
(C2SP tlog-tiles, "Log Entries"), commitments and the chain of a pod are read here from their published forms.
"""

import json
import sqlite3
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import rfc8785

from keys.errors import KeysError, Misuse
from keys.merkle import Tree, leaf_hash
from keys.note import Checkpoint, open_note, read_checkpoint

Fetch = Callable[[str], bytes]  # an absolute path such as /log/checkpoint to its body

POD_DOMAIN = b"kluis/pod-record/v2"
PARTS = {"app": b"kluis/pod-record-app/v1", "own": b"kluis/pod-record-own/v1"}  # in the order of their nonces
FIRST = "create pod"
WIDTH = 256
ENTRY = 66  # 0x01, kind, two commitments of 32 bytes


class LogBroken(Exception):
    """The log or an export of it does not verify; `entry` is the index of the first wrong entry, if it can be named."""

    code = "log_broken"

    def __init__(self, why: str, entry: int | None = None) -> None:
        super().__init__(why if entry is None else f"entry {entry}: {why}")
        self.entry = entry


@dataclass(frozen=True)
class Verified:
    """A public log whose every entry is under the signed root."""

    note: str
    head: Checkpoint
    leaves: list[bytes]
    tree: Tree


@dataclass(frozen=True)
class Records:
    """What an export showed: records that stand in the log, and those newer than its checkpoint."""

    checked: int
    waiting: int


def read_log(fetch: Fetch, key: str) -> Verified:
    """Fetch checkpoint and entry bundles and recompute the whole root. `key` is the log's vkey. Raises LogBroken."""
    note = _text(fetch("/log/checkpoint"))
    head = _head(note, key)
    shard = "/log/" + head.origin.rpartition("/log/")[2]
    leaves: list[bytes] = []
    for index, width in _tiles(head.size):
        leaves += _entries(fetch(f"{shard}/tile/entries/{tile_name(index, width)}"), len(leaves))
    tree = _tree(leaf_hash(leaf) for leaf in leaves)
    if tree.size != head.size or tree.root() != head.root:
        raise LogBroken("differs from the signed tree", _first_wrong(fetch, shard, head, leaves))
    return Verified(note, head, leaves, tree)


def read_directory(data: Path, key: str) -> Verified:
    """The same from a data directory, beside a running server or without one. Raises LogBroken.

    The checkpoints that lie there narrow a difference down to the entries between two of them.
    """
    rows, notes = _stored(data / "vault" / "kluis.db")
    leaves = [_placed(place, idx, leaf) for place, (idx, leaf) in enumerate(rows)]
    tree = _tree(leaf_hash(leaf) for leaf in leaves)
    heads = [_head(note, key) for note in notes]
    good = 0
    for head in heads:
        if head.size > tree.size or tree.root(head.size) != head.root:
            raise LogBroken(f"an entry from here to {head.size - 1} differs from the signed tree", good)
        good = head.size
    return Verified(notes[-1], heads[-1], leaves, tree)


def check_records(
    log: Verified, lines: Iterable[str], begins: tuple[int, str] = (1, ""), *, settled: bool = False
) -> Records:
    """Check an export (JSON lines with index, nonce and record; last the pod's head) against the log.

    Its chain begins at `begins`, the seq and prev of its first record (of the pod's first unless a caller kept the head
    of an earlier export), has no gap, and ends at the head. Records newer than the checkpoint wait at its end; none may
    if the log is `settled`, published after they were read. Inclusion needs no proof here: the root was recomputed
    from every entry. Raises LogBroken at the first wrong line.
    """
    shown, head = _export(lines)
    due, waiting, before = begins, 0, -1
    for line in shown:
        index, record = int(line["index"]), {**line["record"]["app"], **line["record"]["own"]}
        if (record["seq"], record["prev"]) != due:
            raise LogBroken(f"does not follow record {due[0] - 1} of its pod; something was left out", index)
        if record["seq"] == 1 and record.get("action") != FIRST:
            raise LogBroken("is not the record that begins a pod; something was left out", index)
        if not before < index < head["kept"]:
            raise LogBroken("the record has no place in the log", index)
        commitment = committed(_unb64(line["nonce"]), line["record"])
        if index < len(log.leaves) and log.leaves[index][2:34] != commitment:
            raise LogBroken("the record is not the one that was logged", index)
        waiting += index >= log.head.size  # only at the end: every index is above the one before
        before, due = index, (due[0] + 1, urlsafe_b64encode(sha256(commitment).digest()).rstrip(b"=").decode())
    if (head["seq"] + 1, head["head"]) != due or not head["seq"]:
        raise LogBroken(f"the export ends at record {due[0] - 1}, its pod has {head['seq']}; something was left out")
    if settled and waiting:
        raise LogBroken("the record is not among the published entries", before)
    return Records(len(shown) - waiting, waiting)


def committed(nonces: bytes, record: Mapping[str, Any]) -> bytes:
    """The commitment to a pod record: over the salted hash of what its app may see, and that of the rest."""
    parts = zip(PARTS.items(), (nonces[:32], nonces[32:]), strict=True)
    hashes = (sha256(domain + nonce + rfc8785.dumps(record[part])).digest() for (part, domain), nonce in parts)
    return sha256(POD_DOMAIN + b"".join(hashes)).digest()


def prove(log: Verified, index: int) -> str:
    """A proof that stands alone (C2SP tlog-proof) that an entry is in the log. Raises LogBroken if it is not."""
    if not 0 <= index < log.head.size:
        raise LogBroken(f"is not among the {log.head.size} published entries", index)
    hashes = [b64encode(step).decode() for step in log.tree.inclusion(index, log.head.size)]
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {index}", *hashes, "", log.note])


def tile_name(index: int, width: int) -> str:
    """The path of a tile: groups of three digits, all but the last with an x, `.p/W` if partial (tlog-tiles)."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups)) + (f".p/{width}" if width < WIDTH else "")


def _stored(path: Path) -> tuple[list[tuple[int, bytes]], list[str]]:
    """The entries and the signed checkpoints of a main database, both in order."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT idx, CAST(leaf AS BLOB) FROM entry ORDER BY idx").fetchall()
            notes = [note for (note,) in db.execute("SELECT note FROM checkpoint ORDER BY size")]
    except sqlite3.Error as error:
        raise LogBroken(f"{path} cannot be read: {error}") from None
    if not notes:
        raise LogBroken("no checkpoint was published yet")
    return rows, notes


def _head(note: str, key: str) -> Checkpoint:
    try:
        text, _ = open_note(note, [key])
        head = read_checkpoint(text)
    except Misuse as error:
        raise LogBroken(f"{key[:80]!r} is no verification key: {error}") from None
    except (KeysError, ValueError) as error:
        raise LogBroken(f"the checkpoint is not signed by {key.partition('+')[0]}: {error}") from None
    if head.origin != key.partition("+")[0]:
        raise LogBroken(f"the checkpoint is of another log, {head.origin}")
    return head


def _tiles(size: int) -> Iterable[tuple[int, int]]:
    """(index, width) of every tile at level 0 of a tree of `size` entries."""
    return ((first // WIDTH, min(WIDTH, size - first)) for first in range(0, size, WIDTH))


def _entries(bundle: bytes, first: int) -> list[bytes]:
    """Cut an entry bundle into entries; each has a big-endian 16-bit length before it."""
    step = ENTRY + 2
    cut = [bundle[at : at + step] for at in range(0, len(bundle), step)]
    for place, piece in enumerate(cut):
        if len(piece) != step or piece[:3] != b"\x00\x42\x01":
            raise LogBroken("has not the form of an entry", first + place)
    return [piece[2:] for piece in cut]


def _placed(place: int, idx: int, leaf: bytes) -> bytes:
    if place != idx:
        raise LogBroken("is missing", place)
    return leaf


def _first_wrong(fetch: Fetch, shard: str, head: Checkpoint, leaves: list[bytes]) -> int | None:
    """The first entry that is not under its hash tile, if the tiles are under the signed root."""
    hashes: list[bytes] = []
    for index, width in _tiles(head.size):
        tile = fetch(f"{shard}/tile/0/{tile_name(index, width)}")
        hashes += [tile[at : at + 32] for at in range(0, len(tile), 32)]
    try:
        if _tree(hashes).root(head.size) != head.root:
            return None
    except KeysError:
        return None
    mine = [leaf_hash(leaf) for leaf in leaves]
    return next((i for i, told in enumerate(hashes) if i >= len(mine) or mine[i] != told), None)


def _tree(hashes: Iterable[bytes]) -> Tree:
    tree = Tree()
    for digest in hashes:
        tree.append(digest)
    return tree


def _export(lines: Iterable[str]) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
    """The records of an export in their order, and the pod's head that its last line tells."""
    shown, head = [], None
    for number, line in enumerate(lines, 1):
        try:
            told = json.loads(line)
            if head is not None:
                raise ValueError("something follows the head")
            if "record" in told:
                shown.append(_record(told))
            else:
                head = {"seq": int(told["seq"]), "head": str(told["head"]), "kept": int(told["kept"])}
        except (ValueError, KeyError, TypeError) as error:
            raise LogBroken(f"line {number} of the export is no record: {error}") from None
    if head is None:
        raise LogBroken("the export does not end with the head of its pod: it was cut off")
    return sorted(shown, key=lambda line: int(line["record"]["own"]["seq"])), head


def _record(told: dict[str, Any]) -> Mapping[str, Any]:
    """One line with its record as an object. Raises ValueError, KeyError or TypeError."""
    if isinstance(told["record"], str):
        told["record"] = json.loads(told["record"])
    _ = int(told["index"]), int(told["record"]["own"]["seq"]), told["record"]["own"]["prev"]
    if len(_unb64(told["nonce"])) != 64 or not isinstance(told["record"]["app"], dict) or len(told["record"]) != 2:
        raise ValueError("not two parts with a nonce of 32 bytes each")
    return told


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise LogBroken("the checkpoint is not text") from None


def _unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
