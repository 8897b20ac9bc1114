"""Check a log from outside: all entries against the signed root, exported records against the entries.

A log is a row of half-year shards, each a tree of its own; the first entry of every shard but the oldest says how the
one before it ended, so that the newest head stands for all of them. An independent reader. Of the code that writes the
log it shares only `keys.merkle`, `keys.note` and `keys.sign`; entry bundles (C2SP tlog-tiles, "Log Entries"),
commitments and the chain of a pod are read here from their published forms.
"""

import json
import sqlite3
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import rfc8785

from keys.errors import KeysError, Misuse
from keys.merkle import Tree, leaf_hash
from keys.note import Checkpoint, open_note, read_checkpoint, renamed
from web import summed
from web.logkeys import followed

Fetch = Callable[[str], bytes]  # an absolute path such as /log/checkpoint to its body

POD_DOMAIN = b"kluis/pod-record/v2"
PARTS = {"app": b"kluis/pod-record-app/v1", "own": b"kluis/pod-record-own/v1"}  # in the order of their nonces
FIRST, SEAM = "create pod", "kluis/log-shard/v1"
WIDTH, ENTRY = 256, 66  # entries of a tile; an entry is 0x01, kind, two commitments of 32 bytes
STATEMENT = 2  # the kind of an entry that says something in clear, of any length


class LogBroken(Exception):
    """The log or an export of it does not verify; `entry` is the index of the first wrong entry, if it can be named."""

    code = "log_broken"

    def __init__(self, why: str, entry: int | None = None) -> None:
        super().__init__(why if entry is None else f"entry {entry}: {why}")
        self.entry = entry


@dataclass(frozen=True)
class Shard:
    """One half-year whose every entry is under its signed root; `first` is its first entry's place in the whole log."""

    note: str
    head: Checkpoint
    leaves: list[bytes]
    tree: Tree
    first: int = 0


@dataclass(frozen=True)
class Verified:
    """A public log: its shards, oldest first, each bound to the one before it."""

    shards: tuple[Shard, ...]

    @property
    def head(self) -> Checkpoint:
        """The newest head."""
        return self.shards[-1].head

    @property
    def leaves(self) -> list[bytes]:
        """Every entry of the whole log."""
        return [leaf for shard in self.shards for leaf in shard.leaves]

    def named(self, origin: str) -> Shard | None:
        """The shard of this name."""
        return next((shard for shard in self.shards if shard.head.origin == origin), None)


@dataclass(frozen=True)
class Records:
    """What an export showed: records in the log, newer than its checkpoint, only counted, and readable by nobody."""

    checked: int
    waiting: int
    withheld: int
    ended: int


def read_log(fetch: Fetch, key: str) -> Verified:
    """Fetch checkpoints and entry bundles and recompute every root, from the newest shard back to the oldest.

    `key` is the log's vkey, of whichever shard. Raises LogBroken.
    """
    found = [_fetched(fetch, "/log/checkpoint", key)]
    while (told := _previous(found[0].leaves)) is not None:
        found.insert(0, _fetched(fetch, f"/log/{told.origin.rpartition('/log/')[2]}/checkpoint", key))
        _bound(found[0].head, told)
    return _joined(found, key)


def _fetched(fetch: Fetch, path: str, key: str) -> Shard:
    """One shard, by the path of its checkpoint."""
    note = _text(fetch(path))
    head = _head(note, key)
    shard = "/log/" + head.origin.rpartition("/log/")[2]
    leaves: list[bytes] = []
    for index, width in _tiles(head.size):
        leaves += _entries(fetch(f"{shard}/tile/entries/{tile_name(index, width)}"), len(leaves))
    tree = _tree(leaf_hash(leaf) for leaf in leaves)
    if tree.size != head.size or tree.root() != head.root:
        raise LogBroken("differs from the signed tree", _first_wrong(fetch, shard, head, leaves))
    return Shard(note, head, leaves, tree)


def read_directory(data: Path, key: str) -> Verified:
    """The same from a data directory, beside a running server or without one. Raises LogBroken.

    The checkpoints that lie there narrow a difference down to the entries between two of them.
    """
    rows, notes, firsts = _stored(data / "vault" / "kluis.db")
    leaves = [_placed(place, idx, leaf) for place, (idx, leaf) in enumerate(rows)]
    found: list[Shard] = []
    for first, end in zip(firsts, [*firsts[1:], len(leaves)], strict=True):
        if not notes.get(first):
            break  # begun so lately that it has no head yet
        found.append(_narrowed(first, leaves[first:end], notes[first], key))
    if not found:
        raise LogBroken("no checkpoint was published yet")
    for before, after in pairwise(found):
        told = _previous(after.leaves)
        if told is None:
            raise LogBroken("does not say how the half-year before it ended", after.first)
        _bound(before.head, told)
    return _joined(found, key)


def _narrowed(first: int, leaves: list[bytes], notes: list[str], key: str) -> Shard:
    """One shard of a directory against all its checkpoints."""
    tree = _tree(leaf_hash(leaf) for leaf in leaves)
    heads = [_head(note, key) for note in notes]
    good = 0
    for head in heads:
        if head.size > tree.size or tree.root(head.size) != head.root:
            last = first + head.size - 1
            raise LogBroken(f"an entry from here to {last} differs from the signed tree", first + good)
        good = head.size
    return Shard(notes[-1], heads[-1], leaves, tree)


def _previous(leaves: list[bytes]) -> Checkpoint | None:
    """How the shard before this one ended, as its first entry says; None for the oldest."""
    try:
        told = json.loads(leaves[0][2:]) if leaves and leaves[0][1] == STATEMENT else {}
        if told.get("type") != SEAM:
            return None
        before = told["previous"]
        return Checkpoint(before["origin"], before["size"], _unb64(before["root"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _bound(head: Checkpoint, told: Checkpoint) -> None:
    if head != told:
        raise LogBroken(f"the half-year {told.origin} ended otherwise than the one after it says")


def _joined(found: list[Shard], key: str) -> Verified:
    """Shards with their places in the whole log; the newest head stands for all, under the key or one it handed to."""
    note, origin = found[-1].note, found[-1].head.origin
    try:
        open_note(note, list(followed(renamed(key, origin), (leaf for shard in found for leaf in shard.leaves))))
    except KeysError as error:
        raise LogBroken(f"the checkpoint is not signed by {key.partition('+')[0]}: {error}") from None
    firsts = accumulate((shard.head.size for shard in found[:-1]), initial=0)
    return Verified(tuple(replace(shard, first=first) for shard, first in zip(found, firsts, strict=True)))


def check_records(
    log: Verified, lines: Iterable[str], begins: tuple[int, str] = (1, ""), *, settled: bool = False
) -> Records:
    """Check an export (JSON lines with index, nonce and record; last the pod's head) against the log.

    Its chain begins at `begins`, the seq and prev of its first record (of the pod's first unless a caller kept the head
    of an earlier export), has no gap, and ends at the head. Records newer than the checkpoint wait at its end; none may
    if the log is `settled`, published after they were read. Inclusion needs no proof here: the root was recomputed
    from every entry. A record that no longer opens is right only if the log itself says that it ended.
    Raises LogBroken at the first wrong line.
    """
    shown, head = _export(lines)
    places, heads, leaves, due_size = [], [], log.leaves, log.shards[-1].first + log.head.size
    over = summed.over(leaves)
    due, waiting, before, index = begins, 0, ("", -1), None
    for line in shown:
        index, place = _place(log, line), (str(line["shard"]), int(line["index"]))
        record, commitment = _told(line, leaves, index, over, due[1])
        if (record["seq"], record["prev"]) != due:
            raise LogBroken(f"does not follow record {due[0] - 1} of its pod; something was left out", index)
        if record["seq"] == 1 and record.get("action") != FIRST:
            raise LogBroken("is not the record that begins a pod; something was left out", index)
        if not before < place or not index < head["kept"]:
            raise LogBroken("the record has no place in the log", index)
        if index < len(leaves) and leaves[index][2:34] != commitment:
            raise LogBroken("the record is not the one that was logged", index)
        waiting += index >= due_size  # only at the end: every index is above the one before
        heads.append(sha256(commitment).digest())
        places.append(index)
        before, due = place, (due[0] + 1, urlsafe_b64encode(heads[-1]).rstrip(b"=").decode())
    if (head["seq"] + 1, head["head"]) != due or not head["seq"]:
        raise LogBroken(f"the export ends at record {due[0] - 1}, its pod has {head['seq']}; something was left out")
    if settled and waiting:
        raise LogBroken("the record is not among the published entries", index)
    slot = next((line["record"]["own"].get("slot") for line in shown if line["record"] is not None), None)
    _summed(leaves, summed.Shown(begins[0], places, heads, slot), head)
    withheld = head["seq"] + 1 - begins[0] - len(shown)
    return Records(len(shown) - waiting, waiting, withheld, sum(line["record"] is None for line in shown))


def _summed(leaves: list[bytes], shown: summed.Shown, head: Mapping[str, Any]) -> None:
    if not shown.places:
        return
    try:
        summed.check(leaves, shown, head["slots"], head["kept"])
    except summed.NotSummed as why:
        raise LogBroken(str(why)) from None


def committed(nonces: bytes, record: Mapping[str, Any]) -> bytes:
    """The commitment to a pod record: over the salted hash of what its app may see, and that of the rest."""
    parts = zip(PARTS.items(), (nonces[:32], nonces[32:]), strict=True)
    hashes = (sha256(domain + nonce + rfc8785.dumps(record[part])).digest() for (part, domain), nonce in parts)
    return sha256(POD_DOMAIN + b"".join(hashes)).digest()


def _told(
    line: Mapping[str, Any], leaves: list[bytes], index: int, over: int, prev: str
) -> tuple[Mapping[str, Any], bytes]:
    """A line's record and its commitment; of one that nobody can open any more, what the entry itself tells."""
    if (record := line["record"]) is not None:
        return {**record["app"], **record["own"]}, committed(_unb64(line["nonce"]), record)
    if not 0 <= index < min(over, len(leaves)):
        raise LogBroken("the record does not open, and the log does not say that it ended", index)
    return {"seq": line["seq"], "prev": prev, "action": FIRST}, leaves[index][2:34]


def _place(log: Verified, line: Mapping[str, Any]) -> int:
    """Where in the whole log a line says it stands; a shard that has no head yet comes after all others."""
    shard, position = log.named(str(line["shard"])), int(line["index"])
    if shard is None:
        last = log.shards[-1]
        if str(line["shard"]) <= last.head.origin:
            raise LogBroken("the record names a half-year that the log does not have")
        return last.first + len(last.leaves) + position
    if position < 0 or (shard is not log.shards[-1] and position >= shard.head.size):
        raise LogBroken("the record has no place in the log", shard.first + position)
    return shard.first + position


def prove(log: Verified, index: int) -> str:
    """A proof that stands alone (C2SP tlog-proof) that an entry of the whole log is in its shard. Raises LogBroken."""
    shard = next((shard for shard in reversed(log.shards) if shard.first <= index), log.shards[0])
    position, size = index - shard.first, shard.head.size
    if not 0 <= position < size:
        raise LogBroken(f"is not among the {shard.first + size} published entries", index)
    hashes = [b64encode(step).decode() for step in shard.tree.inclusion(position, size)]
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {position}", *hashes, "", shard.note])


def tile_name(index: int, width: int) -> str:
    """The path of a tile: groups of three digits, all but the last with an x, `.p/W` if partial (tlog-tiles)."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups)) + (f".p/{width}" if width < WIDTH else "")


def _stored(path: Path) -> tuple[list[tuple[int, bytes]], dict[int, list[str]], list[int]]:
    """The entries, the signed checkpoints per shard, and where the shards begin; all in order."""
    notes: defaultdict[int, list[str]] = defaultdict(list)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT idx, CAST(leaf AS BLOB) FROM entry ORDER BY idx").fetchall()
            firsts = [first for (first,) in db.execute("SELECT first FROM shard ORDER BY first")]
            for first, note in db.execute("SELECT first, note FROM checkpoint ORDER BY first, size"):
                notes[first].append(note)
    except sqlite3.Error as error:
        raise LogBroken(f"{path} cannot be read: {error}") from None
    return rows, notes, firsts


def _head(note: str, key: str) -> Checkpoint:
    """The head that a note of this log tells; whether it is signed is known when the whole log was read."""
    try:
        origin = note.partition("\n")[0]
        if origin.rpartition("/")[0] != key.partition("+")[0].rpartition("/")[0]:
            raise LogBroken(f"the checkpoint is of another log, {origin[:80]!r}")
        renamed(key, origin)
        head = read_checkpoint(note.partition("\n\n")[0] + "\n")
    except Misuse as error:
        raise LogBroken(f"{key[:80]!r} is no verification key: {error}") from None
    except (KeysError, ValueError) as error:
        raise LogBroken(f"the checkpoint is no signed head of {key.partition('+')[0]}: {error}") from None
    return head


def _tiles(size: int) -> Iterable[tuple[int, int]]:
    """(index, width) of every tile at level 0 of a tree of `size` entries."""
    return ((first // WIDTH, min(WIDTH, size - first)) for first in range(0, size, WIDTH))


def _entries(bundle: bytes, first: int) -> list[bytes]:
    """Cut an entry bundle into entries; each has a big-endian 16-bit length before it."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        begin, size = at + 2, int.from_bytes(bundle[at : at + 2], "big")
        entry, at = bundle[begin : begin + size], begin + size
        private, said = size == ENTRY and entry[:2] == b"\1\0", size > 2 and entry[:2] == bytes((1, STATEMENT))
        if len(entry) != size or not (private or said):
            raise LogBroken("has not the form of an entry", first + len(entries))
        entries.append(entry)
    return entries


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
                head["slots"] = list(told.get("slots", ()))
        except (ValueError, KeyError, TypeError) as error:
            raise LogBroken(f"line {number} of the export is no record: {error}") from None
    if head is None:
        raise LogBroken("the export does not end with the head of its pod: it was cut off")
    return sorted(shown, key=_number), head


def _number(line: Mapping[str, Any]) -> int:
    return int(line["seq"] if line["record"] is None else line["record"]["own"]["seq"])


def _record(told: dict[str, Any]) -> Mapping[str, Any]:
    """One line with its record as an object. Raises ValueError, KeyError or TypeError."""
    if isinstance(told["record"], str):
        told["record"] = json.loads(told["record"])
    _ = str(told["shard"]), int(told["index"])
    if told["record"] is None:
        _ = int(told["seq"])
        return told
    _ = int(told["record"]["own"]["seq"]), told["record"]["own"]["prev"]
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
