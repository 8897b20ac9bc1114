"""Access control lists as stored: control data, read before any permit exists (house.md, section 5)."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256

from vault.database import Tx
from vault.door import admit, finish, intent
from vault.errors import Conflict, Denied
from vault.log.entry import Appended
from vault.permit import Permit
from vault.pod import parent, top
from vault.solid.rdf import BadRdf
from vault.solid.wac import Rules, modes, parse_acl
from vault.tables import Acl
from vault.vault import PodFacts, Vault

LARGEST = 64 * 1024
CUSTODY = "UNION ALL SELECT id, CAST(custody AS BLOB) FROM compartment WHERE id = :cell"
ABSENT = b""
"""The digest of no list, as something to expect."""


@dataclass(frozen=True, slots=True)
class Effective:
    """The list that counts for a path: its rules, the path it belongs to, and whether it was inherited.

    `covers` are the ids under which lists were looked for, nearest first; `stamp` is what was stored there.
    `custody` is that of the path's compartment, read along with them, "" for one that does not exist.
    """

    rules: Rules
    path: str
    inherited: bool
    covers: tuple[bytes, ...]
    stamp: bytes
    custody: str

    def modes(self, agent: str | None, root: str) -> frozenset[str]:
        """The modes of an agent; `root` is the pod's URL without its last slash."""
        return modes(self.rules, agent, self.inherited, root + self.path)


class _Parsed:
    """Rules by what they were parsed from, at most so many bytes of it; the one not used for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._rules: OrderedDict[tuple[bytes, bytes], tuple[int, Rules]] = OrderedDict()

    def rules(self, rid: bytes, sealed: bytes, parse: Callable[[], Rules]) -> Rules:
        """The rules of the list `rid` as it is stored now."""
        key = rid, sha256(sealed).digest()
        if (known := self._rules.get(key)) is not None:
            self._rules.move_to_end(key)
            return known[1]
        rules = parse()
        self._rules[key] = len(sealed), rules
        self._held += len(sealed)
        while self._held > self._most:
            self._held -= self._rules.popitem(last=False)[1][0]
        return rules


PARSED = _Parsed(4 * 1024 * 1024)


def effective(vault: Vault, pod: PodFacts, path: str) -> Effective:
    """The nearest list at or above a path, in one read. No list at all allows nothing."""
    chain = [path]
    while chain[-1] != "/":
        chain.append(parent(chain[-1]))
    covers = tuple(map(pod.resource, chain))
    cell = pod.compartment(top(path))
    found = _sealed(vault.db.read, covers, CUSTODY, cell=cell)
    custody, stamp = found.pop(cell, b"").decode(), _stamp(covers, found)
    for candidate, rid in zip(chain, covers, strict=True):
        if rid in found:
            rules = PARSED.rules(rid, found[rid], partial(_parse, vault, pod, candidate, found[rid]))
            return Effective(rules, candidate, candidate != path, covers, stamp, custody)
    return Effective((), "/", inherited=True, covers=covers, stamp=stamp, custody=custody)


def unchanged(tx: Tx, permit: Permit) -> None:
    """Raise Conflict("access changed") if a list that the permit rests on is not what the gate saw."""
    same(tx, permit.covers, permit.stamp)


def same(tx: Tx, covers: tuple[bytes, ...], stamp: bytes) -> None:
    """The same for what is left of a permit: the ids of the lists, and what was stored there."""
    if covers and _stamp(covers, _sealed(tx, covers)) != stamp:
        raise Conflict("access changed")


def _sealed(tx: Tx, ids: tuple[bytes, ...], also: str = "", **given: bytes) -> dict[bytes, bytes]:
    """The lists stored under these ids, sealed; and what a further part of the same statement gives."""
    marks = ", ".join(f":i{n}" for n in range(len(ids)))
    params = {f"i{n}": rid for n, rid in enumerate(ids)}
    return dict(tx.run(f"SELECT id, sealed FROM acl WHERE id IN ({marks}) {also}", **params, **given))  # noqa: S608


def _stamp(ids: tuple[bytes, ...], found: Mapping[bytes, bytes]) -> bytes:
    """One hash over what is stored under these ids; nothing opens, so it costs no more than reading."""
    return sha256(b"".join(sha256(found.get(rid, b"")).digest() for rid in ids)).digest()


def _parse(vault: Vault, pod: PodFacts, path: str, sealed: bytes) -> Rules:
    turtle = pod.open("acl", pod.resource(path), "sealed", sealed)
    return parse_acl(turtle, f"{vault.base}/pods/{pod.name}{path}.acl")


def stored(vault: Vault, pod: PodFacts, path: str) -> bytes | None:
    """The list a path has of its own, as Turtle."""
    row = vault.db.read.get(Acl, pod.resource(path))
    return pod.open("acl", row.id, "sealed", row.sealed) if row else None


def digest(turtle: bytes | None) -> bytes:
    """What `put` and `remove` may be told to expect: the digest of a list as it was read, ABSENT for none."""
    return ABSENT if turtle is None else sha256(turtle).digest()


async def put(
    vault: Vault, permit: Permit, path: str, turtle: bytes, at: datetime, expected: bytes | None = None
) -> int:
    """Replace the list of a path, with its entry in the same transaction; return the entry's index.

    `expected` is the `digest` of the list that must be there now. Raises BadRdf (`too_large` beyond 64 KiB),
    Denied("no_control") for a root list that takes control from the pod's owner, Denied("precondition"), Denied if the
    grant ended.
    """
    pod = _controlled(vault, permit, path)
    if len(turtle) > LARGEST:
        raise BadRdf("too_large", f"an access control list has at most {LARGEST} bytes")
    root = f"{vault.base}/pods/{pod.name}"
    rules = parse_acl(turtle, f"{root}{path}.acl")
    if path == "/" and "control" not in modes(rules, f"{root}/profile/card#me", inherited=False, target=f"{root}/"):
        raise Denied("no_control")
    rid = pod.resource(path)
    row = Acl(id=rid, pod=pod.id, sealed=pod.seal("acl", rid, "sealed", turtle))

    def write(tx: Tx) -> None:
        _expect(tx, pod, rid, expected)
        tx.remove(Acl, id=rid)
        tx.add(row)
        tx.shut.add(pod.id)

    return await _enter(vault, permit, path, write, at)


async def remove(vault: Vault, permit: Permit, path: str, at: datetime, expected: bytes | None = None) -> int:
    """Remove the list of a path, so that it inherits again; the root keeps its own (Denied("no_control")).

    `expected` as for `put`. Raises Denied("absent") if there is none.
    """
    pod = _controlled(vault, permit, path)
    if path == "/":
        raise Denied("no_control")

    rid = pod.resource(path)

    def erase(tx: Tx) -> None:
        _expect(tx, pod, rid, expected)
        if not tx.remove(Acl, id=rid):
            raise Conflict("absent")
        tx.shut.add(pod.id)

    return await _enter(vault, permit, path, erase, at)


def _expect(tx: Tx, pod: PodFacts, rid: bytes, expected: bytes | None) -> None:
    if expected is None:
        return
    row = tx.get(Acl, rid)
    if digest(pod.open("acl", rid, "sealed", row.sealed) if row else None) != expected:
        raise Conflict("precondition")


def _controlled(vault: Vault, permit: Permit, path: str) -> PodFacts:
    if permit.facts.action != "control":
        raise Denied("outside the permit")
    return admit(vault, permit, path)


async def _enter(vault: Vault, permit: Permit, path: str, write: Callable[[Tx], None], at: datetime) -> int:
    facts = replace(permit.facts, resources=(path + ".acl",), note="changed")

    def unit(tx: Tx) -> None:
        unchanged(tx, permit)
        write(tx)

    done = await vault.log.append(intent(permit, at, facts=facts, write=unit))
    if not isinstance(done, Appended):
        raise Denied(done.reason)
    finish(vault, done)
    return done.index
