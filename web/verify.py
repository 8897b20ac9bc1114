"""Check a log from outside: all entries against the signed root, exported records against the entries.

A log is a row of half-year shards, each a tree of its own; the first entry of every shard but the oldest says how the
one before it ended, so that the newest head stands for all of them. Its signature is checked before its size is
believed. An independent reader. Of the code that writes the log it shares only `keys.merkle`, `keys.note` and
`keys.sign`; entry bundles (C2SP tlog-tiles, "Log Entries"), commitments and the chain of a pod are read from their
published forms.
"""

import json
import sqlite3
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import rfc8785

from federation.heirs import PATH, heirs, signed
from keys.errors import KeysError, Misuse
from keys.merkle import leaf_hash
from keys.note import Checkpoint, open_note, read_checkpoint, renamed
from web import summed
from web.client import Unanswered
from web.logread import (
    MOST,
    STATEMENT,
    WIDTH,
    Bundles,
    Fetch,
    Growing,
    LogBroken,
    Passing,
    Shard,
    Verified,
    checked,
    cut,
    tile_name,
    tiles,
)

__all__ = [
    "Fetch",
    "LogBroken",
    "Shard",
    "Verified",
    "check_records",
    "committed",
    "prove",
    "read_directory",
    "read_log",
]

POD_DOMAIN = b"kluis/pod-record/v2"
PARTS = {"app": b"kluis/pod-record-app/v1", "own": b"kluis/pod-record-own/v1"}  # in the order of their nonces
FIRST, SEAM = "create pod", "kluis/log-shard/v1"
HEADS = "SELECT note FROM checkpoint WHERE first = ? ORDER BY size"
ROWS = "SELECT idx, CAST(leaf AS BLOB) FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx"
END = 2**62


@dataclass(frozen=True)
class Records:
    """What an export showed: records in the log, newer than its checkpoint, only counted, and readable by nobody."""

    checked: int
    waiting: int
    withheld: int
    ended: int


def read_log(fetch: Fetch, key: str) -> Verified:
    """Fetch checkpoints and entry bundles and recompute every root, from the newest shard back to the oldest.

    `key` is the log's vkey, of whichever shard, or one that it handed over since. Raises LogBroken.
    """
    note = _text(fetch("/log/checkpoint"))
    _promised(fetch, note, key)
    found = [_fetched(fetch, note, key)]
    while (told := _previous(found[0])) is not None:
        note = _text(fetch(f"/log/{told.origin.rpartition('/log/')[2]}/checkpoint"))
        _bound(_head(note, key), told, found[0].head)
        found.insert(0, _fetched(fetch, note, key))
    return _joined(found, key)


def _promised(fetch: Fetch, note: str, key: str) -> None:
    """Before a size is believed: the head is signed by the key, or by one that it handed over to."""
    own = renamed(key, _head(note, key).origin)
    try:
        if not _signs(note, own):
            signed(note, heirs(own, json.loads(fetch(PATH))["hands"]))
    except (Unanswered, KeysError, *summed.MALFORMED) as error:
        raise LogBroken(f"the checkpoint is not signed by {key.partition('+')[0]}: {error}") from None


def _signs(note: str, key: str) -> bool:
    try:
        return bool(open_note(note, [key]))
    except KeysError:
        return False


def _fetched(fetch: Fetch, note: str, key: str) -> Shard:
    """One shard, by its checkpoint: read once from end to end."""
    head, passing = _head(note, key), Passing()
    shard = "/log/" + head.origin.rpartition("/log/")[2]

    def read(index: int, width: int) -> list[bytes]:
        return cut(fetch(f"{shard}/tile/entries/{tile_name(index, width)}"), index * WIDTH)

    for index, width in tiles(head.size):
        leaves = read(index, width)
        for leaf in leaves[:width]:
            passing.add(leaf)
        if len(leaves) != width:
            break
    growing = passing.growing
    if growing.size != head.size or growing.root() != head.root:
        raise LogBroken("differs from the signed tree", _first_wrong(fetch, shard, head, read))
    tops = growing.closed(growing.mark())
    return Shard(note, head, tops, checked(read, tops, head.size), 0, tuple(passing.hands), passing.over)


def read_directory(data: Path, key: str) -> Verified:
    """The same from a data directory, beside a running server or without one. Raises LogBroken.

    The checkpoints that lie there narrow a difference down to the entries between two of them.
    """
    path = data / "vault" / "kluis.db"
    try:
        with closing(_opened(path)) as db:
            firsts = [int(first) for (first,) in db.execute("SELECT first FROM shard ORDER BY first")]
            found = [shard for first, end in pairwise([*firsts, END]) if (shard := _stored(db, path, first, end, key))]
            entries = int(db.execute("SELECT coalesce(max(idx) + 1, 0) FROM entry").fetchone()[0])
    except sqlite3.Error as error:
        raise LogBroken(f"{path} cannot be read: {error}") from None
    if not found:
        raise LogBroken("no checkpoint was published yet")
    for before, after in pairwise(found):
        told = _previous(after)
        if told is None:
            raise LogBroken("does not say how the half-year before it ended", after.first)
        _bound(before.head, told, after.head)
    return replace(_joined(found, key), entries=entries)


def _stored(db: sqlite3.Connection, path: Path, first: int, end: int, key: str) -> Shard | None:
    """One shard of a directory against all its checkpoints, in one go; None if it has none yet."""
    heads = ((str(note), _head(str(note), key)) for (note,) in db.execute(HEADS, (first,)))
    due, passing = next(heads, None), Passing()
    if due is None:
        return None  # begun so lately that it has no head yet
    good, mark = due, passing.mark()
    for place, (idx, leaf) in enumerate(db.execute(ROWS, (first, end)), first):
        if idx != place:
            raise LogBroken("is missing", place)
        passing.add(leaf)
        if due is not None and due[1].size == passing.growing.size:
            if due[1].root != passing.growing.root():
                raise _differs(first, mark[0], due[1])
            good, due, mark = due, next(heads, None), passing.mark()
    if due is not None:
        raise _differs(first, mark[0], due[1])
    if end not in (END, first + passing.growing.size):
        raise LogBroken("is missing", first + passing.growing.size)
    note, head = good
    tops = passing.growing.closed(mark[1])
    hands = tuple(hand for hand in passing.hands if hand[0] < head.size)
    return Shard(note, head, tops, checked(partial(_rows, path, first), tops, head.size), first, hands, mark[2])


def _differs(first: int, good: int, head: Checkpoint) -> LogBroken:
    return LogBroken(f"an entry from here to {first + head.size - 1} differs from the signed tree", first + good)


def _rows(path: Path, first: int, index: int, width: int) -> list[bytes]:
    """The entries of one bundle, from the directory."""
    begin = first + index * WIDTH
    with closing(_opened(path)) as db:
        return [leaf for _, leaf in db.execute(ROWS, (begin, begin + width))]


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def _previous(shard: Shard) -> Checkpoint | None:
    """How the shard before this one ended, as its first entry says; None for the oldest."""
    leaf = shard.leaf(0) if shard.head.size else b""
    try:
        told = json.loads(leaf[2:]) if leaf[1:2] == bytes((STATEMENT,)) else {}
        if told.get("type") != SEAM:
            return None
        before = told["previous"]
        return Checkpoint(str(before["origin"]), int(before["size"]), _unb64(before["root"]))
    except summed.MALFORMED:
        return None


def _bound(head: Checkpoint, told: Checkpoint, after: Checkpoint) -> None:
    if head != told or not head.origin < after.origin:
        raise LogBroken(f"the half-year {told.origin} ended otherwise than the one after it says")


def _joined(found: list[Shard], key: str) -> Verified:
    """Shards with their places in the whole log. The newest head stands for all: the key signed it, or the last of
    those that it handed over to in statements of this very log.
    """  # fmt: skip
    firsts = [*accumulate((shard.head.size for shard in found), initial=0)]
    log = Verified(tuple(replace(shard, first=first) for shard, first in zip(found, firsts, strict=False)), firsts[-1])
    keys = log.keys(renamed(key, log.head.origin))
    try:
        open_note(log.shards[-1].note, keys[-1:])
    except KeysError as error:
        over = any(_signs(log.shards[-1].note, one) for one in keys[:-1])
        why = "its key had handed over to another before" if over else error
        raise LogBroken(f"the checkpoint is not signed by {key.partition('+')[0]}: {why}") from None
    return log


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
    places, heads, due_size = [], [], log.size
    due, waiting, before, index = begins, 0, ("", -1), None
    for line in shown:
        index, place = _place(log, line), (str(line["shard"]), int(line["index"]))
        record, commitment = _told(log, line, index, due[1])
        if (record["seq"], record["prev"]) != due:
            raise LogBroken(f"does not follow record {due[0] - 1} of its pod; something was left out", index)
        if record["seq"] == 1 and record.get("action") != FIRST:
            raise LogBroken("is not the record that begins a pod; something was left out", index)
        if not before < place or not index < head["kept"]:
            raise LogBroken("the record has no place in the log", index)
        if index < due_size and log.leaf(index)[2:34] != commitment:
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
    _summed(log, summed.Shown(begins[0], places, heads, slot), head)
    withheld = head["seq"] + 1 - begins[0] - len(shown)
    return Records(len(shown) - waiting, waiting, withheld, sum(line["record"] is None for line in shown))


def _summed(log: Verified, shown: summed.Shown, head: Mapping[str, Any]) -> None:
    if not shown.places:
        return
    try:
        summed.check(log.leaf, shown, head["slots"], min(head["kept"], log.size))
    except summed.NotSummed as why:
        raise LogBroken(str(why)) from None


def committed(nonces: bytes, record: Mapping[str, Any]) -> bytes:
    """The commitment to a pod record: over the salted hash of what its app may see, and that of the rest."""
    parts = zip(PARTS.items(), (nonces[:32], nonces[32:]), strict=True)
    hashes = (sha256(domain + nonce + rfc8785.dumps(record[part])).digest() for (part, domain), nonce in parts)
    return sha256(POD_DOMAIN + b"".join(hashes)).digest()


def _told(log: Verified, line: Mapping[str, Any], index: int, prev: str) -> tuple[Mapping[str, Any], bytes]:
    """A line's record and its commitment; of one that nobody can open any more, what the entry itself tells."""
    if (record := line["record"]) is not None:
        return {**record["app"], **record["own"]}, committed(_unb64(line["nonce"]), record)
    if not 0 <= index < min(log.over, log.size):
        raise LogBroken("the record does not open, and the log does not say that it ended", index)
    return {"seq": line["seq"], "prev": prev, "action": FIRST}, log.leaf(index)[2:34]


def _place(log: Verified, line: Mapping[str, Any]) -> int:
    """Where in the whole log a line says it stands; a shard that has no head yet comes after all others."""
    shard, position = log.named(str(line["shard"])), int(line["index"])
    if shard is None:
        last = log.shards[-1]
        if str(line["shard"]) <= last.head.origin:
            raise LogBroken("the record names a half-year that the log does not have")
        return last.first + last.head.size + position
    if position < 0 or (shard is not log.shards[-1] and position >= shard.head.size):
        raise LogBroken("the record has no place in the log", shard.first + position)
    return shard.first + position


def prove(log: Verified, index: int) -> str:
    """A proof that stands alone (C2SP tlog-proof) that an entry of the whole log is in its shard. Raises LogBroken."""
    shard = log.shard_of(index)
    position = index - shard.first
    hashes = [b64encode(step).decode() for step in shard.inclusion(position)]
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {position}", *hashes, "", shard.note])


def _head(note: str, key: str) -> Checkpoint:
    """The head that a note of this log tells; whoever calls checks the signature, or holds it against a seam."""
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
    if head.size > MOST:
        raise LogBroken(f"the checkpoint claims {head.size} entries, more than a half-year can have")
    return head


def _first_wrong(fetch: Fetch, shard: str, head: Checkpoint, read: Bundles) -> int | None:
    """The first entry that is not under its hash tile, if the tiles are under the signed root."""
    growing, wrong = Growing(), None
    for index, width in tiles(head.size):
        tile = fetch(f"{shard}/tile/0/{tile_name(index, width)}")
        hashes = [tile[at : at + 32] for at in range(0, min(len(tile), 32 * width), 32)]
        if len(hashes) != width or len(tile) != 32 * width:
            return None
        for digest in hashes:
            growing.add(digest)
        if wrong is None:
            mine = [leaf_hash(leaf) for leaf in read(index, width)]
            found = (i for i, told in enumerate(hashes) if i >= len(mine) or mine[i] != told)
            wrong = next((index * WIDTH + i for i in found), None)
    return wrong if growing.root() == head.root else None


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
        except summed.MALFORMED as error:
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
